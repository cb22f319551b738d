//! A key that seals short values: secrets, wrapped keys, manifests, small blobs.
//!
//! A sealed value is `version (1) | nonce (12) | ciphertext | tag (16)` under AES-256-GCM. The
//! additional data names what the value is and whose, so that a value moved to another row does
//! not open. Nonces are random; a key may seal 2^32 values (NIST SP 800-38D, section 8.3), more
//! than a deployment stores.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

const VERSION: u8 = 1;

/// The length of a key in bytes.
pub(crate) const KEY_BYTES: usize = 32;

/// A key under AES-256-GCM.
pub(crate) struct SealingKey(LessSafeKey);

impl SealingKey {
    pub(crate) fn new(bytes: &[u8; KEY_BYTES]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| defect("make a key"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// A key of bytes that were sealed.
    pub(crate) fn from_slice(bytes: &[u8]) -> Result<Self> {
        let bytes: &[u8; KEY_BYTES] =
            bytes.try_into().map_err(|_| defect("read a key of another length"))?;
        Self::new(bytes)
    }

    /// Seals `plain`; `purpose` and `owner` must be the same when it is opened.
    pub(crate) fn seal(&self, purpose: &str, owner: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(1 + overhead() + plain.len());
        out.push(VERSION);
        self.seal_onto(&mut out, &additional_data(purpose, owner), plain)?;
        Ok(out)
    }

    /// Opens what [`SealingKey::seal`] made.
    ///
    /// # Errors
    /// An internal error when the value was made under another key, for another purpose or owner,
    /// or was damaged.
    pub(crate) fn open(
        &self,
        purpose: &str,
        owner: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let Some((&VERSION, body)) = sealed.split_first() else {
            return Err(defect("open a value of unknown form"));
        };
        self.open_bytes(&additional_data(purpose, owner), body).map(Zeroizing::new)
    }

    /// Appends `nonce | ciphertext | tag`.
    pub(super) fn seal_onto(
        &self,
        out: &mut Vec<u8>,
        additional_data: &[u8],
        plain: &[u8],
    ) -> Result<()> {
        let nonce: [u8; NONCE_LEN] = random()?;
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let body = out.get_mut(start..).unwrap_or_default();
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(additional_data),
                body,
            )
            .map_err(|_| defect("seal a value"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens `nonce | ciphertext | tag`.
    pub(super) fn open_bytes(&self, additional_data: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, body) = sealed
            .split_at_checked(NONCE_LEN)
            .ok_or_else(|| defect("open a value that was cut off"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| defect("read a nonce"))?;
        let mut body = body.to_vec();
        let length = self
            .0
            .open_in_place(nonce, Aad::from(additional_data), &mut body)
            .map_err(|_| defect("open a value: wrong key, or damage"))?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// How much longer a sealed value is than what it holds, in bytes, without the version.
pub(super) fn overhead() -> usize {
    NONCE_LEN + AES_256_GCM.tag_len()
}

/// `N` random bytes from the system's generator.
///
/// # Errors
/// Only when the system has no randomness to give.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| defect("get random bytes"))?;
    Ok(bytes)
}

fn additional_data(purpose: &str, owner: &str) -> Vec<u8> {
    // The length keeps ("ab", "c") and ("a", "bc") apart.
    format!("{}:{purpose}{owner}", purpose.len()).into_bytes()
}

fn defect(what: &str) -> Error {
    Error::internal(format!("encryption: cannot {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_as_what_it_was_sealed() {
        let key = SealingKey::new(&[7; 32]).unwrap();
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
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(key.open("access-key", "AKIA1", &damaged).is_err(), "damaged at {at}");
        }
        let other = SealingKey::new(&[8; 32]).unwrap();
        assert!(other.open("access-key", "AKIA1", &sealed).is_err());
    }
}
