//! The metadata executor on SQLite: write-ahead log, full synchronisation, one writer whose
//! transactions share commits, many readers.
//!
//! Statements run on the calling task: they take microseconds, and handing them to another thread
//! would cost more than they do. Only COMMIT and checkpoints wait for the disk; they run on the
//! runtime's blocking threads. See `docs/decisions/0001-sqlite-through-rusqlite.md`.
//!
//! A transaction in [`Mode::Write`] sees what earlier members of its group wrote, which is not
//! committed yet. Its `commit` waits for that too, even when it wrote nothing itself; dropping it
//! cannot. So whoever answers a client from what a writing transaction read commits it first.
//!
//! What is read over and over is given from memory; see `answers` and
//! `docs/decisions/0004-remembered-answers.md`.

mod answers;
#[cfg(test)]
mod answers_tests;
mod errors;
mod look;
mod migrations;
mod readers;
mod session;
#[cfg(test)]
mod tests;
mod write_transaction;
mod writer;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tonnage_domain::metadata::{Metadata, MetadataError, MetadataErrorKind, Mode, Transaction};
use tonnage_domain::schema::{MIGRATIONS, Migration};

use self::answers::Answers;
pub use self::look::SqliteLook;
use self::readers::{Keep, Readers};
use self::session::Role;
use self::write_transaction::WriteTransaction;
use self::writer::{Gate, Writer};
use crate::disk;
use crate::schema::SchemaError;

/// Settings of a database. The defaults suit a registry of any size on one machine.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Reading connections, and so the most snapshots open at a time.
    pub readers: usize,
    /// How long a reader waits for a connection before it is answered `Unavailable`.
    pub reader_wait: Duration,
    /// How long a writer waits for its turn before it is answered `Unavailable`.
    pub writer_wait: Duration,
    /// How many writers may wait; one more is answered `Unavailable` at once.
    pub writers_waiting_max: usize,
    /// How long a statement waits for a lock that another process holds. It blocks its thread, so
    /// this is short; inside one process nobody waits for a lock.
    pub busy_timeout: Duration,
    /// Page cache of the writing connection, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reading connection, in KiB.
    pub reader_cache_kib: u32,
    /// How much of what was read is remembered, in bytes; 0 remembers nothing.
    pub remembered_bytes: usize,
    /// Length of the write-ahead log, in frames of one page (4 KiB), at which it is moved into the
    /// database.
    pub checkpoint_frames: u32,
    /// What the file of the write-ahead log is cut to when it starts anew, in bytes.
    pub wal_bytes_kept: u32,
    /// Whether a commit survives a power failure. `false` is for throw-away databases only.
    pub durable: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 8,
            reader_wait: Duration::from_secs(5),
            writer_wait: Duration::from_secs(30),
            writers_waiting_max: 16_384,
            busy_timeout: Duration::from_millis(500),
            writer_cache_kib: 32 * 1024,
            reader_cache_kib: 8 * 1024,
            remembered_bytes: 32 * 1024 * 1024,
            checkpoint_frames: 1000,
            wal_bytes_kept: 64 * 1024 * 1024,
            durable: true,
        }
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its file or directory cannot be made or opened.
    #[error("the metadata database {} cannot be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Its file is no database any more.
    #[error(
        "the metadata database {} is damaged ({reason}); stop using it and put a backup in its place",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// There is no room for what is made when it is opened.
    #[error("the metadata database {} cannot be opened: its disk is full", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refuses it.
    #[error("SQLite cannot open the metadata database")]
    Sqlite(#[from] rusqlite::Error),
    /// Its schema is not one that this program can use.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl OpenError {
    fn new(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match errors::kind_of(&error) {
            MetadataErrorKind::Corrupt => Self::Damaged { path, reason: errors::reason(&error) },
            MetadataErrorKind::Full => Self::Full { path },
            _ => Self::Sqlite(error),
        }
    }
}

/// A metadata database in a SQLite file.
pub struct SqliteMetadata {
    gate: Arc<Gate>,
    readers: Arc<Readers>,
    answers: Arc<Answers>,
    /// Removed after the connections are closed; fields are dropped in this order.
    _throw_away: Option<ThrowAwayDirectory>,
}

impl SqliteMetadata {
    /// Opens the database at `path`, makes it (0600) and its directory (0700) if need be, and
    /// applies the domain's migrations. Waits for the disk: to be called when the process starts.
    ///
    /// # Errors
    /// [`OpenError`]; its sentences are meant for the operator.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        Self::open_with(path.as_ref(), options, MIGRATIONS)
    }

    /// A database for tests and trials: the same engine and the same behaviour, in a directory of
    /// its own on the memory file system (`/dev/shm`, else the temporary directory), never synced,
    /// gone when dropped.
    ///
    /// # Errors
    /// As [`SqliteMetadata::open`].
    pub fn open_in_memory() -> Result<Self, OpenError> {
        /// The file of such a database before its first use, since migrations take most of the
        /// time that it takes to make one.
        static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();

        let directory = ThrowAwayDirectory::make()?;
        let path = directory.0.join("metadata.db");
        let file_error = |source| OpenError::File { path: path.clone(), source };
        let options = SqliteOptions { durable: false, ..SqliteOptions::default() };
        if let Some(empty) = EMPTY.get() {
            std::fs::write(&path, empty).map_err(file_error)?;
        }
        let mut metadata = Self::open(&path, options)?;
        if EMPTY.get().is_none() {
            let copy = directory.0.join("empty.db");
            let name = copy.to_string_lossy();
            rusqlite::Connection::open(&path)?.execute("VACUUM INTO ?1", [&*name])?;
            // Whoever was first has made the same.
            let _ = EMPTY.set(std::fs::read(&copy).map_err(file_error)?);
        }
        metadata._throw_away = Some(directory);
        Ok(metadata)
    }

    fn open_with(
        path: &Path,
        options: SqliteOptions,
        migrations: &[Migration],
    ) -> Result<Self, OpenError> {
        make_file(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        let failed = |error| OpenError::new(path, error);
        let answers = Answers::new(options.remembered_bytes);
        let mut writer =
            Writer::open(path.to_owned(), options.clone(), Arc::clone(&answers)).map_err(failed)?;
        let connection = writer.session().map_err(failed)?.connection();
        migrations::apply(connection, migrations).map_err(|error| match error {
            OpenError::Sqlite(error) => failed(error),
            other => other,
        })?;
        let readers =
            Readers::open(path.to_owned(), Role::Reader, options.clone(), Arc::clone(&answers));
        let readers = Arc::new(readers.map_err(failed)?);
        Ok(Self { gate: Gate::new(writer, options), readers, answers, _throw_away: None })
    }

    /// Ends orderly: refuses new transactions, waits a bounded time for open readers, commits what
    /// is pending, moves the write-ahead log into the database and closes it. Not needed for
    /// durability. Idempotent: a closed database is a success.
    ///
    /// # Errors
    /// When the log cannot be moved; it is then read at the next start.
    pub async fn close(&self) -> Result<(), MetadataError> {
        let turn = self.gate.turn().await;
        self.gate.close();
        self.readers.close().await;
        let Ok(turn) = turn else { return Ok(()) };
        let closing = tokio::task::spawn_blocking(move || match turn.keep() {
            Some(writer) => writer.close(),
            None => Ok(()),
        });
        closing.await.unwrap_or_else(|_| Err(errors::other("closing the database panicked")))
    }
}

impl Metadata for SqliteMetadata {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            Ok(match mode {
                Mode::Read => Box::new(self.readers.begin(Keep::No).await?) as Box<dyn Transaction>,
                Mode::Write => Box::new(WriteTransaction::begin(self.gate.turn().await?)?),
            })
        })
    }

    fn begin_remembered(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            let keep = if self.answers.is_off() { Keep::No } else { Keep::Answers };
            Ok(Box::new(self.readers.begin(keep).await?) as Box<dyn Transaction>)
        })
    }

    fn recall(&self) -> Option<Box<dyn Transaction>> {
        (!self.answers.is_off()).then(|| Box::new(self.answers.recall()) as Box<dyn Transaction>)
    }
}

/// Makes the file before SQLite does, so that nobody else can read it, and makes its name survive a
/// power failure. The log and its index take over the file's mode.
fn make_file(path: &Path) -> io::Result<()> {
    let directory = disk::parent(path);
    disk::make_directories(directory)?;
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    disk::sync_directory(directory)
}

struct ThrowAwayDirectory(PathBuf);

impl ThrowAwayDirectory {
    fn make() -> Result<Self, OpenError> {
        let name = format!("tonnage-metadata-{}", uuid::Uuid::new_v4().simple());
        let create = |parent: &Path| {
            let path = parent.join(&name);
            let made = fs::DirBuilder::new().mode(0o700).create(&path);
            made.map(|()| Self(path.clone())).map_err(|source| OpenError::File { path, source })
        };
        create(Path::new("/dev/shm")).or_else(|_| create(&std::env::temp_dir()))
    }
}

impl Drop for ThrowAwayDirectory {
    fn drop(&mut self) {
        // Whatever is left is in a temporary place.
        let _ = fs::remove_dir_all(&self.0);
    }
}
