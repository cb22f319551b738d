//! Settings of a registry: replication, scanning, pull-time exclusions.

use serde::{Deserialize, Serialize};
use tonnage_domain::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};
use tonnage_domain::registries::describe::DescribeRegistry;
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::{self, ReplicationDestination};

use super::Call;
use super::listings::Listing;
use crate::aws::error::Result;

const PREFIX_MATCH: &str = "PREFIX_MATCH";

#[derive(Deserialize, Serialize)]
pub(super) struct ReplicationConfiguration {
    rules: Vec<Rule>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    destinations: Vec<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_filters: Option<Vec<Filter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_replication: Option<DeleteReplication>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Destination {
    region: String,
    registry_id: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    filter: String,
    filter_type: String,
}

#[derive(Deserialize, Serialize)]
struct DeleteReplication {
    enabled: bool,
}

impl From<ReplicationConfiguration> for replication::ReplicationConfiguration {
    fn from(configuration: ReplicationConfiguration) -> Self {
        let rule = |rule: Rule| replication::ReplicationRule {
            destinations: rule
                .destinations
                .into_iter()
                .map(|to| ReplicationDestination { region: to.region, account: to.registry_id })
                .collect(),
            prefixes: rule
                .repository_filters
                .unwrap_or_default()
                .into_iter()
                .map(|filter| filter.filter)
                .collect(),
            delete_replication: rule.delete_replication.map(|deletion| deletion.enabled),
        };
        Self { rules: configuration.rules.into_iter().map(rule).collect() }
    }
}

impl From<replication::ReplicationConfiguration> for ReplicationConfiguration {
    fn from(configuration: replication::ReplicationConfiguration) -> Self {
        let filter = |filter: String| Filter { filter, filter_type: PREFIX_MATCH.to_owned() };
        let rule = |rule: replication::ReplicationRule| Rule {
            destinations: rule
                .destinations
                .into_iter()
                .map(|to| Destination { region: to.region, registry_id: to.account })
                .collect(),
            repository_filters: (!rule.prefixes.is_empty())
                .then(|| rule.prefixes.into_iter().map(filter).collect()),
            delete_replication: rule
                .delete_replication
                .map(|enabled| DeleteReplication { enabled }),
        };
        Self { rules: configuration.rules.into_iter().map(rule).collect() }
    }
}

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
pub(super) struct Replication {
    replication_configuration: ReplicationConfiguration,
}

pub(super) async fn put_replication_configuration(
    call: &Call<'_>,
    input: Replication,
) -> Result<Replication> {
    let configuration = input.replication_configuration.into();
    let stored = call.execute(PutReplicationConfiguration { configuration }).await?;
    Ok(Replication { replication_configuration: stored.into() })
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
