//! Version numbers of what decisions are made from. Whoever changes such a thing bumps its version
//! in the same transaction; whoever decided from it compares before acting.

use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::MetadataError;
use crate::names::AccountId;
use crate::params;

/// The version of an account's state, principals, keys and identity policies.
pub(crate) fn identities(account: &AccountId) -> String {
    format!("identities:{account}")
}

/// The current version; 0 for what never changed.
pub(crate) async fn get(tx: &mut Tx, name: &str) -> Result<i64, MetadataError> {
    let row = tx.optional("SELECT version FROM versions WHERE name = $1", params![name]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Makes decisions from the old state worthless.
pub(crate) async fn bump(tx: &mut Tx, name: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO versions (name, version) VALUES ($1, 1) \
         ON CONFLICT (name) DO UPDATE SET version = versions.version + 1",
        params![name],
    )
    .await?;
    Ok(())
}
