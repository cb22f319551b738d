//! Forgetting backfills that ended.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::jobs::{Job, Next, Run};
use crate::params;

/// How long a backfill is told after it ended, in seconds: 90 days (botocore `ecr`,
/// `ListReplicationBackfills`).
const SECONDS: i64 = 90 * 24 * 3600;
/// Results removed in one transaction.
const BATCH: i64 = 1_000;

/// Removes backfills that ended 90 days ago, results first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ForgetBackfills {}

impl Job for ForgetBackfills {
    const KIND: &'static str = "forget-backfills";

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let before = run.app.clock.now().plus_seconds(-SECONDS);
        let mut tx = run.write().await?;
        let old = tx
            .optional(
                "SELECT id FROM replication_backfills WHERE ended_at < $1 ORDER BY ended_at LIMIT 1",
                params![before],
            )
            .await?;
        let Some(old) = old else {
            run.commit(tx).await?;
            return Ok(Next::Done);
        };
        let id: String = old.get(0)?;
        let removed = tx
            .execute(
                "DELETE FROM replication_backfill_results WHERE backfill_id = $1 AND id IN \
                 (SELECT id FROM replication_backfill_results WHERE backfill_id = $1 LIMIT $2)",
                params![&id, BATCH],
            )
            .await?;
        if removed == 0 {
            tx.execute("DELETE FROM replication_backfills WHERE id = $1", params![&id]).await?;
        }
        run.commit(tx).await?;
        Ok(Next::Continue(self))
    }
}
