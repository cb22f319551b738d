//! What only the environment may hold: a flag shows in the process list, a config file is copied.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use secrecy::SecretString;
use tonnage_domain::identities::access_keys::AccessKey;

const ACCESS_KEY_ID: &str = "TONNAGE_ROOT_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "TONNAGE_ROOT_SECRET_ACCESS_KEY";
const ROOT_KEY: &str = "TONNAGE_ROOT_KEY";

/// Variables that are no settings, with what they are for.
pub(crate) const OTHER_VARIABLES: &[(&str, &str)] = &[
    ("TONNAGE_CONFIG", "The config file, when `--config` names none."),
    (
        ACCESS_KEY_ID,
        "The id of the root access key of the first start; made at random when absent. A later \
         start with another one is refused.",
    ),
    (SECRET_ACCESS_KEY, "The secret that belongs to it."),
    (
        ROOT_KEY,
        "The root key, 32 bytes as hexadecimal or Base64 text, for machines where it must not lie \
         beside the data.",
    ),
];

/// Secrets of the environment.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// The root access key that the operator brings.
    pub(crate) root_access_key: Option<AccessKey>,
    /// The text of the root key.
    pub(crate) root_key: Option<SecretString>,
}

impl Secrets {
    pub(super) fn read(environment: &BTreeMap<String, String>) -> Result<Self> {
        let variable = |name: &str| environment.get(name).filter(|text| !text.is_empty());
        let root_access_key = match (variable(ACCESS_KEY_ID), variable(SECRET_ACCESS_KEY)) {
            (None, None) => None,
            (Some(id), Some(secret)) => {
                let key = AccessKey::given(id, &SecretString::from(secret.as_str()));
                Some(key.map_err(|error| {
                    anyhow!("`{ACCESS_KEY_ID}` or `{SECRET_ACCESS_KEY}` is wrong: {error}")
                })?)
            }
            (Some(_), None) => bail!("`{ACCESS_KEY_ID}` is set but `{SECRET_ACCESS_KEY}` is not"),
            (None, Some(_)) => bail!("`{SECRET_ACCESS_KEY}` is set but `{ACCESS_KEY_ID}` is not"),
        };
        let root_key = variable(ROOT_KEY).map(|text| SecretString::from(text.as_str()));
        Ok(Self { root_access_key, root_key })
    }
}
