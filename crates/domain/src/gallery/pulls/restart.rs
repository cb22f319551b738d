//! What the next requests of clients may belong to, from one process to the next.

use serde::{Deserialize, Serialize};

use super::{CLIENTS_MAX, Client, Known, Recent, TOGETHER_MS};
use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::params;

/// What rows hold.
const VERSION: u32 = 1;
/// Entries of one row.
const ENTRIES: usize = 1000;
/// Rows that are read: two kinds of entries for as many clients as are remembered.
const ROWS_MAX: usize = 2 * CLIENTS_MAX.div_ceil(ENTRIES) + 2;

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    entries: Vec<Entry>,
}

/// A thing that is remembered of a client.
#[derive(Serialize, Deserialize)]
enum Entry {
    Index(Client, i64, Recent),
    Tag(Client, i64, String, String, Millis),
}

impl Entry {
    fn at(&self) -> Millis {
        match self {
            Self::Index(_, _, recent) => recent.at,
            Self::Tag(.., at) => *at,
        }
    }
}

/// Writes down what is remembered, at an orderly stop, when everything else is counted; then this
/// process remembers nothing.
///
/// # Errors
/// When the database fails.
pub async fn save(app: &App) -> Result<()> {
    let mut known = app.public_pulls.known.lock().await;
    let now = app.clock.now();
    let Known { indexes, tags, .. } = &mut *known;
    let indexes = indexes.drain().map(|((client, id), recent)| Entry::Index(client, id, recent));
    let tags = tags
        .drain()
        .map(|((client, id, digest), (tag, at))| Entry::Tag(client, id, digest, tag, at));
    let mut entries: Vec<Entry> =
        indexes.chain(tags).filter(|entry| is_recent(entry.at(), now)).collect();
    if entries.is_empty() {
        return Ok(());
    }
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    while !entries.is_empty() {
        let rest = entries.split_off(entries.len().min(ENTRIES));
        let content =
            serde_json::to_string(&Saved { version: VERSION, entries }).map_err(Error::internal)?;
        tx.execute(
            "INSERT INTO recent_public_pulls (id, saved_at, content) VALUES ($1, $2, $3)",
            params![app.ids.next(now), now, content],
        )
        .await?;
        entries = rest;
    }
    tx.commit().await?;
    Ok(())
}

/// Remembers what the process before wrote down, if that is not long ago, before the first request.
///
/// # Errors
/// When the database fails.
pub async fn restore(app: &App) -> Result<()> {
    let mut known = app.public_pulls.known.lock().await;
    let now = app.clock.now();
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    let rows = tx
        .all("SELECT content FROM recent_public_pulls ORDER BY id DESC LIMIT $1", params![ROWS_MAX])
        .await?;
    if !rows.is_empty() {
        tx.execute("DELETE FROM recent_public_pulls", &[]).await?;
    }
    tx.commit().await?;
    for row in rows {
        // Of a release to come; pulls that straddle an upgrade backwards may count twice.
        let Ok(saved) = serde_json::from_str::<Saved>(&row.get::<String>(0)?) else { continue };
        if saved.version != VERSION {
            continue;
        }
        for entry in saved.entries.into_iter().filter(|entry| is_recent(entry.at(), now)) {
            match entry {
                Entry::Index(client, id, recent) => {
                    known.indexes.insert((client, id), recent);
                }
                Entry::Tag(client, id, digest, tag, at) => {
                    known.tags.insert((client, id, digest), (tag, at));
                }
            }
        }
    }
    Ok(())
}

fn is_recent(then: Millis, now: Millis) -> bool {
    now.0.saturating_sub(then.0) <= TOGETHER_MS
}
