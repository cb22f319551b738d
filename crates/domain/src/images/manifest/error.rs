//! Why a manifest was refused.

use super::json::Path;
use super::media_type::ManifestMediaType;
use super::{MAXIMUM_BYTES, MAXIMUM_DEPTH};
use crate::names::{Digest, Quoted};

/// Why a manifest was refused. Messages are for the client that pushed it: they name the place as a
/// JSON path and repeat at most 128 characters of its own input, in backticks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More than 4 MiB.
    #[error("manifest has {bytes} bytes, more than the {MAXIMUM_BYTES} allowed")]
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("manifest is not utf-8 text: byte {position} begins no character")]
    NotUtf8 {
        /// Offset of the first offending byte.
        position: usize,
    },
    /// Not one JSON value.
    #[error("manifest is not json: {reason}")]
    NotJson {
        /// What the JSON parser says, with line and column.
        reason: String,
    },
    /// Arrays and objects nested too deeply, read or not.
    #[error("manifest is nested deeper than {MAXIMUM_DEPTH} levels")]
    TooDeep,
    /// A JSON value of another type than the member has.
    #[error("{path} must be {expected}, not {found}")]
    WrongType {
        /// Where.
        path: String,
        /// The type it must have, with its article.
        expected: &'static str,
        /// The type it has, with its article.
        found: &'static str,
    },
    /// A required member is absent.
    #[error("{path} is missing")]
    Missing {
        /// Where it should be.
        path: String,
    },
    /// A member appears twice in one object.
    #[error("{path} appears more than once")]
    Duplicate {
        /// Where.
        path: String,
    },
    /// A member differs from a known one in case only; readers that ignore case would take it for
    /// the known one.
    #[error("{path} must be spelled `{expected}`")]
    Misspelled {
        /// Where.
        path: String,
        /// The known member.
        expected: &'static str,
    },
    /// A list or object with too many entries.
    #[error("{path} has more than {maximum} entries")]
    TooMany {
        /// Where.
        path: String,
        /// Most entries allowed.
        maximum: usize,
    },
    /// A string with characters it cannot have, an empty one, or one too long.
    #[error("{path} {problem}")]
    Text {
        /// Where.
        path: String,
        /// What is wrong, as a predicate.
        problem: &'static str,
    },
    /// A digest that is not sha256 or sha512 in canonical spelling.
    #[error("{path} is {found}, which does not match {}", Digest::PATTERN)]
    Digest {
        /// Where.
        path: String,
        /// The refused text, in backticks.
        found: String,
    },
    /// A size that is not an integer from 0 to 2^53.
    #[error("{path} is {found}, which is not an integer from 0 to 9007199254740992")]
    Size {
        /// Where.
        path: String,
        /// The number as written, in backticks.
        found: String,
    },
    /// A schema version other than 2.
    #[error("$.schemaVersion is {found}, only 2 is supported")]
    SchemaVersion {
        /// The value as written, in backticks.
        found: String,
    },
    /// A manifest of Docker's schema 1.
    #[error(
        "docker image manifests of schema 1 are deprecated and not supported; push schema 2 or oci"
    )]
    Schema1,
    /// The document says one thing, the request another.
    #[error("$.mediaType is {declared} but the content type is {content_type}")]
    MediaTypeMismatch {
        /// The document's own media type, in backticks.
        declared: String,
        /// The request's, in backticks.
        content_type: String,
    },
    /// A media type that is not one of manifests.
    #[error("manifest media type {media_type} is not supported")]
    MediaTypeUnknown {
        /// The refused media type, in backticks.
        media_type: String,
    },
    /// Neither document nor request nor the members tell the media type.
    #[error("manifest media type is neither in $.mediaType nor in the content type")]
    MediaTypeMissing,
    /// An image and an index at once.
    #[error("$.layers and $.manifests must not appear together")]
    LayersAndManifests,
    /// A member of another kind of manifest.
    #[error("{path} must not appear in a manifest of type `{media_type}`")]
    ForeignMember {
        /// Where.
        path: String,
        /// The manifest's media type.
        media_type: ManifestMediaType,
    },
}

impl ManifestError {
    pub(super) fn missing(path: &Path<'_>) -> Self {
        Self::Missing { path: path.to_string() }
    }

    pub(super) fn digest(path: &Path<'_>, found: &str) -> Self {
        Self::Digest { path: path.to_string(), found: Quoted(found).to_string() }
    }

    pub(super) fn size(path: &Path<'_>, found: &str) -> Self {
        Self::Size { path: path.to_string(), found: Quoted(found).to_string() }
    }

    pub(super) fn text(path: &Path<'_>, problem: &'static str) -> Self {
        Self::Text { path: path.to_string(), problem }
    }

    pub(super) fn schema_version(found: &str) -> Self {
        Self::SchemaVersion { found: Quoted(found).to_string() }
    }

    pub(super) fn media_type_mismatch(declared: &str, content_type: &str) -> Self {
        Self::MediaTypeMismatch {
            declared: Quoted(declared).to_string(),
            content_type: Quoted(content_type).to_string(),
        }
    }

    pub(super) fn unknown_media_type(media_type: &str) -> Self {
        Self::MediaTypeUnknown { media_type: Quoted(media_type).to_string() }
    }

    pub(super) fn foreign_member(path: &Path<'_>, media_type: ManifestMediaType) -> Self {
        Self::ForeignMember { path: path.to_string(), media_type }
    }
}
