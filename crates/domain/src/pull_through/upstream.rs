//! What an upstream registry is asked, and by whom the requests are carried out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use secrecy::SecretString;

use crate::app::App;
use crate::names::{Digest, Reference};

/// Where an upstream registry is, and how to enter it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Scheme, host and perhaps a port, without a path: `https://registry-1.docker.io`.
    pub url: String,
    /// What to log in with; an anonymous request otherwise.
    pub credentials: Option<Credentials>,
}

/// A name and a password or access token.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password or access token.
    pub password: SecretString,
}

/// What an upstream says of how much may still be asked of it (`RateLimit-Limit` and
/// `RateLimit-Remaining`, as Docker Hub sends them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Pulls in the window.
    pub limit: u64,
    /// Pulls that are left.
    pub remaining: u64,
}

/// Whether a manifest is still the one that is known.
#[derive(Clone, Debug)]
pub struct ManifestHead {
    /// Its digest, if the upstream says it.
    pub digest: Option<Digest>,
    /// Its quota, if the upstream says it.
    pub quota: Option<Quota>,
}

/// A manifest as the upstream sent it; its digest was verified where the request named one.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The bytes, of at most [`crate::images::manifest::MAXIMUM_BYTES`].
    pub bytes: Bytes,
    /// `Content-Type`, without parameters.
    pub media_type: Option<String>,
    /// SHA-256 of the bytes, or the digest that was asked for.
    pub digest: Digest,
    /// Its quota, if the upstream says it.
    pub quota: Option<Quota>,
}

/// A blob as it arrives. The digest is not verified by the source, and without a size the stream may
/// be endless; who stores it does the one and counts for the other.
pub struct Blob {
    /// `Content-Length`, if the upstream says it.
    pub size: Option<u64>,
    /// The bytes; the stream ends early with an error if the connection breaks or stalls.
    pub body: BoxStream<'static, Result<Bytes, UpstreamError>>,
}

/// Why an upstream gave nothing. The texts are for the operator; they name the host and never a
/// credential.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The upstream does not have it (404).
    #[error("{0} does not have it")]
    NotFound(String),
    /// The upstream wants other credentials (401 or 403).
    #[error("{0} refuses these credentials, or wants some")]
    Denied(String),
    /// Too much was asked (429).
    #[error("{host} says that too much was asked of it")]
    TooManyRequests {
        /// The host.
        host: String,
        /// When it may be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// It cannot be reached, broke off, took too long or is in trouble (5xx).
    #[error("{0}")]
    Unavailable(String),
    /// The operator does not allow to ask this address.
    #[error("{0}")]
    Forbidden(String),
    /// It answered what no registry should: a wrong digest, size or form, an endless answer, too
    /// many redirects.
    #[error("{0}")]
    Invalid(String),
}

impl UpstreamError {
    /// Whether what is stored already may stand in for the answer.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::TooManyRequests { .. } | Self::Unavailable(_))
    }
}

/// Asks upstream registries in the distribution protocol. Every request is bounded in time, size
/// and number of redirects, goes only to addresses that the operator allows, and sends credentials
/// only to the origin and to a token service that may see them
/// (`docs/decisions/0007-credentials-of-other-registries.md`). Requests to one host wait for each
/// other where there are many: a blob that is not read holds one of 32 places, so nobody should
/// hold one while waiting for something else of the same host.
pub trait Upstreams: Send + Sync {
    /// Whether the registry answers and takes the credentials (`GET /v2/`).
    fn check<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, Result<(), UpstreamError>>;

    /// What a manifest is now (`HEAD`), without its bytes.
    fn head_manifest<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, UpstreamError>>;

    /// A manifest.
    fn manifest<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Manifest, UpstreamError>>;

    /// A blob, as it arrives.
    fn blob<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Blob, UpstreamError>>;

    /// The manifests that refer to a digest: the bytes of an image index, empty when the upstream
    /// has no such list.
    fn referrers<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Bytes>, UpstreamError>>;
}

/// Reaches nobody.
pub(crate) struct NoUpstreams;

impl NoUpstreams {
    fn refuse<T>() -> Result<T, UpstreamError> {
        Err(UpstreamError::Forbidden("requests to other registries are not set up".to_owned()))
    }
}

impl Upstreams for NoUpstreams {
    fn check<'a>(&'a self, _: &'a Origin) -> BoxFuture<'a, Result<(), UpstreamError>> {
        Box::pin(async { Self::refuse() })
    }

    fn head_manifest<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, UpstreamError>> {
        Box::pin(async { Self::refuse() })
    }

    fn manifest<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Reference,
    ) -> BoxFuture<'a, Result<Manifest, UpstreamError>> {
        Box::pin(async { Self::refuse() })
    }

    fn blob<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Digest,
    ) -> BoxFuture<'a, Result<Blob, UpstreamError>> {
        Box::pin(async { Self::refuse() })
    }

    fn referrers<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Bytes>, UpstreamError>> {
        Box::pin(async { Self::refuse() })
    }
}

impl App {
    /// Says how upstream registries are asked; before that, none is.
    pub fn set_upstreams(&mut self, upstreams: Arc<dyn Upstreams>) {
        self.upstreams = upstreams;
    }
}
