//! What writers that share a COMMIT have in common, whatever the engine.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind};

/// Tells a member of a group how the group's COMMIT went.
pub(crate) type Member = oneshot::Sender<Result<(), Failure>>;

/// Why a group failed, to be told to each of its members.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    kind: MetadataErrorKind,
    message: Arc<str>,
}

impl Failure {
    pub(crate) fn new(kind: MetadataErrorKind, message: impl Into<Arc<str>>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the shared transaction failed: {}", self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for MetadataError {
    fn from(failure: Failure) -> Self {
        MetadataError::new(failure.kind, failure)
    }
}

/// For the others of a group that met this error.
impl From<&MetadataError> for Failure {
    fn from(error: &MetadataError) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message = cause.to_string();
            source = cause.source();
        }
        Self::new(error.kind(), message)
    }
}

/// Waits for the COMMIT of the group.
pub(crate) async fn committed(
    outcome: oneshot::Receiver<Result<(), Failure>>,
) -> Result<(), MetadataError> {
    match outcome.await {
        Ok(outcome) => outcome.map_err(MetadataError::from),
        Err(_) => Err(MetadataError::new(
            MetadataErrorKind::Unavailable,
            "the process ended before COMMIT",
        )),
    }
}
