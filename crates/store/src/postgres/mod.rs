//! The metadata executor on PostgreSQL: snapshots for readers, one writer at a time.
//!
//! Whoever writes holds a transaction-level advisory lock, so that the domain may read, decide and
//! write as it does on SQLite. Statements are unnamed and carry the types of their parameters, one
//! round trip each, so poolers in transaction mode work. See
//! `docs/decisions/0003-postgresql-through-tokio-postgres.md`.

mod errors;
mod look;
mod migrations;
mod pool;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod url;
mod values;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tonnage_domain::metadata::{Metadata, MetadataError, Mode, Transaction};
use tonnage_domain::schema::{MIGRATIONS, Migration};

pub use self::look::PostgresLook;
use self::pool::Pool;
use self::transaction::PostgresTransaction;
pub use self::url::{PostgresUrl, UrlError};
use crate::schema::SchemaError;

/// Settings of a database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections of this process, and so its most transactions at a time.
    pub connections: usize,
    /// How long a transaction waits for a connection before it is answered `Unavailable`.
    pub connection_wait: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a writer waits for its turn before it is answered `Unavailable`.
    pub writer_wait: Duration,
    /// How many writers may wait; one more is answered `Unavailable` at once.
    pub writers_waiting_max: usize,
    /// How long one statement may take before its connection is given up.
    pub statement_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            connection_wait: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            writer_wait: Duration::from_secs(30),
            writers_waiting_max: 16_384,
            statement_timeout: Duration::from_secs(60),
        }
    }
}

/// Why a database cannot be opened. No text of it holds the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It cannot be reached, or it refuses us, for now at least.
    #[error("the metadata database at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Host, port and name of the database.
        server: String,
        /// What the connection or the server said.
        reason: String,
    },
    /// It answered, and will answer so again until somebody changes something.
    #[error(
        "the metadata database at {server} refuses this program: {reason}; correct `metadata_url`, \
         or what that server allows"
    )]
    Refused {
        /// Host, port and name of the database.
        server: String,
        /// What the server said.
        reason: String,
    },
    /// Its schema is not one that this program can use.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// A metadata database on a PostgreSQL server.
pub struct PostgresMetadata {
    pool: Arc<Pool>,
    /// The writers of this process queue here, in order, so that only the first waits in the
    /// database, with a connection.
    turn: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    options: PostgresOptions,
}

impl PostgresMetadata {
    /// Connects once, to see that it works, and applies the domain's migrations. Several processes
    /// may do so at once.
    ///
    /// # Errors
    /// [`OpenError`]; its sentences are meant for the operator.
    pub async fn open(url: &PostgresUrl, options: PostgresOptions) -> Result<Self, OpenError> {
        Self::open_with(url, options, MIGRATIONS).await
    }

    async fn open_with(
        url: &PostgresUrl,
        options: PostgresOptions,
        migrations: &[Migration],
    ) -> Result<Self, OpenError> {
        let pool = Arc::new(Pool::new(url, &options));
        let mut connection = pool.take().await.map_err(|error| errors::open_error(url, &error))?;
        migrations::apply(url, connection.client(), migrations).await?;
        connection.give_back();
        Ok(Self {
            pool,
            turn: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(Semaphore::new(options.writers_waiting_max)),
            options,
        })
    }

    /// Refuses new transactions and closes the connections that are not in use; the others close
    /// when their transaction ends. Not needed for durability.
    pub fn close(&self) {
        self.pool.close();
    }

    async fn begin_read(&self) -> Result<PostgresTransaction, MetadataError> {
        PostgresTransaction::begin_read(&self.pool, &self.options).await
    }

    async fn begin_write(&self) -> Result<PostgresTransaction, MetadataError> {
        let too_many = || errors::unavailable("too many transactions wait to write");
        let _waiting = self.waiting.try_acquire().map_err(|_| too_many())?;
        let turn =
            tokio::time::timeout(self.options.writer_wait, Arc::clone(&self.turn).acquire_owned())
                .await
                .map_err(|_| errors::unavailable("no turn to write within the bound"))?
                .map_err(|_| errors::unavailable("the database is closed"))?;
        PostgresTransaction::begin_write(&self.pool, &self.options, turn).await
    }
}

impl Metadata for PostgresMetadata {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            Ok(Box::new(match mode {
                Mode::Read => self.begin_read().await?,
                Mode::Write => self.begin_write().await?,
            }) as Box<dyn Transaction>)
        })
    }
}
