//! Carrying a policy out: a job for each repository, which evaluates a snapshot and deletes in
//! small transactions. Each of them is an operation of the service, decided like any other, and
//! makes sure that what the evaluation saw is still so.

use serde::{Deserialize, Serialize};

use super::evaluate::{Verdict, fingerprint};
use super::facts::{Ground, evaluate};
use super::find;
use super::policy::CountType;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, execute};
use crate::images::batch_delete_image::{OfChild, delete};
use crate::images::{ImageIdentifier, find_by_digest};
use crate::jobs::{Job, Lease, Limits, Named, Next, Run};
use crate::names::{AccountId, Digest};
use crate::repositories::{self, Repository, RepositoryAddress, address_of};
use crate::{archive, params, services};

/// The action that archives images.
const ARCHIVE: &str = "ecr:UpdateImageStorageClass";
/// Images deleted or archived in one transaction.
const BATCH: usize = 50;
/// Runs in a row that may find that all has changed, before the job is left for later.
const VAIN_RUNS_MAX: u32 = 20;
/// Transactions of one run; the rest is for the next one, which evaluates anew.
const BATCHES: usize = 10;

/// Carries out the policy of a repository.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExpireImagesOfRepository {
    account: String,
    repository_id: i64,
    /// How many images earlier runs of the same pass deleted.
    deleted: u64,
    /// How many runs in a row deleted none because what they had counted changed under them.
    vain: u32,
}

impl ExpireImagesOfRepository {
    pub(super) fn new(account: AccountId, repository_id: i64) -> Self {
        Self { account: account.to_string(), repository_id, deleted: 0, vain: 0 }
    }
}

impl Job for ExpireImagesOfRepository {
    const KIND: &'static str = "expire-images";
    const KEY_NAMES: &'static [Named] = &[Named::Repository];
    const LIMITS: Limits = Limits { concurrency: 2, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.repository_id.to_string()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(mut self, run: &Run<'_>) -> Result<Next<Self>> {
        match self.pass(run).await {
            // A suspended account keeps its images; its next turn comes tomorrow.
            Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(Next::Done),
            Ok(false) => Ok(Next::Continue(self)),
            Ok(true) => Ok(Next::Done),
            Err(error) => Err(error),
        }
    }
}

impl ExpireImagesOfRepository {
    /// A bounded part of the work; whether all is done.
    async fn pass(&mut self, run: &Run<'_>) -> Result<bool> {
        let now = run.app.clock.now();
        let mut tx = run.read().await?;
        let Some(repository) = address_of(&mut tx, self.repository_id).await? else {
            return Ok(true);
        };
        drop(tx);
        // Those of a pass that broke off, even if there is no policy any more.
        if !self.expire_referrers(run, &repository).await? {
            return Ok(false);
        }
        let mut tx = run.read().await?;
        let Some(stored) = find(&mut tx, self.repository_id).await? else { return Ok(true) };
        let policy = stored.parse()?;
        let evaluated = evaluate(&mut tx, self.repository_id, &policy, now).await?;
        drop(tx);
        let counts = |verdict: &Verdict| {
            policy
                .rules
                .get(verdict.rule)
                .is_some_and(|rule| rule.selection.count_type == CountType::ImageCountMoreThan)
        };
        let total = self.deleted + evaluated.verdicts.len() as u64;
        let before = self.deleted;
        let mut ground = evaluated.ground;
        let archives = |verdict: &Verdict| {
            policy.rules.get(verdict.rule).is_some_and(|rule| rule.action.archives())
        };
        let batches = evaluated
            .verdicts
            .chunk_by(|one, next| archives(one) == archives(next))
            .flat_map(|of_action| of_action.chunks(BATCH));
        let mut acted = 0;
        for batch in batches.take(BATCHES) {
            acted += batch.len();
            let operation = ExpireImages {
                archives: batch.first().is_some_and(archives),
                repository: repository.clone(),
                repository_id: self.repository_id,
                policy_version: stored.version,
                images: batch.iter().map(|verdict| (verdict.image, verdict.tags)).collect(),
                ground: batch.iter().any(counts).then_some(ground),
                lease: run.lease(),
            };
            match self.execute(run, &repository, operation).await? {
                Expired::Stale => {
                    self.vain = if self.deleted > before { 0 } else { self.vain + 1 };
                    if self.vain < VAIN_RUNS_MAX {
                        return Ok(false);
                    }
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "The repository changes faster than its policy can be evaluated.",
                    ));
                }
                Expired::Archived { images } => self.deleted += images,
                Expired::Deleted { images, tags } => {
                    ground.images -= images.min(ground.images);
                    ground.tags -= tags.min(ground.tags);
                    self.deleted += images;
                }
            }
            run.progress(self.deleted, Some(total));
        }
        if evaluated.verdicts.len() > acted {
            return Ok(false);
        }
        if !self.expire_referrers(run, &repository).await? {
            return Ok(false);
        }
        if policy.archives() && !self.archive_referrers(run, &repository).await? {
            return Ok(false);
        }
        let mut tx = run.write().await?;
        tx.execute(
            "UPDATE lifecycle_policies SET last_evaluated_at = $3 \
             WHERE repository_id = $1 AND version = $2",
            params![self.repository_id, stored.version, now],
        )
        .await?;
        run.commit(tx).await?;
        Ok(true)
    }

    /// Deletes what refers to images that a policy expired; whether that is all of it.
    async fn expire_referrers(
        &mut self,
        run: &Run<'_>,
        repository: &RepositoryAddress,
    ) -> Result<bool> {
        for _ in 0..BATCHES {
            let mut tx = run.read().await?;
            let subject = next_subject(&mut tx, self.repository_id).await?;
            drop(tx);
            if subject.is_none() {
                return Ok(true);
            }
            let operation = ExpireReferrers {
                repository: repository.clone(),
                repository_id: self.repository_id,
                lease: run.lease(),
            };
            self.execute(run, repository, operation).await?;
        }
        Ok(false)
    }

    /// Archives what refers to archived images; whether that is all of it.
    async fn archive_referrers(
        &mut self,
        run: &Run<'_>,
        repository: &RepositoryAddress,
    ) -> Result<bool> {
        for _ in 0..BATCHES {
            let operation = ArchiveReferrers {
                repository: repository.clone(),
                repository_id: self.repository_id,
                lease: run.lease(),
            };
            if self.execute(run, repository, operation).await? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn execute<O: Operation>(
        &self,
        run: &Run<'_>,
        repository: &RepositoryAddress,
        operation: O,
    ) -> Result<O::Output> {
        let context = run.context(services::ECR, repository.account, repository.region.clone());
        execute(run.app, &context, operation).await
    }
}

async fn next_subject(tx: &mut Tx, repository_id: i64) -> Result<Option<Digest>> {
    let row = tx
        .optional(
            "SELECT digest FROM lifecycle_expired_subjects \
             WHERE repository_id = $1 ORDER BY digest LIMIT 1",
            params![repository_id],
        )
        .await?;
    row.map(|row| Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)).transpose()
}

/// Deletes images that a lifecycle policy expires, as `BatchDeleteImage` would, or archives images
/// as `UpdateImageStorageClass` would. What has other tags than the evaluation saw, or is the child
/// of an index by now, stays as it is.
#[derive(Clone, Debug)]
pub struct ExpireImages {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Its row: a repository that was made again under the name is another one.
    pub repository_id: i64,
    /// The version of the policy; under another one nothing is deleted.
    pub policy_version: i64,
    /// Whether they are archived and not deleted.
    pub archives: bool,
    /// The rows of the images, and the fingerprints of the tags that they had.
    pub images: Vec<(i64, u64)>,
    /// What must be as it was for images that are deleted because there are too many.
    pub ground: Option<Ground>,
    /// The job's right to go on.
    pub lease: Lease,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// So many images went to the archive.
    Archived {
        /// Images.
        images: u64,
    },
    /// So many images went, with so many tags.
    Deleted {
        /// Images.
        images: u64,
        /// Tags.
        tags: u64,
    },
    /// What the evaluation relied on has changed; nothing was deleted.
    Stale,
}

impl Operation for ExpireImages {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ExpireImages" };
    type Output = Expired;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let action = if self.archives { ARCHIVE } else { "ecr:BatchDeleteImage" };
        vec![Demand::new(action, self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Expired> {
        let mut tx = call.write().await?;
        self.lease.hold(&mut tx, call.now()).await?;
        let repository = repositories::find(&mut tx, &self.repository).await?;
        let Some(repository) = repository.filter(|found| found.id == self.repository_id) else {
            tx.commit().await?;
            return Ok(Expired::Stale);
        };
        let policy = find(&mut tx, repository.id).await?;
        let same_policy = policy.is_some_and(|policy| policy.version == self.policy_version);
        let same_ground = match self.ground {
            Some(ground) => ground.still_holds(&mut tx, repository.id).await?,
            None => true,
        };
        if !same_policy || !same_ground {
            tx.commit().await?;
            return Ok(Expired::Stale);
        }
        let (mut images, mut tags) = (0, 0);
        for (image_id, tags_before) in self.images {
            let Some(digest) = digest_of(&mut tx, repository.id, image_id).await? else { continue };
            let names = tx
                .all("SELECT name FROM tags WHERE image_id = $1 LIMIT 1001", params![image_id])
                .await?;
            let names = names.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<String>>>()?;
            if fingerprint(&names) != tags_before {
                continue;
            }
            let is_done = match self.archives {
                true => archive_one(&mut tx, &call, &repository, &digest).await?,
                false => expire(&mut tx, &call, &repository, digest).await?,
            };
            if is_done {
                images += 1;
                tags += names.len() as u64;
            }
        }
        call.commit(tx).await?;
        if self.archives {
            return Ok(Expired::Archived { images });
        }
        call.app.garbage.wake();
        Ok(Expired::Deleted { images, tags })
    }
}

/// Archives an image, unless it cannot be any more; whether it did.
async fn archive_one(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    digest: &Digest,
) -> Result<bool> {
    let Some(image) = find_by_digest(tx, repository, digest).await? else { return Ok(false) };
    Ok(archive::archive(tx, call, repository, &image).await?.is_ok())
}

/// Deletes an image with its tags, unless an index refers to it, and remembers that what refers to
/// it goes too.
async fn expire(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    digest: Digest,
) -> Result<bool> {
    let id = ImageIdentifier { digest: Some(digest.clone()), tag: None };
    if delete(tx, call, repository, &id, OfChild::Refuse).await?.is_err() {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO lifecycle_expired_subjects (repository_id, digest) \
         SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT) WHERE EXISTS (SELECT 1 FROM images \
         WHERE repository_id = $1 AND subject_digest = $2) \
         ON CONFLICT (repository_id, digest) DO NOTHING",
        params![repository.id, digest.as_str()],
    )
    .await?;
    Ok(true)
}

async fn digest_of(tx: &mut Tx, repository_id: i64, image_id: i64) -> Result<Option<Digest>> {
    let row = tx
        .optional(
            "SELECT digest FROM images WHERE id = $1 AND repository_id = $2",
            params![image_id, repository_id],
        )
        .await?;
    row.map(|row| Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)).transpose()
}

/// Deletes some of what refers to an image that a lifecycle policy expired. If that image was
/// pushed again meanwhile, nothing is deleted.
#[derive(Clone, Debug)]
pub struct ExpireReferrers {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Its row.
    pub repository_id: i64,
    /// The job's right to go on.
    pub lease: Lease,
}

impl Operation for ExpireReferrers {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ExpireReferrers" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:BatchDeleteImage", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        self.lease.hold(&mut tx, call.now()).await?;
        let repository = repositories::find(&mut tx, &self.repository).await?;
        let subject = next_subject(&mut tx, self.repository_id).await?;
        let (Some(repository), Some(subject)) =
            (repository.filter(|found| found.id == self.repository_id), subject)
        else {
            tx.commit().await?;
            return Ok(());
        };
        // Children of an index stay with it; they are left out, or this would never end.
        let referrers = tx
            .all(
                "SELECT digest FROM images WHERE repository_id = $1 AND subject_digest = $2 \
                 AND NOT EXISTS (SELECT 1 FROM images AS subjects \
                 WHERE subjects.repository_id = $1 AND subjects.digest = $2) \
                 AND NOT EXISTS (SELECT 1 FROM image_children \
                 WHERE image_children.child_image_id = images.id) ORDER BY id LIMIT $3",
                params![repository.id, subject.as_str(), BATCH],
            )
            .await?;
        for row in &referrers {
            let digest = Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)?;
            expire(&mut tx, &call, &repository, digest).await?;
        }
        if referrers.is_empty() {
            tx.execute(
                "DELETE FROM lifecycle_expired_subjects WHERE repository_id = $1 AND digest = $2",
                params![repository.id, subject.as_str()],
            )
            .await?;
        }
        call.commit(tx).await?;
        call.app.garbage.wake();
        Ok(())
    }
}

/// Archives some of what refers to archived images (Amazon ECR user guide: it follows its subject
/// within 24 hours).
#[derive(Clone, Debug)]
pub struct ArchiveReferrers {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Its row.
    pub repository_id: i64,
    /// The job's right to go on.
    pub lease: Lease,
}

impl Operation for ArchiveReferrers {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ArchiveReferrers" };
    /// How many.
    type Output = u64;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(ARCHIVE, self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<u64> {
        let mut tx = call.write().await?;
        self.lease.hold(&mut tx, call.now()).await?;
        let repository = repositories::find(&mut tx, &self.repository).await?;
        let Some(repository) = repository.filter(|found| found.id == self.repository_id) else {
            tx.commit().await?;
            return Ok(0);
        };
        let referrers = tx
            .all(
                "SELECT images.digest FROM images JOIN images AS subjects \
                 ON subjects.repository_id = images.repository_id \
                 AND subjects.digest = images.subject_digest \
                 WHERE images.repository_id = $1 AND images.status = 'ACTIVE' \
                 AND subjects.status = 'ARCHIVED' AND NOT EXISTS (SELECT 1 FROM image_children \
                 JOIN images AS parents ON parents.id = image_children.image_id \
                 WHERE image_children.child_image_id = images.id \
                 AND parents.status <> 'ARCHIVED') ORDER BY images.id LIMIT $2",
                params![repository.id, BATCH],
            )
            .await?;
        let mut archived = 0;
        for row in &referrers {
            let digest = Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)?;
            archived += u64::from(archive_one(&mut tx, &call, &repository, &digest).await?);
        }
        call.commit(tx).await?;
        Ok(archived)
    }
}
