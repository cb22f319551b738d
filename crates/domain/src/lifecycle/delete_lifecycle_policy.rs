//! `DeleteLifecyclePolicy`.

use super::PolicyOfRepository;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::replication::{self, settings::ReplicatedSetting};
use crate::repositories::{self, RepositoryAddress};

/// Takes the lifecycle policy of a repository away. A run under way ends before its next image.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`];
/// [`crate::error::ErrorKind::LifecyclePolicyNotFound`].
#[derive(Clone, Debug)]
pub struct DeleteLifecyclePolicy {
    /// The repository.
    pub repository: RepositoryAddress,
}

impl Operation for DeleteLifecyclePolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeleteLifecyclePolicy" };
    type Output = PolicyOfRepository;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:DeleteLifecyclePolicy", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<PolicyOfRepository> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let Some(stored) = super::find(&mut tx, repository.id).await? else {
            return call.refuse(tx, super::not_found(&self.repository)).await;
        };
        super::remove(&mut tx, repository.id).await?;
        let setting = ReplicatedSetting::LifecyclePolicy;
        replication::settings::note(&mut tx, &call, &repository, setting).await?;
        call.commit(tx).await?;
        stored.shown(self.repository)
    }
}
