//! Who may ask: principals, their access keys, and the tokens made for them.

pub mod access_keys;
pub mod authorization_token;
pub mod download_link;
pub mod get_authorization_token;
pub mod get_caller_identity;
pub mod page_token;
pub(crate) mod token_keys;

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
