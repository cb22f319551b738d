//! `ListAdvisorySources` and `SyncAdvisories`, for the operator.

use super::sync::SyncSource;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::jobs::{Job as _, enqueue};
use crate::names::AccountId;
use crate::params;

/// A source as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// What it is called.
    pub name: String,
    /// What it has.
    pub kind: String,
    /// Where it is.
    pub location: String,
    /// The licence of its data.
    pub licence: Option<String>,
    /// Whether the server that answers is configured with it; one that is not is being forgotten.
    pub is_configured: bool,
    /// Whether it is being read, or is about to be.
    pub is_syncing: bool,
    /// How many records it has.
    pub records: u64,
    /// Of how many records nothing could be made.
    pub skipped: u64,
    /// When its records were made.
    pub released_at: Option<Millis>,
    /// When it was last looked at.
    pub checked_at: Option<Millis>,
    /// When something of it was last stored.
    pub imported_at: Option<Millis>,
    /// When it last failed, unless it has been read since.
    pub failed_at: Option<Millis>,
    /// Why.
    pub last_error: Option<String>,
}

async fn list(tx: &mut Tx, call: &Call<'_>) -> Result<Vec<SourceStatus>> {
    let configured = &call.app.settings.advisories.sources;
    let rows = tx
        .all(
            "SELECT s.name, s.kind, s.location, s.licence, s.records, s.skipped, s.released_at, \
             s.checked_at, s.imported_at, s.failed_at, s.last_error \
             FROM advisory_sources s ORDER BY s.name LIMIT 10000",
            &[],
        )
        .await?;
    let jobs = tx
        .all(
            "SELECT job_key FROM jobs WHERE kind = $1 AND state IN ('WAITING', 'RUNNING') \
             LIMIT 10000",
            params![SyncSource::KIND],
        )
        .await?;
    let syncing = jobs.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<String>>>()?;
    let mut sources = Vec::new();
    for row in &rows {
        let name: String = row.get(0)?;
        sources.push(SourceStatus {
            kind: row.get(1)?,
            location: row.get(2)?,
            licence: row.get(3)?,
            is_configured: configured.iter().any(|source| source.name == name),
            is_syncing: syncing.contains(&name),
            records: row.get(4)?,
            skipped: row.get(5)?,
            released_at: row.get(6)?,
            checked_at: row.get(7)?,
            imported_at: row.get(8)?,
            failed_at: row.get(9)?,
            last_error: row.get(10)?,
            name,
        });
    }
    for source in configured {
        if sources.iter().all(|status| status.name != source.name) {
            sources.push(SourceStatus {
                name: source.name.clone(),
                kind: source.kind.as_str().to_owned(),
                location: source.location.to_string(),
                licence: source.licence.clone(),
                is_configured: true,
                is_syncing: syncing.contains(&source.name),
                records: 0,
                skipped: 0,
                released_at: None,
                checked_at: None,
                imported_at: None,
                failed_at: None,
                last_error: None,
            });
        }
    }
    sources.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(sources)
}

/// Lists sources by name, and what came of reading them.
#[derive(Clone, Debug)]
pub struct ListAdvisorySources {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
}

impl Operation for ListAdvisorySources {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListAdvisorySources" };
    type Output = Vec<SourceStatus>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:ListAdvisorySources", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<SourceStatus>> {
        let mut tx = call.read().await?;
        list(&mut tx, &call).await
    }
}

/// Has sources read now, whenever they were last. Idempotent.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when there are none; [`ErrorKind::InvalidParameter`] when there is none
/// of this name.
#[derive(Clone, Debug)]
pub struct SyncAdvisories {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Only the source of this name.
    pub source: Option<String>,
    /// Reads it although it has not changed, and believes it although it has lost more than half of
    /// its records.
    pub force: bool,
}

impl Operation for SyncAdvisories {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SyncAdvisories" };
    type Output = Vec<SourceStatus>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:SyncAdvisories", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<SourceStatus>> {
        let sources = &call.app.settings.advisories.sources;
        if sources.is_empty() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "There are no sources of advisories. Start the server with `advisory_source`.",
            ));
        }
        let wanted: Vec<&str> = sources
            .iter()
            .map(|source| source.name.as_str())
            .filter(|name| self.source.as_ref().is_none_or(|wanted| wanted == name))
            .collect();
        if wanted.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!(
                    "There is no source of advisories named {}.",
                    self.source.unwrap_or_default()
                ),
            ));
        }
        let mut tx = call.write().await?;
        for name in wanted {
            let job = SyncSource { name: name.to_owned(), force: self.force };
            enqueue(&mut tx, call.app, &job, call.now()).await?;
        }
        let sources = list(&mut tx, &call).await?;
        call.commit(tx).await?;
        Ok(sources)
    }
}
