//! `RetryReplication`: what failed is queued again. ECR has no such operation; there one pushes again
//! or runs a backfill.

use super::carry::CarryOver;
use super::queue::{self, Change, Queued};
use super::refinements::ReplicationRefinements;
use super::settings::{self, ReplicatedSetting};
use super::{ReplicationConfiguration, ReplicationDestination};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::images::tags;
use crate::jobs::{self, Job as _};
use crate::names::{Digest, RepositoryName, Tag};
use crate::params;
use crate::registries::{self, Document as _};
use crate::repositories::{self, Repository};

/// Copies looked at in one call, and jobs, and settings.
const BATCH: usize = 200;

/// Queues again the copies and settings of the addressed registry that failed, as far as the rules
/// still have their destination, and has jobs that gave up run again. An image goes with the tags
/// that it has now. Idempotent: what is queued has not failed any more.
#[derive(Clone, Debug)]
pub struct RetryReplication {
    /// Of one repository only.
    pub repository: Option<RepositoryName>,
    /// For one destination only.
    pub destination: Option<ReplicationDestination>,
    /// Where an earlier call left off.
    pub after: Option<i64>,
}

/// What was queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Copies of images.
    pub images: u64,
    /// Settings.
    pub settings: u64,
    /// Jobs that had given up.
    pub jobs: u64,
    /// Where another call goes on; nothing when all was looked at.
    pub next: Option<i64>,
}

impl Operation for RetryReplication {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "RetryReplication" };
    type Output = Retried;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:RetryReplication", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Retried> {
        let mut tx = call.write().await?;
        let mut retried = Retried::default();
        if let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? {
            self.retry_images(&mut tx, &call, registry_id, &mut retried).await?;
            self.retry_settings(&mut tx, &call, registry_id, &mut retried).await?;
            if self.after.is_none() {
                self.retry_jobs(&mut tx, &call, registry_id, &mut retried).await?;
            }
        }
        call.commit(tx).await?;
        Ok(retried)
    }
}

impl RetryReplication {
    fn account(&self) -> Option<&str> {
        self.destination.as_ref().map(|destination| destination.account.as_str())
    }

    fn region(&self) -> Option<&str> {
        self.destination.as_ref().map(|destination| destination.region.as_str())
    }

    async fn retry_images(
        &self,
        tx: &mut Tx,
        call: &Call<'_>,
        registry_id: i64,
        retried: &mut Retried,
    ) -> Result<()> {
        let configuration = ReplicationConfiguration::load(tx, Some(registry_id)).await?;
        let refinements = ReplicationRefinements::load(tx, Some(registry_id)).await?;
        let failed = tx
            .all(
                "SELECT images.id, images.digest, images.repository_id, replications.account_id, \
                 replications.region FROM replications \
                 JOIN images ON images.id = replications.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 WHERE replications.status = 'FAILED' AND repositories.registry_id = $1 \
                 AND images.id >= $2 \
                 AND (CAST($3 AS TEXT) IS NULL OR repositories.name = $3) \
                 AND (CAST($4 AS TEXT) IS NULL OR replications.account_id = $4) \
                 AND (CAST($5 AS TEXT) IS NULL OR replications.region = $5) \
                 ORDER BY images.id LIMIT $6",
                params![
                    registry_id,
                    self.after.unwrap_or(0),
                    self.repository.as_ref().map(RepositoryName::as_str),
                    self.account(),
                    self.region(),
                    BATCH,
                ],
            )
            .await?;
        for row in &failed {
            let image_id: i64 = row.get(0)?;
            let digest = Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            let repository = stored(tx, row.get(2)?).await?;
            let destination = ReplicationDestination { account: row.get(3)?, region: row.get(4)? };
            // Of an image with more destinations than fit, those queued before have not failed now.
            retried.next = (failed.len() == BATCH).then_some(image_id);
            let name = &repository.address.name;
            if !configuration.destinations_of(name).contains_key(&destination)
                || !refinements.take_repository(&destination, name)
            {
                continue;
            }
            let tags = tags::of_image(tx, image_id).await?;
            let mut tags: Vec<Option<Tag>> = tags.into_iter().map(Some).collect();
            if tags.is_empty() {
                tags.push(None);
            }
            let image = (repository.id, &digest);
            let taken = refinements.taken(tx, &destination, image, &tags).await?;
            if taken.is_empty() {
                continue;
            }
            for tag in taken {
                let tag = tag.as_ref().map_or("", Tag::as_str);
                let queued = Queued { change: Change::Push, digest: &digest, tag, backfill: None };
                queue::put(tx, call.app, repository.id, &destination, queued).await?;
            }
            settings::enqueue(tx, call.app, &repository, &destination).await?;
            retried.images += 1;
        }
        // A whole batch of one image's destinations, none of which may be queued.
        if retried.next.is_some() && retried.next == self.after && retried.images == 0 {
            retried.next = retried.next.map(|id| id.saturating_add(1));
        }
        Ok(())
    }

    async fn retry_settings(
        &self,
        tx: &mut Tx,
        call: &Call<'_>,
        registry_id: i64,
        retried: &mut Retried,
    ) -> Result<()> {
        let failed = tx
            .all(
                "SELECT replicated_settings.repository_id, replicated_settings.account_id, \
                 replicated_settings.region, replicated_settings.setting \
                 FROM replicated_settings \
                 JOIN repositories ON repositories.id = replicated_settings.repository_id \
                 WHERE replicated_settings.status = 'FAILED' AND repositories.registry_id = $1 \
                 AND (CAST($2 AS TEXT) IS NULL OR repositories.name = $2) \
                 AND (CAST($3 AS TEXT) IS NULL OR replicated_settings.account_id = $3) \
                 AND (CAST($4 AS TEXT) IS NULL OR replicated_settings.region = $4) \
                 ORDER BY replicated_settings.change_id LIMIT $5",
                params![
                    registry_id,
                    self.repository.as_ref().map(RepositoryName::as_str),
                    self.account(),
                    self.region(),
                    BATCH,
                ],
            )
            .await?;
        for row in &failed {
            let repository = stored(tx, row.get(0)?).await?;
            let destination = ReplicationDestination { account: row.get(1)?, region: row.get(2)? };
            let setting: String = row.get(3)?;
            let setting = ReplicatedSetting::parse(&setting)
                .ok_or_else(|| Error::internal(format!("stored setting {setting}")))?;
            settings::put(tx, call.app, repository.id, &destination, setting).await?;
            settings::enqueue(tx, call.app, &repository, &destination).await?;
            retried.settings += 1;
        }
        if failed.len() == BATCH && retried.next.is_none() {
            retried.next = Some(i64::MAX);
        }
        Ok(())
    }

    async fn retry_jobs(
        &self,
        tx: &mut Tx,
        call: &Call<'_>,
        registry_id: i64,
        retried: &mut Retried,
    ) -> Result<()> {
        let dead = tx
            .all(
                "SELECT job_key FROM jobs WHERE kind = $1 AND state = 'DEAD' AND account_id = $2 \
                 ORDER BY id LIMIT $3",
                params![CarryOver::KIND, call.context.account.as_str(), BATCH],
            )
            .await?;
        for row in &dead {
            let key: String = row.get(0)?;
            let Some((repository_id, destination)) = CarryOver::parse_key(&key) else { continue };
            let Some(repository) = repositories::by_id(tx, repository_id).await? else { continue };
            let is_wanted = repository.registry_id == registry_id
                && self.repository.as_ref().is_none_or(|name| *name == repository.address.name)
                && self.destination.as_ref().is_none_or(|wanted| *wanted == destination);
            if is_wanted {
                let job = CarryOver::new(&repository.address.account, repository.id, &destination);
                jobs::enqueue(tx, call.app, &job, call.app.clock.now()).await?;
                retried.jobs += 1;
            }
        }
        Ok(())
    }
}

async fn stored(tx: &mut Tx, repository_id: i64) -> Result<Repository> {
    repositories::by_id(tx, repository_id)
        .await?
        .ok_or_else(|| Error::internal("a repository vanished inside a transaction"))
}
