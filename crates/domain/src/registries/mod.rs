//! Registries: one private registry per account and region, and one public registry per account,
//! which is in no region. A registry has no create operation in ECR; its row is made by the first
//! repository or setting.

pub mod account_settings;
pub mod describe;
mod documents;

pub(crate) use documents::Document;

use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::names::{AccountId, Partition, Region};
use crate::params;

/// The registry of an account in a region, if anything was ever stored in it.
pub(crate) async fn find(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Option<i64>> {
    let row = tx
        .optional(
            "SELECT id FROM registries WHERE account_id = $1 AND region = $2",
            params![account.as_str(), region.as_str()],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// The registry of an account in a region, made if need be.
///
/// # Errors
/// [`ErrorKind::AccountNotFound`] when there is no such account.
pub(crate) async fn ensure(
    tx: &mut Tx,
    call: &Call<'_>,
    account: &AccountId,
    region: &Region,
) -> Result<i64> {
    if let Some(id) = find(tx, account, region).await? {
        return Ok(id);
    }
    let known =
        tx.optional("SELECT 1 FROM accounts WHERE id = $1", params![account.as_str()]).await?;
    if known.is_none() {
        return Err(Error::new(
            ErrorKind::AccountNotFound,
            format!("There is no account {account}."),
        ));
    }
    let id = call.next_id();
    tx.execute(
        "INSERT INTO registries (id, kind, partition, account_id, region, created_at) \
         VALUES ($1, $6, $2, $3, $4, $5)",
        params![
            id,
            Partition::of(region).as_str(),
            account.as_str(),
            region.as_str(),
            call.now(),
            if region.is_global() { "public" } else { "private" }
        ],
    )
    .await?;
    Ok(id)
}

/// The registry that a setting of the request is for.
pub(crate) async fn ensure_addressed(tx: &mut Tx, call: &Call<'_>) -> Result<i64> {
    ensure(tx, call, &call.context.account, &call.context.region).await
}

/// The registry that the request addressed, if anything was ever stored in it.
pub(crate) async fn find_addressed(tx: &mut Tx, call: &Call<'_>) -> Result<Option<i64>> {
    find(tx, &call.context.account, &call.context.region).await
}
