//! Content digests.

use std::borrow::Borrow;
use std::sync::Arc;

use super::error::{Constraint, NameError, NameKind};

/// A digest algorithm registered by the OCI image specification ("Descriptors", registered
/// algorithms).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256: 64 hexadecimal digits.
    Sha256,
    /// SHA-512: 128 hexadecimal digits.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Number of hexadecimal digits after the colon.
    pub fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// A content digest, `algorithm:hex` in its only canonical spelling: sha256 or sha512, lower-case
/// hexadecimal digits of exactly the algorithm's length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    // INVARIANT: `sha256:` or `sha512:` and the right number of lower-case hexadecimal digits.
    text: Arc<str>,
}

impl Digest {
    /// The pattern a digest satisfies.
    pub const PATTERN: &'static str = "sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}";

    /// Reads a digest.
    ///
    /// # Errors
    /// When `text` does not match [`Self::PATTERN`]; other algorithms are refused.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let well_formed = text.split_once(':').is_some_and(|(algorithm, hex)| {
            let length = match algorithm {
                "sha256" => Algorithm::Sha256.hex_length(),
                "sha512" => Algorithm::Sha512.hex_length(),
                _ => return false,
            };
            hex.len() == length && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        if !well_formed {
            return Err(NameError::new(NameKind::Digest, text, Constraint::Pattern(Self::PATTERN)));
        }
        Ok(Self { text: text.into() })
    }

    /// The SHA-256 digest of a whole buffer.
    pub fn of_sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The digest of a whole buffer. For content that arrives in parts see [`super::Hasher`].
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let implementation = match algorithm {
            Algorithm::Sha256 => &aws_lc_rs::digest::SHA256,
            Algorithm::Sha512 => &aws_lc_rs::digest::SHA512,
        };
        Self::from_raw(algorithm, aws_lc_rs::digest::digest(implementation, bytes).as_ref())
    }

    /// `raw` is the output of `algorithm`.
    pub(super) fn from_raw(algorithm: Algorithm, raw: &[u8]) -> Self {
        debug_assert_eq!(raw.len() * 2, algorithm.hex_length());
        Self { text: format!("{}:{}", algorithm.as_str(), hex::encode(raw)).into() }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        if self.text.starts_with("sha256") { Algorithm::Sha256 } else { Algorithm::Sha512 }
    }

    /// The lower-case hexadecimal digits after the colon.
    pub fn hex(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The digest as it was given, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

super::text_conversions!(Digest);

impl Borrow<str> for Digest {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn canonical_spelling_only() {
        let check = |text: &str, expected: Option<Algorithm>| {
            let read = Digest::parse(text).ok().map(|digest| digest.algorithm());
            assert_eq!(read, expected, "{text:?}");
        };
        check(&format!("sha256:{EMPTY}"), Some(Algorithm::Sha256));
        check(&format!("sha512:{EMPTY}{EMPTY}"), Some(Algorithm::Sha512));
        check("", None);
        check(EMPTY, None);
        check("sha256:", None);
        check(&format!("sha256:{}", EMPTY.to_uppercase()), None);
        check(&format!("SHA256:{EMPTY}"), None);
        check(&format!("sha256:{}", &EMPTY[1..]), None);
        check(&format!("sha256:{EMPTY}0"), None);
        check(&format!("sha512:{EMPTY}"), None);
        check(&format!("sha256:{EMPTY}{EMPTY}"), None);
        check(&format!("sha256:{}g", &EMPTY[1..]), None);
        check(&format!("sha384:{}", "0".repeat(96)), None);
        check("md5:d41d8cd98f00b204e9800998ecf8427e", None);
        check(&format!(" sha256:{EMPTY}"), None);
        check(&format!("sha256:{EMPTY}\n"), None);
        check(&format!("sha256:sha256:{EMPTY}"), None);
    }

    #[test]
    fn known_answers() {
        // FIPS 180-2, appendix B.1 and C.1: the message "abc".
        assert_eq!(
            Digest::of_sha256(b"abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            Digest::of(Algorithm::Sha512, b"abc").as_str(),
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
        assert_eq!(Digest::of_sha256(b"").hex(), EMPTY);
    }

    proptest! {
        #[test]
        fn computed_digests_read_back(
            bytes in any::<Vec<u8>>(),
            algorithm in prop_oneof![Just(Algorithm::Sha256), Just(Algorithm::Sha512)],
        ) {
            let digest = Digest::of(algorithm, &bytes);
            prop_assert_eq!(Digest::parse(digest.as_str()).unwrap(), digest.clone());
            prop_assert_eq!(digest.algorithm(), algorithm);
            prop_assert_eq!(digest.hex().len(), algorithm.hex_length());
        }

        #[test]
        fn never_panics(text in "(sha256|sha512|é)?:?[0-9a-gé]{0,130}") {
            let _ = Digest::parse(&text);
        }
    }
}
