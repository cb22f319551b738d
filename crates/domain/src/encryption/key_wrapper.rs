//! Who wraps the keys of encryption domains: the root key, or a key service.
//!
//! A wrapper may sit behind a network, so nothing of it is awaited while a transaction that writes
//! is open: the key of a domain is made, wrapped and committed before the first thing is sealed
//! with it, and kept in memory from then on.

use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};
use crate::root_key::{Purpose, RootKey};

/// Wraps and unwraps the keys of encryption domains.
pub trait KeyWrapper: Send + Sync + 'static {
    /// The wrapped form of `key`, which opens only as the key of this domain.
    ///
    /// # Errors
    /// [`KeyError`].
    fn wrap<'a>(
        &'a self,
        domain_id: i64,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KeyError>>;

    /// What [`KeyWrapper::wrap`] wrapped.
    ///
    /// # Errors
    /// [`KeyError`].
    fn unwrap<'a>(
        &'a self,
        domain_id: i64,
        wrapped: &'a [u8],
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyError>>;
}

/// Why a key was not wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The service cannot be reached; trying again may help.
    #[error("the key service is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The key is disabled, gone, not the one that wrapped this, or not allowed.
    #[error("the key service refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unavailable(_) => Self::new(
                ErrorKind::Unavailable,
                "The keys that seal what is stored cannot be reached; try again.",
            )
            .caused_by(error),
            KeyError::Refused(_) => Self::internal(error),
        }
    }
}

impl KeyWrapper for RootKey {
    fn wrap<'a>(
        &'a self,
        domain_id: i64,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KeyError>> {
        let wrapped = self
            .seal(Purpose::EncryptionDomain, &owner(domain_id), key)
            .map_err(|error| KeyError::Refused(error.into()));
        Box::pin(async { wrapped })
    }

    fn unwrap<'a>(
        &'a self,
        domain_id: i64,
        wrapped: &'a [u8],
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyError>> {
        let key = self
            .open(Purpose::EncryptionDomain, &owner(domain_id), wrapped)
            .map_err(|error| KeyError::Refused(error.into()));
        Box::pin(async { key })
    }
}

fn owner(domain_id: i64) -> String {
    domain_id.to_string()
}
