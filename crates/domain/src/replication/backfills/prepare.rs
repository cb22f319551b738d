//! The job that queues the images of a backfill.

use serde::{Deserialize, Serialize};

use super::super::queue::{self, Change, Queued};
use super::super::refinements::{DestinationRefinement, ReplicationRefinements};
use super::super::{ReplicationConfiguration, carry, settings};
use super::{Backfill, BackfillStatus, end_if_done, find};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::jobs::{self, Job, Next, Run};
use crate::names::{AccountId, Digest, RepositoryName};
use crate::registries::Document as _;
use crate::{params, repositories};

/// Images and tags queued in one transaction; the tags of one image are not divided.
const BATCH: usize = 500;
/// Repositories looked at in one transaction.
const REPOSITORIES: usize = 100;
/// Why a backfill fails whose destination was taken out of the rules before it began.
const NOT_CONFIGURED: &str = "DestinationNotConfigured";

/// Queues what is there, repository by repository, each part in a transaction that also says where
/// to go on.
#[derive(Debug, Serialize, Deserialize)]
pub struct PrepareBackfill {
    account: String,
    backfill_id: String,
}

impl PrepareBackfill {
    pub(super) fn new(account: &AccountId, backfill_id: &str) -> Self {
        Self { account: account.to_string(), backfill_id: backfill_id.to_owned() }
    }
}

impl Job for PrepareBackfill {
    const KIND: &'static str = "prepare-backfill";

    fn key(&self) -> String {
        self.backfill_id.clone()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.write().await?;
        let found = find(&mut tx, &self.backfill_id).await?;
        let preparing = found.filter(|found| found.status == BackfillStatus::Preparing);
        let is_all = match &preparing {
            Some(backfill) => self.prepare(&mut tx, run, backfill).await?,
            None => true,
        };
        run.commit(tx).await?;
        Ok(if is_all { Next::Done } else { Next::Continue(self) })
    }
}

/// Where preparing goes on.
struct Cursor {
    repository: i64,
    image: i64,
}

impl PrepareBackfill {
    /// Queues a part; whether it was the last.
    async fn prepare(&self, tx: &mut Tx, run: &Run<'_>, backfill: &Backfill) -> Result<bool> {
        let configuration = ReplicationConfiguration::load(tx, Some(backfill.registry_id)).await?;
        let refinements = ReplicationRefinements::load(tx, Some(backfill.registry_id)).await?;
        let now = run.app.clock.now();
        if !configuration.has(&backfill.destination) {
            tx.execute(
                "UPDATE replication_backfills SET status = 'FAILED', failure_code = $2, \
                 ended_at = $3 WHERE id = $1",
                params![&backfill.id, NOT_CONFIGURED, now],
            )
            .await?;
            return Ok(true);
        }
        let row = tx
            .optional(
                "SELECT next_repository, next_image FROM replication_backfills WHERE id = $1",
                params![&backfill.id],
            )
            .await?
            .ok_or_else(|| Error::internal("a backfill vanished inside a transaction"))?;
        let cursor = Cursor { repository: row.get(0)?, image: row.get(1)? };
        match self.queue(tx, run, (&configuration, &refinements), backfill, cursor).await? {
            Some(Cursor { repository, image }) => {
                tx.execute(
                    "UPDATE replication_backfills SET next_repository = $2, next_image = $3 \
                     WHERE id = $1",
                    params![&backfill.id, repository, image],
                )
                .await?;
                Ok(false)
            }
            None => {
                tx.execute(
                    "UPDATE replication_backfills SET status = 'IN_PROGRESS' WHERE id = $1",
                    params![&backfill.id],
                )
                .await?;
                end_if_done(tx, &backfill.id, now).await?;
                Ok(true)
            }
        }
    }

    /// Queues from a place on; where to go on, if there is more.
    async fn queue(
        &self,
        tx: &mut Tx,
        run: &Run<'_>,
        (configuration, refinements): (&ReplicationConfiguration, &ReplicationRefinements),
        backfill: &Backfill,
        mut cursor: Cursor,
    ) -> Result<Option<Cursor>> {
        let mut left = BATCH;
        for _ in 0..REPOSITORIES {
            let row = tx
                .optional(
                    "SELECT id, name FROM repositories WHERE registry_id = $1 AND id >= $2 \
                     ORDER BY id LIMIT 1",
                    params![backfill.registry_id, cursor.repository],
                )
                .await?;
            let Some(row) = row else { return Ok(None) };
            let repository_id: i64 = row.get(0)?;
            if repository_id != cursor.repository {
                cursor = Cursor { repository: repository_id, image: 0 };
            }
            let name = RepositoryName::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            let refinement = refinements.of(&backfill.destination);
            let is_taken = configuration.destinations_of(&name).contains_key(&backfill.destination)
                && refinement.is_none_or(|refinement| refinement.takes_repository(&name));
            if is_taken {
                if let (0, Some(refinement)) = (cursor.image, refinement)
                    && let Some(repository) = repositories::by_id(tx, repository_id).await?
                {
                    settings::note_all(tx, run.app, &repository, refinement).await?;
                }
                left =
                    self.queue_images(tx, run, backfill, &mut cursor, (left, refinement)).await?;
                if left == 0 {
                    return Ok(Some(cursor));
                }
            }
            cursor = Cursor { repository: repository_id + 1, image: 0 };
        }
        Ok(Some(cursor))
    }

    /// Queues images of one repository; how many more may be queued, none while it has more.
    async fn queue_images(
        &self,
        tx: &mut Tx,
        run: &Run<'_>,
        backfill: &Backfill,
        cursor: &mut Cursor,
        (mut left, refinement): (usize, Option<&DestinationRefinement>),
    ) -> Result<usize> {
        let images = tx
            .all(
                "SELECT id, digest FROM images WHERE repository_id = $1 AND id >= $2 \
                 ORDER BY id LIMIT $3",
                params![cursor.repository, cursor.image, left],
            )
            .await?;
        for row in &images {
            let image_id: i64 = row.get(0)?;
            let digest = Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            let tags = tx
                .all("SELECT name FROM tags WHERE image_id = $1 ORDER BY name", params![image_id])
                .await?;
            let mut tags = tags.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<_>>>()?;
            if tags.is_empty() {
                tags.push(String::new());
            }
            if let Some(refinement) = refinement {
                let mut taken = Vec::with_capacity(tags.len());
                for tag in tags {
                    let name = Some(tag.as_str()).filter(|tag| !tag.is_empty());
                    if refinement.takes(tx, cursor.repository, &digest, name).await? {
                        taken.push(tag);
                    }
                }
                tags = taken;
            }
            for tag in &tags {
                let backfill_id = Some(backfill.id.as_str());
                let queued =
                    Queued { change: Change::Push, digest: &digest, tag, backfill: backfill_id };
                queue::put(tx, run.app, cursor.repository, &backfill.destination, queued).await?;
            }
            tx.execute(
                "UPDATE replication_backfills SET total = total + $2 WHERE id = $1",
                params![&backfill.id, tags.len()],
            )
            .await?;
            cursor.image = image_id + 1;
            // One that is not taken is looked at all the same.
            left = left.saturating_sub(tags.len().max(1));
            if left == 0 {
                break;
            }
        }
        if !images.is_empty() {
            let account = AccountId::parse(&self.account).map_err(Error::internal)?;
            let job = carry::CarryOver::new(&account, cursor.repository, &backfill.destination);
            jobs::enqueue(tx, run.app, &job, run.app.clock.now()).await?;
        }
        Ok(left)
    }
}
