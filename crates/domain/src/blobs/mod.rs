//! Blobs of a repository: whether it holds one, and reading it.
//!
//! A blob is reachable only through a repository that holds it. That another repository, or
//! another account, holds the same bytes shows nowhere.

pub mod batch_check_layer_availability;
pub mod get_blob;
pub mod get_download_url_for_layer;

use bytes::Bytes;

use crate::app::App;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::names::Digest;
use crate::objects::{ObjectId, ObjectReader, SPAN_BYTES_MAX};
use crate::repositories::Repository;
use crate::{encryption, params};

/// The largest blob that lives in metadata, in bytes; greater ones have an object.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes as they are; later containers have higher numbers.
const CONTAINER_PLAIN: i64 = 0;

/// A blob that a repository holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobRecord {
    pub(crate) id: i64,
    pub(crate) size: u64,
    pub(crate) object_id: Option<ObjectId>,
}

/// The blob of this digest, if `repository` holds it.
pub(crate) async fn find(
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<BlobRecord>> {
    let row = tx
        .optional(
            "SELECT blobs.id, blobs.size, blobs.object_id FROM blobs \
             JOIN encryption_domains ON encryption_domains.id = blobs.encryption_domain_id \
             JOIN repository_blobs ON repository_blobs.blob_id = blobs.id \
             WHERE encryption_domains.account_id = $1 AND encryption_domains.region = '' \
             AND encryption_domains.key_arn = '' AND blobs.digest = $2 \
             AND repository_blobs.repository_id = $3",
            params![repository.address.account.as_str(), digest.as_str(), repository.id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let object_id = row.get::<Option<String>>(2)?.map(|text| parse_object_id(&text)).transpose()?;
    Ok(Some(BlobRecord { id: row.get(0)?, size: row.get(1)?, object_id }))
}

pub(crate) fn parse_object_id(text: &str) -> Result<ObjectId> {
    ObjectId::parse(text).ok_or_else(|| Error::internal(format!("stored object id {text}")))
}

/// The error for a blob that the repository does not hold.
pub(crate) fn not_found(repository: &Repository, digest: &Digest) -> Error {
    Error::new(
        ErrorKind::BlobNotFound,
        format!(
            "The layer with digest '{digest}' does not exist in the repository with name '{}' in \
             the registry with id '{}'",
            repository.address.name, repository.address.account
        ),
    )
}

/// The bytes of a finished upload.
pub(crate) enum Stored {
    /// In memory, to live in metadata.
    Inline(Bytes),
    /// In an object that has been synced.
    Object(ObjectId),
}

/// Makes `repository` hold a blob of these bytes. If the account has them already, the new bytes
/// become garbage and the old ones serve; nobody can tell.
///
/// Returns whether the repository held the blob before.
pub(crate) async fn add(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    digest: &Digest,
    size: u64,
    stored: Stored,
) -> Result<bool> {
    let domain = encryption::ensure_account_domain(tx, call, &repository.address.account).await?;
    let existing = tx
        .optional(
            "SELECT id FROM blobs WHERE encryption_domain_id = $1 AND digest = $2",
            params![domain, digest.as_str()],
        )
        .await?;
    let blob_id = if let Some(row) = existing {
        if let Stored::Object(object) = &stored {
            put_garbage_object(tx, call, object).await?;
        }
        row.get(0)?
    } else {
        let id = call.next_id();
        let (object_id, inline_bytes) = match stored {
            Stored::Inline(bytes) => (None, Some(bytes.to_vec())),
            Stored::Object(object) => (Some(object.as_str().to_owned()), None),
        };
        tx.execute(
            "INSERT INTO blobs (id, encryption_domain_id, digest, size, container_version, tier, \
             object_id, inline_bytes, created_at) \
             VALUES ($1, $2, $3, $4, $5, 'STANDARD', $6, $7, $8)",
            params![
                id,
                domain,
                digest.as_str(),
                size,
                CONTAINER_PLAIN,
                object_id,
                inline_bytes,
                call.now(),
            ],
        )
        .await?;
        id
    };
    let added = tx
        .execute(
            "INSERT INTO repository_blobs (repository_id, blob_id, added_at) VALUES ($1, $2, $3) \
             ON CONFLICT (repository_id, blob_id) DO NOTHING",
            params![repository.id, blob_id, call.now()],
        )
        .await?;
    Ok(added == 0)
}

/// Notes an object that no row names any more, for removal after the commit.
pub(crate) async fn put_garbage_object(
    tx: &mut Tx,
    call: &Call<'_>,
    object: &ObjectId,
) -> Result<()> {
    tx.execute(
        "INSERT INTO garbage_objects (object_id, since) VALUES ($1, $2) \
         ON CONFLICT (object_id) DO NOTHING",
        params![object.as_str(), call.now()],
    )
    .await?;
    Ok(())
}

/// A blob open for reading at any position.
pub struct BlobReader {
    size: u64,
    source: Source,
}

enum Source {
    Inline(Bytes),
    Object(Box<dyn ObjectReader>),
}

impl BlobReader {
    pub(crate) async fn open(app: &App, tx: &mut Tx, blob: &BlobRecord) -> Result<Self> {
        let source = match &blob.object_id {
            Some(object) => Source::Object(app.objects.open(object).await?),
            None => {
                let row = tx
                    .optional("SELECT inline_bytes FROM blobs WHERE id = $1", params![blob.id])
                    .await?
                    .ok_or_else(|| Error::internal("a blob row vanished inside a snapshot"))?;
                Source::Inline(Bytes::from(row.get::<Vec<u8>>(0)?))
            }
        };
        let reader = Self { size: blob.size, source };
        if reader.stored_size() != blob.size {
            return Err(Error::internal(format!(
                "blob {} should have {} bytes but has {}",
                blob.id,
                blob.size,
                reader.stored_size()
            )));
        }
        Ok(reader)
    }

    fn stored_size(&self) -> u64 {
        match &self.source {
            Source::Inline(bytes) => bytes.len() as u64,
            Source::Object(object) => object.size(),
        }
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads up to `length` bytes from `offset`, at most [`SPAN_BYTES_MAX`]; fewer at the end.
    ///
    /// # Errors
    /// When the store cannot read.
    pub async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes> {
        let length = length.min(SPAN_BYTES_MAX);
        match &self.source {
            Source::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(length).min(bytes.len());
                Ok(bytes.slice(start..end))
            }
            Source::Object(object) => Ok(object.read_at(offset, length).await?),
        }
    }
}
