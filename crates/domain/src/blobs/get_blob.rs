//! `GET` and `HEAD` of a blob, and the download that a link allows.

use super::{BlobReader, find, find_whole, not_found};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::Digest;
use crate::repositories::{self, RepositoryAddress};

/// Opens a blob that the repository holds.
#[derive(Clone, Debug)]
pub struct GetBlob {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The digest.
    pub digest: Digest,
}

impl Operation for GetBlob {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetBlob" };
    type Output = BlobReader;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new("ecr:GetDownloadUrlForLayer", self.repository.resource())
                .with_key("tonnage:ImageDigest", vec![self.digest.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<BlobReader> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let blob = find(&mut tx, &repository, &self.digest)
            .await?
            .ok_or_else(|| not_found(&repository, &self.digest))?;
        BlobReader::open(call.app, &mut tx, &repository, &self.digest, &blob).await
    }
}

/// Says whether the repository holds a blob, and its size in bytes.
#[derive(Clone, Debug)]
pub struct HeadBlob {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The digest.
    pub digest: Digest,
}

impl Operation for HeadBlob {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "HeadBlob" };
    type Output = u64;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:BatchCheckLayerAvailability", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<u64> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let blob = find_whole(&mut tx, &repository, &self.digest)
            .await?
            .ok_or_else(|| not_found(&repository, &self.digest))?;
        Ok(blob.size)
    }
}
