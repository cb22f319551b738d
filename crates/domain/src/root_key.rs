//! The root key: 32 random bytes outside the database that seal the secrets and keys inside it.

use zeroize::Zeroizing;

use crate::encryption::sealing_key::{KEY_BYTES, SealingKey};
use crate::error::Result;

const CHECK_PURPOSE: &str = "root-key-check";
const CHECK_TEXT: &[u8] = b"tonnage";

/// The length of a root key in bytes.
pub const ROOT_KEY_BYTES: usize = KEY_BYTES;

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

    pub(crate) fn seal(&self, purpose: &str, owner: &str, plain: &[u8]) -> Result<Vec<u8>> {
        self.0.seal(purpose, owner, plain)
    }

    pub(crate) fn open(
        &self,
        purpose: &str,
        owner: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.0.open(purpose, owner, sealed)
    }

    /// The value that metadata keeps to recognise this key.
    ///
    /// # Errors
    /// Only when the system has no randomness to give.
    pub fn check_value(&self) -> Result<Vec<u8>> {
        self.seal(CHECK_PURPOSE, "", CHECK_TEXT)
    }

    /// Whether `check_value` was made with this key.
    pub fn matches(&self, check_value: &[u8]) -> bool {
        self.open(CHECK_PURPOSE, "", check_value).is_ok_and(|text| text.as_slice() == CHECK_TEXT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_recognises_its_own_check_value() {
        let key = RootKey::new(&[7; 32]).unwrap();
        let other = RootKey::new(&[8; 32]).unwrap();
        assert!(key.matches(&key.check_value().unwrap()));
        assert!(!other.matches(&key.check_value().unwrap()));
        assert!(!key.matches(b""));
    }
}
