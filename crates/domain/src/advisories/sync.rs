//! Reading sources: by the clock, or when the operator wants it.

use serde::{Deserialize, Serialize};
use tonnage_scanner::advisories::FORM;

use super::artifact;
use super::changes_list;
use super::import::{self, Failure};
use super::source::{self, Fetched, Known, Location, Source};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result, chain};
use crate::execute::Tx;
use crate::jobs::{Job, Limits, Next, Run, enqueue};
use crate::params;

/// Bytes of a file that is fetched. The dump of all of OSV has about 1 GiB.
const FILE_BYTES_MAX: u64 = 16 << 30;
/// Longest error that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 1_000;

/// Has every source read whose time has come, and forgets those that are configured no more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SyncAdvisories {}

impl Job for SyncAdvisories {
    const KIND: &'static str = "sync-advisories";

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let settings = &run.app.settings.advisories;
        let now = run.app.clock.now();
        let mut tx = run.write().await?;
        let stored = tx
            .all(
                "SELECT name, checked_at, failed_at FROM advisory_sources ORDER BY name LIMIT 10000",
                &[],
            )
            .await?;
        let mut waiting: Vec<String> = Vec::new();
        for row in &stored {
            let name: String = row.get(0)?;
            let tried = row.get::<Option<Millis>>(1)?.max(row.get::<Option<Millis>>(2)?);
            let next = tried.map(|tried| tried.plus_seconds(settings.interval_seconds));
            if settings.sources.iter().any(|source| source.name == name) {
                if next.is_some_and(|next| next > now) {
                    waiting.push(name);
                }
            } else {
                enqueue(&mut tx, run.app, &SyncSource { name, force: false }, now).await?;
            }
        }
        for source in &settings.sources {
            if !waiting.contains(&source.name) {
                let job = SyncSource { name: source.name.clone(), force: false };
                enqueue(&mut tx, run.app, &job, now).await?;
            }
        }
        run.commit(tx).await?;
        Ok(Next::Done)
    }
}

/// Reads one source, or forgets it when it is configured no more.
#[derive(Debug, Serialize, Deserialize)]
pub struct SyncSource {
    /// Which one.
    pub name: String,
    /// Whether it is read although it has not changed, and believed although it has lost more than
    /// half of its records.
    pub force: bool,
}

impl Job for SyncSource {
    const KIND: &'static str = "sync-advisory-source";
    const LIMITS: Limits =
        Limits { concurrency: 1, attempts: 4, pause_seconds: 60, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.name.clone()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let sources = &run.app.settings.advisories.sources;
        let Some(source) = sources.iter().find(|source| source.name == self.name) else {
            import::forget(run, &self.name).await?;
            return Ok(Next::Done);
        };
        match sync(run, source, self.force).await {
            Ok(()) => Ok(Next::Done),
            Err(Failure::Refused(reason)) => {
                failed(run, source, &reason).await?;
                Ok(Next::Done)
            }
            Err(Failure::Passing(reason)) => {
                failed(run, source, &reason).await?;
                Err(Error::internal(format!("{}: {reason}", source.name)))
            }
            Err(Failure::Fault(error)) => {
                failed(run, source, &chain(&error)).await?;
                Err(error)
            }
        }
    }
}

/// What is stored of a source.
pub(super) struct Stored {
    location: String,
    form: i64,
    pub(super) known: Known,
    checksum: Option<String>,
    /// Up to which change it was read, where it lists them.
    pub(super) changes_seen: Option<i64>,
}

async fn stored(tx: &mut Tx, name: &str) -> Result<Option<Stored>> {
    let row = tx
        .optional(
            "SELECT location, form, etag, last_modified, checksum, changes_seen FROM advisory_sources \
             WHERE name = $1 AND imported_at IS NOT NULL",
            params![name],
        )
        .await?;
    row.map(|row| {
        Ok(Stored {
            location: row.get(0)?,
            form: row.get(1)?,
            known: Known { etag: row.get(2)?, last_modified: row.get(3)? },
            checksum: row.get(4)?,
            changes_seen: row.get(5)?,
        })
    })
    .transpose()
}

async fn sync(run: &Run<'_>, source: &Source, force: bool) -> Result<(), Failure> {
    begin(run, source).await?;
    let mut tx = run.read().await?;
    let stored = stored(&mut tx, &source.name).await?;
    drop(tx);
    // What was read at another place or for another form of rules says nothing about this one.
    let stored = stored.filter(|stored| {
        stored.form == i64::from(FORM) && stored.location == source.location.to_string() && !force
    });
    let before = stored.as_ref().map(|stored| stored.known.clone()).unwrap_or_default();
    let fetched = match &source.location {
        Location::Path(_) => None,
        Location::Url(url) if changes_list::is_list(url) => {
            return changes_list::sync(run, source, url, stored, force).await;
        }
        Location::Url(url) => {
            let fetched = run.app.downloads.fetch(url, &before, FILE_BYTES_MAX).await;
            Some(fetched.map_err(Failure::Passing)?)
        }
        Location::Artifact(artifact) => Some(artifact::fetch(run.app, artifact, &before).await?),
    };
    let (path, _file, known) = match (fetched, &source.location) {
        (Some(Fetched::Unchanged), _) => return Ok(unchanged(run, source).await?),
        (Some(Fetched::File { file, known }), _) => (file.to_path_buf(), Some(file), known),
        (None, Location::Path(path)) => (path.clone(), None, Known::default()),
        (None, _) => return Err(Failure::Passing("nothing was fetched".to_owned())),
    };
    let at = path.clone();
    let checksum = blocking(move || source::checksum(&at)).await?.map_err(Failure::Refused)?;
    match (&source.sha256, &checksum) {
        (Some(wanted), Some(found)) if wanted != found => {
            return Err(Failure::Refused(format!(
                "the file has the SHA-256 checksum {found}, but {wanted} is configured"
            )));
        }
        (Some(_), None) => {
            return Err(Failure::Refused("a directory has no checksum".to_owned()));
        }
        _ => {}
    }
    if checksum.is_some() && stored.is_some_and(|stored| stored.checksum == checksum) {
        return Ok(unchanged(run, source).await?);
    }
    import::import(run, source, &path, force, &known, checksum.as_deref()).await
}

/// Runs what blocks beside the tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// Makes sure that the source has a row, which advisories refer to.
async fn begin(run: &Run<'_>, source: &Source) -> Result<()> {
    let mut tx = run.write().await?;
    tx.execute(
        "INSERT INTO advisory_sources (name, kind, location, licence, form, records, skipped) \
         VALUES ($1, $2, $3, $4, $5, 0, 0) ON CONFLICT (name) DO UPDATE SET \
         licence = excluded.licence",
        params![
            &source.name,
            source.kind.as_str(),
            source.location.to_string(),
            source.licence.as_deref(),
            i64::from(FORM),
        ],
    )
    .await?;
    let kind = tx
        .optional("SELECT kind FROM advisory_sources WHERE name = $1", params![&source.name])
        .await?;
    let kind: Option<String> = kind.map(|row| row.get(0)).transpose()?;
    run.commit(tx).await?;
    if kind.is_some_and(|kind| kind != source.kind.as_str()) {
        // Its records are of another kind too: it begins anew.
        import::forget(run, &source.name).await?;
        Box::pin(begin(run, source)).await?;
    }
    Ok(())
}

pub(super) async fn unchanged(run: &Run<'_>, source: &Source) -> Result<()> {
    let mut tx = run.write().await?;
    tx.execute(
        "UPDATE advisory_sources SET checked_at = $2, failed_at = NULL, last_error = NULL \
         WHERE name = $1",
        params![&source.name, run.app.clock.now()],
    )
    .await?;
    run.commit(tx).await
}

async fn failed(run: &Run<'_>, source: &Source, reason: &str) -> Result<()> {
    tracing::warn!(source = source.name, reason, "advisories cannot be read");
    let mut reason: String = reason.replace('\0', " ");
    reason.truncate(reason.floor_char_boundary(ERROR_BYTES_MAX));
    let mut tx = run.write().await?;
    tx.execute(
        "UPDATE advisory_sources SET failed_at = $2, last_error = $3 WHERE name = $1",
        params![&source.name, run.app.clock.now(), reason],
    )
    .await?;
    run.commit(tx).await
}

impl App {
    /// Says how files of advisories are fetched; before that, none is.
    pub fn set_downloads(&mut self, downloads: std::sync::Arc<dyn source::Downloads>) {
        self.downloads = downloads;
    }
}
