//! What the socket answers about sources of advisories.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tonnage_domain::advisories::operations::{ListAdvisorySources, SourceStatus, SyncAdvisories};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;

use super::server::{Admin, Answer, json};

/// A source.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AdvisorySource {
    /// What it is called.
    pub(crate) name: String,
    /// What it has.
    pub(crate) kind: String,
    /// Where it is.
    pub(crate) location: String,
    /// The licence of its data.
    pub(crate) licence: Option<String>,
    /// Whether the server is configured with it.
    pub(crate) is_configured: bool,
    /// Whether it is being read, or is about to be.
    pub(crate) is_syncing: bool,
    /// How many records it has.
    pub(crate) records: u64,
    /// Of how many records nothing could be made.
    pub(crate) skipped: u64,
    /// When its records were made, in RFC 3339.
    pub(crate) released_at: Option<String>,
    /// When it was last looked at.
    pub(crate) checked_at: Option<String>,
    /// When something of it was last stored.
    pub(crate) imported_at: Option<String>,
    /// When it last failed, unless it has been read since.
    pub(crate) failed_at: Option<String>,
    /// Why.
    pub(crate) last_error: Option<String>,
}

/// What `GET /advisories` and `POST /advisories/sync` answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AdvisorySources {
    /// By name.
    pub(crate) sources: Vec<AdvisorySource>,
}

/// What `POST /advisories/sync` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdvisorySync {
    /// Only the source of this name.
    pub(crate) source: Option<String>,
    /// Whether it is read and taken in any case.
    pub(crate) force: bool,
}

impl Admin {
    pub(super) async fn list_advisory_sources(&self) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = ListAdvisorySources { management_account };
        let sources = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::OK, &shown(sources)))
    }

    pub(super) async fn sync_advisories(&self, wanted: AdvisorySync) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let AdvisorySync { source, force } = wanted;
        let operation = SyncAdvisories { management_account, source, force };
        let sources = execute(&self.app, &self.context().await?, operation).await?;
        Ok(json(StatusCode::ACCEPTED, &shown(sources)))
    }
}

fn shown(sources: Vec<SourceStatus>) -> AdvisorySources {
    let time = |time: Option<Millis>| time.map(|time| time.timestamp().to_string());
    let sources = sources.into_iter().map(|source| AdvisorySource {
        name: source.name,
        kind: source.kind,
        location: source.location,
        licence: source.licence,
        is_configured: source.is_configured,
        is_syncing: source.is_syncing,
        records: source.records,
        skipped: source.skipped,
        released_at: time(source.released_at),
        checked_at: time(source.checked_at),
        imported_at: time(source.imported_at),
        failed_at: time(source.failed_at),
        last_error: source.last_error,
    });
    AdvisorySources { sources: sources.collect() }
}
