//! `tonnage keys`: work on keys while the server is stopped.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use tonnage_domain::metadata::Metadata;
use tonnage_domain::root_key::RootKey;
use tonnage_domain::root_key::rotate::{self, RotateError, Rotated};

use crate::cli::{KeysCommands, PlaceArguments};
use crate::config::{Config, Storage, environment};
use crate::data_directory::{DataDirectory, KeySource, Layout, read_or_make_root_key, rotation};
use crate::stores::{self, Patience};

/// Does what the command line says.
///
/// # Errors
/// One sentence: a server runs, a key is wrong, a file cannot be written.
pub(super) async fn run(command: KeysCommands) -> Result<ExitCode> {
    match command {
        KeysCommands::RotateRoot { place, new_key_file } => {
            rotate_root(&place, new_key_file.as_deref()).await
        }
    }
}

async fn rotate_root(place: &PlaceArguments, new_key_file: Option<&Path>) -> Result<ExitCode> {
    let config = Config::load(&place.flags(), place.config.clone(), &environment())?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let directory = DataDirectory::open_stopped(&config.storage)?;
    let layout = directory.layout();
    let (database, key, source) = stores::open_database(layout, &config, Patience::None).await?;
    let metadata = database.metadata();
    let metadata = metadata.as_ref();
    let report = match (&source, new_key_file) {
        (KeySource::DataDirectory(_), None) => in_directory(layout, metadata, key, &source).await,
        (KeySource::DataDirectory(path), Some(_)) => bail!(
            "the root key is in the data directory ({}) and its successor will be there too; leave \
             out `--new-key-file`",
            path.display()
        ),
        (KeySource::Variable | KeySource::File(_), Some(file)) => {
            outside(&config.storage, metadata, &key, &source, file).await
        }
        (KeySource::Variable | KeySource::File(_), None) => bail!(
            "the root key comes from {}; say with `--new-key-file` where the new one is to be \
             written",
            named(&source)
        ),
    }?;
    database.close().await.context("the metadata database cannot be closed")?;
    say!("{report}");
    Ok(ExitCode::SUCCESS)
}

fn named(source: &KeySource) -> String {
    match source {
        KeySource::Variable => "the variable TONNAGE_ROOT_KEY".to_owned(),
        KeySource::File(path) | KeySource::DataDirectory(path) => path.display().to_string(),
    }
}

async fn in_directory(
    layout: &Layout,
    metadata: &dyn Metadata,
    key: RootKey,
    source: &KeySource,
) -> Result<String> {
    let key = rotation::settle(layout, metadata, key, source).await?;
    let rotated = rotation::rotate(layout, metadata, &key).await?;
    Ok(format!(
        "{}\n\nIt is in {}: back it up. The old key is in {} until the server has started once.\n\
         Back-ups of the metadata made before now open with the old key only; keep it with them, \
         apart\nfrom this machine, or make new ones and destroy it.",
        done(&rotated),
        layout.root_key().display(),
        layout.previous_root_key().display()
    ))
}

async fn outside(
    storage: &Storage,
    metadata: &dyn Metadata,
    key: &RootKey,
    source: &KeySource,
    file: &Path,
) -> Result<String> {
    let fits = rotate::matches(metadata, key).await? == Some(true);
    if !fits && !file.exists() {
        return Err(RotateError::WrongRootKey.into());
    }
    let new = read_or_make_root_key(file)?;
    let new_fits = rotate::matches(metadata, &new).await? == Some(true);
    let report = match (new_fits, fits) {
        (true, true) => bail!(
            "{} holds the root key that is in use already; name a file that does not exist",
            file.display()
        ),
        // An earlier call broke off after its transaction.
        (true, false) => "The root key was changed before.".to_owned(),
        (false, _) => done(&rotate::rotate(metadata, key, &new).await?),
    };
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let file = file.display();
    let credential = storage.credentials_directory.as_deref();
    let change = match source {
        KeySource::File(path)
            if credential.is_some_and(|directory| path.starts_with(directory)) =>
        {
            format!(
                "name it in the unit of the service: LoadCredential=tonnage-root-key:{file}, and \
                 run `systemctl daemon-reload`"
            )
        }
        KeySource::File(path) | KeySource::DataDirectory(path) => format!(
            "set `root_key_file` (TONNAGE_ROOT_KEY_FILE) to {file}, or put that file in the place \
             of {}",
            path.display()
        ),
        KeySource::Variable => {
            format!("set TONNAGE_ROOT_KEY to the content of {file}, then remove that file")
        }
    };
    Ok(format!(
        "{report}\n\nThe new key is in {file}. Before the next start: {change}.\n\
         The old key opens nothing any more but back-ups of the metadata made before now."
    ))
}

fn done(rotated: &Rotated) -> String {
    let Rotated { access_keys, token_keys, encryption_domains, signing_keys, secret_versions } =
        rotated;
    format!(
        "The root key is changed. Sealed anew: access keys {access_keys}, token keys {token_keys}, \
         encryption domains {encryption_domains}, signing keys {signing_keys}, versions of secrets \
         {secret_versions}."
    )
}
