//! Access keys: an id that is no secret, and a secret that SigV4 needs back, so it is sealed with
//! the root key rather than hashed.

pub mod operations;
pub mod uses;

use secrecy::{ExposeSecret, SecretString};

use super::{begin, principal_from};
use crate::app::App;
use crate::clock::Millis;
use crate::context::Principal;
use crate::encryption::sealing_key::random;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::names::AccountId;
use crate::params;
use crate::root_key::{Purpose, RootKey, rotate};

/// An access key with its secret.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// 20 characters, beginning with `AKIA`.
    pub id: String,
    /// 40 characters.
    pub secret: SecretString,
}

impl AccessKey {
    /// A new random key.
    ///
    /// # Errors
    /// Only when the system has no randomness to give.
    pub fn random() -> Result<Self> {
        use base64::Engine as _;
        let secret: [u8; 30] = random()?;
        let secret = base64::engine::general_purpose::STANDARD.encode(secret);
        Ok(Self { id: key_id("AKIA")?, secret: SecretString::from(secret) })
    }

    /// A key that the operator brings.
    ///
    /// # Errors
    /// `InvalidParameter` unless the id has 16 to 128 letters and digits (botocore `iam`, shape
    /// `accessKeyIdType`) and the secret 16 to 128 printable characters.
    pub fn given(id: &str, secret: &SecretString) -> Result<Self> {
        let id_fits = (16..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let text = secret.expose_secret();
        let secret_fits =
            (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !id_fits {
            return Err(Error::invalid_parameter(
                "accessKeyId",
                "16 to 128 letters, digits and underscores",
            ));
        }
        if !secret_fits {
            return Err(Error::invalid_parameter(
                "secretAccessKey",
                "16 to 128 printable characters without spaces",
            ));
        }
        Ok(Self { id: id.to_owned(), secret: secret.clone() })
    }
}

/// A prefix and 16 random letters and digits.
pub(crate) fn key_id(prefix: &str) -> Result<String> {
    let id = super::entities::unique_id(prefix)?;
    Ok(id.get(..prefix.len() + 16).unwrap_or_default().to_owned())
}

/// An active key and whose it is.
#[derive(Clone, Debug)]
pub struct ActiveKey {
    /// The secret.
    pub secret: SecretString,
    /// Whose it is.
    pub principal: Principal,
}

/// The active key of this id, if there is one.
///
/// # Errors
/// When the database fails, or the secret does not open under the root key.
pub async fn find_active(app: &App, id: &str) -> Result<Option<ActiveKey>> {
    let mut tx = begin(app).await?;
    let row = tx
        .optional(
            "SELECT principals.id, principals.kind, principals.account_id, principals.arn, \
             principals.unique_id, access_keys.sealed_secret FROM access_keys \
             JOIN principals ON principals.id = access_keys.principal_id \
             JOIN accounts ON accounts.id = principals.account_id \
             WHERE access_keys.id = $1 AND access_keys.state = 'ACTIVE' \
             AND accounts.state = 'ACTIVE'",
            params![id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let principal = principal_from(&row, Some(id.to_owned()))?;
    let sealed: Vec<u8> = row.get(5)?;
    Ok(Some(ActiveKey { secret: open(&app.root_key, id, &sealed)?, principal }))
}

/// The secret of a key of an account's root, active or not.
pub(crate) async fn find_root_secret(
    tx: &mut Tx,
    root_key: &RootKey,
    account: &AccountId,
    id: &str,
) -> Result<Option<SecretString>> {
    let row = tx
        .optional(
            "SELECT access_keys.sealed_secret FROM access_keys \
             JOIN principals ON principals.id = access_keys.principal_id \
             WHERE access_keys.id = $1 AND principals.account_id = $2 \
             AND principals.kind = 'root'",
            params![id, account.as_str()],
        )
        .await?;
    row.map(|row| open(root_key, id, &row.get::<Vec<u8>>(0)?)).transpose()
}

/// Stores a key for a principal.
pub(crate) async fn insert(
    tx: &mut Tx,
    root_key: &RootKey,
    principal_id: i64,
    key: &AccessKey,
    now: Millis,
) -> Result<()> {
    let sealed =
        root_key.seal(Purpose::AccessKey, &key.id, key.secret.expose_secret().as_bytes())?;
    tx.execute(
        "INSERT INTO access_keys (id, principal_id, sealed_secret, state, created_at) \
         VALUES ($1, $2, $3, 'ACTIVE', $4)",
        params![&key.id, principal_id, sealed, now],
    )
    .await?;
    Ok(())
}

/// Seals every secret with the new root key; how many there are.
pub(crate) async fn seal_anew(tx: &mut Tx, old: &RootKey, new: &RootKey) -> Result<u64> {
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let rows = tx
            .all(
                "SELECT id, sealed_secret FROM access_keys WHERE id > $1 ORDER BY id LIMIT $2",
                params![&after, rotate::PAGE],
            )
            .await?;
        if rows.is_empty() {
            return Ok(count);
        }
        for row in &rows {
            after = row.get(0)?;
            let sealed = new.seal_anew(old, Purpose::AccessKey, &after, &row.get::<Vec<u8>>(1)?)?;
            count += tx
                .execute(
                    "UPDATE access_keys SET sealed_secret = $2 WHERE id = $1",
                    params![&after, sealed],
                )
                .await?;
        }
    }
}

fn open(root_key: &RootKey, id: &str, sealed: &[u8]) -> Result<SecretString> {
    let plain = root_key.open(Purpose::AccessKey, id, sealed)?;
    let text = std::str::from_utf8(&plain).map_err(Error::internal)?;
    Ok(SecretString::from(text.to_owned()))
}
