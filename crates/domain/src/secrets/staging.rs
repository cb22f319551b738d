//! New versions, and the labels that say which version is meant.

use std::collections::BTreeSet;

use super::rows::{self, Version};
use super::value::Value;
use super::{CURRENT, PREVIOUS, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::params;

/// Versions that a secret may have ("AWS Secrets Manager quotas" in its user guide, which says
/// about 100).
const VERSIONS_MAX: i64 = 100;
/// Labels of a secret, over all its versions (the same quotas).
const STAGES_MAX: usize = 20;
/// How long a version without labels stays at least, in seconds (API reference,
/// `PutSecretValue`).
const KEPT_SECONDS: i64 = 24 * 3600;

/// A version to be made.
#[derive(Clone, Debug)]
pub(super) struct NewVersion {
    /// Names the version, and makes a request that is sent again the same request.
    pub(super) token: Option<String>,
    pub(super) value: Value,
    /// The labels it gets; [`CURRENT`] when empty.
    pub(super) stages: Vec<String>,
}

/// A version that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its id.
    pub id: String,
    /// Its labels.
    pub stages: Vec<String>,
}

impl NewVersion {
    /// The id of the version.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] without a token, in AWS's words.
    pub(super) fn id(&self) -> Result<&str> {
        self.token.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidState,
                "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
            )
        })
    }
}

/// The version that a request made when it was sent before; `None` when it was not. The inner error
/// is a refusal: the token names a version of another value.
pub(super) async fn repeated(
    tx: &mut Tx,
    call: &Call<'_>,
    secret: &Secret,
    new: &NewVersion,
) -> Result<Result<Option<StoredVersion>, Error>> {
    let id = new.id()?;
    let Some(found) = rows::find_version(tx, secret.id, id).await? else { return Ok(Ok(None)) };
    if !found.open(&call.app.root_key, &secret.arn)?.is_same(&new.value) {
        return Ok(Err(Error::new(
            ErrorKind::EntityAlreadyExists,
            format!(
                "You can't use ClientRequestToken {id} because that value is already in use for a \
                 version of secret {}.",
                secret.arn
            ),
        )));
    }
    let stages = rows::stages(tx, secret.id).await?.remove(id).unwrap_or_default();
    Ok(Ok(Some(StoredVersion { id: id.to_owned(), stages })))
}

/// Makes a version, unless the request was sent before. The inner error is that of [`repeated`].
///
/// # Errors
/// [`ErrorKind::LimitExceeded`] when too many versions may not be removed yet.
pub(super) async fn put(
    tx: &mut Tx,
    call: &Call<'_>,
    secret: &Secret,
    new: &NewVersion,
) -> Result<Result<StoredVersion, Error>> {
    match repeated(tx, call, secret, new).await? {
        Ok(None) => {}
        Ok(Some(stored)) => return Ok(Ok(stored)),
        Err(refusal) => return Ok(Err(refusal)),
    }
    let id = new.id()?.to_owned();
    let is_first = make_room(tx, call, secret).await? == 0;
    let sealed = new.value.seal(&call.app.root_key, &secret.arn, &id)?;
    tx.execute(
        "INSERT INTO secret_versions (secret_id, version_id, kind, sealed_value, created_at, \
         accessed_at) VALUES ($1, $2, $3, $4, $5, 0)",
        params![secret.id, &id, new.value.kind(), sealed, call.now()],
    )
    .await?;
    let mut stages: BTreeSet<&str> = new.stages.iter().map(String::as_str).collect();
    if is_first || stages.is_empty() {
        stages.insert(CURRENT);
    }
    for stage in &stages {
        put_label(tx, secret, stage, &id).await?;
    }
    check_labels(tx, secret).await?;
    Ok(Ok(StoredVersion { id, stages: stages.into_iter().map(str::to_owned).collect() }))
}

/// Whether the labels of a secret are few enough.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`].
pub(super) async fn check_labels(tx: &mut Tx, secret: &Secret) -> Result<()> {
    let all = rows::stages(tx, secret.id).await?;
    if all.values().map(Vec::len).sum::<usize>() > STAGES_MAX {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("A secret can have at most {STAGES_MAX} staging labels."),
        ));
    }
    Ok(())
}

/// Removes the oldest versions without labels where there are too many; how many are left.
async fn make_room(tx: &mut Tx, call: &Call<'_>, secret: &Secret) -> Result<i64> {
    let row = tx
        .optional("SELECT COUNT(*) FROM secret_versions WHERE secret_id = $1", params![secret.id])
        .await?;
    let count: i64 = row.map_or(Ok(0), |row| row.get(0))?;
    let excess = count + 1 - VERSIONS_MAX;
    if excess <= 0 {
        return Ok(count);
    }
    let removed = tx
        .execute(
            "DELETE FROM secret_versions WHERE secret_id = $1 AND version_id IN \
             (SELECT version_id FROM secret_versions WHERE secret_id = $1 AND created_at < $2 \
             AND NOT EXISTS (SELECT 1 FROM secret_stages \
             WHERE secret_stages.secret_id = secret_versions.secret_id \
             AND secret_stages.version_id = secret_versions.version_id) \
             ORDER BY created_at, version_id LIMIT $3)",
            params![secret.id, call.now().plus_seconds(-KEPT_SECONDS), excess],
        )
        .await?;
    let removed = i64::try_from(removed).unwrap_or(0);
    if removed < excess {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!(
                "A secret can have at most {VERSIONS_MAX} versions, and those of the last 24 hours \
                 are kept; try again later."
            ),
        ));
    }
    Ok(count - removed)
}

/// Puts a label on a version. When [`CURRENT`] moves, [`PREVIOUS`] goes where it was.
pub(super) async fn put_label(
    tx: &mut Tx,
    secret: &Secret,
    stage: &str,
    version_id: &str,
) -> Result<()> {
    if stage == CURRENT {
        let old = rows::version_with(tx, secret.id, CURRENT).await?;
        if let Some(old) = old.filter(|old| old != version_id) {
            store_label(tx, secret, PREVIOUS, &old).await?;
        }
    }
    store_label(tx, secret, stage, version_id).await
}

async fn store_label(tx: &mut Tx, secret: &Secret, stage: &str, version_id: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO secret_stages (secret_id, stage, version_id) VALUES ($1, $2, $3) \
         ON CONFLICT (secret_id, stage) DO UPDATE SET version_id = excluded.version_id",
        params![secret.id, stage, version_id],
    )
    .await?;
    Ok(())
}

/// Takes a label off whatever version has it.
pub(super) async fn remove_label(tx: &mut Tx, secret: &Secret, stage: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM secret_stages WHERE secret_id = $1 AND stage = $2",
        params![secret.id, stage],
    )
    .await?;
    Ok(())
}

/// Which version a request means: by id, by label, or by both; the current one when it says neither.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`]; [`ErrorKind::InvalidState`] when the label is on another version.
pub(super) async fn find_version(
    tx: &mut Tx,
    secret: &Secret,
    version_id: Option<&str>,
    stage: Option<&str>,
) -> Result<Version> {
    let Some(version_id) = version_id else {
        let stage = stage.unwrap_or(CURRENT);
        let found = rows::find_stage(tx, secret.id, stage).await?;
        return found.ok_or_else(|| super::no_version("staging label", stage));
    };
    let found = rows::find_version(tx, secret.id, version_id)
        .await?
        .ok_or_else(|| super::no_version("VersionId", version_id))?;
    if let Some(stage) = stage
        && rows::version_with(tx, secret.id, stage).await?.as_deref() != Some(version_id)
    {
        return Err(Error::new(
            ErrorKind::InvalidState,
            "You provided a VersionStage that is not associated to the provided VersionId.",
        ));
    }
    Ok(found)
}
