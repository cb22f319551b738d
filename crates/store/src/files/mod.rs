//! Blob objects as files in one directory, which belongs to one process at a time.
//!
//! The data path never lists the store: every object is named by a row of metadata before it is
//! made. Only `fsck` does.

mod claims;
mod directories;
mod inventory;
mod layout;
mod open;
mod reader;
mod writer;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tonnage_domain::objects::{
    ListedObject, ObjectError, ObjectId, ObjectInventory, ObjectReader, ObjectWriter, Objects,
};

use self::claims::{Claim, Claims};
use self::directories::Directories;
use self::layout::{Layout, ObjectPath};
pub use self::open::OpenError;
use self::reader::FileReader;
use self::writer::FileWriter;
use crate::disk;

/// How long [`Objects::resume`] waits for an earlier writer of the object to be dropped and to
/// have done its last write.
const RESUME_WAIT: Duration = Duration::from_secs(30);

/// A store of files.
pub struct FileObjects {
    identity: String,
    shared: Arc<Shared>,
    claims: Arc<Claims>,
    /// Held until the store is dropped.
    _lock: File,
}

/// What writers keep after the call that made them.
pub(crate) struct Shared {
    layout: Layout,
    directories: Directories,
}

impl FileObjects {
    /// Opens the store in `directory`, and makes it (0700, files 0600) if it is not there. Waits
    /// for the disk: to be called when the process starts.
    ///
    /// # Errors
    /// [`OpenError`]; its sentences are meant for the operator. Another process that has the store
    /// open is one of them.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        let layout = Layout::new(directory.as_ref().to_owned());
        let (lock, identity) = open::open(&layout)?;
        let shared = Arc::new(Shared { layout, directories: Directories::new() });
        Ok(Self { identity, shared, claims: Arc::default(), _lock: lock })
    }

    /// The identity of the store in `directory`, `None` when there is none; changes nothing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn find_identity(directory: impl AsRef<Path>) -> Result<Option<String>, OpenError> {
        open::find_identity(&Layout::new(directory.as_ref().to_owned()))
    }

    async fn writer(
        &self,
        id: ObjectId,
        claim: Claim,
        length: u64,
        open: impl FnOnce(&Shared, &ObjectPath) -> io::Result<File> + Send + 'static,
    ) -> Result<Box<dyn ObjectWriter>, ObjectError> {
        let path = self.shared.layout.object(&id);
        let shared = Arc::clone(&self.shared);
        // The claim travels with the work, which goes on when this future is dropped.
        let (file, path, claim) = on_blocking_thread(&id, move || {
            let file = open(&shared, &path)?;
            Ok((file, path, claim))
        })
        .await?;
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(FileWriter::new(id, file, path, shared, claim, length)))
    }
}

impl Objects for FileObjects {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn create(&self, id: &ObjectId) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            let claim = self.claim(&id).await?;
            self.writer(id, claim, 0, |shared, path| match disk::create_new(&path.file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    shared.directories.make(path)?;
                    disk::create_new(&path.file)
                }
                result => result,
            })
            .await
        })
    }

    fn resume(
        &self,
        id: &ObjectId,
        length: u64,
    ) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            let claim = self.claim(&id).await?;
            self.writer(id, claim, length, move |_, path| {
                let file = OpenOptions::new().write(true).open(&path.file)?;
                if file.metadata()?.len() < length {
                    return Err(io::Error::new(
                        io::ErrorKind::NotFound,
                        "the object is shorter than what is to be kept of it",
                    ));
                }
                disk::set_len(&file, length)?;
                Ok(file)
            })
            .await
        })
    }

    fn open(&self, id: &ObjectId) -> BoxFuture<'_, Result<Box<dyn ObjectReader>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            let path = self.shared.layout.object(&id);
            let (file, size) = on_blocking_thread(&id, move || {
                let file = File::open(&path.file)?;
                let size = file.metadata()?.len();
                Ok((file, size))
            })
            .await?;
            Ok(Box::new(FileReader::new(id, file, size)) as Box<dyn ObjectReader>)
        })
    }

    fn delete(&self, id: &ObjectId) -> BoxFuture<'_, Result<(), ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            let path = self.shared.layout.object(&id);
            on_blocking_thread(&id, move || {
                let absent = |error: io::Error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                };
                disk::remove_file(&path.file).or_else(absent)?;
                // The row that names the object goes after this; nobody would ever find the file
                // if a power failure brought it back. An absent file may be absent unsynced.
                disk::sync_directory(&path.leaf).or_else(absent)
            })
            .await
        })
    }
}

impl ObjectInventory for FileObjects {
    fn list(
        &self,
        after: Option<&ObjectId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ListedObject>, ObjectError>> {
        let after = after.cloned();
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let listing = tokio::task::spawn_blocking(move || {
                inventory::list(&shared.layout, after.as_ref(), limit)
            });
            listing.await.map_err(io::Error::other).flatten().map_err(ObjectError::listing)
        })
    }
}

impl FileObjects {
    async fn claim(&self, id: &ObjectId) -> Result<Claim, ObjectError> {
        tokio::time::timeout(RESUME_WAIT, self.claims.claim(id)).await.map_err(|_| {
            ObjectError::new(id, io::Error::new(io::ErrorKind::TimedOut, "another writer is open"))
        })
    }
}

/// Runs work that waits for the disk. It is not cancelled with the future.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    id: &ObjectId,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ObjectError> {
    let result = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(io::Error::other(format!("the blocking thread did not finish: {error}")))
    });
    result.map_err(|error| ObjectError::new(id, error))
}
