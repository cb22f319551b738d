//! Blob objects as files in two directories, one for each tier, which belong to one process at a
//! time.
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
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tonnage_domain::objects::{
    ListedObject, ObjectError, ObjectId, ObjectInventory, ObjectReader, ObjectWriter, Objects, Tier,
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
    standard: Arc<Shared>,
    archive: Arc<Shared>,
    claims: Arc<Claims>,
    /// Held until the store is dropped.
    _locks: [File; 2],
}

/// What writers keep after the call that made them.
pub(crate) struct Shared {
    layout: Layout,
    directories: Directories,
}

impl FileObjects {
    /// Opens the store in `directory` with the archive below it. As [`FileObjects::open_with`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(directory, None)
    }

    /// Opens the store in `directory`, whose archive is in another directory, perhaps on another
    /// file system; and makes both (0700, files 0600) if they are not there. An archive that was
    /// moved is opened where it is now. Waits for the disk: to be called when the process starts.
    ///
    /// # Errors
    /// [`OpenError`]; its sentences are meant for the operator. Another process that has the store
    /// open is one of them.
    pub fn open_with(
        directory: impl AsRef<Path>,
        archive: Option<PathBuf>,
    ) -> Result<Self, OpenError> {
        let layout = Layout::new(directory.as_ref().to_owned());
        let (lock, identity) = open::open(&layout)?;
        let archive = Layout::new(archive.unwrap_or_else(|| layout.archive()));
        let archive_lock = open::open_archive(&layout, &archive, &identity)?;
        let shared = |layout| Arc::new(Shared { layout, directories: Directories::new() });
        Ok(Self {
            identity,
            standard: shared(layout),
            archive: shared(archive),
            claims: Arc::default(),
            _locks: [lock, archive_lock],
        })
    }

    /// Says why the archive of the store in `directory` cannot be opened, if there is a reason;
    /// changes nothing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn look_for_archive(
        directory: impl AsRef<Path>,
        archive: Option<PathBuf>,
    ) -> Result<(), OpenError> {
        let layout = Layout::new(directory.as_ref().to_owned());
        let archive = Layout::new(archive.unwrap_or_else(|| layout.archive()));
        match open::find_identity(&layout)? {
            Some(identity) => open::look_for_archive(&layout, &archive, &identity).map(drop),
            None => Ok(()),
        }
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
        tier: Tier,
        id: ObjectId,
        claim: Claim,
        length: u64,
        open: impl FnOnce(&Shared, &ObjectPath) -> io::Result<File> + Send + 'static,
    ) -> Result<Box<dyn ObjectWriter>, ObjectError> {
        let of_tier = self.tier(tier);
        let path = of_tier.layout.object(&id);
        let shared = Arc::clone(of_tier);
        // The claim travels with the work, which goes on when this future is dropped.
        let (file, path, claim) = on_blocking_thread(&id, move || {
            let file = open(&shared, &path)?;
            Ok((file, path, claim))
        })
        .await?;
        let shared = Arc::clone(of_tier);
        Ok(Box::new(FileWriter::new(id, file, path, shared, claim, length)))
    }
}

impl Objects for FileObjects {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn create(&self, id: &ObjectId) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        Box::pin(self.create_in(Tier::Standard, id.clone()))
    }

    fn create_archived(
        &self,
        id: &ObjectId,
    ) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        Box::pin(self.create_in(Tier::Archive, id.clone()))
    }

    fn resume(
        &self,
        id: &ObjectId,
        length: u64,
    ) -> BoxFuture<'_, Result<Box<dyn ObjectWriter>, ObjectError>> {
        let id = id.clone();
        Box::pin(async move {
            let claim = self.claim(&id).await?;
            self.writer(Tier::Standard, id, claim, length, move |_, path| {
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
            let standard = self.standard.layout.object(&id).file;
            let archive = self.archive.layout.object(&id).file;
            let (file, size) = on_blocking_thread(&id, move || {
                let file = match File::open(&standard) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(&archive),
                    opened => opened,
                }?;
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
            let standard = self.standard.layout.object(&id);
            let archive = self.archive.layout.object(&id);
            on_blocking_thread(&id, move || {
                remove(&standard)?;
                remove(&archive)
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
        let (standard, archive) = (Arc::clone(&self.standard), Arc::clone(&self.archive));
        Box::pin(async move {
            let listing = tokio::task::spawn_blocking(move || {
                let of = |shared: &Shared, tier| {
                    inventory::list(&shared.layout, tier, after.as_ref(), limit)
                };
                let mut found = of(&standard, Tier::Standard)?;
                found.extend(of(&archive, Tier::Archive)?);
                // An id that is in both is listed twice, and the page ends behind it.
                found.sort_by(|one, other| one.id.cmp(&other.id));
                let last = found.get(limit.saturating_sub(1)).map(|object| object.id.clone());
                if let Some(last) = last {
                    found.retain(|object| object.id <= last);
                }
                Ok(found)
            });
            listing.await.map_err(io::Error::other).flatten().map_err(ObjectError::listing)
        })
    }
}

/// Removes a file, if it is there.
fn remove(path: &ObjectPath) -> io::Result<()> {
    let absent = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    disk::remove_file(&path.file).or_else(absent)?;
    // The row that names the object goes after this; nobody would ever find the file if a power
    // failure brought it back. An absent file may be absent unsynced.
    disk::sync_directory(&path.leaf).or_else(absent)
}

impl FileObjects {
    fn tier(&self, tier: Tier) -> &Arc<Shared> {
        match tier {
            Tier::Standard => &self.standard,
            Tier::Archive => &self.archive,
        }
    }

    async fn create_in(
        &self,
        tier: Tier,
        id: ObjectId,
    ) -> Result<Box<dyn ObjectWriter>, ObjectError> {
        let claim = self.claim(&id).await?;
        self.writer(tier, id, claim, 0, |shared, path| match disk::create_new(&path.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                shared.directories.make(path)?;
                disk::create_new(&path.file)
            }
            result => result,
        })
        .await
    }

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
