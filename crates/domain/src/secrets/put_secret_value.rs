//! `PutSecretValue`.

use super::create_secret::Stored;
use super::staging::{self, NewVersion};
use super::{SecretId, Value, demand, live, rows};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};

/// Makes a version of a secret. Idempotent by token.
///
/// # Errors
/// [`crate::error::ErrorKind::NoSuchEntity`], [`crate::error::ErrorKind::InvalidState`];
/// [`crate::error::ErrorKind::EntityAlreadyExists`] when the token names a version of another value;
/// [`crate::error::ErrorKind::LimitExceeded`].
#[derive(Clone, Debug)]
pub struct PutSecretValue {
    /// Which secret.
    pub id: SecretId,
    /// The value.
    pub value: Value,
    /// The id of the version.
    pub token: Option<String>,
    /// The labels that move to it; [`super::CURRENT`] when empty.
    pub stages: Vec<String>,
}

impl Operation for PutSecretValue {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "PutSecretValue" };
    type Output = Stored;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![demand("secretsmanager:PutSecretValue", &self.id)]
    }

    async fn run(self, call: Call<'_>) -> Result<Stored> {
        self.value.validate()?;
        let new = NewVersion { token: self.token, value: self.value, stages: self.stages };
        new.id()?;
        let mut tx = call.write().await?;
        let mut secret = match live(&mut tx, &call, &self.id).await? {
            Ok(secret) => secret,
            Err(refusal) => return call.refuse(tx, refusal).await,
        };
        let version = match staging::put(&mut tx, &call, &secret, &new).await? {
            Ok(version) => version,
            Err(refusal) => return call.refuse(tx, refusal).await,
        };
        secret.changed_at = call.now();
        rows::update(&mut tx, &secret).await?;
        call.commit(tx).await?;
        Ok(Stored { secret, version: Some(version) })
    }
}
