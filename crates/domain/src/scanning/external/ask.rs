//! The steps of a scan by an adapter: it is asked, and asked again until it has a report. Between two
//! steps nothing waits but the row of the job, so neither a worker nor a connection is kept.

use serde::{Deserialize, Serialize};
use tonnage_scanner::layers::Inventory;

use super::found::{self, Known};
use super::protocol::{self, HARBOR_REPORT, REPORT, Wanted};
use super::{Adapter, AdapterAnswer, AdapterRequest};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::identities::authorization_token;
use crate::identities::sessions::Session;
use crate::jobs::Run;
use crate::names::Digest;
use crate::repositories::RepositoryAddress;
use crate::scanning::ScanType;
use crate::scanning::findings::Finding;
use crate::services;

/// How long to wait before a report is asked for again: what an adapter wants within these bounds,
/// in seconds.
const AGAIN_SECONDS: (i64, i64) = (1, 60);
/// The pause where it says nothing.
const PAUSE_SECONDS: i64 = 5;
/// How often in a row an adapter may not answer.
const FAILURES_MAX: u32 = 6;
/// How often an adapter may forget a scan and be asked anew.
const RESTARTS_MAX: u32 = 2;

/// A scan that an adapter was asked for, as it waits in the payload of its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::scanning) struct Asked {
    /// The name of the adapter.
    adapter: String,
    /// When the scan began, in milliseconds.
    since: i64,
    /// What the adapter calls it, once it has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Whether the report is the one of version 1.0.
    #[serde(default)]
    is_harbor: bool,
    /// The scanner, as it calls itself.
    #[serde(default)]
    scanner: String,
    /// When its advisories were made, in milliseconds.
    #[serde(default)]
    updated_at: Option<i64>,
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    restarts: u32,
    /// Why it last did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silence: Option<String>,
}

/// What a scan of an adapter has come to.
#[derive(Debug)]
pub(in crate::scanning) enum Step {
    /// It is under way; when to look again.
    Later(Asked, Millis),
    /// There is a report.
    Report(Box<Reported>),
    /// There will be none, and why.
    Failed(String),
    /// The adapter does not look at such images.
    Unsupported(String),
}

/// A report that was read, before it is held against what is in the image.
#[derive(Debug)]
pub(in crate::scanning) struct Reported {
    report: protocol::Report,
    scanner: String,
    pub(in crate::scanning) updated_at: Option<Millis>,
}

impl Reported {
    /// The findings, the worst first.
    pub(in crate::scanning) fn findings(
        &self,
        inventory: Option<&Inventory>,
        layers: &[Digest],
        scan_type: ScanType,
    ) -> Vec<Finding> {
        let known = Known::new(inventory, layers);
        let (findings, skipped) = found::findings(&self.report, &self.scanner, &known, scan_type);
        if skipped > 0 {
            tracing::warn!(
                scanner = self.scanner,
                skipped,
                "entries of a report name neither a flaw nor a package"
            );
        }
        findings
    }
}

/// An image that is scanned by an adapter.
pub(in crate::scanning) struct Image<'a> {
    pub(in crate::scanning) address: &'a RepositoryAddress,
    pub(in crate::scanning) digest: &'a Digest,
    pub(in crate::scanning) media_type: &'a str,
}

/// Goes on with a scan by an adapter, or begins it.
///
/// # Errors
/// When the database fails; what an adapter does wrong is no error.
pub(in crate::scanning) async fn step(
    run: &Run<'_>,
    adapter: &Adapter,
    image: &Image<'_>,
    asked: Option<Asked>,
) -> Result<Step> {
    let now = run.app.clock.now();
    // One that another adapter was asked for is none of this one.
    let asked = asked.filter(|asked| asked.adapter == adapter.name);
    let mut asked = asked.unwrap_or_else(|| Asked {
        adapter: adapter.name.clone(),
        since: now.0,
        id: None,
        is_harbor: false,
        scanner: String::new(),
        updated_at: None,
        failures: 0,
        restarts: 0,
        silence: None,
    });
    let end = Millis(asked.since).plus_seconds(adapter.timeout_seconds);
    if end <= now {
        let seconds = adapter.timeout_seconds;
        let why = asked.silence.map(|reason| format!(", since {reason}")).unwrap_or_default();
        return Ok(failed(adapter, &format!("it was not done within {seconds} seconds{why}")));
    }
    let turn = Turn { app: run.app, adapter, image, now, end };
    let came = match asked.id.clone() {
        None => turn.begin(&mut asked).await?,
        Some(id) => turn.poll(&mut asked, &id).await,
    };
    Ok(match came {
        Came::Report(report) => Step::Report(report),
        Came::Failed(reason) => failed(adapter, &reason),
        Came::Unsupported(reason) => Step::Unsupported(reason),
        Came::Again(seconds) => {
            asked.failures = 0;
            asked.silence = None;
            Step::Later(asked, now.plus_seconds(seconds).min(end))
        }
        Came::Silence(reason) => {
            asked.failures += 1;
            if asked.failures >= FAILURES_MAX {
                return Ok(failed(adapter, &reason));
            }
            tracing::info!(scanner = adapter.name, reason, "a scanner does not answer");
            let pause = PAUSE_SECONDS << asked.failures.min(5);
            asked.silence = Some(reason);
            Step::Later(asked, now.plus_seconds(pause).min(end))
        }
    })
}

fn failed(adapter: &Adapter, reason: &str) -> Step {
    Step::Failed(format!("The scanner {} did not scan the image: {reason}.", adapter.name))
}

/// What came of one request.
enum Came {
    Report(Box<Reported>),
    /// It did something wrong; what.
    Failed(String),
    Unsupported(String),
    /// There is nothing yet; ask again after so many seconds.
    Again(i64),
    /// It did not answer.
    Silence(String),
}

struct Turn<'a> {
    app: &'a App,
    adapter: &'a Adapter,
    image: &'a Image<'a>,
    now: Millis,
    end: Millis,
}

impl Turn<'_> {
    async fn ask(&self, request: AdapterRequest) -> Result<AdapterAnswer, Came> {
        let answer = self.app.adapters.ask(self.adapter, request).await;
        match answer {
            Ok(answer) if protocol::is_transient(answer.status) => {
                Err(Came::Silence(protocol::reason(&answer)))
            }
            Ok(answer) => Ok(answer),
            Err(failure) if failure.is_transient => {
                Err(Came::Silence(protocol::text(&failure.reason, 400)))
            }
            Err(failure) => Err(Came::Failed(protocol::text(&failure.reason, 400))),
        }
    }

    /// Has the adapter scan the image.
    async fn begin(&self, asked: &mut Asked) -> Result<Came> {
        let metadata = match self.ask(protocol::metadata_request()).await {
            Ok(answer) => protocol::read_metadata(&answer),
            Err(came) => return Ok(came),
        };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(reason) => return Ok(Came::Failed(reason)),
        };
        let Some((report, says_capability)) = metadata.report_for(self.image.media_type) else {
            return Ok(Came::Unsupported(format!(
                "The scanner {} makes no report that is read here of images of the type {}.",
                self.adapter.name, self.image.media_type
            )));
        };
        let authorization = format!("Basic {}", self.token().await?);
        let wanted = Wanted {
            registry: &self.adapter.registry_of(self.image.address),
            authorization: &authorization,
            repository: self.image.address.name.as_str(),
            digest: self.image.digest.as_str(),
            media_type: self.image.media_type,
            report,
            says_capability,
        };
        let request = protocol::scan_request(&wanted).map_err(Error::internal)?;
        let id = match self.ask(request).await {
            Ok(answer) => protocol::read_id(&answer),
            Err(came) => return Ok(came),
        };
        Ok(match id {
            Ok(id) => {
                asked.id = Some(id);
                asked.is_harbor = report == HARBOR_REPORT;
                asked.scanner = metadata.scanner.shown(&self.adapter.name);
                asked.updated_at = metadata.updated_at();
                Came::Again(AGAIN_SECONDS.0)
            }
            Err(reason) => Came::Failed(reason),
        })
    }

    /// Looks whether there is a report.
    async fn poll(&self, asked: &mut Asked, id: &str) -> Came {
        let report = if asked.is_harbor { HARBOR_REPORT } else { REPORT };
        let answer = match self.ask(protocol::report_request(id, report)).await {
            Ok(answer) => answer,
            Err(came) => return came,
        };
        match answer.status {
            200 => {}
            301..=308 => {
                let seconds = answer.again_seconds.unwrap_or(PAUSE_SECONDS);
                return Came::Again(seconds.clamp(AGAIN_SECONDS.0, AGAIN_SECONDS.1));
            }
            // It has forgotten the scan: the protocol wants it asked for anew.
            404 if asked.restarts < RESTARTS_MAX => {
                asked.restarts += 1;
                asked.id = None;
                return Came::Again(PAUSE_SECONDS);
            }
            _ => return Came::Failed(protocol::reason(&answer)),
        }
        match protocol::read_report(&answer, report, self.image.digest.as_str()) {
            Ok(report) => {
                let named = report.scanner.as_ref().map(|it| it.shown(&self.adapter.name));
                let scanner = named.filter(|_| asked.scanner == self.adapter.name);
                let scanner = scanner.unwrap_or_else(|| asked.scanner.clone());
                let updated_at = asked.updated_at.map(|time| Millis(time.min(self.now.0)));
                Came::Report(Box::new(Reported { report, scanner, updated_at }))
            }
            Err(reason) => Came::Failed(reason),
        }
    }

    /// What the adapter reads the image with, and nothing but this image: its manifest by digest,
    /// and layers of its repository, until the scan must be done.
    async fn token(&self) -> Result<String> {
        let RepositoryAddress { account, region, .. } = self.image.address;
        let arn = self.image.address.arn();
        let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {
                "Effect": "Allow",
                "Action": "ecr:BatchGetImage",
                "Resource": arn,
                "Condition": {"StringEquals": {"tonnage:ImageDigest": self.image.digest.as_str()}},
            },
            {
                "Effect": "Allow",
                "Action": ["ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
                "Resource": arn,
            },
        ]});
        let session = Session::of_service(policy.to_string(), self.now, self.end);
        let principal = services::ECR.session(*account, session);
        let token =
            authorization_token::make(self.app, &principal, account, region, self.end).await?;
        Ok(authorization_token::credentials(&token))
    }
}
