//! The canonical request, from the bytes on the wire.

use std::fmt::Write as _;

use super::claim::raw_pairs;
use super::{Claim, Form, RequestView};

/// The canonical request that a claim must have signed. Bytes, because values of headers need not
/// be UTF-8, and two that differ must never be signed alike.
pub(super) fn request(claim: &Claim, request: &RequestView<'_>, body_hash: &str) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(512);
    let presigned = matches!(claim.form, Form::Presigned { .. });
    for line in [request.method, &path(request.path), &query(request.query, presigned)] {
        canonical.extend_from_slice(line.as_bytes());
        canonical.push(b'\n');
    }
    for name in &claim.signed_headers {
        canonical.extend_from_slice(name.as_bytes());
        canonical.push(b':');
        push_header(&mut canonical, request, name);
        canonical.push(b'\n');
    }
    canonical.push(b'\n');
    canonical.extend_from_slice(claim.signed_headers.join(";").as_bytes());
    canonical.push(b'\n');
    canonical.extend_from_slice(body_hash.as_bytes());
    canonical
}

/// The path normalised, and what was sent encoded once more.
fn path(wire: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in wire.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut normal = format!("/{}", segments.join("/"));
    if wire.ends_with('/') && !segments.is_empty() {
        normal.push('/');
    }
    encode(&normal)
}

/// Percent-encodes everything but unreserved characters and `/` (RFC 3986, section 2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The pairs as they were sent, sorted. The signature itself is not part of what it signs.
fn query(wire: &str, presigned: bool) -> String {
    let mut pairs: Vec<(&str, &str)> =
        raw_pairs(wire).filter(|(key, _)| !(presigned && *key == "X-Amz-Signature")).collect();
    pairs.sort_unstable();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join("&")
}

/// The values of a header, runs of white space made one, joined by commas.
fn push_header(canonical: &mut Vec<u8>, request: &RequestView<'_>, name: &str) {
    for (index, value) in request.headers.get_all(name).iter().enumerate() {
        if index > 0 {
            canonical.push(b',');
        }
        let words = value.as_bytes().split(|byte| matches!(byte, b' ' | b'\t'));
        for (index, word) in words.filter(|word| !word.is_empty()).enumerate() {
            if index > 0 {
                canonical.push(b' ');
            }
            canonical.extend_from_slice(word);
        }
    }
}
