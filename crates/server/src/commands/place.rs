//! Where the server is, for subcommands that run beside it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tonnage_domain::accounts::bootstrap::DEFAULT_REGION;
use tonnage_domain::identities::access_keys::AccessKey;

use crate::cli::PlaceArguments;
use crate::config::{Config, environment};
use crate::data_directory::runtime::{Runtime, local_address};
use crate::data_directory::{Layout, credentials};
use crate::local;

/// A data directory, and what is known of the server on it.
#[derive(Debug)]
pub(super) struct Place {
    /// The data directory.
    pub(super) layout: Layout,
    /// What the running server says of itself.
    pub(super) runtime: Option<Runtime>,
    /// The region of requests that name none.
    pub(super) region: String,
    /// The settings of the server.
    pub(super) config: Config,
}

impl Place {
    /// Finds the data directory by the same settings as the server.
    ///
    /// # Errors
    /// When a setting is wrong.
    pub(super) fn find(arguments: &PlaceArguments) -> Result<Self> {
        let config = Config::load(&arguments.flags(), arguments.config.clone(), &environment())?;
        let layout = Layout::new(config.storage.data_dir.clone());
        let runtime = Runtime::read(&layout)?;
        let region = match (&runtime, &config.registry.region) {
            (Some(runtime), _) => runtime.region.clone(),
            (None, Some(region)) => region.to_string(),
            (None, None) => DEFAULT_REGION.to_owned(),
        };
        Ok(Self { layout, runtime, region, config })
    }

    /// Whether a server says that it runs. One that was killed still does.
    pub(super) fn is_running(&self) -> bool {
        self.runtime.is_some()
    }

    fn addresses(&self) -> &[SocketAddr] {
        self.runtime.as_ref().map_or(&self.config.listeners.addresses, |runtime| &runtime.addresses)
    }

    /// The address by which clients on this machine reach the server.
    ///
    /// # Errors
    /// When the port is not known because no server runs.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        match local_address(self.addresses()) {
            Some(address) if address.port() != 0 => Ok(address),
            _ => bail!(
                "no server runs on {}, so its port is not known; start it with `tonnage serve`",
                self.layout.directory().display()
            ),
        }
    }

    /// Host and port as people write them.
    ///
    /// # Errors
    /// As [`Place::address`].
    pub(super) fn authority(&self) -> Result<String> {
        Ok(local::authority(self.address()?, self.addresses()))
    }

    /// The names under which images of this machine's registry are written.
    ///
    /// # Errors
    /// As [`Place::address`].
    pub(super) fn hosts(&self) -> Result<Vec<String>> {
        let mut hosts = vec![self.authority()?, self.address()?.to_string()];
        hosts.dedup();
        Ok(hosts)
    }

    /// The root access key of the first start.
    ///
    /// # Errors
    /// When there is none to be read.
    pub(super) fn credentials(&self) -> Result<AccessKey> {
        let path = self.layout.credentials();
        credentials::read(&path)?.with_context(|| {
            format!(
                "there are no credentials in {}; start the server there once with `tonnage serve`, \
                 or name its directory with `--data-dir`",
                self.layout.directory().display()
            )
        })
    }
}
