//! Blobs of a repository: whether it holds one, and reading it.
//!
//! A blob is reachable only through a repository that holds it. That another repository, or
//! another account, holds the same bytes shows nowhere.

pub mod batch_check_layer_availability;
pub mod delete_blob;
pub mod get_blob;
pub mod get_download_url_for_layer;
pub(crate) mod mount;
pub(crate) mod verify;

use std::sync::Arc;

use bytes::Bytes;

use crate::app::App;
use crate::encryption::container::{self, Container};
use crate::encryption::{self, DataKey, EncryptionDomain};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::gc::{self, Edge};
use crate::metadata::Value;
use crate::names::{AccountId, Digest};
use crate::objects::{ObjectErrorKind, ObjectId, ObjectReader, Tier};
use crate::params;
use crate::public::limits::Meter;
use crate::pull_through::arrivals::Arrival;
use crate::repositories::{self, Repository, RepositoryAddress};

/// What small blobs are sealed as. Blobs of more than one chunk have an object.
const INLINE: &str = "inline-blob";

/// A blob that a repository holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobRecord {
    pub(crate) id: i64,
    pub(crate) size: u64,
    /// Whether its bytes are known to be lost.
    damaged: bool,
    /// Whether only archived images of the repository need it, so that it is served to nobody.
    pub(crate) archived: bool,
    pub(crate) tier: Tier,
    container_version: i64,
    /// The object with its wrapped key; a small blob has none.
    object: Option<(ObjectId, Option<Vec<u8>>)>,
}

impl BlobRecord {
    fn edge(&self, repository: &Repository) -> Edge {
        Edge { repository_id: repository.id, blob_id: self.id }
    }
}

/// The blob of this digest, if `repository` holds it and its bytes are not known to be lost: a
/// client that is told so uploads them again, and that heals the blob.
pub(crate) async fn find_whole(
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<BlobRecord>> {
    Ok(find(tx, repository, digest).await?.filter(|blob| !blob.damaged))
}

/// The blob of this digest, if `repository` holds it.
pub(crate) async fn find(
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<BlobRecord>> {
    let row = tx
        .optional(
            "SELECT blobs.id, blobs.size, blobs.object_id, blobs.wrapped_key, \
             blobs.container_version, blobs.damaged_at, repository_blobs.archived, blobs.tier \
             FROM blobs \
             JOIN encryption_domains ON encryption_domains.id = blobs.encryption_domain_id \
             JOIN repository_blobs ON repository_blobs.blob_id = blobs.id \
             WHERE encryption_domains.account_id = $1 AND encryption_domains.region = '' \
             AND encryption_domains.key_arn = '' AND blobs.digest = $2 \
             AND repository_blobs.repository_id = $3",
            params![repository.address.account.as_str(), digest.as_str(), repository.id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let object = match row.get::<Option<String>>(2)? {
        Some(text) => Some((parse_object_id(&text)?, row.get(3)?)),
        None => None,
    };
    Ok(Some(BlobRecord {
        id: row.get(0)?,
        size: row.get(1)?,
        damaged: row.get::<Option<i64>>(5)?.is_some(),
        archived: row.get(6)?,
        tier: parse_tier(&row.get::<String>(7)?)?,
        container_version: row.get(4)?,
        object,
    }))
}

/// How often a client that asks waits for room to note what it is told.
const TELL_TRIES: u32 = 3;

/// What a repository holds of `digests`, for a client that builds on the answer: it does not send
/// what it is told of, and refers to it later. What was about to be removed stays for another grace
/// period, or the client is told that it is not there.
pub(crate) async fn tell(
    call: &Call<'_>,
    address: &RepositoryAddress,
    digests: &[Digest],
) -> Result<(Repository, Vec<Option<BlobRecord>>)> {
    let freshness = &call.app.collector.freshness;
    let settled = freshness.settled();
    let (repository, found, old) = look(call, address, digests).await?;
    if old.is_empty() {
        return Ok((repository, found));
    }
    for _ in 0..TELL_TRIES {
        let Some(told) = freshness.tell(&old, call.app.clock.now()) else {
            gc::flush(call.app).await?;
            continue;
        };
        // Something was removed since, perhaps what was found. What is found now stays: from here
        // on the collector sees that it was told of.
        let (repository, mut found) = if told.settled == settled {
            (repository, found)
        } else {
            let (repository, found, _) = look(call, address, digests).await?;
            (repository, found)
        };
        for held in &mut found {
            held.take_if(|blob| told.claimed.contains(&blob.edge(&repository)));
        }
        return Ok((repository, found));
    }
    Err(Error::new(ErrorKind::Unavailable, "Too many pushes at a time; try again."))
}

/// What a repository holds of some digests, and which edges to it are candidates of some age.
type Looked = (Repository, Vec<Option<BlobRecord>>, Vec<Edge>);

async fn look(call: &Call<'_>, address: &RepositoryAddress, digests: &[Digest]) -> Result<Looked> {
    if let Some(mut tx) = call.recall().await {
        let looked = look_in(call, &mut tx, address, digests).await;
        if !tx.missed() {
            return looked;
        }
    }
    look_in(call, &mut call.read_remembered().await?, address, digests).await
}

async fn look_in(
    call: &Call<'_>,
    tx: &mut Tx,
    address: &RepositoryAddress,
    digests: &[Digest],
) -> Result<Looked> {
    let repository = repositories::get(tx, address).await?;
    let mut found = Vec::with_capacity(digests.len());
    let mut old = Vec::new();
    for digest in digests {
        let held = find_whole(tx, &repository, digest).await?;
        if let Some(blob) = &held {
            let edge = blob.edge(&repository);
            if gc::must_be_refreshed(call.app, tx, &edge).await? {
                old.push(edge);
            }
        }
        found.push(held);
    }
    Ok((repository, found, old))
}

pub(crate) fn parse_object_id(text: &str) -> Result<ObjectId> {
    ObjectId::parse(text).ok_or_else(|| Error::internal(format!("stored object id {text}")))
}

fn parse_tier(text: &str) -> Result<Tier> {
    Tier::parse(text).ok_or_else(|| Error::internal(format!("stored tier {text}")))
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
    Object { object_id: ObjectId, container_version: i64, key: DataKey },
}

/// Makes `repository` hold a blob of these bytes. If the account has them already, the new bytes
/// become garbage and the old ones serve; nobody can tell. If they are marked damaged, lie in the
/// archive or were in the object `lost`, the new bytes take their place, for every repository of the
/// account.
///
/// Returns whether the repository held the blob, whole, before.
pub(crate) async fn add(
    tx: &mut Tx,
    call: &Call<'_>,
    (repository, domain): (&Repository, &EncryptionDomain),
    digest: &Digest,
    size: u64,
    stored: Stored,
    lost: Option<&ObjectId>,
) -> Result<bool> {
    let existing = tx
        .optional(
            "SELECT id, object_id, damaged_at, tier FROM blobs \
             WHERE encryption_domain_id = $1 AND digest = $2",
            params![domain.id, digest.as_str()],
        )
        .await?;
    let mut healed = false;
    let blob_id = if let Some(row) = existing {
        let id = row.get(0)?;
        let old_object = row.get::<Option<String>>(1)?;
        let is_lost = lost.is_some_and(|lost| old_object.as_deref() == Some(lost.as_str()));
        let is_archived = parse_tier(&row.get::<String>(3)?)? == Tier::Archive;
        if is_lost || is_archived || row.get::<Option<i64>>(2)?.is_some() {
            let new = columns(call, domain, digest, stored)?;
            replace(tx, call, id, old_object, size, new).await?;
            healed = true;
        } else if let Stored::Object { object_id, .. } = &stored {
            put_garbage_object(tx, call, object_id).await?;
        }
        id
    } else {
        let id = call.next_id();
        let Columns { container_version, wrapped_key, object_id, inline_bytes } =
            columns(call, domain, digest, stored)?;
        tx.execute(
            "INSERT INTO blobs (id, encryption_domain_id, digest, size, container_version, \
             wrapped_key, tier, object_id, inline_bytes, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'STANDARD', $7, $8, $9)",
            params![
                id,
                domain.id,
                digest.as_str(),
                size,
                container_version,
                wrapped_key,
                object_id,
                inline_bytes,
                call.now(),
            ],
        )
        .await?;
        id
    };
    let is_new = hold(tx, call, repository, blob_id, digest, size).await?;
    Ok(!is_new && !healed)
}

/// The whole blob of this digest, in the standard tier, that some repository of the account may hold. Only for whoever has
/// the bytes: that there is one is nobody else's business.
pub(crate) async fn find_in_account(
    tx: &mut Tx,
    account: &AccountId,
    digest: &Digest,
) -> Result<Option<i64>> {
    let row = tx
        .optional(
            "SELECT blobs.id FROM blobs \
             JOIN encryption_domains ON encryption_domains.id = blobs.encryption_domain_id \
             WHERE encryption_domains.account_id = $1 AND encryption_domains.region = '' \
             AND encryption_domains.key_arn = '' AND blobs.digest = $2 \
             AND blobs.damaged_at IS NULL AND blobs.tier = 'STANDARD'",
            params![account.as_str(), digest.as_str()],
        )
        .await?;
    row.map(|row| Ok(row.get(0)?)).transpose()
}

/// Makes `repository` hold a blob of the account; whether it did not before, or only for archived
/// images. Images that were
/// pushed before this blob of theirs refer to it from now on.
pub(crate) async fn hold(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    blob_id: i64,
    digest: &Digest,
    size: u64,
) -> Result<bool> {
    let added = tx
        .execute(
            "INSERT INTO repository_blobs (repository_id, blob_id, added_at) VALUES ($1, $2, $3) \
             ON CONFLICT (repository_id, blob_id) DO UPDATE SET archived = 0 \
             WHERE repository_blobs.archived = 1",
            params![repository.id, blob_id, call.now()],
        )
        .await?;
    // Nothing refers to it yet; an image that does makes it needed. Not the time when the request
    // arrived: its body may have taken longer than the grace period.
    let edge = Edge { repository_id: repository.id, blob_id };
    gc::put_candidate(tx, edge, call.app.clock.now()).await?;
    let adopted = tx
        .execute(
            "UPDATE image_blobs SET blob_id = $2 WHERE repository_id = $1 AND digest = $3 \
             AND size = $4 AND blob_id IS NULL",
            params![repository.id, blob_id, digest.as_str(), size],
        )
        .await?;
    if adopted > 0 {
        gc::remove_candidate(tx, edge).await?;
    }
    Ok(added > 0)
}

/// How a blob's bytes stand in its row.
struct Columns {
    container_version: i64,
    wrapped_key: Option<Vec<u8>>,
    object_id: Option<String>,
    inline_bytes: Option<Vec<u8>>,
}

fn columns(
    call: &Call<'_>,
    domain: &EncryptionDomain,
    digest: &Digest,
    stored: Stored,
) -> Result<Columns> {
    Ok(match stored {
        Stored::Inline(bytes) => {
            let container_version = encryption::container_version(call.app);
            let stored = domain.store(container_version, INLINE, digest, &bytes)?;
            Columns {
                container_version,
                wrapped_key: None,
                object_id: None,
                inline_bytes: Some(stored),
            }
        }
        Stored::Object { object_id, container_version, key } => Columns {
            container_version,
            wrapped_key: Some(domain.wrap_blob_key(&key, &object_id, digest)?),
            object_id: Some(object_id.as_str().to_owned()),
            inline_bytes: None,
        },
    })
}

/// Heals a blob, or brings it back from the archive: the row names the new bytes, and the old
/// object, if any is left of it, is garbage.
async fn replace(
    tx: &mut Tx,
    call: &Call<'_>,
    id: i64,
    old_object: Option<String>,
    size: u64,
    new: Columns,
) -> Result<()> {
    if let Some(old_object) = old_object {
        put_garbage_object(tx, call, &parse_object_id(&old_object)?).await?;
    }
    let Columns { container_version, wrapped_key, object_id, inline_bytes } = new;
    tx.execute(
        "UPDATE blobs SET size = $2, container_version = $3, wrapped_key = $4, object_id = $5, \
         inline_bytes = $6, tier = 'STANDARD', damaged_at = NULL WHERE id = $1",
        params![id, size, container_version, wrapped_key, object_id, inline_bytes],
    )
    .await?;
    tracing::info!(blob = id, "a blob that was damaged or archived was uploaded again");
    Ok(())
}

/// The object of a blob, and what it should take in the store.
pub(crate) struct ExpectedObject {
    digest: String,
    object_id: ObjectId,
    stored_bytes: u64,
}

/// The objects of those of `digests` that the repository's account has.
pub(crate) async fn expected_objects(
    tx: &mut Tx,
    repository: &Repository,
    digests: &[Digest],
) -> Result<Vec<ExpectedObject>> {
    let rows = tx
        .all(
            "SELECT blobs.digest, blobs.object_id, blobs.container_version, blobs.size FROM blobs \
             JOIN encryption_domains ON encryption_domains.id = blobs.encryption_domain_id \
             WHERE encryption_domains.account_id = $1 AND encryption_domains.region = '' \
             AND encryption_domains.key_arn = '' AND blobs.digest IN_LIST($2) \
             AND blobs.object_id IS NOT NULL",
            params![repository.address.account.as_str(), Value::list(digests)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ExpectedObject {
                digest: row.get(0)?,
                object_id: parse_object_id(&row.get::<String>(1)?)?,
                stored_bytes: container::stored_bytes(row.get(2)?, row.get(3)?)?,
            })
        })
        .collect()
}

/// The object that should hold the bytes of `digest` but is not in the store or has another size.
/// A store that does not answer has not lost anything.
pub(crate) async fn lost_object(
    app: &App,
    expected: &[ExpectedObject],
    digest: &Digest,
) -> Option<ObjectId> {
    let expected = expected.iter().find(|expected| expected.digest == digest.as_str())?;
    let is_lost = match app.objects.open(&expected.object_id).await {
        Ok(reader) => reader.size() != expected.stored_bytes,
        Err(error) => error.kind() == ObjectErrorKind::NotFound,
    };
    is_lost.then(|| expected.object_id.clone())
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
    /// What counts the bytes that are read, where somebody does.
    meter: Option<Meter>,
}

enum Source {
    Inline(Bytes),
    /// On its way from an upstream.
    Arriving(Arc<Arrival>),
    Object {
        reader: Box<dyn ObjectReader>,
        container: Container,
    },
}

impl BlobReader {
    pub(crate) async fn open(
        app: &App,
        tx: &mut Tx,
        repository: &Repository,
        digest: &Digest,
        blob: &BlobRecord,
    ) -> Result<Self> {
        Self::open_in_account(app, tx, &repository.address.account, digest, blob).await
    }

    /// # Errors
    /// For a blob that is marked damaged too: whatever is in its object is not its bytes.
    async fn open_in_account(
        app: &App,
        tx: &mut Tx,
        account: &AccountId,
        digest: &Digest,
        blob: &BlobRecord,
    ) -> Result<Self> {
        if blob.damaged {
            return Err(Error::internal(format!(
                "blob {} ({digest}) is damaged; push its image again, or put its object back and \
                 run `tonnage fsck --contents --repair`",
                blob.id
            )));
        }
        let domain = encryption::account_domain(app, tx, account).await?;
        let (source, stored) = match &blob.object {
            Some((object_id, wrapped_key)) => {
                let wrapped = wrapped_key.as_deref().unwrap_or_default();
                let key = domain.unwrap_blob_key(wrapped, object_id, digest)?;
                let container = key.container(blob.container_version, object_id)?;
                let expected = container.stored_bytes(blob.size);
                let reader = app.objects.open(object_id).await?;
                let found = reader.size();
                (Source::Object { reader, container }, (expected, found))
            }
            None => {
                let row = tx
                    .optional("SELECT inline_bytes FROM blobs WHERE id = $1", params![blob.id])
                    .await?
                    .ok_or_else(|| Error::internal("a blob row vanished inside a snapshot"))?;
                let bytes = domain.load(blob.container_version, INLINE, digest, row.get(0)?)?;
                let found = bytes.len() as u64;
                (Source::Inline(bytes), (blob.size, found))
            }
        };
        let (expected, found) = stored;
        if expected != found {
            return Err(Error::internal(format!(
                "blob {} should take {expected} bytes in the store but takes {found}",
                blob.id
            )));
        }
        Ok(Self { size: blob.size, source, meter: None })
    }

    /// A blob of `size` bytes that is on its way; its bytes are read as they come.
    pub(crate) fn arriving(arrival: Arc<Arrival>, size: u64) -> Self {
        Self { size, source: Source::Arriving(arrival), meter: None }
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether what is read opens only if it is what was sealed under the blob's digest.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(&self.source, Source::Object { container: Container::Sealed { .. }, .. })
    }

    /// Reads up to `length` bytes from `offset`; fewer when the store reads fewer at a time, and
    /// none only at the end.
    ///
    /// # Errors
    /// When the store cannot read.
    pub async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes> {
        let bytes = self.read(offset, length).await?;
        if let Some(meter) = &self.meter {
            meter.add(bytes.len() as u64);
        }
        Ok(bytes)
    }

    /// The same, and what is read is counted.
    pub(crate) fn metered(mut self, meter: Option<Meter>) -> Self {
        self.meter = meter;
        self
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        match &self.source {
            Source::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(length).min(bytes.len());
                Ok(bytes.slice(start..end))
            }
            Source::Arriving(arrival) => arrival.read_at(offset, length).await,
            Source::Object { reader, container } => {
                container.read_at(reader.as_ref(), self.size, offset, length).await
            }
        }
    }
}
