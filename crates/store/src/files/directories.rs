//! Directories whose names are known to survive a power failure.
//!
//! A file's own directory is synced for every file. The directories above it change once, but
//! whoever made one may not have synced it yet (another upload, or a process that was killed in
//! between), so each process syncs them before the first file it acknowledges there.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::{make_directory, sync_directory};

use super::layout::{BRANCHES, LEAVES, Layout, ObjectPath};

/// What this process has synced. Only ever set after the sync succeeded.
pub(crate) struct Directories {
    branches: Vec<AtomicBool>,
    leaves: Vec<AtomicBool>,
}

impl Directories {
    pub(crate) fn new() -> Self {
        let unknown = |count| (0..count).map(|_| AtomicBool::new(false)).collect();
        Self { branches: unknown(BRANCHES), leaves: unknown(LEAVES) }
    }

    /// Makes the directories of an object; they may exist.
    pub(crate) fn make(&self, path: &ObjectPath) -> io::Result<()> {
        for directory in [&path.branch, &path.leaf] {
            match make_directory(directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the name of an object, and of every directory above it, survive a power failure.
    pub(crate) fn sync(&self, layout: &Layout, path: &ObjectPath) -> io::Result<()> {
        sync_directory(&path.leaf)?;
        once(self.leaves.get(path.leaf_number), || sync_directory(&path.branch))?;
        once(self.branches.get(path.branch_number), || sync_directory(&layout.objects()))
    }
}

fn once(done: Option<&AtomicBool>, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    if done.is_some_and(|done| done.load(Ordering::Acquire)) {
        return Ok(());
    }
    work()?;
    if let Some(done) = done {
        done.store(true, Ordering::Release);
    }
    Ok(())
}
