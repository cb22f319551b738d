//! The job that forgets what happened long ago: events of the outbox, and moves of tags.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::error::Result;
use crate::jobs::{Job, Limits, Next, Run};
use crate::params;

/// Rows of one transaction: pushes wait for it no longer than for a few of their own.
const BATCH: usize = 500;

/// Forgets events that are older than `event_retention`, then moves of tags that are older than
/// `tag_history_retention`. The last move of a tag that is there stays: it says since when the tag
/// names what it names, and who moved it.
///
/// An event is committed within moments of its time, and kept for a day at least; so whoever goes
/// through the outbox in the order of time and looks back a few minutes for what was committed late
/// misses nothing, as long as it is not a whole retention behind.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ForgetHistory {
    /// The last move of a tag that was looked at, while the job goes through them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<(Millis, i64)>,
}

impl Job for ForgetHistory {
    const KIND: &'static str = "forget-history";
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let Some(after) = self.after else {
            let more = forget_events(run).await?;
            let after = (!more).then_some((Millis(i64::MIN), i64::MIN));
            return Ok(Next::Continue(Self { after }));
        };
        let after = forget_moves(run, after).await?;
        Ok(if after.is_some() { Next::Continue(Self { after }) } else { Next::Done })
    }
}

/// Removes the oldest events; whether there may be more that are too old.
async fn forget_events(run: &Run<'_>) -> Result<bool> {
    let Some(seconds) = run.app.settings.event_retention_seconds else { return Ok(false) };
    let before = run.app.clock.now().plus_seconds(-seconds);
    let mut tx = run.write().await?;
    let removed = tx
        .execute(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE occurred_at < $1 \
             ORDER BY occurred_at, id LIMIT $2)",
            params![before, BATCH],
        )
        .await?;
    run.commit(tx).await?;
    Ok(removed >= BATCH as u64)
}

/// Removes moves of tags, the oldest first; where to go on, if there may be more.
async fn forget_moves(run: &Run<'_>, after: (Millis, i64)) -> Result<Option<(Millis, i64)>> {
    let Some(seconds) = run.app.settings.tag_history_retention_seconds else { return Ok(None) };
    let before = run.app.clock.now().plus_seconds(-seconds);
    let mut tx = run.write().await?;
    let rows = tx
        .all(
            "SELECT changed_at, id FROM tag_history WHERE changed_at < $1 AND changed_at >= $2 \
             AND (changed_at > $2 OR id > $3) ORDER BY changed_at, id LIMIT $4",
            params![before, after.0, after.1, BATCH],
        )
        .await?;
    let last: Option<(Millis, i64)> = match rows.last() {
        Some(row) => Some((row.get(0)?, row.get(1)?)),
        None => None,
    };
    if let Some((at, id)) = last {
        tx.execute(
            "DELETE FROM tag_history WHERE changed_at >= $1 AND (changed_at > $1 OR id > $2) \
             AND changed_at <= $3 AND (changed_at < $3 OR id <= $4) \
             AND NOT EXISTS (SELECT 1 FROM tags \
             WHERE tags.repository_id = tag_history.repository_id \
             AND tags.name = tag_history.tag AND tags.version = tag_history.version)",
            params![after.0, after.1, at, id],
        )
        .await?;
    }
    run.commit(tx).await?;
    Ok(last.filter(|_| rows.len() == BATCH))
}
