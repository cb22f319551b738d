//! Errors of the distribution protocol: the specification's codes, ECR's messages.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use tonnage_domain::authorize::Denied;
use tonnage_domain::error::{Detail, Error, ErrorKind};

use super::profile::Rules;
use crate::body::Body;
use crate::request::Response;

/// An error with its code and status.
#[derive(Debug)]
pub(super) struct OciError {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Option<Box<Detail>>,
    /// What it was in the domain.
    kind: Option<ErrorKind>,
    /// What a denial is explained by.
    denied: Option<Box<Denied>>,
}

impl OciError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None, kind: None, denied: None }
    }

    /// The error as a profile has it.
    pub(super) fn under(mut self, rules: &Rules) -> Self {
        let code = match self.kind {
            Some(ErrorKind::ManifestInvalid) => rules.manifest_invalid,
            Some(ErrorKind::ImageDigestDoesNotMatch) => rules.manifest_digest,
            Some(ErrorKind::InvalidLayer) => rules.blob_digest,
            _ => return self,
        };
        (self.status, self.code) = code;
        self
    }

    /// What a denial is explained by.
    pub(super) fn denied(&self) -> Option<&Denied> {
        self.denied.as_deref()
    }

    pub(super) fn into_response(self) -> Response {
        let body = serde_json::json!({
            "errors": [{ "code": self.code, "message": self.message }]
        });
        let mut response = http::Response::new(Body::full(format!("{body}\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            // A month may take a while to end; an hour keeps clients from asking all the time.
            let seconds = match self.kind {
                Some(ErrorKind::DataLimitExceeded) => "3600",
                _ => "1",
            };
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if let Some(detail) = self.detail {
            if let Ok(range) = HeaderValue::from_str(&range_text(detail.received)) {
                headers.insert(http::header::RANGE, range);
            }
            if let Ok(id) = HeaderValue::from_str(&detail.upload_id) {
                headers.insert(HeaderName::from_static("docker-upload-uuid"), id);
            }
        }
        response
    }
}

impl From<Error> for OciError {
    fn from(error: Error) -> Self {
        let (status, code) = code(error.kind());
        Self {
            status,
            code,
            message: error.message().to_owned(),
            detail: error.detail().cloned().map(Box::new),
            kind: Some(error.kind()),
            denied: error.denied().cloned().map(Box::new),
        }
    }
}

/// The code and status of every kind of error. The codes are those of the specification, section
/// "Error Codes"; where ECR is known to differ, `docs/compatibility` says so.
pub(super) fn code(kind: ErrorKind) -> (StatusCode, &'static str) {
    use StatusCode as Status;
    match kind {
        ErrorKind::Unauthenticated => (Status::UNAUTHORIZED, "UNAUTHORIZED"),
        ErrorKind::TokenExpired | ErrorKind::AccessDenied => (Status::FORBIDDEN, "DENIED"),
        ErrorKind::TokenInvalid => (Status::BAD_REQUEST, "UNAUTHORIZED"),
        ErrorKind::RepositoryNotFound | ErrorKind::RegistryNotFound => {
            (Status::NOT_FOUND, "NAME_UNKNOWN")
        }
        ErrorKind::NameInvalid => (Status::BAD_REQUEST, "NAME_INVALID"),
        ErrorKind::ImageNotFound => (Status::NOT_FOUND, "MANIFEST_UNKNOWN"),
        ErrorKind::ImageTagAlreadyExists => (Status::BAD_REQUEST, "TAG_INVALID"),
        ErrorKind::ImageDigestDoesNotMatch | ErrorKind::DigestInvalid => {
            (Status::BAD_REQUEST, "DIGEST_INVALID")
        }
        ErrorKind::ManifestInvalid => (Status::BAD_REQUEST, "MANIFEST_INVALID"),
        ErrorKind::ManifestTooLarge => (Status::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID"),
        ErrorKind::LayersNotFound | ErrorKind::ReferencedImagesNotFound => {
            (Status::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN")
        }
        ErrorKind::ImageReferencedByManifestList | ErrorKind::BlobReferenced => {
            (Status::CONFLICT, "DENIED")
        }
        ErrorKind::TagMoved => (Status::PRECONDITION_FAILED, "DENIED"),
        ErrorKind::BlobNotFound | ErrorKind::LayerInaccessible => {
            (Status::NOT_FOUND, "BLOB_UNKNOWN")
        }
        ErrorKind::InvalidLayer => (Status::BAD_REQUEST, "DIGEST_INVALID"),
        ErrorKind::InvalidLayerPart => (Status::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
        ErrorKind::LayerPartTooSmall
        | ErrorKind::EmptyUpload
        | ErrorKind::LayerAlreadyExists
        | ErrorKind::BodyIncomplete => (Status::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
        ErrorKind::UploadBusy => (Status::CONFLICT, "BLOB_UPLOAD_INVALID"),
        ErrorKind::UploadNotFound => (Status::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        // Docker Hub's answer for what is not there or not for everybody is ECR's, too.
        ErrorKind::UpstreamAccessDenied => (Status::FORBIDDEN, "DENIED"),
        ErrorKind::UpstreamTooManyRequests => (Status::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        ErrorKind::UpstreamUnavailable
        | ErrorKind::UnableToGetUpstreamImage
        | ErrorKind::UnableToGetUpstreamLayer => (Status::BAD_GATEWAY, "UNKNOWN"),
        ErrorKind::LimitExceeded | ErrorKind::RepositoryIsCache => (Status::FORBIDDEN, "DENIED"),
        ErrorKind::InvalidParameter
        | ErrorKind::InvalidTagParameter
        | ErrorKind::TooManyTags
        | ErrorKind::RepositoryAlreadyExists
        | ErrorKind::RepositoryPolicyNotFound
        | ErrorKind::RegistryPolicyNotFound
        | ErrorKind::RepositoryNotEmpty
        | ErrorKind::ImageAlreadyExists
        | ErrorKind::TemplateAlreadyExists
        | ErrorKind::TemplateNotFound
        | ErrorKind::PullThroughCacheRuleAlreadyExists
        | ErrorKind::PullThroughCacheRuleNotFound
        | ErrorKind::UnsupportedUpstreamRegistry
        | ErrorKind::CredentialNotFound
        | ErrorKind::CredentialInaccessible
        | ErrorKind::CredentialUnreadable
        | ErrorKind::ExclusionAlreadyExists
        | ErrorKind::ExclusionNotFound
        | ErrorKind::AccountAlreadyExists
        | ErrorKind::AccountNotFound
        | ErrorKind::LifecyclePolicyNotFound
        | ErrorKind::LifecyclePolicyPreviewNotFound
        | ErrorKind::LifecyclePolicyPreviewInProgress
        | ErrorKind::ImageStorageClassUpdateNotSupported
        | ErrorKind::ImageArchived
        | ErrorKind::UnsupportedImageType
        | ErrorKind::ScanNotFound
        | ErrorKind::ScanningUnavailable
        | ErrorKind::InvalidAuthorizationMessage
        | ErrorKind::SigningConfigurationNotFound
        | ErrorKind::BackfillInProgress
        | ErrorKind::BackfillInvalidStatus
        | ErrorKind::BackfillNotFound
        | ErrorKind::InvalidState
        | ErrorKind::JobNotFound
        | ErrorKind::NoSuchEntity
        | ErrorKind::EntityAlreadyExists
        | ErrorKind::DeleteConflict
        | ErrorKind::MalformedPolicyDocument
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidUserType
        | ErrorKind::PasswordPolicyViolation
        | ErrorKind::PackedPolicyTooLarge
        | ErrorKind::InvalidIdentityToken
        | ErrorKind::IdentityTokenExpired
        | ErrorKind::IdentityProviderUnreachable => (Status::BAD_REQUEST, "UNSUPPORTED"),
        ErrorKind::Unsupported => (Status::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        ErrorKind::StorageFull => (Status::INSUFFICIENT_STORAGE, "UNKNOWN"),
        ErrorKind::Throttled | ErrorKind::DataLimitExceeded => {
            (Status::TOO_MANY_REQUESTS, "TOOMANYREQUESTS")
        }
        ErrorKind::Unavailable => (Status::SERVICE_UNAVAILABLE, "TOOMANYREQUESTS"),
        ErrorKind::Internal => (Status::INTERNAL_SERVER_ERROR, "UNKNOWN"),
    }
}

/// What an upload has, as the specification prints it: the last byte, inclusive. An empty upload
/// has no last byte; registries print `0-0` for it, and clients expect that.
pub(super) fn range_text(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}
