//! The canonical request, from the bytes on the wire.

use std::fmt::Write as _;

use super::{Claim, Form, RequestView};

/// The canonical request that a claim must have signed.
pub(super) fn request(claim: &Claim, request: &RequestView<'_>, payload: &str) -> String {
    let mut canonical = String::with_capacity(512);
    canonical.push_str(request.method);
    canonical.push('\n');
    canonical.push_str(&path(request.path));
    canonical.push('\n');
    canonical.push_str(&query(request.query, matches!(claim.form, Form::Presigned { .. })));
    canonical.push('\n');
    for name in &claim.signed_headers {
        canonical.push_str(name);
        canonical.push(':');
        canonical.push_str(&header(request, name));
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(&claim.signed_headers.join(";"));
    canonical.push('\n');
    canonical.push_str(payload);
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
    let mut pairs: Vec<(&str, &str)> = wire
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(key, _)| !(presigned && *key == "X-Amz-Signature"))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join("&")
}

/// The values of a header, runs of white space made one, joined by commas.
fn header(request: &RequestView<'_>, name: &str) -> String {
    let values: Vec<String> = request
        .headers
        .get_all(name)
        .iter()
        .map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    values.join(",")
}
