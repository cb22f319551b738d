//! How often public images are pulled.
//!
//! A pull is one `GET` of a manifest by a tag, or by a digest unless the same client fetched an
//! index within five minutes that has it: that `GET` says which platform was pulled. A client that
//! asks by `HEAD` where a tag points, and then fetches the digest, pulled the tag. Clients without
//! credentials are told apart by their address.
//!
//! Requests are noted in memory and counted within a second or at an orderly stop; what cannot be
//! written stays in memory until it can. An orderly stop also writes down what the next requests of
//! clients may belong to, and the next start reads it, so that a pull that straddles a restart is
//! counted once.

mod networks;
mod restart;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::metadata::{Mode, Row};
use crate::names::{Digest, Reference};
use crate::params;

pub use self::restart::{restore, save};

/// Requests that are noted between two writes; past that, pulls go uncounted.
const NOTED_MAX: usize = 100_000;
/// Clients whose last requests are remembered; past that, all are forgotten.
const CLIENTS_MAX: usize = 50_000;
/// How long what a client fetched belongs to what it fetches next, in milliseconds.
const TOGETHER_MS: i64 = 5 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Days that a page shows.
pub const DAYS_SHOWN: i64 = 30;

/// The day of a time, from 1970 on.
pub fn day_of(at: Millis) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// When a day begins.
pub fn start_of(day: i64) -> Millis {
    Millis(day.saturating_mul(DAY_MS))
}

/// Who asked: an account's principal, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Client {
    Principal(i64),
    Address(IpAddr),
}

/// A request for a manifest.
#[derive(Debug)]
struct Fetch {
    client: Client,
    /// From where it was asked.
    source: IpAddr,
    repository_id: i64,
    image_id: i64,
    digest: String,
    /// By which it was asked for.
    tag: Option<String>,
    is_index: bool,
    /// Whether the client took the bytes.
    taken: bool,
    at: Millis,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    repository_id: i64,
    day: i64,
    tag: String,
    digest: String,
    platform: String,
}

/// The index that a client fetched last from a repository.
#[derive(Debug, Serialize, Deserialize)]
struct Recent {
    image_id: i64,
    key: Key,
    has_platform: bool,
    at: Millis,
}

#[derive(Debug, Default)]
struct Known {
    indexes: HashMap<(Client, i64), Recent>,
    /// Where tags point, as clients asked last.
    tags: HashMap<(Client, i64, String), (String, Millis)>,
    /// What is not written yet.
    counts: BTreeMap<Key, i64>,
    /// The same, by repository, day and network.
    networks: BTreeMap<(i64, i64, String), i64>,
    /// The day on which rows of old days were removed.
    cleared_on: Option<i64>,
}

/// Requests that are not counted yet, and what they may belong to.
#[derive(Debug, Default)]
pub struct PublicPulls {
    noted: Mutex<Vec<Fetch>>,
    /// Held while it is written; nobody waits for it but whoever writes.
    known: tokio::sync::Mutex<Known>,
}

/// Notes that somebody read a manifest of a public repository.
pub(crate) fn note(
    call: &Call<'_>,
    repository_id: i64,
    (image_id, digest, media_type): (i64, &Digest, &str),
    reference: &Reference,
    taken: bool,
) {
    let context: &RequestContext = call.context;
    let tag = reference.tag().map(ToString::to_string);
    if !context.region.is_global() || (!taken && tag.is_none()) {
        return;
    }
    let client = match context.principal.kind {
        PrincipalKind::Anonymous => Client::Address(context.source_address),
        _ => Client::Principal(context.principal.id),
    };
    let is_index = media_type.contains("image.index") || media_type.contains("manifest.list");
    let (digest, at) = (digest.to_string(), call.now());
    let noted = &call.app.public_pulls.noted;
    let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.len() < NOTED_MAX {
        let source = context.source_address;
        noted.push(Fetch {
            client,
            source,
            repository_id,
            image_id,
            digest,
            tag,
            is_index,
            taken,
            at,
        });
    }
}

/// Counts what was noted so far, and writes it.
///
/// # Errors
/// When the database fails; what is counted then stays in memory.
pub async fn flush(app: &App) -> Result<()> {
    let pulls = &app.public_pulls;
    let mut known = pulls.known.lock().await;
    let noted = || pulls.noted.lock().unwrap_or_else(PoisonError::into_inner);
    if noted().is_empty() && known.counts.is_empty() {
        return Ok(());
    }
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    let mut fetches = VecDeque::from(std::mem::take(&mut *noted()));
    while let Some(fetch) = fetches.front() {
        if let Err(error) = known.count(&mut tx, fetch).await {
            noted().splice(0..0, fetches);
            return Err(error);
        }
        fetches.pop_front();
    }
    known.forget(app.clock.now());
    tx.execute("UPDATE gallery SET passes = passes + 1 WHERE id = 1", &[]).await?;
    for (key, count) in known.counts.iter().filter(|(_, count)| **count != 0) {
        tx.execute(
            "INSERT INTO public_pulls (repository_id, day, tag, digest, platform, pulls) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (repository_id, day, tag, digest, platform) \
             DO UPDATE SET pulls = public_pulls.pulls + excluded.pulls",
            params![
                key.repository_id,
                key.day,
                key.tag.as_str(),
                key.digest.as_str(),
                key.platform.as_str(),
                *count
            ],
        )
        .await?;
        tx.execute(
            "UPDATE gallery_repositories SET pulls = pulls + $2 WHERE repository_id = $1",
            params![key.repository_id, *count],
        )
        .await?;
    }
    known.write_networks(&mut tx, day_of(app.clock.now())).await?;
    tx.commit().await?;
    known.counts.clear();
    known.networks.clear();
    known.cleared_on = Some(day_of(app.clock.now()));
    Ok(())
}

impl Known {
    async fn count(&mut self, tx: &mut Tx, fetch: &Fetch) -> Result<()> {
        let Fetch { client, digest, tag, .. } = fetch;
        let Fetch { repository_id, image_id, is_index, taken, at, .. } = *fetch;
        let is_together = |then: Millis| at.0.saturating_sub(then.0) <= TOGETHER_MS;
        let asked = (client.clone(), repository_id, digest.clone());
        if !taken {
            self.tags.insert(asked, (tag.clone().unwrap_or_default(), at));
            return Ok(());
        }
        let place = (client.clone(), repository_id);
        if tag.is_none()
            && let Some(recent) = self.indexes.get_mut(&place)
            && is_together(recent.at)
        {
            if recent.image_id == image_id {
                return Ok(());
            }
            if let Some(platform) = platform_in(tx, recent.image_id, image_id).await? {
                if !recent.has_platform && !platform.is_empty() {
                    recent.has_platform = true;
                    *self.counts.entry(recent.key.clone()).or_default() -= 1;
                    let key = Key { platform, ..recent.key.clone() };
                    *self.counts.entry(key).or_default() += 1;
                }
                return Ok(());
            }
        }
        let told = || {
            let (tag, then) = self.tags.get(&asked)?;
            is_together(*then).then(|| tag.clone())
        };
        let tag = tag.clone().or_else(told).unwrap_or_default();
        let network = networks::of(fetch.source);
        *self.networks.entry((repository_id, day_of(at), network)).or_default() += 1;
        let (digest, platform) = (digest.clone(), String::new());
        let key = Key { repository_id, day: day_of(at), tag, digest, platform };
        *self.counts.entry(key.clone()).or_default() += 1;
        if is_index {
            self.indexes.insert(place, Recent { image_id, key, has_platform: false, at });
        }
        Ok(())
    }

    fn forget(&mut self, now: Millis) {
        let is_recent = |then: Millis| now.0.saturating_sub(then.0) <= TOGETHER_MS;
        if self.indexes.len() > CLIENTS_MAX || self.tags.len() > CLIENTS_MAX {
            self.indexes.retain(|_, recent| is_recent(recent.at));
            self.tags.retain(|_, (_, then)| is_recent(*then));
        }
        if self.indexes.len() > CLIENTS_MAX {
            self.indexes.clear();
        }
        if self.tags.len() > CLIENTS_MAX {
            self.tags.clear();
        }
    }
}

/// The platform of an image in an index, if it is there.
async fn platform_in(tx: &mut Tx, index_id: i64, image_id: i64) -> Result<Option<String>> {
    let row = tx
        .optional(
            "SELECT platform FROM image_children WHERE image_id = $1 AND child_image_id = $2 \
             ORDER BY position LIMIT 1",
            params![index_id, image_id],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// How often something was pulled on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyPulls {
    /// The day, counted from 1970 in UTC.
    pub day: i64,
    /// How often.
    pub pulls: u64,
}

/// The pulls of a repository on each of the last days that have any, oldest first.
pub(super) async fn daily(tx: &mut Tx, repository_id: i64, now: Millis) -> Result<Vec<DailyPulls>> {
    let rows = tx
        .all(
            "SELECT day, CAST(SUM(pulls) AS BIGINT) FROM public_pulls \
             WHERE repository_id = $1 AND day > $2 AND day <= $3 GROUP BY day ORDER BY day",
            params![repository_id, day_of(now) - DAYS_SHOWN, day_of(now)],
        )
        .await?;
    let daily = |row: &Row| -> Result<DailyPulls, Error> {
        let pulls: i64 = row.get(1)?;
        Ok(DailyPulls { day: row.get(0)?, pulls: u64::try_from(pulls).unwrap_or(0) })
    };
    rows.iter().map(daily).collect()
}
