//! `UpdateSecretVersionStage`.

use super::{CURRENT, Secret, SecretId, demand, live, rows, staging};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};

/// Moves a label to a version, or takes it off. Idempotent.
///
/// # Errors
/// `InvalidParameter` when the label is on another version than the request says, or would be taken
/// off and must not; [`ErrorKind::NoSuchEntity`], [`ErrorKind::InvalidState`],
/// [`ErrorKind::LimitExceeded`].
#[derive(Clone, Debug)]
pub struct UpdateSecretVersionStage {
    /// Which secret.
    pub id: SecretId,
    /// The label.
    pub stage: String,
    /// The version that has it; required where one has it.
    pub remove_from: Option<String>,
    /// The version that gets it.
    pub move_to: Option<String>,
}

impl Operation for UpdateSecretVersionStage {
    const ENTRY: Entry =
        Entry { service: Service::SecretsManager, name: "UpdateSecretVersionStage" };
    type Output = Secret;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            demand("secretsmanager:UpdateSecretVersionStage", &self.id)
                .with_key("secretsmanager:VersionStage", vec![self.stage.clone()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<Secret> {
        let mut tx = call.write().await?;
        let mut secret = match live(&mut tx, &call, &self.id).await? {
            Ok(secret) => secret,
            Err(refusal) => return call.refuse(tx, refusal).await,
        };
        self.relabel(&mut tx, &secret).await?;
        secret.changed_at = call.now();
        rows::update(&mut tx, &secret).await?;
        call.commit(tx).await?;
        Ok(secret)
    }
}

impl UpdateSecretVersionStage {
    async fn relabel(&self, tx: &mut Tx, secret: &Secret) -> Result<()> {
        let stage = self.stage.as_str();
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidParameter, message));
        let holder = rows::version_with(tx, secret.id, stage).await?;
        if holder.is_some() && holder == self.move_to {
            return Ok(());
        }
        if holder != self.remove_from {
            return invalid(match holder {
                Some(_) => format!(
                    "The parameter RemoveFromVersionId must be the version that the staging label \
                     {stage} is attached to."
                ),
                None => format!(
                    "The staging label {stage} is not attached to the version in \
                     RemoveFromVersionId."
                ),
            });
        }
        let Some(to) = self.move_to.as_deref() else {
            if holder.is_none() {
                return invalid("Give RemoveFromVersionId, MoveToVersionId, or both.".to_owned());
            }
            if stage == CURRENT {
                return invalid(format!(
                    "You can only move staging label {CURRENT} to a different secret version. It \
                     can't be completely removed."
                ));
            }
            return staging::remove_label(tx, secret, stage).await;
        };
        if rows::find_version(tx, secret.id, to).await?.is_none() {
            return Err(super::no_version("VersionId", to));
        }
        staging::put_label(tx, secret, stage, to).await?;
        staging::check_labels(tx, secret).await
    }
}
