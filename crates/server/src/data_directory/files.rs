//! Small files that survive a power failure.

use std::fs;
use std::io;
use std::path::Path;

use tonnage_store::disk;
pub(crate) use tonnage_store::disk::sync_directory;

/// Writes a file (0600) so that it is there whole or not at all, and after a power failure too.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || {
        let file = disk::create(&new)?;
        disk::write_all_at(&file, content, 0)?;
        disk::sync(&file, &new)?;
        disk::rename(&new, path)
    };
    write().inspect_err(|_| {
        // What is left is overwritten by the next attempt.
        let _ = fs::remove_file(&new);
    })?;
    sync_directory(disk::parent(path))
}

/// Removes a file that may be absent.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match disk::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
