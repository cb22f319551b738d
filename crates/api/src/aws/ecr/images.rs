//! Images: put, batch get, batch delete.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::batch_get_image::BatchGetImage;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::images::{ImageFailure, ImageIdentifier};
use tonnage_domain::names::{Digest, Tag};
use tonnage_domain::pull_through::pull;
use tonnage_domain::uploads::UploadRules;

use super::{Call, refused};
use crate::aws::error::Result;
use crate::aws::shapes::Pattern;

/// An image as requests and answers name it.
#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageId {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tag: Option<String>,
}

impl ImageId {
    pub(super) fn new(image_digest: Option<String>, image_tag: Option<String>) -> Self {
        Self { image_digest, image_tag }
    }
}

impl From<&ImageIdentifier> for ImageId {
    fn from(id: &ImageIdentifier) -> Self {
        Self {
            image_digest: id.digest.as_ref().map(ToString::to_string),
            image_tag: id.tag.as_ref().map(ToString::to_string),
        }
    }
}

/// What ECR takes for a digest; the message of `InvalidImageDigest` repeats it.
static DIGEST_PATTERN: Pattern = Pattern::new("[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+");

/// Whether a text has the form that ECR calls a digest, whatever its algorithm and length.
pub(super) fn is_digest(text: &str) -> bool {
    DIGEST_PATTERN.is_match(text)
}

/// The identifier, or why it can name nothing.
fn identifier(id: &ImageId) -> Result<ImageIdentifier, ImageFailure> {
    let digest = match &id.image_digest {
        None => None,
        Some(text) => Some(Digest::parse(text).map_err(|_| {
            // Of another algorithm or spelling: well formed for ECR, but nothing is stored under it.
            if is_digest(text) {
                ImageFailure::ImageNotFound
            } else {
                ImageFailure::InvalidImageDigest
            }
        })?),
    };
    let tag = match &id.image_tag {
        None => None,
        Some(text) => Some(Tag::parse(text).map_err(|_| ImageFailure::InvalidImageTag)?),
    };
    Ok(ImageIdentifier { digest, tag })
}

/// The identifier, for operations that have no failures of single identifiers.
pub(super) fn required_identifier(id: &ImageId) -> Result<ImageIdentifier, Error> {
    let digest = parse_digest(id.image_digest.as_deref())?;
    let tag = parse_tag(id.image_tag.as_deref())?;
    if digest.is_none() && tag.is_none() {
        return Err(Error::invalid_parameter("imageIds", "both tag and digest cannot be null"));
    }
    Ok(ImageIdentifier { digest, tag })
}

fn parse_digest(text: Option<&str>) -> Result<Option<Digest>, Error> {
    text.map(|text| Digest::parse(text).map_err(|error| refused("imageDigest", &error))).transpose()
}

pub(super) fn parse_tag(text: Option<&str>) -> Result<Option<Tag>, Error> {
    text.map(|text| Tag::parse(text).map_err(|error| refused("imageTag", &error))).transpose()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    image_id: ImageId,
    failure_code: &'static str,
    failure_reason: String,
}

impl Failed {
    fn new(image_id: ImageId, failure: &ImageFailure) -> Self {
        let (failure_code, failure_reason) = match failure {
            ImageFailure::MissingDigestAndTag => (
                "MissingDigestAndTag",
                "Invalid request parameters: both tag and digest cannot be null".to_owned(),
            ),
            ImageFailure::InvalidImageDigest => (
                "InvalidImageDigest",
                format!(
                    "Invalid request parameters: image digest should satisfy the regex '{}'",
                    DIGEST_PATTERN.text()
                ),
            ),
            ImageFailure::InvalidImageTag => (
                "InvalidImageTag",
                format!(
                    "Invalid request parameters: image tag should satisfy the regex '{}'",
                    Tag::PATTERN
                ),
            ),
            ImageFailure::ImageNotFound => {
                ("ImageNotFound", "Requested image not found".to_owned())
            }
            ImageFailure::ImageTagDoesNotMatchDigest => (
                "ImageTagDoesNotMatchDigest",
                "The image tag does not refer to the image with the image digest".to_owned(),
            ),
            ImageFailure::ImageInaccessible => (
                "ImageInaccessible",
                "The image is archived; restore it, and pull it when it is active".to_owned(),
            ),
            ImageFailure::UpstreamAccessDenied => (
                "UpstreamAccessDenied",
                "The upstream registry denies access to the image".to_owned(),
            ),
            ImageFailure::UpstreamTooManyRequests => (
                "UpstreamTooManyRequests",
                "The upstream registry says that too much was asked of it".to_owned(),
            ),
            ImageFailure::UpstreamUnavailable => (
                "UpstreamUnavailable",
                "The upstream registry does not answer, or not with a valid image".to_owned(),
            ),
            ImageFailure::ImageReferencedByManifestList(parents) => {
                let parents: Vec<&str> = parents.iter().map(Digest::as_str).collect();
                let list = parents.join(", ");
                (
                    "ImageReferencedByManifestList",
                    format!("Requested image referenced by manifest list: [{list}]"),
                )
            }
        };
        Self { image_id, failure_code, failure_reason }
    }
}

/// A batch of identifiers: those the domain can take, and the failures of the others.
struct Batch {
    requested: Vec<ImageId>,
    ids: Vec<ImageIdentifier>,
    failures: Vec<Failed>,
}

impl Batch {
    fn new(requested: Vec<ImageId>) -> Self {
        let (mut ids, mut failures) = (Vec::new(), Vec::new());
        for id in &requested {
            match identifier(id) {
                Ok(id) => ids.push(id),
                Err(failure) => failures.push(Failed::new(id.clone(), &failure)),
            }
        }
        Self { requested, ids, failures }
    }

    fn take_ids(&mut self) -> Vec<ImageIdentifier> {
        std::mem::take(&mut self.ids)
    }

    /// All failures, in the order of the request.
    fn failures(mut self, of_domain: &[(ImageIdentifier, ImageFailure)]) -> Vec<Failed> {
        let of_domain =
            of_domain.iter().map(|(id, failure)| Failed::new(ImageId::from(id), failure));
        self.failures.extend(of_domain);
        let requested = &self.requested;
        self.failures.sort_by_key(|failed| requested.iter().position(|id| *id == failed.image_id));
        self.failures
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchDeleteImageInput {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Vec<ImageId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchDeleteImageOutput {
    image_ids: Vec<ImageId>,
    failures: Vec<Failed>,
}

pub(super) async fn batch_delete_image(
    call: &Call<'_>,
    input: BatchDeleteImageInput,
) -> Result<BatchDeleteImageOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let mut batch = Batch::new(input.image_ids);
    let operation = BatchDeleteImage { repository, ids: batch.take_ids() };
    let output = call.execute(operation).await?;
    let image_ids = output.deleted.into_iter().map(|deleted| ImageId {
        image_digest: Some(deleted.digest.to_string()),
        image_tag: deleted.tag.map(|tag| tag.to_string()),
    });
    Ok(BatchDeleteImageOutput {
        image_ids: image_ids.collect(),
        failures: batch.failures(&output.failures),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    registry_id: String,
    repository_name: String,
    image_id: ImageId,
    image_manifest: String,
    image_manifest_media_type: String,
}

/// `acceptedMediaTypes` is a wish for conversion, of which ECR does some; here every image comes
/// back as it was pushed, which the answer says in `imageManifestMediaType`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetImageInput {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Vec<ImageId>,
}

#[derive(Serialize)]
pub(super) struct BatchGetImageOutput {
    images: Vec<Image>,
    failures: Vec<Failed>,
}

pub(super) async fn batch_get_image(
    call: &Call<'_>,
    input: BatchGetImageInput,
) -> Result<BatchGetImageOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let mut batch = Batch::new(input.image_ids);
    let operation = BatchGetImage { repository: repository.clone(), ids: batch.take_ids() };
    let output = pull::images(call.app, &call.context, operation).await?;
    let mut images = Vec::with_capacity(output.images.len());
    for (tag, manifest) in output.images {
        images.push(Image {
            registry_id: repository.account.to_string(),
            repository_name: repository.name.to_string(),
            image_id: ImageId {
                image_digest: Some(manifest.digest.to_string()),
                image_tag: tag.map(|tag| tag.to_string()),
            },
            image_manifest: text(manifest.bytes)?,
            image_manifest_media_type: manifest.media_type,
        });
    }
    Ok(BatchGetImageOutput { images, failures: batch.failures(&output.failures) })
}

/// Manifests are JSON, and so they are UTF-8.
fn text(bytes: Bytes) -> Result<String, Error> {
    String::from_utf8(bytes.into()).map_err(Error::internal)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImageInput {
    registry_id: Option<String>,
    repository_name: String,
    image_manifest: String,
    image_manifest_media_type: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

#[derive(Serialize)]
pub(super) struct PutImageOutput {
    image: Image,
}

pub(super) async fn put_image(call: &Call<'_>, input: PutImageInput) -> Result<PutImageOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let manifest = Bytes::from(input.image_manifest);
    let tag = parse_tag(input.image_tag.as_deref())?;
    let output = call
        .execute(PutImage {
            repository: repository.clone(),
            manifest: manifest.clone(),
            media_type: input.image_manifest_media_type,
            tags: tag.into_iter().collect(),
            digest: parse_digest(input.image_digest.as_deref())?,
            condition: Precondition::None,
            rules: UploadRules::LayerParts,
        })
        .await?;
    Ok(PutImageOutput {
        image: Image {
            registry_id: repository.account.to_string(),
            repository_name: repository.name.to_string(),
            image_id: ImageId {
                image_digest: Some(output.digest.to_string()),
                image_tag: input.image_tag,
            },
            image_manifest: text(manifest)?,
            image_manifest_media_type: output.media_type,
        },
    })
}
