//! How often somebody tried to sign in and failed: in memory, for as long as it matters, and no more
//! than so many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::clock::Millis;

/// How long failures count.
const WINDOW_SECONDS: i64 = 15 * 60;
/// Failures of one user or key within the window.
const PER_NAME_MAX: u32 = 10;
/// Failures from one source within the window; more people than one may share it.
const PER_SOURCE_MAX: u32 = 40;
/// Names and sources that are counted at a time.
const COUNTED_MAX: usize = 8192;
/// Failures that are recorded at once, and in how many seconds there is room for one more: whoever
/// may not sign in must not fill the disk.
const RECORDED_MAX: i64 = 100;
const RECORDED_EVERY_SECONDS: i64 = 30;
/// Passwords that are compared at a time: each takes 19 MiB and a processor.
const COMPARED_MAX: usize = 2;

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Name(String),
    Source(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Millis,
    failures: u32,
}

/// Attempts to sign in.
pub(crate) struct Attempts {
    counts: Mutex<HashMap<Counted, Count>>,
    /// When there is room again for all the failures that may be recorded at once.
    recorded_until: Mutex<Millis>,
    pub(super) comparing: Semaphore,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            counts: Mutex::default(),
            recorded_until: Mutex::new(Millis(0)),
            comparing: Semaphore::new(COMPARED_MAX),
        }
    }
}

impl Attempts {
    /// Counts an attempt as a failure until it is known to be none, so that many at once are no way
    /// around the limit. After how many seconds to try again when there were too many.
    pub(super) fn begin(&self, name: &str, source: IpAddr, now: Millis) -> Result<(), i64> {
        let name = Counted::Name(name.to_owned());
        let source = Counted::Source(network_of(source));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |count: &Count| now.0 - count.since.0 >= WINDOW_SECONDS * 1000;
        for (who, maximum) in [(&name, PER_NAME_MAX), (&source, PER_SOURCE_MAX)] {
            if let Some(count) = counts.get(who).filter(|count| !is_over(count))
                && count.failures >= maximum
            {
                return Err((WINDOW_SECONDS - (now.0 - count.since.0) / 1000).max(1));
            }
        }
        if counts.len() + 2 > COUNTED_MAX {
            counts.retain(|_, count| !is_over(count));
        }
        while counts.len() + 2 > COUNTED_MAX {
            // The one that matters least; a source that makes up names runs into its own limit.
            let least = counts.iter().min_by_key(|(_, count)| (count.failures, count.since.0));
            let Some(least) = least.map(|(who, _)| who.clone()) else { break };
            counts.remove(&least);
        }
        for who in [name, source] {
            let count = counts.entry(who).or_insert(Count { since: now, failures: 0 });
            if is_over(count) {
                *count = Count { since: now, failures: 0 };
            }
            count.failures += 1;
        }
        Ok(())
    }

    /// Whether there is room for the record of one more failure.
    pub(super) fn may_record(&self, now: Millis) -> bool {
        let mut until = self.recorded_until.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Millis(until.0.max(now.0)).plus_seconds(RECORDED_EVERY_SECONDS);
        let may = next <= now.plus_seconds(RECORDED_MAX * RECORDED_EVERY_SECONDS);
        if may {
            *until = next;
        }
        may
    }

    /// The attempt was none to count, and those of this name before it are forgiven.
    pub(super) fn succeeded(&self, name: &str, source: IpAddr) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&Counted::Name(name.to_owned()));
        if let Some(count) = counts.get_mut(&Counted::Source(network_of(source))) {
            count.failures = count.failures.saturating_sub(1);
        }
    }
}

/// What one subscriber of IPv6 has is a whole network.
fn network_of(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn too_many_failures_of_a_name_or_source_wait() {
        let attempts = Attempts::default();
        for _ in 0..PER_NAME_MAX {
            assert_eq!(attempts.begin("ada", FIRST, Millis(0)), Ok(()));
        }
        assert_eq!(attempts.begin("ada", FIRST, Millis(60_000)), Err(14 * 60));
        assert_eq!(attempts.begin("bob", FIRST, Millis(0)), Ok(()));
        attempts.succeeded("bob", FIRST);
        assert_eq!(attempts.begin("ada", FIRST, Millis(WINDOW_SECONDS * 1000)), Ok(()));
        let attempts = Attempts::default();
        for name in 0..PER_SOURCE_MAX {
            assert_eq!(attempts.begin(&name.to_string(), FIRST, Millis(0)), Ok(()));
        }
        assert!(attempts.begin("another", FIRST, Millis(0)).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("192.0.2.1"), FIRST);
    }

    #[test]
    fn records_of_failures_are_bounded() {
        let attempts = Attempts::default();
        let recorded = |now: i64| (0..200).filter(|_| attempts.may_record(Millis(now))).count();
        for (seconds, expected) in [(0, 100), (29, 0), (30, 1), (300, 9), (86_400, 100)] {
            assert_eq!(recorded(seconds * 1000), expected, "after {seconds} seconds");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..COUNTED_MAX as u32 + 10 {
            let source = IpAddr::V4((0x0a00_0000 + number).into());
            attempts.begin(&number.to_string(), source, Millis(0)).unwrap();
        }
        assert!(attempts.counts.lock().unwrap().len() <= COUNTED_MAX);
    }
}
