//! Sums of large registries, kept for a moment: whoever looks at a page again, or several people who
//! look at the same one, do not have a million rows counted each time.
//!
//! Small registries are counted each time, and so always told as they are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::describe_activity::Activity;
use super::describe_storage::StorageUsage;
use super::summarize_registry::RegistrySummary;
use crate::clock::Millis;

/// So many rows are counted each time.
const FEW: u64 = 20_000;
/// Sums are kept for a second for so many rows.
const ROWS_PER_SECOND: u64 = 1_000;
/// And no longer than this, in seconds.
const SECONDS_MAX: u64 = 120;
/// Registries whose sums are kept.
const ENTRIES_MAX: usize = 256;

/// The sums of registries.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) summaries: Kept<RegistrySummary>,
    pub(crate) activity: Kept<Activity>,
    pub(crate) storage: Kept<StorageUsage>,
}

/// Sums of one kind, by registry.
#[derive(Debug)]
pub(crate) struct Kept<T>(Mutex<HashMap<i64, Entry<T>>>);

#[derive(Debug)]
struct Entry<T> {
    value: T,
    from: Millis,
    until: Millis,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    /// What is kept of a registry now.
    pub(crate) fn get(&self, registry_id: i64, now: Millis) -> Option<T> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(&registry_id)?;
        (entry.from <= now && now < entry.until).then(|| entry.value.clone())
    }

    /// Keeps the sum of so many rows, unless they are few.
    pub(crate) fn put(&self, registry_id: i64, now: Millis, rows: u64, value: T) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| now < entry.until);
        if rows <= FEW || entries.len() >= ENTRIES_MAX {
            entries.remove(&registry_id);
            return;
        }
        let seconds = (rows / ROWS_PER_SECOND).min(SECONDS_MAX);
        let until = now.plus_seconds(i64::try_from(seconds).unwrap_or_default());
        entries.insert(registry_id, Entry { value, from: now, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_many_rows_are_kept_for_a_while() {
        let kept = Kept::<u64>::default();
        let at = |seconds: i64| Millis(seconds * 1000);
        for (rows, later, expected) in [
            (0, 0, None),
            (20_000, 0, None),
            (21_000, 0, Some(7)),
            (21_000, 20, Some(7)),
            (21_000, 21, None),
            (1_000_000, 119, Some(7)),
            (1_000_000, 120, None),
            (21_000, -1, None),
        ] {
            kept.put(1, at(1000), rows, 7);
            assert_eq!(kept.get(1, at(1000 + later)), expected, "{rows} {later}");
            assert_eq!(kept.get(2, at(1000)), None);
        }
    }

    #[test]
    fn few_registries_are_kept() {
        let kept = Kept::<u64>::default();
        let (now, rows) = (Millis(1), 100_000);
        for registry in 0..1000 {
            kept.put(registry, now, rows, 7);
        }
        assert_eq!(kept.0.lock().unwrap().len(), ENTRIES_MAX);
        kept.put(5000, now.plus_seconds(1000), rows, 7);
        assert_eq!(kept.0.lock().unwrap().len(), 1);
    }
}
