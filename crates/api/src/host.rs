//! What the host of a request says: a registry of an account and region, public registries, an API
//! of a region, or nothing at all (`localhost`, an address), where the credentials say it.

use http::Uri;
use tonnage_domain::names::{AccountId, Region};

/// The host that a client used, as it wrote it, with what its labels mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Host and port as the client wrote them, in lower case.
    authority: String,
    name: HostName,
    public: PublicPlace,
}

/// Where public registries are for clients that reach us under a bare host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicPlace {
    /// The port of their own listener, on the same machine.
    pub port: Option<u16>,
    /// The suffix of names that the DNS points here.
    pub domain: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostName {
    /// `{account}.dkr.ecr.{region}.{suffix}`.
    Registry { account: AccountId, region: Region, suffix: String },
    /// `api.ecr.{region}.{suffix}` or `ecr.{region}.{suffix}`, and the same of `ecr-public`.
    Api { region: Region, suffix: String },
    /// `public.{suffix}`; without a suffix, whatever name a client has for the listener of public
    /// registries.
    Public { suffix: Option<String> },
    /// Anything else.
    Bare,
}

impl Host {
    /// Reads a `Host` header or a request target's authority.
    ///
    /// `None` when it is not a host with an optional port.
    pub fn parse(text: &str) -> Option<Self> {
        let authority = text.to_ascii_lowercase();
        let parsed: http::uri::Authority = authority.parse().ok()?;
        if authority.contains('@') || parsed.host().is_empty() {
            return None;
        }
        let name = classify(parsed.host(), &authority);
        Some(Self { authority, name, public: PublicPlace::default() })
    }

    /// The host of a request: the target's authority (HTTP/2), else the `Host` header.
    pub fn of(uri: &Uri, headers: &http::HeaderMap) -> Option<Self> {
        match uri.authority() {
            Some(authority) => Self::parse(authority.as_str()),
            None => Self::parse(headers.get(http::header::HOST)?.to_str().ok()?),
        }
    }

    /// The same host, with where public registries are if it does not say so itself.
    #[must_use]
    pub fn beside(self, public: PublicPlace) -> Self {
        Self { public, ..self }
    }

    /// The same host at the listener of public registries, where every name is theirs.
    #[must_use]
    pub fn at_public_listener(self) -> Self {
        match self.name {
            HostName::Public { .. } => self,
            _ => Self { name: HostName::Public { suffix: None }, ..self },
        }
    }

    /// Whether images of public registries are pulled under this host.
    pub fn is_public(&self) -> bool {
        matches!(self.name, HostName::Public { .. })
    }

    /// Where docker finds public registries, for a client that reached us under this host.
    pub fn public_authority(&self) -> String {
        let bare = || {
            let parsed: Option<http::uri::Authority> = self.authority.parse().ok();
            parsed.map_or_else(String::new, |parsed| parsed.host().to_owned())
        };
        match (&self.name, self.public.port, &self.public.domain) {
            (HostName::Public { .. }, ..) => self.authority.clone(),
            (HostName::Registry { suffix, .. } | HostName::Api { suffix, .. }, ..) => {
                format!("public.{suffix}")
            }
            (HostName::Bare, Some(port), _) => format!("{}:{port}", bare()),
            (HostName::Bare, None, Some(domain)) => format!("public.{domain}"),
            (HostName::Bare, None, None) if is_address(&bare()) => self.authority.clone(),
            (HostName::Bare, None, None) => format!("public.{}", self.authority),
        }
    }

    /// Whether this host stands for nothing of its own.
    pub fn is_bare(&self) -> bool {
        matches!(self.name, HostName::Bare)
    }

    /// Host and port as the client wrote them, in lower case.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The registry that a named registry host stands for.
    pub fn registry(&self) -> Option<(&AccountId, &Region)> {
        match &self.name {
            HostName::Registry { account, region, .. } => Some((account, region)),
            HostName::Api { .. } | HostName::Public { .. } | HostName::Bare => None,
        }
    }

    /// The region that a named host stands for.
    pub fn region(&self) -> Option<&Region> {
        match &self.name {
            HostName::Registry { region, .. } | HostName::Api { region, .. } => Some(region),
            HostName::Public { .. } | HostName::Bare => None,
        }
    }

    /// Where docker finds the registry of an account and region, for a client that reached us
    /// under this host: the registry host of the same suffix, or this host itself when it is bare.
    pub fn registry_authority(&self, account: &AccountId, region: &Region) -> String {
        match &self.name {
            HostName::Registry { suffix, .. }
            | HostName::Api { suffix, .. }
            | HostName::Public { suffix: Some(suffix) } => {
                format!("{account}.dkr.ecr.{region}.{suffix}")
            }
            HostName::Public { suffix: None } | HostName::Bare => self.authority.clone(),
        }
    }
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// The suffix keeps the port.
fn classify(host: &str, authority: &str) -> HostName {
    let port = authority.strip_prefix(host).unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let suffix = |from: usize| {
        let rest = labels.get(from..).unwrap_or_default().join(".");
        (!rest.is_empty()).then(|| format!("{rest}{port}"))
    };
    match labels.as_slice() {
        [account, "dkr", "ecr" | "ecr-fips", region, ..] => {
            match (AccountId::parse(account), Region::parse(region), suffix(4)) {
                (Ok(account), Ok(region), Some(suffix)) => {
                    HostName::Registry { account, region, suffix }
                }
                _ => HostName::Bare,
            }
        }
        ["public", _, ..] => HostName::Public { suffix: suffix(1) },
        ["api", "ecr" | "ecr-fips" | "ecr-public", region, ..] => {
            match (Region::parse(region), suffix(3)) {
                (Ok(region), Some(suffix)) => HostName::Api { region, suffix },
                _ => HostName::Bare,
            }
        }
        ["ecr" | "ecr-fips" | "ecr-public", region, ..] if labels.len() > 2 => {
            match (Region::parse(region), suffix(2)) {
                (Ok(region), Some(suffix)) => HostName::Api { region, suffix },
                _ => HostName::Bare,
            }
        }
        _ => HostName::Bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, region: Option<&str>, account: Option<&str>, registry: &str) {
        let host = Host::parse(host).unwrap();
        assert_eq!(host.region().map(Region::as_str), region);
        assert_eq!(host.registry().map(|(account, _)| account.as_str()), account);
        let account = AccountId::parse("111122223333").unwrap();
        let region = Region::parse("eu-west-1").unwrap();
        assert_eq!(host.registry_authority(&account, &region), registry);
    }

    #[test]
    fn named_hosts_say_where_and_bare_hosts_do_not() {
        const EXAMPLE: &str = "111122223333.dkr.ecr.eu-west-1.example.com";
        check("localhost:4510", None, None, "localhost:4510");
        check("127.0.0.1:4510", None, None, "127.0.0.1:4510");
        check("[::1]:4510", None, None, "[::1]:4510");
        check("registry.example.com", None, None, "registry.example.com");
        check(
            "123456789012.dkr.ecr.us-east-1.example.com",
            Some("us-east-1"),
            Some("123456789012"),
            EXAMPLE,
        );
        check(
            "123456789012.DKR.ecr.us-east-1.Example.com",
            Some("us-east-1"),
            Some("123456789012"),
            EXAMPLE,
        );
        check("api.ecr.us-east-1.example.com", Some("us-east-1"), None, EXAMPLE);
        check("ecr.us-east-1.example.com", Some("us-east-1"), None, EXAMPLE);
        check(
            "api.ecr.us-east-1.localhost:4510",
            Some("us-east-1"),
            None,
            "111122223333.dkr.ecr.eu-west-1.localhost:4510",
        );
        check(
            "12345.dkr.ecr.us-east-1.example.com",
            None,
            None,
            "12345.dkr.ecr.us-east-1.example.com",
        );
        check("123456789012.dkr.ecr.us-east-1", None, None, "123456789012.dkr.ecr.us-east-1");
        check("ecr.example", None, None, "ecr.example");
    }

    #[test]
    fn public_registries_have_a_host_of_their_own() {
        let check = |host: &str, port: Option<u16>, domain: Option<&str>, public: &str| {
            let place = PublicPlace { port, domain: domain.map(str::to_owned) };
            let host = Host::parse(host).unwrap().beside(place);
            assert_eq!(host.public_authority(), public);
            assert_eq!(host.is_public(), host.authority() == public && host.is_public());
        };
        check("public.example.com", None, None, "public.example.com");
        check("public.example.com:8443", Some(4511), None, "public.example.com:8443");
        check("api.ecr-public.us-east-1.example.com", None, None, "public.example.com");
        check("ecr-public.us-east-1.example.com:44", None, None, "public.example.com:44");
        check("api.ecr.us-east-1.example.com", Some(4511), None, "public.example.com");
        check("123456789012.dkr.ecr.us-east-1.example.com", None, None, "public.example.com");
        check("localhost:4510", Some(4511), Some("example.com"), "localhost:4511");
        check("127.0.0.1:4510", Some(4511), None, "127.0.0.1:4511");
        check("[::1]:4510", Some(4511), None, "[::1]:4511");
        check("localhost:4510", None, Some("example.com"), "public.example.com");
        check("localhost:4510", None, None, "public.localhost:4510");
        check("127.0.0.1:4510", None, None, "127.0.0.1:4510");
        check("[::1]:4510", None, None, "[::1]:4510");
        let public = |host: &str| Host::parse(host).unwrap().is_public();
        assert!(public("public.example.com") && public("public.localhost:4510"));
        assert!(!public("public") && !public("localhost:4511") && !public("publics.example.com"));
        let here = Host::parse("localhost:4511").unwrap().at_public_listener();
        assert!(here.is_public());
        assert_eq!(here.public_authority(), "localhost:4511");
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for text in ["", "a b", "user@host", "host:port:1", "host/path", "\u{0}"] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }
}
