//! The root key: 32 random bytes outside the database that seal the secrets and keys inside it.

pub mod rotate;

use zeroize::Zeroizing;

use crate::encryption::sealing_key::{KEY_BYTES, SealingKey};
use crate::error::Result;

const CHECK_TEXT: &[u8] = b"tonnage";

/// The length of a root key in bytes.
pub const ROOT_KEY_BYTES: usize = KEY_BYTES;

/// What a root key seals. Whatever is added here must be sealed anew when the key changes:
/// [`rotate::rotate`] goes through all of them in one exhaustive match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The value by which metadata recognises its key.
    Check,
    /// The secret of an access key.
    AccessKey,
    /// A key that signs tokens.
    TokenKey,
    /// The key of an encryption domain.
    EncryptionDomain,
    /// The key of an account's signing authority.
    SigningAuthority,
    /// The key of a signing profile.
    SigningProfile,
    /// A version of a secret.
    Secret,
}

impl Purpose {
    /// Every purpose, in the order of the declaration.
    pub(crate) const ALL: [Self; 7] = [
        Self::Check,
        Self::AccessKey,
        Self::TokenKey,
        Self::EncryptionDomain,
        Self::SigningAuthority,
        Self::SigningProfile,
        Self::Secret,
    ];

    /// The name that sealed values are bound to; it never changes.
    fn as_str(self) -> &'static str {
        match self {
            Self::Check => "root-key-check",
            Self::AccessKey => "access-key",
            Self::TokenKey => "token-key",
            Self::EncryptionDomain => "encryption-domain",
            Self::SigningAuthority => "signing-authority",
            Self::SigningProfile => "signing-profile",
            Self::Secret => "secret",
        }
    }
}

/// The root key of a deployment.
pub struct RootKey(SealingKey);

impl RootKey {
    /// A key of these bytes.
    ///
    /// # Errors
    /// Never for a key of this length.
    pub fn new(bytes: &[u8; ROOT_KEY_BYTES]) -> Result<Self> {
        SealingKey::new(bytes).map(Self)
    }

    /// `N` random bytes, for a new root key and for secrets.
    ///
    /// # Errors
    /// Only when the system has no randomness to give.
    pub fn random<const N: usize>() -> Result<[u8; N]> {
        crate::encryption::sealing_key::random()
    }

    pub(crate) fn seal(&self, purpose: Purpose, owner: &str, plain: &[u8]) -> Result<Vec<u8>> {
        self.0.seal(purpose.as_str(), owner, plain)
    }

    pub(crate) fn open(
        &self,
        purpose: Purpose,
        owner: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.0.open(purpose.as_str(), owner, sealed)
    }

    /// What `old` sealed, sealed with this key.
    pub(crate) fn seal_anew(
        &self,
        old: &Self,
        purpose: Purpose,
        owner: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>> {
        self.seal(purpose, owner, &old.open(purpose, owner, sealed)?)
    }

    /// The value that metadata keeps to recognise this key.
    ///
    /// # Errors
    /// Only when the system has no randomness to give.
    pub fn check_value(&self) -> Result<Vec<u8>> {
        self.seal(Purpose::Check, "", CHECK_TEXT)
    }

    /// Whether `check_value` was made with this key.
    pub fn matches(&self, check_value: &[u8]) -> bool {
        self.open(Purpose::Check, "", check_value).is_ok_and(|text| text.as_slice() == CHECK_TEXT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_purposes_are_listed_in_order() {
        for (index, purpose) in Purpose::ALL.into_iter().enumerate() {
            assert_eq!(purpose as usize, index, "{purpose:?}");
        }
        // The last of the declaration.
        assert_eq!(Purpose::ALL.last(), Some(&Purpose::Secret));
    }

    #[test]
    fn a_key_recognises_its_own_check_value() {
        let key = RootKey::new(&[7; 32]).unwrap();
        let other = RootKey::new(&[8; 32]).unwrap();
        assert!(key.matches(&key.check_value().unwrap()));
        assert!(!other.matches(&key.check_value().unwrap()));
        assert!(!key.matches(b""));
    }
}
