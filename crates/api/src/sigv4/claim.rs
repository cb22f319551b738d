//! Reading a signature: from the `Authorization` header, or from the query of a presigned request.

use std::fmt;

use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::{ALGORITHM, EXPIRES_SECONDS_MAX, RequestView, SignatureError};

/// The most headers that a request may sign.
const SIGNED_HEADERS_MAX: usize = 100;
/// The longest name of a header that is signed or named in an error, in bytes.
const HEADER_NAME_BYTES_MAX: usize = 128;
/// The longest element of a credential, in bytes. AWS's access keys have at most 128.
const CREDENTIAL_ELEMENT_BYTES_MAX: usize = 128;
/// The parameters of a presigned request. The first four say that it is one.
const PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
];
const MARKS: usize = 4;

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
#[derive(Clone)]
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

/// Without the signature: with it, whoever reads a log could send the request again.
impl fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Claim")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope())
            .field("form", &self.form)
            .field("signed_headers", &self.signed_headers)
            .field("time", &self.time_text)
            .finish_non_exhaustive()
    }
}

impl Claim {
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// Reads the signature of a request; `None` when it has none.
///
/// # Errors
/// [`SignatureError::Incomplete`] when there is one that cannot be read, or one that leaves out
/// what must be signed. [`SignatureError::InvalidSignature`], as AWS has it, when there are two,
/// when the host is not signed, and when the scope is of another day.
pub fn parse(request: &RequestView<'_>) -> Result<Option<Claim>, SignatureError> {
    let in_header =
        request.headers.get_all(AUTHORIZATION).iter().any(|value| {
            value.as_bytes().get(..5).is_some_and(|s| s.eq_ignore_ascii_case(b"AWS4-"))
        });
    // However they are spelled: a parameter that only looks like one of ours is refused below.
    let in_query = query_pairs(request.query).any(|(key, _)| {
        PARAMETERS.iter().take(MARKS).any(|parameter| key.eq_ignore_ascii_case(parameter))
    });
    if !in_header && !in_query {
        return Ok(None);
    }
    // The canonical request has one line for the query.
    if request.query.bytes().any(|byte| byte <= b' ' || byte == b'#' || byte == 0x7f) {
        return Err(SignatureError::incomplete(
            "The query must not have spaces, control characters or '#'.",
        ));
    }
    let claim = if !in_query {
        from_header(request.headers)?
    } else if request.headers.contains_key(AUTHORIZATION) {
        return Err(SignatureError::both_forms());
    } else {
        from_query(request.query)?
    };
    check_headers(&claim, request.headers)?;
    Ok(Some(claim))
}

fn from_header(headers: &HeaderMap) -> Result<Claim, SignatureError> {
    let text = single(headers, AUTHORIZATION.as_str())?.unwrap_or_default();
    let (algorithm, parameters) = text.split_once(' ').unwrap_or((text, ""));
    check_algorithm(algorithm)?;
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
            _ => {
                return Err(SignatureError::incomplete(
                    "Authorization header has only the parameters 'Credential', 'SignedHeaders' \
                     and 'Signature'.",
                ));
            }
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

fn check_algorithm(algorithm: &str) -> Result<(), SignatureError> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    Err(SignatureError::incomplete(format!("The signing algorithm must be {ALGORITHM}.")))
}

/// A name in another spelling could be read by one part of us and overlooked by another.
fn check_spelling(query: &str) -> Result<(), SignatureError> {
    for ((raw, _), (key, _)) in raw_pairs(query).zip(query_pairs(query)) {
        for parameter in PARAMETERS {
            if key.eq_ignore_ascii_case(parameter) && raw != parameter {
                return Err(SignatureError::incomplete(format!(
                    "The query must spell {parameter} like this."
                )));
            }
        }
    }
    Ok(())
}

fn from_query(query: &str) -> Result<Claim, SignatureError> {
    check_spelling(query)?;
    let get = |name: &str| -> Result<Option<String>, SignatureError> {
        let mut values = query_pairs(query).filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(SignatureError::incomplete(format!("The query has {name} twice."))),
            (first, None) => Ok(first.map(|(_, value)| value)),
        }
    };
    let require =
        |name: &str| {
            get(name)?.ok_or_else(|| SignatureError::incomplete(format!(
                "AWS query-string parameters must include '{name}'. Re-examine the query-string \
                 parameters."
            )))
        };
    check_algorithm(&require("X-Amz-Algorithm")?)?;
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
    if ![access_key_id, date, region, service].iter().all(|part| is_credential_element(part)) {
        return Err(SignatureError::incomplete(format!(
            "Credential must have elements of 1 to {CREDENTIAL_ELEMENT_BYTES_MAX} letters, digits, \
             '-', '_' and '.'."
        )));
    }
    let time = parse_time(&time_text)?;
    if time_text.get(..8) != Some(*date) {
        return Err(SignatureError::scope_date(date, &time_text));
    }
    let signed_headers: Vec<String> =
        signed_headers.split(';').take(SIGNED_HEADERS_MAX + 1).map(str::to_owned).collect();
    let sorted = signed_headers.windows(2).all(|pair| pair.first() < pair.last());
    let are_names = signed_headers.iter().all(|name| {
        name.len() <= HEADER_NAME_BYTES_MAX && HeaderName::from_lowercase(name.as_bytes()).is_ok()
    });
    if !sorted || !are_names || signed_headers.len() > SIGNED_HEADERS_MAX {
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

fn is_credential_element(text: &str) -> bool {
    (1..=CREDENTIAL_ELEMENT_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Exactly `yyyymmddThhmmssZ`; the parser alone would take shorter numbers, signs and spaces.
fn parse_time(text: &str) -> Result<Timestamp, SignatureError> {
    DateTime::strptime("%Y%m%dT%H%M%SZ", text)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map(|time| time.timestamp())
        .ok()
        .filter(|time| super::time_text(*time) == text)
        .ok_or_else(|| {
            SignatureError::incomplete(
                "Date must be in ISO-8601 'basic format', for instance 20260101T120000Z.",
            )
        })
}

/// What gives a request its meaning, the host and every `x-amz-` header, must be signed and must
/// stand once: of two, the signer may have meant one and we may read the other.
fn check_headers(claim: &Claim, headers: &HeaderMap) -> Result<(), SignatureError> {
    let signs = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    if !signs(HOST.as_str()) {
        return Err(SignatureError::host_not_signed());
    }
    for name in headers.keys().map(HeaderName::as_str) {
        if name.starts_with("x-amz-") && !signs(name) {
            return Err(SignatureError::incomplete(format!(
                "'{}' must be a signed header.",
                shown(name)
            )));
        }
        if name.starts_with("x-amz-") || name == HOST.as_str() {
            single(headers, name)?;
        }
    }
    for name in &claim.signed_headers {
        if !headers.contains_key(name.as_str()) {
            return Err(SignatureError::incomplete(format!(
                "The request has no header '{name}', but it is signed."
            )));
        }
    }
    Ok(())
}

fn shown(name: &str) -> &str {
    name.get(..HEADER_NAME_BYTES_MAX).unwrap_or(name)
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

/// The pairs of a query string as they were sent.
pub(super) fn raw_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The pairs of a query string, decoded. Only for reading parameters; signing uses the raw ones.
fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    raw_pairs(query).map(|(key, value)| {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (decode(key), decode(value))
    })
}
