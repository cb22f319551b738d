//! The job that copies blobs to the archive which only archived images need.

use serde::{Deserialize, Serialize};

use super::moving::{self, Moved};
use crate::app::App;
use crate::error::Result;
use crate::execute::Tx;
use crate::jobs::{Job, Limits, Next, Run};
use crate::objects::Tier;
use crate::params;

/// Blobs of one run.
const BATCH: u64 = 20;

/// Copies what waits, a bounded part in each run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ArchiveBlobs {
    /// How many were copied in the runs before.
    done: u64,
}

impl Job for ArchiveBlobs {
    const KIND: &'static str = "archive-blobs";
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        String::new()
    }

    async fn run(mut self, run: &Run<'_>) -> Result<Next<Self>> {
        for _ in 0..BATCH {
            let mut tx = run.read().await?;
            let row = tx
                .optional("SELECT blob_id FROM archive_candidates ORDER BY blob_id LIMIT 1", &[])
                .await?;
            drop(tx);
            let Some(row) = row else { return Ok(Next::Done) };
            let blob_id: i64 = row.get(0)?;
            let moved = moving::move_blob(run, blob_id, Tier::Archive).await?;
            self.done += u64::from(moved == Moved::Yes);
            // Whatever makes the blob one for the archive from now on makes it a candidate again,
            // in a transaction after or before this one; of those before, this looks again.
            let mut tx = run.write().await?;
            if moved == Moved::Damaged || !moving::is_wanted_in_archive(&mut tx, blob_id).await? {
                tx.execute("DELETE FROM archive_candidates WHERE blob_id = $1", params![blob_id])
                    .await?;
            }
            run.commit(tx).await?;
            run.progress(self.done, None);
        }
        Ok(Next::Continue(self))
    }
}

/// Lets copies become garbage that nobody makes any more; whether there were any.
pub(crate) async fn abandon_copies(tx: &mut Tx, app: &App, limit: i64) -> Result<bool> {
    Ok(moving::abandon(tx, app, limit).await? > 0)
}
