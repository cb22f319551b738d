//! The backup that the server makes in the background, one at a time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tonnage_domain::app::App;
use tonnage_domain::backup::operations::CreateBackup;
use tonnage_domain::backup::{Created, Progress};
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{Error, ErrorKind, chain};
use tonnage_domain::execute::execute;
use tonnage_store::vault::FileVault;

use super::{Backup, BackupMade, NewBackup};
use crate::serve::Lifecycle;

/// The backups of this process; only the latest is remembered.
pub(super) struct Backups {
    lifecycle: Lifecycle,
    latest: Mutex<Option<Job>>,
}

#[derive(Clone)]
struct Job {
    number: u64,
    progress: Arc<Progress>,
    outcome: Arc<OnceLock<Result<Created, String>>>,
}

impl Backups {
    pub(super) fn new(lifecycle: Lifecycle) -> Self {
        Self { lifecycle, latest: Mutex::new(None) }
    }

    /// How the latest backup stands.
    pub(super) fn latest(&self) -> Result<Backup, Error> {
        match self.lock().as_ref() {
            Some(job) => Ok(job.shown()),
            None => Err(Error::new(
                ErrorKind::InvalidParameter,
                "This server has made no backup since it started.",
            )),
        }
    }

    /// Begins a backup, which goes on when whoever asked for it is gone, and ends with the server.
    pub(super) async fn begin(
        &self,
        app: Arc<App>,
        context: RequestContext,
        new: NewBackup,
    ) -> Result<Backup, Error> {
        let refused = |sentence| Error::new(ErrorKind::InvalidParameter, sentence);
        if !new.directory.is_absolute() {
            return Err(refused("the directory of backups must be absolute".to_owned()));
        }
        let directory = new.directory;
        // Its lock keeps a second backup, of this server too, out of the directory.
        let vault = tokio::task::spawn_blocking(move || FileVault::create(directory));
        let vault = vault.await.map_err(Error::internal)?;
        let vault = Arc::new(vault.map_err(|error| refused(error.to_string()))?);
        let job = {
            let mut latest = self.lock();
            if latest.as_ref().is_some_and(|job| job.outcome.get().is_none()) {
                return Err(refused("the server is making a backup already".to_owned()));
            }
            let number = latest.as_ref().map_or(1, |job| job.number + 1);
            let job = Job { number, progress: Arc::default(), outcome: Arc::default() };
            *latest = Some(job.clone());
            job
        };
        let operation = CreateBackup {
            management_account: app.management_account,
            vault,
            keep: new.keep,
            progress: Arc::clone(&job.progress),
        };
        let shown = job.shown();
        let stopping = self.lifecycle.stopping.clone();
        self.lifecycle.background.spawn(async move {
            let outcome = tokio::select! {
                () = stopping.cancelled() => Err("the server was stopped".to_owned()),
                made = execute(&app, &context, operation) => made.map_err(|error| {
                    tracing::error!(error = chain(&error), "a backup failed");
                    chain(&error)
                }),
            };
            if let Ok(made) = &outcome {
                tracing::info!(
                    snapshot = made.snapshot.id,
                    objects = made.snapshot.objects,
                    copied = made.copied,
                    "a backup was made"
                );
            }
            // Set once: this task alone has the job.
            let _ = job.outcome.set(outcome);
        });
        Ok(shown)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Job>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn shown(&self) -> Backup {
        let outcome = self.outcome.get();
        Backup {
            number: self.number,
            rows: self.progress.rows.load(Ordering::Relaxed),
            objects: self.progress.objects.load(Ordering::Relaxed),
            objects_done: self.progress.objects_done.load(Ordering::Relaxed),
            bytes: self.progress.bytes.load(Ordering::Relaxed),
            made: outcome.and_then(|outcome| outcome.as_ref().ok()).map(|created| BackupMade {
                snapshot: created.snapshot.id.clone(),
                rows: created.snapshot.rows,
                objects: created.snapshot.objects,
                object_bytes: created.snapshot.object_bytes,
                copied: created.copied,
                copied_bytes: created.copied_bytes,
                lost: created.snapshot.lost,
                pruned: created.pruned,
                not_pruned: created.not_pruned.clone(),
            }),
            failed: outcome.and_then(|outcome| outcome.as_ref().err()).cloned(),
        }
    }
}
