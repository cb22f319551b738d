//! Where the scrub stands, as a row.

use super::Scrubbed;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::params;

/// What a pass is about to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing, until the next pass is due.
    Waiting,
    Blobs,
    Images,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Blobs => "blobs",
            Self::Images => "images",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::Waiting, Self::Blobs, Self::Images]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| Error::internal(format!("stored phase {text} of the scrub")))
    }
}

/// What one pass over everything did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// When it began.
    pub started_at: Option<Millis>,
    /// When it ended; absent while it runs.
    pub ended_at: Option<Millis>,
    /// Blobs and manifests looked at.
    pub checked: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Things newly found damaged.
    pub damaged: u64,
    /// Things that could not be read.
    pub unreadable: u64,
}

/// What the scrub did and does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How fast it reads; 0 when it is off.
    pub bytes_per_second: u64,
    /// The pass under way.
    pub running: Option<Pass>,
    /// The last whole pass, if there was any.
    pub last: Option<Pass>,
    /// When the next pass begins, unless one is under way.
    pub next_pass_at: Millis,
    /// What is marked damaged now, at most [`super::NAMED_MAX`] things.
    pub damaged: Vec<String>,
    /// How many more there are.
    pub damaged_omitted: u64,
}

pub(super) struct Progress {
    pub(super) phase: Phase,
    pub(super) after: i64,
    pub(super) next_pass_at: Millis,
    pass: Pass,
    pub(super) last: Option<Pass>,
}

impl Progress {
    pub(super) async fn load(tx: &mut Tx) -> Result<Self> {
        let row = tx
            .optional(
                "SELECT phase, after_id, next_pass_at, started_at, checked, bytes, damaged, \
                 unreadable, last_started_at, last_ended_at, last_checked, last_bytes, \
                 last_damaged, last_unreadable FROM scrub WHERE id = 1",
                &[],
            )
            .await?
            .ok_or_else(|| Error::internal("the row of the scrub is missing"))?;
        let last = Pass {
            started_at: row.get(8)?,
            ended_at: row.get(9)?,
            checked: row.get(10)?,
            bytes: row.get(11)?,
            damaged: row.get(12)?,
            unreadable: row.get(13)?,
        };
        Ok(Self {
            phase: Phase::parse(&row.get::<String>(0)?)?,
            after: row.get(1)?,
            next_pass_at: row.get(2)?,
            pass: Pass {
                started_at: row.get(3)?,
                ended_at: None,
                checked: row.get(4)?,
                bytes: row.get(5)?,
                damaged: row.get(6)?,
                unreadable: row.get(7)?,
            },
            last: last.ended_at.map(|_| last),
        })
    }

    pub(super) async fn store(&self, tx: &mut Tx) -> Result<()> {
        let last = self.last.unwrap_or_default();
        tx.execute(
            "UPDATE scrub SET phase = $1, after_id = $2, next_pass_at = $3, started_at = $4, \
             checked = $5, bytes = $6, damaged = $7, unreadable = $8, last_started_at = $9, \
             last_ended_at = $10, last_checked = $11, last_bytes = $12, last_damaged = $13, \
             last_unreadable = $14 WHERE id = 1",
            params![
                self.phase.as_str(),
                self.after,
                self.next_pass_at,
                self.pass.started_at,
                self.pass.checked,
                self.pass.bytes,
                self.pass.damaged,
                self.pass.unreadable,
                last.started_at,
                last.ended_at,
                last.checked,
                last.bytes,
                last.damaged,
                last.unreadable,
            ],
        )
        .await?;
        Ok(())
    }

    pub(super) fn running(&self) -> Option<Pass> {
        (self.phase != Phase::Waiting).then_some(self.pass)
    }

    pub(super) fn start(&mut self, now: Millis) {
        self.phase = Phase::Blobs;
        self.after = i64::MIN;
        self.pass = Pass { started_at: Some(now), ..Pass::default() };
    }

    /// Goes on behind the id `after`; without one, to the next phase.
    pub(super) fn advance(
        &mut self,
        after: Option<i64>,
        scrubbed: &Scrubbed,
        now: Millis,
        interval_seconds: i64,
    ) {
        self.pass.checked += scrubbed.checked;
        self.pass.bytes += scrubbed.bytes;
        self.pass.damaged += scrubbed.damaged;
        self.pass.unreadable += scrubbed.unreadable;
        match (after, self.phase) {
            (Some(after), _) => self.after = after,
            (None, Phase::Blobs) => {
                self.phase = Phase::Images;
                self.after = i64::MIN;
            }
            (None, Phase::Images | Phase::Waiting) => {
                self.phase = Phase::Waiting;
                self.last = Some(Pass { ended_at: Some(now), ..self.pass });
                self.next_pass_at = now.plus_seconds(interval_seconds);
            }
        }
    }
}
