//! Copying a blob to the other tier, and letting its row name the copy.

use std::sync::Arc;

use super::copying::Copy;
use crate::blobs::verify::{self, Digesting, Subject};
use crate::blobs::{BlobReader, parse_object_id};
use crate::encryption::container::{CHUNK_BYTES, Container, SPAN_PLAIN_BYTES};
use crate::encryption::{self, DataKey};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::jobs::Run;
use crate::names::Digest;
use crate::objects::{ObjectId, Objects, Tier};
use crate::params;

/// What came of an attempt to move a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// It lies in the other tier.
    Yes,
    /// It does not belong there, or not any more; nothing has changed.
    NotWanted,
    /// What is stored of it is not its bytes; the scrub or a pull says more.
    Damaged,
}

/// Whether a blob belongs into the other tier than the one it is in. Asked inside the transaction
/// that lets its row name the copy, and before that only so as not to copy in vain.
async fn is_wanted(tx: &mut Tx, blob_id: i64, to: Tier) -> Result<bool> {
    let found = match to {
        Tier::Archive => {
            tx.optional(
                "SELECT 1 FROM blobs WHERE id = $1 AND tier = 'STANDARD' \
                 AND object_id IS NOT NULL AND damaged_at IS NULL \
                 AND EXISTS (SELECT 1 FROM repository_blobs WHERE blob_id = $1) \
                 AND NOT EXISTS (SELECT 1 FROM repository_blobs \
                 WHERE blob_id = $1 AND archived = 0) \
                 AND NOT EXISTS (SELECT 1 FROM repository_blobs \
                 JOIN image_blobs ON image_blobs.repository_id = repository_blobs.repository_id \
                 AND image_blobs.blob_id = repository_blobs.blob_id \
                 JOIN images ON images.id = image_blobs.image_id \
                 WHERE repository_blobs.blob_id = $1 AND images.status <> 'ARCHIVED')",
                params![blob_id],
            )
            .await?
        }
        Tier::Standard => {
            tx.optional(
                "SELECT 1 FROM blobs WHERE id = $1 AND tier = 'ARCHIVE' \
                 AND object_id IS NOT NULL \
                 AND EXISTS (SELECT 1 FROM repository_blobs \
                 JOIN image_blobs ON image_blobs.repository_id = repository_blobs.repository_id \
                 AND image_blobs.blob_id = repository_blobs.blob_id \
                 JOIN images ON images.id = image_blobs.image_id \
                 WHERE repository_blobs.blob_id = $1 AND images.status = 'ACTIVATING')",
                params![blob_id],
            )
            .await?
        }
    };
    Ok(found.is_some())
}

/// Whether a blob in the standard tier belongs into the archive.
pub(super) async fn is_wanted_in_archive(tx: &mut Tx, blob_id: i64) -> Result<bool> {
    is_wanted(tx, blob_id, Tier::Archive).await
}

/// Moves a blob to a tier, if it belongs there. A crash at any point leaves the blob where it was,
/// or where it shall be; what is left of a copy is named by a row, and goes with the next sweep.
///
/// # Errors
/// When a store fails, or the job is not this worker's any more.
pub(super) async fn move_blob(run: &Run<'_>, blob_id: i64, to: Tier) -> Result<Moved> {
    let copy = Arc::new(run.app.copying.claim(blob_id).await);
    let mut tx = run.read().await?;
    if !is_wanted(&mut tx, blob_id, to).await? {
        return Ok(Moved::NotWanted);
    }
    let blob = match verify::load(&mut tx, blob_id).await? {
        None => return Ok(Moved::NotWanted),
        Some(Err(error)) => return damaged(blob_id, &error),
        Some(Ok(blob)) => blob,
    };
    let domain = encryption::account_domain(run.app, &mut tx, &blob.account).await?;
    let reader = match verify::open(run.app, &mut tx, &blob).await {
        Ok(reader) => reader,
        Err(error) if error.is_passing() => return Err(error),
        Err(error) => return damaged(blob_id, &error),
    };
    drop(tx);

    // The row before the object, so that whatever becomes of this, something names it.
    let mut tx = run.write().await?;
    tx.execute(
        "INSERT INTO object_copies (object_id, blob_id, since) VALUES ($1, $2, $3)",
        params![copy.object_id.as_str(), blob_id, run.app.clock.now()],
    )
    .await?;
    run.commit(tx).await?;

    let container_version = encryption::container_version(run.app);
    let key = DataKey::random()?;
    let container = key.container(container_version, &copy.object_id)?;
    let source = Source { reader, digesting: Digesting::new(&blob) };
    let objects = Arc::clone(&run.app.objects);
    // On a task of its own: should the job be broken off while a file is being made, the claim
    // stays until that is over, and the sweeper leaves the file alone until then.
    let writing = tokio::spawn(write(objects, source, container, to, Arc::clone(&copy)));
    let copied = match writing.await.map_err(Error::internal)? {
        Ok(digest) if digest == blob.digest => Ok(()),
        Ok(digest) => Err(Error::internal(format!("its content has the digest {digest}"))),
        Err(error) => Err(error),
    };
    if let Err(error) = copied {
        discard(run, &copy.object_id).await?;
        return if error.is_passing() { Err(error) } else { damaged(blob_id, &error) };
    }

    let mut tx = run.write().await?;
    let now = verify::load(&mut tx, blob_id).await?;
    let same = matches!(&now, Some(Ok(now)) if now.is_stored_as(&blob));
    // Without its row the object is garbage already.
    let named = tx
        .execute("DELETE FROM object_copies WHERE object_id = $1", params![copy.object_id.as_str()])
        .await?;
    if named != 1 || !same || !is_wanted(&mut tx, blob_id, to).await? {
        put_garbage(&mut tx, run, &copy.object_id).await?;
        run.commit(tx).await?;
        return Ok(Moved::NotWanted);
    }
    let old = old_object(&blob)?;
    let wrapped_key = domain.wrap_blob_key(&key, &copy.object_id, &blob.digest)?;
    tx.execute(
        "UPDATE blobs SET tier = $2, object_id = $3, wrapped_key = $4, container_version = $5 \
         WHERE id = $1",
        params![blob_id, to.as_str(), copy.object_id.as_str(), wrapped_key, container_version],
    )
    .await?;
    put_garbage(&mut tx, run, &old).await?;
    run.commit(tx).await?;
    Ok(Moved::Yes)
}

fn damaged(blob_id: i64, error: &Error) -> Result<Moved> {
    let error = crate::error::chain(error);
    tracing::error!(blob = blob_id, error, "a blob is damaged, so it stays in its tier");
    Ok(Moved::Damaged)
}

fn old_object(blob: &Subject) -> Result<ObjectId> {
    blob.object().cloned().ok_or_else(|| Error::internal("a blob without an object was moved"))
}

struct Source {
    reader: BlobReader,
    digesting: Digesting,
}

/// Writes the new object and syncs it; the digest of what was read.
async fn write(
    objects: Arc<dyn Objects>,
    Source { reader, mut digesting }: Source,
    container: Container,
    to: Tier,
    copy: Arc<Copy>,
) -> Result<Digest> {
    let container = Arc::new(container);
    let mut writer = match to {
        Tier::Standard => objects.create(&copy.object_id).await?,
        Tier::Archive => objects.create_archived(&copy.object_id).await?,
    };
    let (mut offset, mut chunk) = (0_u64, 0_u64);
    while offset < reader.size() {
        let span = reader.read_at(offset, SPAN_PLAIN_BYTES).await?;
        if span.is_empty() {
            return Err(Error::internal("it is shorter than its row says"));
        }
        offset += span.len() as u64;
        let ends = offset >= reader.size();
        if !ends && span.len() % CHUNK_BYTES != 0 {
            return Err(Error::internal("a blob was read in other spans than it is stored in"));
        }
        let first = chunk;
        chunk += (span.len() / CHUNK_BYTES) as u64;
        let sealing = Arc::clone(&container);
        let (sealed, updated) = tokio::task::spawn_blocking(move || {
            digesting.update(&span);
            (sealing.store(first, &span, ends), digesting)
        })
        .await
        .map_err(Error::internal)?;
        digesting = updated;
        writer.write(sealed?).await?;
    }
    writer.sync().await?;
    Ok(digesting.finish())
}

async fn discard(run: &Run<'_>, object_id: &ObjectId) -> Result<()> {
    let mut tx = run.write().await?;
    put_garbage(&mut tx, run, object_id).await?;
    run.commit(tx).await
}

/// Queues an object for removal, a copy or one that was copied.
async fn put_garbage(tx: &mut Tx, run: &Run<'_>, object_id: &ObjectId) -> Result<()> {
    tx.execute(
        "INSERT INTO garbage_objects (object_id, since) VALUES ($1, $2) \
         ON CONFLICT (object_id) DO NOTHING",
        params![object_id.as_str(), run.app.clock.now()],
    )
    .await?;
    tx.execute("DELETE FROM object_copies WHERE object_id = $1", params![object_id.as_str()])
        .await?;
    Ok(())
}

/// Queues copies for removal that nobody makes any more; how many. For the sweep.
pub(super) async fn abandon(tx: &mut Tx, app: &crate::app::App, limit: i64) -> Result<u64> {
    let rows = tx
        .all(
            "SELECT object_id FROM object_copies WHERE object_id > '' ORDER BY object_id LIMIT $1",
            params![limit],
        )
        .await?;
    let mut abandoned = 0;
    for row in &rows {
        let object = parse_object_id(&row.get::<String>(0)?)?;
        if app.copying.may_write(&object) {
            continue;
        }
        tx.execute(
            "INSERT INTO garbage_objects (object_id, since) VALUES ($1, $2) \
             ON CONFLICT (object_id) DO NOTHING",
            params![object.as_str(), app.clock.now()],
        )
        .await?;
        abandoned += tx
            .execute("DELETE FROM object_copies WHERE object_id = $1", params![object.as_str()])
            .await?;
    }
    Ok(abandoned)
}
