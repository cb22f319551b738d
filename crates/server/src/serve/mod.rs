//! `tonnage serve`: from an empty directory to a running registry, and back to a closed one.

mod accept;
mod access_log;
mod arrival;
mod background;
mod banner;
mod body;
mod connection;
mod downloads;
mod first_start;
mod health;
mod listeners;
mod logs;
mod metrics;
mod outbound;
mod peers;
mod registries;
mod respond;
mod scanners;
mod signals;
pub(crate) mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonnage_api::Api;
use tonnage_api::host::PublicPlace;
use tonnage_domain::app::App;
use tonnage_domain::error::chain;
use tonnage_domain::gallery;
use tonnage_domain::gc;
use tonnage_domain::identities::access_keys::uses;
use tonnage_domain::images::pulls;
use tonnage_domain::public::limits;
use tonnage_domain::replication::peer::Peers;

use self::metrics::Metrics;
use self::respond::Responder;
use crate::admin;
use crate::config::Config;
use crate::data_directory::runtime::Runtime;
use crate::data_directory::{DataDirectory, Layout, remove};
use crate::stores::Database;

/// How long requests have to save what they received, once their connections were cut.
const SAVE_TIME: Duration = Duration::from_secs(10);

/// How the parts of a running server learn that it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lifecycle {
    /// Cancelled when the server was asked to stop: nothing new is begun.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the time to drain is over: connections are cut.
    pub(crate) cutting: CancellationToken,
    /// Connections and requests under way.
    pub(crate) work: TaskTracker,
    /// Background tasks; they end by themselves once `stopping`.
    pub(crate) background: TaskTracker,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// When it cannot start; one sentence for the operator.
pub(crate) async fn serve(config: Config) -> Result<()> {
    logs::init(&config.logs);
    // Whatever is made in the data directory is nobody else's, however the shell is set.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    listeners::raise_descriptor_limit();
    let mut signals = signals::Signals::listen()?;

    let directory = DataDirectory::open(Layout::new(config.storage.data_dir.clone()))?;
    let certificate = config.listeners.tls.as_ref().map(tls::Certificate::open).transpose()?;
    let certificate = certificate.map(Arc::new);
    let acceptor = certificate.as_ref().map(tls::acceptor).transpose()?;
    let listeners = listeners::bind(&config.listeners, &config.public)?;
    let opened = tokio::select! {
        opened = first_start::open(&directory, &config) => opened?,
        () = signals.stop() => {
            tracing::info!("stopped before the start was done");
            return Ok(());
        }
    };
    let mut app = opened.app;
    let client = outbound::client(&config.outbound)?;
    app.set_documents(Arc::new(outbound::GuardedDocuments::new(client.clone(), &config.outbound)));
    let downloads = downloads::GuardedDownloads::new(client.clone(), directory.layout())?;
    app.set_downloads(Arc::new(downloads));
    app.set_adapters(Arc::new(scanners::GuardedAdapters::new(client.clone())));
    let registries = Arc::new(registries::GuardedRegistries::new(client, &config.outbound));
    app.set_peers(Arc::clone(&registries) as Arc<dyn Peers>);
    app.set_upstreams(registries);
    let app = Arc::new(app);
    if let Err(error) = gallery::pulls::restore(&app).await {
        tracing::warn!(error = chain(&error), "pulls that began before the restart count twice");
    }
    let runtime = Runtime {
        process_id: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        addresses: listeners.addresses(),
        public_addresses: listeners.public_addresses(),
        account: app.management_account.to_string(),
        region: app.default_region.to_string(),
    };

    let lifecycle = Lifecycle::default();
    let metrics = Metrics::new(&app.metrics);
    let responder = Responder::new(
        Api::new(Arc::clone(&app)).with_profile(config.registry.oci_profile),
        Arc::clone(&app),
        (metrics.clone(), metrics::Access::read(&config.metrics)?),
        config.listeners.trusted_proxies.clone(),
        (
            PublicPlace {
                port: runtime.public_addresses.first().map(SocketAddr::port),
                domain: config.registry.domain.clone(),
            },
            config.console.clone(),
        ),
        lifecycle.clone(),
    );
    background::start(&app, &lifecycle);
    admin::server::start(directory.layout(), &app, &runtime, &lifecycle)?;
    if let Err(error) = runtime.write(directory.layout()) {
        tracing::warn!(%error, "runtime.json cannot be written; subcommands may not find this server");
    }
    if let Some(certificate) = certificate {
        lifecycle.background.spawn(tls::watch(certificate, lifecycle.clone()));
    }
    let connections_max = config.listeners.connections_max;
    listeners.accept(acceptor.as_ref(), &responder, &metrics, connections_max, &lifecycle);
    banner::print(&banner::Facts {
        runtime: &runtime,
        layout: directory.layout(),
        domain: config.registry.domain.as_deref(),
        root_key: &opened.key_source,
        first_start: opened.first_start,
        console: config.console.enabled,
        scheme: if config.listeners.tls.is_some() { "https" } else { "http" },
    });

    signals.stop().await;
    tracing::info!(
        seconds = config.listeners.drain.as_secs(),
        "stopping: requests under way may end; a second signal ends at once"
    );
    signals.exit_at_the_next();
    stop(&lifecycle, config.listeners.drain, &app, &opened.database).await;
    for path in [directory.layout().admin_socket(), directory.layout().runtime()] {
        if let Err(error) = remove(&path) {
            tracing::warn!(%error, path = %path.display(), "a file of the running server stays behind");
        }
    }
    tracing::info!("stopped");
    Ok(())
}

async fn stop(lifecycle: &Lifecycle, drain: Duration, app: &App, database: &Database) {
    lifecycle.stopping.cancel();
    lifecycle.work.close();
    lifecycle.background.close();
    if timeout(drain, lifecycle.work.wait()).await.is_err() {
        tracing::warn!(
            tasks = lifecycle.work.len(),
            "some requests did not end in time; their connections are cut, uploads are kept"
        );
        lifecycle.cutting.cancel();
        if timeout(SAVE_TIME, lifecycle.work.wait()).await.is_err() {
            tracing::error!(tasks = lifecycle.work.len(), "some requests never ended");
        }
    }
    lifecycle.cutting.cancel();
    if timeout(SAVE_TIME, lifecycle.background.wait()).await.is_err() {
        tracing::error!("a background task never ended");
    }
    if let Err(error) = uses::flush(app).await {
        tracing::error!(error = chain(&error), "the times of the last uses of keys are lost");
    }
    if let Err(error) = pulls::flush(app).await {
        tracing::error!(error = chain(&error), "the times of the last pulls are lost");
    }
    if let Err(error) = gallery::pulls::flush(app).await {
        tracing::error!(error = chain(&error), "the last pulls of public repositories are lost");
    }
    if let Err(error) = gallery::pulls::save(app).await {
        tracing::error!(error = chain(&error), "pulls that go on after the restart count twice");
    }
    if let Err(error) = limits::flush(app).await {
        tracing::error!(error = chain(&error), "what public registries sent last is not counted");
    }
    if let Err(error) = gc::flush(app).await {
        tracing::error!(error = chain(&error), "what the last pushes were told is lost");
    }
    if let Err(error) = database.close().await.context("the metadata database") {
        tracing::error!(
            error = format!("{error:#}"),
            "what is not closed now is repaired at the next start"
        );
    }
}
