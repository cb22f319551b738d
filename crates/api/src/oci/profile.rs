//! What the registry does otherwise than the specification when it shall answer as ECR.
//!
//! The specification is followed where the two differ, and every client of ECR takes it; the other
//! profile is for tests of clients and tools that were written against ECR alone. This table is
//! all of the difference.

use http::StatusCode;

/// Whose habits answers of the distribution protocol follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The OCI distribution specification.
    #[default]
    Specification,
    /// Amazon ECR, as far as its deviations were seen.
    Ecr,
}

impl Profile {
    pub(super) fn rules(self) -> &'static Rules {
        match self {
            Self::Specification => &SPECIFICATION,
            Self::Ecr => &ECR,
        }
    }
}

/// One row of the table, for documentation.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// What differs.
    pub subject: &'static str,
    /// As the specification has it.
    pub specification: &'static str,
    /// As ECR has it.
    pub ecr: &'static str,
    /// Where ECR was seen to.
    pub source: &'static str,
}

macro_rules! rules {
    ($($name:ident: $type:ty, $subject:literal, $specification:expr => $specified:literal,
       $ecr:expr => $seen:literal, $source:literal;)*) => {
        pub(super) struct Rules { $(pub(super) $name: $type,)* }

        const SPECIFICATION: Rules = Rules { $($name: $specification,)* };
        const ECR: Rules = Rules { $($name: $ecr,)* };

        /// Every deviation, in the order of the table.
        pub const DEVIATIONS: &[Deviation] = &[$(Deviation {
            subject: $subject,
            specification: $specified,
            ecr: $seen,
            source: $source,
        },)*];
    };
}

type Code = (StatusCode, &'static str);

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const REFUSED: Code = (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED");

rules! {
    patched: StatusCode, "`PATCH` of an upload",
        StatusCode::ACCEPTED => "202", StatusCode::CREATED => "201",
        "AWS containers roadmap 2831";
    upload_uuid: bool, "`Docker-Upload-UUID`",
        true => "sent", false => "not sent",
        "answers to docker push, 2019";
    tags_type: &'static str, "`Content-Type` of tag lists",
        "application/json" => "`application/json`",
        "text/plain; charset=utf-8" => "`text/plain; charset=utf-8`",
        "answers of `tags/list`";
    absolute_links: bool, "`Link` to the next page",
        false => "a path", true => "an absolute URL",
        "answers of `tags/list`";
    page_refused: bool, "`n` above 1000",
        false => "1000 items and a `Link`", true => "405 `UNSUPPORTED`",
        "ECR's own message for `maxResults`";
    blob_delete: bool, "`DELETE` of a blob",
        true => "202 when no image of the repository refers to it", false => "405 `UNSUPPORTED`",
        "Amazon ECR user guide: layers are collected, never deleted";
    manifest_invalid: Code, "a manifest or tag that is not valid",
        (BAD_REQUEST, "MANIFEST_INVALID") => "400 `MANIFEST_INVALID`, `TAG_INVALID`",
        REFUSED => "405 `UNSUPPORTED`",
        "reports of `Invalid parameter at 'ImageManifest'` of buildx and ORAS";
    manifest_digest: Code, "a manifest of another digest",
        (BAD_REQUEST, "DIGEST_INVALID") => "400 `DIGEST_INVALID`",
        (BAD_REQUEST, "MANIFEST_INVALID") => "400 `MANIFEST_INVALID`",
        "botocore `ecr`, shape `ImageDigestDoesNotMatchException`, as the endpoint renders it";
    stale_token: StatusCode, "a token that has expired or is not valid, at a public registry",
        StatusCode::UNAUTHORIZED => "401 with a challenge", BAD_REQUEST => "400",
        "AWS containers roadmap 2835";
    blob_digest: Code, "a blob of another digest",
        (BAD_REQUEST, "DIGEST_INVALID") => "400 `DIGEST_INVALID`",
        (BAD_REQUEST, "BLOB_UPLOAD_INVALID") => "400 `BLOB_UPLOAD_INVALID`",
        "botocore `ecr`, shape `InvalidLayerException`, as the endpoint renders it";
}
