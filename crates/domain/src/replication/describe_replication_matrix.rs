//! `DescribeReplicationMatrix`: how far behind each destination of each registry of an account is, and
//! which copies of one of them failed last.

use super::ReplicationDestination;
use super::describe_replication::{DestinationStatus, statuses_of};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::images::tags;
use crate::names::{Digest, Region, RepositoryName, Tag};
use crate::params;

/// Registries of an account that are told of.
const SOURCES_MAX: i64 = 50;
/// Failed copies of the addressed registry that are told of.
const FAILED_MAX: i64 = 25;

/// Tells of every registry of the account of the context that has replication rules or that changes
/// wait in, and of what failed in the addressed one.
#[derive(Clone, Debug)]
pub struct DescribeReplicationMatrix;

/// What goes from where to where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationMatrix {
    /// By region.
    pub sources: Vec<(Region, Vec<DestinationStatus>)>,
    /// Copies of the addressed registry's images whose last try failed, the newest first.
    pub failed: Vec<FailedCopy>,
}

/// A copy that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCopy {
    /// The repository.
    pub repository: RepositoryName,
    /// The image.
    pub digest: Digest,
    /// The tags it has now.
    pub tags: Vec<Tag>,
    /// Where it was to go.
    pub destination: ReplicationDestination,
    /// Why it did not.
    pub failure_code: Option<String>,
    /// When that was.
    pub ended_at: Option<Millis>,
}

impl Operation for DescribeReplicationMatrix {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeReplicationMatrix" };
    type Output = ReplicationMatrix;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:DescribeReplication", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<ReplicationMatrix> {
        let mut tx = call.read().await?;
        let registries = tx
            .all(
                "SELECT id, region FROM registries WHERE account_id = $1 AND kind = 'private' \
                 ORDER BY region LIMIT $2",
                params![call.context.account.as_str(), SOURCES_MAX],
            )
            .await?;
        let mut matrix = ReplicationMatrix::default();
        for row in &registries {
            let registry_id: i64 = row.get(0)?;
            let region = Region::parse_stored(&row.get::<String>(1)?).map_err(Error::internal)?;
            let statuses = statuses_of(&mut tx, registry_id, call.app.clock.now()).await?;
            if region == call.context.region {
                matrix.failed = failed(&mut tx, registry_id).await?;
            }
            if !statuses.is_empty() {
                matrix.sources.push((region, statuses));
            }
        }
        Ok(matrix)
    }
}

async fn failed(tx: &mut Tx, registry_id: i64) -> Result<Vec<FailedCopy>> {
    let rows = tx
        .all(
            "SELECT repositories.name, images.digest, images.id, replications.account_id, \
             replications.region, replications.failure_code, replications.ended_at \
             FROM replications JOIN images ON images.id = replications.image_id \
             JOIN repositories ON repositories.id = images.repository_id \
             WHERE replications.status = 'FAILED' AND repositories.registry_id = $1 \
             ORDER BY replications.ended_at DESC, images.id DESC LIMIT $2",
            params![registry_id, FAILED_MAX],
        )
        .await?;
    let mut copies = Vec::with_capacity(rows.len());
    for row in &rows {
        copies.push(FailedCopy {
            repository: RepositoryName::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
            digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            tags: tags::of_image(tx, row.get(2)?).await?,
            destination: ReplicationDestination { account: row.get(3)?, region: row.get(4)? },
            failure_code: row.get(5)?,
            ended_at: row.get(6)?,
        });
    }
    Ok(copies)
}
