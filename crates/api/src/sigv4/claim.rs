//! Reading a signature: from the `Authorization` header, or from the query of a presigned request.

use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE, HOST};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::{ALGORITHM, EXPIRES_SECONDS_MAX, RequestView, SignatureError};

/// The most headers that a request may sign.
const SIGNED_HEADERS_MAX: usize = 100;

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query; the request may be used for a while.
    Presigned {
        /// From the time of signing, in seconds.
        expires_seconds: i64,
    },
}

/// What a request says of its signature.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The access key.
    pub access_key_id: String,
    /// The day of the scope, `yyyymmdd`.
    pub date: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// The session token of temporary credentials.
    pub session_token: Option<SecretString>,
    /// Where the signature stands.
    pub form: Form,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) time: Timestamp,
    pub(super) time_text: String,
}

impl Claim {
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// Reads the signature of a request; `None` when it has none.
///
/// # Errors
/// [`SignatureError::Incomplete`] when there is one that cannot be read, two, or one that leaves
/// out what must be signed.
pub fn parse(request: &RequestView<'_>) -> Result<Option<Claim>, SignatureError> {
    let in_header = request
        .headers
        .get_all(AUTHORIZATION)
        .iter()
        .any(|value| value.as_bytes().starts_with(b"AWS4-"));
    let in_query = query_pairs(request.query).any(|(key, _)| key == "X-Amz-Algorithm");
    let claim = match (in_header, in_query) {
        (false, false) => return Ok(None),
        (true, true) => {
            return Err(SignatureError::incomplete(
                "A request is signed in its Authorization header or in its query, not in both.",
            ));
        }
        (true, false) => from_header(request.headers)?,
        (false, true) => from_query(request.query)?,
    };
    check_signed_headers(&claim, request.headers)?;
    Ok(Some(claim))
}

fn from_header(headers: &HeaderMap) -> Result<Claim, SignatureError> {
    let text = single(headers, AUTHORIZATION.as_str())?.unwrap_or_default();
    let parameters = text.strip_prefix(ALGORITHM).ok_or_else(|| {
        SignatureError::incomplete(format!("The signing algorithm must be {ALGORITHM}."))
    })?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for parameter in parameters.split(',') {
        let Some((key, value)) = parameter.trim().split_once('=') else {
            return Err(SignatureError::incomplete(
                "Authorization header requires parameters of the form key=value.",
            ));
        };
        let slot = match key {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return Err(SignatureError::incomplete(format!(
                "Authorization header has '{key}' twice."
            )));
        }
    }
    let missing = |name: &str| {
        SignatureError::incomplete(format!("Authorization header requires '{name}' parameter."))
    };
    let time_text = match single(headers, "x-amz-date")? {
        Some(text) => text.to_owned(),
        None => date_header(headers)?,
    };
    assemble(
        credential.ok_or_else(|| missing("Credential"))?,
        signed_headers.ok_or_else(|| missing("SignedHeaders"))?,
        signature.ok_or_else(|| missing("Signature"))?,
        time_text,
        single(headers, "x-amz-security-token")?.map(str::to_owned),
        Form::Header,
    )
}

fn from_query(query: &str) -> Result<Claim, SignatureError> {
    let get = |name: &str| -> Result<Option<String>, SignatureError> {
        let mut values = query_pairs(query).filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(SignatureError::incomplete(format!("The query has {name} twice."))),
            (first, None) => Ok(first.map(|(_, value)| value)),
        }
    };
    let require = |name: &str| {
        get(name)?.ok_or_else(|| SignatureError::incomplete(format!("The query requires {name}.")))
    };
    if require("X-Amz-Algorithm")? != ALGORITHM {
        return Err(SignatureError::incomplete(format!(
            "The signing algorithm must be {ALGORITHM}."
        )));
    }
    let expires_seconds = require("X-Amz-Expires")?
        .parse::<i64>()
        .ok()
        .filter(|seconds| (1..=EXPIRES_SECONDS_MAX).contains(seconds))
        .ok_or_else(|| {
            SignatureError::incomplete(format!(
                "X-Amz-Expires must be between 1 and {EXPIRES_SECONDS_MAX} seconds."
            ))
        })?;
    assemble(
        &require("X-Amz-Credential")?,
        &require("X-Amz-SignedHeaders")?,
        &require("X-Amz-Signature")?,
        require("X-Amz-Date")?,
        get("X-Amz-Security-Token")?,
        Form::Presigned { expires_seconds },
    )
}

fn assemble(
    credential: &str,
    signed_headers: &str,
    signature: &str,
    time_text: String,
    session_token: Option<String>,
    form: Form,
) -> Result<Claim, SignatureError> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key_id, date, region, service, "aws4_request"] = parts.as_slice() else {
        return Err(SignatureError::incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/aws4_request.",
        ));
    };
    if [access_key_id, date, region, service].iter().any(|part| part.is_empty()) {
        return Err(SignatureError::incomplete("Credential must not have empty elements."));
    }
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", &time_text)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map_err(|_| {
            SignatureError::incomplete(
                "Date must be in ISO-8601 'basic format', for instance 20260101T120000Z.",
            )
        })?
        .timestamp();
    if time_text.get(..8) != Some(*date) {
        return Err(SignatureError::InvalidSignature(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP."
                .to_owned(),
        ));
    }
    let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_owned).collect();
    let sorted = signed_headers.windows(2).all(|pair| pair.first() < pair.last());
    let lower = signed_headers
        .iter()
        .all(|name| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
    if !sorted || !lower || signed_headers.len() > SIGNED_HEADERS_MAX {
        return Err(SignatureError::incomplete(
            "SignedHeaders must be lower-case header names, each once, sorted, separated by \
             semicolons.",
        ));
    }
    let is_hex = signature.len() == 64
        && signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex {
        return Err(SignatureError::mismatch());
    }
    Ok(Claim {
        access_key_id: (*access_key_id).to_owned(),
        date: (*date).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        session_token: session_token.map(SecretString::from),
        form,
        signed_headers,
        signature: signature.to_owned(),
        time,
        time_text,
    })
}

/// What gives a request its meaning must be signed: the host, and every `x-amz-` header.
fn check_signed_headers(claim: &Claim, headers: &HeaderMap) -> Result<(), SignatureError> {
    let signs = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    if !signs(HOST.as_str()) {
        return Err(SignatureError::incomplete("'Host' must be a signed header."));
    }
    for name in headers.keys().map(http::HeaderName::as_str) {
        if name.starts_with("x-amz-") && !signs(name) {
            return Err(SignatureError::incomplete(format!("'{name}' must be a signed header.")));
        }
    }
    for name in &claim.signed_headers {
        if name != HOST.as_str() && !headers.contains_key(name.as_str()) {
            return Err(SignatureError::incomplete(format!(
                "The request has no header '{name}', but it is signed."
            )));
        }
    }
    Ok(())
}

/// The value of a header that may stand once.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, SignatureError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => {
            Err(SignatureError::incomplete(format!("The request has the header '{name}' twice.")))
        }
        (Some(value), None) => value.to_str().map(Some).map_err(|_| {
            SignatureError::incomplete(format!("The header '{name}' is not plain text."))
        }),
    }
}

/// The time of a request that has only a `Date` header, in either of the forms clients send.
fn date_header(headers: &HeaderMap) -> Result<String, SignatureError> {
    let text = single(headers, DATE.as_str())?.ok_or_else(|| {
        SignatureError::incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        )
    })?;
    Ok(match jiff::fmt::rfc2822::parse(text) {
        Ok(time) => super::time_text(time.timestamp()),
        Err(_) => text.to_owned(),
    })
}

/// The pairs of a query string, decoded. Only for reading parameters; signing uses the raw ones.
fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (decode(key), decode(value))
    })
}
