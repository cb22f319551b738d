//! Sums of large registries, kept for a moment: whoever looks at a page again, or several people who
//! look at the same one, do not have a million rows counted each time.
//!
//! What is cheap to count is never kept, so small registries are always told as they are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::describe_activity::Activity;
use super::describe_storage::StorageUsage;
use super::summarize_registry::RegistrySummary;
use crate::clock::Millis;

/// What takes no longer is counted each time.
const CHEAP: Duration = Duration::from_millis(50);
/// Sums are kept so many times as long as they took.
const TIMES: u32 = 200;
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

    /// Keeps what took so long to count, unless that was cheap.
    pub(crate) fn put(&self, registry_id: i64, now: Millis, took: Duration, value: T) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| now < entry.until);
        if took <= CHEAP || entries.len() >= ENTRIES_MAX {
            entries.remove(&registry_id);
            return;
        }
        let seconds = took.saturating_mul(TIMES).as_secs().min(SECONDS_MAX);
        let until = now.plus_seconds(i64::try_from(seconds).unwrap_or_default());
        entries.insert(registry_id, Entry { value, from: now, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dear_is_kept_for_a_while() {
        let kept = Kept::<u64>::default();
        let at = |seconds: i64| Millis(seconds * 1000);
        for (took_millis, later, expected) in [
            (10, 0, None),
            (50, 0, None),
            (100, 0, Some(7)),
            (100, 19, Some(7)),
            (100, 20, None),
            (60_000, 119, Some(7)),
            (60_000, 120, None),
            (100, -1, None),
        ] {
            kept.put(1, at(1000), Duration::from_millis(took_millis), 7);
            assert_eq!(kept.get(1, at(1000 + later)), expected, "{took_millis} {later}");
            assert_eq!(kept.get(2, at(1000)), None);
        }
    }

    #[test]
    fn few_registries_are_kept() {
        let kept = Kept::<u64>::default();
        let (now, took) = (Millis(1), Duration::from_secs(1));
        for registry in 0..1000 {
            kept.put(registry, now, took, 7);
        }
        assert_eq!(kept.0.lock().unwrap().len(), ENTRIES_MAX);
        kept.put(5000, now.plus_seconds(1000), took, 7);
        assert_eq!(kept.0.lock().unwrap().len(), 1);
    }
}
