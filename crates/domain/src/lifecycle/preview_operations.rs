//! `StartLifecyclePolicyPreview` and `GetLifecyclePolicyPreview`.

use super::effects::Effects;
use super::policy::StorageClass;
use super::preview::{MakePreview, RESULT_SECONDS};
use super::validate;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::list_images::TagStatus;
use crate::images::{ImageIdentifier, find_by_tag};
use crate::jobs::{self, Job as _};
use crate::metadata::Row;
use crate::names::Digest;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, Repository, RepositoryAddress};

/// How a preview stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviewStatus {
    /// It is being made.
    InProgress,
    /// It can be read.
    Complete,
    /// It was made more than a day ago.
    Expired,
    /// It could not be made; the jobs say why.
    Failed,
}

/// Begins a preview of a policy: what it would do now. Nothing is deleted. A repository has one
/// preview; the one before is gone then.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`]; [`ErrorKind::LifecyclePolicyNotFound`] without a text when
/// the repository has no policy; [`ErrorKind::LifecyclePolicyPreviewInProgress`];
/// [`ErrorKind::InvalidParameter`] as for `PutLifecyclePolicy`.
#[derive(Clone, Debug)]
pub struct StartLifecyclePolicyPreview {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The policy; that of the repository if absent.
    pub text: Option<String>,
}

impl Operation for StartLifecyclePolicyPreview {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "StartLifecyclePolicyPreview" };
    /// The policy, byte for byte.
    type Output = String;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:StartLifecyclePolicyPreview", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<String> {
        let given = self.text.as_deref().map(validate::parse).transpose();
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        given?;
        let text = match self.text {
            Some(text) => text,
            None => match super::find(&mut tx, repository.id).await? {
                Some(stored) => stored.text,
                None => return call.refuse(tx, super::not_found(&self.repository)).await,
            },
        };
        let before = find(&mut tx, &repository, call.now()).await?;
        if before.is_some_and(|preview| preview.status == PreviewStatus::InProgress) {
            let refusal = Error::new(
                ErrorKind::LifecyclePolicyPreviewInProgress,
                format!(
                    "The lifecycle policy preview for the repository with name '{}' in the \
                     registry with id '{}' is in progress; wait until it is complete",
                    self.repository.name, self.repository.account
                ),
            );
            return call.refuse(tx, refusal).await;
        }
        tx.execute(
            "INSERT INTO lifecycle_old_previews (preview_id) \
             SELECT preview_id FROM lifecycle_previews WHERE repository_id = $1 \
             ON CONFLICT (preview_id) DO NOTHING",
            params![repository.id],
        )
        .await?;
        let preview_id = call.next_id();
        tx.execute(
            "INSERT INTO lifecycle_previews (repository_id, preview_id, policy_text, state, \
             expiring, started_at, completed_at) VALUES ($1, $2, $3, 'IN_PROGRESS', 0, $4, NULL) \
             ON CONFLICT (repository_id) DO UPDATE SET preview_id = excluded.preview_id, \
             policy_text = excluded.policy_text, state = excluded.state, expiring = 0, transitioning = 0, \
             started_at = excluded.started_at, completed_at = NULL",
            params![repository.id, preview_id, &text, call.now()],
        )
        .await?;
        let job = MakePreview::new(repository.address.account, repository.id, preview_id);
        jobs::enqueue(&mut tx, call.app, &job, call.now()).await?;
        call.commit(tx).await?;
        Ok(text)
    }
}

/// Shows the preview of a repository: the images that the policy would expire or archive, by priority of the
/// rule and oldest first.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`]; [`ErrorKind::LifecyclePolicyPreviewNotFound`].
#[derive(Clone, Debug)]
pub struct GetLifecyclePolicyPreview {
    /// The repository.
    pub repository: RepositoryAddress,
    /// These images only, at most 100; those that would stay are left out.
    pub ids: Vec<ImageIdentifier>,
    /// Which images, when no identifiers are given.
    pub tag_status: TagStatus,
    /// Which page, when no identifiers are given.
    pub page: PageRequest,
}

/// A preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewOfRepository {
    /// The policy, byte for byte.
    pub text: String,
    /// How it stands; there are images only when it is complete.
    pub status: PreviewStatus,
    /// How many images would be expired, of which a page or a filter shows some.
    pub expiring: u64,
    /// How many would be archived.
    pub transitioning: u64,
    /// What that comes to, rule by rule; nothing unless it is complete. ECR does not tell it.
    pub effects: Effects,
    /// These.
    pub images: Page<PreviewedImage>,
}

/// An image that would be expired or archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewedImage {
    position: i64,
    /// Its digest.
    pub digest: Digest,
    /// The tags it had.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Millis,
    /// The number of the rule.
    pub rule_priority: u64,
    /// Whether it is in the archive.
    pub archived: bool,
    /// Whether it would be archived; otherwise it would be expired.
    pub transitions: bool,
}

impl Operation for GetLifecyclePolicyPreview {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetLifecyclePolicyPreview" };
    type Output = PreviewOfRepository;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:GetLifecyclePolicyPreview", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<PreviewOfRepository> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let preview = find(&mut tx, &repository, call.now()).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::LifecyclePolicyPreviewNotFound,
                format!(
                    "Lifecycle policy preview does not exist for the repository with name '{}' in \
                     the registry with id '{}'",
                    self.repository.name, self.repository.account
                ),
            )
        })?;
        let images = if preview.status != PreviewStatus::Complete {
            Page { items: Vec::new(), next: None }
        } else if self.ids.is_empty() {
            listed(&mut tx, preview.id, self.tag_status, &self.page).await?
        } else {
            named(&mut tx, &repository, preview.id, &self.ids).await?
        };
        Ok(PreviewOfRepository {
            text: preview.text,
            status: preview.status,
            expiring: preview.expiring,
            transitioning: preview.transitioning,
            effects: preview.effects,
            images,
        })
    }
}

struct StoredPreview {
    id: i64,
    text: String,
    status: PreviewStatus,
    expiring: u64,
    transitioning: u64,
    effects: Effects,
}

async fn find(tx: &mut Tx, repository: &Repository, now: Millis) -> Result<Option<StoredPreview>> {
    let row = tx
        .optional(
            "SELECT preview_id, policy_text, state, expiring, completed_at, transitioning, \
             effects FROM lifecycle_previews WHERE repository_id = $1",
            params![repository.id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let completed_at: Option<Millis> = row.get(4)?;
    let old = completed_at.is_some_and(|at| at.plus_seconds(RESULT_SECONDS) <= now);
    let status = match row.get::<String>(2)?.as_str() {
        "IN_PROGRESS" if is_under_way(tx, repository).await? => PreviewStatus::InProgress,
        "IN_PROGRESS" => PreviewStatus::Failed,
        "COMPLETE" if !old => PreviewStatus::Complete,
        _ => PreviewStatus::Expired,
    };
    let is_complete = status == PreviewStatus::Complete;
    Ok(Some(StoredPreview {
        id: row.get(0)?,
        text: row.get(1)?,
        status,
        expiring: if is_complete { row.get(3)? } else { 0 },
        transitioning: if is_complete { row.get(5)? } else { 0 },
        effects: match row.get::<String>(6)?.as_str() {
            text if is_complete && text != "{}" => {
                serde_json::from_str(text).map_err(Error::internal)?
            }
            _ => Effects::default(),
        },
    }))
}

/// Whether there is a job that will complete the preview.
async fn is_under_way(tx: &mut Tx, repository: &Repository) -> Result<bool> {
    let job = tx
        .optional(
            "SELECT 1 FROM jobs WHERE kind = $1 AND job_key = $2 \
             AND state IN ('WAITING', 'RUNNING')",
            params![MakePreview::KIND, repository.id.to_string()],
        )
        .await?;
    Ok(job.is_some())
}

fn image_from(row: &Row) -> Result<PreviewedImage> {
    Ok(PreviewedImage {
        position: row.get(0)?,
        digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        tags: serde_json::from_str(&row.get::<String>(2)?).map_err(Error::internal)?,
        pushed_at: row.get(3)?,
        rule_priority: row.get(4)?,
        archived: row.get::<String>(5)? == StorageClass::Archive.as_str(),
        transitions: row.get(6)?,
    })
}

async fn listed(
    tx: &mut Tx,
    preview_id: i64,
    tag_status: TagStatus,
    page: &PageRequest,
) -> Result<Page<PreviewedImage>> {
    let after: i64 = match page.after.as_deref() {
        None => -1,
        Some(after) => {
            after.parse().map_err(|_| Error::invalid_parameter("nextToken", "Invalid token"))?
        }
    };
    let rows = tx
        .all(
            "SELECT position, digest, tags, pushed_at, rule_priority, storage_class, transitions \
             FROM lifecycle_preview_images \
             WHERE preview_id = $1 AND position > $2 \
             AND ((CAST($3 AS BIGINT) = 1 AND tags <> '[]') \
             OR (CAST($4 AS BIGINT) = 1 AND tags = '[]')) ORDER BY position LIMIT $5",
            params![
                preview_id,
                after,
                tag_status.wants_tagged(),
                tag_status.wants_untagged(),
                page.limit_and_one(),
            ],
        )
        .await?;
    let items = rows.iter().map(image_from).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(items, |image| image.position.to_string()))
}

async fn named(
    tx: &mut Tx,
    repository: &Repository,
    preview_id: i64,
    ids: &[ImageIdentifier],
) -> Result<Page<PreviewedImage>> {
    let mut items: Vec<PreviewedImage> = Vec::with_capacity(ids.len());
    for id in ids {
        let digest = match (&id.digest, &id.tag) {
            (Some(digest), _) => Some(digest.clone()),
            (None, Some(tag)) => find_by_tag(tx, repository, tag).await?.map(|image| image.digest),
            (None, None) => None,
        };
        let Some(digest) = digest else { continue };
        let row = tx
            .optional(
                "SELECT position, digest, tags, pushed_at, rule_priority, storage_class, \
                 transitions FROM lifecycle_preview_images WHERE preview_id = $1 AND digest = $2",
                params![preview_id, digest.as_str()],
            )
            .await?;
        let Some(row) = row else { continue };
        let image = image_from(&row)?;
        let has_tag =
            id.tag.as_ref().is_none_or(|tag| image.tags.iter().any(|it| it == tag.as_str()));
        if has_tag && items.iter().all(|item| item.position != image.position) {
            items.push(image);
        }
    }
    Ok(Page { items, next: None })
}
