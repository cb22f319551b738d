//! Where backups lie: named files that are there whole or not at all.

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// A directory of backups. Implemented by the store crate and by fault injectors. Paths are
/// relative, of plain names separated by `/`.
pub trait Vault: Send + Sync + 'static {
    /// The sorted names in a directory; none when there is no such directory.
    ///
    /// # Errors
    /// When it cannot be read.
    fn names<'a>(&'a self, directory: &'a str) -> BoxFuture<'a, Result<Vec<String>, VaultError>>;

    /// How many bytes a file has; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn size<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u64>, VaultError>>;

    /// Opens a file for reading from its beginning.
    ///
    /// # Errors
    /// When it is absent or cannot be read.
    fn open<'a>(&'a self, path: &'a str)
    -> BoxFuture<'a, Result<Box<dyn VaultReader>, VaultError>>;

    /// Begins a file. Nobody finds it before [`VaultWriter::finish`], which replaces what is there.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create<'a>(
        &'a self,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn VaultWriter>, VaultError>>;

    /// Removes a file or an empty directory, so that it stays away after a power failure.
    /// Idempotent.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), VaultError>>;
}

/// Reads a file from front to back.
pub trait VaultReader: Send {
    /// Up to `length` further bytes; none only at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(&mut self, length: usize) -> BoxFuture<'_, Result<Bytes, VaultError>>;
}

/// Writes a file from front to back.
pub trait VaultWriter: Send {
    /// Appends.
    ///
    /// # Errors
    /// As the disk fails; the writer is then only good for being dropped.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), VaultError>>;

    /// Makes the file survive a power failure, then gives it its name, which survives one too.
    ///
    /// # Errors
    /// As [`VaultWriter::write`]; the file is not there then.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), VaultError>>;
}

/// A failure of the directory of backups. Its text is for the operator only.
#[derive(Debug, thiserror::Error)]
#[error("the backup's file {path} cannot be read or written: {source}")]
pub struct VaultError {
    /// The file.
    pub path: String,
    /// What the operating system said.
    pub source: std::io::Error,
}

impl VaultError {
    /// A failure on this file.
    pub fn new(path: impl Into<String>, source: std::io::Error) -> Self {
        Self { path: path.into(), source }
    }
}
