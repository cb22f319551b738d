//! `AttachImageSbom`, beside ECR's operations: a bill of materials beside its image.

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::{Format, Subject};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::images::manifest::{Manifest, ManifestMediaType};
use crate::images::put_image::{self, NewImage};
use crate::images::{self, ImageIdentifier, find_by_digest};
use crate::names::Digest;
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::uploads::receive::{self, Origin};
use crate::{blobs, encryption, params, pull_through};

/// The configuration of an artifact that has none (OCI image specification, "Guidance for an Empty
/// Descriptor").
const EMPTY: &[u8] = b"{}";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// Attaches the bill of an image to it: a manifest that refers to the image, as clients attach
/// them. Idempotent: the same bill has the same digest.
///
/// # Errors
/// As [`super::get_image_sbom::GetImageSbom`], and as those of pushing an image.
#[derive(Clone, Debug)]
pub struct AttachImageSbom {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub id: ImageIdentifier,
    /// How it is written.
    pub format: Format,
}

/// A bill that is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedSbom {
    /// The image's digest.
    pub subject: Digest,
    /// The digest of the manifest that has the bill.
    pub digest: Digest,
    /// The artifact type, which is the media type of the document.
    pub artifact_type: &'static str,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl Operation for AttachImageSbom {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "AttachImageSbom" };
    type Output = AttachedSbom;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        let mut demands = images::demands("tonnage:AttachImageSbom", &self.repository, ids);
        demands.push(Demand::new("ecr:PutImage", self.repository.resource()));
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<AttachedSbom> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        pull_through::rules::refuse_push(&mut tx, &self.repository, Some(&repository)).await?;
        let subject = Subject::load(&mut tx, &call, &repository, &self.id).await?;
        let row = tx
            .optional(
                "SELECT media_type, manifest_size FROM images WHERE id = $1",
                params![subject.image_id],
            )
            .await?
            .ok_or_else(|| Error::internal("an image is gone within a snapshot"))?;
        let descriptor = json!({
            "mediaType": row.get::<String>(0)?,
            "digest": subject.digest.as_str(),
            "size": row.get::<u64>(1)?,
        });
        drop(tx);
        let artifact_type = self.format.media_type();
        let document = Bytes::from(subject.write(&self.repository, self.format)?);
        let time = jiff::Timestamp::from_second(subject.pushed_at.0.div_euclid(1000));
        let created = time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string();
        let bytes = Bytes::from(manifest(artifact_type, &document, &descriptor, &created));
        for blob in [Bytes::from_static(EMPTY), document] {
            hold(&call, &repository, blob).await?;
        }

        let parsed = Manifest::parse(&bytes, None).map_err(Error::internal)?;
        let digest = Digest::of_sha256(&bytes);
        let domain = encryption::ensure_account_domain(&call, &self.repository).await?;
        let mut tx = call.write().await?;
        let found = repositories::still_at(&mut tx, repository.id, &self.repository).await?;
        let is_there = match &found {
            Some(repository) => find_by_digest(&mut tx, repository, &subject.digest).await?,
            None => None,
        };
        let (Some(repository), Some(_)) = (found, is_there) else {
            // Nothing is attached to what went while its bill was written.
            return Err(images::not_found(&self.repository, &self.id));
        };
        let new = NewImage { manifest: &parsed, bytes: &bytes, digest: &digest };
        let stored =
            put_image::store(&mut tx, &call, (&repository, &domain), new, Vec::new()).await?;
        let is_new = !stored.changes.is_empty();
        put_image::tell(&mut tx, &call, &repository, new, stored).await?;
        call.commit(tx).await?;
        call.app.garbage.wake();
        Ok(AttachedSbom { subject: subject.digest, digest, artifact_type, is_new })
    }
}

/// Makes the repository hold a blob.
async fn hold(call: &Call<'_>, repository: &Repository, bytes: Bytes) -> Result<()> {
    let digest = Digest::of_sha256(&bytes);
    let body = Box::pin(stream::iter([Ok(bytes)]));
    // What it holds already it holds for another grace period.
    let (_, held) = blobs::tell(call, &repository.address, std::slice::from_ref(&digest)).await?;
    if held.iter().all(Option::is_some) {
        return Ok(());
    }
    receive::receive(call, repository, body, &digest, Origin::Stored).await
}

fn manifest(artifact_type: &str, document: &[u8], subject: &Value, created: &str) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": ManifestMediaType::OciImage.as_str(),
        "artifactType": artifact_type,
        "config": blob(EMPTY_TYPE, EMPTY),
        "layers": [blob(artifact_type, document)],
        "subject": subject,
        "annotations": { "org.opencontainers.image.created": created },
    })
    .to_string()
    .into_bytes()
}

fn blob(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of_sha256(bytes).as_str(),
        "size": bytes.len(),
    })
}
