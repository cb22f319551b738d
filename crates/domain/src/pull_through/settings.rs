//! What the operator says of upstream registries.

use std::collections::{BTreeMap, BTreeSet};

use super::namespace::Namespace;
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

/// How long what an upstream said of a tag, or of what refers to an image, is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// In seconds, where nothing else is said.
    pub seconds: i64,
    /// In seconds, for the repositories in a namespace as rules write it; the narrowest counts.
    pub by_namespace: BTreeMap<String, i64>,
}

impl Validity {
    /// ECR's: a day.
    pub const ECR: Self = Self { seconds: 24 * 3600, by_namespace: BTreeMap::new() };
    /// What was said stays so.
    pub const FOR_EVER: i64 = i64::MAX;

    /// How long it is for a repository, in seconds.
    pub fn of(&self, repository: &str) -> i64 {
        Namespace::around(repository)
            .find_map(|namespace| self.by_namespace.get(namespace))
            .copied()
            .unwrap_or(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_namespace_says_how_long() {
        let by_namespace = [("ROOT", 1), ("hub", 2), ("hub/library", Validity::FOR_EVER)];
        let by_namespace = by_namespace.map(|(namespace, seconds)| (namespace.to_owned(), seconds));
        let some =
            Validity { seconds: 9, by_namespace: by_namespace[1..].iter().cloned().collect() };
        let all = Validity { seconds: 9, by_namespace: by_namespace.into() };
        for (repository, with_root, without) in [
            ("app", 1, 9),
            ("hub", 1, 9),
            ("hubs/app", 1, 9),
            ("hub/app", 2, 2),
            ("hub/library", 2, 2),
            ("hub/library/redis", Validity::FOR_EVER, Validity::FOR_EVER),
            ("hub/library/a/b", Validity::FOR_EVER, Validity::FOR_EVER),
        ] {
            assert_eq!(
                (all.of(repository), some.of(repository)),
                (with_root, without),
                "{repository}"
            );
        }
    }
}
