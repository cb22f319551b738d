//! Signing, for our own command line and for tests.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, HeaderValue, InvalidHeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{
    ALGORITHM, Claim, Form, RequestView, SigningKey, canonical, payload_hash, string_to_sign,
    time_text,
};

/// Who signs.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret: SecretString,
    /// The session token of temporary credentials.
    pub session_token: Option<SecretString>,
}

/// A request that is about to be signed. Its headers must have `host`.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, percent-encoded as it will be sent.
    pub path: &'a str,
    /// The query string without `?`, as it will be sent.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The region of the scope.
    pub region: &'a str,
    /// The service of the scope.
    pub service: &'a str,
}

/// Adds `x-amz-date`, `x-amz-security-token` and `authorization` to the headers of a request.
///
/// # Errors
/// When the credentials hold what a header cannot.
pub fn sign(
    request: &Unsigned<'_>,
    headers: &mut HeaderMap,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<(), InvalidHeaderValue> {
    let time = time_text(now);
    headers.insert("x-amz-date", HeaderValue::from_str(&time)?);
    if let Some(token) = &credentials.session_token {
        let mut token = HeaderValue::from_str(token.expose_secret())?;
        token.set_sensitive(true);
        headers.insert("x-amz-security-token", token);
    }
    let mut signed_headers: Vec<String> = headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .filter(|name| {
            name == HOST.as_str() || name == "content-type" || name.starts_with("x-amz-")
        })
        .collect();
    signed_headers.sort_unstable();
    let date = time.get(..8).unwrap_or_default().to_owned();
    let mut claim = Claim {
        access_key_id: credentials.access_key_id.clone(),
        date,
        region: request.region.to_owned(),
        service: request.service.to_owned(),
        session_token: None,
        form: Form::Header,
        signed_headers,
        signature: String::new(),
        time: now,
        time_text: time,
    };
    let view =
        RequestView { method: request.method, path: request.path, query: request.query, headers };
    let canonical = canonical::request(&claim, &view, &payload_hash(request.body));
    let key = SigningKey::derive(&credentials.secret, &claim.date, request.region, request.service);
    claim.signature = key.signature(&string_to_sign(&claim.time_text, &claim.scope(), &canonical));
    let mut authorization = HeaderValue::from_str(&format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={}",
        claim.access_key_id,
        claim.scope(),
        claim.signed_headers.join(";"),
        claim.signature
    ))?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    Ok(())
}
