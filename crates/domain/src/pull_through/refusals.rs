//! What an upstream's refusal means to a client.

use std::time::Duration;

use super::imports::Wanted;
use super::rules::Rule;
use super::upstream::{Quota, UpstreamError};
use crate::app::App;
use crate::error::{Error, ErrorKind};

/// The error for a client whose request needs an upstream; `not_found` is for what the upstream does
/// not have. The operator learns what the upstream said.
pub(super) fn refused(error: UpstreamError, not_found: impl FnOnce() -> Error) -> Error {
    let (kind, message) = match &error {
        UpstreamError::NotFound(_) => return not_found().caused_by(error),
        UpstreamError::Denied(_) => (
            ErrorKind::UpstreamAccessDenied,
            "The upstream registry denies access; check the name upstream and the secret of the \
             pull through cache rule.",
        ),
        UpstreamError::TooManyRequests { .. } => (
            ErrorKind::UpstreamTooManyRequests,
            "The upstream registry says that too much was asked of it; try again later.",
        ),
        UpstreamError::Unavailable(_) => (
            ErrorKind::UpstreamUnavailable,
            "The upstream registry cannot be reached or is in trouble; try again later.",
        ),
        UpstreamError::Forbidden(_) => (
            ErrorKind::UpstreamUnavailable,
            "The server is not allowed to reach the upstream registry; ask its operator.",
        ),
        UpstreamError::Invalid(_) => (
            ErrorKind::UpstreamUnavailable,
            "The upstream registry answered what is not valid; nothing of it is kept.",
        ),
    };
    Error::new(kind, message).caused_by(error)
}

/// The error for an answer that is not what was asked for.
pub(super) fn invalid(problem: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::UpstreamUnavailable,
        format!("The upstream registry answered what is not valid: {problem}"),
    )
}

/// An upstream that cannot be asked at all: something about the rule or its secret.
pub(super) fn unable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::StorageFull => error,
        _ => {
            let message = error.message().to_owned();
            Error::new(ErrorKind::UnableToGetUpstreamImage, message).caused_by(error)
        }
    }
}

/// How long an upstream wants to be left alone.
pub(super) fn retry_after(error: &UpstreamError) -> Option<Duration> {
    match error {
        UpstreamError::TooManyRequests { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// Remembers for a while what the upstream refused; failures of our own stores it does not.
pub(super) fn remember(app: &App, wanted: &Wanted, error: &Error, wait: Option<Duration>) {
    let is_upstreams = matches!(
        error.kind(),
        ErrorKind::UpstreamAccessDenied
            | ErrorKind::UpstreamTooManyRequests
            | ErrorKind::UpstreamUnavailable
            | ErrorKind::UnableToGetUpstreamImage
            | ErrorKind::ImageNotFound
            | ErrorKind::BlobNotFound
            | ErrorKind::InvalidLayer
    );
    if is_upstreams {
        tracing::info!(
            repository = wanted.0.arn(),
            what = wanted.1,
            error = crate::error::chain(error),
            "an upstream registry does not give what was asked of it"
        );
        app.imports.refuse(wanted, error, wait, app.clock.now());
    }
    app.metrics.record_upstream(error.kind());
}

/// Shows the operator how much an upstream still gives, before it refuses.
pub(super) fn note_quota(app: &App, rule: &Rule, quota: Option<Quota>) {
    if let Some(quota) = quota {
        // Hosts of ECR and Azure hold names of accounts.
        let upstream = rule.upstream_registry.as_str().unwrap_or(&rule.upstream_host);
        app.metrics.set_upstream_quota(upstream, quota);
    }
}
