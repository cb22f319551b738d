//! What a request can fail with, in the words of each AWS protocol.
//!
//! Two kinds of failure meet here: those of the domain, and refusals of requests that never became
//! an operation. Each has one exhaustive table per protocol, so that a new one cannot be forgotten.
//!
//! Sources: botocore `ecr` (modelled errors, all 400 but `ServerException`), `iam` and `sts`; the
//! Amazon ECR API reference and the AWS STS API reference, "Common Errors".

use serde_json::{Map, Value};
use tonnage_domain::authorize::Denied;
use tonnage_domain::error::{Error, ErrorKind};

use super::shapes;

/// The result of handling an AWS request.
pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It never became an operation.
    Refused(Refusal),
    /// The domain said no.
    Failed(Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A request that never became an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not signed.
    MissingAuthentication,
    /// The access key is not known.
    InvalidToken,
    /// The signature is not readable; the text says which part.
    IncompleteSignature(String),
    /// The signature is not right; the text says how.
    InvalidSignature(String),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// Too many large requests are under way.
    Busy,
    /// The body ended early.
    BodyIncomplete,
    /// The body is not of the protocol's form; AWS sends no message for some mistakes.
    Serialization(Option<String>),
    /// A constraint of the operation's shape does not hold; code and message of the service.
    Constraint(&'static str, Option<String>),
    /// The service has no such operation.
    UnknownOperation(String),
    /// The service is not served here.
    ServiceNotServed(String),
}

/// The code and status of an error.
pub type Code = (&'static str, u16);

/// What stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) message: Option<String>,
    /// Members beside the message.
    pub(super) members: Map<String, Value>,
}

impl Failure {
    /// What a denial is explained by.
    pub(super) fn denied(&self) -> Option<&Denied> {
        match self {
            Self::Refused(_) => None,
            Self::Failed(error) => error.denied(),
        }
    }

    pub(super) fn json(&self) -> Wire {
        match self {
            Self::Refused(refusal) => refusal.wire(refusal.json_code()),
            Self::Failed(error) => {
                let (code, status) = json_code(error.kind());
                Wire { code, status, message: Some(json_message(error)), members: members(error) }
            }
        }
    }

    pub(super) fn query(&self) -> Wire {
        match self {
            Self::Refused(refusal) => refusal.wire(refusal.query_code()),
            Self::Failed(error) => {
                let (code, status) = query_code(error.kind());
                let message = Some(error.message().to_owned());
                Wire { code, status, message, members: Map::new() }
            }
        }
    }
}

impl Refusal {
    /// AWS JSON 1.1.
    pub(super) fn json_code(&self) -> Code {
        match self {
            Self::MissingAuthentication => ("MissingAuthenticationTokenException", 400),
            Self::InvalidToken => ("UnrecognizedClientException", 400),
            Self::IncompleteSignature(_) => ("IncompleteSignatureException", 400),
            Self::InvalidSignature(_) => ("InvalidSignatureException", 400),
            Self::TooLarge(_) => ("RequestEntityTooLargeException", 413),
            Self::Busy => ("ServiceUnavailable", 503),
            Self::BodyIncomplete => ("RequestTimeoutException", 400),
            Self::Serialization(_) => ("SerializationException", 400),
            Self::Constraint(code, _) => (code, 400),
            Self::UnknownOperation(_) => ("UnknownOperationException", 404),
            Self::ServiceNotServed(_) => ("UnsupportedOperationException", 400),
        }
    }

    /// AWS Query.
    pub(super) fn query_code(&self) -> Code {
        match self {
            Self::MissingAuthentication => ("MissingAuthenticationToken", 403),
            Self::InvalidToken => ("InvalidClientTokenId", 403),
            Self::IncompleteSignature(_) => ("IncompleteSignature", 403),
            Self::InvalidSignature(_) => ("SignatureDoesNotMatch", 403),
            Self::TooLarge(_) => ("RequestEntityTooLarge", 413),
            Self::Busy => ("ServiceUnavailable", 503),
            Self::BodyIncomplete => ("RequestTimeout", 400),
            Self::Serialization(_) => ("MalformedQueryString", 400),
            Self::Constraint(..) => ("ValidationError", 400),
            Self::UnknownOperation(_) => ("InvalidAction", 400),
            Self::ServiceNotServed(_) => ("UnsupportedOperation", 400),
        }
    }

    /// REST-XML as Amazon S3 speaks it: only what can be said without serving it.
    pub(super) fn s3_code(&self) -> Code {
        match self {
            Self::ServiceNotServed(_) => ("NotImplemented", 501),
            Self::MissingAuthentication
            | Self::InvalidToken
            | Self::IncompleteSignature(_)
            | Self::InvalidSignature(_) => ("AccessDenied", 403),
            Self::TooLarge(_) => ("EntityTooLarge", 400),
            Self::Busy => ("ServiceUnavailable", 503),
            Self::BodyIncomplete => ("IncompleteBody", 400),
            Self::Serialization(_) | Self::Constraint(..) | Self::UnknownOperation(_) => {
                ("InvalidRequest", 400)
            }
        }
    }

    pub(super) fn wire(&self, (code, status): Code) -> Wire {
        Wire { code, status, message: self.message(), members: Map::new() }
    }

    fn message(&self) -> Option<String> {
        Some(match self {
            Self::MissingAuthentication => "Missing Authentication Token".to_owned(),
            Self::InvalidToken => {
                "The security token included in the request is invalid.".to_owned()
            }
            Self::IncompleteSignature(text)
            | Self::InvalidSignature(text)
            | Self::UnknownOperation(text) => text.clone(),
            Self::TooLarge(limit) => {
                format!("The request body is larger than {limit} bytes.")
            }
            Self::Busy => "Too many large requests are under way; try again.".to_owned(),
            Self::BodyIncomplete => "The request body ended early.".to_owned(),
            Self::Serialization(message) | Self::Constraint(_, message) => return message.clone(),
            Self::ServiceNotServed(service) => {
                format!("Tonnage does not serve {service}; AWS_ENDPOINT_URL points here.")
            }
        })
    }
}

/// AWS JSON 1.1, for operations of ECR.
pub fn json_code(kind: ErrorKind) -> Code {
    use ErrorKind as Kind;
    match kind {
        Kind::Unauthenticated | Kind::TokenInvalid => ("UnrecognizedClientException", 400),
        Kind::TokenExpired => ("ExpiredTokenException", 400),
        Kind::AccessDenied => ("AccessDeniedException", 400),
        Kind::InvalidParameter
        | Kind::NameInvalid
        | Kind::DigestInvalid
        | Kind::ManifestInvalid
        | Kind::ManifestTooLarge
        | Kind::AccountAlreadyExists
        | Kind::AccountNotFound
        | Kind::JobNotFound => ("InvalidParameterException", 400),
        // Only ever of services that have words of their own for them, or speak AWS Query.
        Kind::NoSuchEntity
        | Kind::InvalidState
        | Kind::EntityAlreadyExists
        | Kind::DeleteConflict
        | Kind::MalformedPolicyDocument
        | Kind::InvalidInput
        | Kind::InvalidUserType
        | Kind::PasswordPolicyViolation
        | Kind::PackedPolicyTooLarge
        | Kind::InvalidIdentityToken
        | Kind::IdentityTokenExpired
        | Kind::IdentityProviderUnreachable => ("InvalidParameterException", 400),
        Kind::InvalidTagParameter => ("InvalidTagParameterException", 400),
        Kind::TooManyTags => ("TooManyTagsException", 400),
        Kind::LimitExceeded => ("LimitExceededException", 400),
        Kind::RepositoryAlreadyExists => ("RepositoryAlreadyExistsException", 400),
        Kind::RepositoryNotFound => ("RepositoryNotFoundException", 400),
        Kind::RepositoryPolicyNotFound => ("RepositoryPolicyNotFoundException", 400),
        Kind::RegistryPolicyNotFound => ("RegistryPolicyNotFoundException", 400),
        Kind::RegistryNotFound => ("RegistryNotFoundException", 400),
        Kind::RepositoryNotEmpty => ("RepositoryNotEmptyException", 400),
        Kind::ImageNotFound => ("ImageNotFoundException", 400),
        Kind::ImageAlreadyExists => ("ImageAlreadyExistsException", 400),
        Kind::ImageTagAlreadyExists => ("ImageTagAlreadyExistsException", 400),
        Kind::ImageDigestDoesNotMatch => ("ImageDigestDoesNotMatchException", 400),
        // Only ever a failure of one identifier, never of a call.
        Kind::ImageReferencedByManifestList => ("InvalidParameterException", 400),
        Kind::LifecyclePolicyNotFound => ("LifecyclePolicyNotFoundException", 400),
        Kind::LifecyclePolicyPreviewNotFound => ("LifecyclePolicyPreviewNotFoundException", 400),
        Kind::LifecyclePolicyPreviewInProgress => {
            ("LifecyclePolicyPreviewInProgressException", 400)
        }
        Kind::BackfillInProgress => ("ReplicationBackfillInProgressException", 400),
        Kind::BackfillInvalidStatus => ("ReplicationBackfillInvalidStatusException", 400),
        Kind::BackfillNotFound => ("ReplicationBackfillNotFoundException", 400),
        Kind::ImageStorageClassUpdateNotSupported => {
            ("ImageStorageClassUpdateNotSupportedException", 400)
        }
        Kind::ImageArchived => ("ImageArchivedException", 400),
        Kind::UnsupportedImageType => ("UnsupportedImageTypeException", 400),
        Kind::ScanNotFound => ("ScanNotFoundException", 400),
        Kind::ScanningUnavailable => ("ValidationException", 400),
        Kind::InvalidAuthorizationMessage => ("InvalidParameterException", 400),
        Kind::SigningConfigurationNotFound => ("SigningConfigurationNotFoundException", 400),
        // Of requests that this API does not have.
        Kind::BlobReferenced | Kind::TagMoved => ("InvalidParameterException", 400),
        Kind::LayersNotFound | Kind::BlobNotFound => ("LayersNotFoundException", 400),
        Kind::ReferencedImagesNotFound => ("ReferencedImagesNotFoundException", 400),
        Kind::LayerAlreadyExists => ("LayerAlreadyExistsException", 400),
        Kind::LayerInaccessible => ("LayerInaccessibleException", 400),
        Kind::InvalidLayer => ("InvalidLayerException", 400),
        Kind::InvalidLayerPart => ("InvalidLayerPartException", 400),
        Kind::LayerPartTooSmall => ("LayerPartTooSmallException", 400),
        Kind::EmptyUpload => ("EmptyUploadException", 400),
        Kind::UploadNotFound => ("UploadNotFoundException", 400),
        Kind::TemplateAlreadyExists => ("TemplateAlreadyExistsException", 400),
        Kind::TemplateNotFound => ("TemplateNotFoundException", 400),
        Kind::PullThroughCacheRuleAlreadyExists => {
            ("PullThroughCacheRuleAlreadyExistsException", 400)
        }
        Kind::PullThroughCacheRuleNotFound => ("PullThroughCacheRuleNotFoundException", 400),
        Kind::UnsupportedUpstreamRegistry => ("UnsupportedUpstreamRegistryException", 400),
        Kind::CredentialNotFound => ("SecretNotFoundException", 400),
        Kind::CredentialInaccessible => ("UnableToAccessSecretException", 400),
        Kind::CredentialUnreadable => ("UnableToDecryptSecretValueException", 400),
        Kind::UpstreamAccessDenied
        | Kind::UpstreamTooManyRequests
        | Kind::UpstreamUnavailable
        | Kind::UnableToGetUpstreamImage => ("UnableToGetUpstreamImageException", 400),
        Kind::UnableToGetUpstreamLayer => ("UnableToGetUpstreamLayerException", 400),
        Kind::RepositoryIsCache => ("InvalidParameterException", 400),
        Kind::ExclusionAlreadyExists => ("ExclusionAlreadyExistsException", 400),
        Kind::ExclusionNotFound => ("ExclusionNotFoundException", 400),
        Kind::BodyIncomplete => ("RequestTimeoutException", 400),
        Kind::Throttled | Kind::DataLimitExceeded => ("ThrottlingException", 400),
        // SDKs wait and try again, which is right for both.
        Kind::UploadBusy | Kind::Unavailable => ("ServiceUnavailable", 503),
        Kind::Unsupported => ("UnsupportedOperationException", 400),
        Kind::StorageFull | Kind::Internal => ("ServerException", 500),
    }
}

/// AWS Query, for operations of IAM and STS, which know few of those of the registry.
pub fn query_code(kind: ErrorKind) -> Code {
    use ErrorKind as Kind;
    match kind {
        Kind::Unauthenticated | Kind::TokenInvalid => ("InvalidClientTokenId", 403),
        Kind::TokenExpired => ("ExpiredToken", 403),
        Kind::AccessDenied => ("AccessDenied", 403),
        Kind::NoSuchEntity => ("NoSuchEntity", 404),
        Kind::EntityAlreadyExists => ("EntityAlreadyExists", 409),
        Kind::DeleteConflict => ("DeleteConflict", 409),
        Kind::LimitExceeded => ("LimitExceeded", 409),
        Kind::MalformedPolicyDocument => ("MalformedPolicyDocument", 400),
        Kind::InvalidInput => ("InvalidInput", 400),
        Kind::InvalidUserType => ("InvalidUserType", 400),
        Kind::PasswordPolicyViolation => ("PasswordPolicyViolation", 400),
        Kind::PackedPolicyTooLarge => ("PackedPolicyTooLarge", 400),
        Kind::InvalidIdentityToken => ("InvalidIdentityToken", 400),
        Kind::IdentityTokenExpired => ("ExpiredTokenException", 400),
        Kind::IdentityProviderUnreachable => ("IDPCommunicationError", 400),
        Kind::InvalidParameter
        | Kind::NameInvalid
        | Kind::DigestInvalid
        | Kind::ManifestInvalid
        | Kind::ManifestTooLarge
        | Kind::InvalidTagParameter
        | Kind::TooManyTags
        | Kind::RepositoryAlreadyExists
        | Kind::RepositoryNotFound
        | Kind::RepositoryPolicyNotFound
        | Kind::RegistryPolicyNotFound
        | Kind::RegistryNotFound
        | Kind::RepositoryNotEmpty
        | Kind::ImageNotFound
        | Kind::ImageAlreadyExists
        | Kind::ImageTagAlreadyExists
        | Kind::ImageDigestDoesNotMatch
        | Kind::ImageReferencedByManifestList
        | Kind::BlobReferenced
        | Kind::TagMoved
        | Kind::LayersNotFound
        | Kind::ReferencedImagesNotFound
        | Kind::BlobNotFound
        | Kind::LayerAlreadyExists
        | Kind::LayerInaccessible
        | Kind::InvalidLayer
        | Kind::InvalidLayerPart
        | Kind::LayerPartTooSmall
        | Kind::EmptyUpload
        | Kind::UploadNotFound
        | Kind::TemplateAlreadyExists
        | Kind::TemplateNotFound
        | Kind::PullThroughCacheRuleAlreadyExists
        | Kind::PullThroughCacheRuleNotFound
        | Kind::UnsupportedUpstreamRegistry
        | Kind::CredentialNotFound
        | Kind::CredentialInaccessible
        | Kind::CredentialUnreadable
        | Kind::UpstreamAccessDenied
        | Kind::UpstreamTooManyRequests
        | Kind::UpstreamUnavailable
        | Kind::UnableToGetUpstreamImage
        | Kind::UnableToGetUpstreamLayer
        | Kind::RepositoryIsCache
        | Kind::ExclusionAlreadyExists
        | Kind::ExclusionNotFound
        | Kind::AccountAlreadyExists
        | Kind::AccountNotFound
        | Kind::LifecyclePolicyNotFound
        | Kind::LifecyclePolicyPreviewNotFound
        | Kind::LifecyclePolicyPreviewInProgress
        | Kind::ImageStorageClassUpdateNotSupported
        | Kind::ImageArchived
        | Kind::UnsupportedImageType
        | Kind::ScanNotFound
        | Kind::ScanningUnavailable
        | Kind::SigningConfigurationNotFound
        | Kind::BackfillInProgress
        | Kind::BackfillInvalidStatus
        | Kind::BackfillNotFound
        | Kind::InvalidState
        | Kind::JobNotFound => ("ValidationError", 400),
        Kind::InvalidAuthorizationMessage => ("InvalidAuthorizationMessageException", 400),
        Kind::BodyIncomplete => ("RequestTimeout", 400),
        Kind::Throttled | Kind::DataLimitExceeded => ("Throttling", 400),
        Kind::UploadBusy | Kind::Unavailable => ("ServiceUnavailable", 503),
        Kind::Unsupported => ("UnsupportedOperation", 400),
        Kind::StorageFull | Kind::Internal => ("InternalFailure", 500),
    }
}

/// ECR words a refused manifest as a refused parameter.
fn json_message(error: &Error) -> String {
    match error.kind() {
        ErrorKind::ManifestInvalid | ErrorKind::ManifestTooLarge => {
            Error::invalid_parameter("ImageManifest", error.message()).message().to_owned()
        }
        _ => error.message().to_owned(),
    }
}

/// The members of `InvalidLayerPartException` (botocore `ecr`), the only error that has any.
fn members(error: &Error) -> Map<String, Value> {
    let mut members = Map::new();
    if let (ErrorKind::InvalidLayerPart, Some(detail)) = (error.kind(), error.detail()) {
        members.insert("registryId".to_owned(), detail.account.as_str().into());
        members.insert("repositoryName".to_owned(), detail.repository_name.as_str().into());
        members.insert("uploadId".to_owned(), detail.upload_id.as_str().into());
        // Of an upload without bytes there is no last byte.
        if let Some(last) = detail.received.checked_sub(1) {
            members.insert("lastValidByteReceived".to_owned(), last.into());
        }
    }
    members
}

impl From<(shapes::Style, shapes::ValidationFailure)> for Failure {
    fn from((style, failure): (shapes::Style, shapes::ValidationFailure)) -> Self {
        let message = failure.message(style);
        Self::Refused(match failure {
            shapes::ValidationFailure::Serialization(_) => Refusal::Serialization(message),
            shapes::ValidationFailure::Constraints(_) => {
                Refusal::Constraint(failure.code(style), message)
            }
        })
    }
}
