//! Backfills: copying the images that a registry had before its replication rules.
//!
//! A backfill is prepared by a job that queues every image and tag for the destination, and ends
//! with the last of them. Source: botocore `ecr`, operations `StartReplicationBackfill` and others.

pub mod describe_replication_backfill_results;
pub mod forget;
pub mod list_replication_backfills;
pub mod prepare;
pub mod start_replication_backfill;
pub mod stop_replication_backfill;

use super::ReplicationDestination;
use super::queue::{Outcome, QueuedChange};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::metadata::Row;
use crate::names::Tag;
use crate::{params, registries};

/// Where a backfill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillStatus {
    /// Its images are being queued.
    Preparing,
    /// They are being copied.
    InProgress,
    /// Every one of them was tried.
    Complete,
    /// It could not be prepared.
    Failed,
    /// It was stopped.
    Stopped,
}

impl BackfillStatus {
    const ALL: [Self; 5] =
        [Self::Preparing, Self::InProgress, Self::Complete, Self::Failed, Self::Stopped];

    /// As AWS and metadata spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "PREPARING",
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }

    fn from_stored(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::internal(format!("stored status of a backfill {text}")))
    }

    /// Whether it goes on.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Preparing | Self::InProgress)
    }
}

/// How far a backfill has come, in images and tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillProgress {
    /// All.
    pub total: u64,
    /// Those that the destination has.
    pub completed: u64,
    /// Those that it has not.
    pub failed: u64,
    /// Why, each reason once.
    pub failure_codes: Vec<String>,
}

/// A backfill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// A UUID.
    pub id: String,
    /// Where its images go.
    pub destination: ReplicationDestination,
    /// Where it stands.
    pub status: BackfillStatus,
    /// Why it could not be prepared.
    pub failure_code: Option<String>,
    /// Absent until it is prepared.
    pub progress: Option<BackfillProgress>,
    /// When it was started.
    pub started_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
    registry_id: i64,
}

macro_rules! select_backfills {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, region, status, failure_code, total, completed, failed, \
             started_at, ended_at, registry_id FROM replication_backfills ",
            $rest
        )
    };
}
use select_backfills;

async fn from_row(tx: &mut Tx, row: &Row) -> Result<Backfill> {
    let id: String = row.get(0)?;
    let status = BackfillStatus::from_stored(&row.get::<String>(3)?)?;
    let failed: u64 = row.get(7)?;
    let progress = match status {
        BackfillStatus::Preparing | BackfillStatus::Failed => None,
        _ => Some(BackfillProgress {
            total: row.get(5)?,
            completed: row.get(6)?,
            failed,
            failure_codes: if failed > 0 { failure_codes(tx, &id).await? } else { Vec::new() },
        }),
    };
    Ok(Backfill {
        destination: ReplicationDestination { account: row.get(1)?, region: row.get(2)? },
        status,
        failure_code: row.get(4)?,
        progress,
        started_at: row.get(8)?,
        ended_at: row.get(9)?,
        registry_id: row.get(10)?,
        id,
    })
}

async fn failure_codes(tx: &mut Tx, id: &str) -> Result<Vec<String>> {
    let rows = tx
        .all(
            "SELECT DISTINCT failure_code FROM replication_backfill_results \
             WHERE backfill_id = $1 AND failure_code IS NOT NULL ORDER BY failure_code",
            params![id],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// The backfill of this id in the addressed registry.
///
/// # Errors
/// [`ErrorKind::BackfillNotFound`].
async fn get(tx: &mut Tx, call: &Call<'_>, id: &str) -> Result<Backfill> {
    let registry = registries::find_addressed(tx, call).await?;
    if let Some(found) = find(tx, id).await?
        && Some(found.registry_id) == registry
    {
        return Ok(found);
    }
    Err(Error::new(
        ErrorKind::BackfillNotFound,
        format!(
            "The replication backfill with id '{id}' does not exist in the registry with id '{}'",
            call.context.account
        ),
    ))
}

async fn find(tx: &mut Tx, id: &str) -> Result<Option<Backfill>> {
    let row = tx.optional(select_backfills!("WHERE id = $1"), params![id]).await?;
    match row {
        Some(row) => from_row(tx, &row).await.map(Some),
        None => Ok(None),
    }
}

/// Writes down what came of an image of a backfill, which ends with the last.
pub(super) async fn record(
    tx: &mut Tx,
    app: &App,
    id: &str,
    repository_id: i64,
    queued: &QueuedChange,
    outcome: &Outcome,
) -> Result<()> {
    let (code, children) = match outcome {
        Outcome::Complete => (None, Vec::new()),
        Outcome::Moot => (Some("ImageNotFound"), Vec::new()),
        Outcome::Excluded => (Some("ExcludedByRefinement"), Vec::new()),
        Outcome::Failed { code, children } => (Some(*code), children.clone()),
    };
    let now = app.clock.now();
    let children = serde_json::to_string(&children).map_err(Error::internal)?;
    tx.execute(
        "INSERT INTO replication_backfill_results (backfill_id, id, repository_name, digest, tag, \
         status, failure_code, child_failure_codes) \
         SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), name, CAST($4 AS TEXT), CAST($5 AS TEXT), \
         CAST($6 AS TEXT), CAST($7 AS TEXT), CAST($8 AS TEXT) FROM repositories WHERE id = $3",
        params![
            id,
            app.ids.next(now),
            repository_id,
            queued.digest.as_str(),
            queued.tag.as_ref().map_or("", Tag::as_str),
            if code.is_none() { "COMPLETE" } else { "FAILED" },
            code,
            children,
        ],
    )
    .await?;
    let failed = i64::from(code.is_some());
    tx.execute(
        "UPDATE replication_backfills SET completed = completed + $2, failed = failed + $3 \
         WHERE id = $1",
        params![id, 1 - failed, failed],
    )
    .await?;
    end_if_done(tx, id, now).await
}

/// Ends a prepared backfill that has nothing left in the queue.
async fn end_if_done(tx: &mut Tx, id: &str, now: Millis) -> Result<()> {
    tx.execute(
        "UPDATE replication_backfills SET status = 'COMPLETE', ended_at = $2 \
         WHERE id = $1 AND status = 'IN_PROGRESS' AND completed + failed >= total",
        params![id, now],
    )
    .await?;
    Ok(())
}
