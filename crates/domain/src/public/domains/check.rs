//! The job that looks for the proof of a domain, in a file and in the DNS, and again every day.

use serde::{Deserialize, Serialize};

use super::{DomainName, DomainProof, DomainStatus, GRACE_SECONDS, PublicDomains, look_alike};
use crate::app::App;
use crate::error::Result;
use crate::gallery;
use crate::jobs::{self, Job, Limits, Named, Next, Run};
use crate::names::AccountId;
use crate::registries::Document as _;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: usize = 4096;
/// Lines of it that are looked at.
const LINES_MAX: usize = 100;
/// Until a proof that was seen is looked for again.
const AGAIN_SECONDS: i64 = 24 * 3600;
/// Until one that was not seen yet is, the first time; it doubles up to [`LATE_SECONDS`].
const SOON_SECONDS: i64 = 60;
const LATE_SECONDS: i64 = 3600;
/// How long after it was last asked for a proof is looked for that was never seen.
const PATIENCE_SECONDS: i64 = 7 * 24 * 3600;

/// Looks for the proof of a domain while the registry has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckPublicDomain {
    account: String,
    registry_id: i64,
    domain: DomainName,
}

impl CheckPublicDomain {
    pub(super) fn new(account: AccountId, registry_id: i64, domain: DomainName) -> Self {
        Self { account: account.to_string(), registry_id, domain }
    }
}

impl Job for CheckPublicDomain {
    const KIND: &'static str = "check-public-domain";
    const KEY_NAMES: &'static [Named] = &[Named::Registry];
    const LIMITS: Limits = Limits { concurrency: 2, ..Limits::DEFAULT };

    fn key(&self) -> String {
        format!("{} {}", self.registry_id, self.domain)
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let mut domains = PublicDomains::load(&mut tx, Some(self.registry_id)).await?;
        drop(tx);
        let wanted = domains.find_mut(&self.domain);
        let wanted = wanted.filter(|proof| proof.status != DomainStatus::Revoked);
        let Some(proof) = wanted else { return Ok(Next::Done) };
        let mut seen = look(run.app, proof).await;
        let line = proof.line();

        let mut tx = run.write().await?;
        let mut domains = PublicDomains::load(&mut tx, Some(self.registry_id)).await?;
        if seen.is_ok()
            && let Some(other) = look_alike(&mut tx, self.registry_id, &self.domain).await?
        {
            seen =
                Err(format!("The domain looks too much like {other}, which another has proven."));
        }
        let now = run.app.clock.now();
        // Another proof by now, if it was removed and asked for again.
        let known = domains
            .find_mut(&self.domain)
            .filter(|proof| proof.status != DomainStatus::Revoked && proof.line() == line);
        let Some(proof) = known else {
            run.commit(tx).await?;
            return Ok(Next::Done);
        };
        let before = proof.status;
        let again = proof.note(seen, now);
        let has_changed = proof.status != before;
        domains.store(&mut tx, self.registry_id).await?;
        if has_changed {
            gallery::note_registry_of(&mut tx, run.app, self.registry_id).await?;
        }
        if let Some(seconds) = again {
            jobs::enqueue(&mut tx, run.app, &self, now.plus_seconds(seconds)).await?;
        }
        run.commit(tx).await?;
        Ok(Next::Done)
    }
}

impl DomainProof {
    /// Notes what a look at the proof came to; in how many seconds to look again, if at all.
    fn note(&mut self, seen: Result<(), String>, now: crate::clock::Millis) -> Option<i64> {
        self.checked_at = Some(now);
        match seen {
            Ok(()) => {
                self.status = DomainStatus::Proven;
                self.seen_at = Some(now);
                self.failures = 0;
                self.problem.clear();
                Some(AGAIN_SECONDS)
            }
            Err(problem) => {
                self.problem = problem;
                self.failures = self.failures.saturating_add(1);
                let is_good = self.seen_at.is_some_and(|at| at.plus_seconds(GRACE_SECONDS) > now);
                if !is_good {
                    self.status = DomainStatus::Pending;
                }
                let pause = SOON_SECONDS << (self.failures - 1).min(10);
                let since = self.requested_at.max(self.seen_at.unwrap_or(self.requested_at));
                (since.plus_seconds(PATIENCE_SECONDS) > now).then(|| pause.min(LATE_SECONDS))
            }
        }
    }
}

/// Whether the file has the line or the DNS the text; otherwise what the owner can do about it.
async fn look(app: &App, proof: &DomainProof) -> Result<(), String> {
    let Err(file) = look_for_file(app, proof).await else { return Ok(()) };
    look_for_record(app, proof).await.map_err(|record| format!("{file} {record}"))
}

async fn look_for_record(app: &App, proof: &DomainProof) -> Result<(), String> {
    let (name, text) = (proof.domain.record(), proof.text());
    let texts = app.documents.texts(&name).await?;
    let is_there = texts.iter().any(|found| found.trim_ascii() == text.as_bytes());
    is_there.then_some(()).ok_or_else(|| format!("{name} has no text record {text}."))
}

async fn look_for_file(app: &App, proof: &DomainProof) -> Result<(), String> {
    let url = proof.domain.file();
    let file = app.documents.get(&url, FILE_BYTES_MAX).await?;
    let line = proof.line();
    let is_there = file
        .split(|&byte| byte == b'\n')
        .take(LINES_MAX)
        .any(|found| found.trim_ascii() == line.as_bytes());
    is_there.then_some(()).ok_or_else(|| format!("{url} has no line {line}."))
}
