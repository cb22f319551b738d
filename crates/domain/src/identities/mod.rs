//! Who may ask: principals, their access keys, and the tokens made for them.

pub mod access_keys;
pub mod authorization_token;
pub mod download_link;
pub mod get_authorization_token;
pub mod get_caller_identity;
pub mod page_token;
pub(crate) mod token_keys;

use tonnage_policy::PrincipalPattern;

use crate::app::App;
use crate::authorize::Permit;
use crate::context::{Principal, PrincipalKind};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::metadata::{Mode, Row};
use crate::names::AccountId;
use crate::params;

/// Reads what authentication needs; nobody is authorized for anything by it.
pub(crate) async fn begin(app: &App) -> Result<Tx> {
    Tx::begin(app.metadata.as_ref(), Mode::Read, &Permit::maintenance()).await
}

pub(crate) fn principal_from(row: &Row, access_key_id: Option<String>) -> Result<Principal> {
    let kind: String = row.get(1)?;
    let account: String = row.get(2)?;
    Ok(Principal {
        id: row.get(0)?,
        kind: PrincipalKind::parse(&kind)
            .ok_or_else(|| Error::internal(format!("stored principal kind {kind}")))?,
        account: AccountId::parse(&account).map_err(Error::internal)?,
        arn: row.get(3)?,
        unique_id: row.get(4)?,
        access_key_id,
    })
}

/// The principal of this row.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] when there is none.
pub(crate) async fn get_principal(
    tx: &mut Tx,
    principal_id: i64,
    access_key_id: Option<String>,
) -> Result<Principal> {
    let row = tx
        .optional(
            "SELECT id, kind, account_id, arn, unique_id FROM principals WHERE id = $1",
            params![principal_id],
        )
        .await?
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "The security token included in the request is invalid.",
            )
        })?;
    principal_from(&row, access_key_id)
}

/// What is known of a principal that a policy names.
pub(crate) enum Lookup {
    /// There is none; how it was named.
    Absent(String),
    /// It exists: its ARN and unique id, where the ARN may come to mean another one.
    Known(Option<(String, String)>),
}

/// Looks for the account, user, role, session or unique id that a policy names.
pub(crate) async fn lookup(tx: &mut Tx, named: &PrincipalPattern) -> Result<Lookup> {
    let account_exists = async |tx: &mut Tx, account: &str| -> Result<bool> {
        let row = tx.optional("SELECT 1 FROM accounts WHERE id = $1", params![account]).await?;
        Ok(row.is_some())
    };
    let (name, known) = match named {
        PrincipalPattern::Account(account) => (account, account_exists(tx, account).await?),
        PrincipalPattern::UniqueId(id) => (id, is_known(tx, id).await?),
        PrincipalPattern::Arn(arn) => {
            let (service, account, resource) = parts_of(arn);
            match (service, resource.split_once('/')) {
                // Sessions are made by their names; what must exist is the role.
                ("sts", Some(("assumed-role", rest))) => {
                    let role = rest.split('/').next().unwrap_or_default();
                    let row = tx
                        .optional(
                            "SELECT 1 FROM principals \
                             WHERE account_id = $1 AND kind = 'role' AND name = $2",
                            params![account, role],
                        )
                        .await?;
                    (arn, row.is_some())
                }
                ("sts", _) => (arn, account_exists(tx, account).await?),
                _ => {
                    let row = tx
                        .optional("SELECT unique_id FROM principals WHERE arn = $1", params![arn])
                        .await?;
                    return Ok(match row {
                        Some(row) => Lookup::Known(Some((arn.clone(), row.get(0)?))),
                        None => Lookup::Absent(arn.clone()),
                    });
                }
            }
        }
        PrincipalPattern::Everyone
        | PrincipalPattern::Service(_)
        | PrincipalPattern::Federated(_)
        | PrincipalPattern::CanonicalUser(_) => return Ok(Lookup::Known(None)),
    };
    Ok(if known { Lookup::Known(None) } else { Lookup::Absent(name.clone()) })
}

/// Service, account and resource of an ARN that the policy parser has read.
fn parts_of(arn: &str) -> (&str, &str, &str) {
    let mut fields = arn.splitn(6, ':').skip(2);
    let service = fields.next().unwrap_or_default();
    let account = fields.nth(1).unwrap_or_default();
    (service, account, fields.next().unwrap_or_default())
}

/// Whether a principal has this unique id.
pub(crate) async fn is_known(tx: &mut Tx, unique_id: &str) -> Result<bool> {
    let row =
        tx.optional("SELECT 1 FROM principals WHERE unique_id = $1", params![unique_id]).await?;
    Ok(row.is_some())
}
