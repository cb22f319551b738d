//! What nobody needs any more: expired uploads, objects that lost their row, old access records.
//!
//! Everything here is named by a row before it exists and forgotten by a row after it is gone, so
//! a crash at any point only means that the next sweep does the rest.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::app::App;
use crate::audit;
use crate::authorize::Permit;
use crate::blobs::parse_object_id;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::params;
use crate::uploads::UploadId;

/// Rows handled in one transaction.
const BATCH: i64 = 200;

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
    /// Objects removed from the store.
    pub objects: u64,
    /// Access records past their retention.
    pub access_records: u64,
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
    let mut swept = Swept::default();
    while expire_uploads(app, &mut swept).await? {}
    while remove_objects(app, &mut swept).await? {}
    while remove_access_records(app, &mut swept).await? {}
    Ok(swept)
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
    Ok(expired > 0)
}

async fn remove_objects(app: &App, swept: &mut Swept) -> Result<bool> {
    let mut tx = begin(app, Mode::Read).await?;
    let rows = tx
        .all("SELECT object_id FROM garbage_objects ORDER BY since LIMIT $1", params![BATCH])
        .await?;
    drop(tx);
    let mut removed = Vec::with_capacity(rows.len());
    for row in &rows {
        let object = parse_object_id(&row.get::<String>(0)?)?;
        // A request may have read an upload's row before it was deleted and make the object only
        // now; without this row nothing would name it.
        if app.upload_locks.may_write(&object) {
            continue;
        }
        app.objects.delete(&object).await?;
        removed.push(object);
    }
    if removed.is_empty() {
        return Ok(false);
    }
    let mut tx = begin(app, Mode::Write).await?;
    for object in &removed {
        tx.execute("DELETE FROM garbage_objects WHERE object_id = $1", params![object.as_str()])
            .await?;
    }
    tx.commit().await?;
    swept.objects += removed.len() as u64;
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
    Ok(removed > 0)
}
