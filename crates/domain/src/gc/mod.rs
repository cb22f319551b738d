//! What nobody needs any more: expired uploads, blobs that no image refers to, objects that lost
//! their row, old access records.
//!
//! Everything here is named by a row before it exists and forgotten by a row after it is gone, so
//! a crash at any point only means that the next sweep does the rest. Why nothing that is needed
//! ever goes, and all the rest does, stands in `docs/garbage-collection.md`.

mod collect;
mod freshness;
pub mod operations;
mod pins;
mod plan;

use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;

pub(crate) use self::collect::{
    Collector, must_be_refreshed, put_candidate, remove_candidate, remove_candidates_of_image,
};
pub use self::freshness::flush;
pub use self::pins::Pin;
pub use self::plan::{Plan, Status, plan, status};
use crate::app::App;
use crate::archive::archive_blobs::abandon_copies;
use crate::audit;
use crate::authorize::Permit;
use crate::blobs::parse_object_id;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::{Mode, Row};
use crate::params;
use crate::uploads::UploadId;

/// Rows handled in one transaction.
const BATCH: i64 = 200;

/// That a repository holds a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edge {
    pub(crate) repository_id: i64,
    pub(crate) blob_id: i64,
}

impl Edge {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self { repository_id: row.get(0)?, blob_id: row.get(1)? })
    }
}

/// Tells the sweeper that there is something to do.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    async fn wait(&self) {
        self.0.notified().await;
    }
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that nobody went on with.
    pub expired_uploads: u64,
    /// Blobs that a repository held without need, once for each repository.
    pub edges: u64,
    /// Blobs that no repository held any more.
    pub blobs: u64,
    /// The bytes of these blobs, as clients sent them.
    pub bytes: u64,
    /// Objects removed from the store.
    pub objects: u64,
    /// Access records past their retention.
    pub access_records: u64,
}

/// What is removed, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    Uploads,
    Edges,
    Blobs,
    Objects,
    AccessRecords,
}

impl Removed {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Uploads => "upload",
            Self::Edges => "repository_blob",
            Self::Blobs => "blob",
            Self::Objects => "object",
            Self::AccessRecords => "access_record",
        }
    }
}

/// Waits until something became garbage.
pub async fn garbage_made(app: &App) {
    app.garbage.wait().await;
}

/// Removes what nobody needs. Idempotent; safe beside every other operation.
///
/// # Errors
/// When a store fails; what was removed until then stays removed, the rest is for the next sweep.
pub async fn sweep(app: &App) -> Result<Swept> {
    Ok(sweep_at_most(app, u64::MAX).await?.0)
}

/// As [`sweep`], with at most `batches` transactions; whether there may be more to remove.
///
/// # Errors
/// As [`sweep`].
async fn sweep_at_most(app: &App, batches: u64) -> Result<(Swept, bool)> {
    let result = sweep_in_order(app, batches).await;
    app.metrics.record_sweep(result.is_ok());
    if let Ok((_, false)) = result {
        let mut last = app.collector.last_sweep_at.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(app.clock.now());
    }
    result
}

/// Each part makes work for the one after it.
async fn sweep_in_order(app: &App, batches: u64) -> Result<(Swept, bool)> {
    let mut swept = Swept::default();
    let mut left = batches;
    let mut spent = || {
        left -= 1;
        left == 0
    };
    while expire_uploads(app, &mut swept).await? {
        if spent() {
            return Ok((swept, true));
        }
    }
    while collect::collect_blobs(app, &mut swept).await? {
        if spent() {
            return Ok((swept, true));
        }
    }
    while forget_copies(app).await? {
        if spent() {
            return Ok((swept, true));
        }
    }
    while remove_objects(app, &mut swept).await? {
        if spent() {
            return Ok((swept, true));
        }
    }
    while remove_access_records(app, &mut swept).await? {
        if spent() {
            return Ok((swept, true));
        }
    }
    Ok((swept, false))
}

async fn begin(app: &App, mode: Mode) -> Result<Tx> {
    Tx::begin(app.metadata.as_ref(), mode, &Permit::maintenance()).await
}

async fn expire_uploads(app: &App, swept: &mut Swept) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = begin(app, Mode::Write).await?;
    let rows = tx
        .all(
            "SELECT id, object_id FROM uploads WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
            params![now, BATCH],
        )
        .await?;
    let mut expired = 0;
    for row in &rows {
        let id = row.get::<String>(0)?;
        // A request that takes longer than an upload may rest is still not resting.
        let Some(Ok(_lock)) = UploadId::parse(&id).map(|id| app.upload_locks.lock(&id)) else {
            continue;
        };
        expired += tx.execute("DELETE FROM uploads WHERE id = $1", params![id]).await?;
        tx.execute(
            "INSERT INTO garbage_objects (object_id, since) VALUES ($1, $2) \
             ON CONFLICT (object_id) DO NOTHING",
            params![row.get::<String>(1)?, now],
        )
        .await?;
    }
    tx.commit().await?;
    swept.expired_uploads += expired;
    app.metrics.record_garbage(Removed::Uploads, expired);
    Ok(expired > 0)
}

/// Copies that were to become blobs and that nobody makes any more are garbage.
async fn forget_copies(app: &App) -> Result<bool> {
    let mut tx = begin(app, Mode::Read).await?;
    let any = tx.optional("SELECT 1 FROM object_copies WHERE object_id > '' LIMIT 1", &[]).await?;
    drop(tx);
    if any.is_none() {
        return Ok(false);
    }
    let mut tx = begin(app, Mode::Write).await?;
    let abandoned = abandon_copies(&mut tx, app, BATCH).await?;
    tx.commit().await?;
    Ok(abandoned)
}

async fn remove_objects(app: &App, swept: &mut Swept) -> Result<bool> {
    let mut tx = begin(app, Mode::Read).await?;
    let rows = tx
        .all("SELECT object_id FROM garbage_objects ORDER BY since LIMIT $1", params![BATCH])
        .await?;
    drop(tx);
    // After the rows were read: a backup that takes its pin later than now takes its snapshot later
    // still, in which no blob needs these objects.
    if app.collector.pins.held(app.clock.now()) {
        return Ok(false);
    }
    let mut removed = Vec::with_capacity(rows.len());
    for row in &rows {
        let object = parse_object_id(&row.get::<String>(0)?)?;
        // A request may have read an upload's row before it was deleted and make the object only
        // now; without this row nothing would name it.
        if app.upload_locks.may_write(&object) || app.copying.may_write(&object) {
            continue;
        }
        app.objects.delete(&object).await?;
        removed.push(object);
    }
    if removed.is_empty() {
        return Ok(false);
    }
    let mut tx = begin(app, Mode::Write).await?;
    let mut forgotten = 0;
    for object in &removed {
        forgotten += tx
            .execute("DELETE FROM garbage_objects WHERE object_id = $1", params![object.as_str()])
            .await?;
    }
    tx.commit().await?;
    swept.objects += forgotten;
    app.metrics.record_garbage(Removed::Objects, forgotten);
    Ok(true)
}

async fn remove_access_records(app: &App, swept: &mut Swept) -> Result<bool> {
    let before = app.clock.now().plus_seconds(-audit::RETENTION_SECONDS);
    let mut tx = begin(app, Mode::Write).await?;
    let removed = tx
        .execute(
            "DELETE FROM access_records WHERE id IN (SELECT id FROM access_records \
             WHERE occurred_at < $1 ORDER BY occurred_at LIMIT $2)",
            params![before, BATCH],
        )
        .await?;
    tx.commit().await?;
    swept.access_records += removed;
    app.metrics.record_garbage(Removed::AccessRecords, removed);
    Ok(removed > 0)
}
