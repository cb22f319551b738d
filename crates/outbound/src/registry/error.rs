//! Why a registry gave nothing.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use crate::connection::BoxError;

/// Why a registry gave nothing. The texts are for the operator; they name the host, nothing that
/// its server said, and never a credential.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not have it (404).
    #[error("{0} does not have it")]
    NotFound(String),
    /// It wants other credentials (401 or 403).
    #[error("{0} refuses these credentials, or wants some")]
    Denied(String),
    /// A condition of the request does not hold (412).
    #[error("what {0} has was changed meanwhile")]
    Changed(String),
    /// Too much was asked (429).
    #[error("{host} says that too much was asked of it")]
    TooManyRequests {
        /// The host.
        host: String,
        /// When it may be asked again, if it said so; a day at most.
        retry_after: Option<Duration>,
    },
    /// It cannot be reached, broke off, took too long or is in trouble (5xx).
    #[error("{0}")]
    Unavailable(String),
    /// The operator does not allow this request.
    #[error("{0}")]
    Forbidden(String),
    /// It answered what no registry should, or what was asked for is nothing that can be asked.
    #[error("{0}")]
    Invalid(String),
    /// What was to be sent to it ended early, or could not be read.
    #[error("what was to be sent to {host} cannot be read")]
    Source {
        /// The host.
        host: String,
        /// Why.
        #[source]
        cause: BoxError,
    },
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        match error {
            crate::Error::Forbidden(_) | crate::Error::Plain(_) => Self::Forbidden(text),
            crate::Error::Http(host, cause) if cause.is_user() => {
                Self::Source { host, cause: cause.into() }
            }
            crate::Error::Http(_, cause) if cause.is_parse() => Self::Invalid(text),
            crate::Error::Url(_) | crate::Error::Large(..) => Self::Invalid(text),
            crate::Error::Resolve(..)
            | crate::Error::Connect(..)
            | crate::Error::Http(..)
            | crate::Error::Time(_)
            | crate::Error::Busy(_)
            | crate::Error::Status(..) => Self::Unavailable(text),
        }
    }
}
