//! `GetLifecyclePolicy`.

use super::PolicyOfRepository;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::repositories::{self, RepositoryAddress};

/// Shows the lifecycle policy of a repository.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`];
/// [`crate::error::ErrorKind::LifecyclePolicyNotFound`].
#[derive(Clone, Debug)]
pub struct GetLifecyclePolicy {
    /// The repository.
    pub repository: RepositoryAddress,
}

impl Operation for GetLifecyclePolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetLifecyclePolicy" };
    type Output = PolicyOfRepository;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:GetLifecyclePolicy", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<PolicyOfRepository> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let stored = super::find(&mut tx, repository.id).await?;
        let stored = stored.ok_or_else(|| super::not_found(&self.repository))?;
        stored.shown(self.repository)
    }
}
