//! `BatchDeleteImage`.

use super::{ImageFailure, ImageIdentifier, ImageRecord, demands, resolve, tags};
use crate::authorize;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::events::{self, Event};
use crate::execute::{
    Call, Demand, Entry, Operation, RegistryAction, Service, Tx, registry_action,
};
use crate::names::{Digest, Tag};
use crate::params;
use crate::replication::{self, Change};
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::scanning;

const DELETE: RegistryAction = registry_action!("BatchDeleteImage");

/// Deletes images. By tag, the tag goes, and the image with its last tag; by digest, the image
/// goes with all its tags. An image that an index refers to stays.
#[derive(Clone, Debug)]
pub struct BatchDeleteImage {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which images, at most 100.
    pub ids: Vec<ImageIdentifier>,
}

/// One tag that was removed, or an untagged image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedImage {
    /// The digest of the image.
    pub digest: Digest,
    /// The tag, if the image had one.
    pub tag: Option<Tag>,
}

/// What became of each identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchDeleteImageOutput {
    /// One entry for each removed tag.
    pub deleted: Vec<DeletedImage>,
    /// The identifiers that named nothing that could be deleted.
    pub failures: Vec<(ImageIdentifier, ImageFailure)>,
}

impl Operation for BatchDeleteImage {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "BatchDeleteImage" };
    type Output = BatchDeleteImageOutput;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demands(DELETE, &self.repository, &self.ids)
    }

    async fn run(self, call: Call<'_>) -> Result<BatchDeleteImageOutput> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let mut output = BatchDeleteImageOutput::default();
        for id in parents_first(&mut tx, &repository, self.ids).await? {
            match delete(&mut tx, &call, &repository, &id, OfChild::Refuse).await? {
                Ok(deleted) => output.deleted.extend(deleted),
                Err(failure) => output.failures.push((id, failure)),
            }
        }
        call.commit(tx).await?;
        Ok(output)
    }
}

/// An index and its children may be deleted in one call, whatever their order in it. An index is
/// younger than its children, which may be indexes too.
async fn parents_first(
    tx: &mut Tx,
    repository: &Repository,
    ids: Vec<ImageIdentifier>,
) -> Result<Vec<ImageIdentifier>> {
    let mut indexes = Vec::new();
    let mut others = Vec::new();
    for id in ids {
        let index = match resolve(tx, repository, &id).await? {
            Ok(image) => tx
                .optional(
                    "SELECT image_id FROM image_children WHERE image_id = $1 LIMIT 1",
                    params![image.id],
                )
                .await?
                .map(|row| row.get::<i64>(0))
                .transpose()?,
            Err(_) => None,
        };
        match index {
            Some(image_id) => indexes.push((image_id, id)),
            None => others.push(id),
        }
    }
    indexes.sort_by_key(|(image_id, _)| std::cmp::Reverse(*image_id));
    Ok(indexes.into_iter().map(|(_, id)| id).chain(others).collect())
}

/// What becomes of the last tag of an image that an index refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfChild {
    /// It stays: it cannot go without the image.
    Refuse,
    /// It goes, and the image stays.
    RemoveTag,
}

/// Deletes one image, or a tag of it.
pub(crate) async fn delete(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    id: &ImageIdentifier,
    of_child: OfChild,
) -> Result<Result<Vec<DeletedImage>, ImageFailure>> {
    let image = match resolve(tx, repository, id).await? {
        Ok(image) => image,
        Err(failure) => return Ok(Err(failure)),
    };
    let tags = tags::of_image(tx, image.id).await?;
    let mut only_this_tag = id.tag.as_ref().filter(|_| tags.len() > 1);
    if only_this_tag.is_none() {
        let parents = parents(tx, image.id).await?;
        if !parents.is_empty() {
            if id.tag.is_none() || of_child == OfChild::Refuse {
                return Ok(Err(ImageFailure::ImageReferencedByManifestList(parents)));
            }
            only_this_tag = id.tag.as_ref();
        }
    }
    let removed_tags = only_this_tag.map_or(tags, |tag| vec![tag.clone()]);
    if id.tag.is_none() {
        // A statement about a tag holds for it also where the image is named by its digest.
        for tag in &removed_tags {
            let both =
                ImageIdentifier { digest: Some(image.digest.clone()), tag: Some(tag.clone()) };
            let demand =
                Demand { keys: both.condition_keys(), ..repository.address.demand(DELETE) };
            authorize::require_now(call.app, call.context, demand, tx).await?;
        }
    }
    for tag in &removed_tags {
        tags::remove(tx, call, repository, tag, &image).await?;
    }
    if only_this_tag.is_none() {
        remove_image(tx, call, repository, &image).await?;
    }
    let deleted: Vec<DeletedImage> = if removed_tags.is_empty() {
        vec![DeletedImage { digest: image.digest.clone(), tag: None }]
    } else {
        removed_tags
            .into_iter()
            .map(|tag| DeletedImage { digest: image.digest.clone(), tag: Some(tag) })
            .collect()
    };
    let changes: Vec<Option<Tag>> = deleted.iter().map(|entry| entry.tag.clone()).collect();
    replication::note(tx, call, repository, Change::Delete, &image.digest, &changes).await?;
    for entry in &deleted {
        let event = Event::ImageDeleted {
            repository_name: repository.address.name.to_string(),
            image_digest: entry.digest.to_string(),
            image_tag: entry.tag.as_ref().map(ToString::to_string),
        };
        events::publish(tx, call, repository.registry_id, &event).await?;
    }
    Ok(Ok(deleted))
}

/// The indexes that refer to an image, by digest.
async fn parents(tx: &mut Tx, image_id: i64) -> Result<Vec<Digest>> {
    let rows = tx
        .all(
            "SELECT DISTINCT images.digest FROM image_children \
             JOIN images ON images.id = image_children.image_id \
             WHERE image_children.child_image_id = $1 ORDER BY images.digest LIMIT 100",
            params![image_id],
        )
        .await?;
    rows.iter().map(|row| Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)).collect()
}

/// Removes the row of an image without tags and parents; its blobs may be garbage then.
async fn remove_image(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image: &ImageRecord,
) -> Result<()> {
    scanning::vex::note_removal(tx, call, repository, image.id).await?;
    tx.execute(
        "INSERT INTO garbage_candidates (repository_id, blob_id, since) \
         SELECT DISTINCT repository_id, blob_id, CAST($2 AS BIGINT) FROM image_blobs \
         WHERE image_id = $1 AND blob_id IS NOT NULL \
         ON CONFLICT (repository_id, blob_id) DO UPDATE SET since = excluded.since",
        params![image.id, call.now()],
    )
    .await?;
    for statement in scanning::state::FORGET_IMAGE {
        tx.execute(statement, params![image.id]).await?;
    }
    for statement in [
        "DELETE FROM replications WHERE image_id = $1",
        "DELETE FROM image_signatures WHERE image_id = $1",
        "DELETE FROM arriving_images WHERE image_id = $1",
        "DELETE FROM image_blobs WHERE image_id = $1",
        "DELETE FROM image_children WHERE image_id = $1",
        "DELETE FROM images WHERE id = $1",
    ] {
        tx.execute(statement, params![image.id]).await?;
    }
    Ok(())
}
