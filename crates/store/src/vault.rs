//! Backups as files in one directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rustix::fs::{FlockOperation, flock};
use tonnage_domain::backup::{Vault, VaultError, VaultReader, VaultWriter};

/// The file that tells a directory of backups from any other.
const MARK: &str = "tonnage-backup";
const MARK_TEXT: &str = "A directory of backups made by `tonnage backup`, format 1.\n";
/// What a new file system puts into an empty directory.
const IGNORED: &[&str] = &["lost+found"];

/// A directory of backups; locked until it is dropped.
#[derive(Debug)]
pub struct FileVault {
    root: PathBuf,
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
        make_directories(&root).map_err(at)?;
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
                let mut file = new_file(&new)?;
                file.write_all(MARK_TEXT.as_bytes())?;
                file.sync_all()?;
                fs::rename(&new, &mark)?;
                sync_directory(&root)
            };
            write().map_err(at)?;
        }
        Ok(Self { root, _lock: Some(lock) })
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
        Ok(Self { root, _lock: lock })
    }
}

fn take(lock: &File, how: FlockOperation, root: &Path) -> Result<(), VaultOpenError> {
    match flock(lock, how) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(VaultOpenError::InUse(root.to_owned())),
        Err(error) => Err(VaultOpenError::File { path: root.join("lock"), source: error.into() }),
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a directory and those above it, whose names then survive a power failure.
fn make_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directories(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_directory(parent)
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
            let (full, new, file) = blocking(path, move || {
                if let Some(parent) = full.parent() {
                    make_directories(parent)?;
                }
                let file = new_file(&new)?;
                Ok((full, new, file))
            })
            .await?;
            let writer = FileVaultWriter { path: path.to_owned(), full, new, file: Some(file) };
            Ok(Box::new(writer) as Box<dyn VaultWriter>)
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), VaultError>> {
        let full = self.root.join(path);
        Box::pin(blocking(path, move || {
            let removed = match fs::symlink_metadata(&full) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir(&full),
                Ok(_) => fs::remove_file(&full),
                Err(error) => Err(error),
            };
            removed.or_else(|error| absent_is(error, ()))?;
            match full.parent() {
                Some(parent) => sync_directory(parent).or_else(|error| absent_is(error, ())),
                None => Ok(()),
            }
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
    file: Option<File>,
}

impl VaultWriter for FileVaultWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), VaultError>> {
        Box::pin(async move {
            let mut file = self.file.take().ok_or_else(|| broken(&self.path))?;
            let file = blocking(&self.path, move || {
                file.write_all(&bytes)?;
                Ok(file)
            })
            .await?;
            self.file = Some(file);
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), VaultError>> {
        let Self { path, full, new, file } = *self;
        Box::pin(async move {
            let file = file.ok_or_else(|| broken(&path))?;
            blocking(&path, move || {
                file.sync_all()?;
                fs::rename(&new, &full)?;
                full.parent().map_or(Ok(()), sync_directory)
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
