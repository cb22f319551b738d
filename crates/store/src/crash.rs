//! Ends the process at a chosen call that changes something on disk, and knows what a power failure
//! would have left at that moment.
//!
//! A test runs itself again as a child, which calls [`arm`] before what it examines. Everything the
//! file store, the data directory and the two metadata engines do to the disk passes [`reached`].
//!
//! With [`watch`], files and names below a directory are followed into a *shadow*: the bytes of a
//! file as of its last sync, the names in a directory as of its last sync. [`after_power_failure`]
//! makes the tree that only has these.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// So that a run of every test takes a minute and not several.
const STRIDE: u64 = 4;

static STATE: Mutex<State> = Mutex::new(State { remaining: None, passed: 0, watched: None });

struct State {
    /// Points until the process ends, that one included.
    remaining: Option<u64>,
    passed: u64,
    watched: Option<Watched>,
}

struct Watched {
    root: PathBuf,
    shadow: PathBuf,
}

/// Ends the process at the `nth` point from now on; 1 is the next one.
pub fn arm(nth: u64) {
    lock().remaining = Some(nth);
}

/// The points of one test from 1 on: all of them, or every so-many-th from a start that differs from
/// run to run. `TONNAGE_TEST_CRASH_STRIDE` says how many, `TONNAGE_TEST_CRASH_POINT` where to start,
/// to try a point again.
pub fn points(max: u64) -> impl Iterator<Item = u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let stride = number("TONNAGE_TEST_CRASH_STRIDE").unwrap_or(STRIDE).max(1);
    let start = number("TONNAGE_TEST_CRASH_POINT").unwrap_or_else(|| {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        1 + u64::from(time.subsec_micros()) % stride
    });
    (start..=max).step_by(usize::try_from(stride).unwrap_or(usize::MAX))
}

/// How many points this process has passed.
pub fn passed() -> u64 {
    lock().passed
}

/// Follows what is durable below `root` in the directory `shadow`. What is there counts as durable
/// unless an earlier process has followed it into the same shadow.
///
/// # Errors
/// Those of the operating system.
pub fn watch(root: &Path, shadow: &Path) -> io::Result<()> {
    let watched = Watched { root: root.to_owned(), shadow: shadow.to_owned() };
    if !shadow.exists() {
        fs::create_dir_all(shadow)?;
        watched.take_all(root)?;
    }
    lock().watched = Some(watched);
    Ok(())
}

/// Makes in `target` what a power failure would leave of `root`.
///
/// # Errors
/// Those of the operating system.
pub fn after_power_failure(root: &Path, shadow: &Path, target: &Path) -> io::Result<()> {
    make_durable(fs::metadata(root)?.ino(), shadow, target)
}

fn make_durable(directory: u64, shadow: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    let names = read_if_there(&shadow.join(format!("{directory}.names")))?;
    for line in String::from_utf8_lossy(&names).lines() {
        let mut parts = line.splitn(3, ' ');
        let (Some(kind), Some(inode), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(io::Error::other(format!("the shadow holds {line:?}")));
        };
        let inode = inode.parse().map_err(io::Error::other)?;
        if kind == "d" {
            make_durable(inode, shadow, &target.join(name))?;
        } else {
            fs::write(target.join(name), read_if_there(&shadow.join(format!("{inode}.bytes")))?)?;
        }
    }
    Ok(())
}

fn read_if_there(path: &Path) -> io::Result<Vec<u8>> {
    Ok(if_there(fs::read(path))?.unwrap_or_default())
}

/// Somebody else may remove a file while a directory is read: a database that closes, its log.
fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

impl Watched {
    fn take_all(&self, directory: &Path) -> io::Result<()> {
        self.take_names(directory)?;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let taken = if path.is_dir() { self.take_all(&path) } else { self.take_bytes(&path) };
            if_there(taken)?;
        }
        Ok(())
    }

    fn take_names(&self, directory: &Path) -> io::Result<()> {
        let mut names = String::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = if entry.file_type()?.is_dir() { "d" } else { "f" };
            let name = entry.file_name();
            let Some(inode) = if_there(entry.metadata())?.map(|metadata| metadata.ino()) else {
                continue;
            };
            names.push_str(&format!("{kind} {inode} {}\n", name.to_string_lossy()));
        }
        fs::write(self.shadow.join(format!("{}.names", fs::metadata(directory)?.ino())), names)
    }

    fn take_bytes(&self, file: &Path) -> io::Result<()> {
        let inode = fs::metadata(file)?.ino();
        fs::copy(file, self.shadow.join(format!("{inode}.bytes"))).map(drop)
    }

    /// An inode number may have belonged to something that is gone.
    fn forget(&self, path: &Path) -> io::Result<()> {
        let inode = fs::metadata(path)?.ino();
        for kind in ["bytes", "names"] {
            match fs::remove_file(self.shadow.join(format!("{inode}.{kind}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The process is about to do `what`, and ends here if it was told to.
pub(crate) fn reached(what: &str) {
    let mut state = lock();
    state.passed += 1;
    let Some(remaining) = &mut state.remaining else { return };
    *remaining -= 1;
    if *remaining == 0 {
        eprintln!("the process ends before: {what}");
        std::process::abort();
    }
}

/// Something new has this name.
pub(crate) fn created(path: &Path) -> io::Result<()> {
    watched(path, Watched::forget)
}

/// The bytes of a file are durable.
pub(crate) fn synced(path: &Path) -> io::Result<()> {
    watched(path, Watched::take_bytes)
}

/// The names in a directory are durable.
pub(crate) fn synced_names(directory: &Path) -> io::Result<()> {
    watched(directory, Watched::take_names)
}

fn watched(path: &Path, note: fn(&Watched, &Path) -> io::Result<()>) -> io::Result<()> {
    match &lock().watched {
        Some(watched) if path.starts_with(&watched.root) => note(watched, path),
        _ => Ok(()),
    }
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;

    /// What is there after a power failure, as `path` and content.
    fn left(root: &Path, shadow: &Path) -> Vec<(String, String)> {
        let target = tempfile::tempdir().unwrap();
        after_power_failure(root, shadow, target.path()).unwrap();
        let mut found = Vec::new();
        let mut directories = vec![target.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(target.path()).unwrap().display().to_string();
                if path.is_dir() {
                    found.push((name, "/".to_owned()));
                    directories.push(path);
                } else {
                    found.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    /// The one test that watches: what is watched is the process's.
    #[test]
    fn what_was_not_synced_is_lost() {
        let (root, shadows) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (root, shadow) = (root.path(), shadows.path().join("shadow"));
        fs::write(root.join("old"), "old").unwrap();
        watch(root, &shadow).unwrap();
        let check = |expected: &[(&str, &str)]| {
            let expected: Vec<_> =
                expected.iter().map(|(n, c)| ((*n).to_owned(), (*c).to_owned())).collect();
            assert_eq!(left(root, &shadow), expected);
        };
        check(&[("old", "old")]);

        let path = root.join("d/new");
        disk::make_directory(&root.join("d")).unwrap();
        let file = disk::create_new(&path).unwrap();
        disk::write_all_at(&file, b"whole", 0).unwrap();
        disk::sync(&file, &path).unwrap();
        disk::sync_directory(&root.join("d")).unwrap();
        check(&[("old", "old")]);
        disk::sync_directory(root).unwrap();
        check(&[("d", "/"), ("d/new", "whole"), ("old", "old")]);

        disk::write_all_at(&file, b" and more", 5).unwrap();
        disk::rename(&path, &root.join("d/name")).unwrap();
        disk::remove_file(&root.join("old")).unwrap();
        check(&[("d", "/"), ("d/new", "whole"), ("old", "old")]);
        disk::sync_directory(&root.join("d")).unwrap();
        check(&[("d", "/"), ("d/name", "whole"), ("old", "old")]);
        disk::sync(&file, &root.join("d/name")).unwrap();
        disk::sync_directory(root).unwrap();
        check(&[("d", "/"), ("d/name", "whole and more")]);

        // A name that is durable before the bytes.
        disk::create_new(&root.join("empty")).unwrap();
        disk::sync_directory(root).unwrap();
        check(&[("d", "/"), ("d/name", "whole and more"), ("empty", "")]);
    }
}
