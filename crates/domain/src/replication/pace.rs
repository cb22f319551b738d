//! How fast layers are copied: a bucket of tokens that every copy of the process takes from.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long a bucket that is not used fills.
const BURST: Duration = Duration::from_secs(1);

/// A bucket that holds the bytes of a second. Whoever takes more than there is waits until it would
/// have filled; who came before is served before.
#[derive(Debug)]
pub(crate) struct Pace {
    /// 0: as fast as it goes.
    bytes_per_second: u64,
    /// When the bucket is full again, were nobody to take any more. Absent before the first taking:
    /// a registry may be made outside a runtime.
    full_at: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, full_at: Mutex::new(None) }
    }

    /// Waits for as long as copying these bytes may take. A taking that is dropped while it waits
    /// has been counted.
    pub(crate) async fn spend(&self, bytes: u64) {
        if self.bytes_per_second == 0 {
            return;
        }
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let until = {
            let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let full = full_at.map_or(now, |full_at| full_at.max(now)) + cost;
            *full_at = Some(full);
            full.checked_sub(BURST).unwrap_or(now)
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(bytes_per_second: u64, takings: &[u64], expected_millis: u64) {
        let (pace, start) = (Pace::new(bytes_per_second), Instant::now());
        for bytes in takings {
            pace.spend(*bytes).await;
        }
        let took = u64::try_from(start.elapsed().as_millis()).unwrap();
        assert_eq!(took, expected_millis, "{bytes_per_second} {takings:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_is_saved_up_and_no_more() {
        check(0, &[u64::MAX, u64::MAX], 0).await;
        check(1000, &[1000], 0).await;
        check(1000, &[500, 500], 0).await;
        check(1000, &[1000, 500], 500).await;
        check(1000, &[3000], 2000).await;
        check(1000, &[3000, 1000], 3000).await;
        let pace = Pace::new(1000);
        pace.spend(1000).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        pace.spend(2000).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn copies_share_one_bucket() {
        let (pace, start) = (Pace::new(1000), Instant::now());
        tokio::join!(pace.spend(2000), pace.spend(2000), pace.spend(2000));
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }
}
