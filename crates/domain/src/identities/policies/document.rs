//! Policy documents as IAM takes them.

use tonnage_policy::{Limits, Policy, PolicyKind};

use crate::error::{Error, ErrorKind, Result};

/// The longest text of any document, in bytes; botocore `iam`, shape `policyDocumentType`.
const TEXT_BYTES_MAX: usize = 131_072;

/// Checks a document and its size; `whose` stands in the message. White space does not count.
///
/// # Errors
/// [`ErrorKind::MalformedPolicyDocument`], [`ErrorKind::LimitExceeded`].
pub(crate) fn check(text: &str, kind: PolicyKind, chars_max: usize, whose: &str) -> Result<Policy> {
    let limits = Limits { max_bytes: TEXT_BYTES_MAX };
    let policy = Policy::parse_within(text, kind, &limits).map_err(malformed)?;
    if size(text) > chars_max {
        return Err(too_large(chars_max, whose));
    }
    Ok(policy)
}

pub(crate) fn malformed(error: tonnage_policy::ParseError) -> Error {
    Error::new(ErrorKind::MalformedPolicyDocument, error.to_string()).caused_by(error)
}

/// The characters of a document that count.
pub(crate) fn size(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

pub(crate) fn too_large(chars_max: usize, whose: &str) -> Error {
    Error::new(
        ErrorKind::LimitExceeded,
        format!("Maximum policy size of {chars_max} bytes exceeded for {whose}"),
    )
}
