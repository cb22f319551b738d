//! What becomes of a job when a run of it has ended. A job that ended leaves no lease.

use super::{Ended, Lease, Limits, Run, begin};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result, chain};
use crate::metadata::Mode;
use crate::params;

/// What stands in a job whose worker died on its last attempt.
pub(super) const WORKER_DIED: &str = "the worker died";
/// Bytes of an error that are kept.
const ERROR_BYTES_MAX: usize = 2_000;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Continued,
    /// It will be tried again.
    Failed,
    /// It will not.
    Dead,
    Cancelled,
    /// The job was taken over meanwhile; what came of this run does not count.
    Lost,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Continued => "continued",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// Where a job goes.
struct Step {
    outcome: Outcome,
    state: &'static str,
    run_at: Millis,
    attempts: i64,
}

/// Writes down how a run ended.
pub(super) async fn record(
    app: &App,
    run: &Run<'_>,
    limits: Limits,
    result: Result<Ended>,
) -> Result<Outcome> {
    let now = app.clock.now();
    let Lease { job_id, fence } = run.lease;
    let mut tx = begin(app, Mode::Write).await?;
    let row = tx
        .optional(
            "SELECT cancel_requested, again_at, attempts FROM jobs \
             WHERE id = $1 AND lease_fence = $2 AND state = 'RUNNING'",
            params![job_id, fence],
        )
        .await?;
    let Some(row) = row else {
        tx.commit().await?;
        return Ok(Outcome::Lost);
    };
    let cancelled: bool = row.get(0)?;
    let again_at: Option<Millis> = row.get(1)?;
    let attempts: i64 = row.get(2)?;
    let (outcome, continued, error) = match result {
        Ok(Ended::Done) => (Outcome::Done, None, None),
        Ok(Ended::Continue(_)) | Err(_) if cancelled => (Outcome::Cancelled, None, None),
        Ok(Ended::Continue(stored)) => (Outcome::Continued, Some(stored), None),
        Err(error) if attempts >= i64::from(limits.attempts) => {
            (Outcome::Dead, None, Some(shortened(&error)))
        }
        Err(error) => (Outcome::Failed, None, Some(shortened(&error))),
    };
    let step = match (outcome, again_at) {
        (Outcome::Failed, _) => {
            let run_at = Millis(now.0.saturating_add(pause(limits, attempts, job_id)));
            Step { outcome, state: "WAITING", run_at, attempts }
        }
        // Enqueued while it ran: what it found may have been old.
        (_, Some(run_at)) => Step { outcome, state: "WAITING", run_at, attempts: 0 },
        (Outcome::Continued, None) => Step { outcome, state: "WAITING", run_at: now, attempts: 0 },
        (Outcome::Done, None) => Step { outcome, state: "DONE", run_at: now, attempts },
        (Outcome::Cancelled, None) => Step { outcome, state: "CANCELLED", run_at: now, attempts },
        (Outcome::Dead | Outcome::Lost, None) => {
            Step { outcome, state: "DEAD", run_at: now, attempts }
        }
    };
    // What was enqueued meanwhile is newer than what the run would go on with.
    let continued = continued.filter(|_| again_at.is_none());
    let progress = run.last_progress();
    tx.execute(
        "UPDATE jobs SET state = $2, run_at = $3, attempts = $4, lease_owner = NULL, \
         lease_expires_at = NULL, cancel_requested = 0, again_at = NULL, last_error = $5, \
         payload_version = COALESCE(CAST($6 AS BIGINT), payload_version), \
         payload = COALESCE(CAST($7 AS TEXT), payload), \
         progress_done = COALESCE(CAST($8 AS BIGINT), progress_done), \
         progress_total = COALESCE(CAST($9 AS BIGINT), progress_total), \
         updated_at = $10 WHERE id = $1",
        params![
            job_id,
            step.state,
            step.run_at,
            step.attempts,
            error,
            continued.as_ref().map(|stored| stored.version),
            continued.map(|stored| stored.payload),
            progress.map(|progress| progress.done),
            progress.and_then(|progress| progress.total),
            now,
        ],
    )
    .await?;
    tx.commit().await?;
    Ok(step.outcome)
}

/// The pause before another attempt in milliseconds: it doubles, and jobs that failed together do
/// not come back together.
fn pause(limits: Limits, attempts: i64, job_id: i64) -> i64 {
    let doublings = u32::try_from(attempts - 1).unwrap_or(u32::MAX).min(20);
    let seconds = limits.pause_seconds.saturating_mul(1 << doublings).min(limits.pause_seconds_max);
    let millis = seconds.saturating_mul(1000);
    let chance = job_id.wrapping_mul(0x9E37_79B9).wrapping_add(attempts.wrapping_mul(0x85EB_CA6B));
    let quarter = (millis / 4).max(1);
    millis - quarter + (chance >> 7).rem_euclid(quarter + 1)
}

fn shortened(error: &Error) -> String {
    let mut text = chain(error);
    if text.len() > ERROR_BYTES_MAX {
        let end = (0..=ERROR_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_their_quarter_and_end_at_the_longest() {
        for job_id in [1, 77, 4_123_456_789_012, i64::MAX] {
            for (attempts, seconds) in
                [(1, 5), (2, 10), (3, 20), (8, 640), (11, 3600), (60, 3600), (i64::MAX, 3600)]
            {
                let pause = pause(Limits::DEFAULT, attempts, job_id);
                let most = seconds * 1000;
                assert!((most - most / 4..=most).contains(&pause), "{attempts}: {pause}");
            }
        }
    }
}
