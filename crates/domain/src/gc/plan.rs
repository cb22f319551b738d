//! What the next sweep would do, and what sweeps have done.

use std::collections::HashSet;
use std::sync::PoisonError;

use super::collect::cutoff;
use super::{Edge, Swept, begin};
use crate::app::App;
use crate::audit;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::metadata::Mode;
use crate::params;

/// Rows of one kind that are looked at.
const EXAMINED_MAX: u64 = 10_000;

/// What a sweep would remove now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What it would remove.
    pub removes: Swept,
    /// Whether everything was looked at; at most 10,000 rows of each kind are.
    pub complete: bool,
}

/// How garbage collection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How long what nothing refers to stays, in seconds.
    pub grace_seconds: i64,
    /// When a sweep last ended well, in this process.
    pub last_sweep_at: Option<Millis>,
    /// Blobs of repositories that wait for the end of their grace period; no more than
    /// [`Status::CANDIDATES_MAX`] are counted.
    pub candidates: u64,
    /// Blobs that were ever removed.
    pub removed_blobs: u64,
    /// Their bytes, as clients sent them.
    pub reclaimed_bytes: u64,
}

impl Status {
    /// How many candidates are counted.
    pub const CANDIDATES_MAX: u64 = 100_000;
}

/// Says what a sweep would remove now, and removes nothing. Another request may change that at any
/// moment.
///
/// # Errors
/// When the database fails.
pub async fn plan(app: &App) -> Result<Plan> {
    let now = app.clock.now();
    let cutoff = cutoff(app);
    let mut tx = begin(app, Mode::Read).await?;
    let mut removes = Swept::default();
    let mut examined_most = 0;

    let candidates = tx
        .all(
            "SELECT repository_id, blob_id FROM garbage_candidates \
             WHERE since <= $1 ORDER BY since LIMIT $2",
            params![cutoff, EXAMINED_MAX + 1],
        )
        .await?;
    let mut blobs = HashSet::new();
    for row in candidates.iter().take(usize::try_from(EXAMINED_MAX).unwrap_or(usize::MAX)) {
        let edge = Edge::from_row(row)?;
        if app.collector.freshness.told_at(&edge).is_some_and(|told| told > cutoff) {
            continue;
        }
        let unneeded = tx
            .optional(
                "SELECT 1 FROM repository_blobs WHERE repository_id = $1 AND blob_id = $2 \
                 AND NOT EXISTS (SELECT 1 FROM image_blobs \
                 WHERE repository_id = $1 AND blob_id = $2)",
                params![edge.repository_id, edge.blob_id],
            )
            .await?;
        removes.edges += u64::from(unneeded.is_some());
        if !blobs.insert(edge.blob_id) {
            continue;
        }
        // Every edge to it goes in this sweep too.
        let unheld = tx
            .optional(
                "SELECT size, object_id FROM blobs WHERE id = $1 AND NOT EXISTS (\
                 SELECT 1 FROM repository_blobs AS held WHERE held.blob_id = $1 AND (EXISTS (\
                 SELECT 1 FROM image_blobs WHERE image_blobs.repository_id = held.repository_id \
                 AND image_blobs.blob_id = $1) OR NOT EXISTS (\
                 SELECT 1 FROM garbage_candidates AS due \
                 WHERE due.repository_id = held.repository_id AND due.blob_id = $1 \
                 AND due.since <= $2)))",
                params![edge.blob_id, cutoff],
            )
            .await?;
        if let Some(row) = unheld {
            removes.blobs += 1;
            removes.bytes = removes.bytes.saturating_add(row.get(0)?);
            removes.objects += u64::from(row.get::<Option<String>>(1)?.is_some());
        }
    }
    examined_most = examined_most.max(candidates.len() as u64);

    let mut count = async |sql, params: &[_]| -> Result<u64> {
        let row = tx.optional(sql, params).await?;
        let counted = row.ok_or_else(|| Error::internal("a count has no row"))?.get(0)?;
        examined_most = examined_most.max(counted);
        Ok(counted)
    };
    removes.expired_uploads = count(
        "SELECT COUNT(*) FROM (SELECT 1 FROM uploads WHERE expires_at <= $1 LIMIT $2) AS expired",
        params![now, EXAMINED_MAX + 1],
    )
    .await?;
    let objects = count(
        "SELECT COUNT(*) FROM (SELECT 1 FROM garbage_objects LIMIT $1) AS unnamed",
        params![EXAMINED_MAX + 1],
    )
    .await?;
    removes.objects += objects + removes.expired_uploads;
    removes.access_records = count(
        "SELECT COUNT(*) FROM (SELECT 1 FROM access_records WHERE occurred_at < $1 LIMIT $2) \
         AS expired",
        params![now.plus_seconds(-audit::RETENTION_SECONDS), EXAMINED_MAX + 1],
    )
    .await?;
    Ok(Plan { removes, complete: examined_most <= EXAMINED_MAX })
}

/// Says how garbage collection stands.
///
/// # Errors
/// When the database fails.
pub async fn status(app: &App) -> Result<Status> {
    let mut tx = begin(app, Mode::Read).await?;
    let candidates = tx
        .optional(
            "SELECT COUNT(*) FROM (SELECT 1 FROM garbage_candidates LIMIT $1) AS queued",
            params![Status::CANDIDATES_MAX],
        )
        .await?
        .ok_or_else(|| Error::internal("a count has no row"))?;
    let totals = tx
        .optional("SELECT removed_blobs, reclaimed_bytes FROM garbage_collection WHERE id = 1", &[])
        .await?
        .ok_or_else(|| Error::internal("the totals of garbage collection have no row"))?;
    let last_sweep_at = *app.collector.last_sweep_at.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Status {
        grace_seconds: app.settings.gc_grace_seconds,
        last_sweep_at,
        candidates: candidates.get(0)?,
        removed_blobs: totals.get(0)?,
        reclaimed_bytes: totals.get(1)?,
    })
}
