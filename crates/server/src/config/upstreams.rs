//! Which registries images may be pulled through from, and where those are.

use anyhow::{Result, bail};
use tonnage_domain::names::RepositoryName;
use tonnage_domain::pull_through::namespace::Namespace;
use tonnage_domain::pull_through::registries::{UpstreamRegistry, is_host};
use tonnage_domain::pull_through::settings::{UpstreamSettings, Validity};
use tonnage_domain::quotas::Quotas;

use super::registry::{QUOTA_MAX, parse_seconds};
use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "upstream_registry",
        kind: Kind::List,
        value_name: "HOST",
        default: "none",
        help: "A registry that pull through cache rules may name beside those that ECR knows: \
               `harbor.example.com`, with a port if it has one, or `harbor.example.com=URL` where it \
               is asked at another address; more than one may be given.",
    },
    Setting {
        key: "upstream_location",
        kind: Kind::List,
        value_name: "REGISTRY=URL",
        default: "each registry at its own host, with TLS",
        help: "Where an upstream registry is asked instead of at its own host: \
               `docker-hub=https://mirror.example.com`, with the name that ECR has for it or with \
               its host, which it must be where a name stands for many hosts: \
               `123456789012.dkr.ecr.eu-west-1.amazonaws.com=http://127.0.0.1:4510`. The URL has no \
               path; more than one may be given. Addresses that are not public need \
               `outbound_network` too.",
    },
    Setting {
        key: "pull_through_cache_rules_per_registry",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "50",
        help: "How many pull through cache rules a registry may have, from 1 to 100000000. What is \
               there already stays.",
    },
    Setting {
        key: "pull_through_validity",
        kind: Kind::Text,
        value_name: "TIME",
        default: "24h",
        help: "How long what an upstream registry said of a tag, or of what refers to an image, is \
               believed, in seconds, minutes, hours or days, at most 365 days. A pull after that \
               asks again.",
    },
    Setting {
        key: "pull_through_validity_of",
        kind: Kind::List,
        value_name: "PREFIX=TIME",
        default: "none",
        help: "Another `pull_through_validity` for the repositories of a rule, or of a part of it: \
               `docker-hub/library=7d`, `quay=0s` to ask at every pull, `k8s=forever` where tags \
               never move, `ROOT=1h` for the rule of that prefix; more than one may be given, and \
               the longest prefix of a repository counts.",
    },
    Setting {
        key: "pull_through_whole_images",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "true",
        help: "Fetches the layers of an image that was pulled through, and every image of an index, \
               without waiting until somebody asks for them, as ECR does. Turn it off where an \
               upstream registry counts what is pulled, or room is scarce.",
    },
];

/// Which registries images may be pulled through from, and how many rules there may be for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstreams {
    /// The registries.
    pub(crate) registries: UpstreamSettings,
    /// Rules of one registry.
    pub(crate) rules_per_registry: u32,
    /// How long what an upstream said is believed.
    pub(crate) validity: Validity,
    /// Whether images are fetched whole, unasked.
    pub(crate) whole_images: bool,
}

impl Upstreams {
    pub(super) fn read(values: &Values) -> Result<Self> {
        let mut registries = UpstreamSettings::default();
        for (host, url) in values.many("upstream_registry", parse_registry)?.unwrap_or_default() {
            if let Some(url) = url {
                registries.locations.insert(host.clone(), url);
            }
            if !registries.hosts.insert(host.clone()) {
                bail!("`upstream_registry` has {host} twice");
            }
        }
        for (name, url) in values.many("upstream_location", parse_location)?.unwrap_or_default() {
            if registries.locations.insert(name.clone(), url).is_some() {
                bail!("`upstream_location` or `upstream_registry` say twice where {name} is");
            }
        }
        for name in registries.locations.keys() {
            if UpstreamRegistry::parse(name).is_none() && !registries.accepts(name) {
                bail!(
                    "`upstream_location` says where {name} is, but no rule may name that registry; \
                     `upstream_registry` lists those that ECR does not know"
                );
            }
        }
        let rules = values.number("pull_through_cache_rules_per_registry", 1, QUOTA_MAX)?;
        let rules_per_registry = rules.unwrap_or(Quotas::ECR.pull_through_cache_rules);
        let mut validity = Validity::ECR;
        if let Some(seconds) = values.one("pull_through_validity", parse_seconds)? {
            validity.seconds = seconds;
        }
        let others = values.many("pull_through_validity_of", parse_validity)?;
        for (namespace, seconds) in others.unwrap_or_default() {
            if validity.by_namespace.insert(namespace.clone(), seconds).is_some() {
                bail!("`pull_through_validity_of` has {namespace} twice");
            }
        }
        Ok(Self {
            registries,
            rules_per_registry,
            validity,
            whole_images: values.switch("pull_through_whole_images")?.unwrap_or(true),
        })
    }
}

fn parse_registry(text: &str) -> Result<(String, Option<String>), String> {
    let (host, url) = match text.split_once('=') {
        Some((host, url)) => (host, Some(parse_url(url)?)),
        None => (text, None),
    };
    if is_host(host) {
        return Ok((host.to_ascii_lowercase(), url));
    }
    Err(format!("{host:?} is not a host, such as `harbor.example.com` or `127.0.0.1:5000`"))
}

fn parse_validity(text: &str) -> Result<(String, i64), String> {
    let Some((prefix, time)) = text.split_once('=') else {
        return Err(format!(
            "{text:?} is not a prefix with a time, such as `docker-hub/library=7d`"
        ));
    };
    let namespace = Namespace::new(prefix);
    if namespace != Namespace::Root && RepositoryName::parse(namespace.as_str()).is_err() {
        return Err(format!("{prefix:?} is not the prefix of a repository's name, and not `ROOT`"));
    }
    let seconds = match time {
        "forever" => Validity::FOR_EVER,
        _ => parse_seconds(time).map_err(|error| format!("{error}, or `forever`"))?,
    };
    Ok((namespace.as_str().to_owned(), seconds))
}

fn parse_location(text: &str) -> Result<(String, String), String> {
    let Some((name, url)) = text.split_once('=') else {
        return Err(format!(
            "{text:?} is not a registry with a URL, such as `docker-hub=https://mirror.example.com`"
        ));
    };
    let url = parse_url(url)?;
    match UpstreamRegistry::parse(name) {
        Some(registry) if registry.host().is_none() => {
            Err(format!("`{name}` stands for many hosts; say which one: `HOST={url}`"))
        }
        Some(_) => Ok((name.to_owned(), url)),
        None if is_host(name) => Ok((name.to_ascii_lowercase(), url)),
        None => Err(format!("{name:?} is neither a registry that ECR knows nor a host")),
    }
}

/// Scheme, host and perhaps a port.
pub(super) fn parse_url(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "{text:?} is not the URL of a server without a path, such as \
             `https://mirror.example.com:5000`"
        )
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    match (scheme, authority, uri.path(), uri.query()) {
        (Some(scheme), Some(authority), "/", None) => Ok(format!("{scheme}://{authority}")),
        _ => Err(wrong()),
    }
}
