//! `GET` and `HEAD` of a blob, and the download that a link allows.

use super::{BlobReader, find, not_found, tell};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::names::Digest;
use crate::repositories::{self, RepositoryAddress};

/// How often a blob is looked for that is removed while it is opened, and pushed again at once.
const OPEN_TRIES: u32 = 3;

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
        if let Some(mut tx) = call.recall().await {
            let opened = self.open(&call, &mut tx).await;
            // Whatever went wrong is tried again with what is stored.
            if let (false, Ok((_, Ok(reader)))) = (tx.missed(), opened) {
                return Ok(reader);
            }
        }
        let mut failed = None;
        for _ in 0..OPEN_TRIES {
            let mut tx = call.read_remembered().await?;
            let (blob_id, opened) = self.open(&call, &mut tx).await?;
            match (opened, failed) {
                (Ok(reader), _) => return Ok(reader),
                // It was not removed meanwhile.
                (Err(error), Some((id, _))) if id == blob_id => return Err(error),
                (Err(error), _) => failed = Some((blob_id, error)),
            }
        }
        Err(failed.map_or_else(|| Error::internal("no try to open a blob"), |(_, error)| error))
    }
}

impl GetBlob {
    /// The row of the blob, and how opening it went.
    async fn open(&self, call: &Call<'_>, tx: &mut Tx) -> Result<(i64, Result<BlobReader>)> {
        let repository = repositories::get(tx, &self.repository).await?;
        let blob = find(tx, &repository, &self.digest)
            .await?
            .ok_or_else(|| not_found(&repository, &self.digest))?;
        let opened = BlobReader::open(call.app, tx, &repository, &self.digest, &blob).await;
        Ok((blob.id, opened))
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
        let digests = std::slice::from_ref(&self.digest);
        let (repository, found) = tell(&call, &self.repository, digests).await?;
        match found.into_iter().flatten().next() {
            Some(blob) => Ok(blob.size),
            None => Err(not_found(&repository, &self.digest)),
        }
    }
}
