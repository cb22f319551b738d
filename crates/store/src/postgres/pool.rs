//! The connections of one process: so many at most, taken and given back, replaced when broken.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Client, Config, NoTls};
use tonnage_domain::metadata::MetadataError;

use super::{PostgresOptions, PostgresUrl, errors};

/// How long a lost peer may stay unnoticed while we wait for its answer.
const PEER_LOST_AFTER: Duration = Duration::from_secs(30);

pub(super) struct Pool {
    config: Config,
    connect_timeout: Duration,
    wait: Duration,
    permits: Arc<Semaphore>,
    /// The last one given back is taken first, so that the others fall idle.
    idle: Mutex<Vec<Client>>,
}

impl Pool {
    pub(super) fn new(url: &PostgresUrl, options: &PostgresOptions) -> Self {
        let mut config = url.config();
        config
            .connect_timeout(options.connect_timeout)
            .keepalives_idle(PEER_LOST_AFTER)
            .tcp_user_timeout(PEER_LOST_AFTER);
        Self {
            config,
            connect_timeout: options.connect_timeout,
            wait: options.connection_wait,
            permits: Arc::new(Semaphore::new(options.connections)),
            idle: Mutex::new(Vec::new()),
        }
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
    pub(super) async fn take_new(self: &Arc<Self>) -> Result<Pooled, MetadataError> {
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
        let connecting = tokio::time::timeout(self.connect_timeout, self.config.connect(NoTls));
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

    /// Lets the next one have it. There must be no transaction open.
    pub(super) fn give_back(mut self) {
        let Some(client) = self.client.take() else { return };
        if !client.is_closed() && !self.pool.permits.is_closed() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }
}
