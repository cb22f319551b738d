//! What is still to be carried over, and what came of it.

use super::refinements::ReplicationRefinements;
use super::{ReplicationConfiguration, ReplicationDestination, backfills, carry};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::events::{self, Event};
use crate::execute::{Call, Tx};
use crate::names::{Digest, Tag};
use crate::registries::Document as _;
use crate::repositories::{Repository, RepositoryAddress};
use crate::{jobs, params, registries};

/// What happened to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was pushed, or got a tag.
    Push,
    /// It was deleted, or lost a tag.
    Delete,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Push => "PUSH",
            Self::Delete => "DELETE",
        }
    }

    fn from_stored(text: &str) -> Result<Self> {
        [Self::Push, Self::Delete]
            .into_iter()
            .find(|change| change.as_str() == text)
            .ok_or_else(|| Error::internal(format!("stored change {text}")))
    }
}

/// Queues a change of an image for every destination of its repository. A tag that is absent stands
/// for the image alone.
pub(crate) async fn note(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    change: Change,
    digest: &Digest,
    tags: &[Option<Tag>],
) -> Result<()> {
    // What was copied here is not copied on.
    if tags.is_empty() || super::is_copier(&call.context.principal) {
        return Ok(());
    }
    let configuration = ReplicationConfiguration::load(tx, Some(repository.registry_id)).await?;
    let destinations = configuration.destinations_of(&repository.address.name);
    if destinations.is_empty() {
        return Ok(());
    }
    let refinements = ReplicationRefinements::load(tx, Some(repository.registry_id)).await?;
    for (destination, deletions) in destinations {
        if change == Change::Delete && !deletions {
            continue;
        }
        if !refinements.take_repository(destination, &repository.address.name) {
            continue;
        }
        let image = (repository.id, digest);
        let taken = match change {
            Change::Push => refinements.taken(tx, destination, image, tags).await?,
            // What it belonged to may be gone with it; only what arrived is removed in any case.
            Change::Delete => refinements.taken_tags(destination, tags),
        };
        if taken.is_empty() {
            continue;
        }
        for tag in taken {
            let tag = tag.as_ref().map_or("", Tag::as_str);
            let queued = Queued { change, digest, tag, backfill: None };
            put(tx, call.app, repository.id, destination, queued).await?;
        }
        let job = carry::CarryOver::new(&repository.address.account, repository.id, destination);
        jobs::enqueue(tx, call.app, &job, call.app.clock.now()).await?;
    }
    Ok(())
}

/// A change that is queued.
#[derive(Clone, Copy)]
pub(super) struct Queued<'a> {
    pub(super) change: Change,
    pub(super) digest: &'a Digest,
    pub(super) tag: &'a str,
    pub(super) backfill: Option<&'a str>,
}

pub(super) async fn put(
    tx: &mut Tx,
    app: &App,
    repository_id: i64,
    destination: &ReplicationDestination,
    queued: Queued<'_>,
) -> Result<()> {
    let now = app.clock.now();
    let ReplicationDestination { account, region } = destination;
    tx.execute(
        "INSERT INTO replication_queue (id, repository_id, account_id, region, change, digest, \
         tag, backfill_id, queued_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            app.ids.next(now),
            repository_id,
            account,
            region,
            queued.change.as_str(),
            queued.digest.as_str(),
            queued.tag,
            queued.backfill,
            now,
        ],
    )
    .await?;
    if queued.change == Change::Push {
        tx.execute(
            "INSERT INTO replications (image_id, account_id, region, status, failure_code, \
             queued_at, ended_at) SELECT images.id, CAST($3 AS TEXT), CAST($4 AS TEXT), \
             'IN_PROGRESS', NULL, CAST($5 AS BIGINT), NULL FROM images \
             WHERE repository_id = $1 AND digest = $2 \
             ON CONFLICT (image_id, account_id, region) DO UPDATE SET status = excluded.status, \
             failure_code = NULL, queued_at = excluded.queued_at, ended_at = NULL",
            params![repository_id, queued.digest.as_str(), account, region, now],
        )
        .await?;
    }
    Ok(())
}

/// A change that waits.
#[derive(Clone, Debug)]
pub struct QueuedChange {
    pub(super) id: i64,
    pub(super) change: Change,
    pub(super) digest: Digest,
    pub(super) tag: Option<Tag>,
    pub(super) queued_at: Millis,
}

impl QueuedChange {
    /// The change of a row; one that is not stored is settled without a trace.
    pub fn new(
        id: i64,
        change: Change,
        digest: Digest,
        tag: Option<Tag>,
        queued_at: Millis,
    ) -> Self {
        Self { id, change, digest, tag, queued_at }
    }
}

/// The oldest change that waits for a destination.
pub(super) async fn first(
    tx: &mut Tx,
    repository_id: i64,
    destination: &ReplicationDestination,
) -> Result<Option<QueuedChange>> {
    let row = tx
        .optional(
            "SELECT id, change, digest, tag, queued_at FROM replication_queue \
             WHERE repository_id = $1 AND account_id = $2 AND region = $3 ORDER BY id LIMIT 1",
            params![repository_id, &destination.account, &destination.region],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let tag: String = row.get(3)?;
    Ok(Some(QueuedChange {
        id: row.get(0)?,
        change: Change::from_stored(&row.get::<String>(1)?)?,
        digest: Digest::parse(&row.get::<String>(2)?).map_err(Error::internal)?,
        tag: (!tag.is_empty()).then(|| Tag::parse(&tag)).transpose().map_err(Error::internal)?,
        queued_at: row.get(4)?,
    }))
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The destination has it.
    Complete,
    /// There was nothing to carry any more.
    Moot,
    /// The destination does not get it any more.
    Excluded,
    /// It will not be tried again.
    Failed {
        /// As clients see it.
        code: &'static str,
        /// The codes of children that failed.
        children: Vec<&'static str>,
    },
}

/// Takes a change from the queue and writes down what came of it. Nothing happens if it is not there
/// any more: a backfill was stopped, or the repository was deleted.
pub(super) async fn settle(
    tx: &mut Tx,
    app: &App,
    (repository_id, destination): (i64, &ReplicationDestination),
    queued: &QueuedChange,
    outcome: &Outcome,
) -> Result<()> {
    let row = tx
        .optional("SELECT backfill_id FROM replication_queue WHERE id = $1", params![queued.id])
        .await?;
    let Some(row) = row else { return Ok(()) };
    let backfill: Option<String> = row.get(0)?;
    tx.execute("DELETE FROM replication_queue WHERE id = $1", params![queued.id]).await?;
    let now = app.clock.now();
    let stands = match outcome {
        Outcome::Complete | Outcome::Moot => Some(("COMPLETE", None)),
        Outcome::Failed { code, .. } => Some(("FAILED", Some(*code))),
        Outcome::Excluded => None,
    };
    if let (Change::Push, None) = (queued.change, stands) {
        tx.execute(
            "DELETE FROM replications \
             WHERE image_id = (SELECT id FROM images WHERE repository_id = $1 AND digest = $2) \
             AND account_id = $3 AND region = $4 AND queued_at <= $5",
            params![
                repository_id,
                queued.digest.as_str(),
                &destination.account,
                &destination.region,
                queued.queued_at,
            ],
        )
        .await?;
    }
    if let (Change::Push, Some((status, code))) = (queued.change, stands) {
        // A younger push of the image is still to come; its status is the one that counts.
        tx.execute(
            "UPDATE replications SET status = $5, failure_code = $6, ended_at = $7 \
             WHERE image_id = (SELECT id FROM images WHERE repository_id = $1 AND digest = $2) \
             AND account_id = $3 AND region = $4 AND queued_at <= $8",
            params![
                repository_id,
                queued.digest.as_str(),
                &destination.account,
                &destination.region,
                status,
                code,
                now,
                queued.queued_at,
            ],
        )
        .await?;
    }
    if let Some(backfill) = backfill {
        backfills::record(tx, app, &backfill, repository_id, queued, outcome).await?;
    }
    Ok(())
}

/// Tells the destination of a copy, or that there is none: one for each attempt that ended.
/// Source: Amazon ECR user guide, "Amazon ECR events and EventBridge".
pub(super) async fn publish(
    tx: &mut Tx,
    app: &App,
    (source, destination): (&RepositoryAddress, &RepositoryAddress),
    queued: &QueuedChange,
    result: &'static str,
) -> Result<()> {
    let registry = registries::find(tx, &destination.account, &destination.region).await?;
    // A registry in which nothing was ever stored has nobody who listens.
    let Some(registry_id) = registry else { return Ok(()) };
    let event = Event::ImageReplicated {
        result,
        repository_name: destination.name.to_string(),
        image_digest: queued.digest.to_string(),
        image_tag: queued.tag.as_ref().map(ToString::to_string),
        source_account: source.account.to_string(),
        source_region: source.region.to_string(),
        action_type: "REPLICATE",
    };
    events::publish_now(tx, app, registry_id, &event).await
}
