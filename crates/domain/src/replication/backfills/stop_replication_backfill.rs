//! `StopReplicationBackfill`.

use super::{Backfill, BackfillStatus, get};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::params;

/// Stops a backfill: what is not copied yet is not, what is stays. An image that is being copied in
/// this moment arrives, and is not counted.
///
/// # Errors
/// [`ErrorKind::BackfillNotFound`], [`ErrorKind::BackfillInvalidStatus`] for one that has ended.
#[derive(Clone, Debug)]
pub struct StopReplicationBackfill {
    /// Which one.
    pub id: String,
}

impl Operation for StopReplicationBackfill {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "StopReplicationBackfill" };
    type Output = Backfill;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:StopReplicationBackfill", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Backfill> {
        let mut tx = call.write().await?;
        let mut backfill = get(&mut tx, &call, &self.id).await?;
        if !backfill.status.is_under_way() {
            let refusal = Error::new(
                ErrorKind::BackfillInvalidStatus,
                format!(
                    "The replication backfill with id '{}' has ended with status {}.",
                    backfill.id,
                    backfill.status.as_str()
                ),
            );
            return call.refuse(tx, refusal).await;
        }
        // Whoever had no other copy under way has none now.
        tx.execute(
            "DELETE FROM replications WHERE status = 'IN_PROGRESS' AND account_id = $2 \
             AND region = $3 AND image_id IN (SELECT images.id FROM replication_queue \
             JOIN images ON images.repository_id = replication_queue.repository_id \
             AND images.digest = replication_queue.digest \
             WHERE replication_queue.backfill_id = $1) \
             AND NOT EXISTS (SELECT 1 FROM replication_queue AS other \
             JOIN images ON images.repository_id = other.repository_id \
             AND images.digest = other.digest WHERE images.id = replications.image_id \
             AND other.account_id = $2 AND other.region = $3 \
             AND (other.backfill_id IS NULL OR other.backfill_id <> $1))",
            params![&backfill.id, &backfill.destination.account, &backfill.destination.region],
        )
        .await?;
        tx.execute("DELETE FROM replication_queue WHERE backfill_id = $1", params![&backfill.id])
            .await?;
        tx.execute(
            "UPDATE replication_backfills SET status = 'STOPPED', ended_at = $2 WHERE id = $1",
            params![&backfill.id, call.now()],
        )
        .await?;
        call.commit(tx).await?;
        backfill.status = BackfillStatus::Stopped;
        backfill.ended_at = Some(call.now());
        Ok(backfill)
    }
}
