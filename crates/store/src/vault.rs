//! Backups as files in one directory.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rustix::fs::{FlockOperation, flock};
use tonnage_domain::backup::{Vault, VaultError, VaultReader, VaultWriter};

use crate::disk;

/// The file that tells a directory of backups from any other.
const MARK: &str = "tonnage-backup";
const MARK_TEXT: &str = "A directory of backups made by `tonnage backup`, format 1.\n";
/// What a new file system puts into an empty directory.
const IGNORED: &[&str] = &["lost+found"];

/// A directory of backups; locked until it is dropped.
#[derive(Debug)]
pub struct FileVault {
    root: PathBuf,
    directories: Arc<Directories>,
    _lock: Option<File>,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultOpenError {
    /// Somebody else's files are in it.
    #[error("{} holds other things than backups; name an empty directory", .0.display())]
    Foreign(PathBuf),
    /// There are none in it.
    #[error("there are no backups in {}", .0.display())]
    NoBackups(PathBuf),
    /// Another process works on it.
    #[error("the backups in {} are in use by another process; try again when it is done", .0.display())]
    InUse(PathBuf),
    /// The operating system refuses.
    #[error("{} cannot be used for backups: {source}", path.display())]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl FileVault {
    /// Opens a directory to write to, for this process alone, and makes it (0700, files 0600) if it
    /// is not there.
    ///
    /// # Errors
    /// [`VaultOpenError`]; its sentences are meant for the operator.
    pub fn create(root: impl AsRef<Path>) -> Result<Self, VaultOpenError> {
        let root = root.as_ref().to_owned();
        let at = |source| VaultOpenError::File { path: root.clone(), source };
        disk::make_directories(&root).map_err(at)?;
        let mark = root.join(MARK);
        if !mark.exists() {
            for entry in fs::read_dir(&root).map_err(at)? {
                let name = entry.map_err(at)?.file_name();
                // The lock and the mark's precursor are left by a first backup that broke off.
                let ours = name == "lock" || name == format!("{MARK}.new").as_str();
                if !ours && !IGNORED.iter().any(|ignored| name == *ignored) {
                    return Err(VaultOpenError::Foreign(root));
                }
            }
        }
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(root.join("lock"))
            .map_err(at)?;
        take(&lock, FlockOperation::NonBlockingLockExclusive, &root)?;
        if !mark.exists() {
            let write = || -> io::Result<()> {
                let new = root.join(format!("{MARK}.new"));
                let file = disk::create(&new)?;
                disk::write_all_at(&file, MARK_TEXT.as_bytes(), 0)?;
                disk::sync(&file, &new)?;
                disk::rename(&new, &mark)?;
                disk::sync_directory(&root)
            };
            write().map_err(at)?;
        }
        Ok(Self::locked(root, Some(lock)))
    }

    /// Opens a directory of backups to read from, which may be on a medium that cannot be written.
    ///
    /// # Errors
    /// As [`FileVault::create`].
    pub fn open(root: impl AsRef<Path>) -> Result<Self, VaultOpenError> {
        let root = root.as_ref().to_owned();
        if !root.join(MARK).exists() {
            return Err(VaultOpenError::NoBackups(root));
        }
        let lock = File::open(root.join("lock")).ok();
        if let Some(lock) = &lock {
            take(lock, FlockOperation::NonBlockingLockShared, &root)?;
        }
        Ok(Self::locked(root, lock))
    }

    fn locked(root: PathBuf, lock: Option<File>) -> Self {
        Self { directories: Arc::new(Directories::new(&root)), root, _lock: lock }
    }
}

fn take(lock: &File, how: FlockOperation, root: &Path) -> Result<(), VaultOpenError> {
    match flock(lock, how) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(VaultOpenError::InUse(root.to_owned())),
        Err(error) => Err(VaultOpenError::File { path: root.join("lock"), source: error.into() }),
    }
}

/// Directories whose names this process has made durable. One that is there may have been made by a
/// process that was killed before it synced the name, so being there is not enough.
#[derive(Debug)]
struct Directories(Mutex<BTreeSet<PathBuf>>);

impl Directories {
    /// The root is durable already.
    fn new(root: &Path) -> Self {
        Self(Mutex::new(BTreeSet::from([root.to_owned()])))
    }

    /// Makes a directory below the root and those above it; their names survive a power failure.
    fn make(&self, path: &Path) -> io::Result<()> {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(path) {
            return Ok(());
        }
        let parent = disk::parent(path);
        self.make(parent)?;
        match disk::make_directory(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => disk::sync_directory(parent)?,
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        Ok(())
    }

    fn forget(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

async fn blocking<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, VaultError> {
    let result = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(io::Error::other(format!("the blocking thread did not finish: {error}")))
    });
    result.map_err(|error| VaultError::new(path, error))
}

fn absent_is<T>(error: io::Error, nothing: T) -> io::Result<T> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(nothing),
        _ => Err(error),
    }
}

impl Vault for FileVault {
    fn names<'a>(&'a self, directory: &'a str) -> BoxFuture<'a, Result<Vec<String>, VaultError>> {
        let full = self.root.join(directory);
        Box::pin(blocking(directory, move || {
            let entries = match fs::read_dir(full) {
                Ok(entries) => entries,
                Err(error) => return absent_is(error, Vec::new()),
            };
            let names = entries.map(|entry| {
                entry?.file_name().into_string().map_err(|_| {
                    io::Error::new(io::ErrorKind::InvalidData, "a file has a name that is no text")
                })
            });
            let mut names = names.collect::<io::Result<Vec<String>>>()?;
            names.sort();
            Ok(names)
        }))
    }

    fn size<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u64>, VaultError>> {
        let full = self.root.join(path);
        Box::pin(blocking(path, move || match fs::metadata(full) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) => absent_is(error, None),
        }))
    }

    fn open<'a>(
        &'a self,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn VaultReader>, VaultError>> {
        let full = self.root.join(path);
        Box::pin(async move {
            let file = blocking(path, move || File::open(full)).await?;
            let reader = FileVaultReader { path: path.to_owned(), file: Some(file) };
            Ok(Box::new(reader) as Box<dyn VaultReader>)
        })
    }

    fn create<'a>(
        &'a self,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn VaultWriter>, VaultError>> {
        let full = self.root.join(path);
        Box::pin(async move {
            let new = PathBuf::from(format!("{}.new", full.display()));
            let directories = Arc::clone(&self.directories);
            let (full, new, file) = blocking(path, move || {
                directories.make(disk::parent(&full))?;
                let file = disk::create(&new)?;
                Ok((full, new, file))
            })
            .await?;
            let file = Some((file, 0));
            let writer = FileVaultWriter { path: path.to_owned(), full, new, file };
            Ok(Box::new(writer) as Box<dyn VaultWriter>)
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), VaultError>> {
        let full = self.root.join(path);
        let directories = Arc::clone(&self.directories);
        Box::pin(blocking(path, move || {
            let removed = match fs::symlink_metadata(&full) {
                Ok(metadata) if metadata.is_dir() => {
                    directories.forget(&full);
                    disk::remove_directory(&full)
                }
                Ok(_) => disk::remove_file(&full),
                Err(error) => Err(error),
            };
            removed.or_else(|error| absent_is(error, ()))?;
            disk::sync_directory(disk::parent(&full)).or_else(|error| absent_is(error, ()))
        }))
    }
}

struct FileVaultReader {
    path: String,
    /// Taken while a thread reads it.
    file: Option<File>,
}

impl VaultReader for FileVaultReader {
    fn read(&mut self, length: usize) -> BoxFuture<'_, Result<Bytes, VaultError>> {
        Box::pin(async move {
            let mut file = self.file.take().ok_or_else(|| broken(&self.path))?;
            let (file, bytes) = blocking(&self.path, move || {
                let mut bytes = Vec::with_capacity(length);
                (&mut file).take(length as u64).read_to_end(&mut bytes)?;
                Ok((file, bytes))
            })
            .await?;
            self.file = Some(file);
            Ok(bytes.into())
        })
    }
}

fn broken(path: &str) -> VaultError {
    VaultError::new(path, io::Error::other("an earlier call on this file did not succeed"))
}

struct FileVaultWriter {
    path: String,
    full: PathBuf,
    new: PathBuf,
    /// With the bytes that are in it; taken while a thread writes it.
    file: Option<(File, u64)>,
}

impl VaultWriter for FileVaultWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), VaultError>> {
        Box::pin(async move {
            let (file, written) = self.file.take().ok_or_else(|| broken(&self.path))?;
            let file = blocking(&self.path, move || {
                disk::write_all_at(&file, &bytes, written)?;
                Ok((file, written + bytes.len() as u64))
            })
            .await?;
            self.file = Some(file);
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), VaultError>> {
        let Self { path, full, new, file } = *self;
        Box::pin(async move {
            let (file, _) = file.ok_or_else(|| broken(&path))?;
            blocking(&path, move || {
                disk::sync(&file, &new)?;
                disk::rename(&new, &full)?;
                disk::sync_directory(disk::parent(&full))
            })
            .await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_directory_or_one_of_backups_is_taken() {
        let temporary = tempfile::tempdir().unwrap();
        let deep = temporary.path().join("deep/er");
        assert!(matches!(FileVault::open(&deep), Err(VaultOpenError::NoBackups(_))));
        let vault = FileVault::create(&deep).unwrap();
        assert!(matches!(FileVault::create(&deep), Err(VaultOpenError::InUse(_))));
        assert!(matches!(FileVault::open(&deep), Err(VaultOpenError::InUse(_))));
        drop(vault);
        let reader = FileVault::open(&deep).unwrap();
        assert!(FileVault::open(&deep).is_ok(), "many may read");
        assert!(matches!(FileVault::create(&deep), Err(VaultOpenError::InUse(_))));
        drop(reader);
        FileVault::create(&deep).unwrap();
        let foreign = temporary.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("notes.txt"), "").unwrap();
        assert!(matches!(FileVault::create(&foreign), Err(VaultOpenError::Foreign(_))));
    }

    #[tokio::test]
    async fn a_file_is_there_once_it_is_finished() {
        let temporary = tempfile::tempdir().unwrap();
        let vault = FileVault::create(temporary.path()).unwrap();
        let mut writer = vault.create("a/b").await.unwrap();
        writer.write(Bytes::from_static(b"hello ")).await.unwrap();
        writer.write(Bytes::from_static(b"world")).await.unwrap();
        assert_eq!(vault.size("a/b").await.unwrap(), None);
        writer.finish().await.unwrap();
        assert_eq!(vault.size("a/b").await.unwrap(), Some(11));
        let mut reader = vault.open("a/b").await.unwrap();
        for expected in ["hello w", "orld", ""] {
            assert_eq!(reader.read(7).await.unwrap(), expected);
        }
        assert_eq!(vault.names("a").await.unwrap(), ["b"]);
        assert!(vault.remove("a").await.is_err(), "it is not empty");
        for _ in 0..2 {
            vault.remove("a/b").await.unwrap();
            vault.remove("a").await.unwrap();
        }
        assert_eq!(vault.names("a").await.unwrap(), Vec::<String>::new());
        assert!(vault.open("a/b").await.is_err());
    }
}
