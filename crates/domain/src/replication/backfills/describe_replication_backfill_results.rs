//! `DescribeReplicationBackfillResults`.

use super::{Backfill, get};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::pages::{Page, PageRequest};
use crate::params;

/// Tells how far a backfill has come, and, once it has ended, what came of each image and tag in
/// the order in which they were tried.
///
/// # Errors
/// [`crate::error::ErrorKind::BackfillNotFound`].
#[derive(Clone, Debug)]
pub struct DescribeReplicationBackfillResults {
    /// Which one.
    pub id: String,
    /// Only those that failed, or only those that did not.
    pub failed: Option<bool>,
    /// Which page.
    pub page: PageRequest,
}

/// What came of one image or tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillResult {
    /// The repository.
    pub repository_name: String,
    /// The digest.
    pub digest: String,
    /// The tag, if the image had one.
    pub tag: Option<String>,
    /// Why it failed; nothing if it did not.
    pub failure_code: Option<String>,
    /// Why images below it failed.
    pub child_failure_codes: Vec<String>,
    id: i64,
}

impl Operation for DescribeReplicationBackfillResults {
    const ENTRY: Entry =
        Entry { service: Service::Ecr, name: "DescribeReplicationBackfillResults" };
    type Output = (Backfill, Page<BackfillResult>);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:DescribeReplicationBackfillResults", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<(Backfill, Page<BackfillResult>)> {
        let after: i64 = match self.page.after.as_deref() {
            None => 0,
            Some(after) => {
                after.parse().map_err(|_| Error::invalid_parameter("nextToken", "Invalid token"))?
            }
        };
        let mut tx = call.read().await?;
        let backfill = get(&mut tx, &call, &self.id).await?;
        if backfill.status.is_under_way() {
            return Ok((backfill, Page { items: Vec::new(), next: None }));
        }
        let status = self.failed.map(|failed| if failed { "FAILED" } else { "COMPLETE" });
        let rows = tx
            .all(
                "SELECT repository_name, digest, tag, failure_code, child_failure_codes, id \
                 FROM replication_backfill_results WHERE backfill_id = $1 AND id > $2 \
                 AND (CAST($3 AS TEXT) IS NULL OR status = $3) ORDER BY id LIMIT $4",
                params![&backfill.id, after, status, self.page.limit_and_one()],
            )
            .await?;
        let mut results = Vec::with_capacity(rows.len());
        for row in &rows {
            let children: String = row.get(4)?;
            results.push(BackfillResult {
                repository_name: row.get(0)?,
                digest: row.get(1)?,
                tag: Some(row.get::<String>(2)?).filter(|tag| !tag.is_empty()),
                failure_code: row.get(3)?,
                child_failure_codes: serde_json::from_str(&children).map_err(Error::internal)?,
                id: row.get(5)?,
            });
        }
        Ok((backfill, self.page.cut(results, |result| result.id.to_string())))
    }
}
