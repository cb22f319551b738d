//! Opening a store of files: its directory, its lock, its identity.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::layout::Layout;
use crate::disk;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open, or this one has it open twice.
    #[error(
        "the object store {} is in use by {holder}: only one process may open it",
        directory.display()
    )]
    InUse {
        /// The store.
        directory: PathBuf,
        /// Who, as far as can be told.
        holder: String,
    },
    /// Its identity is lost or damaged, so metadata could not tell it from another store.
    #[error(
        "the object store {} has no valid identity file: restore `identity` from a backup",
        directory.display()
    )]
    NoIdentity {
        /// The store.
        directory: PathBuf,
    },
    /// The archive is not where it should be.
    #[error(
        "the archive of the object store {} is not in {}: it was in {}; mount its file system, or \
         let `archive_directory` name the directory that it was moved to",
        directory.display(),
        archive.display(),
        before.display()
    )]
    NoArchive {
        /// The store.
        directory: PathBuf,
        /// Where its archive should be.
        archive: PathBuf,
        /// Where it was when the store was last opened.
        before: PathBuf,
    },
    /// The directory is the archive of another store.
    #[error(
        "the directory {} does not hold the archive of the object store {}: it belongs to another \
         store; let `archive_directory` name an empty directory, or the right one",
        archive.display(),
        directory.display()
    )]
    ForeignArchive {
        /// The store.
        directory: PathBuf,
        /// What should be its archive.
        archive: PathBuf,
    },
    /// The operating system refuses.
    #[error("the object store cannot be opened: {} failed", path.display())]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Returns the locked file and the identity.
pub(crate) fn open(layout: &Layout) -> Result<(File, String), OpenError> {
    make_directory(layout.root())?;
    let lock = lock(layout)?;
    let identity = identity(layout)?;
    make_directory(&layout.objects())?;
    Ok((lock, identity))
}

/// Opens the archive of an opened store, and makes it if there never was one: the archive has the
/// identity of its store, and the store a file that says that there is an archive, so that a disk
/// that is not mounted is not taken for an empty archive. Returns the locked file.
pub(crate) fn open_archive(
    layout: &Layout,
    archive: &Layout,
    identity: &str,
) -> Result<File, OpenError> {
    let found = look_for_archive(layout, archive, identity)?;
    make_directory(archive.root())?;
    let lock = lock(archive)?;
    if !found {
        write_durably(archive, &archive.identity(), identity)?;
    }
    make_directory(&archive.objects())?;
    let here = archive.root().to_string_lossy().into_owned();
    let noted = fs::read_to_string(layout.archived()).is_ok_and(|path| path.trim_end() == here);
    // Before the first object can be made there.
    if !noted {
        write_durably(layout, &layout.archived(), &here)?;
    }
    Ok(lock)
}

/// Whether the archive of a store is there; it need not be when there never was one.
pub(crate) fn look_for_archive(
    layout: &Layout,
    archive: &Layout,
    identity: &str,
) -> Result<bool, OpenError> {
    let found = match fs::read_to_string(archive.identity()) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(at(&archive.identity())(error)),
    };
    if let Some(found) = found {
        if found.trim_end() == identity {
            return Ok(true);
        }
        return Err(OpenError::ForeignArchive {
            directory: layout.root().to_owned(),
            archive: archive.root().to_owned(),
        });
    }
    match fs::read_to_string(layout.archived()) {
        Ok(before) => Err(OpenError::NoArchive {
            directory: layout.root().to_owned(),
            archive: archive.root().to_owned(),
            before: PathBuf::from(before.trim_end()),
        }),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(at(&layout.archived())(error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::File { path, source }
}

fn make_directory(path: &Path) -> Result<(), OpenError> {
    disk::make_directories(path).map_err(at(path))
}

fn lock(layout: &Layout) -> Result<File, OpenError> {
    let path = layout.lock();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(OpenError::InUse {
                directory: layout.root().to_owned(),
                holder: holder(&mut file),
            });
        }
        Err(error) => return Err(at(&path)(error.into())),
    }
    // Only a hint for the message above; the lock itself goes with the process.
    file.set_len(0).map_err(at(&path))?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes()).map_err(at(&path))?;
    Ok(file)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(id) if read.is_ok() => format!("process {id}"),
        _ => "another process".to_owned(),
    }
}

fn identity(layout: &Layout) -> Result<String, OpenError> {
    match find_identity(layout)? {
        Some(identity) => Ok(identity),
        None => make_identity(layout),
    }
}

/// The identity; `None` when there is no store yet.
pub(crate) fn find_identity(layout: &Layout) -> Result<Option<String>, OpenError> {
    let path = layout.identity();
    match fs::read_to_string(&path) {
        Ok(text) => {
            let identity = text.trim_end();
            let valid = identity.len() == 32
                && identity.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if valid { Ok(Some(identity.to_owned())) } else { Err(no_identity(layout)) }
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(no_identity(layout)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The identity is older than the first object.
            if layout.objects().exists() {
                return Err(no_identity(layout));
            }
            Ok(None)
        }
        Err(error) => Err(at(&path)(error)),
    }
}

fn no_identity(layout: &Layout) -> OpenError {
    OpenError::NoIdentity { directory: layout.root().to_owned() }
}

fn make_identity(layout: &Layout) -> Result<String, OpenError> {
    let identity = uuid::Uuid::new_v4().simple().to_string();
    write_durably(layout, &layout.identity(), &identity)?;
    Ok(identity)
}

/// Makes a file of one line in the root of a layout.
fn write_durably(layout: &Layout, target: &Path, line: &str) -> Result<(), OpenError> {
    let path = layout.new_file();
    let write = || -> io::Result<()> {
        let file = disk::create(&path)?;
        disk::write_all_at(&file, format!("{line}\n").as_bytes(), 0)?;
        disk::sync(&file, &path)?;
        disk::rename(&path, target)?;
        disk::sync_directory(layout.root())
    };
    write().map_err(at(&path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::FileObjects;
    use super::*;
    use tonnage_domain::objects::Objects;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_store_keeps_its_identity_and_shows_itself_to_nobody() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("deep/er");
        let store = FileObjects::open(&directory).unwrap();
        let identity = store.identity().to_owned();
        assert_eq!(identity.len(), 32);
        drop(store);
        assert_eq!(FileObjects::open(&directory).unwrap().identity(), identity);
        for (name, expected) in
            [("", 0o700), ("objects", 0o700), ("lock", 0o600), ("identity", 0o600)]
        {
            assert_eq!(mode(&directory.join(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_second_opener_is_refused_in_one_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let _store = FileObjects::open(directory.path()).unwrap();
        let refused = FileObjects::open(directory.path()).err().unwrap();
        assert_eq!(
            refused.to_string(),
            format!(
                "the object store {} is in use by process {}: only one process may open it",
                directory.path().display(),
                std::process::id()
            )
        );
        fs::write(directory.path().join("lock"), "?").unwrap();
        let refused = FileObjects::open(directory.path()).err().unwrap();
        assert!(refused.to_string().contains("in use by another process"), "{refused}");
    }

    #[test]
    fn a_lost_or_damaged_identity_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        drop(FileObjects::open(directory.path()).unwrap());
        let identity = directory.path().join("identity");
        for damaged in [Some(&b""[..]), Some(b"0123"), Some(&[0xff; 32]), None] {
            match damaged {
                Some(bytes) => fs::write(&identity, bytes).unwrap(),
                None => fs::remove_file(&identity).unwrap(),
            }
            let refused = FileObjects::open(directory.path()).err().unwrap();
            assert!(matches!(refused, OpenError::NoIdentity { .. }), "{refused}");
        }
    }
}
