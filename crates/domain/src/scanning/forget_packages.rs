//! The job that forgets packages that no image has any more.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::jobs::{Job, Limits, Next, Run};
use crate::params;

/// Packages of one transaction.
const BATCH: usize = 500;

/// Forgets them, in the order of their rows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ForgetPackages {
    after: i64,
}

impl Job for ForgetPackages {
    const KIND: &'static str = "forget-packages";
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.write().await?;
        let rows = tx
            .all(
                "SELECT id, CASE WHEN EXISTS (SELECT 1 FROM image_packages \
                 WHERE image_packages.package_version_id = package_versions.id) \
                 THEN 1 ELSE 0 END FROM package_versions WHERE id > $1 ORDER BY id LIMIT $2",
                params![self.after, BATCH],
            )
            .await?;
        let mut after = self.after;
        for row in &rows {
            after = row.get(0)?;
            if row.get::<i64>(1)? == 0 {
                // One that a scan notes in this moment keeps its row: the reference forbids it.
                tx.execute("DELETE FROM package_versions WHERE id = $1", params![after]).await?;
            }
        }
        run.commit(tx).await?;
        Ok(if rows.len() == BATCH { Next::Continue(Self { after }) } else { Next::Done })
    }
}
