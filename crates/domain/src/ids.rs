//! Row ids made by the process: 41 bits of milliseconds since 2025, 10 bits of node, 12 bits of
//! sequence. They grow with time, so new rows go to the end of an index, and no database feature
//! is needed to make one.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Millis;

const EPOCH_MILLIS: i64 = 1_735_689_600_000; // 2025-01-01T00:00:00Z
const NODE_BITS: u32 = 10;
const SEQUENCE_BITS: u32 = 12;

/// Makes ids; one per process.
#[derive(Debug)]
pub(crate) struct Ids {
    node: i64,
    /// Time and sequence of the last id, as one number that only grows.
    last: AtomicI64,
}

impl Ids {
    /// A source whose ids differ from those of other processes with high probability: the node
    /// part is random, and a collision is a duplicate key, never two rows under one id.
    pub(crate) fn new() -> Self {
        let random = uuid::Uuid::new_v4().as_u128();
        let node = i64::try_from(random & ((1 << NODE_BITS) - 1)).unwrap_or(0);
        Self { node, last: AtomicI64::new(0) }
    }

    /// Makes every later id greater than `id`, whatever the clock shows: versions of tags and
    /// positions in listings must not go back when a process starts after its clock was set back.
    pub(crate) fn start_after(&self, id: i64) {
        let next_time = (id >> (NODE_BITS + SEQUENCE_BITS)) + 1;
        self.last.fetch_max(next_time << SEQUENCE_BITS, Ordering::SeqCst);
    }

    /// A new id, greater than every id this process made before.
    pub(crate) fn next(&self, now: Millis) -> i64 {
        let floor = now.0.saturating_sub(EPOCH_MILLIS).max(0) << SEQUENCE_BITS;
        let previous = self
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some((last + 1).max(floor)))
            .unwrap_or(0);
        let ticks = (previous + 1).max(floor);
        let (time, sequence) = (ticks >> SEQUENCE_BITS, ticks & ((1 << SEQUENCE_BITS) - 1));
        (time << (NODE_BITS + SEQUENCE_BITS)) | (self.node << SEQUENCE_BITS) | sequence
    }
}

/// The least id that is made at `at` or later.
pub(crate) fn least_at(at: Millis) -> i64 {
    at.0.saturating_sub(EPOCH_MILLIS).max(0) << (NODE_BITS + SEQUENCE_BITS)
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_from_process_to_process_even_when_the_clock_goes_back() {
        let mut last = 0;
        for step in 0..100 {
            let ids = Ids::new();
            ids.start_after(last);
            let now = Millis(1_790_000_000_000 - step * 1000);
            let id = ids.next(now);
            assert!(id > last, "{id} after {last}");
            last = (0..5000).map(|_| ids.next(now)).max().unwrap();
        }
    }

    #[test]
    fn ids_grow_even_when_the_clock_does_not() {
        let ids = Ids::new();
        let mut previous = 0;
        for step in 0..20_000_i64 {
            let id = ids.next(Millis(1_790_000_000_000 - step / 1000));
            assert!(id > previous, "{id} after {previous}");
            previous = id;
        }
    }
}
