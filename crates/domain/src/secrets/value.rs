//! What a secret holds, and how it is sealed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::rows;
use super::{CURRENT, SecretId};
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::Tx;
use crate::params;
use crate::root_key::{Purpose, RootKey};

/// Longest value in bytes (botocore `secretsmanager`, shapes `SecretStringType` and
/// `SecretBinaryType`).
pub const VALUE_BYTES_MAX: usize = 65_536;

/// Versions sealed anew at a time: each may hold 64 KiB.
const PAGE: i64 = 64;

/// What a version holds; never printed.
#[derive(Clone, Debug)]
pub enum Value {
    /// `SecretString`.
    Text(SecretString),
    /// `SecretBinary`.
    Binary(SecretSlice<u8>),
}

impl Value {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.expose_secret().as_bytes(),
            Self::Binary(bytes) => bytes.expose_secret(),
        }
    }

    /// As stored beside the sealed bytes.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "TEXT",
            Self::Binary(_) => "BINARY",
        }
    }

    /// Refuses an empty value and one of more than [`VALUE_BYTES_MAX`].
    ///
    /// # Errors
    /// `InvalidParameter`; the value is not in the message.
    pub(super) fn validate(&self) -> Result<()> {
        if (1..=VALUE_BYTES_MAX).contains(&self.bytes().len()) {
            return Ok(());
        }
        let field = match self {
            Self::Text(_) => "SecretString",
            Self::Binary(_) => "SecretBinary",
        };
        Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("{field} must have 1 to {VALUE_BYTES_MAX} bytes."),
        ))
    }

    /// Whether both hold the same; takes the same time wherever they differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.kind() == other.kind() && verify_slices_are_equal(self.bytes(), other.bytes()).is_ok()
    }

    pub(super) fn seal(&self, root_key: &RootKey, arn: &str, version_id: &str) -> Result<Vec<u8>> {
        root_key.seal(Purpose::Secret, &owner(arn, version_id), self.bytes())
    }

    pub(super) fn open(
        root_key: &RootKey,
        (arn, version_id): (&str, &str),
        kind: &str,
        sealed: &[u8],
    ) -> Result<Self> {
        let opened = root_key.open(Purpose::Secret, &owner(arn, version_id), sealed)?;
        if kind == "BINARY" {
            return Ok(Self::Binary(SecretSlice::from(opened.to_vec())));
        }
        // The error would hold the bytes.
        let text = std::str::from_utf8(&opened)
            .map_err(|_| Error::internal("a secret stored as text is none"))?;
        Ok(Self::Text(SecretString::from(text)))
    }
}

/// Whose a sealed value is: one moved to another secret or version does not open.
fn owner(arn: &str, version_id: &str) -> String {
    format!("{arn} {version_id}")
}

/// What another part of the registry finds under the ARN of a secret.
#[derive(Debug)]
pub enum SecretValue {
    /// There is no such secret, its deletion is scheduled, or it has no current version with a text.
    NotFound,
    /// The root key does not open it; the log says more.
    CannotBeOpened,
    /// The text of the current version.
    Text(SecretString),
}

/// The current value of the secret with this ARN, whole or without its end, of any account and
/// region. Asks for no permission: whoever calls this has decided a demand of its own.
///
/// # Errors
/// When the database fails. An ARN that is none is not found.
pub async fn current_value(
    tx: &mut Tx,
    root_key: &RootKey,
    now: Millis,
    arn: &str,
) -> Result<SecretValue> {
    let Ok(id) = SecretId::parse_arn(arn) else { return Ok(SecretValue::NotFound) };
    let Some(secret) = rows::find(tx, &id, now).await? else { return Ok(SecretValue::NotFound) };
    if secret.deleted_at.is_some() {
        return Ok(SecretValue::NotFound);
    }
    let Some(version) = rows::find_stage(tx, secret.id, CURRENT).await? else {
        return Ok(SecretValue::NotFound);
    };
    match version.open(root_key, &secret.arn) {
        Ok(Value::Text(text)) => Ok(SecretValue::Text(text)),
        Ok(Value::Binary(_)) => Ok(SecretValue::NotFound),
        Err(error) => {
            let cause = chain(&error);
            tracing::error!(secret = secret.arn, cause, "a secret does not open");
            Ok(SecretValue::CannotBeOpened)
        }
    }
}

/// Seals every version with the new root key; how many there are.
pub(crate) async fn seal_anew(tx: &mut Tx, old: &RootKey, new: &RootKey) -> Result<u64> {
    let mut count = 0;
    let (mut secret_id, mut version_id) = (0_i64, String::new());
    loop {
        let rows = tx
            .all(
                "SELECT secret_versions.secret_id, secret_versions.version_id, secrets.arn, \
                 secret_versions.sealed_value FROM secret_versions \
                 JOIN secrets ON secrets.id = secret_versions.secret_id \
                 WHERE secret_versions.secret_id > $1 OR \
                 (secret_versions.secret_id = $1 AND secret_versions.version_id > $2) \
                 ORDER BY secret_versions.secret_id, secret_versions.version_id LIMIT $3",
                params![secret_id, &version_id, PAGE],
            )
            .await?;
        if rows.is_empty() {
            return Ok(count);
        }
        for row in &rows {
            (secret_id, version_id) = (row.get(0)?, row.get(1)?);
            let owner = owner(&row.get::<String>(2)?, &version_id);
            let sealed = new.seal_anew(old, Purpose::Secret, &owner, &row.get::<Vec<u8>>(3)?)?;
            count += tx
                .execute(
                    "UPDATE secret_versions SET sealed_value = $3 \
                     WHERE secret_id = $1 AND version_id = $2",
                    params![secret_id, &version_id, sealed],
                )
                .await?;
        }
    }
}
