//! Claiming: which job is next. Kinds take turns, and within a kind accounts do, so that nobody's
//! hundred thousand images keep another's ten waiting.

use std::collections::HashMap;

use super::{Kind, Lease, Stored, begin, lease, outcome};
use crate::app::App;
use crate::clock::Millis;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::{Mode, Row};
use crate::params;

/// A job that is this worker's now.
pub(super) struct Claimed {
    pub(super) kind: Kind,
    pub(super) lease: Lease,
    pub(super) stored: Stored,
}

/// Whose turn it was last.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The kind to ask first, as a position.
    first: usize,
    /// The account that was served last, by kind.
    accounts: HashMap<&'static str, String>,
}

/// Whether anything is due, so that nobody waits for the writer without need.
pub(super) async fn is_due(app: &App, now: Millis) -> Result<bool> {
    let mut tx = begin(app, Mode::Read).await?;
    let due = tx
        .optional(
            "SELECT 1 FROM jobs WHERE state = 'WAITING' AND run_at <= $1 LIMIT 1",
            params![now],
        )
        .await?;
    if due.is_some() {
        return Ok(true);
    }
    let left = tx
        .optional(
            "SELECT 1 FROM jobs WHERE state = 'RUNNING' AND lease_expires_at <= $1 LIMIT 1",
            params![now],
        )
        .await?;
    Ok(left.is_some())
}

/// Claims the next job of these kinds, if one is due and its kind is not at its limit.
pub(super) async fn claim(
    app: &App,
    owner: &str,
    kinds: &[Kind],
    turns: &mut Turns,
) -> Result<Option<Claimed>> {
    let now = app.clock.now();
    let mut tx = begin(app, Mode::Write).await?;
    for offset in 0..kinds.len() {
        let position = (turns.first + offset) % kinds.len();
        let Some(kind) = kinds.get(position) else { continue };
        bury(&mut tx, kind, now).await?;
        if running(&mut tx, kind, now).await? >= u64::from((kind.concurrency)(&app.settings)) {
            continue;
        }
        let last = turns.accounts.get(kind.name).cloned();
        let Some(row) = next_row(&mut tx, kind, now, last.as_deref()).await? else { continue };
        let lease = Lease { job_id: row.get(0)?, fence: row.get::<i64>(3)? + 1 };
        let account = row.get::<Option<String>>(4)?.unwrap_or_default();
        let claimed = Claimed {
            kind: *kind,
            lease,
            stored: Stored { version: row.get(1)?, payload: row.get(2)? },
        };
        tx.execute(
            "UPDATE jobs SET state = 'RUNNING', attempts = attempts + 1, lease_owner = $2, \
             lease_fence = $3, lease_expires_at = $4, updated_at = $5 WHERE id = $1",
            params![lease.job_id, owner, lease.fence, now.plus_seconds(lease::SECONDS), now],
        )
        .await?;
        tx.commit().await?;
        turns.first = position + 1;
        turns.accounts.insert(kind.name, account);
        return Ok(Some(claimed));
    }
    tx.commit().await?;
    Ok(None)
}

async fn running(tx: &mut Tx, kind: &Kind, now: Millis) -> Result<u64> {
    let row = tx
        .optional(
            "SELECT COUNT(*) FROM jobs \
             WHERE kind = $1 AND state = 'RUNNING' AND lease_expires_at > $2",
            params![kind.name, now],
        )
        .await?;
    Ok(row.map_or(Ok(0), |row| row.get(0))?)
}

/// Ends jobs whose worker died and that are not to be tried again.
async fn bury(tx: &mut Tx, kind: &Kind, now: Millis) -> Result<()> {
    tx.execute(
        "UPDATE jobs SET state = CASE WHEN again_at IS NOT NULL THEN 'WAITING' \
         WHEN cancel_requested = 1 THEN 'CANCELLED' ELSE 'DEAD' END, \
         run_at = CASE WHEN again_at IS NOT NULL THEN again_at ELSE run_at END, \
         attempts = CASE WHEN again_at IS NOT NULL THEN 0 ELSE attempts END, \
         lease_owner = NULL, lease_expires_at = NULL, cancel_requested = 0, again_at = NULL, \
         last_error = $4, updated_at = $2 \
         WHERE kind = $1 AND state = 'RUNNING' AND lease_expires_at <= $2 \
         AND (attempts >= $3 OR cancel_requested = 1)",
        params![kind.name, now, kind.limits.attempts, outcome::WORKER_DIED],
    )
    .await?;
    Ok(())
}

/// A job that a dead worker left, else the first of the account after the one served last.
async fn next_row(
    tx: &mut Tx,
    kind: &Kind,
    now: Millis,
    last: Option<&str>,
) -> Result<Option<Row>> {
    let left = tx
        .optional(
            "SELECT id, payload_version, payload, lease_fence, account_id FROM jobs \
             WHERE kind = $1 AND state = 'RUNNING' AND lease_expires_at <= $2 \
             ORDER BY lease_expires_at LIMIT 1",
            params![kind.name, now],
        )
        .await?;
    if left.is_some() {
        return Ok(left);
    }
    if let Some(last) = last {
        let after = tx
            .optional(
                "SELECT id, payload_version, payload, lease_fence, account_id FROM jobs \
                 WHERE kind = $1 AND state = 'WAITING' AND account_id > $3 AND run_at <= $2 \
                 ORDER BY account_id, run_at, id LIMIT 1",
                params![kind.name, now, last],
            )
            .await?;
        if after.is_some() {
            return Ok(after);
        }
    }
    let first = tx
        .optional(
            "SELECT id, payload_version, payload, lease_fence, account_id FROM jobs \
             WHERE kind = $1 AND state = 'WAITING' AND account_id >= '' AND run_at <= $2 \
             ORDER BY account_id, run_at, id LIMIT 1",
            params![kind.name, now],
        )
        .await?;
    Ok(first)
}
