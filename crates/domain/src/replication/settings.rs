//! Settings of repositories that a destination gets on request. ECR copies none.
//!
//! A row for each repository, destination and setting says what stands: a change is noted in its
//! transaction, and carried by the job that carries the images, in the same order. What is carried
//! is what is set *then*, so several changes in a row come to one.

use serde::{Deserialize, Serialize};

use super::refinements::{DestinationRefinement, ReplicationRefinements};
use super::{ReplicationConfiguration, ReplicationDestination, carry};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::registries::Document as _;
use crate::repositories::Repository;
use crate::{jobs, params};

/// A setting of a repository that can be replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicatedSetting {
    /// The lifecycle policy.
    LifecyclePolicy,
    /// The policy of the repository.
    RepositoryPolicy,
    /// The resource tags.
    ResourceTags,
    /// Whether tags may move, with its exclusions.
    TagMutability,
}

impl ReplicatedSetting {
    /// All there are.
    pub const ALL: [Self; 4] =
        [Self::LifecyclePolicy, Self::RepositoryPolicy, Self::ResourceTags, Self::TagMutability];

    /// As it is stored and as the operator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LifecyclePolicy => "lifecycle-policy",
            Self::RepositoryPolicy => "repository-policy",
            Self::ResourceTags => "resource-tags",
            Self::TagMutability => "tag-mutability",
        }
    }

    /// From [`ReplicatedSetting::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.as_str() == text)
    }
}

/// Notes that a setting changed, for every destination that gets it. A deleted repository's settings
/// go nowhere, as its images.
pub(crate) async fn note(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    setting: ReplicatedSetting,
) -> Result<()> {
    // What was carried here is not carried on.
    if super::is_copier(&call.context.principal) {
        return Ok(());
    }
    let registry_id = Some(repository.registry_id);
    let configuration = ReplicationConfiguration::load(tx, registry_id).await?;
    let destinations = configuration.destinations_of(&repository.address.name);
    if destinations.is_empty() {
        return Ok(());
    }
    let refinements = ReplicationRefinements::load(tx, registry_id).await?;
    for destination in destinations.keys() {
        let wanted = refinements.of(destination).filter(|refinement| {
            refinement.takes_repository(&repository.address.name)
                && refinement.settings.contains(&setting)
        });
        if wanted.is_some() {
            put(tx, call.app, repository.id, destination, setting).await?;
            enqueue(tx, call.app, repository, destination).await?;
        }
    }
    Ok(())
}

/// Notes every setting that a destination gets: for a repository that is new there, and for a
/// backfill.
pub(super) async fn note_all(
    tx: &mut Tx,
    app: &App,
    repository: &Repository,
    refinement: &DestinationRefinement,
) -> Result<()> {
    if refinement.settings.is_empty() || !refinement.takes_repository(&repository.address.name) {
        return Ok(());
    }
    for setting in &refinement.settings {
        put(tx, app, repository.id, &refinement.destination, *setting).await?;
    }
    enqueue(tx, app, repository, &refinement.destination).await
}

pub(super) async fn enqueue(
    tx: &mut Tx,
    app: &App,
    repository: &Repository,
    destination: &ReplicationDestination,
) -> Result<()> {
    let job = carry::CarryOver::new(&repository.address.account, repository.id, destination);
    jobs::enqueue(tx, app, &job, app.clock.now()).await
}

pub(super) async fn put(
    tx: &mut Tx,
    app: &App,
    repository_id: i64,
    destination: &ReplicationDestination,
    setting: ReplicatedSetting,
) -> Result<()> {
    let now = app.clock.now();
    tx.execute(
        "INSERT INTO replicated_settings (repository_id, account_id, region, setting, change_id, \
         status, failure_code, carried, queued_at, ended_at) \
         VALUES ($1, $2, $3, $4, $5, 'IN_PROGRESS', NULL, NULL, $6, NULL) \
         ON CONFLICT (repository_id, account_id, region, setting) DO UPDATE SET \
         change_id = excluded.change_id, status = excluded.status, failure_code = NULL, \
         queued_at = excluded.queued_at, ended_at = NULL",
        params![
            repository_id,
            &destination.account,
            &destination.region,
            setting.as_str(),
            app.ids.next(now),
            now,
        ],
    )
    .await?;
    Ok(())
}

/// A change of a setting that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// Where it stands in the order of changes.
    pub(super) id: i64,
    /// Which setting.
    pub(super) setting: ReplicatedSetting,
    /// What the destination got last.
    pub(super) carried: Option<String>,
    pub(super) queued_at: Millis,
}

impl SettingChange {
    /// The change of a row; one that is not stored is settled without a trace.
    pub fn new(id: i64, setting: ReplicatedSetting, queued_at: Millis) -> Self {
        Self { id, setting, carried: None, queued_at }
    }
}

/// The oldest change of a setting that waits for a destination.
pub(super) async fn first(
    tx: &mut Tx,
    repository_id: i64,
    destination: &ReplicationDestination,
) -> Result<Option<SettingChange>> {
    let row = tx
        .optional(
            "SELECT change_id, setting, carried, queued_at FROM replicated_settings \
             WHERE repository_id = $1 AND account_id = $2 AND region = $3 \
             AND status = 'IN_PROGRESS' ORDER BY change_id LIMIT 1",
            params![repository_id, &destination.account, &destination.region],
        )
        .await?;
    row.map(|row| {
        let setting: String = row.get(1)?;
        Ok(SettingChange {
            id: row.get(0)?,
            setting: ReplicatedSetting::parse(&setting)
                .ok_or_else(|| Error::internal(format!("stored setting {setting}")))?,
            carried: row.get(2)?,
            queued_at: row.get(3)?,
        })
    })
    .transpose()
}

/// What came of carrying a setting.
pub(super) enum Outcome {
    /// The destination has this, in the form that [`SettingChange`] remembers; nothing where the
    /// source has nothing.
    Complete { carried: Option<String> },
    /// It will not be tried again.
    Failed(&'static str),
    /// The destination does not get it any more, or has no such repository yet: it gets all of them
    /// when it is made.
    Dropped,
}

/// Writes down what came of a change. A later change of the setting stays noted.
pub(super) async fn settle(
    tx: &mut Tx,
    app: &App,
    (repository_id, destination): (i64, &ReplicationDestination),
    change: &SettingChange,
    outcome: Outcome,
) -> Result<()> {
    let of = |more: Vec<crate::metadata::Value>| {
        let mut all = params![
            repository_id,
            &destination.account,
            &destination.region,
            change.setting.as_str(),
        ]
        .to_vec();
        all.extend(more);
        all
    };
    let now = app.clock.now();
    match outcome {
        Outcome::Complete { carried } => {
            tx.execute(
                "UPDATE replicated_settings SET carried = $5, \
                 status = CASE WHEN change_id = $6 THEN 'COMPLETE' ELSE status END, \
                 ended_at = CASE WHEN change_id = $6 THEN CAST($7 AS BIGINT) ELSE ended_at END \
                 WHERE repository_id = $1 AND account_id = $2 AND region = $3 AND setting = $4",
                &of(params![carried, change.id, now].to_vec()),
            )
            .await?;
        }
        Outcome::Failed(code) => {
            tx.execute(
                "UPDATE replicated_settings SET status = 'FAILED', failure_code = $5, \
                 ended_at = $7 WHERE repository_id = $1 AND account_id = $2 AND region = $3 \
                 AND setting = $4 AND change_id = $6",
                &of(params![code, change.id, now].to_vec()),
            )
            .await?;
        }
        Outcome::Dropped => {
            tx.execute(
                "DELETE FROM replicated_settings WHERE repository_id = $1 AND account_id = $2 \
                 AND region = $3 AND setting = $4 AND change_id = $5",
                &of(params![change.id].to_vec()),
            )
            .await?;
        }
    }
    Ok(())
}

/// A repository that is renamed has carried nothing to the repositories of its new name.
pub(crate) async fn forget_carried(tx: &mut Tx, repository_id: i64) -> Result<()> {
    tx.execute(
        "UPDATE replicated_settings SET carried = NULL WHERE repository_id = $1",
        params![repository_id],
    )
    .await?;
    Ok(())
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingStatus {
    /// Where it goes.
    pub destination: ReplicationDestination,
    /// Which one.
    pub setting: ReplicatedSetting,
    /// `IN_PROGRESS`, `COMPLETE` or `FAILED`.
    pub status: super::describe_image_replication_status::ReplicationStatus,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// When it changed.
    pub queued_at: Millis,
    /// When it was carried.
    pub ended_at: Option<Millis>,
}

/// Every setting of a repository that was ever carried or is to be: at most four for each
/// destination.
pub(super) async fn statuses(
    tx: &mut Tx,
    repository_id: i64,
    limit: i64,
) -> Result<Vec<SettingStatus>> {
    let rows = tx
        .all(
            "SELECT account_id, region, setting, status, failure_code, queued_at, ended_at \
             FROM replicated_settings WHERE repository_id = $1 \
             ORDER BY region, account_id, setting LIMIT $2",
            params![repository_id, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let setting: String = row.get(2)?;
            let status: String = row.get(3)?;
            Ok(SettingStatus {
                destination: ReplicationDestination { account: row.get(0)?, region: row.get(1)? },
                setting: ReplicatedSetting::parse(&setting)
                    .ok_or_else(|| Error::internal(format!("stored setting {setting}")))?,
                status: super::describe_image_replication_status::ReplicationStatus::from_stored(
                    &status,
                )?,
                failure_code: row.get(4)?,
                queued_at: row.get(5)?,
                ended_at: row.get(6)?,
            })
        })
        .collect()
}
