//! The root key: 32 random bytes outside the database that seal the secrets inside it.
//!
//! A sealed value is `version (1) | nonce (12) | ciphertext | tag (16)` under AES-256-GCM; the
//! additional data names what the value is and whose, so that a value moved to another row does
//! not open. The key is random per deployment and seals few values, so random nonces are safe
//! (NIST SP 800-38D allows 2^32 of them).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

const VERSION: u8 = 1;
const CHECK_PURPOSE: &str = "root-key-check";
const CHECK_TEXT: &[u8] = b"tonnage";

/// The length of a root key in bytes.
pub const ROOT_KEY_BYTES: usize = 32;

/// The root key of a deployment.
pub struct RootKey(LessSafeKey);

impl RootKey {
    /// A key of these bytes.
    pub fn new(bytes: &[u8; ROOT_KEY_BYTES]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| defect("make a key"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals `plain`; `purpose` and `owner` must be the same when it is opened.
    pub fn seal(&self, purpose: &str, owner: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = Zeroizing::new(plain.to_vec());
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(additional_data(purpose, owner)),
                &mut sealed,
            )
            .map_err(|_| defect("seal a value"))?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len() + tag.as_ref().len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Opens what [`RootKey::seal`] made.
    ///
    /// # Errors
    /// An internal error when the value was made under another key, for another purpose or owner,
    /// or was damaged.
    pub fn open(&self, purpose: &str, owner: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (Some(&VERSION), Some(nonce), Some(body)) =
            (sealed.first(), sealed.get(1..=NONCE_LEN), sealed.get(1 + NONCE_LEN..))
        else {
            return Err(defect("open a value of unknown form"));
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| defect("read a nonce"))?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(additional_data(purpose, owner)), &mut body)
            .map_err(|_| defect("open a value: wrong root key, or damage"))?
            .len();
        body.truncate(length);
        Ok(body)
    }

    /// The value that metadata keeps to recognise this key.
    pub fn check_value(&self) -> Result<Vec<u8>> {
        self.seal(CHECK_PURPOSE, "", CHECK_TEXT)
    }

    /// Whether `check_value` was made with this key.
    pub fn matches(&self, check_value: &[u8]) -> bool {
        self.open(CHECK_PURPOSE, "", check_value).is_ok_and(|text| text.as_slice() == CHECK_TEXT)
    }
}

/// `N` random bytes from the system's generator.
///
/// # Errors
/// Only when the system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| defect("get random bytes"))?;
    Ok(bytes)
}

fn additional_data(purpose: &str, owner: &str) -> Vec<u8> {
    // The length keeps ("ab", "c") and ("a", "bc") apart.
    format!("{}:{purpose}{owner}", purpose.len()).into_bytes()
}

fn defect(what: &str) -> Error {
    Error::internal(format!("root key: cannot {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_as_what_it_was_sealed() {
        let key = RootKey::new(&[7; 32]).unwrap();
        let sealed = key.seal("access-key", "AKIA1", b"secret").unwrap();
        assert_eq!(key.open("access-key", "AKIA1", &sealed).unwrap().as_slice(), b"secret");
        for (purpose, owner) in
            [("access-key", "AKIA2"), ("token", "AKIA1"), ("access-keyA", "KIA1")]
        {
            assert!(key.open(purpose, owner, &sealed).is_err(), "{purpose} {owner}");
        }
        for cut in 0..sealed.len() {
            assert!(key.open("access-key", "AKIA1", &sealed[..cut]).is_err(), "cut at {cut}");
        }
        let other = RootKey::new(&[8; 32]).unwrap();
        assert!(other.open("access-key", "AKIA1", &sealed).is_err());
        assert!(key.matches(&key.check_value().unwrap()));
        assert!(!other.matches(&key.check_value().unwrap()));
    }
}
