//! What the operator set: on the command line, in the environment, in a file, or not at all.
//!
//! A setting has one name in three spellings: `--data-dir`, `TONNAGE_DATA_DIR`, `data_dir`. The
//! command line wins over the environment, that over the file, that over the default. Each concern
//! has its settings, their defaults and the struct they become in one module. Nothing outside this
//! folder reads the environment for settings.

mod advisories;
mod console;
mod listeners;
mod logs;
mod metrics;
mod outbound;
mod peers;
mod public;
mod registry;
mod scanners;
mod secrets;
mod sources;
mod storage;
#[cfg(test)]
mod tests;
mod upstreams;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use tonnage_domain::replication::peer::PeerSettings;

use tonnage_domain::advisories::settings::AdvisorySettings;
use tonnage_domain::scanning::external::ScannerSettings;

pub(crate) use self::console::Console;
pub(crate) use self::listeners::{DEFAULT_PORT, Listeners, Tls, TrustedProxies};
pub(crate) use self::logs::{LogFormat, Logs};
pub(crate) use self::metrics::MetricsAccess;
pub(crate) use self::outbound::Outbound;
pub(crate) use self::public::Public;
pub(crate) use self::registry::{Registry, parse_seconds};
pub(crate) use self::secrets::{OTHER_VARIABLES, Secrets};
pub(crate) use self::sources::{Flags, Values, load};
pub(crate) use self::storage::Storage;
pub(crate) use self::upstreams::Upstreams;

/// What form the value of a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One text.
    Text,
    /// A number without sign.
    Number,
    /// True or false.
    Switch,
    /// Several texts: repeated flags, commas in the environment, an array in the file.
    List,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file.
    pub(crate) key: &'static str,
    /// The form of its value.
    pub(crate) kind: Kind,
    /// What stands for the value in help texts.
    pub(crate) value_name: &'static str,
    /// What it is when nobody sets it, in words.
    pub(crate) default: &'static str,
    /// What it does; one sentence or more.
    pub(crate) help: &'static str,
}

impl Setting {
    /// Its name on the command line, without dashes before it.
    pub(crate) fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Its name in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("TONNAGE_{}", self.key.to_ascii_uppercase())
    }
}

/// Every setting, by concern, in the order of the reference.
pub(crate) const CONCERNS: &[(&str, &[Setting])] = &[
    ("Data", storage::SETTINGS),
    ("Registry", registry::SETTINGS),
    ("Pull-through cache", upstreams::SETTINGS),
    ("Vulnerabilities", advisories::SETTINGS),
    ("Other scanners", scanners::SETTINGS),
    ("Replication to other deployments", peers::SETTINGS),
    ("Listeners", listeners::SETTINGS),
    ("Public registries", public::SETTINGS),
    ("Console", console::SETTINGS),
    ("Requests to others", outbound::SETTINGS),
    ("Logs", logs::SETTINGS),
    ("Metrics", metrics::SETTINGS),
];

/// Every setting.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    CONCERNS.iter().flat_map(|(_, settings)| settings.iter())
}

/// Everything, parsed.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where data is kept.
    pub(crate) storage: Storage,
    /// What the registry is called and does.
    pub(crate) registry: Registry,
    /// Which registries images may be pulled through from.
    pub(crate) upstreams: Upstreams,
    /// Where advisories come from.
    pub(crate) advisories: AdvisorySettings,
    /// Which other scanners there are.
    pub(crate) scanners: ScannerSettings,
    /// Which destinations of replication other deployments have.
    pub(crate) peers: PeerSettings,
    /// Where it listens.
    pub(crate) listeners: Listeners,
    /// How public registries are reached, and what they give.
    pub(crate) public: Public,
    /// Whether and how people see it in a browser.
    pub(crate) console: Console,
    /// Which servers of others may be asked.
    pub(crate) outbound: Outbound,
    /// How it logs.
    pub(crate) logs: Logs,
    /// Who may read metrics.
    pub(crate) metrics: MetricsAccess,
    /// What only the environment may hold.
    pub(crate) secrets: Secrets,
}

impl Config {
    /// Reads flags, the environment and the file they name.
    ///
    /// # Errors
    /// One sentence that names the setting and where it was set.
    pub(crate) fn load(
        flags: &Flags,
        config_flag: Option<PathBuf>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let values = load(flags, config_flag, environment)?;
        let listeners = Listeners::read(&values)?;
        Ok(Self {
            storage: Storage::read(&values, environment)?,
            registry: Registry::read(&values)?,
            upstreams: Upstreams::read(&values)?,
            advisories: advisories::read(&values)?,
            scanners: scanners::read(&values)?,
            peers: peers::read(&values)?,
            public: Public::read(&values, &listeners)?,
            console: Console::read(&values)?,
            listeners,
            outbound: Outbound::read(&values)?,
            logs: Logs::read(&values)?,
            metrics: MetricsAccess::read(&values)?,
            secrets: Secrets::read(environment)?,
        })
    }
}

/// The environment of the process, as far as it is text.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
