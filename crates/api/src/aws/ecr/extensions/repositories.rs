//! Repositories: other names, moves of tags, settings that ECR does not have.

use serde::{Deserialize, Serialize};
use tonnage_domain::images::list_tag_history::{ListTagHistory, TagMove};
use tonnage_domain::public::repository_settings::{
    GetPublicRepositorySettings, PublicRepositorySettings, PutPublicRepositorySettings,
};
use tonnage_domain::repositories::put_sparse_manifests::PutSparseManifests;
use tonnage_domain::repositories::rename::RenameRepository;
use tonnage_domain::repositories::{Repository, RepositoryAddress};

use super::super::images::parse_tag;
use super::super::listings::Listing;
use super::super::parse_repository_name;
use super::super::repositories::{ExclusionFilter, Mutability, tag_mutability};
use crate::aws::Call;
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagHistoryInput {
    registry_id: Option<String>,
    repository_name: String,
    image_tag: Option<String>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagHistoryOutput {
    tag_moves: Vec<Move>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Move {
    moved_at: f64,
    image_tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_image_digest: Option<String>,
    moved_by: String,
}

impl From<TagMove> for Move {
    fn from(moved: TagMove) -> Self {
        Self {
            moved_at: moved.at.epoch_seconds(),
            image_tag: moved.tag.to_string(),
            image_digest: moved.digest.map(|digest| digest.to_string()),
            previous_image_digest: moved.previous.map(|digest| digest.to_string()),
            moved_by: moved.principal_arn,
        }
    }
}

pub(super) async fn list_tag_history(
    call: &Call<'_>,
    input: ListTagHistoryInput,
) -> Result<ListTagHistoryOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let tag = parse_tag(input.image_tag.as_deref())?;
    let filters = [repository.name.as_str(), input.image_tag.as_deref().unwrap_or_default()];
    let listing = Listing::new(call, "ListTagHistory", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let found = call.execute(ListTagHistory { repository, tag, page }).await?;
    Ok(ListTagHistoryOutput {
        tag_moves: found.items.into_iter().map(Move::from).collect(),
        next_token: listing.token(call, found.next.as_deref()).await?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RenameRepositoryInput {
    registry_id: Option<String>,
    repository_name: String,
    new_repository_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutSparseManifestsInput {
    registry_id: Option<String>,
    repository_name: String,
    sparse_manifests: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryOutput {
    registry_id: String,
    repository_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutSparseManifestsOutput {
    #[serde(flatten)]
    repository: RepositoryOutput,
    #[serde(skip_serializing_if = "Option::is_none")]
    sparse_manifests: Option<bool>,
}

impl From<&RepositoryAddress> for RepositoryOutput {
    fn from(address: &RepositoryAddress) -> Self {
        Self { registry_id: address.account.to_string(), repository_name: address.name.to_string() }
    }
}

pub(super) async fn rename_repository(
    call: &Call<'_>,
    input: RenameRepositoryInput,
) -> Result<RepositoryOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let new_name = parse_repository_name(&input.new_repository_name)?;
    let renamed = call.execute(RenameRepository { repository, new_name }).await?;
    Ok((&renamed.address).into())
}

pub(super) async fn put_sparse_manifests(
    call: &Call<'_>,
    input: PutSparseManifestsInput,
) -> Result<PutSparseManifestsOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let operation = PutSparseManifests { repository, allowed: input.sparse_manifests };
    let Repository { address, sparse_manifests, .. } = call.execute(operation).await?;
    Ok(PutSparseManifestsOutput { repository: (&address).into(), sparse_manifests })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetPublicRepositorySettingsInput {
    registry_id: Option<String>,
    repository_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutPublicRepositorySettingsInput {
    registry_id: Option<String>,
    repository_name: String,
    image_tag_mutability: Option<String>,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
    scan_on_push: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicSettingsOutput {
    #[serde(flatten)]
    repository: RepositoryOutput,
    #[serde(flatten)]
    mutability: Mutability,
    scan_on_push: bool,
}

impl PublicSettingsOutput {
    fn new(address: &RepositoryAddress, settings: &PublicRepositorySettings) -> Self {
        Self {
            repository: address.into(),
            mutability: (&settings.tag_mutability).into(),
            scan_on_push: settings.scan_on_push,
        }
    }
}

pub(super) async fn get_public_repository_settings(
    call: &Call<'_>,
    input: GetPublicRepositorySettingsInput,
) -> Result<PublicSettingsOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let operation = GetPublicRepositorySettings { repository: repository.clone() };
    Ok(PublicSettingsOutput::new(&repository, &call.execute(operation).await?))
}

pub(super) async fn put_public_repository_settings(
    call: &Call<'_>,
    input: PutPublicRepositorySettingsInput,
) -> Result<PublicSettingsOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let filters = input.image_tag_mutability_exclusion_filters;
    let rule = match (input.image_tag_mutability.as_deref(), filters) {
        (None, None) => None,
        (setting, filters) => Some(tag_mutability(setting, filters)?),
    };
    let operation = PutPublicRepositorySettings {
        repository: repository.clone(),
        tag_mutability: rule,
        scan_on_push: input.scan_on_push,
    };
    Ok(PublicSettingsOutput::new(&repository, &call.execute(operation).await?))
}
