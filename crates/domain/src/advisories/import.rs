//! From a source into metadata. A source is read to its end and judged before anything of it is
//! stored; then only what has changed is. An import that was interrupted is completed by the next.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use tokio::sync::mpsc;
use tonnage_scanner::advisories::{Advisory, FORM, entries};

use super::source::{self, Content, Known, Record, Source, Summary};
use super::sync::blocking;
use super::{AdvisoryId, CHUNK};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::jobs::{self, Run};
use crate::metadata::Value;
use crate::params;
use crate::scanning::rematch::RematchPackages;

/// Records that are stored in one transaction: others write too.
const BATCH: usize = 200;
/// Rows of one question.
const PAGE: usize = 5_000;
/// A source that shrinks to less than this part of it is believed only when the operator says so.
const SHRINKS_TO: usize = 2;

/// Why a source was not imported.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is not what it should be; the next try is that of the schedule.
    Refused(String),
    /// It cannot be had; another try may help.
    Passing(String),
    /// The database failed, or the job ended.
    Fault(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// A package of an ecosystem.
type PackageName = (String, String);

/// What is known of a source that lists its changes once it was read.
#[derive(Clone, Copy)]
pub(super) struct Since<'a> {
    /// What to ask for the list with.
    pub(super) known: &'a Known,
    /// Its last change, in milliseconds.
    pub(super) seen: i64,
}

/// Brings what is stored of a source to what `path` has.
pub(super) async fn import(
    run: &Run<'_>,
    source: &Source,
    path: &Path,
    force: bool,
    known: &Known,
    checksum: Option<&str>,
) -> Result<(), Failure> {
    let (records, summary) = replace(run, source, path, force).await?;
    let ending = Ending { records, summary, known, checksum, changes_seen: None };
    finish(run, source, ending).await?;
    Ok(())
}

/// As [`import`], of the archive of a source that lists its changes, whose list was read before.
pub(super) async fn import_whole(
    run: &Run<'_>,
    source: &Source,
    path: &Path,
    force: bool,
    since: Since<'_>,
) -> Result<(), Failure> {
    let (records, summary) = replace(run, source, path, force).await?;
    // The archive may be older than the list.
    let seen = summary.released.map_or(since.seen, |released| released.min(since.seen));
    let ending =
        Ending { records, summary, known: since.known, checksum: None, changes_seen: Some(seen) };
    finish(run, source, ending).await?;
    Ok(())
}

/// Brings what is stored of a source to what its list has, by the records that changed.
pub(super) async fn import_changes(
    run: &Run<'_>,
    source: &Source,
    path: &Path,
    listed: &HashSet<String>,
    force: bool,
    since: Since<'_>,
) -> Result<(), Failure> {
    let (kind, at) = (source.kind.clone(), path.to_owned());
    let read = blocking(move || survey(&kind, &at)).await?;
    let (mut changed, summary) = read.map_err(Failure::Refused)?;
    // What the list does not have is not what was asked for.
    changed.retain(|key, _| listed.contains(key));
    let stored = stored(run, source).await?;
    refuse_loss(source, listed.len(), stored.len(), force)?;
    let gone: Vec<String> = stored.keys().filter(|name| !listed.contains(*name)).cloned().collect();
    let new = changed.keys().filter(|key| !stored.contains_key(*key)).count();
    let records = stored.len() + new - gone.len();
    changed.retain(|key, hash| stored.get(key).is_none_or(|stored| stored != hash));
    drop(stored);
    store_changed(run, source, path, changed).await?;
    remove_gone(run, source, gone).await?;
    let (known, changes_seen) = (since.known, Some(since.seen));
    finish(run, source, Ending { records, summary, known, checksum: None, changes_seen }).await?;
    Ok(())
}

fn refuse_loss(source: &Source, records: usize, had: usize, force: bool) -> Result<(), Failure> {
    if force || records >= had.div_ceil(SHRINKS_TO) {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "it has {records} records and had {had}; if that is right, `tonnage advisories sync {} \
         --force` takes it all the same",
        source.name
    )))
}

/// How many records it has now, and what came of reading them.
async fn replace(
    run: &Run<'_>,
    source: &Source,
    path: &Path,
    force: bool,
) -> Result<(usize, Summary), Failure> {
    let (kind, at) = (source.kind.clone(), path.to_owned());
    let read = blocking(move || survey(&kind, &at)).await?;
    let (found, summary) = read.map_err(Failure::Refused)?;
    let records = found.len();
    let stored = stored(run, source).await?;
    if records == 0 && stored.is_empty() {
        return Err(Failure::Refused(format!(
            "there are no records of the kind {} in it; {} files or lines could not be read",
            source.kind.as_str(),
            summary.skipped
        )));
    }
    refuse_loss(source, records, stored.len(), force)?;
    let mut gone: Vec<String> = Vec::new();
    for name in stored.keys() {
        if !found.contains_key(name) {
            gone.push(name.clone());
        }
    }
    let mut changed = found;
    changed.retain(|key, hash| stored.get(key).is_none_or(|stored| stored != hash));
    drop(stored);
    store_changed(run, source, path, changed).await?;
    remove_gone(run, source, gone).await?;
    Ok((records, summary))
}

/// Removes records that a source has no more, in small transactions.
async fn remove_gone(run: &Run<'_>, source: &Source, mut gone: Vec<String>) -> Result<()> {
    gone.sort();
    for batch in gone.chunks(BATCH) {
        let mut tx = run.write().await?;
        remove(&mut tx, source, batch).await?;
        run.commit(tx).await?;
    }
    Ok(())
}

/// The keys of a source with the hashes of what they say, each key once.
fn survey(
    kind: &source::SourceKind,
    path: &Path,
) -> Result<(HashMap<String, String>, Summary), String> {
    let mut found: HashMap<String, String> = HashMap::new();
    let mut again = 0;
    let mut summary = source::read(kind, path, |record| {
        match found.entry(record.key) {
            std::collections::hash_map::Entry::Occupied(_) => again += 1,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(record.hash);
            }
        }
        true
    })?;
    summary.skipped += again;
    Ok((found, summary))
}

/// The keys that are stored, with their hashes.
async fn stored(run: &Run<'_>, source: &Source) -> Result<HashMap<String, String>> {
    let mut stored = HashMap::new();
    let mut after = String::new();
    loop {
        let mut tx = run.read().await?;
        let rows = if source.kind.has_advisories() {
            tx.all(
                "SELECT identifier, hash FROM advisories WHERE source = $1 AND identifier > $2 \
                 ORDER BY identifier LIMIT $3",
                params![&source.name, &after, PAGE],
            )
            .await?
        } else {
            tx.all(
                "SELECT cve, hash FROM flaw_records WHERE source = $1 AND cve > $2 \
                 ORDER BY cve LIMIT $3",
                params![&source.name, &after, PAGE],
            )
            .await?
        };
        for row in &rows {
            after = row.get(0)?;
            stored.insert(after.clone(), row.get(1)?);
        }
        if rows.len() < PAGE {
            return Ok(stored);
        }
    }
}

/// Reads the source once more and stores the records that have changed. One that has changed since
/// it was surveyed waits for the next import.
async fn store_changed(
    run: &Run<'_>,
    source: &Source,
    path: &Path,
    mut changed: HashMap<String, String>,
) -> Result<(), Failure> {
    if changed.is_empty() {
        return Ok(());
    }
    let total = u64::try_from(changed.len()).ok();
    let (sender, mut records) = mpsc::channel::<Record>(BATCH);
    let (kind, at) = (source.kind.clone(), path.to_owned());
    let reading = tokio::task::spawn_blocking(move || {
        source::read(&kind, &at, |record| {
            if changed.get(&record.key) != Some(&record.hash) {
                return true;
            }
            changed.remove(&record.key);
            sender.blocking_send(record).is_ok()
        })
    });
    let mut done = 0;
    let mut is_open = true;
    while is_open {
        let mut batch = Vec::with_capacity(BATCH);
        while is_open && batch.len() < BATCH {
            let left = BATCH - batch.len();
            is_open = records.recv_many(&mut batch, left).await > 0;
        }
        if batch.is_empty() {
            break;
        }
        done += u64::try_from(batch.len()).unwrap_or(0);
        let mut tx = run.write().await?;
        store(&mut tx, run, source, batch).await?;
        run.commit(tx).await?;
        run.progress(done, total);
    }
    reading.await.map_err(Error::internal)?.map_err(Failure::Refused)?;
    Ok(())
}

async fn store(tx: &mut Tx, run: &Run<'_>, source: &Source, batch: Vec<Record>) -> Result<()> {
    let mut touched: BTreeSet<PackageName> = BTreeSet::new();
    let mut cves = Vec::new();
    for record in batch {
        match record.content {
            Content::Advisory(advisory) => {
                store_advisory(tx, run, source, *advisory, &record.hash, &mut touched).await?;
            }
            Content::Known(document) => {
                tx.execute(
                    "INSERT INTO flaw_records (cve, source, hash, document) \
                     VALUES ($1, $2, $3, $4) ON CONFLICT (cve, source) DO UPDATE SET \
                     hash = excluded.hash, document = excluded.document",
                    params![&record.key, &source.name, record.hash, document],
                )
                .await?;
                cves.push(record.key);
            }
        }
    }
    if source.kind == source::SourceKind::Cve {
        touched.extend(packages_of(tx, &cves).await?);
    }
    touch(tx, &touched).await
}

/// The packages of the advisories that are about these flaws.
async fn packages_of(tx: &mut Tx, cves: &[String]) -> Result<BTreeSet<PackageName>> {
    let mut packages = BTreeSet::new();
    for cves in cves.chunks(CHUNK) {
        let rows = tx
            .all(
                "SELECT DISTINCT e.ecosystem, e.name FROM advisory_cves c \
                 JOIN advisory_entries e ON e.advisory_id = c.advisory_id WHERE c.cve IN_LIST($1)",
                params![Value::list(cves)],
            )
            .await?;
        for row in &rows {
            packages.insert((row.get(0)?, row.get(1)?));
        }
    }
    Ok(packages)
}

async fn store_advisory(
    tx: &mut Tx,
    run: &Run<'_>,
    source: &Source,
    mut advisory: Advisory,
    hash: &str,
    touched: &mut BTreeSet<PackageName>,
) -> Result<()> {
    let entries = entries(&advisory).entries;
    let cves = advisory.cves();
    advisory.affected = Vec::new();
    let document = serde_json::to_string(&advisory).map_err(Error::internal)?;
    let now = run.app.clock.now();
    let row = tx
        .optional(
            "SELECT id FROM advisories WHERE source = $1 AND identifier = $2",
            params![&source.name, &advisory.id],
        )
        .await?;
    let id = match row {
        Some(row) => {
            let id: AdvisoryId = row.get(0)?;
            take_parts(tx, id, touched).await?;
            tx.execute(
                "UPDATE advisories SET hash = $2, document = $3, imported_at = $4 WHERE id = $1",
                params![id, hash, document, now],
            )
            .await?;
            id
        }
        None => {
            let id = AdvisoryId(run.app.ids.next(now));
            tx.execute(
                "INSERT INTO advisories (id, source, identifier, hash, document, imported_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                params![id, &source.name, &advisory.id, hash, document, now],
            )
            .await?;
            id
        }
    };
    for cve in cves {
        tx.execute(
            "INSERT INTO advisory_cves (advisory_id, cve) VALUES ($1, $2)",
            params![id, cve],
        )
        .await?;
    }
    for entry in entries {
        let ecosystem = entry.ecosystem.as_str().to_owned();
        tx.execute(
            "INSERT INTO advisory_entries (ecosystem, name, advisory_id, rules) \
             VALUES ($1, $2, $3, $4)",
            params![&ecosystem, &entry.name, id, entry.rules.encode()],
        )
        .await?;
        touched.insert((ecosystem, entry.name));
    }
    Ok(())
}

/// Removes what an advisory says of packages and flaws.
async fn take_parts(
    tx: &mut Tx,
    id: AdvisoryId,
    touched: &mut BTreeSet<PackageName>,
) -> Result<()> {
    let rows = tx
        .all("SELECT ecosystem, name FROM advisory_entries WHERE advisory_id = $1", params![id])
        .await?;
    for row in &rows {
        touched.insert((row.get(0)?, row.get(1)?));
    }
    tx.execute("DELETE FROM advisory_entries WHERE advisory_id = $1", params![id]).await?;
    tx.execute("DELETE FROM advisory_cves WHERE advisory_id = $1", params![id]).await?;
    Ok(())
}

/// Removes records that their source has no more.
async fn remove(tx: &mut Tx, source: &Source, gone: &[String]) -> Result<()> {
    let mut touched = BTreeSet::new();
    if source.kind.has_advisories() {
        for identifier in gone {
            let row = tx
                .optional(
                    "SELECT id FROM advisories WHERE source = $1 AND identifier = $2",
                    params![&source.name, identifier],
                )
                .await?;
            if let Some(row) = row {
                remove_advisory(tx, row.get(0)?, &mut touched).await?;
            }
        }
    } else {
        tx.execute(
            "DELETE FROM flaw_records WHERE source = $1 AND cve IN_LIST($2)",
            params![&source.name, Value::list(gone)],
        )
        .await?;
        if source.kind == source::SourceKind::Cve {
            touched.extend(packages_of(tx, gone).await?);
        }
    }
    touch(tx, &touched).await
}

async fn remove_advisory(
    tx: &mut Tx,
    id: AdvisoryId,
    touched: &mut BTreeSet<PackageName>,
) -> Result<()> {
    take_parts(tx, id, touched).await?;
    tx.execute("DELETE FROM advisories WHERE id = $1", params![id]).await?;
    Ok(())
}

/// Says that something else is known of packages.
async fn touch(tx: &mut Tx, packages: &BTreeSet<PackageName>) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(packages.len()).unwrap_or(i64::MAX);
    tx.execute(
        "UPDATE advisory_sequence SET sequence = sequence + $1 WHERE id = 1",
        params![count],
    )
    .await?;
    let row = tx.optional("SELECT sequence FROM advisory_sequence WHERE id = 1", &[]).await?;
    let last: i64 = row.ok_or_else(|| Error::internal("advisory_sequence is empty"))?.get(0)?;
    for (sequence, (ecosystem, name)) in (last - count + 1..).zip(packages) {
        tx.execute(
            "INSERT INTO advisory_changes (ecosystem, name, sequence) VALUES ($1, $2, $3) \
             ON CONFLICT (ecosystem, name) DO UPDATE SET sequence = excluded.sequence",
            params![ecosystem, name, sequence],
        )
        .await?;
    }
    Ok(())
}

/// What a source is known by once it was read.
struct Ending<'a> {
    records: usize,
    summary: Summary,
    known: &'a Known,
    checksum: Option<&'a str>,
    changes_seen: Option<i64>,
}

async fn finish(run: &Run<'_>, source: &Source, ending: Ending<'_>) -> Result<()> {
    let Ending { records, summary, known, checksum, changes_seen } = ending;
    let now = run.app.clock.now();
    // Some publishers write the year 1 where they know no time.
    let released = summary.released.filter(|&time| time > 0).map(|time| time.min(now.0));
    let mut tx = run.write().await?;
    tx.execute(
        "UPDATE advisory_sources SET location = $2, form = $3, etag = $4, last_modified = $5, \
         checksum = $6, records = $7, skipped = $8, \
         released_at = COALESCE(CAST($9 AS BIGINT), released_at), checked_at = $10, \
         imported_at = $10, changes_seen = $11, failed_at = NULL, last_error = NULL \
         WHERE name = $1",
        params![
            &source.name,
            source.location.to_string(),
            i64::from(FORM),
            known.etag.as_deref(),
            known.last_modified.as_deref(),
            checksum,
            records,
            summary.skipped,
            released,
            now,
            changes_seen,
        ],
    )
    .await?;
    // Images follow at once.
    jobs::enqueue(&mut tx, run.app, &RematchPackages, now).await?;
    run.commit(tx).await?;
    tracing::info!(
        source = source.name,
        records,
        skipped = summary.skipped,
        "advisories are up to date"
    );
    Ok(())
}

/// Removes a source and all that came from it.
pub(super) async fn forget(run: &Run<'_>, name: &str) -> Result<()> {
    loop {
        let mut tx = run.write().await?;
        let mut touched = BTreeSet::new();
        let advisories = tx
            .all(
                "SELECT id FROM advisories WHERE source = $1 ORDER BY identifier LIMIT $2",
                params![name, BATCH],
            )
            .await?;
        for row in &advisories {
            remove_advisory(&mut tx, row.get(0)?, &mut touched).await?;
        }
        let flaws = tx
            .all(
                "SELECT cve FROM flaw_records WHERE source = $1 ORDER BY cve LIMIT $2",
                params![name, BATCH],
            )
            .await?;
        let cves = flaws.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<String>>>()?;
        tx.execute(
            "DELETE FROM flaw_records WHERE source = $1 AND cve IN_LIST($2)",
            params![name, Value::list(&cves)],
        )
        .await?;
        // Scores change no match; telling these sources apart is not worth a question.
        touched.extend(packages_of(&mut tx, &cves).await?);
        touch(&mut tx, &touched).await?;
        let is_over = advisories.is_empty() && flaws.is_empty();
        if is_over {
            tx.execute("DELETE FROM advisory_sources WHERE name = $1", params![name]).await?;
        }
        run.commit(tx).await?;
        if is_over {
            return Ok(());
        }
    }
}
