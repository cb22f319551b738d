//! `UpdateSecret`.

use super::create_secret::Stored;
use super::staging::{self, NewVersion};
use super::{SecretId, Value, demand, live, rows};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};

/// Changes the description of a secret, its value, or both. Idempotent by token.
///
/// # Errors
/// As [`super::put_secret_value::PutSecretValue`].
#[derive(Clone, Debug)]
pub struct UpdateSecret {
    /// Which secret.
    pub id: SecretId,
    /// The new description; empty for none.
    pub description: Option<String>,
    /// The new value.
    pub value: Option<Value>,
    /// The id of the version.
    pub token: Option<String>,
}

impl Operation for UpdateSecret {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "UpdateSecret" };
    type Output = Stored;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let demand = demand("secretsmanager:UpdateSecret", &self.id);
        vec![match &self.description {
            Some(text) => demand.with_key("secretsmanager:Description", vec![text.clone()]),
            None => demand,
        }]
    }

    async fn run(self, call: Call<'_>) -> Result<Stored> {
        let new = match self.value {
            None => None,
            Some(value) => {
                value.validate()?;
                let new = NewVersion { token: self.token, value, stages: Vec::new() };
                new.id()?;
                Some(new)
            }
        };
        let mut tx = call.write().await?;
        let mut secret = match live(&mut tx, &call, &self.id).await? {
            Ok(secret) => secret,
            Err(refusal) => return call.refuse(tx, refusal).await,
        };
        let version = match new {
            None => None,
            Some(new) => match staging::put(&mut tx, &call, &secret, &new).await? {
                Ok(version) => Some(version),
                Err(refusal) => return call.refuse(tx, refusal).await,
            },
        };
        if let Some(text) = self.description {
            secret.description = Some(text).filter(|text| !text.is_empty());
        }
        secret.changed_at = call.now();
        rows::update(&mut tx, &secret).await?;
        call.commit(tx).await?;
        Ok(Stored { secret, version })
    }
}
