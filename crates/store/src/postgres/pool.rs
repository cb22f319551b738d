//! The connections of one process: so many at most, taken and given back, replaced when broken.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tonnage_domain::metadata::MetadataError;

use super::{OpenError, PostgresOptions, PostgresUrl, errors, tls};

/// How long a lost peer may stay unnoticed while we wait for its answer.
const PEER_LOST_AFTER: Duration = Duration::from_secs(30);

pub(super) struct Pool {
    config: Config,
    tls: MakeRustlsConnect,
    connect_timeout: Duration,
    wait: Duration,
    permits: Arc<Semaphore>,
    /// The last one given back is taken first, so that the others fall idle.
    idle: Mutex<Vec<Client>>,
}

impl Pool {
    /// # Errors
    /// [`OpenError::RootCertificate`]; nothing is connected yet.
    pub(super) fn new(url: &PostgresUrl, options: &PostgresOptions) -> Result<Self, OpenError> {
        let mut config = url.config();
        config
            .connect_timeout(options.connect_timeout)
            .keepalives_idle(PEER_LOST_AFTER)
            .tcp_user_timeout(PEER_LOST_AFTER);
        Ok(Self {
            config,
            tls: tls::connector(url.verification())?,
            connect_timeout: options.connect_timeout,
            wait: options.connection_wait,
            permits: Arc::new(Semaphore::new(options.connections)),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// A connection on which `sql`, which begins a transaction, has run.
    pub(super) async fn begin(
        self: &Arc<Self>,
        sql: &str,
        timeout: Duration,
    ) -> Result<Pooled, MetadataError> {
        let mut connection = self.take().await?;
        let begun = connection.batch(sql, timeout).await;
        if begun.is_err() && connection.client().is_closed() {
            // A connection that rested may have died unnoticed; nothing has been done on it.
            drop(connection);
            let mut connection = self.take_new().await?;
            connection.batch(sql, timeout).await?;
            return Ok(connection);
        }
        begun?;
        Ok(connection)
    }

    /// A connection with no transaction open: a resting one if there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Pooled, MetadataError> {
        let permit = self.permit().await?;
        let resting = self.take_idle();
        let client = match resting {
            Some(client) => client,
            None => self.connect().await?,
        };
        Ok(Pooled { client: Some(client), pool: Arc::clone(self), _permit: permit })
    }

    /// A connection made just now, for whoever found a resting one to be dead.
    async fn take_new(self: &Arc<Self>) -> Result<Pooled, MetadataError> {
        let permit = self.permit().await?;
        let client = self.connect().await?;
        Ok(Pooled { client: Some(client), pool: Arc::clone(self), _permit: permit })
    }

    /// Refuses from now on, and closes what rests.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, MetadataError> {
        tokio::time::timeout(self.wait, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| errors::unavailable("no connection within the bound"))?
            .map_err(|_| errors::unavailable("the database is closed"))
    }

    fn take_idle(&self) -> Option<Client> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(client) = idle.pop() {
            if !client.is_closed() {
                return Some(client);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Client, MetadataError> {
        // Bounds the log-in too; the driver's own bound ends with the handshake of TCP.
        let connecting =
            tokio::time::timeout(self.connect_timeout, self.config.connect(self.tls.clone()));
        let (client, connection) = connecting
            .await
            .map_err(|_| errors::unavailable("the server did not answer in time"))?
            .map_err(errors::metadata_error)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "a connection to the metadata database broke");
            }
        });
        Ok(client)
    }
}

/// A connection in use; dropping it closes the connection, which ends its transaction.
pub(super) struct Pooled {
    client: Option<Client>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pooled {
    /// The connection.
    pub(super) fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("taken only when given back")
    }

    /// Runs statements in one message. After an error, or without an answer in time, the connection
    /// is only good for being dropped.
    pub(super) async fn batch(
        &mut self,
        sql: &str,
        timeout: Duration,
    ) -> Result<(), MetadataError> {
        tokio::time::timeout(timeout, self.client().batch_execute(sql))
            .await
            .map_err(|_| errors::unavailable("the server did not answer in time"))?
            .map_err(errors::metadata_error)
    }

    /// Lets the next one have it. There must be no transaction open.
    pub(super) fn give_back(mut self) {
        let Some(client) = self.client.take() else { return };
        if !client.is_closed() && !self.pool.permits.is_closed() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }
}
