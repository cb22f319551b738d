//! Images: manifests kept byte for byte, the tags that name them, and what was parsed from them.

pub mod batch_delete_image;
pub mod batch_get_image;
pub mod delete_manifest;
pub mod describe_image_tags;
pub mod describe_images;
pub mod get_manifest;
pub mod list_image_referrers;
pub mod list_images;
pub mod list_tag_history;
pub mod list_tags;
pub mod manifest;
pub mod precondition;
pub mod pulls;
pub mod put_image;
mod status;
pub(crate) mod tags;
pub(crate) mod verify;
mod warnings;

use bytes::Bytes;

pub use self::status::{ImageStatus, ImageStatusFilter};

use crate::app::App;
use crate::clock::Millis;
use crate::encryption;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Demand, RegistryAction, Tx};
use crate::metadata::Row;
use crate::names::{AccountId, Digest, Reference, Tag};
use crate::params;
use crate::repositories::{Repository, RepositoryAddress};

/// An image as a request names it: by digest, by tag, or by both, which must then agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageIdentifier {
    /// The digest.
    pub digest: Option<Digest>,
    /// The tag.
    pub tag: Option<Tag>,
}

impl From<Reference> for ImageIdentifier {
    fn from(reference: Reference) -> Self {
        Self { digest: reference.digest().cloned(), tag: reference.tag().cloned() }
    }
}

impl ImageIdentifier {
    /// `tonnage:ImageTag` and `tonnage:ImageDigest` of a request that names this image.
    pub(crate) fn condition_keys(&self) -> Vec<(String, Vec<String>)> {
        let mut keys = Vec::new();
        if let Some(tag) = &self.tag {
            keys.push(("tonnage:ImageTag".to_owned(), vec![tag.to_string()]));
        }
        if let Some(digest) = &self.digest {
            keys.push(("tonnage:ImageDigest".to_owned(), vec![digest.to_string()]));
        }
        keys
    }
}

/// The demands of a request that names several images: one for each, so that a condition on tags or
/// digests holds for every one of them, and one without these keys when it names none.
pub(crate) fn demands(
    action: impl Into<RegistryAction>,
    repository: &RepositoryAddress,
    ids: &[ImageIdentifier],
) -> Vec<Demand> {
    let action = action.into();
    let demand = |keys| Demand { keys, ..repository.demand(action) };
    if ids.is_empty() {
        return vec![demand(Vec::new())];
    }
    let mut demands: Vec<Demand> = Vec::with_capacity(ids.len());
    for id in ids {
        let demand = demand(id.condition_keys());
        if !demands.contains(&demand) {
            demands.push(demand);
        }
    }
    demands
}

/// What is known of an image without its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageRecord {
    pub(crate) id: i64,
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) status: ImageStatus,
    /// When an upstream last said that the tag by which it was found names it.
    pub(crate) validated_at: Option<Millis>,
}

fn record_from(row: &Row) -> Result<ImageRecord> {
    Ok(ImageRecord {
        id: row.get(0)?,
        digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        media_type: row.get(2)?,
        status: ImageStatus::from_stored(&row.get::<String>(3)?)?,
        validated_at: None,
    })
}

/// Why an identifier names no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageFailure {
    /// Neither digest nor tag were given.
    MissingDigestAndTag,
    /// The digest is not well formed.
    InvalidImageDigest,
    /// The tag is not well formed.
    InvalidImageTag,
    /// There is no such image.
    ImageNotFound,
    /// The tag names another image than the digest.
    ImageTagDoesNotMatchDigest,
    /// The image is archived, or being restored.
    ImageInaccessible,
    /// The upstream registry denies access to it.
    UpstreamAccessDenied,
    /// Too much was asked of the upstream registry.
    UpstreamTooManyRequests,
    /// The upstream registry does not answer, or not with what can be used.
    UpstreamUnavailable,
    /// An index refers to the image.
    ImageReferencedByManifestList(Vec<Digest>),
}

/// The image that an identifier names, if it can be pulled.
pub(crate) async fn resolve_active(
    tx: &mut Tx,
    repository: &Repository,
    id: &ImageIdentifier,
) -> Result<Result<ImageRecord, ImageFailure>> {
    let image = resolve(tx, repository, id).await?;
    Ok(image.and_then(|image| match image.status {
        ImageStatus::Active => Ok(image),
        ImageStatus::Archived | ImageStatus::Activating => Err(ImageFailure::ImageInaccessible),
    }))
}

/// The image that an identifier names, whether it can be pulled or not.
pub(crate) async fn resolve(
    tx: &mut Tx,
    repository: &Repository,
    id: &ImageIdentifier,
) -> Result<Result<ImageRecord, ImageFailure>> {
    let by_tag = match &id.tag {
        Some(tag) => match find_by_tag(tx, repository, tag).await? {
            Some(image) => Some(image),
            None => return Ok(Err(ImageFailure::ImageNotFound)),
        },
        None => None,
    };
    Ok(match (by_tag, &id.digest) {
        (None, None) => Err(ImageFailure::MissingDigestAndTag),
        (Some(image), None) => Ok(image),
        (Some(image), Some(digest)) if image.digest == *digest => Ok(image),
        (Some(_), Some(_)) => Err(ImageFailure::ImageTagDoesNotMatchDigest),
        (None, Some(digest)) => {
            find_by_digest(tx, repository, digest).await?.ok_or(ImageFailure::ImageNotFound)
        }
    })
}

pub(crate) async fn find_by_tag(
    tx: &mut Tx,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<ImageRecord>> {
    let row = tx
        .optional(
            "SELECT images.id, images.digest, images.media_type, images.status, \
             tags.validated_at FROM tags JOIN images ON images.id = tags.image_id \
             WHERE tags.repository_id = $1 AND tags.name = $2",
            params![repository.id, tag.as_str()],
        )
        .await?;
    row.map(|row| Ok(ImageRecord { validated_at: row.get(4)?, ..record_from(&row)? })).transpose()
}

pub(crate) async fn find_by_digest(
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<ImageRecord>> {
    let row = tx
        .optional(
            "SELECT id, digest, media_type, status FROM images \
             WHERE repository_id = $1 AND digest = $2",
            params![repository.id, digest.as_str()],
        )
        .await?;
    row.map(|row| record_from(&row)).transpose()
}

/// What manifests are sealed as.
const MANIFEST: &str = "manifest";

/// The manifest of an image, as it was pushed.
pub(crate) async fn manifest_bytes(
    app: &App,
    tx: &mut Tx,
    repository: &Repository,
    image: &ImageRecord,
) -> Result<Bytes> {
    manifest_of_account(app, tx, &repository.address.account, image).await
}

async fn manifest_of_account(
    app: &App,
    tx: &mut Tx,
    account: &AccountId,
    image: &ImageRecord,
) -> Result<Bytes> {
    let domain = encryption::account_domain(app, tx, account).await?;
    let row = tx
        .optional("SELECT manifest, container_version FROM images WHERE id = $1", params![image.id])
        .await?
        .ok_or_else(|| Error::internal("an image row vanished inside a snapshot"))?;
    domain.load(row.get(1)?, MANIFEST, &image.digest, row.get(0)?)
}

/// The error for an image that does not exist, in ECR's words.
pub fn not_found(address: &RepositoryAddress, id: &ImageIdentifier) -> Error {
    fn or_null<T: ToString>(value: Option<&T>) -> String {
        value.map_or_else(|| "null".to_owned(), ToString::to_string)
    }
    Error::new(
        ErrorKind::ImageNotFound,
        format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the \
             repository with name '{}' in the registry with id '{}'",
            or_null(id.digest.as_ref()),
            or_null(id.tag.as_ref()),
            address.name,
            address.account
        ),
    )
}
