//! How much public registries give to one source: pulls a second and bytes a month, each for those
//! with credentials and those without.
//!
//! ECR Public allows 1 and 10 pulls a second, and 500 GB a month to whoever shows no credentials
//! (Amazon ECR Public user guide, "Amazon ECR Public service quotas"). A source is an IPv4 address,
//! or the 64 bits of an IPv6 address that a network is given. Bytes are counted as they are sent and
//! written down with others, so that a restart forgets a second of them at most.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::params;

/// Sources that are remembered at a time. What is past it shares one place.
const SOURCES_MAX: usize = 65_536;
/// Seconds of pulls that a source may take at once: an image of several platforms is two manifests,
/// and tools pull several images.
const BURST_SECONDS: u64 = 10;

/// What one source may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Manifests a second; 0 for any number.
    pub pulls_per_second: u32,
    /// Bytes of manifests and blobs in a calendar month, UTC; 0 for any number.
    pub bytes_per_month: u64,
}

/// What every source may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicLimits {
    /// Without credentials.
    pub anonymous: Allowance,
    /// With credentials.
    pub authenticated: Allowance,
    /// Whether this machine itself is limited too.
    pub loopback: bool,
}

impl PublicLimits {
    /// ECR Public's limits.
    pub const ECR: Self = Self {
        anonymous: Allowance { pulls_per_second: 1, bytes_per_month: 500_000_000_000 },
        authenticated: Allowance { pulls_per_second: 10, bytes_per_month: 0 },
        loopback: false,
    };
}

impl Default for PublicLimits {
    fn default() -> Self {
        Self::ECR
    }
}

/// Who is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    anonymous: bool,
    /// Nothing for those that there was no room for.
    source: Option<IpAddr>,
}

impl Key {
    fn of(context: &RequestContext) -> Self {
        let source = match context.source_address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address @ IpAddr::V4(_) => address,
        };
        let anonymous = context.principal.kind == PrincipalKind::Anonymous;
        Self { anonymous, source: Some(source) }
    }

    fn kind(self) -> &'static str {
        if self.anonymous { "anonymous" } else { "authenticated" }
    }

    fn stored_source(self) -> String {
        self.source.map_or_else(|| "others".to_owned(), |source| source.to_string())
    }
}

/// What is known of a source.
#[derive(Clone, Debug)]
struct Known {
    /// Pulls that it may make now, in thousandths.
    pulls: u64,
    at: Millis,
    month: String,
    /// Bytes of the month that are written down; nothing before they were read.
    stored: Option<u64>,
    /// Bytes of the month that are not.
    pending: u64,
}

impl Known {
    fn fresh(limit: Allowance, now: Millis) -> Self {
        let pulls = u64::from(limit.pulls_per_second) * BURST_SECONDS * 1000;
        Self { pulls, at: now, month: month_of(now), stored: None, pending: 0 }
    }

    /// Takes one pull, if there is one.
    fn take(&mut self, limit: Allowance, now: Millis) -> bool {
        let rate = u64::from(limit.pulls_per_second);
        let passed = u64::try_from(now.0.saturating_sub(self.at.0)).unwrap_or(0);
        let filled = self.pulls.saturating_add(passed.saturating_mul(rate));
        self.pulls = filled.min(rate * BURST_SECONDS * 1000);
        self.at = now;
        let left = self.pulls.checked_sub(1000);
        self.pulls = left.unwrap_or(self.pulls);
        left.is_some()
    }
}

/// `YYYY-MM`.
fn month_of(now: Millis) -> String {
    now.timestamp().strftime("%Y-%m").to_string()
}

/// What this process knows of sources.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<HashMap<Key, Known>>);

/// Bytes of a month, by source, that are to be written down.
type Pending = Vec<(Key, String, u64)>;

impl Traffic {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `with` with what is known of a source, or of all that there is no room for.
    fn with<T>(
        &self,
        key: Key,
        (limit, now): (Allowance, Millis),
        with: impl FnOnce(Key, &mut Known) -> T,
    ) -> T {
        let mut sources = self.lock();
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&key) {
            // Whoever rested long enough has a full bucket, and the bytes are written down.
            let full = i64::try_from(BURST_SECONDS * 1000).unwrap_or(i64::MAX);
            sources.retain(|_, known| known.pending > 0 || now.0.saturating_sub(known.at.0) < full);
        }
        let key = match sources.len() >= SOURCES_MAX && !sources.contains_key(&key) {
            true => Key { source: None, ..key },
            false => key,
        };
        let known = sources.entry(key).or_insert_with(|| Known::fresh(limit, now));
        with(key, known)
    }

    fn add(&self, key: Key, month: &str, bytes: u64) {
        let mut sources = self.lock();
        if let Slot::Occupied(mut known) = sources.entry(key)
            && known.get().month == month
        {
            let known = known.get_mut();
            known.pending = known.pending.saturating_add(bytes);
        }
    }

    /// What is to be written down, which is taken for written from now on.
    fn take(&self) -> Pending {
        let mut taken = Vec::new();
        for (key, known) in self.lock().iter_mut().filter(|(_, known)| known.pending > 0) {
            let pending = std::mem::take(&mut known.pending);
            known.stored = known.stored.map(|stored| stored.saturating_add(pending));
            taken.push((*key, known.month.clone(), pending));
        }
        taken
    }

    /// What could not be written down.
    fn put_back(&self, taken: Pending) {
        let mut sources = self.lock();
        for (key, month, bytes) in taken {
            if let Some(known) = sources.get_mut(&key).filter(|known| known.month == month) {
                known.pending = known.pending.saturating_add(bytes);
                known.stored = known.stored.map(|stored| stored.saturating_sub(bytes));
            }
        }
    }
}

/// Counts the bytes of one answer as they are sent.
#[derive(Clone, Debug)]
pub struct Meter {
    traffic: Arc<Traffic>,
    key: Key,
    month: String,
}

impl Meter {
    /// Notes that bytes go out.
    pub(crate) fn add(&self, bytes: u64) {
        self.traffic.add(self.key, &self.month, bytes);
    }
}

/// What a source asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A manifest, which begins a pull.
    Manifest,
    /// A blob.
    Blob,
}

/// Whether the source of a request may have what it asks for, and what counts its bytes; nothing
/// where they are not counted. Private registries have no such limits.
///
/// # Errors
/// [`ErrorKind::Throttled`], [`ErrorKind::DataLimitExceeded`].
pub(crate) async fn admit(
    app: &App,
    context: &RequestContext,
    wanted: Wanted,
) -> Result<Option<Meter>> {
    let limits = app.settings.public_limits;
    let own = context.source_address.to_canonical().is_loopback();
    if !context.region.is_global() || (own && !limits.loopback) {
        return Ok(None);
    }
    let now = context.now;
    let key = Key::of(context);
    let limit = if key.anonymous { limits.anonymous } else { limits.authenticated };
    let month = month_of(now);
    let known = app.traffic.with(key, (limit, now), |key, known| {
        if known.month != month {
            known.month.clone_from(&month);
            (known.stored, known.pending) = (Some(0), 0);
        }
        let is_pull = wanted == Wanted::Manifest && limit.pulls_per_second > 0;
        let admitted = !is_pull || known.take(limit, now);
        admitted.then_some((key, known.stored, known.pending))
    });
    let Some((key, stored, pending)) = known else {
        return Err(Error::new(ErrorKind::Throttled, "Rate exceeded"));
    };
    if limit.bytes_per_month == 0 {
        return Ok(None);
    }
    let stored = match stored {
        Some(stored) => stored,
        None => {
            let read = read(app, key, &month).await?;
            app.traffic.with(key, (limit, now), |_, known| *known.stored.get_or_insert(read))
        }
    };
    if stored.saturating_add(pending) >= limit.bytes_per_month {
        return Err(Error::new(ErrorKind::DataLimitExceeded, "Data limit exceeded"));
    }
    Ok(Some(Meter { traffic: Arc::clone(&app.traffic), key, month }))
}

/// The bytes of a month that are written down. Nothing of the source is pending in another process:
/// one at a time serves a data directory, and several of one database count each their own.
async fn read(app: &App, key: Key, month: &str) -> Result<u64> {
    let permit = Permit::maintenance();
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Read, &permit).await?;
    let row = tx
        .optional(
            "SELECT bytes FROM public_traffic WHERE month = $1 AND kind = $2 AND source = $3",
            params![month, key.kind(), key.stored_source()],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(0))
}

/// Writes down what was sent so far, and forgets months that are over.
///
/// # Errors
/// When the database fails; it is tried again with the next call.
pub async fn flush(app: &App) -> Result<()> {
    let taken = app.traffic.take();
    if taken.is_empty() {
        return Ok(());
    }
    let written = write(app, &taken).await;
    if written.is_err() {
        app.traffic.put_back(taken);
    }
    written
}

async fn write(app: &App, taken: &Pending) -> Result<()> {
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    for (key, month, bytes) in taken {
        tx.execute(
            "INSERT INTO public_traffic (month, kind, source, bytes) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (month, kind, source) \
             DO UPDATE SET bytes = public_traffic.bytes + excluded.bytes",
            params![month, key.kind(), key.stored_source(), *bytes],
        )
        .await?;
    }
    let now = month_of(app.clock.now());
    tx.execute("DELETE FROM public_traffic WHERE month < $1", params![now]).await?;
    tx.commit().await?;
    Ok(())
}
