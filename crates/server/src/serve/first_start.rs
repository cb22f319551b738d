//! Opens metadata, objects and root key, and makes them on the first start.
//!
//! A crash between any two steps leaves a state that the next start completes: the root key is
//! durable before anything is sealed with it; the root access key is durable in
//! `credentials.pending` before the transaction that makes the deployment; the rename to
//! `credentials` comes after that commit. So whoever finds a deployment finds its access key under
//! one of the two names, unless the operator took it away.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use secrecy::SecretString;
use tonnage_domain::accounts::bootstrap::{self, Parts};
use tonnage_domain::app::{App, Settings};
use tonnage_domain::clock::SystemClock;
use tonnage_domain::identities::access_keys::AccessKey;
use tonnage_domain::identities::console_sessions::federation::FederationSettings;
use tonnage_domain::quotas::Quotas;
use tonnage_store::disk;

use crate::config::{Config, Console};
use crate::data_directory::{
    DataDirectory, KeySource, Layout, credentials, rotation, sync_directory,
};
use crate::examine::refuse_lost_metadata;
use crate::stores::{self, Database, Patience, Stores};

/// An opened registry.
pub(super) struct Opened {
    /// The registry.
    pub(super) app: App,
    /// Its database, to be closed at the end.
    pub(super) database: Database,
    /// Where the root key came from.
    pub(super) key_source: KeySource,
    /// Whether this start made the deployment.
    pub(super) first_start: bool,
}

/// Opens the registry in a data directory.
///
/// # Errors
/// One sentence for the operator.
pub(super) async fn open(directory: &DataDirectory, config: &Config) -> Result<Opened> {
    let layout = directory.layout();
    // Before SQLite makes a file where one is missing.
    if config.storage.metadata_url.is_none() {
        refuse_lost_metadata(layout, config, false)?;
    }
    let Stores { database, objects, root_key, key_source } =
        stores::open(directory, config, Patience::Endless).await?;
    let metadata = database.metadata();
    let exists = bootstrap::exists(metadata.as_ref()).await?;
    refuse_lost_metadata(layout, config, exists)?;
    let given = config.secrets.root_access_key.clone();
    let root_access_key = if exists {
        given.or(leftover(layout)?)
    } else {
        Some(prepare_first_start(layout, given)?)
    };
    let opened = bootstrap::open(Parts {
        metadata: metadata.clone(),
        objects,
        clock: Arc::new(SystemClock),
        root_key,
        settings: Settings {
            create_on_push: config.registry.create_on_push,
            blob_mounting: config.registry.blob_mounting,
            sparse_manifests: config.registry.sparse_manifests,
            image_shares: config.registry.image_shares,
            encrypt_at_rest: config.registry.encrypt_at_rest,
            gc_grace_seconds: config.registry.gc_grace_seconds,
            scrub_bytes_per_second: config.registry.scrub_bytes_per_second,
            scrub_interval_seconds: config.registry.scrub_interval_seconds,
            quotas: Quotas {
                pull_through_cache_rules: config.upstreams.rules_per_registry,
                repositories_per_public_registry: config.public.repositories,
                ..config.registry.quotas
            },
            replication_bytes_per_second: config.registry.replication_bytes_per_second,
            replication_concurrency: config.registry.replication_concurrency,
            scan_interval_seconds: config.registry.scan_interval_seconds,
            scan_concurrency: config.registry.scan_concurrency,
            event_retention_seconds: config.registry.event_retention_seconds,
            tag_history_retention_seconds: config.registry.tag_history_retention_seconds,
            console_idle_seconds: config.console.idle_seconds,
            federation: federation(&config.console)?,
            scan_scratch: layout.scratch(),
            public_limits: config.public.limits,
            throttling: config.registry.throttling,
            upstreams: config.upstreams.registries.clone(),
            peers: config.peers.clone(),
            pull_through_validity: config.upstreams.validity.clone(),
            pull_through_whole_images: config.upstreams.whole_images,
            advisories: config.advisories.clone(),
            scanners: config.scanners.clone(),
            ..Settings::default()
        },
        account: config.registry.account,
        region: config.registry.region.clone(),
        root_access_key,
    })
    .await?;
    finish_first_start(layout)?;
    if rotation::remove_previous(layout)? {
        tracing::info!("the root key before the last change is removed");
    }
    Ok(Opened {
        app: opened.app,
        database,
        key_source,
        first_start: opened.first_access_key.is_some(),
    })
}

/// Which identity provider lets people in to the console, with the secret that the console has there.
fn federation(config: &Console) -> Result<Option<FederationSettings>> {
    let Some(config) = config.federation.clone() else { return Ok(None) };
    let client_secret = match &config.client_secret_file {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| {
                format!("`console_oidc_client_secret_file` {} cannot be read", path.display())
            })?;
            let text = text.trim();
            if text.is_empty() {
                bail!("`console_oidc_client_secret_file` {} is empty", path.display());
            }
            Some(SecretString::from(text))
        }
    };
    Ok(Some(FederationSettings {
        issuer: config.issuer,
        client_id: config.client_id,
        client_secret,
        scopes: config.scopes,
        roles: config.roles,
    }))
}

/// The key of a first start that committed but did not rename the file.
fn leftover(layout: &Layout) -> Result<Option<AccessKey>> {
    credentials::read(&layout.pending_credentials())
}

/// The key to make the deployment with, durable before it is used: the operator's, else the one
/// of a first start that did not commit, else a new one.
fn prepare_first_start(layout: &Layout, given: Option<AccessKey>) -> Result<AccessKey> {
    let pending = layout.pending_credentials();
    let key = match (given, pending.exists()) {
        (Some(given), _) => given,
        (None, true) => match credentials::read(&pending) {
            Ok(Some(key)) => return Ok(key),
            // Nobody has seen this key, so a damaged file is worth nothing.
            Ok(None) | Err(_) => AccessKey::random()?,
        },
        (None, false) => AccessKey::random()?,
    };
    credentials::write(&pending, &key)?;
    Ok(key)
}

fn finish_first_start(layout: &Layout) -> Result<()> {
    let pending = layout.pending_credentials();
    if !pending.exists() {
        return Ok(());
    }
    disk::rename(&pending, &layout.credentials())
        .and_then(|()| sync_directory(layout.directory()))
        .with_context(|| format!("{} cannot be renamed", pending.display()))
}
