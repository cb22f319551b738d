//! The stores of a data directory, opened with the root key that belongs to them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use tonnage_domain::accounts::bootstrap;
use tonnage_domain::metadata::{Metadata, MetadataError};
use tonnage_domain::root_key::RootKey;
use tonnage_store::files::FileObjects;
use tonnage_store::postgres::{OpenError, PostgresMetadata, PostgresOptions, PostgresUrl};
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

use crate::config::Config;
use crate::data_directory::{DataDirectory, KeySource, Layout, find_root_key, rotation};

/// The pause after the first attempt to reach a database; it doubles with every further one.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// The metadata database, on the engine that the configuration names.
#[derive(Clone)]
pub(crate) enum Database {
    /// The file in the data directory.
    Sqlite(Arc<SqliteMetadata>),
    /// A server.
    Postgres(Arc<PostgresMetadata>),
}

impl Database {
    /// As the domain sees it.
    pub(crate) fn metadata(&self) -> Arc<dyn Metadata> {
        match self {
            Self::Sqlite(metadata) => Arc::clone(metadata) as Arc<dyn Metadata>,
            Self::Postgres(metadata) => Arc::clone(metadata) as Arc<dyn Metadata>,
        }
    }

    /// Ends orderly. Not needed for durability.
    ///
    /// # Errors
    /// As [`SqliteMetadata::close`].
    pub(crate) async fn close(&self) -> Result<(), MetadataError> {
        match self {
            Self::Sqlite(metadata) => metadata.close().await,
            Self::Postgres(metadata) => {
                metadata.close();
                Ok(())
            }
        }
    }
}

/// What to do about a database that cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Say so and end.
    None,
    /// Say so and try again, as long as it takes.
    Endless,
}

/// Opened stores.
pub(crate) struct Stores {
    /// The metadata database, migrated.
    pub(crate) database: Database,
    /// The objects.
    pub(crate) objects: Arc<FileObjects>,
    /// The root key.
    pub(crate) root_key: RootKey,
    /// Where the root key came from.
    pub(crate) key_source: KeySource,
}

/// Opens the stores, and makes what is not there: the root key before what it seals. A change of
/// the root key that broke off is finished or dropped.
///
/// # Errors
/// One sentence for the operator.
pub(crate) async fn open(
    directory: &DataDirectory,
    config: &Config,
    patience: Patience,
) -> Result<Stores> {
    let layout = directory.layout();
    let (database, root_key, key_source) = open_database(layout, config, patience).await?;
    let objects = Arc::new(FileObjects::open_with(
        layout.objects(),
        config.storage.archive_directory.clone(),
    )?);
    let metadata = database.metadata();
    let root_key = rotation::settle(layout, metadata.as_ref(), root_key, &key_source).await?;
    Ok(Stores { database, objects, root_key, key_source })
}

/// Opens the metadata database, brings its schema up to date, and finds the root key, which is made
/// only for a database that is not in use yet.
///
/// # Errors
/// One sentence for the operator.
pub(crate) async fn open_database(
    layout: &Layout,
    config: &Config,
    patience: Patience,
) -> Result<(Database, RootKey, KeySource)> {
    let find = |in_use: Option<String>| {
        find_root_key(layout, &config.storage, &config.secrets, in_use.as_deref())
    };
    let Some(url) = &config.storage.metadata_url else {
        let path = layout.metadata();
        // The key before the file: a start that breaks off in between made nothing that needs it.
        let in_use = path.exists().then(|| layout.directory().display().to_string());
        let (root_key, source) = find(in_use)?;
        let metadata = Arc::new(SqliteMetadata::open(path, SqliteOptions::default())?);
        return Ok((Database::Sqlite(metadata), root_key, source));
    };
    let metadata = Arc::new(connect(url, patience).await?);
    let in_use = bootstrap::exists(metadata.as_ref()).await?.then(|| url.to_string());
    let (root_key, source) = find(in_use)?;
    Ok((Database::Postgres(metadata), root_key, source))
}

async fn connect(url: &PostgresUrl, patience: Patience) -> Result<PostgresMetadata, OpenError> {
    let mut pause = PAUSE;
    loop {
        match PostgresMetadata::open(url, PostgresOptions::default()).await {
            Err(error @ OpenError::Unreachable { .. }) if patience == Patience::Endless => {
                tracing::warn!("{error}; trying again in {} ms", pause.as_millis());
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            opened => return opened,
        }
    }
}
