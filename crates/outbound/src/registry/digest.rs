//! Digests of the two algorithms that the image specification registers.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA512, digest};

fn split(text: &str) -> Option<(&'static Algorithm, &str)> {
    let (algorithm, hex) = text.split_once(':')?;
    let algorithm = match algorithm {
        "sha256" => &SHA256,
        "sha512" => &SHA512,
        _ => return None,
    };
    let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hex && hex.len() == algorithm.output_len() * 2).then_some((algorithm, hex))
}

/// Whether it is a digest in its canonical spelling.
pub(super) fn is_known(text: &str) -> bool {
    split(text).is_some()
}

/// Whether it is the digest of these bytes.
pub(super) fn is_of(text: &str, bytes: &[u8]) -> bool {
    split(text)
        .is_some_and(|(algorithm, hex)| hex::encode(digest(algorithm, bytes).as_ref()) == hex)
}

/// The SHA-256 digest of these bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_digest_and_no_other() {
        // FIPS 180-2, appendix B.1 and C.1: the message "abc".
        let sha256_abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sha512_abc = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                          2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        assert_eq!(sha256(b"abc"), sha256_abc);
        let check = |text: &str, known: bool, of_abc: bool| {
            assert_eq!((is_known(text), is_of(text, b"abc")), (known, of_abc), "{text}");
        };
        check(sha256_abc, true, true);
        check(sha512_abc, true, true);
        check(&sha256(b""), true, false);
        check(&sha256_abc.to_uppercase(), false, false);
        check(&sha256_abc[..70], false, false);
        check(&sha256_abc.replace("sha256", "sha384"), false, false);
        check("latest", false, false);
        check("", false, false);
    }
}
