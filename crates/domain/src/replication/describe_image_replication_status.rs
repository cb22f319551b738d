//! `DescribeImageReplicationStatus`.

use super::ReplicationDestination;
use super::carry::CarryOver;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::{self, ImageIdentifier, not_found, resolve};
use crate::jobs::Job as _;
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Destinations of one image that are told, the service quota of ECR: a registry that replaced its
/// rules has more.
const DESTINATIONS_MAX: i64 = 100;
/// The failure code of a copy that was tried too often; the operator sees why.
pub(super) const GIVEN_UP: &str = "ReplicationFailed";

/// Tells what came of the copies of an image, by region and account. An image that was pushed
/// before there were rules has none.
#[derive(Clone, Debug)]
pub struct DescribeImageReplicationStatus {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which image.
    pub id: ImageIdentifier,
}

/// Where a copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicationStatus {
    /// It waits or is under way.
    InProgress,
    /// It is there.
    Complete,
    /// It is not, and will not be tried again by itself.
    Failed,
}

impl ReplicationStatus {
    /// As AWS and metadata spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
        }
    }

    pub(super) fn from_stored(text: &str) -> Result<Self> {
        [Self::InProgress, Self::Complete, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::internal(format!("stored replication status {text}")))
    }
}

/// A copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReplicationStatus {
    /// Where it goes.
    pub destination: ReplicationDestination,
    /// Where it stands.
    pub status: ReplicationStatus,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// When it was queued.
    pub queued_at: Millis,
    /// When it ended; the time between is the lag. AWS does not tell it.
    pub ended_at: Option<Millis>,
}

impl Operation for DescribeImageReplicationStatus {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DescribeImageReplicationStatus" };
    type Output = Vec<ImageReplicationStatus>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        images::demands("ecr:DescribeImageReplicationStatus", &self.repository, ids)
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<ImageReplicationStatus>> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let image = resolve(&mut tx, &repository, &self.id)
            .await?
            .map_err(|_| not_found(&self.repository, &self.id))?;
        let rows = tx
            .all(
                "SELECT region, account_id, status, failure_code, queued_at, ended_at \
                 FROM replications \
                 WHERE image_id = $1 ORDER BY region, account_id LIMIT $2",
                params![image.id, DESTINATIONS_MAX],
            )
            .await?;
        let mut copies = Vec::with_capacity(rows.len());
        for row in &rows {
            let destination = ReplicationDestination { region: row.get(0)?, account: row.get(1)? };
            let mut copy = ImageReplicationStatus {
                destination,
                status: ReplicationStatus::from_stored(&row.get::<String>(2)?)?,
                failure_code: row.get(3)?,
                queued_at: row.get(4)?,
                ended_at: row.get(5)?,
            };
            if copy.status == ReplicationStatus::InProgress
                && is_given_up(&mut tx, &repository, &copy.destination).await?
            {
                copy.status = ReplicationStatus::Failed;
                copy.failure_code = Some(GIVEN_UP.to_owned());
            }
            copies.push(copy);
        }
        Ok(copies)
    }
}

/// Whether the job is a dead letter.
pub(super) async fn is_given_up(
    tx: &mut Tx,
    repository: &repositories::Repository,
    destination: &ReplicationDestination,
) -> Result<bool> {
    let job = CarryOver::new(&repository.address.account, repository.id, destination);
    let dead = tx
        .optional(
            "SELECT 1 FROM jobs WHERE kind = $1 AND job_key = $2 AND state = 'DEAD'",
            params![CarryOver::KIND, job.key()],
        )
        .await?;
    Ok(dead.is_some())
}
