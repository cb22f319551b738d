//! Who may ask: accounts' users, groups and roles with their policies, access keys, sessions, and
//! the tokens made for them.
//!
//! `docs/iam.md` says what is what. Whatever changes an identity bumps the version of its account's
//! identities in the same transaction, so that every decision after the answer is made from it.

pub mod access_keys;
pub mod account;
pub mod attachments;
pub mod authorization_token;
pub mod console_sessions;
pub mod download_link;
pub(crate) mod effective;
pub mod entities;
pub mod get_authorization_token;
pub mod get_caller_identity;
pub mod groups;
pub mod inline_policies;
pub mod instance_profiles;
pub mod login_profiles;
pub mod managed_policies;
pub mod oidc_providers;
pub mod page_token;
pub mod policies;
pub mod roles;
pub mod sessions;
pub mod simulation;
pub(crate) mod token_keys;
pub mod users;
pub mod web_identity;

use std::future::Future;

use tonnage_policy::PrincipalPattern;

use crate::app::App;
use crate::authorize::Permit;
use crate::context::{Principal, PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::metadata::{Mode, Row};
use crate::names::AccountId;
use crate::{params, versions};

/// An operation of IAM on the caller's own account. Every one of them is an [`Operation`].
pub trait IamOperation: Send + Sized {
    /// Its action, `iam:CreateUser` for instance; the name of the operation follows the colon.
    const ACTION: &'static str;
    /// Whether it changes anything; if so, every decision made before is worth nothing after it.
    const CHANGES: bool = true;
    /// What it gives back.
    type Output: Send;

    /// As [`Operation::demands`].
    fn demands(&self, context: &RequestContext) -> Vec<Demand>;

    /// Does it, in a transaction that is committed afterwards. What may be refused because of what
    /// is stored is refused before anything is changed.
    fn apply(
        self,
        call: &Call<'_>,
        tx: &mut Tx,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

impl<O: IamOperation> Operation for O {
    const ENTRY: Entry = Entry { service: Service::Iam, name: Service::Iam.name_in(O::ACTION) };
    type Output = O::Output;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        IamOperation::demands(self, context)
    }

    async fn run(self, call: Call<'_>) -> Result<O::Output> {
        if !O::CHANGES {
            let mut tx = call.read().await?;
            return self.apply(&call, &mut tx).await;
        }
        let mut tx = call.write().await?;
        match self.apply(&call, &mut tx).await {
            Ok(output) => {
                let version = versions::identities(&call.context.principal.account);
                versions::bump(&mut tx, &version).await?;
                call.commit(tx).await?;
                Ok(output)
            }
            // Nothing was changed, and what was found may have been taken for a success.
            Err(refusal)
                if matches!(
                    refusal.kind(),
                    ErrorKind::NoSuchEntity
                        | ErrorKind::EntityAlreadyExists
                        | ErrorKind::DeleteConflict
                ) =>
            {
                call.refuse(tx, refusal).await
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads what authentication needs; nobody is authorized for anything by it.
pub(crate) async fn begin(app: &App) -> Result<Tx> {
    Tx::begin(app.metadata.as_ref(), Mode::Read, &Permit::maintenance()).await
}

/// As [`begin`], out of what is remembered; see [`Tx::recall`].
pub(crate) fn recall(app: &App) -> Option<Tx> {
    Tx::recall(app.metadata.as_ref(), &Permit::maintenance())
}

/// As [`begin`], and what it reads is remembered.
pub(crate) async fn begin_remembered(app: &App) -> Result<Tx> {
    Tx::begin_remembered(app.metadata.as_ref(), &Permit::maintenance()).await
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
        session: None,
        share: None,
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
        .ok_or_else(invalid_token)?;
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
                            params![account, entities::folded(role)],
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

/// What every credential that is not good is answered with.
pub(crate) fn invalid_token() -> Error {
    Error::new(ErrorKind::Unauthenticated, "The security token included in the request is invalid.")
}
