//! `ListJobs`, `DescribeJob`, `CancelJob` and `RetryJob`, for the operator.

use super::{Progress, subjects};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::metadata::Row;
use crate::names::AccountId;
use crate::pages::{Page, PageRequest};
use crate::params;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It runs when its time comes.
    Waiting,
    /// A worker has it.
    Running,
    /// It ended well.
    Done,
    /// It failed too often: a dead letter.
    Dead,
    /// Somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Running => "RUNNING",
            Self::Done => "DONE",
            Self::Dead => "DEAD",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Reads it back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A job as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDetail {
    /// Its row.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// Which one of its kind.
    pub key: String,
    /// What it is about: the key, with names in place of the ids of what is still there.
    pub subject: String,
    /// The account it works for, if it is not the deployment's.
    pub account: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// When it runs, or ran.
    pub run_at: Millis,
    /// How often it was tried since it last got on.
    pub attempts: u32,
    /// Until when its worker has it.
    pub lease_expires_at: Option<Millis>,
    /// Whether somebody asked to cancel it while it runs.
    pub cancel_requested: bool,
    /// How far it has come.
    pub progress: Progress,
    /// What its last failure was.
    pub last_error: Option<String>,
    /// When its row was made.
    pub created_at: Millis,
    /// When its row last changed, leases aside.
    pub updated_at: Millis,
}

fn detail_from(row: &Row) -> Result<JobDetail> {
    let state: String = row.get(4)?;
    Ok(JobDetail {
        id: row.get(0)?,
        kind: row.get(1)?,
        key: row.get(2)?,
        subject: String::new(),
        account: row.get::<Option<String>>(3)?.filter(|account| !account.is_empty()),
        state: JobState::parse(&state)
            .ok_or_else(|| Error::internal(format!("stored state of a job {state}")))?,
        run_at: row.get(5)?,
        attempts: row.get(6)?,
        lease_expires_at: row.get(7)?,
        cancel_requested: row.get(8)?,
        progress: Progress { done: row.get(9)?, total: row.get(10)? },
        last_error: row.get(11)?,
        created_at: row.get(12)?,
        updated_at: row.get(13)?,
    })
}

async fn get(tx: &mut Tx, id: i64) -> Result<Option<JobDetail>> {
    let row = tx
        .optional(
            "SELECT id, kind, job_key, account_id, state, run_at, attempts, lease_expires_at, \
             cancel_requested, progress_done, progress_total, last_error, created_at, updated_at \
             FROM jobs WHERE id = $1",
            params![id],
        )
        .await?;
    let mut jobs = row.iter().map(detail_from).collect::<Result<Vec<_>>>()?;
    subjects::tell(tx, &mut jobs).await?;
    Ok(jobs.pop())
}

fn not_found(id: i64) -> Error {
    Error::new(ErrorKind::JobNotFound, format!("There is no job {id}."))
}

fn demand(action: &'static str, account: AccountId) -> Vec<Demand> {
    vec![Demand::new(action, Resource::Deployment { account })]
}

/// Lists jobs by id: oldest first.
#[derive(Clone, Debug)]
pub struct ListJobs {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Which page; at most 1000.
    pub page: PageRequest,
}

impl Operation for ListJobs {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListJobs" };
    type Output = Page<JobDetail>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:ListJobs", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<Page<JobDetail>> {
        let after: i64 = match self.page.after.as_deref() {
            None => 0,
            Some(after) => {
                after.parse().map_err(|_| Error::invalid_parameter("after", "Invalid token"))?
            }
        };
        let mut tx = call.read().await?;
        let rows = tx
            .all(
                "SELECT id, kind, job_key, account_id, state, run_at, attempts, lease_expires_at, \
                 cancel_requested, progress_done, progress_total, last_error, created_at, \
                 updated_at FROM jobs WHERE id > $1 \
                 AND (CAST($2 AS TEXT) IS NULL OR kind = $2) \
                 AND (CAST($3 AS TEXT) IS NULL OR state = $3) ORDER BY id LIMIT $4",
                params![
                    after,
                    self.kind.as_deref(),
                    self.state.map(JobState::as_str),
                    self.page.limit_and_one(),
                ],
            )
            .await?;
        let mut items = rows.iter().map(detail_from).collect::<Result<Vec<_>>>()?;
        subjects::tell(&mut tx, &mut items).await?;
        Ok(self.page.cut(items, |job| job.id.to_string()))
    }
}

/// Describes a job.
///
/// # Errors
/// [`ErrorKind::JobNotFound`].
#[derive(Clone, Debug)]
pub struct DescribeJob {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Which one.
    pub id: i64,
}

impl Operation for DescribeJob {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeJob" };
    type Output = JobDetail;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:DescribeJob", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<JobDetail> {
        let mut tx = call.read().await?;
        get(&mut tx, self.id).await?.ok_or_else(|| not_found(self.id))
    }
}

/// Cancels a job: one that waits at once, one that runs before its next change. What it did stays.
/// Whatever enqueues it again has it run again. Idempotent.
///
/// # Errors
/// [`ErrorKind::JobNotFound`]; [`ErrorKind::InvalidParameter`] when it has ended.
#[derive(Clone, Debug)]
pub struct CancelJob {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Which one.
    pub id: i64,
}

impl Operation for CancelJob {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "CancelJob" };
    type Output = JobDetail;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:CancelJob", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<JobDetail> {
        let mut tx = call.write().await?;
        let job = get(&mut tx, self.id).await?.ok_or_else(|| not_found(self.id))?;
        match job.state {
            JobState::Waiting => {
                tx.execute(
                    "UPDATE jobs SET state = 'CANCELLED', updated_at = $2 WHERE id = $1",
                    params![self.id, call.now()],
                )
                .await?;
            }
            JobState::Running => {
                tx.execute(
                    "UPDATE jobs SET cancel_requested = 1, again_at = NULL WHERE id = $1",
                    params![self.id],
                )
                .await?;
            }
            JobState::Cancelled => {}
            JobState::Done | JobState::Dead => {
                return Err(Error::new(
                    ErrorKind::InvalidParameter,
                    format!("Job {} has ended, so it cannot be cancelled.", self.id),
                ));
            }
        }
        let job = get(&mut tx, self.id).await?.ok_or_else(|| not_found(self.id))?;
        call.commit(tx).await?;
        Ok(job)
    }
}

/// Has a job run now that is a dead letter, was cancelled or waits, with all its attempts.
/// Idempotent.
///
/// # Errors
/// [`ErrorKind::JobNotFound`]; [`ErrorKind::InvalidParameter`] when it runs or is done.
#[derive(Clone, Debug)]
pub struct RetryJob {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Which one.
    pub id: i64,
}

impl Operation for RetryJob {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "RetryJob" };
    type Output = JobDetail;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:RetryJob", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<JobDetail> {
        let mut tx = call.write().await?;
        let job = get(&mut tx, self.id).await?.ok_or_else(|| not_found(self.id))?;
        if matches!(job.state, JobState::Running | JobState::Done) {
            let state = if job.state == JobState::Running { "runs" } else { "is done" };
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!("Job {} {state}, so it cannot be tried again.", self.id),
            ));
        }
        tx.execute(
            "UPDATE jobs SET state = 'WAITING', run_at = $2, attempts = 0, updated_at = $2 \
             WHERE id = $1",
            params![self.id, call.now()],
        )
        .await?;
        tx.wake_on_commit(call.app.jobs.clone());
        let job = get(&mut tx, self.id).await?.ok_or_else(|| not_found(self.id))?;
        call.commit(tx).await?;
        Ok(job)
    }
}
