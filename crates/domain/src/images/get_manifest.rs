//! `GET` and `HEAD` of a manifest.

use bytes::Bytes;

use super::{
    ImageFailure, ImageIdentifier, ImageRecord, manifest_bytes, not_found, resolve_active,
};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, registry_action};
use crate::gallery::pulls;
use crate::image_shares::Part;
use crate::names::{Digest, Reference};
use crate::public::limits::{self, Wanted};
use crate::pull_through::import_image::is_due;
use crate::pull_through::pull;
use crate::repositories::{self, RepositoryAddress};

/// Reads one manifest. Reading it with `counts_as_pull` notes the time of the pull.
#[derive(Clone, Debug)]
pub struct GetManifest {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which image.
    pub reference: Reference,
    /// Whether the client takes the bytes.
    pub counts_as_pull: bool,
}

/// A manifest as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether the upstream it came from is to be asked again where the tag points.
    pub is_due: bool,
}

impl Operation for GetManifest {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetManifest" };
    type Output = StoredManifest;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand {
            keys: ImageIdentifier::from(self.reference.clone()).condition_keys(),
            ..self.repository.demand(registry_action!("BatchGetImage"))
        }]
    }

    fn shared_part(&self) -> Option<Part<'_>> {
        Some(Part::Manifest(&self.reference, self.counts_as_pull))
    }

    async fn run(self, call: Call<'_>) -> Result<StoredManifest> {
        let meter = match self.counts_as_pull {
            true => limits::admit(call.app, call.context, Wanted::Manifest).await?,
            false => None,
        };
        let (repository_id, image, bytes) = self.find(&call).await?;
        if let Some(meter) = meter {
            meter.add(bytes.len() as u64);
        }
        if self.counts_as_pull {
            call.app.pulls.note(image.id, &call.context.principal, call.now());
        }
        let found = (image.id, &image.digest, image.media_type.as_str());
        pulls::note(&call, repository_id, found, &self.reference, self.counts_as_pull);
        let is_due = is_due(&call, &self.repository.name, &image);
        Ok(StoredManifest { digest: image.digest, media_type: image.media_type, bytes, is_due })
    }
}

impl GetManifest {
    async fn find(&self, call: &Call<'_>) -> Result<(i64, ImageRecord, Bytes)> {
        if let Some(mut tx) = call.recall().await {
            let found = self.find_in(call, &mut tx).await;
            if !tx.missed() {
                return found;
            }
        }
        self.find_in(call, &mut call.read_remembered().await?).await
    }

    async fn find_in(&self, call: &Call<'_>, tx: &mut Tx) -> Result<(i64, ImageRecord, Bytes)> {
        let Some(repository) = repositories::find(tx, &self.repository).await? else {
            let upstream = pull::image_elsewhere(tx, &self.repository, None, None).await?;
            return Err(repositories::not_found(&self.repository).in_upstream(upstream));
        };
        let id = ImageIdentifier::from(self.reference.clone());
        let image = match resolve_active(tx, &repository, &id).await? {
            Ok(image) => image,
            Err(failure) => {
                let missing = not_found(&self.repository, &id);
                if failure != ImageFailure::ImageNotFound {
                    return Err(missing);
                }
                let (address, digest) = (&self.repository, id.digest.as_ref());
                let upstream = pull::image_elsewhere(tx, address, Some(&repository), digest);
                return Err(missing.in_upstream(upstream.await?));
            }
        };
        let bytes = manifest_bytes(call.app, tx, &repository, &image).await?;
        Ok((repository.id, image, bytes))
    }
}
