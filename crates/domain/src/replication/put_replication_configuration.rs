//! `PutReplicationConfiguration`.

use super::ReplicationConfiguration;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::registries::{self, Document};

/// Replaces the registry's replication rules; none removes them. Idempotent.
#[derive(Clone, Debug)]
pub struct PutReplicationConfiguration {
    /// The new rules.
    pub configuration: ReplicationConfiguration,
}

impl Operation for PutReplicationConfiguration {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutReplicationConfiguration" };
    type Output = ReplicationConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:PutReplicationConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<ReplicationConfiguration> {
        self.configuration.validate(&call.context.account, &call.context.region)?;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        self.configuration.store(&mut tx, registry_id).await?;
        call.commit(tx).await?;
        Ok(self.configuration)
    }
}
