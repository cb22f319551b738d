//! Which class of rows each operation writes: what decides which races it can lose.

use tonnage_domain::execute::{Entry, Service};

/// A class of rows that are read, decided on and written in the same way. One race for each is
/// enough to see that its transactions check what they decided from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Account,
    AccountLimit,
    AccountSetting,
    Backfill,
    /// Blobs of a repository: mounted, deleted.
    BlobEdge,
    Collection,
    /// Rules over findings.
    FindingFilter,
    /// Users, groups, roles and what hangs from them.
    Identity,
    /// Manifests, their edges and their tags.
    Image,
    ImageShare,
    Job,
    LifecyclePolicy,
    PullThroughRule,
    /// Aliases of public registries.
    PublicAlias,
    /// What is shown of public repositories.
    PublicCatalogData,
    PullTimeExclusion,
    RegistryDocument,
    RegistryPolicy,
    /// What is queued for destinations.
    ReplicationQueue,
    Repository,
    RepositoryPolicy,
    ResourceTag,
    Scrub,
    /// Secrets, their versions and their labels.
    Secret,
    SigningProfile,
    Template,
    /// The keys that tokens are signed with.
    TokenKey,
    Upload,
}

impl Class {
    pub(super) const ALL: &[Self] = &[
        Self::Account,
        Self::AccountLimit,
        Self::AccountSetting,
        Self::Backfill,
        Self::BlobEdge,
        Self::Collection,
        Self::FindingFilter,
        Self::Identity,
        Self::Image,
        Self::ImageShare,
        Self::Job,
        Self::LifecyclePolicy,
        Self::PullThroughRule,
        Self::PublicAlias,
        Self::PublicCatalogData,
        Self::PullTimeExclusion,
        Self::RegistryDocument,
        Self::RegistryPolicy,
        Self::ReplicationQueue,
        Self::Repository,
        Self::RepositoryPolicy,
        Self::ResourceTag,
        Self::Scrub,
        Self::Secret,
        Self::SigningProfile,
        Self::Template,
        Self::TokenKey,
        Self::Upload,
    ];
}

/// What an operation does to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// Nothing but what every request may write, such as the time of an access.
    Nothing,
    Rows(Class),
}

/// `None` for an operation that nobody has put into a class.
pub(super) fn writes(entry: Entry) -> Option<Writes> {
    if entry.service == Service::SecretsManager {
        return of_secrets_manager(entry.name);
    }
    if entry.service == Service::Inspector2 {
        return Some(match entry.name {
            "CreateFilter" | "DeleteFilter" | "TagResource" | "UntagResource" | "UpdateFilter" => {
                Writes::Rows(Class::FindingFilter)
            }
            "BatchGetAccountStatus"
            | "BatchGetFindingDetails"
            | "ListCoverage"
            | "ListCoverageStatistics"
            | "ListFilters"
            | "ListFindingAggregations"
            | "ListFindings"
            | "ListTagsForResource" => Writes::Nothing,
            _ => return None,
        });
    }
    let class = match entry.name {
        "AssumeRole"
        | "AssumeRoleWithWebIdentity"
        | "GetFederationToken"
        | "GetSessionToken"
        | "GetAuthorizationToken"
        | "GetDownloadUrlForLayer" => Class::TokenKey,
        "CreateImageShare" | "RevokeImageShare" => Class::ImageShare,
        "CreateAccount" | "SetAccountState" => Class::Account,
        "DeleteAccountLimit" | "PutAccountLimit" => Class::AccountLimit,
        "PutAccountSetting" => Class::AccountSetting,
        "DeleteBlob" | "MountLayer" => Class::BlobEdge,
        "RunGarbageCollection" => Class::Collection,
        "ActivateImage"
        | "ArchiveReferrers"
        | "AttachImageSbom"
        | "AttachSignature"
        | "BatchDeleteImage"
        | "DeleteManifest"
        | "ExpireImages"
        | "ExpireReferrers"
        | "ImportUpstreamImage"
        | "IndexImageLayers"
        | "ImportUpstreamReferrers"
        | "MarkImageComplete"
        | "PutImage"
        | "ReplicateDeletion"
        | "ReplicateImage"
        | "StartImageScan"
        | "UpdateImageStorageClass" => Class::Image,
        "RetryReplication" => Class::ReplicationQueue,
        "StartReplicationBackfill" | "StopReplicationBackfill" => Class::Backfill,
        "CancelJob" | "RetryJob" | "SyncAdvisories" => Class::Job,
        "DeleteLifecyclePolicy" | "PutLifecyclePolicy" | "StartLifecyclePolicyPreview" => {
            Class::LifecyclePolicy
        }
        "CreatePullThroughCacheRule"
        | "DeletePullThroughCacheRule"
        | "UpdatePullThroughCacheRule" => Class::PullThroughRule,
        "DeregisterPullTimeUpdateExclusion" | "RegisterPullTimeUpdateExclusion" => {
            Class::PullTimeExclusion
        }
        "DeleteSigningConfiguration"
        | "PutRegistryCatalogData"
        | "PutRegistryScanningConfiguration"
        | "PutReplicationConfiguration"
        | "PutReplicationRefinements"
        | "PutSbomConfiguration"
        | "PutSigningConfiguration"
        | "DecidePublicDomain"
        | "ProvePublicDomain"
        | "RemovePublicDomain"
        | "VerifyPublicRegistry" => Class::RegistryDocument,
        "DeleteVexDocument" | "PutVexDocument" => Class::FindingFilter,
        "DecidePublicAlias" | "RequestPublicAlias" | "SetPrimaryPublicAlias" => Class::PublicAlias,
        "PutRepositoryCatalogData" => Class::PublicCatalogData,
        "DeleteRegistryPolicy" | "PutRegistryPolicy" => Class::RegistryPolicy,
        "CreateRepository"
        | "DeleteRepository"
        | "PutImageScanningConfiguration"
        | "PutImageTagMutability"
        | "PutPublicRepositorySettings"
        | "PutSparseManifests"
        | "RenameRepository" => Class::Repository,
        "DeleteRepositoryPolicy" | "SetRepositoryPolicy" => Class::RepositoryPolicy,
        "ReplicateSetting" | "TagResource" | "UntagResource" => Class::ResourceTag,
        "PutSigningProfile" => Class::SigningProfile,
        "StartScrub" => Class::Scrub,
        "CreateRepositoryCreationTemplate"
        | "DeleteRepositoryCreationTemplate"
        | "UpdateRepositoryCreationTemplate" => Class::Template,
        "CancelUpload"
        | "CompleteLayerUpload"
        | "InitiateLayerUpload"
        | "ImportUpstreamLayer"
        | "ReplicateLayer"
        | "UploadLayerPart" => Class::Upload,
        "BatchCheckLayerAvailability"
        | "BatchGetImage"
        | "CreateBackup"
        | "BatchGetRepositoryScanningConfiguration"
        | "DecodeAuthorizationMessage"
        | "DescribeGarbageCollection"
        | "DescribeImageReplicationStatus"
        | "DescribeFindingOrigins"
        | "DescribeImageScanFindings"
        | "DescribeImageSigningStatus"
        | "DescribeImageTags"
        | "DescribeImages"
        | "DescribeJob"
        | "DescribePullThroughCacheRules"
        | "DescribeRegistries"
        | "DescribeRegistry"
        | "DescribeActivity"
        | "DescribeReplication"
        | "DescribeReplicationMatrix"
        | "DescribeReplicationBackfillResults"
        | "DescribeRepositories"
        | "DescribeRepositoryCreationTemplates"
        | "DescribeScrub"
        | "DescribeStorage"
        | "DescribeUpload"
        | "BrowseGallery"
        | "ExplainPolicy"
        | "DescribeImageContent"
        | "LookupEvents"
        | "SearchEvents"
        | "SearchGallery"
        | "SearchImages"
        | "SearchRepositories"
        | "SummarizeRegistry"
        | "ViewImage"
        | "ViewPublisher"
        | "ViewRepository"
        | "FindImages"
        | "FindMirror"
        | "GetAccessKeyInfo"
        | "GetAccountLimit"
        | "GetAccountSetting"
        | "GetBlob"
        | "GetCallerIdentity"
        | "GetLifecyclePolicy"
        | "GetLifecyclePolicyPreview"
        | "GetManifest"
        | "GetPublicRepositorySettings"
        | "ListImageShares"
        | "ListPublicDomains"
        | "GetPullStatistics"
        | "GetRegistryCatalogData"
        | "GetRegistryPolicy"
        | "GetRegistryScanningConfiguration"
        | "GetReplicationRefinements"
        | "GetRepositoryCatalogData"
        | "GetRepositoryLogo"
        | "GetRepositoryPolicy"
        | "GetSigningConfiguration"
        | "GetSigningProfile"
        | "HeadBlob"
        | "ListAccounts"
        | "ListAdvisorySources"
        | "ListScanners"
        | "TestScanner"
        | "ListCatalog"
        | "GetImageSbom"
        | "GetSbomConfiguration"
        | "GetVexDocument"
        | "ListVexDocuments"
        | "ListImageReferrers"
        | "ListImages"
        | "ListJobs"
        | "ListPublicAliases"
        | "ListPullTimeUpdateExclusions"
        | "ListReplicationBackfills"
        | "ListReplications"
        | "ListSigningProfiles"
        | "ListTagHistory"
        | "ListTags"
        | "ListTagsForResource"
        | "ValidatePullThroughCacheRule" => return Some(Writes::Nothing),
        name if entry.service == Service::Iam => return of_iam(name),
        _ => return None,
    };
    Some(Writes::Rows(class))
}

fn of_secrets_manager(name: &str) -> Option<Writes> {
    match name {
        "CreateSecret"
        | "DeleteSecret"
        | "PutSecretValue"
        | "RestoreSecret"
        | "TagResource"
        | "UntagResource"
        | "UpdateSecret"
        | "UpdateSecretVersionStage" => Some(Writes::Rows(Class::Secret)),
        // There is no policy to be deleted.
        "DeleteResourcePolicy"
        | "DescribeSecret"
        | "GetResourcePolicy"
        | "GetSecretValue"
        | "ListSecretVersionIds"
        | "ListSecrets" => Some(Writes::Nothing),
        _ => None,
    }
}

/// AWS names each operation of IAM by a verb that says whether it writes.
fn of_iam(name: &str) -> Option<Writes> {
    const READ: &[&str] = &["Get", "List", "Simulate"];
    const WRITE: &[&str] = &[
        "Add", "Attach", "Change", "Create", "Delete", "Detach", "Put", "Remove", "Set", "Tag",
        "Untag", "Update",
    ];
    let any = |verbs: &[&str]| verbs.iter().any(|verb| name.starts_with(verb));
    match (any(READ), any(WRITE)) {
        (true, _) => Some(Writes::Nothing),
        (_, true) => Some(Writes::Rows(Class::Identity)),
        _ => None,
    }
}
