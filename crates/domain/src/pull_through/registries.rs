//! The upstream registries that ECR knows, and how the URL of a rule names one.
//!
//! Source: botocore `ecr`, shape `UpstreamRegistry` and the documentation of
//! `CreatePullThroughCacheRuleRequest.upstreamRegistryUrl`; Amazon ECR user guide, "Sync an upstream
//! registry with an Amazon ECR private registry", which says whether each wants credentials.

use std::fmt;

use super::namespace::Namespace;
use super::settings::UpstreamSettings;
use crate::names::{AccountId, Region, RepositoryName};

/// Which registry an upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamRegistry {
    /// Amazon ECR: `{account}.dkr.ecr.{region}.amazonaws.com`.
    Ecr,
    /// Amazon ECR Public.
    EcrPublic,
    /// Quay.
    Quay,
    /// The Kubernetes registry.
    K8s,
    /// Docker Hub.
    DockerHub,
    /// GitHub Container Registry.
    Github,
    /// Microsoft Azure Container Registry: `{name}.azurecr.io`.
    Azure,
    /// GitLab Container Registry.
    Gitlab,
    /// Chainguard Registry.
    Chainguard,
    /// A host that ECR does not know and the operator named.
    Other,
}

struct Known {
    registry: UpstreamRegistry,
    name: &'static str,
    /// Its only host, if it has only one.
    host: Option<&'static str>,
    wants_secret: bool,
}

const KNOWN: [Known; 9] = {
    const fn known(
        registry: UpstreamRegistry,
        name: &'static str,
        host: Option<&'static str>,
        wants_secret: bool,
    ) -> Known {
        Known { registry, name, host, wants_secret }
    }
    use UpstreamRegistry as Is;
    [
        known(Is::Ecr, "ecr", None, false),
        known(Is::EcrPublic, "ecr-public", Some("public.ecr.aws"), false),
        known(Is::Quay, "quay", Some("quay.io"), false),
        known(Is::K8s, "k8s", Some("registry.k8s.io"), false),
        known(Is::DockerHub, "docker-hub", Some("registry-1.docker.io"), true),
        known(Is::Github, "github-container-registry", Some("ghcr.io"), true),
        known(Is::Azure, "azure-container-registry", None, true),
        known(Is::Gitlab, "gitlab-container-registry", Some("registry.gitlab.com"), true),
        known(Is::Chainguard, "chainguard", Some("cgr.dev"), true),
    ]
};

/// How ECR's own hosts end.
const ECR_SUFFIXES: [&str; 2] = ["amazonaws.com", "amazonaws.com.cn"];

impl UpstreamRegistry {
    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.registry == self)
    }

    /// As AWS spells it; nothing for [`UpstreamRegistry::Other`], which AWS does not have.
    pub fn as_str(self) -> Option<&'static str> {
        self.known().map(|known| known.name)
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        KNOWN.iter().find(|known| known.name == text).map(|known| known.registry)
    }

    /// Its only host, if it has only one.
    pub fn host(self) -> Option<&'static str> {
        self.known().and_then(|known| known.host)
    }

    /// Whether a rule for it must name a secret.
    pub fn wants_secret(self) -> bool {
        self.known().is_some_and(|known| known.wants_secret)
    }

    /// Which registry a host belongs to; nothing if it can be no upstream.
    pub(super) fn of(host: &str, settings: &UpstreamSettings) -> Option<Self> {
        if let Some(known) = KNOWN.iter().find(|known| known.host == Some(host)) {
            return Some(known.registry);
        }
        let azure = host.strip_suffix(".azurecr.io");
        if azure.is_some_and(|name| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }) {
            return Some(Self::Azure);
        }
        if let Some((_, _, suffix)) = ecr_host(host)
            && (ECR_SUFFIXES.contains(&suffix) || settings.locations.contains_key(host))
        {
            return Some(Self::Ecr);
        }
        settings.hosts.contains(host).then_some(Self::Other)
    }
}

/// The account, region and suffix of a host as ECR has them: `{account}.dkr.ecr.{region}.{suffix}`.
pub(super) fn ecr_host(host: &str) -> Option<(AccountId, Region, &str)> {
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let (region, suffix) = rest.split_once('.')?;
    Some((AccountId::parse(account).ok()?, Region::parse(region).ok()?, suffix))
}

/// The URL of a rule: a host, perhaps with a port, and perhaps a path that all names upstream begin
/// with. It has no scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    /// The host in lower case, with its port if it has one.
    pub host: String,
    /// Below which path.
    pub path: Namespace,
}

impl UpstreamUrl {
    /// Reads the URL of a rule. `None` when it has a scheme, or its host or path cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let path = match path.strip_suffix('/').unwrap_or(path) {
            "" => Namespace::Root,
            // Names have two characters at least; a path only begins one.
            path => {
                RepositoryName::parse(&format!("{path}/x")).ok()?;
                Namespace::Below(path.to_owned())
            }
        };
        is_host(host).then(|| Self { host: host.to_ascii_lowercase(), path })
    }
}

/// Longest host with port: names in the DNS have 253 characters at most.
const HOST_MAX: usize = 253 + 6;

/// Whether a text is a host name or an address of IPv4, with or without a port.
pub fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    text.len() <= HOST_MAX && name.split('.').all(is_label) && port.is_none_or(is_port)
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Namespace::Root => f.write_str(&self.host),
            Namespace::Below(path) => write!(f, "{}/{path}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_hosts_and_paths() {
        let rows: &[(&str, Option<(&str, &str)>)] = &[
            ("public.ecr.aws", Some(("public.ecr.aws", "ROOT"))),
            ("Public.ECR.aws", Some(("public.ecr.aws", "ROOT"))),
            ("public.ecr.aws/", Some(("public.ecr.aws", "ROOT"))),
            ("public.ecr.aws/docker/library", Some(("public.ecr.aws", "docker/library"))),
            ("public.ecr.aws/docker/library/", Some(("public.ecr.aws", "docker/library"))),
            ("quay.io/a", Some(("quay.io", "a"))),
            ("registry.example:5000/team", Some(("registry.example:5000", "team"))),
            ("127.0.0.1:5000", Some(("127.0.0.1:5000", "ROOT"))),
            ("https://public.ecr.aws", None),
            ("public.ecr.aws//docker", None),
            ("public.ecr.aws/Docker", None),
            ("public.ecr.aws/docker?x=1", None),
            ("user@quay.io", None),
            ("quay.io:0", None),
            ("quay.io:", None),
            ("quay.io:99999", None),
            ("-quay.io", None),
            ("quay..io", None),
            (" quay.io", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let found = UpstreamUrl::parse(text);
            let found = found.as_ref().map(|url| (url.host.as_str(), url.path.as_str()));
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn hosts_tell_the_registry() {
        let settings = UpstreamSettings {
            hosts: ["harbor.example.com".to_owned()].into(),
            locations: [(
                "123456789012.dkr.ecr.eu-west-1.registry.example".to_owned(),
                "http://127.0.0.1:5000".to_owned(),
            )]
            .into(),
        };
        use UpstreamRegistry as Is;
        let rows = [
            ("public.ecr.aws", Some(Is::EcrPublic)),
            ("quay.io", Some(Is::Quay)),
            ("registry.k8s.io", Some(Is::K8s)),
            ("registry-1.docker.io", Some(Is::DockerHub)),
            ("docker.io", None),
            ("ghcr.io", Some(Is::Github)),
            ("registry.gitlab.com", Some(Is::Gitlab)),
            ("cgr.dev", Some(Is::Chainguard)),
            ("mine.azurecr.io", Some(Is::Azure)),
            (".azurecr.io", None),
            ("a.b.azurecr.io", None),
            ("azurecr.io", None),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some(Is::Ecr)),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Some(Is::Ecr)),
            ("123456789012.dkr.ecr.eu-west-1.registry.example", Some(Is::Ecr)),
            ("123456789012.dkr.ecr.eu-west-1.elsewhere.example", None),
            ("12.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("harbor.example.com", Some(Is::Other)),
            ("gcr.io", None),
        ];
        for (host, expected) in rows {
            assert_eq!(UpstreamRegistry::of(host, &settings), expected, "{host}");
        }
    }

    #[test]
    fn every_name_is_read_back() {
        for known in &KNOWN {
            assert_eq!(UpstreamRegistry::parse(known.name), Some(known.registry));
            assert_eq!(known.registry.as_str(), Some(known.name));
        }
        assert_eq!(UpstreamRegistry::parse("harbor"), None);
        assert_eq!(UpstreamRegistry::Other.as_str(), None);
    }
}
