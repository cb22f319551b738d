//! What the socket answers about jobs.

use form_urlencoded::parse;
use http::StatusCode;
use tonnage_domain::error::Error;
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::jobs::operations::{
    CancelJob, DescribeJob, JobDetail, JobState, ListJobs, RetryJob,
};
use tonnage_domain::pages::PageRequest;

use super::server::{Admin, Answer, json, malformed};
use super::{Job, Jobs};

/// Jobs of one answer.
const PAGE: u32 = 200;

impl Admin {
    pub(super) async fn list_jobs(&self, query: &str) -> Result<Answer, Error> {
        let value = |key: &str| {
            let mut pairs = parse(query.as_bytes());
            pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
        };
        let state = match value("state") {
            None => None,
            Some(text) => Some(JobState::parse(&text).ok_or_else(|| malformed("a state of jobs"))?),
        };
        let operation = ListJobs {
            management_account: self.app.management_account,
            kind: value("kind"),
            state,
            page: PageRequest { after: value("after"), limit: PAGE },
        };
        let page = execute(&self.app, &self.context().await?, operation).await?;
        let jobs = page.items.into_iter().map(shown).collect();
        Ok(json(StatusCode::OK, &Jobs { jobs, next: page.next }))
    }

    pub(super) async fn describe_job(&self, id: &str) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        self.answer_job(DescribeJob { management_account, id: parse_id(id)? }).await
    }

    pub(super) async fn cancel_job(&self, id: &str) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        self.answer_job(CancelJob { management_account, id: parse_id(id)? }).await
    }

    pub(super) async fn retry_job(&self, id: &str) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        self.answer_job(RetryJob { management_account, id: parse_id(id)? }).await
    }

    async fn answer_job<O: Operation<Output = JobDetail>>(
        &self,
        operation: O,
    ) -> Result<Answer, Error> {
        let job = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &shown(job)))
    }
}

fn parse_id(text: &str) -> Result<i64, Error> {
    text.parse().map_err(|_| malformed("the id of a job"))
}

fn shown(job: JobDetail) -> Job {
    Job {
        id: job.id,
        kind: job.kind,
        key: job.key,
        subject: job.subject,
        account: job.account,
        state: job.state.as_str().to_owned(),
        run_at: job.run_at.timestamp().to_string(),
        attempts: job.attempts,
        lease_expires_at: job.lease_expires_at.map(|at| at.timestamp().to_string()),
        cancel_requested: job.cancel_requested,
        progress_done: job.progress.done,
        progress_total: job.progress.total,
        last_error: job.last_error,
        created_at: job.created_at.timestamp().to_string(),
        updated_at: job.updated_at.timestamp().to_string(),
    }
}
