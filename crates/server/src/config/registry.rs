//! What the registry is called and what it does.

use anyhow::Result;
use tonnage_domain::names::{AccountId, Region};

use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "account",
        kind: Kind::Text,
        value_name: "ID",
        default: "123456789012",
        help: "The account of the first start, 12 digits. It manages the deployment and never \
               changes; `tonnage account create` makes others.",
    },
    Setting {
        key: "region",
        kind: Kind::Text,
        value_name: "REGION",
        default: "us-east-1 on the first start, later what the first start had",
        help: "The region of requests that name none.",
    },
    Setting {
        key: "domain",
        kind: Kind::Text,
        value_name: "NAME",
        default: "none",
        help: "The suffix under which the DNS points here, with a port where clients need one. It \
               is used to print `api.ecr.REGION.NAME` and `ACCOUNT.dkr.ecr.REGION.NAME` at the \
               start. Addresses in answers come from the host that the client used: a named host \
               yields names of its own suffix, a bare host such as `localhost:4510` yields itself, \
               with or without this setting.",
    },
    Setting {
        key: "create_on_push",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Makes a repository when somebody pushes to a name that does not exist; the pusher \
               needs `ecr:CreateRepository`.",
    },
];

/// What the registry is called and what it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registry {
    /// The account asked for.
    pub(crate) account: Option<AccountId>,
    /// The region asked for.
    pub(crate) region: Option<Region>,
    /// The public suffix.
    pub(crate) domain: Option<String>,
    /// Whether a push makes its repository.
    pub(crate) create_on_push: bool,
}

impl Registry {
    pub(super) fn read(values: &Values) -> Result<Self> {
        Ok(Self {
            account: values.one("account", AccountId::parse)?,
            region: values.one("region", Region::parse)?,
            domain: values.one("domain", parse_domain)?,
            create_on_push: values.switch("create_on_push")?.unwrap_or(false),
        })
    }
}

fn parse_domain(text: &str) -> Result<String, String> {
    let wrong =
        || format!("{text:?} is not a host name, such as `example.com` or `localhost:4510`");
    let text = text.to_ascii_lowercase();
    let authority: http::uri::Authority = text.parse().map_err(|_| wrong())?;
    let labels_fit = authority.host().split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if labels_fit && !text.contains('@') { Ok(text) } else { Err(wrong()) }
}
