//! What a process remembers of imports: who asks an upstream now, and what was refused lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::arrivals::Arrivals;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::repositories::RepositoryAddress;

/// Entries of each kind that are kept.
const KEPT_MAX: usize = 10_000;
/// How long an import waits for one of the same thing. The requests to an upstream are bounded, too.
const TURN_WAIT: Duration = Duration::from_secs(60);
/// How long an upstream that refused something is not asked for it again, in seconds.
const REFUSED_SECONDS: i64 = 30;
/// The longest time that an upstream is left alone because it says so, in seconds.
const REFUSED_SECONDS_MAX: i64 = 300;

/// What a process remembers of imports.
#[derive(Default)]
pub(crate) struct Imports {
    turns: Mutex<HashMap<Wanted, Arc<AsyncMutex<()>>>>,
    refusals: Mutex<HashMap<Wanted, Refusal>>,
    asked: Mutex<HashMap<Wanted, Millis>>,
    pub(super) arrivals: Arc<Arrivals>,
}

/// What is asked of an upstream: something of a repository.
pub(super) type Wanted = (RepositoryAddress, String);

struct Refusal {
    kind: ErrorKind,
    message: Arc<str>,
    until: Millis,
}

impl Imports {
    /// Waits until nobody else asks for the same. Whoever had the turn before may have stored it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when that takes too long, or too much is asked for at a time.
    pub(super) async fn turn(&self, wanted: &Wanted) -> Result<OwnedMutexGuard<()>> {
        let busy = || {
            Error::new(
                ErrorKind::Unavailable,
                "Too many images are being imported from other registries; try again.",
            )
        };
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= KEPT_MAX {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            if turns.len() >= KEPT_MAX {
                return Err(busy());
            }
            Arc::clone(turns.entry(wanted.clone()).or_default())
        };
        tokio::time::timeout(TURN_WAIT, turn.lock_owned()).await.map_err(|_| busy())
    }

    /// What the upstream said lately, if it refused this.
    pub(super) fn refused(&self, wanted: &Wanted, now: Millis) -> Option<Error> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = refusals.get(wanted).filter(|refusal| now < refusal.until)?;
        Some(Error::new(refusal.kind, &*refusal.message))
    }

    /// Remembers for a while that the upstream refused this.
    pub(super) fn refuse(
        &self,
        wanted: &Wanted,
        error: &Error,
        retry_after: Option<Duration>,
        now: Millis,
    ) {
        let wished =
            retry_after.map_or(0, |wait| i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        let until = now.plus_seconds(wished.clamp(REFUSED_SECONDS, REFUSED_SECONDS_MAX));
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut refusals, |refusal| now < refusal.until);
        let (kind, message) = (error.kind(), error.message().into());
        refusals.insert(wanted.clone(), Refusal { kind, message, until });
    }

    /// Whether an upstream was asked for this within the last `seconds`.
    pub(super) fn was_asked(&self, wanted: &Wanted, seconds: i64, now: Millis) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(wanted).is_some_and(|at| now < at.plus_seconds(seconds))
    }

    /// Remembers that an upstream was asked for this.
    pub(super) fn note_asked(&self, wanted: &Wanted, seconds: i64, now: Millis) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut asked, |at| now < at.plus_seconds(seconds));
        asked.insert(wanted.clone(), now);
    }
}

/// Makes room for one more entry: first those go that say nothing any more, then all.
fn make_room<V>(kept: &mut HashMap<Wanted, V>, is_valid: impl Fn(&V) -> bool) {
    if kept.len() >= KEPT_MAX {
        kept.retain(|_, value| is_valid(value));
    }
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
}
