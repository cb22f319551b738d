//! `ListImageReferrers`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tonnage_domain::error::Error;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::list_image_referrers::{ListImageReferrers, Referrer};
use tonnage_domain::names::Digest;
use tonnage_domain::pull_through::pull;

use super::listings::Listing;
use super::{Call, refused};
use crate::aws::error::Result;

/// Referrers on a page whose request does not say how many (botocore `ecr`, shape
/// `FiftyMaxResults`: the documentation of `maxResults` says 20).
const PAGE_ITEMS_DEFAULT: u32 = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImageReferrersInput {
    registry_id: Option<String>,
    repository_name: String,
    subject_id: Subject,
    filter: Option<Filter>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    image_digest: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    artifact_types: Option<Vec<String>>,
    artifact_status: Option<String>,
}

impl Filter {
    fn artifact_status(&self) -> Result<ImageStatusFilter, Error> {
        self.artifact_status.as_deref().map_or(Ok(ImageStatusFilter::default()), |text| {
            ImageStatusFilter::parse(text).ok_or_else(|| {
                Error::invalid_parameter(
                    "artifactStatus",
                    "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]",
                )
            })
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImageReferrersOutput {
    referrers: Vec<ImageReferrer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageReferrer {
    digest: String,
    media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    size: u64,
    #[serde(skip_serializing_if = "Map::is_empty")]
    annotations: Map<String, Value>,
    artifact_status: &'static str,
}

impl TryFrom<Referrer> for ImageReferrer {
    type Error = Error;

    fn try_from(referrer: Referrer) -> Result<Self, Error> {
        Ok(Self {
            digest: referrer.digest.to_string(),
            media_type: referrer.media_type,
            artifact_type: referrer.artifact_type,
            size: referrer.size,
            annotations: serde_json::from_str(&referrer.annotations).map_err(Error::internal)?,
            artifact_status: referrer.status.as_str(),
        })
    }
}

pub(super) async fn list_image_referrers(
    call: &Call<'_>,
    input: ListImageReferrersInput,
) -> Result<ListImageReferrersOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let subject = Digest::parse(&input.subject_id.image_digest)
        .map_err(|error| refused("imageDigest", &error))?;
    let filter = input.filter.unwrap_or_default();
    let artifact_status = filter.artifact_status()?;
    let status = filter.artifact_status.unwrap_or_else(|| "ACTIVE".to_owned());
    let artifact_types = filter.artifact_types.unwrap_or_default();
    let mut filters = vec![repository.name.as_str(), subject.as_str(), status.as_str()];
    filters.extend(artifact_types.iter().map(String::as_str));
    let listing = Listing::new(call, "ListImageReferrers", &repository.account, &filters);
    let max_results = Some(input.max_results.unwrap_or(PAGE_ITEMS_DEFAULT));
    let page = listing.request(call, input.next_token.as_deref(), max_results).await?;
    let operation =
        ListImageReferrers { repository, subject, artifact_types, artifact_status, page };
    let page = pull::referrers(call.app, &call.context, operation).await?;
    Ok(ListImageReferrersOutput {
        next_token: listing.token(call, page.next.as_deref()).await?,
        referrers: page
            .items
            .into_iter()
            .map(ImageReferrer::try_from)
            .collect::<Result<_, Error>>()?,
    })
}
