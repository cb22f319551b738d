//! `PutSigningConfiguration`.

use super::configuration::SigningConfiguration;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::registries::{self, Document as _};

/// Replaces the signing rules of the addressed registry. Whether the profiles exist is seen when an
/// image is signed, as in ECR. Idempotent.
///
/// # Errors
/// `InvalidParameter` where a rule names no profile of the region or a quota would be exceeded.
#[derive(Clone, Debug)]
pub struct PutSigningConfiguration {
    /// The new rules.
    pub configuration: SigningConfiguration,
}

impl Operation for PutSigningConfiguration {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutSigningConfiguration" };
    type Output = SigningConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:PutSigningConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<SigningConfiguration> {
        self.configuration.validate(&call.context.region)?;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        self.configuration.store(&mut tx, registry_id).await?;
        call.commit(tx).await?;
        Ok(self.configuration)
    }
}
