//! What keeps objects in the store while a backup copies them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Millis;

/// How long a pin holds that is not renewed, in seconds.
pub(crate) const PIN_SECONDS: i64 = 600;

/// The pins of this process. An object store belongs to one process, so a pin that is gone with its
/// process has nobody left to hold back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Until when each holds.
    held: HashMap<u64, Millis>,
}

impl Pins {
    pub(crate) fn pin(&self, now: Millis) -> Pin {
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        state.held.insert(id, now.plus_seconds(PIN_SECONDS));
        drop(state);
        Pin { pins: self.clone(), id }
    }

    /// Whether objects must stay. A pin found to have run out can never be renewed.
    pub(super) fn held(&self, now: Millis) -> bool {
        let mut state = self.lock();
        state.held.retain(|_, until| *until > now);
        !state.held.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No object is removed from the store while this is held and renewed every ten minutes. Garbage
/// waits in its queue and goes with the first sweep after it.
#[derive(Debug)]
pub struct Pin {
    pins: Pins,
    id: u64,
}

impl Pin {
    /// Whether it has held without interruption since it was taken; then it holds on.
    pub(crate) fn renew(&self, now: Millis) -> bool {
        match self.pins.lock().held.get_mut(&self.id) {
            Some(until) if *until > now => {
                *until = now.plus_seconds(PIN_SECONDS);
                true
            }
            _ => false,
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.pins.lock().held.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_holds_until_it_is_dropped_or_runs_out_for_good() {
        let pins = Pins::default();
        let at = |seconds| Millis(0).plus_seconds(seconds);
        assert!(!pins.held(at(0)));
        let (first, second) = (pins.pin(at(0)), pins.pin(at(0)));
        assert!(pins.held(at(PIN_SECONDS - 1)));
        assert!(first.renew(at(PIN_SECONDS - 1)));
        assert!(pins.held(at(PIN_SECONDS)));
        assert!(!second.renew(at(PIN_SECONDS)) && !second.renew(at(0)), "it ran out");
        assert!(first.renew(at(PIN_SECONDS)));
        drop(first);
        assert!(!pins.held(at(PIN_SECONDS)));
    }
}
