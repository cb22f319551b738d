//! Secrets and their versions as rows.

use std::collections::BTreeMap;

use super::value::Value;
use super::{Secret, SecretId};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Row;
use crate::resource_tags::ResourceTag;
use crate::root_key::RootKey;
use crate::{params, versions};

macro_rules! select_secrets {
    ($($rest:literal),* $(,)?) => {
        concat!(
            "SELECT id, arn, name, description, tags, created_at, changed_at, accessed_at, \
             deleted_at, purge_at FROM secrets ",
            $($rest),*
        )
    };
}
pub(super) use select_secrets;

pub(super) fn secret_from(row: &Row) -> Result<Secret> {
    let accessed_at: Millis = row.get(7)?;
    Ok(Secret {
        id: row.get(0)?,
        arn: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        tags: serde_json::from_str(&row.get::<String>(4)?).map_err(Error::internal)?,
        created_at: row.get(5)?,
        changed_at: row.get(6)?,
        accessed_at: Some(accessed_at).filter(|at| at.0 != 0),
        deleted_at: row.get(8)?,
        purge_at: row.get(9)?,
    })
}

/// The secret, unless its recovery window is over at `now`.
pub(super) async fn find(tx: &mut Tx, id: &SecretId, now: Millis) -> Result<Option<Secret>> {
    let found = find_whatever(tx, id).await?;
    Ok(found.filter(|secret| secret.purge_at.is_none_or(|at| at > now)))
}

/// As [`find`], but also what only waits to be removed.
pub(super) async fn find_whatever(tx: &mut Tx, id: &SecretId) -> Result<Option<Secret>> {
    if let Some(arn) = id.arn() {
        let row = tx.optional(select_secrets!("WHERE arn = $1"), params![arn]).await?;
        if let Some(row) = row {
            return secret_from(&row).map(Some);
        }
    }
    let row = tx
        .optional(
            select_secrets!("WHERE account_id = $1 AND region = $2 AND name = $3"),
            params![id.account().as_str(), id.region().as_str(), id.name()],
        )
        .await?;
    row.as_ref().map(secret_from).transpose()
}

/// The ARN of the secret, for decisions.
pub(crate) async fn arn_of(tx: &mut Tx, id: &SecretId) -> Result<Option<String>> {
    Ok(find_whatever(tx, id).await?.map(|secret| secret.arn))
}

/// The tags of the secret with this ARN, for decisions.
pub(crate) async fn tags_of(tx: &mut Tx, arn: &str) -> Result<Vec<ResourceTag>> {
    let row = tx.optional(select_secrets!("WHERE arn = $1"), params![arn]).await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let tags = secret_from(&row)?.tags.into_iter();
    Ok(tags.map(|(key, value)| ResourceTag { key, value }).collect())
}

/// Stores a new secret.
pub(super) async fn insert(tx: &mut Tx, id: &SecretId, secret: &Secret) -> Result<()> {
    tx.execute(
        "INSERT INTO secrets (id, account_id, region, name, arn, description, tags, created_at, \
         changed_at, accessed_at, deleted_at, purge_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0, NULL, NULL)",
        params![
            secret.id,
            id.account().as_str(),
            id.region().as_str(),
            &secret.name,
            &secret.arn,
            secret.description.as_deref(),
            stored_tags(&secret.tags)?,
            secret.created_at,
        ],
    )
    .await?;
    versions::bump(tx, &versions::secrets(id.account(), id.region())).await
}

fn stored_tags(tags: &BTreeMap<String, String>) -> Result<String> {
    serde_json::to_string(tags).map_err(Error::internal)
}

/// Stores what may change of a secret.
pub(super) async fn update(tx: &mut Tx, secret: &Secret) -> Result<()> {
    tx.execute(
        "UPDATE secrets SET description = $2, tags = $3, changed_at = $4, deleted_at = $5, \
         purge_at = $6 WHERE id = $1",
        params![
            secret.id,
            secret.description.as_deref(),
            stored_tags(&secret.tags)?,
            secret.changed_at,
            secret.deleted_at,
            secret.purge_at,
        ],
    )
    .await?;
    Ok(())
}

/// Removes a secret with all its versions.
pub(super) async fn remove(tx: &mut Tx, secret_id: i64) -> Result<()> {
    let owner = tx
        .optional("SELECT account_id, region FROM secrets WHERE id = $1", params![secret_id])
        .await?;
    let Some(owner) = owner else { return Ok(()) };
    tx.execute("DELETE FROM secret_stages WHERE secret_id = $1", params![secret_id]).await?;
    tx.execute("DELETE FROM secret_versions WHERE secret_id = $1", params![secret_id]).await?;
    tx.execute("DELETE FROM secrets WHERE id = $1", params![secret_id]).await?;
    let name = versions::secrets_stored(&owner.get::<String>(0)?, &owner.get::<String>(1)?);
    versions::bump(tx, &name).await
}

/// A version as it is stored.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) id: String,
    kind: String,
    sealed: Vec<u8>,
    pub(super) created_at: Millis,
    pub(super) accessed_at: Millis,
}

impl Version {
    /// What it holds.
    pub(super) fn open(&self, root_key: &RootKey, arn: &str) -> Result<Value> {
        Value::open(root_key, (arn, &self.id), &self.kind, &self.sealed)
    }

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            sealed: row.get(2)?,
            created_at: row.get(3)?,
            accessed_at: row.get(4)?,
        })
    }
}

/// The version of this id.
pub(super) async fn find_version(
    tx: &mut Tx,
    secret_id: i64,
    version_id: &str,
) -> Result<Option<Version>> {
    let row = tx
        .optional(
            "SELECT version_id, kind, sealed_value, created_at, accessed_at FROM secret_versions \
             WHERE secret_id = $1 AND version_id = $2",
            params![secret_id, version_id],
        )
        .await?;
    row.as_ref().map(Version::from_row).transpose()
}

/// The version with this label.
pub(super) async fn find_stage(
    tx: &mut Tx,
    secret_id: i64,
    stage: &str,
) -> Result<Option<Version>> {
    match version_with(tx, secret_id, stage).await? {
        Some(version_id) => find_version(tx, secret_id, &version_id).await,
        None => Ok(None),
    }
}

/// The id of the version with this label.
pub(super) async fn version_with(
    tx: &mut Tx,
    secret_id: i64,
    stage: &str,
) -> Result<Option<String>> {
    let row = tx
        .optional(
            "SELECT version_id FROM secret_stages WHERE secret_id = $1 AND stage = $2",
            params![secret_id, stage],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// The labels of a secret by version. There are at most 20.
pub(super) async fn stages(tx: &mut Tx, secret_id: i64) -> Result<BTreeMap<String, Vec<String>>> {
    let rows = tx
        .all(
            "SELECT version_id, stage FROM secret_stages WHERE secret_id = $1 ORDER BY stage",
            params![secret_id],
        )
        .await?;
    let mut stages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        stages.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(stages)
}
