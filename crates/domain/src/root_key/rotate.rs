//! Changing the root key: everything that the old one sealed is sealed with the new one, in one
//! transaction.
//!
//! Only for a registry that nobody serves: a running server keeps the old key in memory, and what
//! it sealed after the transaction could never be opened again.
//!
//! What the sealed values hold does not change: secrets, signing keys and domain keys stay the
//! same, so tokens, access keys and images do too. It also means that whoever has the old key and
//! an old copy of the metadata still has all of them.

use super::{Purpose, RootKey};
use crate::authorize::Permit;
use crate::encryption;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::identities::{access_keys, token_keys};
use crate::metadata::{Metadata, Mode};
use crate::signing::profiles;
use crate::{params, secrets};

/// Values read at a time while they are sealed anew.
pub(crate) const PAGE: i64 = 500;

/// What was sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Secrets of access keys.
    pub access_keys: u64,
    /// Keys that sign tokens.
    pub token_keys: u64,
    /// Keys of encryption domains.
    pub encryption_domains: u64,
    /// Keys that sign images, and those of the authorities above them.
    pub signing_keys: u64,
    /// Versions of secrets.
    pub secret_versions: u64,
}

/// Why the root key was not changed; one sentence each, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// There is nothing to seal.
    #[error("there is no registry in this metadata yet; start the server once before")]
    NoDeployment,
    /// The old key did not seal this metadata.
    #[error(
        "the root key is not the one this metadata was sealed with; put the right root key back, nothing can be read without it"
    )]
    WrongRootKey,
    /// Anything else; nothing was changed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Whether `key` is the one that sealed this metadata; `None` before the first start.
///
/// # Errors
/// When the database fails.
pub async fn matches(metadata: &dyn Metadata, key: &RootKey) -> Result<Option<bool>> {
    let mut tx = Tx::begin(metadata, Mode::Read, &Permit::maintenance()).await?;
    Ok(check_value(&mut tx).await?.map(|check| key.matches(&check)))
}

async fn check_value(tx: &mut Tx) -> Result<Option<Vec<u8>>> {
    let row = tx.optional("SELECT root_key_check FROM deployment WHERE id = 1", &[]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Seals everything with `new` that `old` sealed. Not idempotent: a second call finds that `old` is
/// wrong.
///
/// # Errors
/// When `old` does not open every value, or the database fails; nothing was changed then. After
/// an error of the commit itself, ask [`matches()`] which key holds.
pub async fn rotate(
    metadata: &dyn Metadata,
    old: &RootKey,
    new: &RootKey,
) -> Result<Rotated, RotateError> {
    let permit = Permit::maintenance();
    let mut tx = Tx::begin(metadata, Mode::Write, &permit).await?;
    match check_value(&mut tx).await? {
        None => return Err(RotateError::NoDeployment),
        Some(check) if !old.matches(&check) => return Err(RotateError::WrongRootKey),
        Some(_) => {}
    }
    let mut rotated = Rotated::default();
    for purpose in Purpose::ALL {
        match purpose {
            Purpose::Check => {
                tx.execute(
                    "UPDATE deployment SET root_key_check = $1 WHERE id = 1",
                    params![new.check_value()?],
                )
                .await
                .map_err(Error::from)?;
            }
            Purpose::AccessKey => {
                rotated.access_keys = access_keys::seal_anew(&mut tx, old, new).await?;
            }
            Purpose::TokenKey => {
                rotated.token_keys = token_keys::seal_anew(&mut tx, old, new).await?;
            }
            Purpose::EncryptionDomain => {
                rotated.encryption_domains =
                    encryption::wrap_domains_anew(&mut tx, old, new).await?;
            }
            Purpose::SigningAuthority => {
                rotated.signing_keys += profiles::seal_authorities_anew(&mut tx, old, new).await?;
            }
            Purpose::SigningProfile => {
                rotated.signing_keys += profiles::seal_anew(&mut tx, old, new).await?;
            }
            Purpose::Secret => {
                rotated.secret_versions = secrets::value::seal_anew(&mut tx, old, new).await?;
            }
        }
    }
    tx.commit().await.map_err(Error::from)?;
    Ok(rotated)
}
