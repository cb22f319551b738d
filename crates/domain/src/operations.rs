//! The table of operations: every operation there is, once.

use crate::accounts::{CreateAccount, ListAccounts, SetAccountState};
use crate::advisories::operations::{ListAdvisorySources, SyncAdvisories};
use crate::archive::restore_image::ActivateImage;
use crate::archive::update_image_storage_class::UpdateImageStorageClass;
use crate::audit::lookup_events::LookupEvents;
use crate::backup::operations::CreateBackup;
use crate::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use crate::blobs::delete_blob::DeleteBlob;
use crate::blobs::get_blob::{GetBlob, HeadBlob};
use crate::blobs::get_download_url_for_layer::GetDownloadUrlForLayer;
use crate::events::search_events::SearchEvents;
use crate::execute::{Entry, Operation};
use crate::gallery::get_pull_statistics::GetPullStatistics;
use crate::gallery::listings::BrowseGallery;
use crate::gallery::search::SearchGallery;
use crate::gallery::view_image::ViewImage;
use crate::gallery::view_publisher::ViewPublisher;
use crate::gallery::view_repository::ViewRepository;
use crate::gc::operations::{DescribeGarbageCollection, RunGarbageCollection};
use crate::identities::access_keys::operations::{
    CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, ListAccessKeys, UpdateAccessKey,
};
use crate::identities::account::{
    CreateAccountAlias, DeleteAccountAlias, GetAccountAuthorizationDetails, GetAccountSummary,
    ListAccountAliases,
};
use crate::identities::attachments::{
    AttachPolicy, DeletePermissionsBoundary, DetachPolicy, ListAttachedPolicies,
    ListEntitiesForPolicy, PutPermissionsBoundary,
};
use crate::identities::entities::tags::{self, ListTags as ListEntityTags, Tag, Untag};
use crate::identities::get_authorization_token::GetAuthorizationToken;
use crate::identities::get_caller_identity::GetCallerIdentity;
use crate::identities::groups::{
    AddUserToGroup, CreateGroup, DeleteGroup, GetGroup, ListGroups, ListGroupsForUser,
    RemoveUserFromGroup, UpdateGroup,
};
use crate::identities::inline_policies::{self as inline, Group, Role, User};
use crate::identities::instance_profiles::{
    AddRoleToInstanceProfile, CreateInstanceProfile, DeleteInstanceProfile, GetInstanceProfile,
    ListInstanceProfiles, ListInstanceProfilesForRole, RemoveRoleFromInstanceProfile,
};
use crate::identities::login_profiles::{
    ChangePassword, CreateLoginProfile, DeleteLoginProfile, GetLoginProfile, UpdateLoginProfile,
};
use crate::identities::oidc_providers::{
    AddClientIdToOpenIdConnectProvider, CreateOpenIdConnectProvider, DeleteOpenIdConnectProvider,
    GetOpenIdConnectProvider, ListOpenIdConnectProviders, RemoveClientIdFromOpenIdConnectProvider,
    UpdateOpenIdConnectProviderThumbprint,
};
use crate::identities::policies::versions::{
    CreatePolicyVersion, DeletePolicyVersion, GetPolicyVersion, ListPolicyVersions,
    SetDefaultPolicyVersion,
};
use crate::identities::policies::{CreatePolicy, DeletePolicy, GetPolicy, ListPolicies};
use crate::identities::roles::{
    CreateRole, DeleteRole, GetRole, ListRoles, UpdateAssumeRolePolicy, UpdateRole,
    UpdateRoleDescription,
};
use crate::identities::sessions::assume_role::AssumeRole;
use crate::identities::sessions::assume_role_with_web_identity::AssumeRoleWithWebIdentity;
use crate::identities::sessions::decode_authorization_message::DecodeAuthorizationMessage;
use crate::identities::sessions::get_access_key_info::GetAccessKeyInfo;
use crate::identities::sessions::get_federation_token::GetFederationToken;
use crate::identities::sessions::get_session_token::GetSessionToken;
use crate::identities::simulation::{SimulateCustomPolicy, SimulatePrincipalPolicy};
use crate::identities::users::{
    self, CreateUser, DeleteUser, GetUser, ListCredentials, ListUsers, UpdateUser,
};
use crate::image_shares::operations::{CreateImageShare, ListImageShares, RevokeImageShare};
use crate::images::batch_delete_image::BatchDeleteImage;
use crate::images::batch_get_image::BatchGetImage;
use crate::images::delete_manifest::DeleteManifest;
use crate::images::describe_image_tags::DescribeImageTags;
use crate::images::describe_images::DescribeImages;
use crate::images::get_manifest::GetManifest;
use crate::images::list_image_referrers::ListImageReferrers;
use crate::images::list_images::ListImages;
use crate::images::list_tag_history::ListTagHistory;
use crate::images::list_tags::ListTags;
use crate::images::put_image::PutImage;
use crate::inspector::account_status::BatchGetAccountStatus;
use crate::inspector::aggregations::ListFindingAggregations;
use crate::inspector::coverage::{ListCoverage, ListCoverageStatistics};
use crate::inspector::filters::{
    CreateFilter, DeleteFilter, ListFilterTags, ListFilters, TagFilter, UntagFilter, UpdateFilter,
};
use crate::inspector::finding_details::BatchGetFindingDetails;
use crate::inspector::list_findings::ListFindings;
use crate::jobs::operations::{CancelJob, DescribeJob, ListJobs, RetryJob};
use crate::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use crate::lifecycle::expire::{ArchiveReferrers, ExpireImages, ExpireReferrers};
use crate::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use crate::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, StartLifecyclePolicyPreview,
};
use crate::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use crate::overview::describe_activity::DescribeActivity;
use crate::overview::describe_image_content::DescribeImageContent;
use crate::overview::describe_storage::DescribeStorage;
use crate::overview::search_images::SearchImages;
use crate::overview::search_repositories::SearchRepositories;
use crate::overview::summarize_registry::SummarizeRegistry;
use crate::policies::account_limit::{DeleteAccountLimit, GetAccountLimit, PutAccountLimit};
use crate::policies::explain::ExplainPolicy;
use crate::policies::registry_policy::{
    DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy,
};
use crate::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};
use crate::public::aliases::operations::{
    DecidePublicAlias, ListPublicAliases, RequestPublicAlias, SetPrimaryPublicAlias,
    VerifyPublicRegistry,
};
use crate::public::authorization::GetPublicAuthorizationToken;
use crate::public::catalog::operations::{
    GetRepositoryCatalogData, GetRepositoryLogo, PutRepositoryCatalogData,
};
use crate::public::create_repository::CreatePublicRepository;
use crate::public::domains::operations::{
    DecidePublicDomain, ListPublicDomains, ProvePublicDomain, RemovePublicDomain,
};
use crate::public::registries::{
    DescribeRegistries, GetRegistryCatalogData, PutRegistryCatalogData,
};
use crate::public::repository_settings::{
    GetPublicRepositorySettings, PutPublicRepositorySettings,
};
use crate::pull_through::complete::MarkImageComplete;
use crate::pull_through::create::CreatePullThroughCacheRule;
use crate::pull_through::delete::DeletePullThroughCacheRule;
use crate::pull_through::describe::DescribePullThroughCacheRules;
use crate::pull_through::find_mirror::FindMirror;
use crate::pull_through::import_image::ImportUpstreamImage;
use crate::pull_through::import_layer::ImportUpstreamLayer;
use crate::pull_through::import_referrers::ImportUpstreamReferrers;
use crate::pull_through::update::UpdatePullThroughCacheRule;
use crate::pull_through::validate::ValidatePullThroughCacheRule;
use crate::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};
use crate::registries::account_settings::{GetAccountSetting, PutAccountSetting};
use crate::registries::describe::DescribeRegistry;
use crate::replication::backfills::describe_replication_backfill_results::DescribeReplicationBackfillResults;
use crate::replication::backfills::list_replication_backfills::ListReplicationBackfills;
use crate::replication::backfills::start_replication_backfill::StartReplicationBackfill;
use crate::replication::backfills::stop_replication_backfill::StopReplicationBackfill;
use crate::replication::describe_image_replication_status::DescribeImageReplicationStatus;
use crate::replication::describe_replication::DescribeReplication;
use crate::replication::describe_replication_matrix::DescribeReplicationMatrix;
use crate::replication::list_replications::ListReplications;
use crate::replication::put_replication_configuration::PutReplicationConfiguration;
use crate::replication::refinements::{GetReplicationRefinements, PutReplicationRefinements};
use crate::replication::replicate_deletion::ReplicateDeletion;
use crate::replication::replicate_image::ReplicateImage;
use crate::replication::replicate_layer::ReplicateLayer;
use crate::replication::replicate_setting::ReplicateSetting;
use crate::replication::retry::RetryReplication;
use crate::repositories::create::CreateRepository;
use crate::repositories::delete::DeleteRepository;
use crate::repositories::describe::DescribeRepositories;
use crate::repositories::list_catalog::ListCatalog;
use crate::repositories::put_image_tag_mutability::PutImageTagMutability;
use crate::repositories::put_sparse_manifests::PutSparseManifests;
use crate::repositories::rename::RenameRepository;
use crate::resource_tags::{ListTagsForResource, TagResource, UntagResource};
use crate::scanning::batch_get_repository_scanning_configuration::BatchGetRepositoryScanningConfiguration;
use crate::scanning::describe_finding_origins::DescribeFindingOrigins;
use crate::scanning::describe_image_scan_findings::DescribeImageScanFindings;
use crate::scanning::external::operations::{ListScanners, TestScanner};
use crate::scanning::find_images::FindImages;
use crate::scanning::index_image_layers::IndexImageLayers;
use crate::scanning::put_image_scanning_configuration::PutImageScanningConfiguration;
use crate::scanning::registry_scanning_configuration::{
    GetRegistryScanningConfiguration, PutRegistryScanningConfiguration,
};
use crate::scanning::sboms::attach_image_sbom::AttachImageSbom;
use crate::scanning::sboms::configuration::{GetSbomConfiguration, PutSbomConfiguration};
use crate::scanning::sboms::get_image_sbom::GetImageSbom;
use crate::scanning::start_image_scan::StartImageScan;
use crate::scanning::vex_documents::{
    DeleteVexDocument, GetVexDocument, ListVexDocuments, PutVexDocument,
};
use crate::scrub::operations::{DescribeScrub, StartScrub};
use crate::secrets::create_secret::CreateSecret;
use crate::secrets::delete_secret::DeleteSecret;
use crate::secrets::describe_secret::DescribeSecret;
use crate::secrets::get_secret_value::GetSecretValue;
use crate::secrets::list_secret_version_ids::ListSecretVersionIds;
use crate::secrets::list_secrets::ListSecrets;
use crate::secrets::put_secret_value::PutSecretValue;
use crate::secrets::resource_policy::{DeleteSecretPolicy, GetSecretPolicy};
use crate::secrets::restore_secret::RestoreSecret;
use crate::secrets::tags::{TagSecret, UntagSecret};
use crate::secrets::update_secret::UpdateSecret;
use crate::secrets::update_secret_version_stage::UpdateSecretVersionStage;
use crate::signing::delete_signing_configuration::DeleteSigningConfiguration;
use crate::signing::describe_image_signing_status::DescribeImageSigningStatus;
use crate::signing::get_signing_configuration::GetSigningConfiguration;
use crate::signing::profiles::get_signing_profile::GetSigningProfile;
use crate::signing::profiles::list_signing_profiles::ListSigningProfiles;
use crate::signing::profiles::put_signing_profile::PutSigningProfile;
use crate::signing::put_signing_configuration::PutSigningConfiguration;
use crate::signing::sign_image::AttachSignature;
use crate::templates::create::CreateRepositoryCreationTemplate;
use crate::templates::delete::DeleteRepositoryCreationTemplate;
use crate::templates::describe::DescribeRepositoryCreationTemplates;
use crate::templates::update::UpdateRepositoryCreationTemplate;
use crate::uploads::append::UploadLayerPart;
use crate::uploads::cancel::CancelUpload;
use crate::uploads::describe::DescribeUpload;
use crate::uploads::finish::CompleteLayerUpload;
use crate::uploads::initiate::InitiateLayerUpload;
use crate::uploads::mount::MountLayer;

/// Every operation, by service and name.
pub const OPERATIONS: &[Entry] = &[
    LookupEvents::ENTRY,
    BatchCheckLayerAvailability::ENTRY,
    BatchDeleteImage::ENTRY,
    BatchGetImage::ENTRY,
    BatchGetRepositoryScanningConfiguration::ENTRY,
    CompleteLayerUpload::ENTRY,
    CreatePullThroughCacheRule::ENTRY,
    CreateRepository::ENTRY,
    CreateRepositoryCreationTemplate::ENTRY,
    DeleteLifecyclePolicy::ENTRY,
    DeletePullThroughCacheRule::ENTRY,
    DeleteRegistryPolicy::ENTRY,
    DeleteRepository::ENTRY,
    DeleteRepositoryCreationTemplate::ENTRY,
    DeleteRepositoryPolicy::ENTRY,
    DeleteSigningConfiguration::ENTRY,
    DeregisterPullTimeUpdateExclusion::ENTRY,
    DescribeImageReplicationStatus::ENTRY,
    DescribeImageScanFindings::ENTRY,
    DescribeImageSigningStatus::ENTRY,
    DescribeImages::ENTRY,
    DescribePullThroughCacheRules::ENTRY,
    DescribeRegistry::ENTRY,
    DescribeReplicationBackfillResults::ENTRY,
    DescribeRepositories::ENTRY,
    DescribeRepositoryCreationTemplates::ENTRY,
    GetAccountSetting::ENTRY,
    GetAuthorizationToken::ENTRY,
    GetDownloadUrlForLayer::ENTRY,
    GetLifecyclePolicy::ENTRY,
    GetLifecyclePolicyPreview::ENTRY,
    GetRegistryPolicy::ENTRY,
    GetRegistryScanningConfiguration::ENTRY,
    GetRepositoryPolicy::ENTRY,
    GetSigningConfiguration::ENTRY,
    InitiateLayerUpload::ENTRY,
    ListImageReferrers::ENTRY,
    ListImages::ENTRY,
    ListPullTimeUpdateExclusions::ENTRY,
    ListReplicationBackfills::ENTRY,
    ListTagsForResource::ENTRY,
    PutAccountSetting::ENTRY,
    PutImage::ENTRY,
    PutImageScanningConfiguration::ENTRY,
    PutImageTagMutability::ENTRY,
    PutLifecyclePolicy::ENTRY,
    PutRegistryPolicy::ENTRY,
    PutRegistryScanningConfiguration::ENTRY,
    PutReplicationConfiguration::ENTRY,
    PutSigningConfiguration::ENTRY,
    RegisterPullTimeUpdateExclusion::ENTRY,
    SetRepositoryPolicy::ENTRY,
    StartImageScan::ENTRY,
    StartLifecyclePolicyPreview::ENTRY,
    StartReplicationBackfill::ENTRY,
    StopReplicationBackfill::ENTRY,
    TagResource::ENTRY,
    UntagResource::ENTRY,
    UpdateImageStorageClass::ENTRY,
    UpdatePullThroughCacheRule::ENTRY,
    UpdateRepositoryCreationTemplate::ENTRY,
    UploadLayerPart::ENTRY,
    ValidatePullThroughCacheRule::ENTRY,
    BatchCheckLayerAvailability::ENTRY.of_public(),
    BatchDeleteImage::ENTRY.of_public(),
    CompleteLayerUpload::ENTRY.of_public(),
    CreatePublicRepository::ENTRY,
    DeleteRepository::ENTRY.of_public(),
    DeleteRepositoryPolicy::ENTRY.of_public(),
    DescribeImageTags::ENTRY,
    DescribeImages::ENTRY.of_public(),
    DescribeRegistries::ENTRY,
    DescribeRepositories::ENTRY.of_public(),
    GetPublicAuthorizationToken::ENTRY,
    GetRegistryCatalogData::ENTRY,
    GetRepositoryCatalogData::ENTRY,
    GetRepositoryPolicy::ENTRY.of_public(),
    InitiateLayerUpload::ENTRY.of_public(),
    ListTagsForResource::ENTRY.of_public(),
    PutImage::ENTRY.of_public(),
    PutRegistryCatalogData::ENTRY,
    PutRepositoryCatalogData::ENTRY,
    SetRepositoryPolicy::ENTRY.of_public(),
    TagResource::ENTRY.of_public(),
    UntagResource::ENTRY.of_public(),
    UploadLayerPart::ENTRY.of_public(),
    AddClientIdToOpenIdConnectProvider::ENTRY,
    AddRoleToInstanceProfile::ENTRY,
    AddUserToGroup::ENTRY,
    AttachPolicy::<Group>::ENTRY,
    AttachPolicy::<Role>::ENTRY,
    AttachPolicy::<User>::ENTRY,
    ChangePassword::ENTRY,
    CreateAccessKey::ENTRY,
    CreateAccountAlias::ENTRY,
    CreateGroup::ENTRY,
    CreateInstanceProfile::ENTRY,
    CreateLoginProfile::ENTRY,
    CreateOpenIdConnectProvider::ENTRY,
    CreatePolicy::ENTRY,
    CreatePolicyVersion::ENTRY,
    CreateRole::ENTRY,
    CreateUser::ENTRY,
    DeleteAccessKey::ENTRY,
    DeleteAccountAlias::ENTRY,
    DeleteGroup::ENTRY,
    inline::DeletePolicy::<Group>::ENTRY,
    DeleteInstanceProfile::ENTRY,
    DeleteLoginProfile::ENTRY,
    DeleteOpenIdConnectProvider::ENTRY,
    DeletePolicy::ENTRY,
    DeletePolicyVersion::ENTRY,
    DeleteRole::ENTRY,
    DeletePermissionsBoundary::<Role>::ENTRY,
    inline::DeletePolicy::<Role>::ENTRY,
    DeleteUser::ENTRY,
    DeletePermissionsBoundary::<User>::ENTRY,
    inline::DeletePolicy::<User>::ENTRY,
    DetachPolicy::<Group>::ENTRY,
    DetachPolicy::<Role>::ENTRY,
    DetachPolicy::<User>::ENTRY,
    GetAccessKeyLastUsed::ENTRY,
    GetAccountAuthorizationDetails::ENTRY,
    GetAccountSummary::ENTRY,
    GetGroup::ENTRY,
    inline::GetPolicy::<Group>::ENTRY,
    GetInstanceProfile::ENTRY,
    GetLoginProfile::ENTRY,
    GetOpenIdConnectProvider::ENTRY,
    GetPolicy::ENTRY,
    GetPolicyVersion::ENTRY,
    GetRole::ENTRY,
    inline::GetPolicy::<Role>::ENTRY,
    GetUser::ENTRY,
    inline::GetPolicy::<User>::ENTRY,
    ListAccessKeys::ENTRY,
    ListAccountAliases::ENTRY,
    ListAttachedPolicies::<Group>::ENTRY,
    ListAttachedPolicies::<Role>::ENTRY,
    ListAttachedPolicies::<User>::ENTRY,
    ListEntitiesForPolicy::ENTRY,
    inline::ListPolicies::<Group>::ENTRY,
    ListGroups::ENTRY,
    ListGroupsForUser::ENTRY,
    ListEntityTags::<tags::InstanceProfile>::ENTRY,
    ListInstanceProfiles::ENTRY,
    ListInstanceProfilesForRole::ENTRY,
    ListCredentials::<users::MfaDevice>::ENTRY,
    ListEntityTags::<tags::OidcProvider>::ENTRY,
    ListOpenIdConnectProviders::ENTRY,
    ListPolicies::ENTRY,
    ListEntityTags::<tags::Policy>::ENTRY,
    ListPolicyVersions::ENTRY,
    inline::ListPolicies::<Role>::ENTRY,
    ListEntityTags::<tags::Role>::ENTRY,
    ListRoles::ENTRY,
    ListCredentials::<users::SshPublicKey>::ENTRY,
    ListCredentials::<users::ServiceSpecificCredential>::ENTRY,
    ListCredentials::<users::SigningCertificate>::ENTRY,
    inline::ListPolicies::<User>::ENTRY,
    ListEntityTags::<tags::User>::ENTRY,
    ListUsers::ENTRY,
    ListCredentials::<users::VirtualMfaDevice>::ENTRY,
    inline::PutPolicy::<Group>::ENTRY,
    PutPermissionsBoundary::<Role>::ENTRY,
    inline::PutPolicy::<Role>::ENTRY,
    PutPermissionsBoundary::<User>::ENTRY,
    inline::PutPolicy::<User>::ENTRY,
    RemoveClientIdFromOpenIdConnectProvider::ENTRY,
    RemoveRoleFromInstanceProfile::ENTRY,
    RemoveUserFromGroup::ENTRY,
    SetDefaultPolicyVersion::ENTRY,
    SimulateCustomPolicy::ENTRY,
    SimulatePrincipalPolicy::ENTRY,
    Tag::<tags::InstanceProfile>::ENTRY,
    Tag::<tags::OidcProvider>::ENTRY,
    Tag::<tags::Policy>::ENTRY,
    Tag::<tags::Role>::ENTRY,
    Tag::<tags::User>::ENTRY,
    Untag::<tags::InstanceProfile>::ENTRY,
    Untag::<tags::OidcProvider>::ENTRY,
    Untag::<tags::Policy>::ENTRY,
    Untag::<tags::Role>::ENTRY,
    Untag::<tags::User>::ENTRY,
    UpdateAccessKey::ENTRY,
    UpdateAssumeRolePolicy::ENTRY,
    UpdateGroup::ENTRY,
    UpdateLoginProfile::ENTRY,
    UpdateOpenIdConnectProviderThumbprint::ENTRY,
    UpdateRole::ENTRY,
    UpdateRoleDescription::ENTRY,
    UpdateUser::ENTRY,
    BatchGetAccountStatus::ENTRY,
    BatchGetFindingDetails::ENTRY,
    CreateFilter::ENTRY,
    DeleteFilter::ENTRY,
    ListCoverage::ENTRY,
    ListCoverageStatistics::ENTRY,
    ListFilters::ENTRY,
    ListFindingAggregations::ENTRY,
    ListFindings::ENTRY,
    ListFilterTags::ENTRY,
    TagFilter::ENTRY,
    UntagFilter::ENTRY,
    UpdateFilter::ENTRY,
    CreateSecret::ENTRY,
    DeleteSecretPolicy::ENTRY,
    DeleteSecret::ENTRY,
    DescribeSecret::ENTRY,
    GetSecretPolicy::ENTRY,
    GetSecretValue::ENTRY,
    ListSecretVersionIds::ENTRY,
    ListSecrets::ENTRY,
    PutSecretValue::ENTRY,
    RestoreSecret::ENTRY,
    TagSecret::ENTRY,
    UntagSecret::ENTRY,
    UpdateSecret::ENTRY,
    UpdateSecretVersionStage::ENTRY,
    GetSigningProfile::ENTRY,
    ListSigningProfiles::ENTRY,
    PutSigningProfile::ENTRY,
    AssumeRole::ENTRY,
    AssumeRoleWithWebIdentity::ENTRY,
    DecodeAuthorizationMessage::ENTRY,
    GetAccessKeyInfo::ENTRY,
    GetCallerIdentity::ENTRY,
    ActivateImage::ENTRY,
    ArchiveReferrers::ENTRY,
    AttachImageSbom::ENTRY,
    AttachSignature::ENTRY,
    BrowseGallery::ENTRY,
    CancelJob::ENTRY,
    GetFederationToken::ENTRY,
    GetSessionToken::ENTRY,
    CancelUpload::ENTRY,
    CreateAccount::ENTRY,
    CreateBackup::ENTRY,
    CreateImageShare::ENTRY,
    DeleteBlob::ENTRY,
    DecidePublicAlias::ENTRY,
    DeleteAccountLimit::ENTRY,
    DeleteManifest::ENTRY,
    DescribeActivity::ENTRY,
    DescribeGarbageCollection::ENTRY,
    DescribeJob::ENTRY,
    DescribeReplication::ENTRY,
    DescribeReplicationMatrix::ENTRY,
    DescribeScrub::ENTRY,
    DescribeStorage::ENTRY,
    DecidePublicDomain::ENTRY,
    DescribeImageContent::ENTRY,
    DescribeUpload::ENTRY,
    ExpireImages::ENTRY,
    ExpireReferrers::ENTRY,
    ExplainPolicy::ENTRY,
    FindImages::ENTRY,
    FindMirror::ENTRY,
    GetAccountLimit::ENTRY,
    GetReplicationRefinements::ENTRY,
    GetBlob::ENTRY,
    GetImageSbom::ENTRY,
    GetManifest::ENTRY,
    GetPublicRepositorySettings::ENTRY,
    GetPullStatistics::ENTRY,
    DescribeFindingOrigins::ENTRY,
    GetSbomConfiguration::ENTRY,
    GetVexDocument::ENTRY,
    ListVexDocuments::ENTRY,
    PutVexDocument::ENTRY,
    DeleteVexDocument::ENTRY,
    PutSbomConfiguration::ENTRY,
    GetRepositoryLogo::ENTRY,
    HeadBlob::ENTRY,
    IndexImageLayers::ENTRY,
    ImportUpstreamImage::ENTRY,
    ImportUpstreamLayer::ENTRY,
    ImportUpstreamReferrers::ENTRY,
    ListAccounts::ENTRY,
    ListAdvisorySources::ENTRY,
    ListScanners::ENTRY,
    ListCatalog::ENTRY,
    ListJobs::ENTRY,
    ListReplications::ENTRY,
    ListPublicAliases::ENTRY,
    ListImageShares::ENTRY,
    ListPublicDomains::ENTRY,
    ProvePublicDomain::ENTRY,
    RemovePublicDomain::ENTRY,
    ListTagHistory::ENTRY,
    ListTags::ENTRY,
    MarkImageComplete::ENTRY,
    RenameRepository::ENTRY,
    ReplicateDeletion::ENTRY,
    ReplicateImage::ENTRY,
    ReplicateLayer::ENTRY,
    ReplicateSetting::ENTRY,
    RetryReplication::ENTRY,
    RequestPublicAlias::ENTRY,
    RevokeImageShare::ENTRY,
    RetryJob::ENTRY,
    MountLayer::ENTRY,
    PutAccountLimit::ENTRY,
    PutPublicRepositorySettings::ENTRY,
    PutReplicationRefinements::ENTRY,
    PutSparseManifests::ENTRY,
    RunGarbageCollection::ENTRY,
    SearchEvents::ENTRY,
    SearchGallery::ENTRY,
    SearchImages::ENTRY,
    SearchRepositories::ENTRY,
    SetAccountState::ENTRY,
    SetPrimaryPublicAlias::ENTRY,
    StartScrub::ENTRY,
    SummarizeRegistry::ENTRY,
    SyncAdvisories::ENTRY,
    TestScanner::ENTRY,
    VerifyPublicRegistry::ENTRY,
    ViewImage::ENTRY,
    ViewPublisher::ENTRY,
    ViewRepository::ENTRY,
];
