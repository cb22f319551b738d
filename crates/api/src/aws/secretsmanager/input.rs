//! What several requests have: which secret, its value, its tags, and members for what is not built.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::names::Partition;
use tonnage_domain::resource_tags::ResourceTag;
use tonnage_domain::secrets::{SecretId, Value};

use super::Call;
use crate::aws::error::{Refusal, Result};

/// The alias of the key that is used when a request names none.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// A tag.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

pub(super) fn tags_from(tags: Vec<Tag>) -> Vec<ResourceTag> {
    tags.into_iter().map(|tag| ResourceTag { key: tag.key, value: tag.value }).collect()
}

impl Call<'_> {
    /// The secret that a request names.
    pub(super) fn secret(&self, text: &str) -> Result<SecretId, Error> {
        SecretId::parse(text, &self.context.account, &self.context.region)
    }

    /// Refuses every key but the default one.
    pub(super) fn check_key(&self, key: Option<&str>) -> Result<(), Error> {
        let Some(key) = key.filter(|key| !key.is_empty()) else { return Ok(()) };
        let (account, region) = (&self.context.account, &self.context.region);
        let partition = Partition::of(region).as_str();
        if key == DEFAULT_KEY
            || key == format!("arn:{partition}:kms:{region}:{account}:{DEFAULT_KEY}")
        {
            return Ok(());
        }
        Err(not_built("KmsKeyId", &format!("keys other than {DEFAULT_KEY}")))
    }
}

/// The error for a member that means something which is not built.
pub(super) fn not_built(member: &str, what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("Tonnage does not have {what}; leave {member} out."))
}

/// Refuses members that mean something which is not built.
pub(super) fn refuse(members: &[(&str, bool, &str)]) -> Result<(), Error> {
    match members.iter().find(|(_, is_given, _)| *is_given) {
        Some((member, _, what)) => Err(not_built(member, what)),
        None => Ok(()),
    }
}

/// The value of a request; the members `SecretString` and `SecretBinary`.
pub(super) fn value(
    text: Option<SecretString>,
    binary: Option<SecretString>,
) -> Result<Option<Value>> {
    match (text, binary) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(Value::Text(text))),
        (None, Some(encoded)) => {
            // The decoder's error would repeat a character of the secret.
            let bytes = STANDARD.decode(encoded.expose_secret()).map_err(|_| {
                Refusal::Serialization(Some("SecretBinary is not base64.".to_owned()))
            })?;
            Ok(Some(Value::Binary(SecretSlice::from(bytes))))
        }
        (Some(_), Some(_)) => Err(Error::new(
            ErrorKind::InvalidParameter,
            "You can't specify both a binary secret value and a string secret value in the same \
             secret.",
        )
        .into()),
    }
}
