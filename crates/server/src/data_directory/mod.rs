//! The data directory: what lies in it, and who may use it.
//!
//! ```text
//! lock              held by the server that uses the directory
//! root.key          the root key, made before anything that it seals
//! root.key.next     the root key that is to follow, while it is changed (see rotation.rs)
//! root.key.previous the root key before, until a server has started with the new one
//! credentials       the root access key of the first start, in the form of AWS credentials files
//! restore.pending   there while a backup is restored into the directory
//! metadata.sqlite   the metadata database, with its write-ahead log beside it
//! objects/          the blobs
//! runtime.json      where the running server listens; gone when it stopped orderly
//! admin.sock        the running server's socket for its own subcommands
//! ```

pub(crate) mod credentials;
mod files;
pub(crate) mod restore;
mod root_key;
pub(crate) mod rotation;
pub(crate) mod runtime;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::fs::{Access, FlockOperation, access, flock, statvfs};
use rustix::io::Errno;

pub(crate) use self::files::{remove, sync_directory, write_durably};
pub(crate) use self::root_key::{
    KeySource, find_root_key, look_for_root_key, missing_root_key, read_or_make_root_key,
};
use crate::config::Storage;

/// Names that only a data directory of ours has.
const OURS: &[&str] = &[
    "lock",
    "root.key",
    "credentials",
    "credentials.pending",
    "metadata.sqlite",
    "restore.pending",
];
/// What a new file system or an orchestrator puts into an empty directory.
const IGNORED: &[&str] = &["lost+found"];

/// The names in a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout(PathBuf);

impl Layout {
    /// The layout under `directory`, which need not exist.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// The directory itself.
    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }

    /// The metadata database.
    pub(crate) fn metadata(&self) -> PathBuf {
        self.0.join("metadata.sqlite")
    }

    /// What the metadata are called after they were moved to another database.
    pub(crate) fn moved_metadata(&self) -> PathBuf {
        self.0.join("metadata.sqlite.moved")
    }

    /// The blobs.
    pub(crate) fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    /// The root key.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.0.join("root.key")
    }

    /// The root key that is to follow, while it is changed.
    pub(crate) fn next_root_key(&self) -> PathBuf {
        self.0.join("root.key.next")
    }

    /// The root key before the last change.
    pub(crate) fn previous_root_key(&self) -> PathBuf {
        self.0.join("root.key.previous")
    }

    /// The root access key of the first start.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.0.join("credentials")
    }

    /// The root access key of a first start that has not committed yet, as far as is known.
    pub(crate) fn pending_credentials(&self) -> PathBuf {
        self.0.join("credentials.pending")
    }

    /// There while a backup is restored into the directory.
    pub(crate) fn pending_restore(&self) -> PathBuf {
        self.0.join("restore.pending")
    }

    /// Where the scanner puts files for a moment.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.0.join("scratch")
    }

    /// Files that are being fetched from others; emptied at every start.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.0.join("downloads")
    }

    /// Where the running server listens.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.0.join("runtime.json")
    }

    /// The socket of the running server.
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }
}

/// A data directory that belongs to this process until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    layout: Layout,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory if it is not there, and locks it.
    ///
    /// # Errors
    /// One sentence for a directory that is somebody else's, in use, or not writable.
    pub(crate) fn open(layout: Layout) -> Result<Self> {
        make(layout.directory())?;
        refuse_foreign(layout.directory())?;
        let lock = lock(&layout)?;
        restore::Pending::refuse(&layout)?;
        let mode =
            fs::metadata(layout.directory()).map(|metadata| metadata.mode()).unwrap_or(0o700);
        if mode & 0o077 != 0 {
            tracing::warn!(
                directory = %layout.directory().display(),
                "other users of this machine may open the data directory; run `chmod 700` on it"
            );
        }
        Ok(Self { layout, _lock: lock })
    }

    /// Locks a directory that a server has used and that none uses now, for work on what is in it.
    ///
    /// # Errors
    /// One sentence when there is no registry in it, when a server runs on it, or when it is
    /// another user's: files made by this one would keep that user's server from starting.
    pub(crate) fn open_stopped(storage: &Storage) -> Result<Self> {
        let layout = Layout::new(storage.data_dir.clone());
        let directory = layout.directory();
        let sign = match storage.metadata_url {
            None => layout.metadata(),
            Some(_) => layout.objects(),
        };
        if !sign.exists() {
            bail!(
                "there is no registry in {}; name the data directory of one with `--data-dir`",
                directory.display()
            );
        }
        let owner = fs::metadata(directory)
            .with_context(|| format!("{} cannot be looked at", directory.display()))?
            .uid();
        if owner != rustix::process::geteuid().as_raw() {
            bail!(
                "the data directory {} belongs to the user with id {owner}; run this command as \
                 that user, for example with `sudo -u '#{owner}'`",
                directory.display()
            );
        }
        let lock = lock(&layout)?;
        restore::Pending::refuse(&layout)?;
        Ok(Self { layout, _lock: lock })
    }

    /// Makes and locks a directory to restore a backup into. Nothing may be in it but the root key
    /// that the operator put there, or what a restore that broke off has left.
    ///
    /// # Errors
    /// One sentence for a directory that is not empty, in use, or not writable.
    pub(crate) fn open_for_restore(layout: Layout) -> Result<Self> {
        const ALLOWED: &[&str] = &["lock", "root.key", "restore.pending.new"];
        make(layout.directory())?;
        let directory = layout.directory().display();
        if !layout.pending_restore().exists() {
            let entries = fs::read_dir(layout.directory())
                .with_context(|| format!("the data directory {directory} cannot be read"))?;
            for entry in entries {
                let name = entry?.file_name();
                if !ALLOWED.iter().chain(IGNORED).any(|allowed| name == *allowed) {
                    bail!(
                        "{directory} is not empty, it holds {:?}; a backup is restored into an \
                         empty directory, with nothing but `root.key` in it",
                        name.to_string_lossy()
                    );
                }
            }
        }
        let lock = lock(&layout)?;
        Ok(Self { layout, _lock: lock })
    }

    /// The names in it.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
}

fn make(directory: &Path) -> Result<()> {
    refuse_file(directory)?;
    tonnage_store::disk::make_directories(directory).with_context(|| cannot_make(directory))
}

fn refuse_file(directory: &Path) -> Result<()> {
    if fs::metadata(directory).is_ok_and(|metadata| !metadata.is_dir()) {
        bail!(
            "the data directory {} is a file; name a directory with `--data-dir`",
            directory.display()
        );
    }
    Ok(())
}

fn cannot_make(directory: &Path) -> String {
    format!("the data directory {} cannot be made", directory.display())
}

/// Whether there is a data directory, by looking only. One that is not there could be made.
///
/// # Errors
/// As [`DataDirectory::open`], but that a server may use it.
pub(crate) fn look(directory: &Path) -> Result<bool> {
    let usable = Access::WRITE_OK | Access::EXEC_OK;
    if !directory.exists() {
        let parent = directory.ancestors().skip(1).find(|ancestor| ancestor.exists());
        if let Some(parent) = parent.filter(|parent| !parent.as_os_str().is_empty()) {
            access(parent, usable)
                .map_err(io::Error::from)
                .and_then(|()| fs::read_dir(parent).map(drop))
                .with_context(|| cannot_make(directory))?;
        }
        return Ok(false);
    }
    refuse_file(directory)?;
    refuse_foreign(directory)?;
    access(directory, usable).map_err(|error| cannot_lock(directory, &error.into()))?;
    let free = statvfs(directory).map_or(u64::MAX, |numbers| numbers.f_bavail);
    if free == 0 {
        return Err(cannot_lock(directory, &Errno::NOSPC.into()));
    }
    Ok(true)
}

fn refuse_foreign(directory: &Path) -> Result<()> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("the data directory {} cannot be read", directory.display()))?;
    let mut foreign = None;
    for entry in entries {
        let name = entry?.file_name();
        if OURS.iter().any(|ours| name == *ours) {
            return Ok(());
        }
        if !IGNORED.iter().any(|ignored| name == *ignored) {
            foreign = Some(name);
        }
    }
    match foreign {
        None => Ok(()),
        Some(name) => bail!(
            "{} is no data directory of Tonnage, it holds {:?} and other things; name an empty \
             directory with `--data-dir`",
            directory.display(),
            name.to_string_lossy()
        ),
    }
}

fn cannot_lock(directory: &Path, error: &io::Error) -> anyhow::Error {
    let directory = directory.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => anyhow!(
            "the data directory {directory} cannot be written to ({error}); make it writable for \
             this user, or name another with `--data-dir`"
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            anyhow!("the disk of the data directory {directory} is full; make room on it")
        }
        _ => anyhow!("the data directory {directory} cannot be locked: {error}"),
    }
}

fn lock(layout: &Layout) -> Result<File> {
    let directory = layout.directory().display();
    let path = layout.directory().join("lock");
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let mut file = open.map_err(|error| cannot_lock(layout.directory(), &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // Only a hint for the message.
            let _ = (&file).take(32).read_to_string(&mut holder);
            let holder = match holder.trim().parse::<u32>() {
                Ok(id) => format!("process {id}"),
                Err(_) => "another process".to_owned(),
            };
            bail!(
                "the data directory {directory} is in use by {holder}; stop that server, or name \
                 another directory with `--data-dir`"
            );
        }
        Err(error) => return Err(cannot_lock(layout.directory(), &error.into())),
    }
    file.set_len(0)
        .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()))
        .map_err(|error| cannot_lock(layout.directory(), &error))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], accepted: bool) {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(refuse_foreign(directory.path()).is_ok(), accepted, "{names:?}");
    }

    #[test]
    fn a_directory_with_other_peoples_files_is_not_taken() {
        check(&[], true);
        check(&["lost+found"], true);
        check(&["root.key"], true);
        check(&["lock", "notes.txt"], true);
        check(&["notes.txt"], false);
        check(&["lost+found", "notes.txt"], false);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_refused_with_what_to_do() {
        for (kind, word) in [
            (io::ErrorKind::PermissionDenied, "make it writable"),
            (io::ErrorKind::ReadOnlyFilesystem, "--data-dir"),
            (io::ErrorKind::StorageFull, "make room"),
            (io::ErrorKind::Other, "cannot be locked"),
        ] {
            let sentence = cannot_lock(Path::new("/data"), &kind.into()).to_string();
            assert!(sentence.contains("/data") && sentence.contains(word), "{sentence}");
        }
    }

    #[test]
    fn a_directory_has_one_user_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().join("data"));
        let first = DataDirectory::open(layout.clone()).unwrap();
        let refusal = DataDirectory::open(layout.clone()).unwrap_err().to_string();
        assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        drop(first);
        DataDirectory::open(layout).unwrap();
    }
}
