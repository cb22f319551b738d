//! Why a request to another server failed.

use std::path::PathBuf;

/// Why a request failed. The texts name the host and nothing that its server said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one that may be asked.
    #[error("{0:?} is not the URL of a server: https, a host, no user and no fragment")]
    Url(String),
    /// The address is of a network that is not public, and the operator did not list it.
    #[error(
        "{0} leads to an address that is not public; the operator may list its network in \
         `outbound_network`"
    )]
    Forbidden(String),
    /// Without TLS only this machine may be asked, and only if the operator listed it.
    #[error("{0} may only be asked over https")]
    Plain(String),
    /// The name leads nowhere.
    #[error("{0} cannot be resolved")]
    Resolve(String, #[source] std::io::Error),
    /// Nothing answers there, or it broke off.
    #[error("{0} cannot be reached")]
    Connect(String, #[source] std::io::Error),
    /// What answers is not HTTP.
    #[error("{0} does not speak HTTP as it should")]
    Http(String, #[source] hyper::Error),
    /// It took too long.
    #[error("{0} did not answer in time")]
    Time(String),
    /// Too much is asked of it already.
    #[error("too many requests to {0} are under way")]
    Busy(String),
    /// The answer is larger than the caller wants.
    #[error("the answer of {0} is larger than {1} bytes")]
    Large(String, usize),
    /// The answer is not a success; redirects are not followed.
    #[error("{0} answered with status {1}")]
    Status(String, u16),
}

impl Error {
    /// Whether the server may answer another time: it could not be reached, or was in trouble.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Resolve(..)
            | Self::Connect(..)
            | Self::Http(..)
            | Self::Time(_)
            | Self::Busy(_) => true,
            Self::Status(_, status) => *status == 429 || *status >= 500,
            Self::Url(_) | Self::Forbidden(_) | Self::Plain(_) | Self::Large(..) => false,
        }
    }
}

/// Why there is no client; one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file with authorities cannot be used.
    #[error("the certificates in {path} cannot be used: {reason}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}
