//! What a registry is set to, and pull-time exclusions.

use serde::{Deserialize, Serialize};
use tonnage_domain::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};
use tonnage_domain::registries::describe::DescribeRegistry;

use super::Call;
use super::listings::Listing;
use super::replication::ReplicationConfiguration;
use crate::aws::error::Result;

#[derive(Deserialize)]
pub(super) struct NoInput {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeRegistryOutput {
    registry_id: String,
    replication_configuration: ReplicationConfiguration,
}

pub(super) async fn describe_registry(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<DescribeRegistryOutput> {
    let registry = call.execute(DescribeRegistry).await?;
    Ok(DescribeRegistryOutput {
        registry_id: registry.account.to_string(),
        replication_configuration: registry.replication.into(),
    })
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exclusion {
    principal_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisteredExclusion {
    principal_arn: String,
    created_at: f64,
}

pub(super) async fn register_pull_time_update_exclusion(
    call: &Call<'_>,
    input: Exclusion,
) -> Result<RegisteredExclusion> {
    let principal_arn = input.principal_arn;
    let operation = RegisterPullTimeUpdateExclusion { principal_arn: principal_arn.clone() };
    let created_at = call.execute(operation).await?.epoch_seconds();
    Ok(RegisteredExclusion { principal_arn, created_at })
}

pub(super) async fn deregister_pull_time_update_exclusion(
    call: &Call<'_>,
    input: Exclusion,
) -> Result<Exclusion> {
    let principal_arn = input.principal_arn.clone();
    call.execute(DeregisterPullTimeUpdateExclusion { principal_arn }).await?;
    Ok(input)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListExclusionsInput {
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListExclusionsOutput {
    pull_time_update_exclusions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn list_pull_time_update_exclusions(
    call: &Call<'_>,
    input: ListExclusionsInput,
) -> Result<ListExclusionsOutput> {
    let listing = Listing::new(call, "ListPullTimeUpdateExclusions", &call.context.account, &[]);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let page = call.execute(ListPullTimeUpdateExclusions { page }).await?;
    Ok(ListExclusionsOutput {
        next_token: listing.token(call, page.next.as_deref()).await?,
        pull_time_update_exclusions: page.items,
    })
}
