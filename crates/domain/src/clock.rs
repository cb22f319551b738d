//! Time as a parameter: the system's clock in production, a clock set by hand in tests.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 UTC: how every time is stored.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Millis(pub i64);

impl Millis {
    /// This time moved by `seconds`, saturating.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// As a timestamp; times outside jiff's range become the epoch.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// As AWS JSON prints times: seconds since 1970 with a fraction.
    pub fn epoch_seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit 52 bits")]
        let millis = self.0 as f64;
        millis / 1000.0
    }
}

impl From<Millis> for crate::metadata::Value {
    fn from(value: Millis) -> Self {
        Self::Int(value.0)
    }
}

impl crate::metadata::FromColumn for Millis {
    fn from_column(value: &crate::metadata::Value) -> Option<Self> {
        i64::from_column(value).map(Self)
    }
}

/// A source of the current time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Millis;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Millis) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves the clock forward.
    pub fn advance_seconds(&self, seconds: i64) {
        self.advance_milliseconds(seconds * 1000);
    }

    /// Moves the time forward.
    pub fn advance_milliseconds(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}
