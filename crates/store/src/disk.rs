//! The calls that change files and directories, in one place.
//!
//! Each is a point at which the tests end the process, and the syncs tell them what a power failure
//! would leave. Without the feature `testing` there is nothing here but the calls.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::crash;

/// Makes a file (0600) that must not exist.
///
/// # Errors
/// Those of the operating system.
pub fn create_new(path: &Path) -> io::Result<File> {
    crash::reached("create a file");
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    crash::created(path)?;
    Ok(file)
}

/// Makes an empty file (0600), or empties the one that is there.
///
/// # Errors
/// Those of the operating system.
pub fn create(path: &Path) -> io::Result<File> {
    crash::reached("create or empty a file");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    crash::created(path)?;
    Ok(file)
}

/// Writes all bytes at an offset.
///
/// # Errors
/// Those of the operating system; a part may have been written.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    crash::reached("write");
    #[cfg(feature = "testing")]
    let (bytes, offset) = {
        let (half, rest) = bytes.split_at(bytes.len() / 2);
        file.write_all_at(half, offset)?;
        crash::reached("write the second half");
        (rest, offset + half.len() as u64)
    };
    file.write_all_at(bytes, offset)
}

/// Cuts a file.
///
/// # Errors
/// Those of the operating system.
pub fn set_len(file: &File, length: u64) -> io::Result<()> {
    crash::reached("cut a file");
    file.set_len(length)
}

/// Makes the bytes of a file survive a power failure; `path` is its name.
///
/// # Errors
/// Those of the operating system; then the bytes may be lost, whatever a later call says.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    crash::reached("sync a file");
    file.sync_data()?;
    crash::synced(path)
}

/// Makes a directory (0700) that must not exist.
///
/// # Errors
/// Those of the operating system.
pub fn make_directory(path: &Path) -> io::Result<()> {
    crash::reached("make a directory");
    fs::DirBuilder::new().mode(0o700).create(path)?;
    crash::created(path)
}

/// Makes a directory and those above it that are missing, and makes their names survive a power
/// failure; also the names of those that are there, up to the root of the file system, because a
/// process that was killed may have made them.
///
/// # Errors
/// Those of the operating system.
pub fn make_directories(path: &Path) -> io::Result<()> {
    let parent = parent(path);
    if is_root(path, parent) {
        return Ok(());
    }
    make_directories(parent)?;
    let made =
        if path.is_dir() { Err(io::ErrorKind::AlreadyExists.into()) } else { make_directory(path) };
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            match sync_directory(parent) {
                // Somebody else's directory, which we cannot have made anything in, or one of a file
                // system that does not write or does not sync.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::PermissionDenied
                            | io::ErrorKind::ReadOnlyFilesystem
                            | io::ErrorKind::InvalidInput
                            | io::ErrorKind::Unsupported
                    ) =>
                {
                    Ok(())
                }
                result => result,
            }
        }
        Err(error) => Err(error),
        Ok(()) => sync_directory(parent),
    }
}

/// Whether a directory is the root of a file system, whose name is in another one or nowhere.
fn is_root(path: &Path, parent: &Path) -> bool {
    let (Ok(own), Ok(above)) = (fs::metadata(path), fs::metadata(parent)) else { return false };
    own.is_dir() && (own.dev() != above.dev() || own.ino() == above.ino())
}

/// The directory that holds a name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        // The root is its own.
        None => path,
        Some(_) => Path::new("."),
    }
}

/// Gives a file another name in the place of whatever had it.
///
/// # Errors
/// Those of the operating system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    crash::reached("rename");
    fs::rename(from, to)
}

/// Removes a file.
///
/// # Errors
/// Those of the operating system.
pub fn remove_file(path: &Path) -> io::Result<()> {
    crash::reached("remove a file");
    fs::remove_file(path)
}

/// Removes a directory that must be empty.
///
/// # Errors
/// Those of the operating system.
pub fn remove_directory(path: &Path) -> io::Result<()> {
    crash::reached("remove a directory");
    fs::remove_dir(path)
}

/// Makes the names in a directory survive a power failure.
///
/// # Errors
/// Those of the operating system.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    crash::reached("sync a directory");
    File::open(path)?.sync_all()?;
    crash::synced_names(path)
}
