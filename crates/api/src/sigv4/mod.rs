//! AWS Signature Version 4: verifying what clients sign, and signing what our own tools send.
//!
//! Everything is calculated from the bytes on the wire. Decoding and encoding again would accept
//! requests that were never signed and refuse some that were.
//!
//! The body is always signed. Amazon S3 has rules of its own (bodies that are not signed, paths
//! that are not normalised); no service here is S3, so they are not here either. The scope of
//! such a request can still be read, which is enough to say that S3 is not served.
//!
//! Source: AWS IAM user guide, "AWS Signature Version 4 for API requests".

mod canonical;
mod claim;
mod error;
mod sign;
#[cfg(test)]
mod tests;

use aws_lc_rs::{digest, hmac};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use claim::{Claim, Form, parse};
pub use error::SignatureError;
pub use sign::{Credentials, Unsigned, sign};

/// How far the clock of a client may be off, either way, in seconds.
pub const SKEW_SECONDS: i64 = 5 * 60;
/// The longest validity of a presigned request, in seconds.
pub const EXPIRES_SECONDS_MAX: i64 = 7 * 24 * 3600;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request as it stood on the wire.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, percent-encoded as it was sent.
    pub path: &'a str,
    /// The query string without `?`, as it was sent.
    pub query: &'a str,
    /// The headers. Over HTTP/2 the caller has put `:authority` there as `host`.
    pub headers: &'a HeaderMap,
}

/// SHA-256 of a body in hexadecimal.
pub fn payload_hash(body: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, body))
}

/// The key of one day, region and service, derived from a secret.
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// Derives the key. `date` is `yyyymmdd`.
    pub fn derive(secret: &SecretString, date: &str, region: &str, service: &str) -> Self {
        let first = Zeroizing::new(format!("AWS4{}", secret.expose_secret()).into_bytes());
        let key = [date, region, service, "aws4_request"]
            .into_iter()
            .fold(first, |key, part| Zeroizing::new(mac(&key, part.as_bytes())));
        Self(key)
    }

    fn signature(&self, string_to_sign: &str) -> String {
        hex::encode(mac(&self.0, string_to_sign.as_bytes()))
    }
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn string_to_sign(time: &str, scope: &str, canonical_request: &[u8]) -> String {
    format!("{ALGORITHM}\n{time}\n{scope}\n{}", payload_hash(canonical_request))
}

/// Checks the signature, the time and the body of a request that claims to be signed.
///
/// `body_hash` is [`payload_hash`] of the body that was received. The caller has checked that
/// the claim's key exists and its scope fits.
///
/// # Errors
/// [`SignatureError::InvalidSignature`] with AWS's reason.
pub fn verify(
    claim: &Claim,
    request: &RequestView<'_>,
    body_hash: &str,
    key: &SigningKey,
    now: Timestamp,
) -> Result<(), SignatureError> {
    check_body(request, body_hash)?;
    let canonical = canonical::request(claim, request, body_hash);
    let expected = key.signature(&string_to_sign(&claim.time_text, &claim.scope(), &canonical));
    // The time is checked after the signature: whoever cannot sign learns nothing of our clock.
    if !bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes())) {
        return Err(SignatureError::mismatch());
    }
    check_time(claim, now)
}

/// A declared body must be the one received; `UNSIGNED-PAYLOAD` and `STREAMING-...` are not.
fn check_body(request: &RequestView<'_>, body_hash: &str) -> Result<(), SignatureError> {
    let mut declared = request.headers.get_all("x-amz-content-sha256").iter();
    if declared.all(|declared| declared.as_bytes() == body_hash.as_bytes()) {
        Ok(())
    } else {
        Err(SignatureError::BodyMismatch)
    }
}

fn check_time(claim: &Claim, now: Timestamp) -> Result<(), SignatureError> {
    let signed = claim.time.as_second();
    let now_second = now.as_second();
    if signed > now_second + SKEW_SECONDS {
        return Err(SignatureError::not_yet_current(&claim.time_text, now));
    }
    let lives = match claim.form {
        Form::Header => SKEW_SECONDS,
        Form::Presigned { expires_seconds } => expires_seconds,
    };
    if signed + lives < now_second {
        return Err(SignatureError::expired(&claim.time_text, claim.form, now));
    }
    Ok(())
}

/// `yyyymmddThhmmssZ`.
fn time_text(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}
