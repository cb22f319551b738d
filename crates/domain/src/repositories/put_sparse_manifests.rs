//! Whether manifests of one repository may refer to layers and images that it does not hold. ECR
//! has no such setting, so it is beside its API.

use super::{Repository, RepositoryAddress};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::params;

/// Sets it for one repository, from the next push on. Idempotent.
#[derive(Clone, Debug)]
pub struct PutSparseManifests {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Whether; nothing for what the server does in general.
    pub allowed: Option<bool>,
}

impl Operation for PutSparseManifests {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "PutSparseManifests" };
    type Output = Repository;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:PutSparseManifests", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Repository> {
        let mut tx = call.write().await?;
        let mut repository = super::get(&mut tx, &self.repository).await?;
        tx.execute(
            "UPDATE repositories SET sparse_manifests = CAST($2 AS BIGINT) WHERE id = $1",
            params![repository.id, self.allowed],
        )
        .await?;
        repository.sparse_manifests = self.allowed;
        call.commit(tx).await?;
        Ok(repository)
    }
}
