//! `BatchCheckLayerAvailability`.

use super::find_whole;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::Digest;
use crate::repositories::{self, RepositoryAddress};

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
}

impl Operation for BatchCheckLayerAvailability {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "BatchCheckLayerAvailability" };
    type Output = Vec<LayerAvailability>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:BatchCheckLayerAvailability", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<LayerAvailability>> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let mut layers = Vec::with_capacity(self.digests.len());
        for digest in self.digests {
            let size = find_whole(&mut tx, &repository, &digest).await?.map(|blob| blob.size);
            layers.push(LayerAvailability { digest, size });
        }
        Ok(layers)
    }
}
