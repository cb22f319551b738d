//! `DescribeSecret`.

use super::{SecretId, StagedSecret, demand, find, rows};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};

/// Tells everything of a secret but its values, also while its deletion is scheduled.
///
/// # Errors
/// [`crate::error::ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct DescribeSecret {
    /// Which secret.
    pub id: SecretId,
}

impl Operation for DescribeSecret {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "DescribeSecret" };
    type Output = StagedSecret;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![demand("secretsmanager:DescribeSecret", &self.id)]
    }

    async fn run(self, call: Call<'_>) -> Result<StagedSecret> {
        let mut tx = call.read().await?;
        let secret = find(&mut tx, &call, &self.id).await??;
        let stages = rows::stages(&mut tx, secret.id).await?;
        Ok(StagedSecret { secret, stages })
    }
}
