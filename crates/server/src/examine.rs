//! What keeps a registry from being served, found by looking only: nothing is made, locked or
//! repaired. The refusals are those of the start itself, in its words; a start goes through
//! [`refuse_lost_metadata`] and the functions of `data_directory` that are called here, too.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tonnage_domain::accounts::bootstrap;
use tonnage_domain::metadata::Metadata;
use tonnage_store::files::FileObjects;
use tonnage_store::postgres::PostgresLook;
use tonnage_store::sqlite::SqliteLook;

use crate::config::Config;
use crate::data_directory::restore::Pending;
use crate::data_directory::runtime::Runtime;
use crate::data_directory::{self, Layout, look_for_root_key, missing_root_key, rotation};
use crate::serve::tls;

/// Looks at everything that `tonnage serve` opens with this configuration. A directory that is not
/// there yet is no fault, and neither is a server that runs on it.
///
/// # Errors
/// The first sentence with which the server would refuse to start.
pub(crate) async fn examine(layout: &Layout, config: &Config) -> Result<()> {
    if let Some(files) = &config.listeners.tls {
        tls::check(files)?;
    }
    if !data_directory::look(layout.directory())? {
        return Ok(());
    }
    Pending::refuse(layout)?;
    let look = Look::open(layout, config).await?;
    let exists = match &look {
        Some(look) => bootstrap::exists(look.metadata()).await?,
        None => false,
    };
    refuse_lost_metadata(layout, config, exists)?;
    let key = look_for_root_key(layout, &config.storage, &config.secrets)?;
    let Some(look) = look.filter(|_| exists) else { return Ok(()) };
    let Some((key, source)) = key else {
        return Err(missing_root_key(layout, &place(layout, config)));
    };
    let key = rotation::holding(layout, look.metadata(), key, &source).await?.into_key();
    let identity = FileObjects::find_identity(layout.objects())?;
    FileObjects::look_for_archive(layout.objects(), config.storage.archive_directory.clone())?;
    let (account, root) = (config.registry.account, config.secrets.root_access_key.as_ref());
    bootstrap::check(look.metadata(), identity.as_deref(), &key, account, root).await?;
    Ok(())
}

/// The place of the metadata, for people.
pub(crate) fn place(layout: &Layout, config: &Config) -> String {
    match &config.storage.metadata_url {
        Some(url) => url.to_string(),
        None => layout.directory().display().to_string(),
    }
}

/// Refuses to make a new registry in a data directory that had one: `exists` says whether the
/// metadata that the configuration names hold a registry.
///
/// # Errors
/// One sentence that says where the metadata are, or that they are lost.
pub(crate) fn refuse_lost_metadata(layout: &Layout, config: &Config, exists: bool) -> Result<()> {
    let directory = layout.directory().display();
    match &config.storage.metadata_url {
        _ if exists => Ok(()),
        Some(url) if layout.metadata().exists() => bail!(
            "the metadata of {directory} are in its file metadata.sqlite, and the database {url} \
             is empty; move them there with `tonnage migrate metadata --to postgres`, or leave \
             `metadata_url` out"
        ),
        Some(url) if layout.credentials().exists() => bail!(
            "the database {url} is empty although the data directory {directory} was in use; let \
             `metadata_url` name the database it was used with, or start with an empty directory"
        ),
        None if layout.metadata().exists() => Ok(()),
        None if layout.moved_metadata().exists() => bail!(
            "the metadata of {directory} were moved to PostgreSQL; let `metadata_url` name that \
             database, or move them back with `tonnage migrate metadata --to sqlite`"
        ),
        None if layout.credentials().exists() => bail!(
            "the metadata {} is missing although the data directory was in use; put it back from \
             a back-up, or start with an empty directory",
            layout.metadata().display()
        ),
        Some(_) | None => Ok(()),
    }
}

/// The metadata, to be looked at.
enum Look {
    Sqlite(SqliteLook),
    Postgres(PostgresLook),
}

impl Look {
    /// `None` when there are none yet.
    async fn open(layout: &Layout, config: &Config) -> Result<Option<Self>> {
        if let Some(url) = &config.storage.metadata_url {
            return Ok(PostgresLook::open(url).await?.map(Self::Postgres));
        }
        let path = layout.metadata();
        if !path.try_exists().with_context(|| cannot_look(&path))? {
            return Ok(None);
        }
        let is_served = Runtime::read(layout).is_ok_and(|runtime| runtime.is_some());
        Ok(SqliteLook::open(&path, is_served)?.map(Self::Sqlite))
    }

    fn metadata(&self) -> &dyn Metadata {
        match self {
            Self::Sqlite(look) => look,
            Self::Postgres(look) => look,
        }
    }
}

fn cannot_look(path: &Path) -> String {
    format!("{} cannot be looked at", path.display())
}
