//! Removing secrets whose recovery window is over.

use serde::{Deserialize, Serialize};

use super::rows;
use crate::error::Result;
use crate::jobs::{Job, Next, Run};
use crate::params;

/// Secrets removed in one transaction; each may have 100 versions of 64 KiB.
const BATCH: i64 = 20;

/// Removes secrets whose recovery window is over. Nothing finds them before either.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PurgeSecrets {}

impl Job for PurgeSecrets {
    const KIND: &'static str = "purge-secrets";

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.write().await?;
        let over = tx
            .all(
                "SELECT id FROM secrets WHERE purge_at <= $1 ORDER BY purge_at LIMIT $2",
                params![run.app.clock.now(), BATCH],
            )
            .await?;
        for row in &over {
            rows::remove(&mut tx, row.get(0)?).await?;
        }
        run.commit(tx).await?;
        Ok(if over.is_empty() { Next::Done } else { Next::Continue(self) })
    }
}
