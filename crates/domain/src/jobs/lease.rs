//! The right to run a job. It has a number that grows with every claim, so that a worker that was
//! taken for dead cannot write into the work of its successor.

use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::params;

/// How long a claim holds without a sign of life, in seconds.
pub(super) const SECONDS: i64 = 60;

/// The right to run a job, while nobody took it over and nobody cancelled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(super) job_id: i64,
    pub(super) fence: i64,
}

impl Lease {
    /// The lease of a claim; whoever makes one up holds nothing by it.
    pub fn new(job_id: i64, fence: i64) -> Self {
        Self { job_id, fence }
    }

    /// Makes sure, inside a transaction that writes, that the job is still this worker's, and lets
    /// the lease begin anew. Everything that the transaction does stands or falls with it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the job was cancelled or taken over: it ends.
    pub(crate) async fn hold(&self, tx: &mut Tx, now: Millis) -> Result<()> {
        if self.renew(tx, now).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "The job was cancelled, or another worker has it."))
    }

    /// Lets the lease begin anew; whether it still held.
    pub(super) async fn renew(&self, tx: &mut Tx, now: Millis) -> Result<bool> {
        let renewed = tx
            .execute(
                "UPDATE jobs SET lease_expires_at = $3 WHERE id = $1 AND lease_fence = $2 \
                 AND state = 'RUNNING' AND cancel_requested = 0",
                params![self.job_id, self.fence, now.plus_seconds(SECONDS)],
            )
            .await?;
        Ok(renewed == 1)
    }
}
