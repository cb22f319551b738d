//! `GetSecretValue`.

use super::{Secret, SecretId, Value, demand, live, rows, staging};
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Result, chain};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::metadata::Mode;
use crate::params;

const DAY_MILLIS: i64 = 24 * 3600 * 1000;

/// Opens a version of a secret, by id, by label or by both; the current one when neither is given.
/// The first access of a day is noted.
///
/// # Errors
/// [`crate::error::ErrorKind::NoSuchEntity`], [`crate::error::ErrorKind::InvalidState`].
#[derive(Clone, Debug)]
pub struct GetSecretValue {
    /// Which secret.
    pub id: SecretId,
    /// The id of the version.
    pub version_id: Option<String>,
    /// A label of the version.
    pub stage: Option<String>,
}

/// A version with its value.
#[derive(Clone, Debug)]
pub struct OpenedVersion {
    /// The secret.
    pub secret: Secret,
    /// The id of the version.
    pub version_id: String,
    /// Its labels.
    pub stages: Vec<String>,
    /// What it holds.
    pub value: Value,
    /// When it was made.
    pub created_at: Millis,
}

impl Operation for GetSecretValue {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "GetSecretValue" };
    type Output = OpenedVersion;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let mut demand = demand("secretsmanager:GetSecretValue", &self.id);
        if let Some(version_id) = &self.version_id {
            demand = demand.with_key("secretsmanager:VersionId", vec![version_id.clone()]);
        }
        // AWS has the key in every request; the label is the current one unless it is said.
        let stage = match (&self.stage, &self.version_id) {
            (Some(stage), _) => Some(stage.as_str()),
            (None, None) => Some(super::CURRENT),
            (None, Some(_)) => None,
        };
        if let Some(stage) = stage {
            demand = demand.with_key("secretsmanager:VersionStage", vec![stage.to_owned()]);
        }
        vec![demand]
    }

    async fn run(self, call: Call<'_>) -> Result<OpenedVersion> {
        let mut tx = call.read().await?;
        let secret = live(&mut tx, &call, &self.id).await??;
        let version = staging::find_version(
            &mut tx,
            &secret,
            self.version_id.as_deref(),
            self.stage.as_deref(),
        )
        .await?;
        let stages = rows::stages(&mut tx, secret.id).await?.remove(&version.id);
        drop(tx);
        let today = Millis(call.now().0 - call.now().0.rem_euclid(DAY_MILLIS));
        if version.accessed_at < today {
            note(&call, &secret, &version.id, today).await;
        }
        Ok(OpenedVersion {
            value: version.open(&call.app.root_key, &secret.arn)?,
            stages: stages.unwrap_or_default(),
            version_id: version.id,
            created_at: version.created_at,
            secret,
        })
    }
}

/// Notes the first access of a day. Whoever reads a secret gets it even where nothing can be
/// written.
async fn note(call: &Call<'_>, secret: &Secret, version_id: &str, today: Millis) {
    let noted: Result<()> = async {
        let permit = Permit::maintenance();
        let mut tx = Tx::begin(call.app.metadata.as_ref(), Mode::Write, &permit).await?;
        tx.execute(
            "UPDATE secrets SET accessed_at = $2 WHERE id = $1 AND accessed_at < $2",
            params![secret.id, today],
        )
        .await?;
        tx.execute(
            "UPDATE secret_versions SET accessed_at = $3 WHERE secret_id = $1 \
             AND version_id = $2 AND accessed_at < $3",
            params![secret.id, version_id, today],
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }
    .await;
    if let Err(error) = noted {
        tracing::warn!(
            secret = secret.arn,
            cause = chain(&error),
            "the access of a secret was not noted"
        );
    }
}
