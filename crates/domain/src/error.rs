//! One error for the whole domain: a kind that programs may tell apart, a message that the client
//! may read, and a source that only the operator sees.

use std::fmt;

use crate::authorize::Denied;
use crate::metadata::{MetadataError, MetadataErrorKind};
use crate::names::AccountId;
use crate::objects::{ObjectError, ObjectErrorKind};

/// The result of everything that can fail in the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What happened. A kind exists only if some client must tell it apart; every protocol maps each
/// kind to its own code and status in one exhaustive match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No valid credentials were presented.
    Unauthenticated,
    /// The authorization token has expired.
    TokenExpired,
    /// The authorization token is not one of ours, or is for another account or region.
    TokenInvalid,
    /// Policies do not allow the operation.
    AccessDenied,
    /// A value of the request is not acceptable.
    InvalidParameter,
    /// A resource tag is not acceptable.
    InvalidTagParameter,
    /// A resource would carry too many tags.
    TooManyTags,
    /// A quota would be exceeded.
    LimitExceeded,
    /// The repository exists already.
    RepositoryAlreadyExists,
    /// There is no such repository.
    RepositoryNotFound,
    /// The repository has no policy.
    RepositoryPolicyNotFound,
    /// The registry has no policy.
    RegistryPolicyNotFound,
    /// There is no public registry of this id or alias, or no such alias.
    RegistryNotFound,
    /// The repository still has images.
    RepositoryNotEmpty,
    /// There is no such image.
    ImageNotFound,
    /// The image with this tag exists already.
    ImageAlreadyExists,
    /// The tag exists and may not move.
    ImageTagAlreadyExists,
    /// The tag is not where the client said it would be.
    TagMoved,
    /// The manifest has another digest than the client said.
    ImageDigestDoesNotMatch,
    /// The image is a child of an index and cannot be deleted alone.
    ImageReferencedByManifestList,
    /// The image cannot come to the storage class asked for.
    ImageStorageClassUpdateNotSupported,
    /// The image is archived.
    ImageArchived,
    /// The image is of a type that is not scanned.
    UnsupportedImageType,
    /// The image was never scanned.
    ScanNotFound,
    /// Images cannot be scanned on request here.
    ScanningUnavailable,
    /// The manifest is not a manifest.
    ManifestInvalid,
    /// The manifest is larger than 4 MiB.
    ManifestTooLarge,
    /// Blobs that a manifest names are not in the repository.
    LayersNotFound,
    /// Children that an index names are not in the repository.
    ReferencedImagesNotFound,
    /// There is no such blob in the repository.
    BlobNotFound,
    /// An image refers to the blob, so it cannot be deleted.
    BlobReferenced,
    /// The layer was uploaded before.
    LayerAlreadyExists,
    /// No image refers to the layer, so it cannot be downloaded.
    LayerInaccessible,
    /// The uploaded bytes have another digest than the client said.
    InvalidLayer,
    /// The part does not begin where the last one ended.
    InvalidLayerPart,
    /// A part other than the last is too small.
    LayerPartTooSmall,
    /// Nothing was uploaded.
    EmptyUpload,
    /// There is no such upload.
    UploadNotFound,
    /// The request body ended early or broke off.
    BodyIncomplete,
    /// Another request is writing to the same upload.
    UploadBusy,
    /// A name (of a repository, say) is not well formed.
    NameInvalid,
    /// A digest is not well formed or of an unknown algorithm.
    DigestInvalid,
    /// A repository creation template with this prefix exists already.
    TemplateAlreadyExists,
    /// There is no such repository creation template.
    TemplateNotFound,
    /// A pull through cache rule with this prefix exists already.
    PullThroughCacheRuleAlreadyExists,
    /// There is no such pull through cache rule.
    PullThroughCacheRuleNotFound,
    /// A registry cannot be an upstream, or not without credentials.
    UnsupportedUpstreamRegistry,
    /// There is no secret under the ARN of a rule.
    CredentialNotFound,
    /// The secret of a rule may not be used for it.
    CredentialInaccessible,
    /// The secret of a rule cannot be opened, or is not credentials.
    CredentialUnreadable,
    /// An upstream registry refuses the credentials of a rule, or wants some.
    UpstreamAccessDenied,
    /// An upstream registry says that too much was asked of it.
    UpstreamTooManyRequests,
    /// An upstream registry does not answer, or not with what can be used.
    UpstreamUnavailable,
    /// An upstream registry cannot be asked for an image.
    UnableToGetUpstreamImage,
    /// A layer does not come from an upstream registry.
    UnableToGetUpstreamLayer,
    /// The repository has what an upstream registry has; nobody else pushes to it.
    RepositoryIsCache,
    /// The principal is excluded from pull times already.
    ExclusionAlreadyExists,
    /// The principal is not excluded from pull times.
    ExclusionNotFound,
    /// An account exists already.
    AccountAlreadyExists,
    /// There is no such account.
    AccountNotFound,
    /// The repository has no lifecycle policy.
    LifecyclePolicyNotFound,
    /// There is no preview of a lifecycle policy.
    LifecyclePolicyPreviewNotFound,
    /// A preview is being made.
    LifecyclePolicyPreviewInProgress,
    /// There is no such replication backfill.
    BackfillNotFound,
    /// A replication backfill to this region goes on.
    BackfillInProgress,
    /// The replication backfill has ended.
    BackfillInvalidStatus,
    /// A message about a denial is not one of ours, or too old.
    InvalidAuthorizationMessage,
    /// The registry has no signing configuration.
    SigningConfigurationNotFound,
    /// What is named is not in a state that allows this.
    InvalidState,
    /// There is no such job.
    JobNotFound,
    /// IAM has nothing of this name.
    NoSuchEntity,
    /// IAM has something of this name already.
    EntityAlreadyExists,
    /// Something still uses what shall be deleted.
    DeleteConflict,
    /// A policy document is not one.
    MalformedPolicyDocument,
    /// A value is not one that IAM takes.
    InvalidInput,
    /// The caller is not of the kind that may ask this.
    InvalidUserType,
    /// A password is too weak.
    PasswordPolicyViolation,
    /// Policies and tags of a session are too large together.
    PackedPolicyTooLarge,
    /// A token of an identity provider is not one, or not for us.
    InvalidIdentityToken,
    /// A token of an identity provider has expired.
    IdentityTokenExpired,
    /// An identity provider does not answer.
    IdentityProviderUnreachable,
    /// Tonnage does not do this.
    Unsupported,
    /// The disk or the quota is full.
    StorageFull,
    /// The account calls too often; trying again after a second helps.
    Throttled,
    /// The source has had all the bytes that it may have this month.
    DataLimitExceeded,
    /// Not now; trying again may help.
    Unavailable,
    /// A defect or damage; the operator's log says more.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 87] = [
        Self::Unauthenticated,
        Self::TokenExpired,
        Self::TokenInvalid,
        Self::AccessDenied,
        Self::InvalidParameter,
        Self::InvalidTagParameter,
        Self::TooManyTags,
        Self::LimitExceeded,
        Self::RepositoryAlreadyExists,
        Self::RepositoryNotFound,
        Self::RepositoryPolicyNotFound,
        Self::RegistryPolicyNotFound,
        Self::RegistryNotFound,
        Self::RepositoryNotEmpty,
        Self::ImageNotFound,
        Self::ImageAlreadyExists,
        Self::ImageTagAlreadyExists,
        Self::TagMoved,
        Self::ImageDigestDoesNotMatch,
        Self::ImageReferencedByManifestList,
        Self::ImageStorageClassUpdateNotSupported,
        Self::ImageArchived,
        Self::UnsupportedImageType,
        Self::ScanNotFound,
        Self::ScanningUnavailable,
        Self::ManifestInvalid,
        Self::ManifestTooLarge,
        Self::LayersNotFound,
        Self::ReferencedImagesNotFound,
        Self::BlobNotFound,
        Self::BlobReferenced,
        Self::LayerAlreadyExists,
        Self::LayerInaccessible,
        Self::InvalidLayer,
        Self::InvalidLayerPart,
        Self::LayerPartTooSmall,
        Self::EmptyUpload,
        Self::UploadNotFound,
        Self::BodyIncomplete,
        Self::UploadBusy,
        Self::NameInvalid,
        Self::DigestInvalid,
        Self::TemplateAlreadyExists,
        Self::TemplateNotFound,
        Self::PullThroughCacheRuleAlreadyExists,
        Self::PullThroughCacheRuleNotFound,
        Self::UnsupportedUpstreamRegistry,
        Self::CredentialNotFound,
        Self::CredentialInaccessible,
        Self::CredentialUnreadable,
        Self::UpstreamAccessDenied,
        Self::UpstreamTooManyRequests,
        Self::UpstreamUnavailable,
        Self::UnableToGetUpstreamImage,
        Self::UnableToGetUpstreamLayer,
        Self::RepositoryIsCache,
        Self::ExclusionAlreadyExists,
        Self::ExclusionNotFound,
        Self::AccountAlreadyExists,
        Self::AccountNotFound,
        Self::LifecyclePolicyNotFound,
        Self::LifecyclePolicyPreviewNotFound,
        Self::LifecyclePolicyPreviewInProgress,
        Self::BackfillNotFound,
        Self::BackfillInProgress,
        Self::BackfillInvalidStatus,
        Self::InvalidAuthorizationMessage,
        Self::SigningConfigurationNotFound,
        Self::InvalidState,
        Self::JobNotFound,
        Self::NoSuchEntity,
        Self::EntityAlreadyExists,
        Self::DeleteConflict,
        Self::MalformedPolicyDocument,
        Self::InvalidInput,
        Self::InvalidUserType,
        Self::PasswordPolicyViolation,
        Self::PackedPolicyTooLarge,
        Self::InvalidIdentityToken,
        Self::IdentityTokenExpired,
        Self::IdentityProviderUnreachable,
        Self::Unsupported,
        Self::StorageFull,
        Self::Throttled,
        Self::DataLimitExceeded,
        Self::Unavailable,
        Self::Internal,
    ];
}

/// A failed operation.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    detail: Option<Box<Detail>>,
    denied: Option<Box<Denied>>,
    upstream: Option<Upstream>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Why an upstream registry may have what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// An image that was imported refers to it.
    Expected,
    /// A rule covers its name.
    Possible,
}

/// Members that some errors carry beside their message (`InvalidLayerPartException` in botocore's
/// `ecr` model), and what an upload's `Range` header says after a refused part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The account of the repository's registry.
    pub account: AccountId,
    /// The repository.
    pub repository_name: String,
    /// The upload.
    pub upload_id: String,
    /// How many bytes the upload has received.
    pub received: u64,
}

impl Error {
    /// An error whose message the client may read.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: None,
            denied: None,
            upstream: None,
            source: None,
        }
    }

    /// A defect or damage: the client learns nothing of it, the operator everything.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            ErrorKind::Internal,
            "The request failed because of an internal error; the server's log says more.",
        )
        .caused_by(source)
    }

    /// A parameter that violates a constraint, in ECR's words.
    pub fn invalid_parameter(field: &str, constraint: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::InvalidParameter,
            format!("Invalid parameter at '{field}' failed to satisfy constraint: '{constraint}'"),
        )
    }

    /// Whether what was to be read may be whole all the same: the store failed, and did not say that
    /// the bytes are not there or not right.
    pub(crate) fn is_passing(&self) -> bool {
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            if let Some(object) = source.downcast_ref::<ObjectError>() {
                return object.kind() != ObjectErrorKind::NotFound;
            }
            if source.is::<MetadataError>() {
                return true;
            }
            next = source.source();
        }
        false
    }

    /// Adds what only the operator may know.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds members beside the message.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.detail = Some(Box::new(detail));
        self
    }

    /// Adds what `DecodeAuthorizationMessage` tells of a denial.
    #[must_use]
    pub(crate) fn with_denied(mut self, denied: Box<Denied>) -> Self {
        self.denied = Some(denied);
        self
    }

    /// What is missing may be in an upstream registry.
    #[must_use]
    pub(crate) fn in_upstream(mut self, upstream: Option<Upstream>) -> Self {
        self.upstream = upstream;
        self
    }

    /// Whether what is missing may be in an upstream registry.
    pub(crate) fn upstream(&self) -> Option<Upstream> {
        self.upstream
    }

    /// What `DecodeAuthorizationMessage` tells of a denial.
    pub fn denied(&self) -> Option<&Denied> {
        self.denied.as_deref()
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The text for the client.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Members beside the message.
    pub fn detail(&self) -> Option<&Detail> {
        self.detail.as_deref()
    }

    /// Whether the operator should look: the client did nothing wrong.
    pub fn is_fault(&self) -> bool {
        matches!(self.kind, ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::StorageFull)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

const FULL: &str = "There is no space left on the server; nothing was stored. Ask its operator to \
                    free space, then try again.";
const UNAVAILABLE: &str = "The server is too busy or its storage is unavailable; try again.";

impl From<MetadataError> for Error {
    fn from(source: MetadataError) -> Self {
        match source.kind() {
            MetadataErrorKind::Full => Self::new(ErrorKind::StorageFull, FULL).caused_by(source),
            MetadataErrorKind::Unavailable => {
                Self::new(ErrorKind::Unavailable, UNAVAILABLE).caused_by(source)
            }
            MetadataErrorKind::Duplicate
            | MetadataErrorKind::Constraint
            | MetadataErrorKind::Corrupt
            | MetadataErrorKind::NotRemembered
            | MetadataErrorKind::Other => Self::internal(source),
        }
    }
}

impl From<ObjectError> for Error {
    fn from(source: ObjectError) -> Self {
        match source.kind() {
            ObjectErrorKind::Full => Self::new(ErrorKind::StorageFull, FULL).caused_by(source),
            ObjectErrorKind::NotFound | ObjectErrorKind::Other => Self::internal(source),
        }
    }
}

/// An error and all its sources on one line, for logs.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_listed_in_order() {
        for (index, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
        // The last of the declaration.
        assert_eq!(ErrorKind::ALL.last(), Some(&ErrorKind::Internal));
    }
}
