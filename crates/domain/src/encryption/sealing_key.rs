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
    fn seal_onto(&self, out: &mut Vec<u8>, additional_data: &[u8], plain: &[u8]) -> Result<()> {
        let start = out.len();
        out.resize(start + plain.len() + overhead(), 0);
        self.seal_into(out.get_mut(start..).unwrap_or_default(), additional_data, plain)
    }

    /// Writes `nonce | ciphertext | tag` over all of `out`, which is [`overhead`] longer than `plain`.
    pub(super) fn seal_into(
        &self,
        out: &mut [u8],
        additional_data: &[u8],
        plain: &[u8],
    ) -> Result<()> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let (head, rest) = out.split_at_mut_checked(NONCE_LEN).ok_or_else(wrong_length)?;
        let (body, tail) = rest.split_at_mut_checked(plain.len()).ok_or_else(wrong_length)?;
        if tail.len() != AES_256_GCM.tag_len() {
            return Err(wrong_length());
        }
        head.copy_from_slice(&nonce);
        body.copy_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self.0.seal_in_place_separate_tag(nonce, Aad::from(additional_data), body);
        tail.copy_from_slice(sealed.map_err(|_| defect("seal a value"))?.as_ref());
        Ok(())
    }

    /// Opens `nonce | ciphertext | tag` over all of `out`, which is [`overhead`] shorter.
    pub(super) fn open_into(
        &self,
        out: &mut [u8],
        additional_data: &[u8],
        sealed: &[u8],
    ) -> Result<()> {
        let cut_off = || defect("open a value that was cut off");
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(cut_off)?;
        let (body, tag) = rest.split_at_checked(out.len()).ok_or_else(cut_off)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| defect("read a nonce"))?;
        self.0
            .open_separate_gather(nonce, Aad::from(additional_data), body, tag, out)
            .map_err(|_| defect("open a value: wrong key, or damage"))
    }

    /// Opens `nonce | ciphertext | tag`.
    fn open_bytes(&self, additional_data: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let length = sealed
            .len()
            .checked_sub(overhead())
            .ok_or_else(|| defect("open a value that was cut off"))?;
        let mut plain = vec![0; length];
        self.open_into(&mut plain, additional_data, sealed)?;
        Ok(plain)
    }
}

fn wrong_length() -> Error {
    defect("seal into a place of another length")
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
