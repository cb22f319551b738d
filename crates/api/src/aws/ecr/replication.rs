//! Replication: its configuration, what came of it, backfills.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::replication::backfills::Backfill;
use tonnage_domain::replication::backfills::describe_replication_backfill_results::{
    BackfillResult, DescribeReplicationBackfillResults,
};
use tonnage_domain::replication::backfills::list_replication_backfills::ListReplicationBackfills;
use tonnage_domain::replication::backfills::start_replication_backfill::StartReplicationBackfill;
use tonnage_domain::replication::backfills::stop_replication_backfill::StopReplicationBackfill;
use tonnage_domain::replication::describe_image_replication_status::DescribeImageReplicationStatus;
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::{self, ReplicationDestination};

use super::images::{ImageId, required_identifier};
use super::listings::Listing;
use super::{Call, parse_registry_id};
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
            destinations: rule.destinations.into_iter().map(ReplicationDestination::from).collect(),
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
            destinations: rule.destinations.into_iter().map(Destination::from).collect(),
            repository_filters: (!rule.prefixes.is_empty())
                .then(|| rule.prefixes.into_iter().map(filter).collect()),
            delete_replication: rule
                .delete_replication
                .map(|enabled| DeleteReplication { enabled }),
        };
        Self { rules: configuration.rules.into_iter().map(rule).collect() }
    }
}

impl From<Destination> for ReplicationDestination {
    fn from(destination: Destination) -> Self {
        Self { region: destination.region, account: destination.registry_id }
    }
}

impl From<ReplicationDestination> for Destination {
    fn from(destination: ReplicationDestination) -> Self {
        Self { region: destination.region, registry_id: destination.account }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicationInput {
    replication_configuration: ReplicationConfiguration,
}

pub(super) async fn put_replication_configuration(
    call: &Call<'_>,
    input: ReplicationInput,
) -> Result<ReplicationInput> {
    let configuration = input.replication_configuration.into();
    let stored = call.execute(PutReplicationConfiguration { configuration }).await?;
    Ok(ReplicationInput { replication_configuration: stored.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusOutput {
    repository_name: String,
    image_id: ImageId,
    replication_statuses: Vec<Status>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    region: String,
    registry_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
}

pub(super) async fn describe_image_replication_status(
    call: &Call<'_>,
    input: StatusInput,
) -> Result<StatusOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let id = required_identifier(&input.image_id)?;
    let copies = call.execute(DescribeImageReplicationStatus { repository, id }).await?;
    let replication_statuses = copies
        .into_iter()
        .map(|copy| Status {
            region: copy.destination.region,
            registry_id: copy.destination.account,
            status: copy.status.as_str(),
            failure_code: copy.failure_code,
        })
        .collect();
    Ok(StatusOutput {
        repository_name: input.repository_name,
        image_id: input.image_id,
        replication_statuses,
    })
}

/// Only the caller's own registry can be backfilled.
fn refuse_other_registry(call: &Call<'_>, registry_id: Option<&str>) -> Result<(), Error> {
    match parse_registry_id(registry_id)? {
        Some(account) if account != call.context.account => {
            Err(Error::invalid_parameter("registryId", "Member must be the registry of the caller"))
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartInput {
    registry_id: Option<String>,
    destination: Destination,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopInput {
    registry_id: Option<String>,
    replication_backfill_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartedBackfill {
    registry_id: String,
    replication_backfill_id: String,
    destination: Destination,
    status: &'static str,
    started_at: f64,
}

impl StartedBackfill {
    fn new(call: &Call<'_>, backfill: Backfill) -> Self {
        Self {
            registry_id: call.context.account.to_string(),
            replication_backfill_id: backfill.id,
            destination: backfill.destination.into(),
            status: backfill.status.as_str(),
            started_at: backfill.started_at.epoch_seconds(),
        }
    }
}

pub(super) async fn start_replication_backfill(
    call: &Call<'_>,
    input: StartInput,
) -> Result<StartedBackfill> {
    refuse_other_registry(call, input.registry_id.as_deref())?;
    let operation = StartReplicationBackfill { destination: input.destination.into() };
    Ok(StartedBackfill::new(call, call.execute(operation).await?))
}

pub(super) async fn stop_replication_backfill(
    call: &Call<'_>,
    input: StopInput,
) -> Result<StartedBackfill> {
    refuse_other_registry(call, input.registry_id.as_deref())?;
    let operation = StopReplicationBackfill { id: input.replication_backfill_id };
    Ok(StartedBackfill::new(call, call.execute(operation).await?))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    total_replication_count: u64,
    completed_replication_count: u64,
    failed_replication_count: u64,
    failure_codes: Vec<String>,
}

/// What every answer tells of a backfill.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    replication_backfill_id: String,
    destination: Destination,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    started_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<f64>,
}

impl From<Backfill> for Summary {
    fn from(backfill: Backfill) -> Self {
        Self {
            replication_backfill_id: backfill.id,
            destination: backfill.destination.into(),
            status: backfill.status.as_str(),
            failure_code: backfill.failure_code,
            progress: backfill.progress.map(|progress| Progress {
                total_replication_count: progress.total,
                completed_replication_count: progress.completed,
                failed_replication_count: progress.failed,
                failure_codes: progress.failure_codes,
            }),
            started_at: backfill.started_at.epoch_seconds(),
            ended_at: backfill.ended_at.map(|at| at.epoch_seconds()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListInput {
    registry_id: Option<String>,
    max_results: Option<u32>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListOutput {
    registry_id: String,
    backfills: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Backfills of a page whose request does not say how many: the most that a page has.
const BACKFILLS_DEFAULT: u32 = 50;

pub(super) async fn list_replication_backfills(
    call: &Call<'_>,
    input: ListInput,
) -> Result<ListOutput> {
    refuse_other_registry(call, input.registry_id.as_deref())?;
    let account = &call.context.account;
    let listing = Listing::new(call, "ListReplicationBackfills", account, &[]);
    let limit = input.max_results.unwrap_or(BACKFILLS_DEFAULT);
    let page = listing.request(call, input.next_token.as_deref(), Some(limit)).await?;
    let page = call.execute(ListReplicationBackfills { page }).await?;
    Ok(ListOutput {
        registry_id: account.to_string(),
        next_token: listing.token(call, page.next.as_deref()).await?,
        backfills: page.items.into_iter().map(Summary::from).collect(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultsInput {
    registry_id: Option<String>,
    replication_backfill_id: String,
    result_status_filter: Option<String>,
    max_results: Option<u32>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultsOutput {
    registry_id: String,
    #[serde(flatten)]
    backfill: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    results: Vec<ResultOfImage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultOfImage {
    repository_name: String,
    image_id: ImageId,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sub_image_failure_codes: Vec<String>,
}

impl From<BackfillResult> for ResultOfImage {
    fn from(result: BackfillResult) -> Self {
        Self {
            repository_name: result.repository_name,
            image_id: ImageId::new(Some(result.digest), result.tag),
            status: if result.failure_code.is_some() { "FAILED" } else { "COMPLETE" },
            failure_code: result.failure_code,
            sub_image_failure_codes: result.child_failure_codes,
        }
    }
}

pub(super) async fn describe_replication_backfill_results(
    call: &Call<'_>,
    input: ResultsInput,
) -> Result<ResultsOutput> {
    refuse_other_registry(call, input.registry_id.as_deref())?;
    let account = call.context.account;
    let filters = [
        input.replication_backfill_id.as_str(),
        input.result_status_filter.as_deref().unwrap_or("ANY"),
    ];
    let listing = Listing::new(call, "DescribeReplicationBackfillResults", &account, &filters);
    let page: PageRequest =
        listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let operation = DescribeReplicationBackfillResults {
        id: input.replication_backfill_id.clone(),
        failed: input.result_status_filter.as_deref().map(|status| status == "FAILED"),
        page,
    };
    let (backfill, page) = call.execute(operation).await?;
    Ok(ResultsOutput {
        registry_id: account.to_string(),
        backfill: backfill.into(),
        next_token: listing.token(call, page.next.as_deref()).await?,
        results: page.items.into_iter().map(ResultOfImage::from).collect(),
    })
}
