//! Why a layer has no index, and why one file of it gave nothing.

use std::io;

/// Why a layer could not be indexed. Nothing of it is known then.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The layer is in a form that is not read. Trying again does not help.
    #[error("the layer is not supported: {0}")]
    Unsupported(String),
    /// The layer breaks the rules of its form. Trying again does not help.
    #[error("the layer is broken: {0}")]
    Failed(String),
    /// The layer is larger in some respect than the [`Limits`](super::Limits) allow.
    #[error("the layer exceeds the limit of {maximum} for {limit}")]
    LimitExceeded {
        /// What is limited, with its unit.
        limit: &'static str,
        /// How much of it is allowed.
        maximum: u64,
    },
    /// The caller's `proceed` said no.
    #[error("indexing was stopped before its end")]
    Interrupted,
    /// The reader of the layer failed. The layer may be in order; try again.
    #[error("the layer could not be read")]
    Source(#[source] io::Error),
    /// The scratch space failed, or is full. The layer may be in order; try again.
    #[error("the scratch space could not be used")]
    Scratch(#[source] io::Error),
}

impl LayerError {
    pub(super) fn limit(limit: &'static str, maximum: u64) -> Self {
        Self::LimitExceeded { limit, maximum }
    }

    /// Passes through readers that know only [`io::Error`]; [`From`] takes it out again.
    pub(super) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}

impl From<io::Error> for LayerError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(_) if kind == io::ErrorKind::UnexpectedEof => {
                Self::Failed("its data ends too early".to_owned())
            }
            Err(other) => Self::Failed(other.to_string()),
        }
    }
}

/// Why one file of a layer gave nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// The layer cannot be read on.
    Layer(LayerError),
    /// The file is not what its name says, or too large; all others can be read.
    File(String),
}

impl Fault {
    pub(super) fn file(problem: impl Into<String>) -> Self {
        Self::File(problem.into())
    }
}

impl From<LayerError> for Fault {
    fn from(error: LayerError) -> Self {
        Self::Layer(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Corrupt>() {
            Ok(Corrupt(problem)) => Self::File(problem),
            Err(error) => Self::Layer(error.into()),
        }
    }
}

/// What is wrong inside a file of the layer, on its way through readers that know only
/// [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Corrupt(String);

impl Corrupt {
    /// Marks an error that is not ours yet.
    pub(super) fn mark(error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        match error.downcast::<LayerError>() {
            Ok(ours) => ours.into_io(),
            Err(error) => io::Error::other(Self(format!("it cannot be decompressed: {error}"))),
        }
    }

    pub(super) fn error(problem: String) -> io::Error {
        io::Error::other(Self(problem))
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::File(format!("not the JSON that is expected: {error}"))
    }
}
