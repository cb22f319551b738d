//! `DescribeImages`.

use super::list_images::TagStatus;
use super::{ImageIdentifier, ImageStatus, ImageStatusFilter, not_found, resolve, tags};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, registry_action};
use crate::metadata::Row;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::registries::Document as _;
use crate::repositories::{self, RepositoryAddress};
use crate::scanning::state::{self, Scan};
use crate::scanning::{RegistryScanningConfiguration, ScanType};

/// Describes the images asked for, or lists all, oldest first.
#[derive(Clone, Debug)]
pub struct DescribeImages {
    /// The repository.
    pub repository: RepositoryAddress,
    /// These only, at most 100; the first that names nothing fails the whole call.
    pub ids: Vec<ImageIdentifier>,
    /// Which ones, when no identifiers are given.
    pub tag_status: TagStatus,
    /// Of which status, when no identifiers are given: what is named is described, archived or not.
    pub image_status: ImageStatusFilter,
    /// Which page, when no identifiers are given.
    pub page: PageRequest,
}

/// An image with all its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDetail {
    row: i64,
    /// Its digest.
    pub digest: Digest,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// Its size in bytes: config and layers; of an index, the largest child's.
    pub size: u64,
    /// When it was first pushed.
    pub pushed_at: Millis,
    /// When it was last pulled.
    pub last_pulled_at: Option<Millis>,
    /// The manifest's media type.
    pub manifest_media_type: String,
    /// The artifact type, or the config's media type.
    pub artifact_media_type: Option<String>,
    /// What it refers to as its subject.
    pub subject: Option<Digest>,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// When it was last archived.
    pub last_archived_at: Option<Millis>,
    /// When it was last restored.
    pub last_activated_at: Option<Millis>,
    /// Its enhanced scan, while the registry has enhanced scanning. ECR tells nothing of basic scans
    /// here since it has its own basic scanner.
    pub scan: Option<Scan>,
}

impl Operation for DescribeImages {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DescribeImages" };
    type Output = Page<ImageDetail>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        super::demands(registry_action!("DescribeImages"), &self.repository, &self.ids)
    }

    async fn run(self, call: Call<'_>) -> Result<Page<ImageDetail>> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let scanning =
            RegistryScanningConfiguration::load(&mut tx, Some(repository.registry_id)).await?;
        let is_enhanced = scanning.scan_type == ScanType::Enhanced;
        if !self.ids.is_empty() {
            let mut items: Vec<ImageDetail> = Vec::with_capacity(self.ids.len());
            for id in &self.ids {
                let image = resolve(&mut tx, &repository, id)
                    .await?
                    .map_err(|_| not_found(&self.repository, id))?;
                if items.iter().all(|item| item.row != image.id) {
                    items.push(detail(&mut tx, image.id, is_enhanced).await?);
                }
            }
            return Ok(Page { items, next: None });
        }
        let after: i64 = match self.page.after.as_deref() {
            None => 0,
            Some(after) => {
                after.parse().map_err(|_| Error::invalid_parameter("nextToken", "Invalid token"))?
            }
        };
        let rows = tx
            .all(
                "SELECT id FROM images WHERE repository_id = $1 AND id > $2 AND ( \
                 ($3 = 1 AND EXISTS (SELECT 1 FROM tags WHERE tags.image_id = images.id)) OR \
                 ($4 = 1 AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.image_id = images.id))) \
                 AND (CAST($6 AS TEXT) IS NULL OR status = CAST($6 AS TEXT)) \
                 ORDER BY id LIMIT $5",
                params![
                    repository.id,
                    after,
                    self.tag_status.wants_tagged(),
                    self.tag_status.wants_untagged(),
                    self.page.limit_and_one(),
                    self.image_status.wanted(),
                ],
            )
            .await?;
        let ids = rows.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<i64>>>()?;
        let page = self.page.cut(ids, ToString::to_string);
        let mut items = Vec::with_capacity(page.items.len());
        for id in page.items {
            items.push(detail(&mut tx, id, is_enhanced).await?);
        }
        Ok(Page { items, next: page.next })
    }
}

async fn detail(tx: &mut Tx, image_id: i64, is_enhanced: bool) -> Result<ImageDetail> {
    let row: Row = tx
        .optional(
            "SELECT digest, image_size, pushed_at, last_pulled_at, media_type, artifact_type, \
             subject_digest, status, last_archived_at, last_activated_at FROM images WHERE id = $1",
            params![image_id],
        )
        .await?
        .ok_or_else(|| Error::internal("an image row vanished inside a snapshot"))?;
    Ok(ImageDetail {
        row: image_id,
        digest: Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
        tags: tags::of_image(tx, image_id).await?,
        size: row.get(1)?,
        pushed_at: row.get(2)?,
        last_pulled_at: row.get(3)?,
        manifest_media_type: row.get(4)?,
        artifact_media_type: row.get(5)?,
        subject: row
            .get::<Option<String>>(6)?
            .map(|digest| Digest::parse(&digest).map_err(Error::internal))
            .transpose()?,
        status: ImageStatus::from_stored(&row.get::<String>(7)?)?,
        last_archived_at: row.get(8)?,
        last_activated_at: row.get(9)?,
        scan: if is_enhanced { state::find(tx, image_id, ScanType::Enhanced).await? } else { None },
    })
}
