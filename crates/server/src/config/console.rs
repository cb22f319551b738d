//! Whether and how people see the registry in a browser.

use std::path::PathBuf;

use anyhow::{Result, bail};
use tonnage_domain::identities::console_sessions::federation::RoleRule;

use super::registry::parse_seconds;
use super::{Kind, Setting, Values};

const IDLE_SECONDS: i64 = 30 * 60;
const SCOPES: &str = "openid email profile";

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "console",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "true",
        help: "Shows the console for people under `/console/` of every address of `listen`, and \
               under `console.NAME` where `domain` is NAME.",
    },
    Setting {
        key: "console_idle",
        kind: Kind::Text,
        value_name: "TIME",
        default: "30m",
        help: "After how much time without a page people must sign in again, in seconds, minutes or \
               hours, from 60 seconds; after twelve hours they must in any case.",
    },
    Setting {
        key: "console_plain_http",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Shows the console over plain HTTP to other machines too. Keys and sessions can then \
               be read on the way; only for networks that are private in another way.",
    },
    Setting {
        key: "console_oidc_issuer",
        kind: Kind::Text,
        value_name: "URL",
        default: "people sign in with keys and passwords only",
        help: "The issuer of an OpenID Connect provider that lets people in to the console. It must \
               also be a provider in IAM of the account of the roles, with the client id among its \
               own.",
    },
    Setting {
        key: "console_oidc_client_id",
        kind: Kind::Text,
        value_name: "ID",
        default: "none",
        help: "What that provider calls the console, which is registered there with the address \
               `https://HOST/console/sign-in/provider/back`.",
    },
    Setting {
        key: "console_oidc_client_secret_file",
        kind: Kind::Text,
        value_name: "PATH",
        default: "none: the console is a public client",
        help: "A file with the secret that proves to the provider that the console asks.",
    },
    Setting {
        key: "console_oidc_scopes",
        kind: Kind::Text,
        value_name: "SCOPES",
        default: SCOPES,
        help: "What the provider is asked for, with spaces between; `openid` must be among it.",
    },
    Setting {
        key: "console_oidc_role",
        kind: Kind::List,
        value_name: "RULE",
        default: "none",
        help: "Which role people get whom the provider lets in: `ARN`, or `CLAIM=VALUE=ARN` for \
               those whose ID token has the claim with this value, or with this one among several. \
               The first rule that fits counts. The trust policy of the role must allow \
               `sts:AssumeRoleWithWebIdentity` to the provider.",
    },
];

/// Whether and how people see the registry in a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Console {
    /// Whether there is a console.
    pub(crate) enabled: bool,
    /// After how many seconds without a page a session ends.
    pub(crate) idle_seconds: i64,
    /// Whether it is shown over plain HTTP to other machines.
    pub(crate) plain_http: bool,
    /// Which identity provider lets people in.
    pub(crate) federation: Option<Federation>,
}

/// Which identity provider lets people in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Federation {
    /// Its issuer.
    pub(crate) issuer: String,
    /// What it calls the console.
    pub(crate) client_id: String,
    /// Where the secret is that the console proves that with.
    pub(crate) client_secret_file: Option<PathBuf>,
    /// What is asked for.
    pub(crate) scopes: String,
    /// Who gets which role.
    pub(crate) roles: Vec<RoleRule>,
}

impl Federation {
    fn read(values: &Values) -> Result<Option<Self>> {
        let issuer = |text: &str| {
            let is_address =
                text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(['?', '#']);
            match text.starts_with("https://") || text.starts_with("http://") {
                true if is_address => Ok(text.to_owned()),
                _ => Err(format!("{text:?} is no issuer: an issuer begins with https://")),
            }
        };
        let scopes = |text: &str| match text.split(' ').any(|scope| scope == "openid") {
            true => Ok(text.to_owned()),
            false => Err(format!("{text:?} lacks openid")),
        };
        let issuer = values.one("console_oidc_issuer", issuer)?;
        let client_id = values.text("console_oidc_client_id")?;
        let client_secret_file = values.text("console_oidc_client_secret_file")?.map(PathBuf::from);
        let asked = values.one("console_oidc_scopes", scopes)?;
        let roles = values.many("console_oidc_role", RoleRule::parse)?.unwrap_or_default();
        match (issuer, client_id) {
            (Some(issuer), Some(client_id)) if !roles.is_empty() => Ok(Some(Self {
                issuer,
                client_id,
                client_secret_file,
                scopes: asked.unwrap_or_else(|| SCOPES.to_owned()),
                roles,
            })),
            (None, None) if client_secret_file.is_none() && asked.is_none() && roles.is_empty() => {
                Ok(None)
            }
            _ => bail!(
                "`console_oidc_issuer`, `console_oidc_client_id` and `console_oidc_role` belong \
                 together: set all three, or none of the settings that begin with `console_oidc`"
            ),
        }
    }
}

impl Console {
    pub(super) fn read(values: &Values) -> Result<Self> {
        let idle = |text: &str| {
            parse_seconds(text).and_then(|seconds| match seconds {
                60.. => Ok(seconds),
                _ => Err(format!("{text:?} is less than 60 seconds")),
            })
        };
        Ok(Self {
            enabled: values.switch("console")?.unwrap_or(true),
            idle_seconds: values.one("console_idle", idle)?.unwrap_or(IDLE_SECONDS),
            plain_http: values.switch("console_plain_http")?.unwrap_or(false),
            federation: Federation::read(values)?,
        })
    }
}
