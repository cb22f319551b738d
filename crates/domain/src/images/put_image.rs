//! `PutImage`, and `PUT` of a manifest.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::manifest::{Child, Descriptor, MAXIMUM_BYTES, Manifest, ManifestKind};
use super::precondition::Precondition;
use super::tags::{self, Movable, Put};
use super::{ImageIdentifier, ImageStatus, MANIFEST, demands, find_by_digest, warnings};
use crate::archive;
use crate::blobs;
use crate::context::RequestContext;
use crate::encryption::{self, EncryptionDomain};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, registry_action};
use crate::gc;
use crate::names::{Algorithm, Digest, Tag};
use crate::objects::Tier;
use crate::params;
use crate::pull_through;
use crate::quotas;
use crate::replication::{self, Change};
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::uploads::UploadRules;
use crate::{scanning, signing};

/// Rows of older parsers can be parsed again from the manifest, which is the truth.
pub(super) const PARSER_VERSION: i64 = 1;

/// Stores a manifest, byte for byte, and points a tag at it.
///
/// Idempotent under [`UploadRules::Distribution`] while the tag may move; under
/// [`UploadRules::LayerParts`] what exists already is an error, as in ECR.
#[derive(Clone, Debug)]
pub struct PutImage {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The manifest.
    pub manifest: Bytes,
    /// Its media type, if the client said so beside the bytes.
    pub media_type: Option<String>,
    /// The tags; none keeps the image untagged. All come to name it, or none.
    pub tags: Vec<Tag>,
    /// The digest that the client expects.
    pub digest: Option<Digest>,
    /// What must be true of the tags.
    pub condition: Precondition,
    /// Whose rules hold.
    pub rules: UploadRules,
}

/// A stored image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutImageOutput {
    /// The digest of the manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// What it refers to as its subject, whether that exists or not.
    pub subject: Option<Digest>,
    /// What is odd about it, for people: at most ten sentences of visible ASCII.
    pub warnings: Vec<String>,
}

impl Operation for PutImage {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutImage" };
    type Output = PutImageOutput;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        // The digest is the manifest's own, so that a condition on it cannot be passed by leaving
        // it out; one that the client claims wrongly is refused later.
        let algorithm = self.digest.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = Digest::of(algorithm, &self.manifest);
        let id = |tag| ImageIdentifier { digest: Some(digest.clone()), tag };
        let ids: Vec<ImageIdentifier> = match self.tags.is_empty() {
            true => vec![id(None)],
            false => self.tags.iter().map(|tag| id(Some(tag.clone()))).collect(),
        };
        demands(registry_action!("PutImage"), &self.repository, &ids)
    }

    async fn run(self, call: Call<'_>) -> Result<PutImageOutput> {
        let parsed = parse(&self.manifest, self.media_type.as_deref(), self.rules);
        let algorithm = self.digest.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = Digest::of(algorithm, &self.manifest);

        let domain = encryption::ensure_account_domain(&call, &self.repository).await?;
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        pull_through::rules::refuse_push(&mut tx, &self.repository, Some(&repository)).await?;
        // A repository that does not exist is the first thing to say.
        let manifest = parsed?;
        if let Some(expected) = &self.digest
            && *expected != digest
        {
            return Err(Error::new(
                ErrorKind::ImageDigestDoesNotMatch,
                format!(
                    "The image with digest '{expected}' in repository '{}' and registry ID '{}' \
                     does not match the image digest that Amazon ECR has calculated.",
                    self.repository.name, self.repository.account
                ),
            ));
        }
        let mut movable = Vec::with_capacity(self.tags.len());
        for tag in &self.tags {
            match tags::movable(&mut tx, &repository, tag, &self.condition).await? {
                Ok(tag) => movable.push(tag),
                Err(refusal) => return call.refuse(tx, refusal).await,
            }
        }
        if self.tags.is_empty() {
            let existing = find_by_digest(&mut tx, &repository, &digest).await?;
            if let Some(refusal) = self.condition.refusal("The digest", existing.as_ref()) {
                return call.refuse(tx, refusal).await;
            }
        }
        let new = NewImage { manifest: &manifest, bytes: &self.manifest, digest: &digest };
        let stored = store(&mut tx, &call, (&repository, &domain), new, movable).await?;
        if stored.changes.is_empty() && self.rules == UploadRules::LayerParts {
            let tag = self.tags.first().map_or("null", Tag::as_str);
            let exists = Error::new(
                ErrorKind::ImageAlreadyExists,
                format!(
                    "Image with digest '{digest}' and tag '{tag}' already exists in the \
                     repository with name '{}' in registry with id '{}'",
                    self.repository.name, self.repository.account
                ),
            );
            return call.refuse(tx, exists).await;
        }
        let media_type = manifest.media_type.as_str().to_owned();
        let image_id = stored.image_id;
        let tags_moved = stored.changes.iter().flatten().count() as u64;
        tell(&mut tx, &call, &repository, new, stored).await?;
        let may_miss = repository.may_be_sparse(call.app);
        let warnings =
            warnings::of(&mut tx, &repository, &manifest, image_id, &self.tags, may_miss).await?;
        // Also when nothing changed: what was found may be of a commit that is still under way.
        call.commit(tx).await?;
        if tags_moved > 0 {
            call.app.pulls.note_push(repository.id, tags_moved, call.now());
        }
        Ok(PutImageOutput {
            digest,
            media_type,
            subject: manifest.subject.map(|subject| subject.digest),
            warnings,
        })
    }
}

/// A manifest that was parsed.
#[derive(Clone, Copy)]
pub(crate) struct NewImage<'m> {
    pub(crate) manifest: &'m Manifest,
    pub(crate) bytes: &'m Bytes,
    pub(crate) digest: &'m Digest,
}

/// What storing an image changed.
pub(crate) struct Stored {
    pub(crate) image_id: i64,
    /// The tags that name it now and did not before; nothing for a new image that got no tag.
    pub(crate) changes: Vec<Option<Tag>>,
}

/// Stores an image that may be there already, and lets tags name it.
pub(crate) async fn store(
    tx: &mut Tx,
    call: &Call<'_>,
    (repository, domain): (&Repository, &EncryptionDomain),
    new: NewImage<'_>,
    tags: Vec<Movable<'_>>,
) -> Result<Stored> {
    let NewImage { manifest, bytes, digest } = new;
    let existing = find_by_digest(tx, repository, digest).await?;
    // To store what is in the archive restores it.
    let existed = existing.as_ref().is_some_and(|image| image.status == ImageStatus::Active);
    let image_id = match existing {
        Some(image) => {
            heal(tx, call, domain, image.id, bytes, digest).await?;
            if image.status != ImageStatus::Active {
                archive::restore_by_push(tx, call, repository, &image).await?;
            }
            image.id
        }
        None => {
            let id = insert(tx, call, (repository, domain), manifest, bytes, digest).await?;
            scanning::note(tx, call, repository, (id, manifest)).await?;
            id
        }
    };
    let mut changes = Vec::with_capacity(tags.len());
    for movable in tags {
        let tag = movable.tag().clone();
        if tags::put(tx, call, repository, movable, image_id, digest).await? == Put::Moved {
            changes.push(Some(tag));
        }
    }
    if !existed && changes.is_empty() {
        changes.push(None);
    }
    Ok(Stored { image_id, changes })
}

/// Tells replication, signing and whoever follows events of what a push changed.
pub(crate) async fn tell(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    NewImage { manifest, digest, .. }: NewImage<'_>,
    Stored { image_id, changes }: Stored,
) -> Result<()> {
    replication::note(tx, call, repository, Change::Push, digest, &changes).await?;
    if !changes.is_empty() {
        signing::note(tx, call, repository, (image_id, manifest)).await?;
    }
    for image_tag in changes {
        let event = Event::ImagePushed {
            repository_name: repository.address.name.to_string(),
            image_digest: digest.to_string(),
            image_tag: image_tag.map(|tag| tag.to_string()),
            manifest_media_type: manifest.media_type.as_str().to_owned(),
            artifact_media_type: manifest.artifact_type.clone(),
        };
        events::publish(tx, call, repository.registry_id, &event).await?;
    }
    Ok(())
}

fn parse(bytes: &[u8], media_type: Option<&str>, rules: UploadRules) -> Result<Manifest> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(Error::new(
            ErrorKind::ManifestTooLarge,
            format!("The manifest has {} bytes; at most {MAXIMUM_BYTES} are stored.", bytes.len()),
        ));
    }
    let manifest = Manifest::parse(bytes, media_type).map_err(|error| {
        let message = format!("The image manifest is not valid: {error}");
        Error::new(ErrorKind::ManifestInvalid, message)
    })?;
    // botocore, shape `PutImageRequest$imageManifestMediaType`.
    if manifest.media_type_is_inferred && rules == UploadRules::LayerParts {
        return Err(Error::new(
            ErrorKind::ManifestInvalid,
            "image manifest mediatype not provided in manifest or parameter",
        ));
    }
    Ok(manifest)
}

/// Puts the bytes in the place of those that are marked damaged.
async fn heal(
    tx: &mut Tx,
    call: &Call<'_>,
    domain: &EncryptionDomain,
    image_id: i64,
    bytes: &Bytes,
    digest: &Digest,
) -> Result<()> {
    let damaged = tx
        .optional(
            "SELECT 1 FROM images WHERE id = $1 AND damaged_at IS NOT NULL",
            params![image_id],
        )
        .await?;
    if damaged.is_none() {
        return Ok(());
    }
    let container_version = encryption::container_version(call.app);
    tx.execute(
        "UPDATE images SET manifest = $2, container_version = $3, damaged_at = NULL WHERE id = $1",
        params![
            image_id,
            domain.store(container_version, MANIFEST, digest, bytes)?,
            container_version
        ],
    )
    .await?;
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    call: &Call<'_>,
    (repository, domain): (&Repository, &EncryptionDomain),
    manifest: &Manifest,
    bytes: &Bytes,
    digest: &Digest,
) -> Result<i64> {
    quotas::check_images(tx, call, repository).await?;
    let may_miss = repository.may_be_sparse(call.app);
    let (blobs, is_any_archived) = held_blobs(tx, repository, manifest, may_miss).await?;
    let children = held_children(tx, repository, manifest, may_miss).await?;
    let image_size = match manifest.kind() {
        ManifestKind::Index => {
            children.iter().map(|(_, _, image_size)| *image_size).max().unwrap_or(0)
        }
        ManifestKind::Image | ManifestKind::Artifact => manifest
            .required_blobs()
            .fold(0_u64, |sum, descriptor| sum.saturating_add(descriptor.size)),
    };
    let id = call.next_id();
    let container_version = encryption::container_version(call.app);
    tx.execute(
        "INSERT INTO images (id, repository_id, digest, kind, media_type, artifact_type, \
         config_media_type, subject_digest, annotations, image_size, parser_version, \
         container_version, manifest, manifest_size, pushed_at, last_pulled_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, NULL)",
        params![
            id,
            repository.id,
            digest.as_str(),
            kind_text(manifest.kind()),
            manifest.media_type.as_str(),
            manifest.artifact_type.as_deref(),
            manifest.config.as_ref().map(|config| config.media_type.as_str()),
            manifest.subject.as_ref().map(|subject| subject.digest.as_str()),
            serde_json::to_string(&manifest.annotations).map_err(Error::internal)?,
            image_size,
            PARSER_VERSION,
            container_version,
            domain.store(container_version, MANIFEST, digest, bytes)?,
            bytes.len(),
            call.now(),
        ],
    )
    .await?;
    for (position, descriptor, blob_id) in blobs {
        tx.execute(
            "INSERT INTO image_blobs (image_id, position, repository_id, blob_id, digest, \
             media_type, size) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                id,
                position,
                repository.id,
                blob_id,
                descriptor.digest.as_str(),
                &descriptor.media_type,
                descriptor.size,
            ],
        )
        .await?;
    }
    gc::remove_candidates_of_image(tx, repository.id, id).await?;
    if is_any_archived {
        archive::serve_blobs(tx, repository.id, id).await?;
    }
    for (position, (child, child_id, _)) in children.iter().enumerate() {
        tx.execute(
            "INSERT INTO image_children (image_id, position, child_image_id, digest, media_type, \
             size, platform) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                id,
                position,
                *child_id,
                child.descriptor.digest.as_str(),
                &child.descriptor.media_type,
                child.descriptor.size,
                platform_text(child),
            ],
        )
        .await?;
    }
    adopt(tx, repository, id, manifest, digest, bytes.len()).await?;
    Ok(id)
}

/// Indexes that were pushed before this child of theirs refer to it from now on.
async fn adopt(
    tx: &mut Tx,
    repository: &Repository,
    id: i64,
    manifest: &Manifest,
    digest: &Digest,
    size: usize,
) -> Result<()> {
    let adopted = tx
        .execute(
            "UPDATE image_children SET child_image_id = $1 WHERE child_image_id IS NULL \
             AND digest = $2 AND media_type = $3 AND size = $4 \
             AND image_id IN (SELECT id FROM images WHERE repository_id = $5)",
            params![id, digest.as_str(), manifest.media_type.as_str(), size, repository.id],
        )
        .await?;
    if adopted > 0 {
        grow_parents(tx, id).await?;
    }
    Ok(())
}

/// An index is as large as its largest child, and so are the indexes above it.
async fn grow_parents(tx: &mut Tx, id: i64) -> Result<()> {
    let mut grown = vec![id];
    // It ends: nothing is below itself, and each step makes an image larger.
    while let Some(child) = grown.pop() {
        let changed = tx
            .execute(
                "UPDATE images SET image_size = (SELECT children.image_size \
                 FROM images AS children WHERE children.id = $1) \
                 WHERE id IN (SELECT image_id FROM image_children WHERE child_image_id = $1) \
                 AND image_size < (SELECT children.image_size FROM images AS children \
                 WHERE children.id = $1)",
                params![child],
            )
            .await?;
        if changed > 0 {
            let parents = tx
                .all(
                    "SELECT DISTINCT image_id FROM image_children WHERE child_image_id = $1",
                    params![child],
                )
                .await?;
            for row in &parents {
                grown.push(row.get(0)?);
            }
        }
    }
    Ok(())
}

pub(super) fn kind_text(kind: ManifestKind) -> &'static str {
    match kind {
        ManifestKind::Image => "image",
        ManifestKind::Index => "index",
        ManifestKind::Artifact => "artifact",
    }
}

/// `os/architecture/variant`, as far as known.
pub(super) fn platform_text(child: &Child) -> String {
    let Some(platform) = &child.platform else { return String::new() };
    let mut text = format!("{}/{}", platform.os, platform.architecture);
    if !platform.variant.is_empty() {
        text.push('/');
        text.push_str(&platform.variant);
    }
    text
}

/// The position of the config among an image's blobs; layers follow from 0.
pub(crate) const CONFIG_POSITION: i64 = -1;

/// The blobs of a manifest with their rows, and whether only archived images needed some until now;
/// all but foreign layers must be in the repository, unless `may_miss`, with the size that the
/// manifest says. What lies in the archive is not there: it must be sent again.
async fn held_blobs<'m>(
    tx: &mut Tx,
    repository: &Repository,
    manifest: &'m Manifest,
    may_miss: bool,
) -> Result<(Vec<(i64, &'m Descriptor, Option<i64>)>, bool)> {
    let config = manifest.config.iter().map(|config| (CONFIG_POSITION, config));
    let layers = (0_i64..).zip(&manifest.layers);
    let mut held = Vec::with_capacity(manifest.layers.len() + 1);
    let mut is_any_archived = false;
    let mut missing = BTreeSet::new();
    for (position, descriptor) in config.chain(layers) {
        let blob = blobs::find_whole(tx, repository, &descriptor.digest).await?;
        let blob = blob.filter(|blob| blob.tier == Tier::Standard);
        is_any_archived |= blob.as_ref().is_some_and(|blob| blob.archived);
        match &blob {
            Some(blob) if blob.size != descriptor.size => {
                return Err(size_differs(descriptor, blob.size));
            }
            None if !descriptor.is_foreign() && !may_miss => {
                missing.insert(descriptor.digest.as_str());
            }
            _ => {}
        }
        held.push((position, descriptor, blob.map(|blob| blob.id)));
    }
    if missing.is_empty() {
        return Ok((held, is_any_archived));
    }
    Err(Error::new(ErrorKind::LayersNotFound, required("Layers", missing, repository)))
}

/// The children of an index with their rows and image sizes; all must be in the repository, unless
/// `may_miss`, with the size and media type that the index says.
async fn held_children<'m>(
    tx: &mut Tx,
    repository: &Repository,
    manifest: &'m Manifest,
    may_miss: bool,
) -> Result<Vec<(&'m Child, Option<i64>, u64)>> {
    let mut held = Vec::with_capacity(manifest.children.len());
    let mut missing = BTreeSet::new();
    for child in &manifest.children {
        let descriptor = &child.descriptor;
        let row = tx
            .optional(
                "SELECT id, media_type, manifest_size, image_size, status FROM images \
                 WHERE repository_id = $1 AND digest = $2",
                params![repository.id, descriptor.digest.as_str()],
            )
            .await?;
        let Some(row) = row else {
            if may_miss {
                held.push((child, None, 0));
                continue;
            }
            missing.insert(descriptor.digest.as_str());
            continue;
        };
        let media_type: String = row.get(1)?;
        if media_type != descriptor.media_type {
            return Err(Error::new(
                ErrorKind::ManifestInvalid,
                format!(
                    "The image manifest is not valid: it says that {} is of type `{}`, but that \
                     image is of type `{media_type}`",
                    descriptor.digest, descriptor.media_type
                ),
            ));
        }
        let size: u64 = row.get(2)?;
        if size != descriptor.size {
            return Err(size_differs(descriptor, size));
        }
        if row.get::<String>(4)? != ImageStatus::Active.as_str() && !may_miss {
            missing.insert(descriptor.digest.as_str());
            continue;
        }
        held.push((child, Some(row.get(0)?), row.get(3)?));
    }
    if missing.is_empty() {
        return Ok(held);
    }
    Err(Error::new(ErrorKind::ReferencedImagesNotFound, required("Images", missing, repository)))
}

fn size_differs(descriptor: &Descriptor, size: u64) -> Error {
    Error::new(
        ErrorKind::ManifestInvalid,
        format!(
            "The image manifest is not valid: it says that {} has {} bytes, but it has {size}",
            descriptor.digest, descriptor.size
        ),
    )
}

/// What says that a manifest refers to what is not in the repository.
pub(crate) fn required<'d>(
    what: &str,
    digests: impl IntoIterator<Item = &'d str>,
    repository: &Repository,
) -> String {
    let digests: Vec<&str> = digests.into_iter().collect();
    format!(
        "{what} with digests '[{}]' required for pushing image into repository with name '{}' in \
         the registry with id '{}' do not exist",
        digests.join(", "),
        repository.address.name,
        repository.address.account
    )
}
