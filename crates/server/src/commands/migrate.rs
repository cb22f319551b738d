//! `tonnage migrate`: metadata from one engine to the other, while the server is stopped.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use tonnage_domain::transfer;
use tonnage_store::disk;
use tonnage_store::postgres::{PostgresMetadata, PostgresOptions, PostgresUrl};
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

use crate::cli::{MetadataEngine, MigrateCommands, PlaceArguments};
use crate::config::{Config, Storage, environment};
use crate::data_directory::{DataDirectory, Layout, sync_directory};

/// What it is called until every row of it was compared.
const NEW: &str = "metadata.sqlite.new";

/// Does what the command line says.
///
/// # Errors
/// One sentence: a server runs, a database cannot be opened or is in use, the copies differ.
pub(super) async fn run(command: MigrateCommands) -> Result<ExitCode> {
    let MigrateCommands::Metadata { place, to } = command;
    let (config, url) = configuration(&place)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let source = match to {
        MetadataEngine::Postgres => Storage { metadata_url: None, ..config.storage },
        MetadataEngine::Sqlite => config.storage,
    };
    let directory = DataDirectory::open_stopped(&source)?;
    let layout = directory.layout();
    let rows = match to {
        MetadataEngine::Postgres => to_postgres(layout, &url).await?,
        MetadataEngine::Sqlite => to_sqlite(layout, &url).await?,
    };
    match to {
        MetadataEngine::Postgres => say!(
            "Every row is compared: {rows}. The metadata are in {url} now; start the server with \
             the same `metadata_url`.\nThe file they came from is kept as metadata.sqlite.moved."
        ),
        MetadataEngine::Sqlite => say!(
            "Every row is compared: {rows}. The metadata are in {} now; start the server without \
             `metadata_url`.\nThe database they came from is kept and refuses to be served.",
            layout.metadata().display()
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn configuration(place: &PlaceArguments) -> Result<(Config, PostgresUrl)> {
    let config = Config::load(&place.flags(), place.config.clone(), &environment())?;
    let url = config.storage.metadata_url.clone().ok_or_else(|| {
        anyhow!(
            "`metadata_url` names no PostgreSQL database; set it in the environment \
             (TONNAGE_METADATA_URL) or in the config file"
        )
    })?;
    Ok((config, url))
}

async fn to_postgres(layout: &Layout, url: &PostgresUrl) -> Result<u64> {
    let source = SqliteMetadata::open(layout.metadata(), SqliteOptions::default())?;
    let target = PostgresMetadata::open(url, PostgresOptions::default()).await?;
    let mut rows = 0;
    // A call that broke off after retiring its source has compared everything.
    if !transfer::is_retired(&source).await? || !transfer::same_deployment(&source, &target).await?
    {
        transfer::copy(&source, &target).await?;
        rows = transfer::verify(&source, &target).await?.rows;
        transfer::retire(&source).await?;
    }
    source.close().await.context("the metadata database cannot be closed")?;
    rename(&layout.metadata(), &layout.moved_metadata(), layout)?;
    Ok(rows)
}

async fn to_sqlite(layout: &Layout, url: &PostgresUrl) -> Result<u64> {
    let new = layout.directory().join(NEW);
    // What an earlier call left was not compared yet, or the rename would have followed.
    for name in [NEW.to_owned(), format!("{NEW}-wal"), format!("{NEW}-shm")] {
        match fs::remove_file(layout.directory().join(&name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{name} cannot be removed"));
            }
            _ => {}
        }
    }
    let source = PostgresMetadata::open(url, PostgresOptions::default()).await?;
    if layout.metadata().exists()
        && let Some(rows) = settle_present(layout, &source).await?
    {
        return Ok(rows);
    }
    let target = SqliteMetadata::open(&new, SqliteOptions::default())?;
    transfer::copy(&source, &target).await?;
    let rows = transfer::verify(&source, &target).await?.rows;
    target.close().await.context("the metadata database cannot be closed")?;
    rename(&new, &layout.metadata(), layout)?;
    transfer::retire(&source).await?;
    Ok(rows)
}

/// What a call that broke off left at the place of the metadata is never written over: the name was
/// given after everything was compared, and a server may have used the file since. Returns the rows
/// that are there already; `None` when the place is free now.
async fn settle_present(layout: &Layout, source: &PostgresMetadata) -> Result<Option<u64>> {
    let present = SqliteMetadata::open(layout.metadata(), SqliteOptions::default())?;
    let place = layout.metadata();
    if !transfer::same_deployment(source, &present).await? {
        bail!("{} holds another registry; move it away if it is not needed", place.display());
    }
    if transfer::is_retired(&present).await? {
        // It was moved to PostgreSQL before, and did not get its other name.
        present.close().await.context("the metadata database cannot be closed")?;
        rename(&place, &layout.moved_metadata(), layout)?;
        return Ok(None);
    }
    if transfer::is_retired(source).await? {
        // The call before did everything, and was not heard.
        return Ok(Some(0));
    }
    let compared = transfer::verify(source, &present).await.with_context(|| {
        format!(
            "{} holds this registry already, but differs from the PostgreSQL database; move away \
             the one that is not needed",
            place.display()
        )
    })?;
    sync_directory(layout.directory())?;
    transfer::retire(source).await?;
    present.close().await.context("the metadata database cannot be closed")?;
    Ok(Some(compared.rows))
}

fn rename(from: &Path, to: &Path, layout: &Layout) -> Result<()> {
    disk::rename(from, to).with_context(|| format!("{} cannot be renamed", from.display()))?;
    Ok(sync_directory(layout.directory())?)
}

#[cfg(test)]
mod tests;
