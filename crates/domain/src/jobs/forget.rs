//! Forgetting jobs that ended.

use serde::{Deserialize, Serialize};

use super::{Job, Next, Run};
use crate::error::Result;
use crate::params;

/// How long the row of a job that is done or was cancelled stays, in seconds.
const ENDED_SECONDS: i64 = 7 * 24 * 3600;
/// How long a dead letter stays, in seconds.
const DEAD_SECONDS: i64 = 90 * 24 * 3600;
/// Rows removed in one transaction.
const BATCH: i64 = 500;

/// Removes the rows of jobs that ended a week ago, and of dead letters of three months.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ForgetJobs {}

impl Job for ForgetJobs {
    const KIND: &'static str = "forget-jobs";

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let now = run.app.clock.now();
        let mut tx = run.write().await?;
        let removed = tx
            .execute(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE \
                 (state IN ('DONE', 'CANCELLED') AND updated_at < $1) \
                 OR (state = 'DEAD' AND updated_at < $2) ORDER BY updated_at LIMIT $3)",
                params![now.plus_seconds(-ENDED_SECONDS), now.plus_seconds(-DEAD_SECONDS), BATCH],
            )
            .await?;
        run.commit(tx).await?;
        Ok(if removed == 0 { Next::Done } else { Next::Continue(self) })
    }
}
