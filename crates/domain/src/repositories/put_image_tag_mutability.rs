//! `PutImageTagMutability`.

use super::{Repository, RepositoryAddress, TagMutabilityRule};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::names::{AccountId, RepositoryName};
use crate::params;
use crate::replication::{self, settings::ReplicatedSetting};

/// Sets whether tags may move, from the next push on. Idempotent.
#[derive(Clone, Debug)]
pub struct PutImageTagMutability {
    /// The account, if not the one addressed.
    pub registry_id: Option<AccountId>,
    /// The repository.
    pub name: RepositoryName,
    /// The new rule.
    pub tag_mutability: TagMutabilityRule,
}

impl Operation for PutImageTagMutability {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutImageTagMutability" };
    type Output = Repository;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let address = RepositoryAddress::new(context, self.registry_id, self.name.clone());
        vec![Demand::new("ecr:PutImageTagMutability", address.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Repository> {
        let address = RepositoryAddress::new(call.context, self.registry_id, self.name);
        let mut tx = call.write().await?;
        let mut repository = super::get(&mut tx, &address).await?;
        store(&mut tx, repository.id, &self.tag_mutability).await?;
        let setting = ReplicatedSetting::TagMutability;
        replication::settings::note(&mut tx, &call, &repository, setting).await?;
        repository.tag_mutability = self.tag_mutability;
        call.commit(tx).await?;
        Ok(repository)
    }
}

/// Stores the rule.
pub(crate) async fn store(tx: &mut Tx, repository_id: i64, rule: &TagMutabilityRule) -> Result<()> {
    tx.execute(
        "UPDATE repositories SET tag_mutability = $2, tag_mutability_exclusions = $3 WHERE id = $1",
        params![repository_id, rule.setting().as_str(), rule.stored_filters()?],
    )
    .await?;
    Ok(())
}
