//! The page of an image, named by a tag or by its digest.

use std::collections::BTreeMap;

use super::BROWSE;
use super::config;
pub use super::config::ImageConfig;
use super::listings::{Listing, load};
use super::scans::{self, ImageScan, ScanSummary};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::{ImageIdentifier, ImageStatus, not_found, resolve_active, tags};
use crate::names::{Digest, Reference, Tag};
use crate::params;
use crate::public::repository_settings::PublicRepositorySettings;
use crate::repositories::{self, RepositoryAddress};

/// Entries of each list of the page.
const ENTRIES_MAX: i64 = 500;

/// Reads what is shown of an image of a public repository.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`], [`crate::error::ErrorKind::ImageNotFound`].
#[derive(Clone, Debug)]
pub struct ViewImage {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which image.
    pub reference: Reference,
}

/// What the page of an image shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageView {
    /// Its repository.
    pub listing: Listing,
    /// Its digest.
    pub digest: Digest,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// Its size in bytes; of an index, the largest image's.
    pub size: u64,
    /// When it was first pushed.
    pub pushed_at: Millis,
    /// The manifest's media type.
    pub media_type: String,
    /// The artifact type, of what says one.
    pub artifact_type: Option<String>,
    /// What it refers to as its subject.
    pub subject: Option<Digest>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its configuration, of an image.
    pub config: Option<ImageConfig>,
    /// Its layers, of anything but an index.
    pub layers: Vec<Part>,
    /// Its images, of an index.
    pub children: Vec<Part>,
    /// What refers to it.
    pub referrers: Vec<Part>,
    /// Whether tags may move, and images are scanned.
    pub settings: PublicRepositorySettings,
    /// Its scan, where the owner has images scanned and there is one.
    pub scan: Option<ImageScan>,
    /// Those of the images of an index, by digest.
    pub child_scans: BTreeMap<String, ScanSummary>,
}

/// A layer, an image of an index, or what refers to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its digest.
    pub digest: Digest,
    /// Its media type; of what refers to an image, its artifact type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its platform, of an image of an index.
    pub platform: String,
}

impl Operation for ViewImage {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ViewImage" };
    type Output = ImageView;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(BROWSE, self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<ImageView> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let listing = load(&mut tx, repository.id).await?;
        let listing = listing.ok_or_else(|| repositories::not_found(&self.repository))?;
        let id = ImageIdentifier::from(self.reference);
        let image = resolve_active(&mut tx, &repository, &id).await?;
        let image = image.map_err(|_| not_found(&self.repository, &id))?;
        let row = tx
            .optional(
                "SELECT image_size, pushed_at, artifact_type, subject_digest, annotations \
                 FROM images WHERE id = $1",
                params![image.id],
            )
            .await?
            .ok_or_else(|| not_found(&self.repository, &id))?;
        let subject = row.get::<Option<String>>(3)?;
        let subject = subject.map(|digest| Digest::parse(&digest).map_err(Error::internal));
        Ok(ImageView {
            listing,
            tags: tags::of_image(&mut tx, image.id).await?,
            size: row.get(0)?,
            pushed_at: row.get(1)?,
            artifact_type: row.get(2)?,
            subject: subject.transpose()?,
            annotations: serde_json::from_str(&row.get::<String>(4)?).map_err(Error::internal)?,
            config: config::read(call.app, &mut tx, &repository, image.id).await?,
            layers: layers(&mut tx, image.id).await?,
            children: children(&mut tx, image.id).await?,
            referrers: referrers(&mut tx, repository.id, &image.digest).await?,
            scan: scans::of_image(&mut tx, &repository, image.id).await?,
            child_scans: scans::of_family(&mut tx, &repository, image.id).await?,
            settings: repository.into(),
            digest: image.digest,
            media_type: image.media_type,
        })
    }
}

/// The layers of an image, in their order.
pub(crate) async fn layers(tx: &mut Tx, image_id: i64) -> Result<Vec<Part>> {
    let sql = "SELECT digest, media_type, size, '' FROM image_blobs \
               WHERE image_id = $1 AND position >= 0 ORDER BY position LIMIT $2";
    parts(tx, sql, image_id).await
}

/// The images of an index, in their order.
pub(crate) async fn children(tx: &mut Tx, image_id: i64) -> Result<Vec<Part>> {
    let sql = "SELECT image_children.digest, image_children.media_type, \
               COALESCE(images.image_size, 0), image_children.platform FROM image_children \
               LEFT JOIN images ON images.id = image_children.child_image_id \
               WHERE image_children.image_id = $1 ORDER BY image_children.position LIMIT $2";
    parts(tx, sql, image_id).await
}

/// What refers to an image and can be pulled, the oldest first.
pub(crate) async fn referrers(
    tx: &mut Tx,
    repository_id: i64,
    digest: &Digest,
) -> Result<Vec<Part>> {
    let rows = tx
        .all(
            "SELECT digest, COALESCE(artifact_type, media_type), image_size, '' FROM images \
             WHERE repository_id = $1 AND subject_digest = $2 AND status = $3 ORDER BY id LIMIT $4",
            params![repository_id, digest.as_str(), ImageStatus::Active.as_str(), ENTRIES_MAX],
        )
        .await?;
    rows.iter().map(part).collect()
}

async fn parts(tx: &mut Tx, sql: &'static str, image_id: i64) -> Result<Vec<Part>> {
    let rows = tx.all(sql, params![image_id, ENTRIES_MAX]).await?;
    rows.iter().map(part).collect()
}

fn part(row: &crate::metadata::Row) -> Result<Part> {
    Ok(Part {
        digest: Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
        media_type: row.get(1)?,
        size: row.get(2)?,
        platform: row.get(3)?,
    })
}
