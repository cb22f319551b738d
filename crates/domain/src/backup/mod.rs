//! Copies of a registry that is being served, and registries made from them.
//!
//! ```text
//! objects/ab/ab…            blob objects as they are stored, shared by all snapshots
//! snapshots/ID/metadata     every row, engine-neutral
//! snapshots/ID/objects      the objects that the rows name, with sizes and checksums, in order
//! snapshots/ID/manifest     what the snapshot is, with the checksums of these two; written last
//! ```
//!
//! A snapshot without a manifest broke off and counts for nothing. Metadata are read in one
//! transaction, objects after it; a [`crate::gc::Pin`] taken before the transaction keeps the
//! objects that it saw. Objects are immutable once a blob names them and their ids are never used
//! again, so a copy that an earlier snapshot checked is not made twice.
//!
//! Secrets in the rows are sealed with the root key, which is not part of a backup.

mod create;
mod lines;
mod manifest;
pub mod operations;
mod prune;
mod restore;
mod rows;
mod union;
mod vault;
mod verify;

use std::sync::atomic::{AtomicU64, Ordering};

pub use self::create::{Created, create};
pub use self::manifest::{FileSum, Manifest, Snapshot, snapshots};
pub use self::restore::{Restored, Target, restore};
pub use self::vault::{Vault, VaultError, VaultReader, VaultWriter};
pub use self::verify::{DAMAGES_MAX, Verified, verify};
use crate::error::{Error, ErrorKind};
use crate::metadata::MetadataError;
use crate::objects::{ObjectError, ObjectId};

/// Bytes read and hashed at a time.
const SPAN_BYTES: usize = 256 * 1024;
/// The tables whose rows are left behind: unfinished uploads and copies, whose objects
/// still change, and objects that are to be removed.
const LEFT_OUT: [&str; 3] = ["uploads", "garbage_objects", "object_copies"];

/// How far a copy is; read by others while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows read or written.
    pub rows: AtomicU64,
    /// Objects there are.
    pub objects: AtomicU64,
    /// Objects done with, whether copied or there already.
    pub objects_done: AtomicU64,
    /// Bytes of objects copied.
    pub bytes: AtomicU64,
}

impl Progress {
    fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// Why a copy was not made; one sentence each, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file of the backup is not what was written.
    #[error("the backup's file {path} is damaged: {how}")]
    Damaged {
        /// The file.
        path: String,
        /// How.
        how: String,
    },
    /// It cannot be done here.
    #[error("{0}")]
    Refused(String),
    /// The directory of the backup fails.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The registry's own stores fail.
    #[error("{}", crate::error::chain(.0))]
    Failed(Error),
}

impl From<Error> for BackupError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<MetadataError> for BackupError {
    fn from(error: MetadataError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ObjectError> for BackupError {
    fn from(error: ObjectError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BackupError> for Error {
    fn from(error: BackupError) -> Self {
        let sentence = error.to_string();
        let kind = match error {
            BackupError::Failed(error) => return error,
            BackupError::Refused(_) | BackupError::Damaged { .. } => ErrorKind::InvalidParameter,
            BackupError::Vault(error) => match error.source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    ErrorKind::StorageFull
                }
                _ => ErrorKind::Unavailable,
            },
        };
        Self::new(kind, sentence)
    }
}

fn damaged(path: &str, how: impl Into<String>) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), how: how.into() }
}

fn object_path(id: &ObjectId) -> String {
    let text = id.as_str();
    format!("objects/{}/{text}", text.get(..2).unwrap_or_default())
}

fn snapshot_path(id: &str, file: &str) -> String {
    format!("snapshots/{id}/{file}")
}
