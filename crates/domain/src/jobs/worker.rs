//! The worker of a process: claims jobs, runs them side by side, and gives them back when it stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::claim::{Claimed, Turns, claim, is_due};
use super::outcome::{self, Outcome};
use super::{KINDS, Kind, Run, SCHEDULES, Schedule, begin, lease, schedules};
use crate::app::App;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::metadata::Mode;
use crate::params;
use crate::pull_through::transfer_lease;

/// Jobs that one process runs at a time.
const JOBS_MAX: usize = 8;
/// How often a process looks for jobs that nobody told it of: those of other processes, those whose
/// time comes, those that a dead worker left.
const POLL: Duration = Duration::from_secs(2);
/// The time between two signs of life of a job that runs.
const BEAT: Duration = Duration::from_secs(lease::SECONDS as u64 / 3);

/// Runs jobs of these kinds.
pub struct Worker {
    /// Which worker this is among all processes.
    id: String,
    kinds: Vec<Kind>,
    schedules: Vec<Schedule>,
    turns: Mutex<Turns>,
}

impl Default for Worker {
    fn default() -> Self {
        Self::new(KINDS, SCHEDULES)
    }
}

impl Worker {
    /// A worker for these kinds and schedules; [`Worker::default`] has all there are.
    pub fn new(kinds: &[Kind], schedules: &[Schedule]) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            kinds: kinds.to_vec(),
            schedules: schedules.to_vec(),
            turns: Mutex::default(),
        }
    }

    /// Runs jobs until `stopping`, beginning with those that a process before this one left; those under way are then broken off between two of their steps
    /// and given back, so that whoever comes next need not wait for the end of their leases.
    pub async fn run(self: Arc<Self>, app: Arc<App>, stopping: CancellationToken) {
        if let Err(error) = end_leases(&app).await {
            tracing::warn!(
                error = chain(&error),
                "jobs of the process before cannot be taken over yet; their leases end in a minute"
            );
        }
        let mut running = JoinSet::new();
        loop {
            while running.try_join_next().is_some() {}
            while running.len() < JOBS_MAX && !stopping.is_cancelled() {
                match self.next(&app).await {
                    Ok(Some(claimed)) => {
                        let (worker, app) = (Arc::clone(&self), Arc::clone(&app));
                        running.spawn(async move { worker.work(&app, claimed).await });
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::error!(error = chain(&error), "jobs cannot be claimed");
                        break;
                    }
                }
            }
            tokio::select! {
                () = stopping.cancelled() => break,
                () = app.jobs.wait() => {}
                Some(_) = running.join_next() => {}
                () = sleep(POLL) => {}
            }
        }
        running.shutdown().await;
        if let Err(error) = self.give_back(&app).await {
            tracing::warn!(
                error = chain(&error),
                "jobs under way cannot be given back; others take them over when their leases end"
            );
        }
    }

    /// Runs one job, if one is due; how that ended.
    ///
    /// # Errors
    /// When the database fails before or after the run.
    pub async fn run_one(&self, app: &Arc<App>) -> Result<Option<&'static str>> {
        match self.next(app).await? {
            Some(claimed) => Ok(Some(self.execute(app, claimed).await?.as_str())),
            None => Ok(None),
        }
    }

    async fn next(&self, app: &App) -> Result<Option<Claimed>> {
        schedules::fire(app, &self.schedules).await?;
        if !is_due(app, app.clock.now()).await? {
            return Ok(None);
        }
        claim(app, &self.id, &self.kinds, &mut *self.turns.lock().await).await
    }

    async fn work(&self, app: &Arc<App>, claimed: Claimed) {
        if let Err(error) = self.execute(app, claimed).await {
            tracing::error!(
                error = chain(&error),
                "the end of a job cannot be written down; it is run again when its lease ends"
            );
        }
    }

    async fn execute(&self, app: &Arc<App>, claimed: Claimed) -> Result<Outcome> {
        let Claimed { kind, lease, stored } = claimed;
        let started = std::time::Instant::now();
        let run = Run { app, lease, progress: std::sync::Mutex::default() };
        // Side by side in one task: a sign of life waits for the writer that the job may hold.
        let result = tokio::select! {
            result = (kind.run)(stored, &run) => result,
            () = self.beat(app, &run) => Err(Error::new(
                ErrorKind::Unavailable,
                "The job was cancelled, or another worker has it.",
            )),
        };
        if let Err(error) = &result {
            tracing::warn!(
                kind = kind.name,
                job = lease.job_id,
                error = chain(error),
                "a run of a job failed"
            );
        }
        let outcome = outcome::record(app, &run, kind.limits, result).await?;
        if outcome == Outcome::Dead {
            tracing::error!(
                kind = kind.name,
                job = lease.job_id,
                "a job is a dead letter now; see `tonnage jobs show` and `tonnage jobs retry`"
            );
        }
        app.metrics.record_job(kind.name, outcome, started.elapsed());
        Ok(outcome)
    }

    /// Renews the lease again and again; ends when it is lost.
    async fn beat(&self, app: &App, run: &Run<'_>) {
        loop {
            sleep(BEAT).await;
            let renewed = async {
                let mut tx = begin(app, Mode::Write).await?;
                let held = run.lease.renew(&mut tx, app.clock.now()).await?;
                tx.commit().await?;
                Ok::<_, Error>(held)
            };
            match renewed.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "a lease cannot be renewed");
                }
            }
        }
    }

    async fn give_back(&self, app: &App) -> Result<()> {
        let now = app.clock.now();
        let mut tx = begin(app, Mode::Write).await?;
        tx.execute(
            "UPDATE jobs SET state = 'WAITING', run_at = $2, attempts = attempts - 1, \
             lease_owner = NULL, lease_expires_at = NULL, again_at = NULL, updated_at = $2 \
             WHERE lease_owner = $1 AND state = 'RUNNING' AND cancel_requested = 0",
            params![&self.id, now],
        )
        .await?;
        tx.execute(
            "UPDATE jobs SET state = 'CANCELLED', lease_owner = NULL, lease_expires_at = NULL, \
             cancel_requested = 0, updated_at = $2 \
             WHERE lease_owner = $1 AND state = 'RUNNING'",
            params![&self.id, now],
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Lets the leases of the process before end: an object store belongs to one process, so whoever has
/// a job when this one begins is gone.
async fn end_leases(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut tx = begin(app, Mode::Write).await?;
    tx.execute(
        "UPDATE jobs SET lease_expires_at = $1 WHERE state = 'RUNNING' AND lease_expires_at > $1",
        params![now],
    )
    .await?;
    transfer_lease::end_all(&mut tx, now).await?;
    tx.commit().await?;
    Ok(())
}
