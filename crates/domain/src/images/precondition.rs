//! What a client says of a tag or an image before it changes it.

use super::ImageRecord;
use crate::error::{Error, ErrorKind};
use crate::names::Digest;

/// A condition on what a reference names (RFC 9110, section 13.1), held against it in the
/// transaction of the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// It names nothing.
    Absent,
    /// It names one of these; any image when there are none.
    Present(Vec<Digest>),
}

impl Precondition {
    /// The refusal, [`ErrorKind::TagMoved`], unless the condition holds of what is there now.
    pub(super) fn refusal(&self, what: &str, current: Option<&ImageRecord>) -> Option<Error> {
        let holds = match (self, current) {
            (Self::None, _) | (Self::Absent, None) => true,
            (Self::Absent, Some(_)) | (Self::Present(_), None) => false,
            (Self::Present(expected), Some(current)) => {
                expected.is_empty() || expected.contains(&current.digest)
            }
        };
        let found = || {
            current.map_or_else(
                || "names no image".to_owned(),
                |current| format!("names {}", current.digest),
            )
        };
        (!holds).then(|| {
            let message = format!(
                "{what} {}, which the condition of the request excludes; read it again.",
                found()
            );
            Error::new(ErrorKind::TagMoved, message)
        })
    }
}
