//! How often an account may call an operation: a token bucket for each, as ECR has them.
//!
//! Off unless the operator turns it on. It is asked before anything else is done for a request, and
//! lives in the memory of each process: an account may use up the rates of every node it reaches.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Millis;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Entry;
use crate::names::AccountId;

/// Calls a second, by ECR's names ("Amazon ECR service quotas" in its user guide). A bucket holds
/// those of one second. Other operations have rates that are not published, and none here.
const RATES: &[(&str, u32)] = &[
    ("BatchCheckLayerAvailability", 1_000),
    ("BatchGetImage", 2_000),
    ("CompleteLayerUpload", 100),
    ("GetAuthorizationToken", 500),
    ("GetDownloadUrlForLayer", 3_000),
    ("InitiateLayerUpload", 100),
    ("PutImage", 10),
    ("UploadLayerPart", 500),
];

/// The same of ECR Public ("Amazon ECR Public service quotas" in its user guide). Pulls have limits
/// of their own, by where they come from (`public/limits.rs`).
const PUBLIC_RATES: &[(&str, u32)] = &[
    ("BatchCheckLayerAvailability", 200),
    ("CompleteLayerUpload", 10),
    ("GetAuthorizationToken", 200),
    ("InitiateLayerUpload", 10),
    ("PutImage", 10),
    ("UploadLayerPart", 260),
];

/// What the distribution protocol does under a name of its own, and what ECR's clients do for it.
const SAME: &[(&str, &str)] = &[
    ("GetBlob", "GetDownloadUrlForLayer"),
    ("GetManifest", "BatchGetImage"),
    ("HeadBlob", "BatchCheckLayerAvailability"),
];

/// Buckets that are kept at a time; a bucket that is full again is as good as none.
const BUCKETS_MAX: usize = 16_384;

/// How many times ECR's rates an account may call; what is off limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Throttling {
    /// Nothing is limited.
    #[default]
    Off,
    /// So many times ECR's rates, at least 1.
    Times(u32),
}

/// The buckets of this process.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<(AccountId, bool, &'static str), Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Calls that may be made now, in thousandths.
    left: u64,
    at: Millis,
}

impl Bucket {
    /// A thousandth of a call for each call a second and millisecond that passed.
    fn at(self, now: Millis, rate: u64) -> Self {
        let passed = u64::try_from(now.0.saturating_sub(self.at.0)).unwrap_or(0);
        let left = self.left.saturating_add(passed.saturating_mul(rate)).min(rate * 1000);
        Self { left, at: now }
    }
}

fn rate_of(entry: Entry, is_public: bool) -> Option<(&'static str, u32)> {
    if is_public {
        return PUBLIC_RATES.iter().find(|(known, _)| *known == entry.name).copied();
    }
    let name = SAME.iter().find(|(ours, _)| *ours == entry.name).map_or(entry.name, |same| same.1);
    RATES.iter().find(|(known, _)| *known == name).copied()
}

impl Throttle {
    /// Takes one call of an operation from the account of whoever asks. The services of this
    /// deployment are not limited, nor are those without credentials, who may only pull.
    ///
    /// # Errors
    /// [`ErrorKind::Throttled`].
    pub(crate) fn admit(
        &self,
        throttling: Throttling,
        entry: Entry,
        context: &RequestContext,
    ) -> Result<()> {
        let Throttling::Times(times) = throttling else { return Ok(()) };
        let is_public = context.region.is_global();
        let Some((name, rate)) = rate_of(entry, is_public) else { return Ok(()) };
        let kind = context.principal.kind;
        if matches!(
            kind,
            PrincipalKind::Service | PrincipalKind::ServiceLinkedRole | PrincipalKind::Anonymous
        ) {
            return Ok(());
        }
        let rate = u64::from(rate) * u64::from(times.max(1));
        let now = context.now;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            // Whoever rested for a second has a full one.
            buckets.retain(|_, bucket| now.0.saturating_sub(bucket.at.0) < 1000);
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let key = (context.principal.account, is_public, name);
        let full = Bucket { left: rate * 1000, at: now };
        let bucket = buckets.get(&key).map_or(full, |bucket| bucket.at(now, rate));
        let left = bucket.left.checked_sub(1000);
        buckets.insert(key, Bucket { left: left.unwrap_or(bucket.left), at: now });
        left.map(|_| ()).ok_or_else(|| Error::new(ErrorKind::Throttled, "Rate exceeded"))
    }
}
