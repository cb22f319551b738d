//! Where the server listens, how much it takes at a time, and whom it believes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use ipnet::IpNet;
use tonnage_domain::context::Endpoint;

use super::{Kind, Setting, Values};

/// The port of the default listeners.
pub(crate) const DEFAULT_PORT: u16 = 4510;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "listen",
        kind: Kind::List,
        value_name: "ADDRESS:PORT",
        default: "127.0.0.1:4510 and, where the machine has IPv6, [::1]:4510",
        help: "An address to listen on; more than one may be given. `0.0.0.0:4510` is every IPv4 \
               address of the machine, `[::]:4510` every address, port 0 any free port.",
    },
    Setting {
        key: "endpoint",
        kind: Kind::List,
        value_name: "NAME=ADDRESS:PORT",
        default: "none",
        help: "A name for one of the addresses of `listen`, which policies know as \
               `aws:SourceVpce`; more than one may be given. `NAME/NETWORK=ADDRESS:PORT` says \
               `aws:SourceVpc` too. Only who can reach the address comes through the endpoint, so \
               give it an address of a network of its own.",
    },
    Setting {
        key: "trusted_proxy",
        kind: Kind::List,
        value_name: "CIDR",
        default: "127.0.0.0/8 and ::1/128",
        help: "A network of proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and \
               `X-Forwarded-Host` are believed; more than one may be given, `none` trusts nobody.",
    },
    Setting {
        key: "tls_certificate_file",
        kind: Kind::Text,
        value_name: "FILE",
        default: "none: plain HTTP",
        help: "A certificate in PEM form, with those that lead to an authority after it. With it \
               and `tls_key_file`, every address of `listen` speaks TLS, and plain HTTP is answered \
               to this machine and to trusted proxies only. Both files are read again within \
               seconds when they change.",
    },
    Setting {
        key: "tls_key_file",
        kind: Kind::Text,
        value_name: "FILE",
        default: "none",
        help: "The key of the certificate, in PEM form.",
    },
    Setting {
        key: "connections_max",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "10000",
        help: "Connections served at a time; one more waits until another ends.",
    },
    Setting {
        key: "drain_seconds",
        kind: Kind::Number,
        value_name: "SECONDS",
        default: "30",
        help: "How long requests under way may take after the server was asked to stop.",
    },
];

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The certificate and those that lead to an authority.
    pub(crate) certificate_file: PathBuf,
    /// Its key.
    pub(crate) key_file: PathBuf,
}

impl Tls {
    fn read(values: &Values) -> Result<Option<Self>> {
        let file = |key| -> Result<Option<PathBuf>> { Ok(values.text(key)?.map(PathBuf::from)) };
        match (file("tls_certificate_file")?, file("tls_key_file")?) {
            (Some(certificate_file), Some(key_file)) => {
                Ok(Some(Self { certificate_file, key_file }))
            }
            (None, None) => Ok(None),
            (Some(_), None) => anyhow::bail!("`tls_certificate_file` needs `tls_key_file`"),
            (None, Some(_)) => anyhow::bail!("`tls_key_file` needs `tls_certificate_file`"),
        }
    }
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listeners {
    /// Addresses, in the order given.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The addresses that are endpoints with a name.
    pub(crate) endpoints: Vec<(SocketAddr, Endpoint)>,
    /// Whether somebody asked for these addresses. An IPv6 default that the machine does not have
    /// is skipped, one that was asked for is an error.
    pub(crate) explicit: bool,
    /// Whose forwarding headers count.
    pub(crate) trusted_proxies: TrustedProxies,
    /// The certificate, where they speak TLS.
    pub(crate) tls: Option<Tls>,
    /// Connections at a time.
    pub(crate) connections_max: usize,
    /// How long an orderly stop waits for requests.
    pub(crate) drain: Duration,
}

/// Networks whose forwarding headers are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Exactly these networks.
    #[cfg(test)]
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether `address` belongs to one of them.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Default for TrustedProxies {
    fn default() -> Self {
        let loopback = [
            IpNet::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            IpNet::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ];
        Self(loopback.into_iter().flatten().collect())
    }
}

impl Listeners {
    pub(super) fn read(values: &Values) -> Result<Self> {
        let given = values.many("listen", |text| {
            text.parse::<SocketAddr>().map_err(|_| {
                format!("{text:?} is not an address with a port, such as `127.0.0.1:4510`")
            })
        })?;
        let explicit = given.is_some();
        let addresses = given.unwrap_or_else(|| {
            vec![
                SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, DEFAULT_PORT)),
            ]
        });
        if addresses.is_empty() {
            anyhow::bail!("`listen` names no address to listen on");
        }
        let endpoints = values.many("endpoint", parse_endpoint)?.unwrap_or_default();
        for (index, (address, _)) in endpoints.iter().enumerate() {
            if !addresses.contains(address) {
                anyhow::bail!("`endpoint` names {address}, which `listen` does not");
            }
            if endpoints.iter().take(index).any(|(other, _)| other == address) {
                anyhow::bail!("`endpoint` names {address} twice");
            }
        }
        let trusted = values.many("trusted_proxy", parse_networks)?;
        Ok(Self {
            addresses,
            endpoints,
            explicit,
            trusted_proxies: trusted.map_or_else(TrustedProxies::default, |networks| {
                TrustedProxies(networks.into_iter().flatten().collect())
            }),
            tls: Tls::read(values)?,
            connections_max: values.number("connections_max", 1, 1_000_000)?.unwrap_or(10_000)
                as usize,
            drain: Duration::from_secs(
                values.number("drain_seconds", 0, 86_400)?.unwrap_or(30).into(),
            ),
        })
    }
}

/// `NAME=ADDRESS:PORT` or `NAME/NETWORK=ADDRESS:PORT`.
fn parse_endpoint(text: &str) -> Result<(SocketAddr, Endpoint), String> {
    const NAME_BYTES_MAX: usize = 64;
    let refuse = || {
        format!(
            "{text:?} is not an endpoint, such as `vpce-build=10.0.0.5:4510` or \
             `vpce-build/vpc-office=10.0.0.5:4510`"
        )
    };
    let is_name = |name: &str| {
        (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let (names, address) = text.split_once('=').ok_or_else(refuse)?;
    let address = address.parse().map_err(|_| refuse())?;
    let (name, network) = match names.split_once('/') {
        Some((name, network)) => (name, Some(network)),
        None => (names, None),
    };
    if !is_name(name) || !network.is_none_or(is_name) {
        return Err(refuse());
    }
    let endpoint = Endpoint { name: name.to_owned(), network: network.map(str::to_owned) };
    Ok((address, endpoint))
}

/// No network for `none`, an address for a network of one.
fn parse_networks(text: &str) -> Result<Option<IpNet>, String> {
    if text == "none" {
        return Ok(None);
    }
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| address())
        .map(Some)
        .map_err(|_| format!("{text:?} is not a network, such as `10.0.0.0/8`, and not `none`"))
}
