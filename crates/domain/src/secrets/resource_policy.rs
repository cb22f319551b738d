//! `GetResourcePolicy` and `DeleteResourcePolicy`. Secrets have no policies of their own here: who
//! may use one is said by the policies of identities in its account, and no other account may.

use super::{Secret, SecretId, demand, live};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};

/// Tells that a secret has no policy.
///
/// # Errors
/// [`crate::error::ErrorKind::NoSuchEntity`], [`crate::error::ErrorKind::InvalidState`].
#[derive(Clone, Debug)]
pub struct GetSecretPolicy {
    /// Which secret.
    pub id: SecretId,
}

impl Operation for GetSecretPolicy {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "GetResourcePolicy" };
    type Output = Secret;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![demand("secretsmanager:GetResourcePolicy", &self.id)]
    }

    async fn run(self, call: Call<'_>) -> Result<Secret> {
        let mut tx = call.read().await?;
        live(&mut tx, &call, &self.id).await?
    }
}

/// Leaves a secret without a policy, which it is. Idempotent, as in AWS.
///
/// # Errors
/// As [`GetSecretPolicy`].
#[derive(Clone, Debug)]
pub struct DeleteSecretPolicy {
    /// Which secret.
    pub id: SecretId,
}

impl Operation for DeleteSecretPolicy {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "DeleteResourcePolicy" };
    type Output = Secret;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![demand("secretsmanager:DeleteResourcePolicy", &self.id)]
    }

    async fn run(self, call: Call<'_>) -> Result<Secret> {
        let mut tx = call.read().await?;
        live(&mut tx, &call, &self.id).await?
    }
}
