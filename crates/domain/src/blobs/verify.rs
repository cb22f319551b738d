//! A blob held against what its row says, and marks for what is lost: for `fsck` and the scrub.

use super::{BlobReader, BlobRecord, parse_object_id};
use crate::app::App;
use crate::clock::Millis;
use crate::encryption::container;
use crate::error::{Error, Result, chain};
use crate::execute::Tx;
use crate::fsck::IMAGES_MAX;
use crate::metadata::Row;
use crate::names::{AccountId, Digest, Hasher};
use crate::objects::{ObjectId, SPAN_BYTES_MAX};
use crate::{params, scanning};

/// A blob of some account.
pub(crate) struct Subject {
    record: BlobRecord,
    pub(crate) digest: Digest,
    pub(crate) account: AccountId,
}

impl Subject {
    /// Whether it is marked damaged.
    pub(crate) fn is_marked(&self) -> bool {
        self.record.damaged
    }

    /// Whether both are the same stored bytes.
    pub(crate) fn is_stored_as(&self, other: &Self) -> bool {
        self.record == other.record
    }

    /// Its object, if it has one.
    pub(crate) fn object(&self) -> Option<&ObjectId> {
        self.record.object.as_ref().map(|(object, _)| object)
    }

    /// Bytes that its object takes, if it has one.
    pub(crate) fn stored_bytes(&self) -> Result<u64> {
        container::stored_bytes(self.record.container_version, self.record.size)
    }
}

/// The blob of a row, or why the row cannot be read; nothing without its row or domain.
pub(crate) async fn load(tx: &mut Tx, id: i64) -> Result<Option<Result<Subject>>> {
    let row = tx
        .optional(
            "SELECT blobs.size, blobs.object_id, blobs.wrapped_key, blobs.container_version, \
             blobs.damaged_at, blobs.digest, encryption_domains.account_id, blobs.tier FROM blobs \
             JOIN encryption_domains ON encryption_domains.id = blobs.encryption_domain_id \
             WHERE blobs.id = $1",
            params![id],
        )
        .await?;
    Ok(row.map(|row| from_row(id, &row)))
}

fn from_row(id: i64, row: &Row) -> Result<Subject> {
    let object = match row.get::<Option<String>>(1)? {
        Some(text) => Some((parse_object_id(&text)?, row.get(2)?)),
        None => None,
    };
    let record = BlobRecord {
        id,
        size: row.get(0)?,
        damaged: row.get::<Option<i64>>(4)?.is_some(),
        archived: false,
        tier: super::parse_tier(&row.get::<String>(7)?)?,
        container_version: row.get(3)?,
        object,
    };
    let digest = Digest::parse(&row.get::<String>(5)?).map_err(Error::internal)?;
    let account = AccountId::parse(&row.get::<String>(6)?).map_err(Error::internal)?;
    container::stored_bytes(record.container_version, record.size)?;
    Ok(Subject { record, digest, account })
}

/// The ids of blobs without an object that follow `after`.
pub(crate) async fn inline_page(tx: &mut Tx, after: i64, limit: usize) -> Result<Vec<i64>> {
    let rows = tx
        .all(
            "SELECT id FROM blobs WHERE id > $1 AND object_id IS NULL ORDER BY id LIMIT $2",
            params![after, limit],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// Reads the blob as a pull does and calculates its digest; what is wrong with it, if anything.
pub(crate) async fn content_problem(
    app: &App,
    tx: &mut Tx,
    blob: &Subject,
) -> Result<Option<String>> {
    match digest_of(app, tx, blob).await {
        Ok(digest) if digest == blob.digest => Ok(None),
        Ok(digest) => Ok(Some(format!("its content has the digest {digest}"))),
        Err(error) => Ok(Some(format!("it cannot be read: {}", chain(&error)))),
    }
}

async fn digest_of(app: &App, tx: &mut Tx, blob: &Subject) -> Result<Digest> {
    let reader = open(app, tx, blob).await?;
    let mut digesting = Digesting::new(blob);
    while digesting.next(&reader).await? > 0 {}
    Ok(digesting.finish())
}

/// Opens the blob as a pull does, marked or not. The reader needs no transaction.
pub(crate) async fn open(app: &App, tx: &mut Tx, blob: &Subject) -> Result<BlobReader> {
    let record = BlobRecord { damaged: false, ..blob.record.clone() };
    BlobReader::open_in_account(app, tx, &blob.account, &blob.digest, &record).await
}

/// The digest of what a blob's reader reads, a span at a time.
pub(crate) struct Digesting {
    hasher: Hasher,
    offset: u64,
}

impl Digesting {
    pub(crate) fn new(blob: &Subject) -> Self {
        Self { hasher: Hasher::new(blob.digest.algorithm()), offset: 0 }
    }

    /// Reads the next span; how many bytes it has, none at the end.
    ///
    /// # Errors
    /// When the blob cannot be read, or is shorter than its row says.
    pub(crate) async fn next(&mut self, reader: &BlobReader) -> Result<u64> {
        if self.offset >= reader.size() {
            return Ok(0);
        }
        let span = reader.read_at(self.offset, SPAN_BYTES_MAX).await?;
        if span.is_empty() {
            return Err(Error::internal("it is shorter than its row says"));
        }
        self.hasher.update(&span);
        let length = span.len() as u64;
        self.offset += length;
        Ok(length)
    }

    /// Takes bytes that somebody else has read, after those before.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.offset += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

/// Images that refer to the blob: as many as a finding names, and how many more there are.
pub(crate) async fn images(tx: &mut Tx, id: i64) -> Result<(Vec<String>, u64)> {
    let rows = tx
        .all(
            "SELECT DISTINCT registries.account_id, registries.region, repositories.name, \
             images.digest FROM image_blobs JOIN images ON images.id = image_blobs.image_id \
             JOIN repositories ON repositories.id = images.repository_id \
             JOIN registries ON registries.id = repositories.registry_id \
             WHERE image_blobs.blob_id = $1 ORDER BY 1, 2, 3, 4 LIMIT $2",
            params![id, IMAGES_MAX],
        )
        .await?;
    let names = rows
        .iter()
        .map(|row| {
            let (account, region): (String, String) = (row.get(0)?, row.get(1)?);
            let (repository, digest): (String, String) = (row.get(2)?, row.get(3)?);
            Ok(format!("{account}/{region}/{repository}@{digest}"))
        })
        .collect::<Result<Vec<_>>>()?;
    let all = tx
        .optional(
            "SELECT COUNT(DISTINCT image_id) FROM image_blobs WHERE blob_id = $1",
            params![id],
        )
        .await?
        .map_or(Ok(0), |row| row.get::<u64>(0))?;
    let omitted = all.saturating_sub(names.len() as u64);
    Ok((names, omitted))
}

/// Marks a blob damaged, or takes the mark away; whether that changed anything.
pub(crate) async fn mark(tx: &mut Tx, id: i64, since: Option<Millis>) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE blobs SET damaged_at = CAST($2 AS BIGINT) WHERE id = $1 \
             AND (damaged_at IS NULL) <> (CAST($2 AS BIGINT) IS NULL)",
            params![id, since],
        )
        .await?;
    Ok(changed > 0)
}

/// Removes a blob that no image refers to from its repositories and from metadata; what is left of
/// its object is garbage. Whether it was there.
pub(crate) async fn forget(tx: &mut Tx, id: i64, now: Millis) -> Result<bool> {
    let free = tx
        .optional(
            "SELECT 1 FROM blobs WHERE id = $1 AND NOT EXISTS \
             (SELECT 1 FROM image_blobs WHERE image_blobs.blob_id = blobs.id)",
            params![id],
        )
        .await?;
    if free.is_none() {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO garbage_objects (object_id, since) SELECT object_id, CAST($2 AS BIGINT) \
         FROM blobs WHERE id = $1 AND object_id IS NOT NULL ON CONFLICT (object_id) DO NOTHING",
        params![id, now],
    )
    .await?;
    tx.execute("DELETE FROM garbage_candidates WHERE blob_id = $1", params![id]).await?;
    tx.execute("DELETE FROM repository_blobs WHERE blob_id = $1", params![id]).await?;
    scanning::state::forget_layer(tx, id).await?;
    tx.execute("DELETE FROM blobs WHERE id = $1", params![id]).await?;
    Ok(true)
}
