//! The stores of a data directory, opened with the root key that belongs to them.

use std::sync::Arc;

use anyhow::Result;
use tonnage_domain::root_key::RootKey;
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

use crate::config::Config;
use crate::data_directory::{DataDirectory, KeySource, find_root_key, rotation};

/// Opened stores.
pub(crate) struct Stores {
    /// The metadata database, migrated.
    pub(crate) metadata: Arc<SqliteMetadata>,
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
pub(crate) async fn open(directory: &DataDirectory, config: &Config) -> Result<Stores> {
    let layout = directory.layout();
    let (root_key, key_source) = find_root_key(layout, &config.storage, &config.secrets)?;
    let metadata = Arc::new(SqliteMetadata::open(layout.metadata(), SqliteOptions::default())?);
    let objects = Arc::new(FileObjects::open(layout.objects())?);
    let root_key = rotation::settle(layout, metadata.as_ref(), root_key, &key_source).await?;
    Ok(Stores { metadata, objects, root_key, key_source })
}
