//! `BatchCheckLayerAvailability`.

use super::tell;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::names::Digest;
use crate::repositories::RepositoryAddress;

/// Says which layers a repository holds.
#[derive(Clone, Debug)]
pub struct BatchCheckLayerAvailability {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The digests, at most 100.
    pub digests: Vec<Digest>,
}

/// Whether a repository holds a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerAvailability {
    /// The digest.
    pub digest: Digest,
    /// The size in bytes, when the repository holds it.
    pub size: Option<u64>,
    /// Whether only archived images have it, so that it must be sent again.
    pub archived: bool,
}

impl Operation for BatchCheckLayerAvailability {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "BatchCheckLayerAvailability" };
    type Output = Vec<LayerAvailability>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("BatchCheckLayerAvailability"))]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<LayerAvailability>> {
        let (_, found) = tell(&call, &self.repository, &self.digests).await?;
        let layers = self.digests.into_iter().zip(found);
        Ok(layers
            .map(|(digest, blob)| LayerAvailability {
                digest,
                archived: blob.as_ref().is_some_and(|blob| blob.archived),
                size: blob.map(|blob| blob.size),
            })
            .collect())
    }
}
