//! What the host of a request says: a registry of an account and region, an API of a region, or
//! nothing at all (`localhost`, an address), where the credentials say it.

use http::Uri;
use tonnage_domain::names::{AccountId, Region};

/// The host that a client used, as it wrote it, with what its labels mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Host and port as the client wrote them, in lower case.
    authority: String,
    name: HostName,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostName {
    /// `{account}.dkr.ecr.{region}.{suffix}`.
    Registry { account: AccountId, region: Region, suffix: String },
    /// `api.ecr.{region}.{suffix}` or `ecr.{region}.{suffix}`.
    Api { region: Region, suffix: String },
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
        Some(Self { authority, name })
    }

    /// The host of a request: the target's authority (HTTP/2), else the `Host` header.
    pub fn of(uri: &Uri, headers: &http::HeaderMap) -> Option<Self> {
        match uri.authority() {
            Some(authority) => Self::parse(authority.as_str()),
            None => Self::parse(headers.get(http::header::HOST)?.to_str().ok()?),
        }
    }

    /// Host and port as the client wrote them, in lower case.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The registry that a named registry host stands for.
    pub fn registry(&self) -> Option<(&AccountId, &Region)> {
        match &self.name {
            HostName::Registry { account, region, .. } => Some((account, region)),
            HostName::Api { .. } | HostName::Bare => None,
        }
    }

    /// The region that a named host stands for.
    pub fn region(&self) -> Option<&Region> {
        match &self.name {
            HostName::Registry { region, .. } | HostName::Api { region, .. } => Some(region),
            HostName::Bare => None,
        }
    }

    /// Where docker finds the registry of an account and region, for a client that reached us
    /// under this host: the registry host of the same suffix, or this host itself when it is bare.
    pub fn registry_authority(&self, account: &AccountId, region: &Region) -> String {
        match &self.name {
            HostName::Registry { suffix, .. } | HostName::Api { suffix, .. } => {
                format!("{account}.dkr.ecr.{region}.{suffix}")
            }
            HostName::Bare => self.authority.clone(),
        }
    }
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
        ["api", "ecr" | "ecr-fips", region, ..] => match (Region::parse(region), suffix(3)) {
            (Ok(region), Some(suffix)) => HostName::Api { region, suffix },
            _ => HostName::Bare,
        },
        ["ecr" | "ecr-fips", region, ..] if labels.len() > 2 => {
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
    fn what_is_not_a_host_is_refused() {
        for text in ["", "a b", "user@host", "host:port:1", "host/path", "\u{0}"] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }
}
