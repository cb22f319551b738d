//! The table of operations: every operation there is, once.

use crate::accounts::{CreateAccount, ListAccounts, SetAccountState};
use crate::backup::operations::CreateBackup;
use crate::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use crate::blobs::delete_blob::DeleteBlob;
use crate::blobs::get_blob::{GetBlob, HeadBlob};
use crate::blobs::get_download_url_for_layer::GetDownloadUrlForLayer;
use crate::execute::{Entry, Operation};
use crate::gc::operations::{DescribeGarbageCollection, RunGarbageCollection};
use crate::identities::get_authorization_token::GetAuthorizationToken;
use crate::identities::get_caller_identity::GetCallerIdentity;
use crate::images::batch_delete_image::BatchDeleteImage;
use crate::images::batch_get_image::BatchGetImage;
use crate::images::delete_manifest::DeleteManifest;
use crate::images::describe_images::DescribeImages;
use crate::images::get_manifest::GetManifest;
use crate::images::list_image_referrers::ListImageReferrers;
use crate::images::list_images::ListImages;
use crate::images::list_tags::ListTags;
use crate::images::put_image::PutImage;
use crate::jobs::operations::{CancelJob, DescribeJob, ListJobs, RetryJob};
use crate::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use crate::lifecycle::expire::{ExpireImages, ExpireReferrers};
use crate::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use crate::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, StartLifecyclePolicyPreview,
};
use crate::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use crate::policies::account_limit::{DeleteAccountLimit, GetAccountLimit, PutAccountLimit};
use crate::policies::explain::ExplainPolicy;
use crate::policies::registry_policy::{
    DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy,
};
use crate::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};
use crate::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};
use crate::registries::account_settings::{GetAccountSetting, PutAccountSetting};
use crate::registries::describe::DescribeRegistry;
use crate::replication::put_replication_configuration::PutReplicationConfiguration;
use crate::repositories::create::CreateRepository;
use crate::repositories::delete::DeleteRepository;
use crate::repositories::describe::DescribeRepositories;
use crate::repositories::put_image_tag_mutability::PutImageTagMutability;
use crate::resource_tags::{ListTagsForResource, TagResource, UntagResource};
use crate::scanning::batch_get_repository_scanning_configuration::BatchGetRepositoryScanningConfiguration;
use crate::scanning::put_image_scanning_configuration::PutImageScanningConfiguration;
use crate::scanning::registry_scanning_configuration::{
    GetRegistryScanningConfiguration, PutRegistryScanningConfiguration,
};
use crate::scrub::operations::{DescribeScrub, StartScrub};
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
    BatchCheckLayerAvailability::ENTRY,
    BatchDeleteImage::ENTRY,
    BatchGetImage::ENTRY,
    BatchGetRepositoryScanningConfiguration::ENTRY,
    CompleteLayerUpload::ENTRY,
    CreateRepository::ENTRY,
    CreateRepositoryCreationTemplate::ENTRY,
    DeleteLifecyclePolicy::ENTRY,
    DeleteRegistryPolicy::ENTRY,
    DeleteRepository::ENTRY,
    DeleteRepositoryCreationTemplate::ENTRY,
    DeleteRepositoryPolicy::ENTRY,
    DeregisterPullTimeUpdateExclusion::ENTRY,
    DescribeImages::ENTRY,
    DescribeRegistry::ENTRY,
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
    InitiateLayerUpload::ENTRY,
    ListImageReferrers::ENTRY,
    ListImages::ENTRY,
    ListPullTimeUpdateExclusions::ENTRY,
    ListTagsForResource::ENTRY,
    PutAccountSetting::ENTRY,
    PutImage::ENTRY,
    PutImageScanningConfiguration::ENTRY,
    PutImageTagMutability::ENTRY,
    PutLifecyclePolicy::ENTRY,
    PutRegistryPolicy::ENTRY,
    PutRegistryScanningConfiguration::ENTRY,
    PutReplicationConfiguration::ENTRY,
    RegisterPullTimeUpdateExclusion::ENTRY,
    SetRepositoryPolicy::ENTRY,
    StartLifecyclePolicyPreview::ENTRY,
    TagResource::ENTRY,
    UntagResource::ENTRY,
    UpdateRepositoryCreationTemplate::ENTRY,
    UploadLayerPart::ENTRY,
    GetCallerIdentity::ENTRY,
    CancelJob::ENTRY,
    CancelUpload::ENTRY,
    CreateAccount::ENTRY,
    CreateBackup::ENTRY,
    DeleteBlob::ENTRY,
    DeleteAccountLimit::ENTRY,
    DeleteManifest::ENTRY,
    DescribeGarbageCollection::ENTRY,
    DescribeJob::ENTRY,
    DescribeScrub::ENTRY,
    DescribeUpload::ENTRY,
    ExpireImages::ENTRY,
    ExpireReferrers::ENTRY,
    ExplainPolicy::ENTRY,
    GetAccountLimit::ENTRY,
    GetBlob::ENTRY,
    GetManifest::ENTRY,
    HeadBlob::ENTRY,
    ListAccounts::ENTRY,
    ListJobs::ENTRY,
    ListTags::ENTRY,
    RetryJob::ENTRY,
    MountLayer::ENTRY,
    PutAccountLimit::ENTRY,
    RunGarbageCollection::ENTRY,
    SetAccountState::ENTRY,
    StartScrub::ENTRY,
];
