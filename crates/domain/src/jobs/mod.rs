//! Jobs: work that no request waits for, as rows that survive the process.
//!
//! A [`Job`] is a serializable struct with a kind and a key; there is at most one row for a kind
//! and key. `enqueue` writes it in the transaction that causes the work. A [`Worker`] claims rows
//! under a lease, runs them and records what came of it. `docs/jobs.md` says how to add one.
//!
//! A job may be run again at any point, by this process or another, so it reads the state it works
//! on anew, and doing it twice must come to the same as once. Whatever it writes it writes in a
//! transaction that `Lease::hold` has shown to be its own still.

mod claim;
mod forget;
mod lease;
pub mod operations;
mod outcome;
mod schedules;
mod subjects;
mod worker;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

pub use self::forget::ForgetJobs;
pub use self::lease::Lease;
pub(crate) use self::outcome::Outcome;
pub use self::schedules::Schedule;
pub use self::subjects::Named;
pub use self::worker::Worker;
use crate::app::{App, Settings};
use crate::archive;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::names::{AccountId, Region};
use crate::services::ServicePrincipal;
use crate::{
    advisories, events, lifecycle, params, pull_through, replication, scanning, secrets, signing,
};

/// Every kind of job that there is.
pub const KINDS: &[Kind] = &[
    Kind::of::<ForgetJobs>(),
    Kind::of::<advisories::sync::SyncAdvisories>(),
    Kind::of::<advisories::sync::SyncSource>(),
    Kind::of::<archive::archive_blobs::ArchiveBlobs>(),
    Kind::of::<archive::restore_image::RestoreImage>(),
    Kind::of::<events::forget::ForgetHistory>(),
    Kind::of::<lifecycle::expire::ExpireImagesOfRepository>(),
    Kind::of::<lifecycle::preview::MakePreview>(),
    Kind::of::<lifecycle::turns::GiveTurns>(),
    Kind::of::<pull_through::complete::CompleteImages>(),
    Kind::of::<replication::backfills::prepare::PrepareBackfill>(),
    Kind::of::<replication::backfills::forget::ForgetBackfills>(),
    Kind::of::<replication::carry::CarryOver>(),
    Kind::of::<crate::public::domains::check::CheckPublicDomain>(),
    Kind::of::<scanning::enrol_images::EnrolImages>(),
    Kind::of::<scanning::scan_public_images::ScanPublicImages>(),
    Kind::of::<scanning::sboms::attach_sboms::AttachSboms>(),
    Kind::of::<scanning::forget_packages::ForgetPackages>(),
    Kind::of::<scanning::rematch::RematchPackages>(),
    Kind::of::<scanning::review_findings::ExpireFilters>(),
    Kind::of::<scanning::review_findings::ReviewFindings>(),
    Kind::of::<scanning::scan_image::ScanImage>(),
    Kind::of::<secrets::purge::PurgeSecrets>(),
    Kind::of::<signing::sign_image::SignImage>(),
];

/// What is enqueued by the clock.
pub const SCHEDULES: &[Schedule] = &[
    Schedule::of::<ForgetJobs>("forget-jobs", 3600),
    // Looks which sources are due; `advisory_interval` says when they are.
    Schedule::of::<advisories::sync::SyncAdvisories>("sync-advisories", 600),
    // For what a job that gave up left over.
    Schedule::of::<archive::archive_blobs::ArchiveBlobs>("archive-blobs", 3600),
    Schedule::of::<events::forget::ForgetHistory>("forget-history", 24 * 3600),
    Schedule::of::<lifecycle::turns::GiveTurns>("lifecycle-turns", 600),
    Schedule::of::<replication::backfills::forget::ForgetBackfills>("forget-backfills", 24 * 3600),
    Schedule::of::<scanning::review_findings::ExpireFilters>("expire-finding-filters", 60),
    Schedule::of::<scanning::forget_packages::ForgetPackages>("forget-packages", 24 * 3600),
    Schedule::of::<scanning::rematch::RematchPackages>("rematch-packages", 30),
    Schedule::of::<secrets::purge::PurgeSecrets>("purge-secrets", 3600),
];

/// Work to be done once, or again whenever something asks for it.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of its kind, in lower case with hyphens; never changes.
    const KIND: &'static str;
    /// The version of its stored form.
    const VERSION: i64 = 1;
    /// How it is run.
    const LIMITS: Limits = Limits::DEFAULT;

    /// What the words of [`Job::key`] are the ids of, from the first one; further words say themselves
    /// what they are.
    const KEY_NAMES: &'static [Named] = &[];

    /// Which job of its kind this is: enqueuing a key that waits already changes nothing but the
    /// payload, and one that runs makes it run once more.
    fn key(&self) -> String;

    /// How many run at a time in the whole deployment, where the operator may turn that.
    fn concurrency(_settings: &Settings) -> u32 {
        Self::LIMITS.concurrency
    }

    /// Whose turn it takes; jobs of the deployment have none.
    fn account(&self) -> Option<AccountId> {
        None
    }

    /// Does it, or a bounded part of it.
    ///
    /// # Errors
    /// Any: the job is tried again later, up to [`Limits::attempts`] times.
    fn run(self, run: &Run<'_>) -> impl Future<Output = Result<Next<Self>>> + Send;
}

/// How jobs of a kind are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many run at a time, in the whole deployment.
    pub concurrency: u32,
    /// How often one is tried before it is a dead letter.
    pub attempts: u32,
    /// The pause after the first failure, in seconds; it doubles with every further one, and a
    /// quarter of it is a matter of chance.
    pub pause_seconds: i64,
    /// The longest pause, in seconds.
    pub pause_seconds_max: i64,
}

impl Limits {
    /// For most kinds.
    pub const DEFAULT: Self =
        Self { concurrency: 2, attempts: 8, pause_seconds: 5, pause_seconds_max: 3_600 };
}

/// What comes after a run that did not fail.
#[derive(Debug)]
pub enum Next<J> {
    /// Nothing: the job is done.
    Done,
    /// The rest, after other jobs had their turn. Where to go on stands in the job.
    Continue(J),
}

/// A run of a job: what it works with.
pub struct Run<'a> {
    /// The registry.
    pub app: &'a Arc<App>,
    lease: Lease,
    progress: Mutex<Option<Progress>>,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many things are done.
    pub done: u64,
    /// How many there are, if that is known.
    pub total: Option<u64>,
}

impl Run<'_> {
    /// The right to go on; operations that a job runs take it with them.
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// Says how far the job has come; stored with the end of this run.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        let progress = Progress { done, total };
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn last_progress(&self) -> Option<Progress> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request of a service, to be given to [`crate::execute::execute`]: so every image that a
    /// job touches is touched under a decision.
    pub(crate) fn context(
        &self,
        service: ServicePrincipal,
        account: AccountId,
        region: Region,
    ) -> RequestContext {
        let request_id = format!("job-{}-{}", self.lease.job_id, self.lease.fence);
        service.context(self.app, account, region, request_id)
    }

    /// A request of a service in the registry `to`, by the role that the account `of` has for it.
    pub(crate) fn linked_context(
        &self,
        service: ServicePrincipal,
        of: AccountId,
        to: (AccountId, Region),
    ) -> RequestContext {
        let request_id = format!("job-{}-{}", self.lease.job_id, self.lease.fence);
        service.linked_context(self.app, of, to, request_id)
    }

    /// A snapshot, for what the job decides from.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn read(&self) -> Result<Tx> {
        begin(self.app, Mode::Read).await
    }

    /// A transaction for the job's own rows; end it with [`Run::commit`].
    ///
    /// # Errors
    /// As [`Lease::hold`].
    pub(crate) async fn write(&self) -> Result<Tx> {
        let mut tx = begin(self.app, Mode::Write).await?;
        self.lease.hold(&mut tx, self.app.clock.now()).await?;
        Ok(tx)
    }

    /// Commits.
    ///
    /// # Errors
    /// When the database cannot; nothing was changed then.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<()> {
        tx.commit().await?;
        Ok(())
    }
}

/// The bookkeeping of jobs is nobody's request.
async fn begin(app: &App, mode: Mode) -> Result<Tx> {
    Tx::begin(app.metadata.as_ref(), mode, &Permit::maintenance()).await
}

/// A kind of job, without its type.
#[derive(Clone, Copy)]
pub struct Kind {
    name: &'static str,
    key_names: &'static [Named],
    limits: Limits,
    concurrency: fn(&Settings) -> u32,
    run: RunPayload,
}

type RunPayload = for<'a> fn(Stored, &'a Run<'a>) -> BoxFuture<'a, Result<Ended>>;

/// The stored form of a job.
struct Stored {
    version: i64,
    payload: String,
}

/// How a run ended, without the job's type.
enum Ended {
    Done,
    Continue(Stored),
}

impl Kind {
    /// The kind of `J`.
    pub const fn of<J: Job>() -> Self {
        Self {
            name: J::KIND,
            key_names: J::KEY_NAMES,
            limits: J::LIMITS,
            concurrency: J::concurrency,
            run: run_stored::<J>,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

fn run_stored<'a, J: Job>(stored: Stored, run: &'a Run<'a>) -> BoxFuture<'a, Result<Ended>> {
    Box::pin(async move {
        if stored.version != J::VERSION {
            return Err(Error::internal(format!(
                "the job was stored in form {}, this program knows form {}",
                stored.version,
                J::VERSION
            )));
        }
        let job: J = serde_json::from_str(&stored.payload).map_err(Error::internal)?;
        Ok(match job.run(run).await? {
            Next::Done => Ended::Done,
            Next::Continue(job) => Ended::Continue(store(&job)?),
        })
    })
}

fn store<J: Job>(job: &J) -> Result<Stored> {
    let payload = serde_json::to_string(job).map_err(Error::internal)?;
    Ok(Stored { version: J::VERSION, payload })
}

/// Tells the workers of this process that there is something to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wake(Arc<Notify>);

impl Wake {
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    async fn wait(&self) {
        self.0.notified().await;
    }
}

/// Has `job` run at `run_at` or soon after. Part of the transaction: if that is not committed, the
/// job never was. Idempotent: of a key that waits already the earlier time counts.
///
/// # Errors
/// When the database fails.
pub(crate) async fn enqueue<J: Job>(tx: &mut Tx, app: &App, job: &J, run_at: Millis) -> Result<()> {
    let Stored { version, payload } = store(job)?;
    let account = job.account().map(|account| account.to_string()).unwrap_or_default();
    let now = app.clock.now();
    tx.execute(
        "INSERT INTO jobs (id, kind, job_key, account_id, payload_version, payload, state, run_at, \
         attempts, lease_owner, lease_fence, lease_expires_at, last_error, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 'WAITING', $7, 0, NULL, 0, NULL, NULL, $8, $8) \
         ON CONFLICT (kind, job_key) DO UPDATE SET \
         payload_version = excluded.payload_version, payload = excluded.payload, \
         again_at = CASE WHEN jobs.state = 'RUNNING' THEN excluded.run_at ELSE NULL END, \
         run_at = CASE WHEN jobs.state = 'RUNNING' THEN jobs.run_at \
         WHEN jobs.state = 'WAITING' AND jobs.run_at < excluded.run_at THEN jobs.run_at \
         ELSE excluded.run_at END, \
         attempts = CASE WHEN jobs.state = 'RUNNING' THEN jobs.attempts ELSE 0 END, \
         state = CASE WHEN jobs.state = 'RUNNING' THEN jobs.state ELSE 'WAITING' END, \
         updated_at = excluded.updated_at",
        params![app.ids.next(now), J::KIND, job.key(), account, version, payload, run_at, now,],
    )
    .await?;
    tx.wake_on_commit(app.jobs.clone());
    Ok(())
}
