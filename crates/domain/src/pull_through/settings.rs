//! What the operator says of upstream registries.

use std::collections::{BTreeMap, BTreeSet};

use super::registries::UpstreamRegistry;

/// Which hosts beside ECR's may be upstreams, and where upstreams really are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Hosts, in lower case and perhaps with a port, that rules may name although ECR does not know
    /// them.
    pub hosts: BTreeSet<String>,
    /// By host, or by the name of a registry that has one host only: scheme, host and perhaps a
    /// port, without a path, that is asked in its stead.
    pub locations: BTreeMap<String, String>,
}

impl UpstreamSettings {
    /// The registries that ECR knows, each at its own host.
    pub const ECR: Self = Self { hosts: BTreeSet::new(), locations: BTreeMap::new() };

    /// Whether a rule may name this host, which is in lower case.
    pub fn accepts(&self, host: &str) -> bool {
        UpstreamRegistry::of(host, self).is_some()
    }

    /// What is asked for an upstream; the host itself through TLS where nothing else is said. `None`
    /// for a private registry of Amazon ECR without a location: its requests would have to be signed
    /// with credentials of AWS.
    pub fn url(&self, registry: UpstreamRegistry, host: &str) -> Option<String> {
        let by_name = || self.locations.get(registry.as_str()?);
        match self.locations.get(host).or_else(by_name) {
            Some(location) => Some(location.clone()),
            None if registry == UpstreamRegistry::Ecr => None,
            None => Some(format!("https://{host}")),
        }
    }
}
