//! `RestoreSecret`.

use super::{Secret, SecretId, demand, find, rows};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};

/// Cancels the deletion of a secret. Idempotent.
///
/// # Errors
/// [`crate::error::ErrorKind::NoSuchEntity`], also when the recovery window is over.
#[derive(Clone, Debug)]
pub struct RestoreSecret {
    /// Which secret.
    pub id: SecretId,
}

impl Operation for RestoreSecret {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "RestoreSecret" };
    type Output = Secret;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![demand("secretsmanager:RestoreSecret", &self.id)]
    }

    async fn run(self, call: Call<'_>) -> Result<Secret> {
        let mut tx = call.write().await?;
        let mut secret = match find(&mut tx, &call, &self.id).await? {
            Ok(secret) => secret,
            Err(refusal) => return call.refuse(tx, refusal).await,
        };
        if secret.deleted_at.is_some() {
            secret.deleted_at = None;
            secret.purge_at = None;
            secret.changed_at = call.now();
            rows::update(&mut tx, &secret).await?;
        }
        call.commit(tx).await?;
        Ok(secret)
    }
}
