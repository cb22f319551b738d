//! Listings of images and of their tags.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::describe_image_tags::{DescribeImageTags, TagDetail};
use tonnage_domain::images::describe_images::{DescribeImages, ImageDetail};
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::repositories::RepositoryAddress;

use super::super::images::{ImageId, required_identifier};
use super::super::listings::{Listing, refuse_page_of_named};
use crate::aws::Call;
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImagesInput {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Option<Vec<ImageId>>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImagesOutput {
    image_details: Vec<Detail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    registry_id: String,
    repository_name: String,
    image_digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    image_size_in_bytes: u64,
    image_pushed_at: f64,
    image_manifest_media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_media_type: Option<String>,
}

impl Detail {
    fn new(repository: &RepositoryAddress, image: ImageDetail) -> Self {
        Self {
            registry_id: repository.account.to_string(),
            repository_name: repository.name.to_string(),
            image_digest: image.digest.to_string(),
            image_tags: image.tags.iter().map(ToString::to_string).collect(),
            image_size_in_bytes: image.size,
            image_pushed_at: image.pushed_at.epoch_seconds(),
            image_manifest_media_type: image.manifest_media_type,
            artifact_media_type: image.artifact_media_type,
        }
    }
}

pub(super) async fn describe_images(
    call: &Call<'_>,
    input: DescribeImagesInput,
) -> Result<DescribeImagesOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let ids = input.image_ids.unwrap_or_default();
    if !ids.is_empty() {
        refuse_page_of_named("imageIds", input.next_token.as_ref(), input.max_results)?;
    }
    let ids = ids.iter().map(required_identifier).collect::<Result<Vec<_>, Error>>()?;
    let filters = [repository.name.as_str()];
    let listing = Listing::new(call, "DescribeImages", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let operation = DescribeImages {
        repository: repository.clone(),
        ids,
        tag_status: TagStatus::Any,
        image_status: ImageStatusFilter::default(),
        page,
    };
    let page = call.execute(operation).await?;
    let images = page.items.into_iter();
    Ok(DescribeImagesOutput {
        image_details: images.map(|image| Detail::new(&repository, image)).collect(),
        next_token: listing.token(call, page.next.as_deref()).await?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImageTagsInput {
    registry_id: Option<String>,
    repository_name: String,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImageTagsOutput {
    image_tag_details: Vec<ImageTagDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageTagDetail {
    image_tag: String,
    created_at: f64,
    image_detail: ReferencedImage,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferencedImage {
    image_digest: String,
    image_size_in_bytes: u64,
    image_pushed_at: f64,
    image_manifest_media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_media_type: Option<String>,
}

impl From<TagDetail> for ImageTagDetail {
    fn from(tag: TagDetail) -> Self {
        Self {
            image_tag: tag.tag.to_string(),
            created_at: tag.created_at.epoch_seconds(),
            image_detail: ReferencedImage {
                image_digest: tag.digest.to_string(),
                image_size_in_bytes: tag.size,
                image_pushed_at: tag.pushed_at.epoch_seconds(),
                image_manifest_media_type: tag.manifest_media_type,
                artifact_media_type: tag.artifact_media_type,
            },
        }
    }
}

pub(super) async fn describe_image_tags(
    call: &Call<'_>,
    input: DescribeImageTagsInput,
) -> Result<DescribeImageTagsOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let filters = [repository.name.as_str()];
    let listing = Listing::new(call, "DescribeImageTags", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let page = call.execute(DescribeImageTags { repository, page }).await?;
    Ok(DescribeImageTagsOutput {
        image_tag_details: page.items.into_iter().map(ImageTagDetail::from).collect(),
        next_token: listing.token(call, page.next.as_deref()).await?,
    })
}
