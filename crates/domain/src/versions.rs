//! Version numbers of what decisions are made from. Whoever changes such a thing bumps its version
//! in the same transaction; whoever decided from it compares before acting.

use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::{MetadataError, Value};
use crate::names::{AccountId, Region};
use crate::params;
use crate::repositories::RepositoryAddress;

/// The version of an account's state, principals, keys, identity policies and limit.
pub(crate) fn identities(account: &AccountId) -> String {
    format!("identities:{account}")
}

/// The version of a registry's policy, and of how much it governs.
pub(crate) fn registry_policy(account: &AccountId, region: &Region) -> String {
    format!("registry-policy:{account}:{region}")
}

/// The version of a repository's policy, whichever repository has the name.
pub(crate) fn repository_policy(address: &RepositoryAddress) -> String {
    let RepositoryAddress { account, region, name } = address;
    format!("repository-policy:{account}:{region}:{name}")
}

/// The version of which secrets an account has in a region, by name and ARN.
pub(crate) fn secrets(account: &AccountId, region: &Region) -> String {
    secrets_stored(account.as_str(), region.as_str())
}

/// As [`secrets`], of an account and a region as they are stored.
pub(crate) fn secrets_stored(account: &str, region: &str) -> String {
    format!("secrets:{account}:{region}")
}

/// The current versions of `names`, in their order; one read for all of them.
pub(crate) async fn get_all(tx: &mut Tx, names: &[String]) -> Result<Vec<i64>, MetadataError> {
    let rows = tx
        .all("SELECT name, version FROM versions WHERE name IN_LIST($1)", &[Value::list(names)])
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push((row.get::<String>(0)?, row.get::<i64>(1)?));
    }
    found.sort_unstable();
    let version = |name: &String| {
        let index = found.binary_search_by(|(known, _)| known.cmp(name)).ok()?;
        found.get(index).map(|(_, version)| *version)
    };
    Ok(names.iter().map(|name| version(name).unwrap_or(0)).collect())
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
