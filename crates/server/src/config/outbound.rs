//! Which servers of others may be asked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::Result;
use ipnet::IpNet;

use super::{Kind, Setting, Values};

/// Name servers of `outbound_resolver`.
const RESOLVERS_MAX: usize = 3;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "outbound_network",
        kind: Kind::List,
        value_name: "CIDR",
        default: "none",
        help: "A network that is not public and that identity providers and other registries may \
               be in all the same; more than one may be given. Requests go to public addresses \
               otherwise, because the URL of a provider is said by whoever may make one. Where \
               addresses of this machine are among them, it may also be asked without TLS.",
    },
    Setting {
        key: "upstream_token_host",
        kind: Kind::List,
        value_name: "HOST",
        default: "none",
        help: "A host whose token service may see the credentials of other registries; more than \
               one may be given. A registry itself says where its token service is; credentials \
               are sent to its own host and to hosts of its site, and nowhere else otherwise.",
    },
    Setting {
        key: "outbound_resolver",
        kind: Kind::List,
        value_name: "ADDRESS:PORT",
        default: "those of /etc/resolv.conf",
        help: "A name server that is asked for the text records by which owners of public \
               registries prove their domains; up to three may be given, the first is asked first, \
               `none` asks none. What it answers is not signed: it should be reached by a way that \
               nobody else writes to.",
    },
    Setting {
        key: "outbound_authorities_file",
        kind: Kind::Text,
        value_name: "FILE",
        default: "none",
        help: "A file with certificates of authorities in PEM form, trusted for these requests \
               beside those of the system.",
    },
];

/// Which servers of others may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outbound {
    /// Networks that are not public.
    pub(crate) networks: Vec<IpNet>,
    /// Hosts whose token services may see the credentials of registries, in lower case.
    pub(crate) token_hosts: Vec<String>,
    /// Name servers that are asked for text records; the system's when absent.
    pub(crate) resolvers: Option<Vec<SocketAddr>>,
    /// Certificates of authorities.
    pub(crate) authorities_file: Option<PathBuf>,
}

impl Outbound {
    pub(super) fn read(values: &Values) -> Result<Self> {
        let networks = values.many("outbound_network", |text| {
            text.parse::<IpNet>()
                .map_err(|_| format!("{text:?} is not a network, such as `10.0.0.0/8`"))
        })?;
        let token_hosts = values.many("upstream_token_host", host)?;
        let resolvers = values.many("outbound_resolver", |text| match text {
            "none" => Ok(None),
            _ => text.parse::<SocketAddr>().map(Some).map_err(|_| {
                format!(
                    "{text:?} is not an address with a port, such as `192.0.2.53:53`, and not \
                     `none`"
                )
            }),
        })?;
        let resolvers: Option<Vec<SocketAddr>> =
            resolvers.map(|given| given.into_iter().flatten().collect());
        if resolvers.as_ref().is_some_and(|given| given.len() > RESOLVERS_MAX) {
            anyhow::bail!("`outbound_resolver` takes at most {RESOLVERS_MAX} name servers");
        }
        Ok(Self {
            resolvers,
            networks: networks.unwrap_or_default(),
            token_hosts: token_hosts.unwrap_or_default(),
            authorities_file: values.text("outbound_authorities_file")?.map(PathBuf::from),
        })
    }
}

/// A host as URLs have it, without brackets around an address.
fn host(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(is_label)) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("{text:?} is not a host without scheme and port, such as `auth.example.com`"))
}
