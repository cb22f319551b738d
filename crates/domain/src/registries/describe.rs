//! `DescribeRegistry`.

use super::Document;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::AccountId;
use crate::replication::ReplicationConfiguration;

/// Describes the registry that was addressed. One that has nothing yet has no rules.
#[derive(Clone, Copy, Debug)]
pub struct DescribeRegistry;

/// A registry and its replication rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryDescription {
    /// Its account.
    pub account: AccountId,
    /// Where its images are copied to.
    pub replication: ReplicationConfiguration,
}

impl Operation for DescribeRegistry {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DescribeRegistry" };
    type Output = RegistryDescription;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:DescribeRegistry", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryDescription> {
        let mut tx = call.read().await?;
        let registry_id = super::find_addressed(&mut tx, &call).await?;
        let replication = ReplicationConfiguration::load(&mut tx, registry_id).await?;
        Ok(RegistryDescription { account: call.context.account, replication })
    }
}
