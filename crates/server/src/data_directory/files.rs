//! Small files that survive a power failure.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file (0600) so that it is there whole or not at all, and after a power failure too.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| {
        // What is left is overwritten by the next attempt.
        let _ = fs::remove_file(&new);
    })?;
    sync_directory(path.parent().unwrap_or_else(|| Path::new(".")))
}

/// Makes the names in a directory survive a power failure.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes a file that may be absent.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
