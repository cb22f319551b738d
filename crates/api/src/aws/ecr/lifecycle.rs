//! Lifecycle policies and their previews.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::lifecycle::PolicyOfRepository;
use tonnage_domain::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, PreviewStatus, PreviewedImage, StartLifecyclePolicyPreview,
};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;

use super::Call;
use super::images::{ImageId, required_identifier};
use super::listings::{Listing, refuse_page_of_named};
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryInput {
    registry_id: Option<String>,
    repository_name: String,
}

/// What `PutLifecyclePolicy` answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyOutput {
    registry_id: String,
    repository_name: String,
    lifecycle_policy_text: String,
}

impl From<PolicyOfRepository> for PolicyOutput {
    fn from(policy: PolicyOfRepository) -> Self {
        Self {
            registry_id: policy.repository.account.to_string(),
            repository_name: policy.repository.name.to_string(),
            lifecycle_policy_text: policy.text,
        }
    }
}

/// What the other two answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EvaluatedPolicyOutput {
    #[serde(flatten)]
    policy: PolicyOutput,
    /// 0 for a policy that was not carried out yet.
    last_evaluated_at: f64,
}

impl From<PolicyOfRepository> for EvaluatedPolicyOutput {
    fn from(policy: PolicyOfRepository) -> Self {
        let last_evaluated_at = policy.last_evaluated_at.map_or(0.0, |at| at.epoch_seconds());
        Self { policy: PolicyOutput::from(policy), last_evaluated_at }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutLifecyclePolicyInput {
    registry_id: Option<String>,
    repository_name: String,
    lifecycle_policy_text: String,
}

pub(super) async fn put_lifecycle_policy(
    call: &Call<'_>,
    input: PutLifecyclePolicyInput,
) -> Result<PolicyOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let operation = PutLifecyclePolicy { repository, text: input.lifecycle_policy_text };
    Ok(call.execute(operation).await?.into())
}

pub(super) async fn get_lifecycle_policy(
    call: &Call<'_>,
    input: RepositoryInput,
) -> Result<EvaluatedPolicyOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    Ok(call.execute(GetLifecyclePolicy { repository }).await?.into())
}

pub(super) async fn delete_lifecycle_policy(
    call: &Call<'_>,
    input: RepositoryInput,
) -> Result<EvaluatedPolicyOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    Ok(call.execute(DeleteLifecyclePolicy { repository }).await?.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartLifecyclePolicyPreviewInput {
    registry_id: Option<String>,
    repository_name: String,
    lifecycle_policy_text: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartLifecyclePolicyPreviewOutput {
    registry_id: String,
    repository_name: String,
    lifecycle_policy_text: String,
    status: &'static str,
}

pub(super) async fn start_lifecycle_policy_preview(
    call: &Call<'_>,
    input: StartLifecyclePolicyPreviewInput,
) -> Result<StartLifecyclePolicyPreviewOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let operation = StartLifecyclePolicyPreview {
        repository: repository.clone(),
        text: input.lifecycle_policy_text,
    };
    Ok(StartLifecyclePolicyPreviewOutput {
        registry_id: repository.account.to_string(),
        repository_name: repository.name.to_string(),
        lifecycle_policy_text: call.execute(operation).await?,
        status: status(PreviewStatus::InProgress),
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreviewFilter {
    tag_status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetLifecyclePolicyPreviewInput {
    registry_id: Option<String>,
    repository_name: String,
    image_ids: Option<Vec<ImageId>>,
    next_token: Option<String>,
    max_results: Option<u32>,
    filter: Option<PreviewFilter>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetLifecyclePolicyPreviewOutput {
    registry_id: String,
    repository_name: String,
    lifecycle_policy_text: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    preview_results: Vec<PreviewResult>,
    summary: Summary,
}

const ARCHIVE: &str = "ARCHIVE";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PreviewResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    image_digest: String,
    image_pushed_at: f64,
    action: RuleAction,
    applied_rule_priority: u64,
    storage_class: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleAction {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_storage_class: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    expiring_image_total_count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transitioning_image_total_counts: Vec<Transitioning>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Transitioning {
    target_storage_class: &'static str,
    image_total_count: u64,
}

impl Summary {
    fn new(expiring: u64, transitioning: u64) -> Self {
        let of_archive =
            Transitioning { target_storage_class: ARCHIVE, image_total_count: transitioning };
        Self {
            expiring_image_total_count: expiring,
            transitioning_image_total_counts: Vec::from_iter(
                (transitioning > 0).then_some(of_archive),
            ),
        }
    }
}

impl From<PreviewedImage> for PreviewResult {
    fn from(image: PreviewedImage) -> Self {
        Self {
            image_tags: image.tags,
            image_digest: image.digest.to_string(),
            image_pushed_at: image.pushed_at.epoch_seconds(),
            action: match image.transitions {
                true => RuleAction { kind: "TRANSITION", target_storage_class: Some(ARCHIVE) },
                false => RuleAction { kind: "EXPIRE", target_storage_class: None },
            },
            applied_rule_priority: image.rule_priority,
            storage_class: if image.archived { ARCHIVE } else { "STANDARD" },
        }
    }
}

fn status(status: PreviewStatus) -> &'static str {
    match status {
        PreviewStatus::InProgress => "IN_PROGRESS",
        PreviewStatus::Complete => "COMPLETE",
        PreviewStatus::Expired => "EXPIRED",
        PreviewStatus::Failed => "FAILED",
    }
}

pub(super) async fn get_lifecycle_policy_preview(
    call: &Call<'_>,
    input: GetLifecyclePolicyPreviewInput,
) -> Result<GetLifecyclePolicyPreviewOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let filter = input.filter.unwrap_or_default().tag_status;
    let tag_status = match filter.as_deref() {
        None => TagStatus::Any,
        Some(text) => TagStatus::parse(text).ok_or_else(|| {
            Error::invalid_parameter(
                "tagStatus",
                "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]",
            )
        })?,
    };
    let ids = input.image_ids.unwrap_or_default();
    if !ids.is_empty() {
        refuse_page_of_named("imageIds", input.next_token.as_ref(), input.max_results)?;
    }
    let ids = ids.iter().map(required_identifier).collect::<Result<Vec<_>, Error>>()?;
    let filters = [repository.name.as_str(), filter.as_deref().unwrap_or("ANY")];
    let listing = Listing::new(call, "GetLifecyclePolicyPreview", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let operation =
        GetLifecyclePolicyPreview { repository: repository.clone(), ids, tag_status, page };
    let preview = call.execute(operation).await?;
    Ok(GetLifecyclePolicyPreviewOutput {
        registry_id: repository.account.to_string(),
        repository_name: repository.name.to_string(),
        lifecycle_policy_text: preview.text,
        status: status(preview.status),
        next_token: listing.token(call, preview.images.next.as_deref()).await?,
        preview_results: preview.images.items.into_iter().map(PreviewResult::from).collect(),
        summary: Summary::new(preview.expiring, preview.transitioning),
    })
}
