//! What the socket answers about replication.

use form_urlencoded::parse;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::replication::ReplicationDestination;
use tonnage_domain::replication::describe_replication::{DescribeReplication, DestinationStatus};
use tonnage_domain::replication::list_replications::ListReplications;
use tonnage_domain::replication::refinements::{
    DestinationRefinement, GetReplicationRefinements, Patterns, PutReplicationRefinements,
};
use tonnage_domain::replication::retry::RetryReplication;
use tonnage_domain::replication::settings::ReplicatedSetting;
use tonnage_domain::repositories::RepositoryAddress;

use super::repositories::name;
use super::server::{Admin, Answer, json, malformed};

/// Copies of one answer.
const PAGE: u32 = 100;

/// A destination, and what it gets. What `PUT /replication/refinements` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refinement {
    /// The account of the registry that is copied; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// The account of the destination; the registry's when absent.
    pub(crate) to_account: Option<String>,
    /// The region of the destination.
    pub(crate) to_region: String,
    /// Patterns of repositories.
    pub(crate) repositories: Vec<String>,
    /// Patterns of tags.
    pub(crate) tags: Vec<String>,
    /// Settings of repositories that it gets too.
    pub(crate) settings: Vec<String>,
    /// Whether a rule has the destination; only in answers.
    #[serde(default)]
    pub(crate) is_configured: bool,
}

/// What `GET` and `PUT /replication/refinements` answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refinements {
    /// Every destination of the rules, and what else was refined.
    pub(crate) destinations: Vec<Refinement>,
}

/// How far behind a destination is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Destination {
    /// Its account.
    pub(crate) account: String,
    /// Its region.
    pub(crate) region: String,
    /// Whether a rule has it.
    pub(crate) is_configured: bool,
    /// Changes that wait or are under way.
    pub(crate) waiting: u64,
    /// Whether there may be more: counting ends somewhere.
    pub(crate) more_waiting: bool,
    /// Since when the oldest waits, in RFC 3339 like the other times.
    pub(crate) oldest_at: Option<String>,
    /// When the last copy arrived.
    pub(crate) last_completed_at: Option<String>,
    /// What failed within the last day.
    pub(crate) failed_in_last_day: u64,
}

/// What `GET /replication` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Destinations {
    /// By region and account.
    pub(crate) destinations: Vec<Destination>,
}

/// Where a copy of an image or of a setting stands.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Copy {
    /// The digest of the image, or the name of the setting.
    pub(crate) what: String,
    /// The tags of the image.
    pub(crate) tags: Vec<String>,
    /// The account of the destination.
    pub(crate) account: String,
    /// Its region.
    pub(crate) region: String,
    /// `IN_PROGRESS`, `COMPLETE` or `FAILED`.
    pub(crate) status: String,
    /// Why it failed.
    pub(crate) failure_code: Option<String>,
    /// When it was queued.
    pub(crate) queued_at: String,
    /// When it ended.
    pub(crate) ended_at: Option<String>,
    /// The time between, or until now, in milliseconds.
    pub(crate) lag_millis: i64,
}

/// What `GET /replication/images` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Copies {
    /// Newest image first.
    pub(crate) images: Vec<Copy>,
    /// With the first page only.
    pub(crate) settings: Vec<Copy>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

/// What `POST /replication/retry` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// The account of the registry that is copied; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// Of one repository only.
    pub(crate) repository: Option<String>,
    /// For one destination only: its account, the registry's when absent.
    pub(crate) to_account: Option<String>,
    /// And its region.
    pub(crate) to_region: Option<String>,
    /// Where an earlier answer left off.
    pub(crate) after: Option<i64>,
}

/// What `POST /replication/retry` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Retried {
    /// Copies of images that were queued again.
    pub(crate) images: u64,
    /// Settings that were.
    pub(crate) settings: u64,
    /// Jobs that had given up and run again.
    pub(crate) jobs: u64,
    /// What to ask for as `after` when there may be more.
    pub(crate) next: Option<i64>,
}

impl Admin {
    pub(super) async fn describe_replication(&self, query: &str) -> Result<Answer, Error> {
        let (account, region) = (value(query, "account"), value(query, "region"));
        let context = self.context_in(account.as_deref(), region.as_deref()).await?;
        let found = execute(&self.app, &context, DescribeReplication).await?;
        let shown = |status: DestinationStatus| Destination {
            account: status.destination.account,
            region: status.destination.region,
            is_configured: status.is_configured,
            waiting: status.waiting,
            more_waiting: i64::try_from(status.waiting)
                .is_ok_and(|waiting| waiting >= DestinationStatus::COUNTED_MAX),
            oldest_at: status.oldest_at.map(time),
            last_completed_at: status.last_completed_at.map(time),
            failed_in_last_day: status.failed_in_last_day,
        };
        let destinations = found.into_iter().map(shown).collect();
        Ok(json(StatusCode::OK, &Destinations { destinations }))
    }

    pub(super) async fn list_replications(&self, query: &str) -> Result<Answer, Error> {
        let (account, region) = (value(query, "account"), value(query, "region"));
        let context = self.context_in(account.as_deref(), region.as_deref()).await?;
        let repository =
            value(query, "repository").ok_or_else(|| malformed("the name of a repository"))?;
        let operation = ListReplications {
            repository: RepositoryAddress::new(&context, None, name("repository", &repository)?),
            page: PageRequest { after: value(query, "after"), limit: PAGE },
        };
        let (page, settings) = execute(&self.app, &context, operation).await?;
        let now = self.app.clock.now();
        let lag = |queued: Millis, ended: Option<Millis>| {
            ended.unwrap_or(now).0.saturating_sub(queued.0).max(0)
        };
        let images = page.items.into_iter().map(|copy| Copy {
            what: copy.digest.to_string(),
            tags: copy.tags.iter().map(ToString::to_string).collect(),
            account: copy.destination.account,
            region: copy.destination.region,
            status: copy.status.as_str().to_owned(),
            failure_code: copy.failure_code,
            queued_at: time(copy.queued_at),
            ended_at: copy.ended_at.map(time),
            lag_millis: lag(copy.queued_at, copy.ended_at),
        });
        let settings = settings.into_iter().map(|copy| Copy {
            what: copy.setting.as_str().to_owned(),
            tags: Vec::new(),
            account: copy.destination.account,
            region: copy.destination.region,
            status: copy.status.as_str().to_owned(),
            failure_code: copy.failure_code,
            queued_at: time(copy.queued_at),
            ended_at: copy.ended_at.map(time),
            lag_millis: lag(copy.queued_at, copy.ended_at),
        });
        let copies =
            Copies { images: images.collect(), settings: settings.collect(), next: page.next };
        Ok(json(StatusCode::OK, &copies))
    }

    pub(super) async fn get_refinements(&self, query: &str) -> Result<Answer, Error> {
        let (account, region) = (value(query, "account"), value(query, "region"));
        self.show_refinements(account.as_deref(), region.as_deref()).await
    }

    pub(super) async fn put_refinement(&self, given: Refinement) -> Result<Answer, Error> {
        let (account, region) = (given.account.as_deref(), given.region.as_deref());
        let context = self.context_in(account, region).await?;
        let parse = |text: &String| {
            ReplicatedSetting::parse(text)
                .ok_or_else(|| malformed("settings that can be replicated"))
        };
        let to_account = given.to_account.clone().unwrap_or_else(|| context.account.to_string());
        let refinement = DestinationRefinement {
            destination: ReplicationDestination {
                region: given.to_region.clone(),
                account: to_account,
            },
            repositories: Patterns(given.repositories),
            tags: Patterns(given.tags),
            settings: given.settings.iter().map(parse).collect::<Result<_, _>>()?,
        };
        execute(&self.app, &context, PutReplicationRefinements { refinement }).await?;
        self.show_refinements(account, region).await
    }

    async fn show_refinements(
        &self,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Result<Answer, Error> {
        let context = self.context_in(account, region).await?;
        let (configuration, refinements) =
            execute(&self.app, &context, GetReplicationRefinements).await?;
        let mut all = refinements.destinations;
        for destination in configuration.rules.iter().flat_map(|rule| &rule.destinations) {
            if !all.iter().any(|refinement| refinement.destination == *destination) {
                all.push(DestinationRefinement::none(destination.clone()));
            }
        }
        all.sort_by(|one, other| one.destination.cmp(&other.destination));
        let shown = |refinement: DestinationRefinement| Refinement {
            account: Some(context.account.to_string()),
            region: Some(context.region.to_string()),
            is_configured: configuration
                .rules
                .iter()
                .any(|rule| rule.destinations.contains(&refinement.destination)),
            to_account: Some(refinement.destination.account),
            to_region: refinement.destination.region,
            repositories: refinement.repositories.0,
            tags: refinement.tags.0,
            settings: refinement
                .settings
                .iter()
                .map(|setting| setting.as_str().to_owned())
                .collect(),
        };
        let destinations = all.into_iter().map(shown).collect();
        Ok(json(StatusCode::OK, &Refinements { destinations }))
    }

    pub(super) async fn retry_replication(&self, given: Retry) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let to_account = given.to_account.unwrap_or_else(|| context.account.to_string());
        let operation = RetryReplication {
            repository: given
                .repository
                .as_deref()
                .map(|text| name("repository", text))
                .transpose()?,
            destination: given
                .to_region
                .map(|region| ReplicationDestination { region, account: to_account }),
            after: given.after,
        };
        let retried = execute(&self.app, &context, operation).await?;
        let shown = Retried {
            images: retried.images,
            settings: retried.settings,
            jobs: retried.jobs,
            next: retried.next,
        };
        Ok(json(StatusCode::OK, &shown))
    }
}

fn value(query: &str, key: &str) -> Option<String> {
    let mut pairs = parse(query.as_bytes());
    pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

fn time(at: Millis) -> String {
    at.timestamp().to_string()
}
