//! `PutLifecyclePolicy`.

use super::{PolicyOfRepository, validate};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::replication::{self, settings::ReplicatedSetting};
use crate::repositories::{self, RepositoryAddress};

/// Gives a repository a lifecycle policy, instead of the one it has. It is stored byte for byte,
/// carried out soon, and every day from then on. Idempotent.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`];
/// [`crate::error::ErrorKind::InvalidParameter`] when the text is no policy;
#[derive(Clone, Debug)]
pub struct PutLifecyclePolicy {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The policy, 100 to 30,720 characters of JSON.
    pub text: String,
}

impl Operation for PutLifecyclePolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutLifecyclePolicy" };
    type Output = PolicyOfRepository;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:PutLifecyclePolicy", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<PolicyOfRepository> {
        let policy = validate::parse(&self.text);
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        // A repository that does not exist is the first thing to say.
        let policy = policy?;
        super::put(&mut tx, &call, &repository, &self.text).await?;
        let setting = ReplicatedSetting::LifecyclePolicy;
        replication::settings::note(&mut tx, &call, &repository, setting).await?;
        call.commit(tx).await?;
        let text = policy.minified().map_err(Error::internal)?;
        Ok(PolicyOfRepository { repository: self.repository, text, last_evaluated_at: None })
    }
}
