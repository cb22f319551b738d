//! The readers: a bounded number of connections, each serving one snapshot at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonnage_domain::metadata::{MetadataError, Row, Transaction, Value};

use super::SqliteOptions;
use super::answers::{Answers, Numbers};
use super::errors::{metadata_error, other, unavailable};
use super::session::{Role, Session};

/// Whether the answers of a snapshot are remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    No,
    Answers,
}

/// The pool of reading connections.
pub(crate) struct Readers {
    path: PathBuf,
    role: Role,
    options: SqliteOptions,
    answers: Arc<Answers>,
    permits: Arc<Semaphore>,
    /// Connections that nobody uses. A broken one is thrown away and opened anew when needed.
    idle: Mutex<Vec<Session>>,
}

impl Readers {
    pub(crate) fn open(
        path: PathBuf,
        role: Role,
        options: SqliteOptions,
        answers: Arc<Answers>,
    ) -> Result<Self, rusqlite::Error> {
        let idle = (0..options.readers)
            .map(|_| Session::open(&path, role, &options, &answers))
            .collect::<Result<Vec<_>, _>>()?;
        let permits = Arc::new(Semaphore::new(options.readers));
        Ok(Self { path, role, options, answers, permits, idle: Mutex::new(idle) })
    }

    pub(crate) async fn begin(
        self: &Arc<Self>,
        keep: Keep,
    ) -> Result<ReadTransaction, MetadataError> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = tokio::time::timeout(self.options.reader_wait, permit)
            .await
            .map_err(|_| unavailable("every reading connection stayed in use"))?
            .map_err(|_| unavailable("the metadata database is closed"))?;
        let session = match self.take() {
            Some(session) => session,
            None => Session::open(&self.path, self.role, &self.options, &self.answers)
                .map_err(metadata_error)?,
        };
        let transaction = ReadTransaction {
            session: Some(session),
            readers: Arc::clone(self),
            numbers: (keep == Keep::Answers).then(|| Box::new(self.answers.numbers())),
            failed: false,
            _permit: permit,
        };
        transaction.pin_snapshot()?;
        Ok(transaction)
    }

    /// Refuses new readers, waits a bounded time for the open ones and closes all connections.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(self.options.readers).unwrap_or(u32::MAX);
        let drained = self.permits.acquire_many(all);
        // When somebody reads on, the checkpoint at the end does what it can.
        let drained = tokio::time::timeout(self.options.reader_wait, drained).await;
        self.permits.close();
        drop(drained);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, session: Session) {
        if !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}

/// A snapshot.
pub(crate) struct ReadTransaction {
    session: Option<Session>,
    readers: Arc<Readers>,
    /// Under what its answers are remembered; noted before the snapshot began.
    numbers: Option<Box<Numbers>>,
    failed: bool,
    /// Dropped last, so that whoever gets it finds the connection in the pool.
    _permit: OwnedSemaphorePermit,
}

impl ReadTransaction {
    /// SQLite takes the snapshot at the first read, not at BEGIN.
    fn pin_snapshot(&self) -> Result<(), MetadataError> {
        let Some(session) = &self.session else { return Err(finished()) };
        session.control("BEGIN DEFERRED").map_err(metadata_error)?;
        session.control("SELECT 1 FROM sqlite_schema LIMIT 1").map_err(metadata_error)
    }

    fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, MetadataError>,
    ) -> Result<T, MetadataError> {
        if self.failed {
            return Err(finished());
        }
        let Some(session) = &mut self.session else { return Err(finished()) };
        let result = work(session);
        self.failed = result.is_err();
        result
    }
}

impl Drop for ReadTransaction {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let ended = session.is_autocommit() || session.control("ROLLBACK").is_ok();
        if ended {
            self.readers.put_back(session);
        }
    }
}

impl Transaction for ReadTransaction {
    fn execute<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, MetadataError>> {
        Box::pin(async move { self.run(|session| session.execute(sql, params)) })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'static str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, MetadataError>> {
        Box::pin(async move {
            let (rows, read) =
                self.run(|session| Ok((session.query(sql, params)?, session.read_last())))?;
            if let Some(numbers) = &self.numbers {
                self.readers.answers.keep(sql, params, &rows, (read, numbers));
            }
            Ok(rows)
        })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), MetadataError>> {
        Box::pin(async move {
            let failed = self.failed;
            drop(self);
            if failed { Err(finished()) } else { Ok(()) }
        })
    }
}

pub(crate) fn finished() -> MetadataError {
    other("a statement of this transaction has failed; it can only be dropped")
}
