//! Which servers of others may be asked.

use std::path::PathBuf;

use anyhow::Result;
use ipnet::IpNet;

use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "outbound_network",
        kind: Kind::List,
        value_name: "CIDR",
        default: "none",
        help: "A network that is not public and that identity providers may be in all the same; \
               more than one may be given. Requests go to public addresses otherwise, because the \
               URL of a provider is said by whoever may make one. Where addresses of this machine \
               are among them, it may also be asked without TLS.",
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
    /// Certificates of authorities.
    pub(crate) authorities_file: Option<PathBuf>,
}

impl Outbound {
    pub(super) fn read(values: &Values) -> Result<Self> {
        let networks = values.many("outbound_network", |text| {
            text.parse::<IpNet>()
                .map_err(|_| format!("{text:?} is not a network, such as `10.0.0.0/8`"))
        })?;
        Ok(Self {
            networks: networks.unwrap_or_default(),
            authorities_file: values.text("outbound_authorities_file")?.map(PathBuf::from),
        })
    }
}
