//! `GET` and `HEAD` of a blob, and the download that a link allows.

use super::{BlobReader, BlobRecord, find, not_found, tell};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{
    Call, Demand, Entry, Operation, RegistryAction, Service, Tx, registry_action,
};
use crate::image_shares::Part;
use crate::names::Digest;
use crate::public::limits::{self, Wanted};
use crate::pull_through::pull::blob_elsewhere;
use crate::repositories::{self, Repository, RepositoryAddress};

/// How often a blob is looked for that is removed or moved while it is opened.
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
            self.repository
                .demand(registry_action!("GetDownloadUrlForLayer"))
                .with_key("tonnage:ImageDigest", vec![self.digest.to_string()]),
        ]
    }

    fn shared_part(&self) -> Option<Part<'_>> {
        Some(Part::Blob(&self.digest))
    }

    async fn run(self, call: Call<'_>) -> Result<BlobReader> {
        let meter = limits::admit(call.app, call.context, Wanted::Blob).await?;
        Ok(self.open(&call).await?.metered(meter))
    }
}

impl GetBlob {
    async fn open(&self, call: &Call<'_>) -> Result<BlobReader> {
        if let Some(mut tx) = call.recall().await {
            let opened = async {
                let (repository, blob) = self.find(&mut tx).await?;
                BlobReader::open(call.app, &mut tx, &repository, &self.digest, &blob).await
            };
            // Whatever went wrong is looked at again in what is stored.
            if let Ok(reader) = opened.await {
                return Ok(reader);
            }
        }
        let mut failed = None;
        for _ in 0..OPEN_TRIES {
            let mut tx = call.read_remembered().await?;
            let (repository, blob) = self.find(&mut tx).await?;
            match failed {
                // It was neither removed nor moved meanwhile.
                Some((before, error)) if before == blob => return Err(error),
                _ => {}
            }
            match BlobReader::open(call.app, &mut tx, &repository, &self.digest, &blob).await {
                Ok(reader) => return Ok(reader),
                Err(error) => failed = Some((blob, error)),
            }
        }
        Err(failed.map_or_else(|| Error::internal("no try to open a blob"), |(_, error)| error))
    }

    async fn find(&self, tx: &mut Tx) -> Result<(Repository, BlobRecord)> {
        let repository = repositories::get(tx, &self.repository).await?;
        // What is damaged is not there for a cache: its upstream may still have it.
        let is_lost = |blob: &BlobRecord| blob.damaged && repository.is_cache;
        let blob = find(tx, &repository, &self.digest).await?;
        let Some(blob) = blob.filter(|blob| !blob.archived && !is_lost(blob)) else {
            let upstream = blob_elsewhere(tx, &repository, &self.digest).await?;
            return Err(not_found(&repository, &self.digest).in_upstream(upstream));
        };
        Ok((repository, blob))
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
        // In public repositories whoever may have a blob may ask for it; the API's question about
        // layers is for those who push.
        vec![self.repository.demand(RegistryAction {
            private: "ecr:BatchCheckLayerAvailability",
            public: "ecr-public:GetDownloadUrlForLayer",
        })]
    }

    fn shared_part(&self) -> Option<Part<'_>> {
        Some(Part::Blob(&self.digest))
    }

    async fn run(self, call: Call<'_>) -> Result<u64> {
        let digests = std::slice::from_ref(&self.digest);
        let (repository, found) = tell(&call, &self.repository, digests).await?;
        match found.into_iter().flatten().find(|blob| !blob.archived) {
            Some(blob) => Ok(blob.size),
            None if repository.is_cache => {
                let mut tx = call.read().await?;
                let upstream = blob_elsewhere(&mut tx, &repository, &self.digest).await?;
                Err(not_found(&repository, &self.digest).in_upstream(upstream))
            }
            None => Err(not_found(&repository, &self.digest)),
        }
    }
}
