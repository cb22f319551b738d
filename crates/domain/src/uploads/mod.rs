//! Uploads of blobs, for the Docker endpoint and for the layer-part API alike.
//!
//! An upload's row names the object before any byte is written to it, so whatever a crash leaves
//! behind is removed with the row. Bytes are durable before the row says they were received, and
//! the blob is visible only after the commit that turns the upload into it.

pub mod append;
pub mod cancel;
pub mod describe;
pub mod finish;
mod ingest;
pub mod initiate;
pub mod mount;
mod pending;
pub(crate) mod receive;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::stream::Stream;

use crate::clock::Millis;
use crate::encryption::container::{CHUNK_BYTES, Container};
use crate::encryption::{self, DataKey};
use crate::error::{Detail, Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::gc::Wake;
use crate::names::{Hasher, Region};
use crate::objects::ObjectId;
use crate::params;
use crate::repositories::{Repository, RepositoryAddress};

/// The body of a request: chunks of any size until the end, or the reason why there is no end.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
#[error("the request body ended early: {0}")]
pub struct BodyError(pub String);

/// Whose rules an upload follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadRules {
    /// The distribution specification: any chunk size, empty blobs, what exists is a success.
    Distribution,
    /// ECR's layer-part API: parts of 5 to 20 MiB, no empty layers, what exists is an error.
    LayerParts,
}

/// The largest blob of a private registry, in bytes; ECR's quota.
pub const BLOB_BYTES_MAX: u64 = 52_000 * 1024 * 1024;
/// The largest blob of a public registry, in bytes; ECR Public's quota.
pub const PUBLIC_BLOB_BYTES_MAX: u64 = 10_000 * 1024 * 1024;
/// The smallest part other than the last, in bytes, under [`UploadRules::LayerParts`].
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// The part size that ECR tells clients to use, in bytes.
pub const PART_BYTES: u64 = 10 * 1024 * 1024;
/// Parts per upload under [`UploadRules::LayerParts`].
pub const PARTS_MAX: i64 = 4_200;
/// As [`PARTS_MAX`], in public registries.
pub const PUBLIC_PARTS_MAX: i64 = 1_000;

/// The largest blob of the registry that is in `region`, in bytes.
pub(crate) fn bytes_max(region: &Region) -> u64 {
    if region.is_global() { PUBLIC_BLOB_BYTES_MAX } else { BLOB_BYTES_MAX }
}

/// The name of an upload: a lower-case UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(String);

impl UploadId {
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// Reads an id that a client sent; `None` unless it has exactly the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = uuid::Uuid::try_parse(text).ok()?;
        (uuid.hyphenated().to_string() == text).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An upload as stored.
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    pub(crate) received: u64,
    /// How many bytes it may have.
    pub(crate) bytes_max: u64,
    pub(crate) parts: i64,
    pub(crate) last_part: u64,
    pub(crate) smallest_inner_part: Option<u64>,
    pub(crate) hasher: Hasher,
    /// What follows the whole chunks that are in the object: at most one chunk.
    pub(crate) tail: Bytes,
    pub(crate) object_id: ObjectId,
    pub(crate) container_version: i64,
    pub(crate) container: Arc<Container>,
    pub(crate) key: DataKey,
}

impl Upload {
    /// Whole chunks in the object.
    pub(crate) fn chunks(&self) -> u64 {
        (self.received - self.tail.len() as u64) / CHUNK_BYTES as u64
    }
}

/// What an upload keeps beside its object: the running digest, which holds a few plain bytes, and
/// the tail. Sealed under the upload's own key, together with how far it got.
fn seal_progress(upload: &Upload) -> Result<Vec<u8>> {
    let state = upload.hasher.save();
    let length = u16::try_from(state.len()).map_err(Error::internal)?;
    let mut plain = Vec::with_capacity(2 + state.len() + upload.tail.len());
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(&state);
    plain.extend_from_slice(&upload.tail);
    upload.key.sealing_key()?.seal(PROGRESS, &progress_owner(&upload.id, upload.received), &plain)
}

fn open_progress(
    key: &DataKey,
    id: &UploadId,
    received: u64,
    sealed: &[u8],
) -> Result<(Hasher, Bytes)> {
    let mut plain = key.sealing_key()?.open(PROGRESS, &progress_owner(id, received), sealed)?;
    let plain = Bytes::from(std::mem::take(&mut *plain));
    let damaged = || Error::internal("the progress of an upload is damaged");
    let length = plain.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes));
    let tail_at = 2 + usize::from(length.ok_or_else(damaged)?);
    let state = plain.get(2..tail_at).ok_or_else(damaged)?;
    Ok((Hasher::restore(state).map_err(Error::internal)?, plain.slice(tail_at..)))
}

const PROGRESS: &str = "upload-progress";

fn progress_owner(id: &UploadId, received: u64) -> String {
    format!("{} {received}", id.as_str())
}

/// The upload of this id in this repository, begun by this principal and not expired.
///
/// # Errors
/// [`ErrorKind::UploadNotFound`] in every other case, whatever the reason.
pub(crate) async fn get(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    id: &UploadId,
) -> Result<Upload> {
    let row = tx
        .optional(
            "SELECT received, parts, last_part, smallest_inner_part, container_version, \
             wrapped_key, progress, object_id FROM uploads WHERE id = $1 AND repository_id = $2 AND principal_id = $3 \
             AND expires_at > $4",
            params![id.as_str(), repository.id, call.context.principal.id, call.now()],
        )
        .await?
        .ok_or_else(|| not_found(&repository.address, id.as_str()))?;
    let received: u64 = row.get(0)?;
    let container_version: i64 = row.get(4)?;
    let object_id = crate::blobs::parse_object_id(&row.get::<String>(7)?)?;
    let domain = encryption::account_domain(call.app, tx, &repository.address.account).await?;
    let key = domain.unwrap_upload_key(&row.get::<Vec<u8>>(5)?, &object_id)?;
    let (hasher, tail) = open_progress(&key, id, received, &row.get::<Vec<u8>>(6)?)?;
    Ok(Upload {
        id: id.clone(),
        received,
        bytes_max: bytes_max(&repository.address.region),
        parts: row.get(1)?,
        last_part: row.get(2)?,
        smallest_inner_part: row.get(3)?,
        hasher,
        tail,
        container: Arc::new(key.container(container_version, &object_id)?),
        container_version,
        object_id,
        key,
    })
}

/// Stores how far an upload got, if it still is where it was.
async fn save(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    upload: &Upload,
    received_before: u64,
) -> Result<()> {
    let changed = tx
        .execute(
            "UPDATE uploads SET received = $3, parts = $4, last_part = $5, \
             smallest_inner_part = $6, progress = $7, expires_at = $8 \
             WHERE id = $1 AND received = $2",
            params![
                upload.id.as_str(),
                received_before,
                upload.received,
                upload.parts,
                upload.last_part,
                upload.smallest_inner_part,
                seal_progress(upload)?,
                expiry(call),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(not_found(&repository.address, upload.id.as_str()));
    }
    Ok(())
}

fn expiry(call: &Call<'_>) -> Millis {
    call.app.clock.now().plus_seconds(call.app.settings.upload_idle_seconds)
}

/// The error for an upload that does not exist, is another principal's or of another repository.
pub fn not_found(address: &RepositoryAddress, upload_id: &str) -> Error {
    Error::new(
        ErrorKind::UploadNotFound,
        format!(
            "The upload with id '{upload_id}' does not exist in the repository with name '{}' in \
             the registry with id '{}'",
            address.name, address.account
        ),
    )
}

fn part_out_of_order(repository: &Repository, upload: &Upload, first_byte: u64) -> Error {
    Error::new(
        ErrorKind::InvalidLayerPart,
        format!("First byte of the layer part is {first_byte} instead of {}", upload.received),
    )
    .with_detail(detail(repository, upload))
}

fn detail(repository: &Repository, upload: &Upload) -> Detail {
    Detail {
        account: repository.address.account,
        repository_name: repository.address.name.to_string(),
        upload_id: upload.id.as_str().to_owned(),
        received: upload.received,
    }
}

/// Which uploads some request is writing to. An object store of files belongs to one process, so a
/// lock in memory is enough; the compare in `save` guards the rest.
#[derive(Clone, Debug)]
pub(crate) struct UploadLocks(Arc<Locks>);

#[derive(Debug)]
struct Locks {
    held: Mutex<Held>,
    garbage: Wake,
}

#[derive(Debug, Default)]
struct Held {
    /// The object of each upload, once its holder has read which it is.
    uploads: HashMap<UploadId, Option<ObjectId>>,
    /// Whether the sweeper left an object because somebody may be writing it.
    left_objects: bool,
}

impl UploadLocks {
    /// No locks; `garbage` wakes the sweeper.
    pub(crate) fn new(garbage: Wake) -> Self {
        Self(Arc::new(Locks { held: Mutex::default(), garbage }))
    }

    /// Takes the upload, or refuses at once: a second writer has nothing to wait for. Whoever
    /// writes takes it before reading the upload's row.
    pub(crate) fn lock(&self, id: &UploadId) -> Result<UploadLock> {
        match self.held().uploads.entry(id.clone()) {
            Entry::Occupied(_) => Err(Error::new(
                ErrorKind::UploadBusy,
                "Another request is writing to this upload; wait for it, then ask how far it got.",
            )),
            Entry::Vacant(free) => {
                free.insert(None);
                Ok(UploadLock { locks: self.clone(), id: id.clone() })
            }
        }
    }

    /// Whether a request that began before this call may write to `object`, though its row be gone
    /// meanwhile. The sweeper is woken when that may have changed.
    pub(crate) fn may_write(&self, object: &ObjectId) -> bool {
        let mut held = self.held();
        let found = held
            .uploads
            .values()
            .any(|written| written.as_ref().is_none_or(|written| written == object));
        held.left_objects |= found;
        found
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds an upload until it is dropped.
#[derive(Debug)]
pub(crate) struct UploadLock {
    locks: UploadLocks,
    id: UploadId,
}

impl UploadLock {
    /// Says which object the holder writes to.
    pub(crate) fn writes(&self, object: &ObjectId) {
        self.locks.held().uploads.insert(self.id.clone(), Some(object.clone()));
    }
}

impl Drop for UploadLock {
    fn drop(&mut self) {
        let left_objects = {
            let mut held = self.locks.held();
            held.uploads.remove(&self.id);
            std::mem::take(&mut held.left_objects)
        };
        if left_objects {
            self.locks.0.garbage.wake();
        }
    }
}
