//! The scrub: reads what is stored, again and again, while the registry serves, and finds what a
//! disk has lost before somebody pulls it.
//!
//! One object at a time, at a bounded rate, in spans, without a transaction open while it reads.
//! Where it stands is a row, so a restart goes on where the last process was. What is damaged is
//! marked: it is not served, and the next push of its bytes heals it. What only cannot be read now
//! is not damage; it is reported, and looked at again by the next pass.

mod check;
pub mod operations;
mod row;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

pub use self::row::{Pass, Status};
use self::row::{Phase, Progress};
use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Mode;

/// Things looked at before what was found is written down.
const BATCH: usize = 64;
/// Bytes read before what was found is written down.
const BATCH_BYTES: u64 = 64 * 1024 * 1024;
/// Damaged things that a status names.
pub const NAMED_MAX: usize = 100;

/// What one batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Blobs and manifests looked at.
    pub checked: u64,
    /// Bytes read, as clients sent them.
    pub bytes: u64,
    /// Of these, how many were newly found damaged.
    pub damaged: u64,
    /// Of these, how many could not be read at all.
    pub unreadable: u64,
    /// When there is something to do again; absent while a pass is under way.
    pub wait_until: Option<Millis>,
}

/// What is wrong with a thing, as the scrub tells causes apart.
enum Verdict {
    /// It is what its row says, or it is gone, or it is marked already.
    Good,
    /// It is not what was stored.
    Damaged(String),
    /// It cannot be read now.
    Unreadable(String),
}

/// Holds the reading to a rate.
struct Pace {
    bytes_per_second: u64,
    next: Instant,
}

impl Pace {
    fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), next: Instant::now() }
    }

    /// Waits for as long as reading these bytes may take. Time that was not used is not saved up.
    async fn spend(&mut self, bytes: u64) {
        let nanos = bytes.saturating_mul(1_000_000_000) / self.bytes_per_second;
        self.next = self.next.max(Instant::now()) + Duration::from_nanos(nanos);
        sleep_until(self.next).await;
    }
}

/// Does the next batch of the running pass, or begins one that is due. Idempotent; it may be
/// dropped at any point, and the next call does the batch again.
///
/// # Errors
/// When metadata cannot be read or written. What cannot be read of the objects is a finding.
pub async fn step(app: &App) -> Result<Scrubbed> {
    let mut progress = Progress::load(&mut begin(app, Mode::Read).await?).await?;
    let now = app.clock.now();
    if progress.phase == Phase::Waiting {
        if now < progress.next_pass_at {
            return Ok(Scrubbed { wait_until: Some(progress.next_pass_at), ..Scrubbed::default() });
        }
        progress.start(now);
    }
    let mut pace = Pace::new(app.settings.scrub_bytes_per_second);
    let mut scrubbed = Scrubbed::default();
    let mut damaged = Vec::new();
    let ids = check::ids(&mut begin(app, Mode::Read).await?, &progress, BATCH).await?;
    let mut after = None;
    for id in &ids {
        let (verdict, bytes) = check::check(app, progress.phase, *id, &mut pace).await?;
        after = Some(*id);
        scrubbed.checked += 1;
        scrubbed.bytes += bytes;
        match verdict {
            Verdict::Good => {}
            Verdict::Damaged(what) => damaged.push((*id, what)),
            Verdict::Unreadable(what) => {
                tracing::error!(what, "the scrub cannot read what is stored");
                scrubbed.unreadable += 1;
            }
        }
        if scrubbed.bytes >= BATCH_BYTES {
            break;
        }
    }
    let ended = after.is_none();
    let mut tx = begin(app, Mode::Write).await?;
    // An operator may have asked for another pass meanwhile; that is in a column of its own.
    for (id, what) in damaged {
        if check::mark(&mut tx, progress.phase, id, now).await? {
            tracing::error!(
                what,
                "the scrub found damage; it is not served until it is pushed again"
            );
            scrubbed.damaged += 1;
        }
    }
    progress.advance(after, &scrubbed, now, app.settings.scrub_interval_seconds);
    progress.store(&mut tx).await?;
    tx.commit().await?;
    app.metrics.record_scrub(&scrubbed);
    if ended && progress.phase == Phase::Waiting {
        scrubbed.wait_until = Some(progress.next_pass_at);
    }
    Ok(scrubbed)
}

/// Waits until an operator asks for a pass.
pub async fn requested(app: &App) {
    app.scrub.notified().await;
}

/// What the scrub did and does.
///
/// # Errors
/// When metadata cannot be read.
pub async fn status(app: &App) -> Result<Status> {
    let mut tx = begin(app, Mode::Read).await?;
    let progress = Progress::load(&mut tx).await?;
    let (damaged, damaged_omitted) = check::damaged(&mut tx, NAMED_MAX).await?;
    Ok(Status {
        bytes_per_second: app.settings.scrub_bytes_per_second,
        running: progress.running(),
        last: progress.last,
        next_pass_at: progress.next_pass_at,
        damaged,
        damaged_omitted,
    })
}

async fn begin(app: &App, mode: Mode) -> Result<Tx> {
    Tx::begin(app.metadata.as_ref(), mode, &Permit::maintenance()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_kept_and_nothing_is_saved_up() {
        let start = Instant::now();
        let mut pace = Pace::new(1000);
        pace.spend(500).await;
        pace.spend(500).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        pace.spend(2000).await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
