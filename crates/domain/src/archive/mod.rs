//! The archive storage class: images that are kept for long and pulled by nobody.
//!
//! Archiving an image takes one transaction: nobody can pull it any more, and blobs that no active
//! image of the repository needs are not served there. Where the bytes lie is another matter. A
//! blob is in one tier of the object store; once all repositories that hold it need it for archived
//! images only, a job copies it to the other tier ([`archive_blobs`]), and when an image is to be
//! restored another one copies its blobs back ([`restore_image`]). Either makes a new object, syncs
//! it, and only then lets the row name it; the object before is garbage. `docs/archive.md` says
//! what is decided where ECR leaves it open.

pub mod archive_blobs;
pub(crate) mod copying;
mod moving;
pub mod restore_image;
pub mod update_image_storage_class;

use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event};
use crate::execute::{Call, Tx};
use crate::images::{ImageRecord, ImageStatus};
use crate::names::Digest;
use crate::repositories::Repository;
use crate::{gc, jobs, params, scanning};

/// Lets an active image be archived: it cannot be pulled from now on.
///
/// The inner error says why not; nothing has changed then.
pub(crate) async fn archive(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image: &ImageRecord,
) -> Result<Result<(), Error>> {
    if image.status != ImageStatus::Active {
        let is = if image.status == ImageStatus::Archived { "archived" } else { "being restored" };
        return Ok(Err(not_supported(repository, &image.digest, &format!("is {is} already"))));
    }
    let parent = tx
        .optional(
            "SELECT images.digest FROM image_children \
             JOIN images ON images.id = image_children.image_id \
             WHERE image_children.child_image_id = $1 AND images.status <> 'ARCHIVED' \
             ORDER BY images.id LIMIT 1",
            params![image.id],
        )
        .await?;
    if let Some(parent) = parent {
        let parent: String = parent.get(0)?;
        let why = format!("is referenced by the manifest list {parent}; archive that one first");
        return Ok(Err(not_supported(repository, &image.digest, &why)));
    }
    tx.execute(
        "UPDATE images SET status = 'ARCHIVED', last_archived_at = $2 WHERE id = $1",
        params![image.id, call.now()],
    )
    .await?;
    // What an upload made a candidate is about to be needed by a push; garbage collection looks at
    // it when its grace period is over.
    tx.execute(
        "UPDATE repository_blobs SET archived = 1 WHERE repository_id = $1 AND archived = 0 \
         AND blob_id IN (SELECT blob_id FROM image_blobs WHERE image_id = $2) \
         AND NOT EXISTS (SELECT 1 FROM image_blobs JOIN images ON images.id = image_blobs.image_id \
         WHERE image_blobs.repository_id = repository_blobs.repository_id \
         AND image_blobs.blob_id = repository_blobs.blob_id AND images.status = 'ACTIVE') \
         AND NOT EXISTS (SELECT 1 FROM garbage_candidates \
         WHERE garbage_candidates.repository_id = repository_blobs.repository_id \
         AND garbage_candidates.blob_id = repository_blobs.blob_id)",
        params![repository.id, image.id],
    )
    .await?;
    let noted = tx
        .execute(
            "INSERT INTO archive_candidates (blob_id, since) \
             SELECT blobs.id, CAST($2 AS BIGINT) FROM blobs \
             WHERE blobs.id IN (SELECT blob_id FROM image_blobs WHERE image_id = $1) \
             AND blobs.tier = 'STANDARD' AND blobs.object_id IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM repository_blobs \
             WHERE repository_blobs.blob_id = blobs.id AND repository_blobs.archived = 0) \
             ON CONFLICT (blob_id) DO NOTHING",
            params![image.id, call.now()],
        )
        .await?;
    if noted > 0 {
        jobs::enqueue(tx, call.app, &archive_blobs::ArchiveBlobs::default(), call.now()).await?;
    }
    publish(tx, call, repository, image, Target::Archive).await?;
    Ok(Ok(()))
}

/// Garbage collection found that an upload did not come to an image, or that an edge is gone: the
/// blob may be one that only archived images need.
pub(crate) async fn examine_edge(tx: &mut Tx, app: &App, edge: gc::Edge) -> Result<()> {
    tx.execute(
        "UPDATE repository_blobs SET archived = 1 \
         WHERE repository_id = $1 AND blob_id = $2 AND archived = 0 \
         AND NOT EXISTS (SELECT 1 FROM image_blobs JOIN images ON images.id = image_blobs.image_id \
         WHERE image_blobs.repository_id = $1 AND image_blobs.blob_id = $2 \
         AND images.status <> 'ARCHIVED')",
        params![edge.repository_id, edge.blob_id],
    )
    .await?;
    let now = app.clock.now();
    let noted = tx
        .execute(
            "INSERT INTO archive_candidates (blob_id, since) \
             SELECT blobs.id, CAST($2 AS BIGINT) FROM blobs WHERE blobs.id = $1 \
             AND blobs.tier = 'STANDARD' AND blobs.object_id IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM repository_blobs \
             WHERE repository_blobs.blob_id = blobs.id AND repository_blobs.archived = 0) \
             ON CONFLICT (blob_id) DO NOTHING",
            params![edge.blob_id, now],
        )
        .await?;
    if noted > 0 {
        jobs::enqueue(tx, app, &archive_blobs::ArchiveBlobs::default(), now).await?;
    }
    Ok(())
}

/// Makes an archived or activating image active, once all its blobs are in the standard tier.
pub(crate) async fn activate(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image: &ImageRecord,
) -> Result<()> {
    tx.execute(
        "UPDATE images SET status = 'ACTIVE', last_activated_at = $2 WHERE id = $1",
        params![image.id, call.now()],
    )
    .await?;
    serve_blobs(tx, repository.id, image.id).await?;
    scanning::state::resume(tx, call, repository, image.id).await?;
    publish(tx, call, repository, image, Target::Standard(call.now())).await
}

/// An active image needs its blobs, so they are served.
pub(crate) async fn serve_blobs(tx: &mut Tx, repository_id: i64, image_id: i64) -> Result<()> {
    tx.execute(
        "UPDATE repository_blobs SET archived = 0 WHERE repository_id = $1 AND archived = 1 \
         AND blob_id IN (SELECT blob_id FROM image_blobs WHERE image_id = $2)",
        params![repository_id, image_id],
    )
    .await?;
    Ok(())
}

/// Restores an image that is not active because it was pushed again: its layers were sent, so it
/// need not wait for any job.
///
/// # Errors
/// [`ErrorKind::LayersNotFound`] and [`ErrorKind::ReferencedImagesNotFound`] when the client did
/// not send what lies in the archive.
pub(crate) async fn restore_by_push(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image: &ImageRecord,
) -> Result<()> {
    let missing = |rows: Vec<crate::metadata::Row>| {
        rows.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<String>>>()
    };
    let layers = tx
        .all(
            "SELECT DISTINCT image_blobs.digest FROM image_blobs \
             JOIN blobs ON blobs.id = image_blobs.blob_id \
             WHERE image_blobs.image_id = $1 AND blobs.tier = 'ARCHIVE' \
             ORDER BY image_blobs.digest",
            params![image.id],
        )
        .await?;
    let layers = missing(layers)?;
    if !layers.is_empty() {
        let message = crate::images::put_image::required(
            "Layers",
            layers.iter().map(String::as_str),
            repository,
        );
        return Err(Error::new(ErrorKind::LayersNotFound, message));
    }
    let children = missing(inactive_children(tx, image.id).await?)?;
    if !children.is_empty() {
        let message = crate::images::put_image::required(
            "Images",
            children.iter().map(String::as_str),
            repository,
        );
        return Err(Error::new(ErrorKind::ReferencedImagesNotFound, message));
    }
    activate(tx, call, repository, image).await?;
    gc::remove_candidates_of_image(tx, repository.id, image.id).await
}

/// The digests of children of an index that are not active.
async fn inactive_children(tx: &mut Tx, image_id: i64) -> Result<Vec<crate::metadata::Row>> {
    let rows = tx
        .all(
            "SELECT DISTINCT images.digest FROM image_children \
             JOIN images ON images.id = image_children.child_image_id \
             WHERE image_children.image_id = $1 AND images.status <> 'ACTIVE' \
             ORDER BY images.digest",
            params![image_id],
        )
        .await?;
    Ok(rows)
}

fn not_supported(repository: &Repository, digest: &Digest, why: &str) -> Error {
    Error::new(
        ErrorKind::ImageStorageClassUpdateNotSupported,
        format!(
            "The storage class of the image with digest '{digest}' in the repository with name \
             '{}' in the registry with id '{}' cannot be updated: the image {why}",
            repository.address.name, repository.address.account
        ),
    )
}

/// The storage class that an image has come to.
enum Target {
    Archive,
    Standard(Millis),
}

async fn publish(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image: &ImageRecord,
    target: Target,
) -> Result<()> {
    let row = tx
        .optional("SELECT artifact_type FROM images WHERE id = $1", params![image.id])
        .await?
        .ok_or_else(|| Error::internal("an image row vanished inside a transaction"))?;
    let (target_storage_class, last_activated_at) = match target {
        Target::Archive => ("ARCHIVE", None),
        Target::Standard(at) => ("STANDARD", Some(at.timestamp().to_string())),
    };
    let event = Event::ImageStorageClassUpdated {
        repository_name: repository.address.name.to_string(),
        image_digest: image.digest.to_string(),
        target_storage_class,
        manifest_media_type: image.media_type.clone(),
        artifact_media_type: row.get(0)?,
        last_activated_at,
    };
    events::publish(tx, call, repository.registry_id, &event).await
}
