//! Blobs: what a repository holds without need, and what no repository holds.

use tokio::sync::Mutex;

use super::freshness::{Claim, Freshness, refresh};
use super::pins::Pins;
use super::{Edge, Removed, Swept, begin};
use crate::app::App;
use crate::archive;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::{params, scanning};

/// Candidates examined in one transaction, which keeps the writer for a few milliseconds.
const BATCH: i64 = 100;

/// What the collector keeps in memory.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// What clients were told of.
    pub(crate) freshness: Freshness,
    /// What keeps objects in the store.
    pub(crate) pins: Pins,
    /// Held while one transaction examines candidates, so that there is one at a time.
    alone: Mutex<()>,
    /// When a sweep last ended well, in this process.
    pub(super) last_sweep_at: std::sync::Mutex<Option<Millis>>,
}

/// Candidates since then or earlier are due.
pub(super) fn cutoff(app: &App) -> Millis {
    app.clock.now().plus_seconds(-app.settings.gc_grace_seconds)
}

/// Makes an edge a candidate, or lets the grace period of the candidate begin again.
pub(crate) async fn put_candidate(tx: &mut Tx, edge: Edge, since: Millis) -> Result<()> {
    tx.execute(
        "INSERT INTO garbage_candidates (repository_id, blob_id, since) VALUES ($1, $2, $3) \
         ON CONFLICT (repository_id, blob_id) DO UPDATE SET since = excluded.since",
        params![edge.repository_id, edge.blob_id, since],
    )
    .await?;
    Ok(())
}

/// An image refers to the blob from now on.
pub(crate) async fn remove_candidate(tx: &mut Tx, edge: Edge) -> Result<()> {
    tx.execute(
        "DELETE FROM garbage_candidates WHERE repository_id = $1 AND blob_id = $2",
        params![edge.repository_id, edge.blob_id],
    )
    .await?;
    Ok(())
}

/// The blobs that an image refers to are no candidates any more.
pub(crate) async fn remove_candidates_of_image(
    tx: &mut Tx,
    repository_id: i64,
    image_id: i64,
) -> Result<()> {
    tx.execute(
        "DELETE FROM garbage_candidates WHERE repository_id = $1 \
         AND blob_id IN (SELECT blob_id FROM image_blobs WHERE image_id = $2)",
        params![repository_id, image_id],
    )
    .await?;
    Ok(())
}

/// Whether a candidate is so old that a client that is told of it must make it fresh again: half
/// of the grace period has passed. What is younger stays long enough by itself, and a push costs
/// no write beside its own.
pub(crate) async fn must_be_refreshed(app: &App, tx: &mut Tx, edge: &Edge) -> Result<bool> {
    let young = app.clock.now().plus_seconds(-(app.settings.gc_grace_seconds / 2));
    // Without the time in it, the question can be remembered.
    let found = tx
        .optional(
            "SELECT since FROM garbage_candidates WHERE repository_id = $1 AND blob_id = $2",
            params![edge.repository_id, edge.blob_id],
        )
        .await?;
    Ok(found.map(|row| row.get::<Millis>(0)).transpose()?.is_some_and(|since| since <= young))
}

/// Examines the oldest candidates in one transaction; whether there may be more.
pub(super) async fn collect_blobs(app: &App, swept: &mut Swept) -> Result<bool> {
    let collector = &app.collector;
    let _alone = collector.alone.lock().await;
    let cutoff = cutoff(app);
    let mut tx = begin(app, Mode::Read).await?;
    let nothing_due = due(&mut tx, cutoff, 1).await?.is_empty();
    drop(tx);
    if nothing_due && !collector.freshness.has_claims() {
        return Ok(false);
    }
    let mut tx = begin(app, Mode::Write).await?;
    let candidates = due(&mut tx, cutoff, BATCH).await?;
    let examined = candidates.len() as u64;
    // Before anything is read that the decision is made from.
    let claim = collector.freshness.claim(candidates, cutoff);
    let removed = match collect(app, &mut tx, &claim).await {
        Ok(removed) => removed,
        Err(error) => {
            drop(tx);
            collector.freshness.release(&claim);
            return Err(error);
        }
    };
    // Should this fail, or the sweep be dropped here, nobody knows whether the edges are gone: the
    // claims stay until a later commit has shown that this one has ended.
    tx.commit().await?;
    collector.freshness.settle();
    swept.edges += removed.edges;
    swept.blobs += removed.blobs;
    swept.bytes += removed.bytes;
    app.metrics.record_garbage(Removed::Edges, removed.edges);
    app.metrics.record_garbage(Removed::Blobs, removed.blobs);
    app.metrics.record_reclaimed(removed.bytes);
    Ok(examined > 0)
}

async fn due(tx: &mut Tx, cutoff: Millis, limit: i64) -> Result<Vec<Edge>> {
    let rows = tx
        .all(
            "SELECT repository_id, blob_id FROM garbage_candidates \
             WHERE since <= $1 ORDER BY since LIMIT $2",
            params![cutoff, limit],
        )
        .await?;
    rows.iter().map(Edge::from_row).collect()
}

async fn collect(app: &App, tx: &mut Tx, claim: &Claim) -> Result<Swept> {
    let mut removed = Swept::default();
    for (edge, told) in &claim.told {
        refresh(tx, edge, *told).await?;
    }
    for edge in &claim.due {
        collect_one(app, tx, edge, &mut removed).await?;
    }
    if removed.blobs > 0 {
        tx.execute(
            "UPDATE garbage_collection SET removed_blobs = removed_blobs + $1, \
             reclaimed_bytes = reclaimed_bytes + $2 WHERE id = 1",
            params![removed.blobs, removed.bytes],
        )
        .await?;
    }
    Ok(removed)
}

async fn collect_one(app: &App, tx: &mut Tx, edge: &Edge, removed: &mut Swept) -> Result<()> {
    removed.edges += tx
        .execute(
            "DELETE FROM repository_blobs WHERE repository_id = $1 AND blob_id = $2 \
             AND NOT EXISTS (SELECT 1 FROM image_blobs WHERE repository_id = $1 AND blob_id = $2)",
            params![edge.repository_id, edge.blob_id],
        )
        .await?;
    tx.execute(
        "DELETE FROM garbage_candidates WHERE repository_id = $1 AND blob_id = $2",
        params![edge.repository_id, edge.blob_id],
    )
    .await?;
    let unheld = tx
        .optional(
            "SELECT size, object_id FROM blobs WHERE id = $1 \
             AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE blob_id = $1)",
            params![edge.blob_id],
        )
        .await?;
    let Some(row) = unheld else { return archive::examine_edge(tx, app, *edge).await };
    if let Some(object_id) = row.get::<Option<String>>(1)? {
        tx.execute(
            "INSERT INTO garbage_objects (object_id, since) VALUES ($1, $2) \
             ON CONFLICT (object_id) DO NOTHING",
            params![object_id, app.clock.now()],
        )
        .await?;
    }
    scanning::state::forget_layer(tx, edge.blob_id).await?;
    let gone = tx.execute("DELETE FROM blobs WHERE id = $1", params![edge.blob_id]).await?;
    if gone != 1 {
        return Err(Error::internal("a blob row vanished inside a transaction"));
    }
    removed.blobs += 1;
    removed.bytes = removed.bytes.saturating_add(row.get(0)?);
    Ok(())
}
