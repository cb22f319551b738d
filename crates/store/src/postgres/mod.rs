//! The metadata executor on PostgreSQL: snapshots for readers, one writing group at a time.
//!
//! Whoever writes is under a transaction-level advisory lock, so that the domain may read, decide
//! and write as it does on SQLite, and writers that wait at the same time share a COMMIT.
//! Statements are unnamed and carry the types of their parameters, so poolers in transaction mode
//! work. See `docs/decisions/0003-postgresql-through-tokio-postgres.md`.

mod errors;
mod group;
mod look;
mod migrations;
mod pool;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;
mod url;
mod values;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tonnage_domain::metadata::{Metadata, MetadataError, Mode, Transaction};
use tonnage_domain::schema::{MIGRATIONS, Migration};

pub use self::look::PostgresLook;
use self::pool::Pool;
use self::transaction::{ReadTransaction, WriteTransaction};
pub use self::url::{PostgresUrl, UrlError};
use self::writer::Gate;
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
    /// How long one statement may take before it fails.
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
    /// The file of `sslrootcert` is no use.
    #[error("the root certificate {} of sslrootcert cannot be used: {reason}", path.display())]
    RootCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Its schema is not one that this program can use.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// A metadata database on a PostgreSQL server.
pub struct PostgresMetadata {
    pool: Arc<Pool>,
    /// The writers of this process queue here, so that one connection waits in the database.
    gate: Arc<Gate>,
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
        let pool = Arc::new(Pool::new(url, &options)?);
        let mut connection = pool.take().await.map_err(|error| errors::open_error(url, &error))?;
        migrations::apply(url, connection.client(), migrations).await?;
        connection.give_back();
        Ok(Self { gate: Gate::new(Arc::clone(&pool), options.clone()), pool, options })
    }

    /// Refuses new transactions and closes the connections that are not in use; the others close
    /// when their transaction ends. Not needed for durability.
    pub fn close(&self) {
        self.gate.close();
        self.pool.close();
    }
}

impl Metadata for PostgresMetadata {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            Ok(match mode {
                Mode::Read => Box::new(ReadTransaction::begin(&self.pool, &self.options).await?)
                    as Box<dyn Transaction>,
                Mode::Write => Box::new(WriteTransaction::new(self.gate.turn().await?)),
            })
        })
    }
}
