//! Why a signature is refused, with AWS's codes and texts.

use jiff::{SignedDuration, Timestamp};

use super::{Form, SKEW_SECONDS, time_text};

/// A refused signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The request has neither form of a signature.
    #[error("Missing Authentication Token")]
    Missing,
    /// The signature cannot be read.
    #[error("{0}")]
    Incomplete(String),
    /// The signature is not that of the request, or not of this time.
    #[error("{0}")]
    InvalidSignature(String),
    /// The body is not the one that `x-amz-content-sha256` names.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    BodyMismatch,
    /// No such key, or it is not active.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
}

impl SignatureError {
    /// AWS's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::InvalidSignature(_) | Self::BodyMismatch => "InvalidSignatureException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
        }
    }

    pub(super) fn incomplete(what: impl Into<String>) -> Self {
        Self::Incomplete(what.into())
    }

    pub(super) fn mismatch() -> Self {
        Self::InvalidSignature(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details."
                .to_owned(),
        )
    }

    /// AWS refuses a host that is not signed with the code of a wrong signature.
    pub(super) fn host_not_signed() -> Self {
        Self::InvalidSignature(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        )
    }

    /// As for the host, AWS's code is that of a wrong signature.
    pub(super) fn both_forms() -> Self {
        Self::InvalidSignature(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
             header."
                .to_owned(),
        )
    }

    /// The day of the scope is not that of the request's time, given as `yyyymmddThhmmssZ`.
    pub(super) fn scope_date(found: &str, time: &str) -> Self {
        Self::InvalidSignature(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{found}' != '{}', from '{time}'.",
            time.get(..8).unwrap_or_default()
        ))
    }

    pub(super) fn not_yet_current(signed: &str, now: Timestamp) -> Self {
        let limit = later(now, SKEW_SECONDS);
        Self::InvalidSignature(format!(
            "Signature not yet current: {signed} is still later than {} ({} + 5 min.)",
            time_text(limit),
            time_text(now)
        ))
    }

    pub(super) fn expired(signed: &str, form: Form, now: Timestamp) -> Self {
        let text = match form {
            Form::Header => format!(
                "Signature expired: {signed} is now earlier than {} ({} - 5 min.)",
                time_text(later(now, -SKEW_SECONDS)),
                time_text(now)
            ),
            Form::Presigned { expires_seconds } => format!(
                "Signature expired: {signed} was valid for {expires_seconds} seconds and it is {} \
                 now",
                time_text(now)
            ),
        };
        Self::InvalidSignature(text)
    }

    /// The scope names another region than the one addressed.
    pub fn wrong_region(found: &str, expected: &str) -> Self {
        Self::InvalidSignature(format!(
            "Credential should be scoped to a valid region, not '{found}'; this host is in \
             '{expected}'."
        ))
    }

    /// The scope names another service than the one addressed.
    pub fn wrong_service(expected: &str) -> Self {
        Self::InvalidSignature(format!(
            "Credential should be scoped to correct service: '{expected}'."
        ))
    }
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
}
