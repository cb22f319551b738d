//! `DescribeImageContent`: what is in an image, and what belongs to it.

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::gallery::config;
pub use crate::gallery::view_image::{ImageConfig, Part};
use crate::gallery::view_image::{children, layers, referrers};
use crate::images::{self, ImageIdentifier, ImageStatus, manifest_bytes, not_found, resolve, tags};
use crate::names::{Digest, Tag};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Indexes that are told to have an image.
const PARENTS_MAX: i64 = 50;

/// Reads what is shown of an image. It takes what reading its manifest takes, and is no pull.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`], [`crate::error::ErrorKind::ImageNotFound`].
#[derive(Clone, Debug)]
pub struct DescribeImageContent {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which image.
    pub id: ImageIdentifier,
}

/// What is shown of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageContent {
    /// Its digest.
    pub digest: Digest,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// Its size in bytes; of an index, the largest image's.
    pub size: u64,
    /// When it was first pushed.
    pub pushed_at: Millis,
    /// When it was last pulled.
    pub last_pulled_at: Option<Millis>,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// The manifest's media type.
    pub media_type: String,
    /// The artifact type, or the config's media type.
    pub artifact_type: Option<String>,
    /// What it refers to as its subject.
    pub subject: Option<Digest>,
    /// The indexes that have it.
    pub parents: Vec<Digest>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The manifest byte for byte.
    pub manifest: String,
    /// Its configuration, of an image.
    pub config: Option<ImageConfig>,
    /// Its layers, of anything but an index.
    pub layers: Vec<Part>,
    /// Its images, of an index.
    pub children: Vec<Part>,
    /// What refers to it.
    pub referrers: Vec<Part>,
}

impl Operation for DescribeImageContent {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeImageContent" };
    type Output = ImageContent;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        images::demands(registry_action!("BatchGetImage"), &self.repository, ids)
    }

    async fn run(self, call: Call<'_>) -> Result<ImageContent> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let image = resolve(&mut tx, &repository, &self.id).await?;
        let image = image.map_err(|_| not_found(&self.repository, &self.id))?;
        let row = tx
            .optional(
                "SELECT image_size, pushed_at, last_pulled_at, artifact_type, subject_digest, \
                 annotations FROM images WHERE id = $1",
                params![image.id],
            )
            .await?
            .ok_or_else(|| not_found(&self.repository, &self.id))?;
        let subject = row.get::<Option<String>>(4)?;
        let subject = subject.map(|digest| Digest::parse(&digest).map_err(Error::internal));
        let parents = tx
            .all(
                "SELECT images.digest FROM image_children \
                 JOIN images ON images.id = image_children.image_id \
                 WHERE image_children.child_image_id = $1 ORDER BY images.id DESC LIMIT $2",
                params![image.id, PARENTS_MAX],
            )
            .await?;
        let parents = parents
            .iter()
            .map(|row| Digest::parse(&row.get::<String>(0)?).map_err(Error::internal))
            .collect::<Result<_>>()?;
        let manifest = manifest_bytes(call.app, &mut tx, &repository, &image).await?;
        // What is archived is not read.
        let config = match image.status {
            ImageStatus::Active => config::read(call.app, &mut tx, &repository, image.id).await?,
            ImageStatus::Archived | ImageStatus::Activating => None,
        };
        Ok(ImageContent {
            tags: tags::of_image(&mut tx, image.id).await?,
            size: row.get(0)?,
            pushed_at: row.get(1)?,
            last_pulled_at: row.get(2)?,
            status: image.status,
            artifact_type: row.get(3)?,
            subject: subject.transpose()?,
            parents,
            annotations: serde_json::from_str(&row.get::<String>(5)?).map_err(Error::internal)?,
            manifest: String::from_utf8_lossy(&manifest).into_owned(),
            config,
            layers: layers(&mut tx, image.id).await?,
            children: children(&mut tx, image.id).await?,
            referrers: referrers(&mut tx, repository.id, &image.digest).await?,
            digest: image.digest,
            media_type: image.media_type,
        })
    }
}
