//! What clients were told of, so that nothing is taken away under a push that builds on it.
//!
//! A client that is told that a repository holds a blob does not send it and refers to it later.
//! If the blob is a candidate for removal, the telling is noted here, in memory, and written down
//! with others ([`flush`]); until it is written, the collector asks here. Telling and collecting
//! meet under one lock, and the order of their steps (see `docs/garbage-collection.md`) makes sure
//! that either the collector leaves the edge or the client is told that the blob is not there.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Edge;
use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::params;

/// How many edges may be noted between two writes; past that, whoever tells writes them down first.
const TOLD_MAX: usize = 100_000;
/// Edges written down in one transaction.
const FLUSH_BATCH: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When clients were last told of an edge; not written down yet.
    told: HashMap<Edge, Millis>,
    /// Edges that a transaction under way removes, or one whose end is not known.
    claimed: HashSet<Edge>,
    /// How many removing transactions are known to have been committed.
    settled: u64,
}

/// What came of noting that a client is told of some edges.
#[derive(Debug)]
pub(crate) struct Told {
    /// Edges that are being removed: they must not be told of.
    pub(crate) claimed: HashSet<Edge>,
    /// As [`Freshness::settled`].
    pub(crate) settled: u64,
}

/// What the collector may do with some edges.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// These it may remove.
    pub(super) due: Vec<Edge>,
    /// These were told of since.
    pub(super) told: Vec<(Edge, Millis)>,
}

impl Freshness {
    /// A number that grows whenever edges have been removed. Whoever tells reads it before looking.
    pub(crate) fn settled(&self) -> u64 {
        self.state().settled
    }

    /// Notes that a client is about to be told of `edges`; `None` when there is no room before a
    /// [`flush`].
    pub(crate) fn tell(&self, edges: &[Edge], now: Millis) -> Option<Told> {
        let mut state = self.state();
        let new = edges.iter().filter(|edge| !state.told.contains_key(edge)).count();
        if state.told.len() + new > TOLD_MAX {
            return None;
        }
        let mut claimed = HashSet::new();
        for edge in edges {
            if state.claimed.contains(edge) {
                claimed.insert(*edge);
            } else {
                state.told.insert(*edge, now);
            }
        }
        Some(Told { claimed, settled: state.settled })
    }

    /// When a client was last told of an edge, if that is not written down yet.
    pub(super) fn told_at(&self, edge: &Edge) -> Option<Millis> {
        self.state().told.get(edge).copied()
    }

    /// Whether there are edges whose removal may or may not have been committed.
    pub(super) fn has_claims(&self) -> bool {
        !self.state().claimed.is_empty()
    }

    /// Takes those of `edges` that nobody was told of after `cutoff`.
    pub(super) fn claim(&self, edges: Vec<Edge>, cutoff: Millis) -> Claim {
        let mut state = self.state();
        let mut claim = Claim::default();
        for edge in edges {
            match state.told.get(&edge) {
                Some(told) if *told > cutoff => claim.told.push((edge, *told)),
                _ => {
                    state.claimed.insert(edge);
                    claim.due.push(edge);
                }
            }
        }
        claim
    }

    /// The transaction that claimed these was rolled back before its commit.
    pub(super) fn release(&self, claim: &Claim) {
        let mut state = self.state();
        for edge in &claim.due {
            state.claimed.remove(edge);
        }
    }

    /// The transaction that claimed was committed, and so every earlier one has ended.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        state.claimed.clear();
        state.settled += 1;
    }

    fn told(&self) -> Vec<(Edge, Millis)> {
        self.state().told.iter().map(|(edge, told)| (*edge, *told)).collect()
    }

    fn forget(&self, written: &[(Edge, Millis)]) {
        let mut state = self.state();
        for (edge, at) in written {
            // Who was told again meanwhile is written down next time.
            if state.told.get(edge) == Some(at) {
                state.told.remove(edge);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down what clients were told of so far. Idempotent. A process that ends without it
/// forgets at most what it told since the last time.
///
/// # Errors
/// When the database fails; what is not written stays in memory.
pub async fn flush(app: &App) -> Result<()> {
    for batch in app.collector.freshness.told().chunks(FLUSH_BATCH) {
        let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
        for (edge, told) in batch {
            refresh(&mut tx, edge, *told).await?;
        }
        tx.commit().await?;
        // Not before the commit: until then the collector must find it here.
        app.collector.freshness.forget(batch);
    }
    Ok(())
}

/// Lets the grace period of a candidate, if the edge is one, begin at `since` at the earliest.
pub(super) async fn refresh(tx: &mut Tx, edge: &Edge, since: Millis) -> Result<()> {
    tx.execute(
        "UPDATE garbage_candidates SET since = $3 \
         WHERE repository_id = $1 AND blob_id = $2 AND since < $3",
        params![edge.repository_id, edge.blob_id, since],
    )
    .await?;
    Ok(())
}
