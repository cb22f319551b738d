//! Listings of images, and the pages of every listing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;
use tonnage_domain::identities::page_token;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::describe_images::{DescribeImages, ImageDetail};
use tonnage_domain::images::list_images::{ListImages, TagStatus};
use tonnage_domain::names::AccountId;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::state::Scan;

use super::Call;
use super::images::{ImageId, required_identifier};
use super::scan_findings::{Status, counts};
use crate::aws::error::Result;

/// Items of a page whose request does not say how many (botocore `ecr`, shape `MaxResults`).
const PAGE_ITEMS_DEFAULT: u32 = 100;

/// What a page token is good for: one operation over one thing with one filter.
pub(super) struct Listing(String);

impl Listing {
    pub(super) fn new(
        call: &Call<'_>,
        operation: &str,
        account: &AccountId,
        filters: &[&str],
    ) -> Self {
        let mut text = format!("ecr:{operation} {account} {}", call.context.region);
        for filter in filters {
            text.push(' ');
            text.push_str(filter);
        }
        Self(text)
    }

    /// The page that a request asks for.
    pub(super) async fn request(
        &self,
        call: &Call<'_>,
        next_token: Option<&str>,
        max_results: Option<u32>,
    ) -> Result<PageRequest, Error> {
        let after = match next_token {
            Some(token) => Some(page_token::open(call.app, &self.0, token).await?),
            None => None,
        };
        Ok(PageRequest { after, limit: max_results.unwrap_or(PAGE_ITEMS_DEFAULT) })
    }

    /// The token of the next page.
    pub(super) async fn token(
        &self,
        call: &Call<'_>,
        next: Option<&str>,
    ) -> Result<Option<String>, Error> {
        match next {
            Some(key) => Ok(Some(page_token::seal(call.app, &self.0, key).await?)),
            None => Ok(None),
        }
    }
}

/// Whoever names things gets them all at once (botocore `ecr`, documentation of `nextToken` and
/// `maxResults`).
pub(super) fn refuse_page_of_named(
    names: &str,
    next_token: Option<&String>,
    max_results: Option<u32>,
) -> Result<(), Error> {
    let field = match (next_token, max_results) {
        (Some(_), _) => "nextToken",
        (None, Some(_)) => "maxResults",
        (None, None) => return Ok(()),
    };
    Err(Error::invalid_parameter(
        field,
        format_args!("Member must not be set together with {names}"),
    ))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageFilter {
    tag_status: Option<String>,
    image_status: Option<String>,
}

impl ImageFilter {
    fn tag_status(&self) -> Result<TagStatus, Error> {
        self.tag_status.as_deref().map_or(Ok(TagStatus::Any), |text| {
            TagStatus::parse(text).ok_or_else(|| {
                Error::invalid_parameter(
                    "tagStatus",
                    "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]",
                )
            })
        })
    }

    fn image_status(&self) -> Result<ImageStatusFilter, Error> {
        self.image_status.as_deref().map_or(Ok(ImageStatusFilter::default()), |text| {
            ImageStatusFilter::parse(text).ok_or_else(|| {
                Error::invalid_parameter(
                    "imageStatus",
                    "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]",
                )
            })
        })
    }

    fn listing(&self, call: &Call<'_>, operation: &str, address: &RepositoryAddress) -> Listing {
        let tag_status = self.tag_status.as_deref().unwrap_or("ANY");
        let image_status = self.image_status.as_deref().unwrap_or("ACTIVE");
        let filters = [address.name.as_str(), tag_status, image_status];
        Listing::new(call, operation, &address.account, &filters)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImagesInput {
    registry_id: Option<String>,
    repository_name: String,
    next_token: Option<String>,
    max_results: Option<u32>,
    filter: Option<ImageFilter>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImagesOutput {
    image_ids: Vec<ImageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn list_images(
    call: &Call<'_>,
    input: ListImagesInput,
) -> Result<ListImagesOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let filter = input.filter.unwrap_or_default();
    let listing = filter.listing(call, "ListImages", &repository);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let (tag_status, image_status) = (filter.tag_status()?, filter.image_status()?);
    let operation = ListImages { repository, tag_status, image_status, page };
    let page = call.execute(operation).await?;
    Ok(ListImagesOutput {
        image_ids: page.items.iter().map(ImageId::from).collect(),
        next_token: listing.token(call, page.next.as_deref()).await?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImagesInput {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Option<Vec<ImageId>>,
    next_token: Option<String>,
    max_results: Option<u32>,
    filter: Option<ImageFilter>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded_pull_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_manifest_digest: Option<String>,
    image_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_archived_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activated_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_findings_summary: Option<Summary>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_completed_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerability_source_updated_at: Option<f64>,
    finding_severity_counts: BTreeMap<&'static str, u64>,
}

impl Summary {
    fn new(scan: &Scan) -> Option<Self> {
        scan.status.has_findings().then(|| Self {
            image_scan_completed_at: scan.completed_at.map(Millis::epoch_seconds),
            vulnerability_source_updated_at: scan.source_updated_at.map(Millis::epoch_seconds),
            finding_severity_counts: counts(scan),
        })
    }
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
            last_recorded_pull_time: image.last_pulled_at.map(|time| time.epoch_seconds()),
            subject_manifest_digest: image.subject.map(|digest| digest.to_string()),
            image_status: image.status.as_str(),
            last_archived_at: image.last_archived_at.map(|time| time.epoch_seconds()),
            last_activated_at: image.last_activated_at.map(|time| time.epoch_seconds()),
            image_scan_status: image
                .scan
                .as_ref()
                .map(|scan| Status::new(scan.status, &scan.description)),
            image_scan_findings_summary: image.scan.as_ref().and_then(Summary::new),
        }
    }
}

pub(super) async fn describe_images(
    call: &Call<'_>,
    input: DescribeImagesInput,
) -> Result<DescribeImagesOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let filter = input.filter.unwrap_or_default();
    let (tag_status, image_status) = (filter.tag_status()?, filter.image_status()?);
    let ids = input.image_ids.unwrap_or_default();
    if !ids.is_empty() {
        refuse_page_of_named("imageIds", input.next_token.as_ref(), input.max_results)?;
    }
    let ids = ids.iter().map(required_identifier).collect::<Result<Vec<_>, Error>>()?;
    let named = !ids.is_empty();
    let listing = filter.listing(call, "DescribeImages", &repository);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let operation =
        DescribeImages { repository: repository.clone(), ids, tag_status, image_status, page };
    let page = call.execute(operation).await?;
    // The domain filters what it lists, not what is named; that is shown whatever its status, unless
    // the request says which.
    let names_status = filter.image_status.is_some();
    let is_wanted = |image: &ImageDetail| {
        let has_status = !named || !names_status || image_status.shows(image.status);
        has_status
            && match tag_status {
                TagStatus::Any => true,
                TagStatus::Tagged => !named || !image.tags.is_empty(),
                TagStatus::Untagged => !named || image.tags.is_empty(),
            }
    };
    let images = page.items.into_iter().filter(is_wanted);
    Ok(DescribeImagesOutput {
        image_details: images.map(|image| Detail::new(&repository, image)).collect(),
        next_token: listing.token(call, page.next.as_deref()).await?,
    })
}
