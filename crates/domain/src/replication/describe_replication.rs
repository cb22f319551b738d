//! `DescribeReplication`: how far behind each destination of a registry is. ECR tells this of one
//! image at a time only.

use std::collections::BTreeSet;

use super::measure::COUNTED_MAX;
use super::{ReplicationConfiguration, ReplicationDestination};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::params;
use crate::registries::{self, Document as _};

/// Destinations of the whole deployment that are looked at for changes that still wait for one that
/// left the rules.
const OTHERS_MAX: usize = 1_000;
const DAY_SECONDS: i64 = 24 * 3600;

/// Tells of every destination of the addressed registry that a rule has or that changes wait for.
#[derive(Clone, Debug)]
pub struct DescribeReplication;

/// How far behind a destination is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationStatus {
    /// Which one.
    pub destination: ReplicationDestination,
    /// Whether a rule has it.
    pub is_configured: bool,
    /// Changes of images and settings that wait or are under way, counted up to
    /// [`DestinationStatus::COUNTED_MAX`] of each.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest_at: Option<Millis>,
    /// When the last copy arrived.
    pub last_completed_at: Option<Millis>,
    /// Images and settings whose last copy failed within the last day, counted as far.
    pub failed_in_last_day: u64,
}

impl DestinationStatus {
    /// As far as is counted.
    pub const COUNTED_MAX: i64 = COUNTED_MAX;
}

impl Operation for DescribeReplication {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeReplication" };
    type Output = Vec<DestinationStatus>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:DescribeReplication", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<DestinationStatus>> {
        let mut tx = call.read().await?;
        let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? else {
            return Ok(Vec::new());
        };
        statuses_of(&mut tx, registry_id, call.app.clock.now()).await
    }
}

/// Every destination of a registry that a rule has or that changes wait for.
pub(super) async fn statuses_of(
    tx: &mut Tx,
    registry_id: i64,
    now: Millis,
) -> Result<Vec<DestinationStatus>> {
    let configuration = ReplicationConfiguration::load(tx, Some(registry_id)).await?;
    let of_rules = configuration.rules.iter().flat_map(|rule| &rule.destinations);
    let mut destinations: BTreeSet<ReplicationDestination> = of_rules.cloned().collect();
    destinations.extend(waited_for(tx).await?);
    let since = now.plus_seconds(-DAY_SECONDS);
    let mut statuses = Vec::new();
    for destination in destinations {
        let is_configured = configuration.has(&destination);
        let status = status(tx, registry_id, destination, is_configured, since).await?;
        if is_configured || status.waiting > 0 {
            statuses.push(status);
        }
    }
    Ok(statuses)
}

/// The destinations that any change of the deployment waits for, each found by a step in an index.
async fn waited_for(tx: &mut Tx) -> Result<Vec<ReplicationDestination>> {
    let mut found: Vec<ReplicationDestination> = Vec::new();
    while found.len() < OTHERS_MAX {
        let last = found.last();
        let row = tx
            .optional(
                "SELECT account_id, region FROM replication_queue \
                 WHERE (account_id, region) > ($1, $2) ORDER BY account_id, region LIMIT 1",
                params![
                    last.map_or("", |last| last.account.as_str()),
                    last.map_or("", |last| last.region.as_str()),
                ],
            )
            .await?;
        let Some(row) = row else { break };
        found.push(ReplicationDestination { account: row.get(0)?, region: row.get(1)? });
    }
    Ok(found)
}

async fn status(
    tx: &mut Tx,
    registry_id: i64,
    destination: ReplicationDestination,
    is_configured: bool,
    since: Millis,
) -> Result<DestinationStatus> {
    let ReplicationDestination { account, region } = &destination;
    let images = tx
        .optional(
            "SELECT COUNT(*), MIN(queued_at) FROM (SELECT replication_queue.queued_at \
             FROM replication_queue \
             JOIN repositories ON repositories.id = replication_queue.repository_id \
             WHERE replication_queue.account_id = $1 AND replication_queue.region = $2 \
             AND repositories.registry_id = $3 ORDER BY replication_queue.id LIMIT $4) AS waiting",
            params![account, region, registry_id, COUNTED_MAX],
        )
        .await?;
    let settings = tx
        .optional(
            "SELECT COUNT(*), MIN(queued_at) FROM (SELECT replicated_settings.queued_at \
             FROM replicated_settings \
             JOIN repositories ON repositories.id = replicated_settings.repository_id \
             WHERE replicated_settings.status = 'IN_PROGRESS' \
             AND replicated_settings.account_id = $1 AND replicated_settings.region = $2 \
             AND repositories.registry_id = $3 LIMIT $4) AS waiting",
            params![account, region, registry_id, COUNTED_MAX],
        )
        .await?;
    let completed = tx
        .optional(
            "SELECT replications.ended_at FROM replications \
             JOIN images ON images.id = replications.image_id \
             JOIN repositories ON repositories.id = images.repository_id \
             WHERE replications.status = 'COMPLETE' AND replications.account_id = $1 \
             AND replications.region = $2 AND repositories.registry_id = $3 \
             ORDER BY replications.ended_at DESC LIMIT 1",
            params![account, region, registry_id],
        )
        .await?;
    let failed_images = tx
        .optional(
            "SELECT COUNT(*) FROM (SELECT replications.image_id FROM replications \
             JOIN images ON images.id = replications.image_id \
             JOIN repositories ON repositories.id = images.repository_id \
             WHERE replications.status = 'FAILED' AND replications.account_id = $1 \
             AND replications.region = $2 AND replications.ended_at >= $4 \
             AND repositories.registry_id = $3 LIMIT $5) AS failed",
            params![account, region, registry_id, since, COUNTED_MAX],
        )
        .await?;
    let failed_settings = tx
        .optional(
            "SELECT COUNT(*) FROM (SELECT replicated_settings.setting FROM replicated_settings \
             JOIN repositories ON repositories.id = replicated_settings.repository_id \
             WHERE replicated_settings.status = 'FAILED' AND replicated_settings.account_id = $1 \
             AND replicated_settings.region = $2 AND replicated_settings.ended_at >= $4 \
             AND repositories.registry_id = $3 LIMIT $5) AS failed",
            params![account, region, registry_id, since, COUNTED_MAX],
        )
        .await?;
    let (mut waiting, mut oldest_at) = (0_u64, None::<Millis>);
    for row in images.iter().chain(&settings) {
        waiting += row.get::<u64>(0)?;
        oldest_at = match (oldest_at, row.get::<Option<Millis>>(1)?) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    let mut failed_in_last_day = 0_u64;
    for row in failed_images.iter().chain(&failed_settings) {
        failed_in_last_day += row.get::<u64>(0)?;
    }
    Ok(DestinationStatus {
        is_configured,
        waiting,
        oldest_at,
        last_completed_at: completed.map(|row| row.get(0)).transpose()?,
        failed_in_last_day,
        destination,
    })
}
