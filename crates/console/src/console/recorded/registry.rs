//! Of registries, their repositories and images, and what the deployment does for them.

use serde_json::{Value, json};
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::audit::lookup_events::LookupEvents;
use tonnage_domain::events::search_events::SearchEvents;
use tonnage_domain::gallery::get_pull_statistics::GetPullStatistics;
use tonnage_domain::gc::operations::DescribeGarbageCollection;
use tonnage_domain::identities::simulation::SimulatePrincipalPolicy;
use tonnage_domain::image_shares::operations::{
    CreateImageShare, ListImageShares, RevokeImageShare,
};
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::list_tag_history::ListTagHistory;
use tonnage_domain::jobs::operations::{CancelJob, DescribeJob, ListJobs, RetryJob};
use tonnage_domain::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, StartLifecyclePolicyPreview,
};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::overview::describe_activity::DescribeActivity;
use tonnage_domain::overview::describe_image_content::DescribeImageContent;
use tonnage_domain::overview::describe_storage::DescribeStorage;
use tonnage_domain::overview::search_images::SearchImages;
use tonnage_domain::overview::search_repositories::SearchRepositories;
use tonnage_domain::overview::summarize_registry::SummarizeRegistry;
use tonnage_domain::policies::explain::ExplainPolicy;
use tonnage_domain::policies::registry_policy::{
    DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy,
};
use tonnage_domain::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, RequestPublicAlias, SetPrimaryPublicAlias,
};
use tonnage_domain::public::catalog::CatalogDataInput;
use tonnage_domain::public::catalog::operations::{
    GetRepositoryCatalogData, GetRepositoryLogo, PutRepositoryCatalogData,
};
use tonnage_domain::public::create_repository::CreatePublicRepository;
use tonnage_domain::public::registries::{
    DescribeRegistries, GetRegistryCatalogData, PutRegistryCatalogData,
};
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;
use tonnage_domain::pull_through::delete::DeletePullThroughCacheRule;
use tonnage_domain::pull_through::describe::DescribePullThroughCacheRules;
use tonnage_domain::pull_through::registries::UpstreamRegistry;
use tonnage_domain::pull_through::update::UpdatePullThroughCacheRule;
use tonnage_domain::pull_through::validate::ValidatePullThroughCacheRule;
use tonnage_domain::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};
use tonnage_domain::registries::account_settings::{GetAccountSetting, PutAccountSetting};
use tonnage_domain::registries::describe::DescribeRegistry;
use tonnage_domain::replication::ReplicationConfiguration;
use tonnage_domain::replication::describe_image_replication_status::DescribeImageReplicationStatus;
use tonnage_domain::replication::describe_replication_matrix::DescribeReplicationMatrix;
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::retry::RetryReplication;
use tonnage_domain::repositories::TagMutabilityRule;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::resource_tags::{ListTagsForResource, ResourceTag, TagResource, UntagResource};
use tonnage_domain::scanning::RegistryScanningConfiguration;
use tonnage_domain::scanning::describe_finding_origins::DescribeFindingOrigins;
use tonnage_domain::scanning::describe_image_scan_findings::DescribeImageScanFindings;
use tonnage_domain::scanning::put_image_scanning_configuration::PutImageScanningConfiguration;
use tonnage_domain::scanning::registry_scanning_configuration::{
    GetRegistryScanningConfiguration, PutRegistryScanningConfiguration,
};
use tonnage_domain::scanning::start_image_scan::StartImageScan;
use tonnage_domain::secrets::create_secret::CreateSecret;
use tonnage_domain::secrets::put_secret_value::PutSecretValue;
use tonnage_domain::signing::configuration::SigningConfiguration;
use tonnage_domain::signing::delete_signing_configuration::DeleteSigningConfiguration;
use tonnage_domain::signing::describe_image_signing_status::DescribeImageSigningStatus;
use tonnage_domain::signing::get_signing_configuration::GetSigningConfiguration;
use tonnage_domain::signing::profiles::list_signing_profiles::ListSigningProfiles;
use tonnage_domain::signing::profiles::put_signing_profile::PutSigningProfile;
use tonnage_domain::signing::put_signing_configuration::PutSigningConfiguration;
use tonnage_domain::templates::AppliedFor;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::delete::DeleteRepositoryCreationTemplate;
use tonnage_domain::templates::describe::DescribeRepositoryCreationTemplates;
use tonnage_domain::templates::update::UpdateRepositoryCreationTemplate;

use super::{Recorded, changes, reads};

reads! {
    DescribeActivity,
    DescribeFindingOrigins,
    DescribeGarbageCollection,
    DescribeImageContent,
    DescribeImageReplicationStatus,
    DescribeImageScanFindings,
    DescribeImageSigningStatus,
    DescribeImages,
    DescribeJob,
    DescribePullThroughCacheRules,
    DescribeRegistries,
    DescribeRegistry,
    DescribeReplicationMatrix,
    DescribeRepositories,
    DescribeRepositoryCreationTemplates,
    DescribeStorage,
    ExplainPolicy,
    GetAccountSetting,
    GetLifecyclePolicy,
    GetLifecyclePolicyPreview,
    GetPullStatistics,
    GetRegistryCatalogData,
    GetRegistryPolicy,
    GetRegistryScanningConfiguration,
    GetRepositoryCatalogData,
    GetRepositoryLogo,
    GetRepositoryPolicy,
    GetSigningConfiguration,
    ListImageShares,
    ListJobs,
    ListPullTimeUpdateExclusions,
    ListSigningProfiles,
    ListTagHistory,
    ListTagsForResource,
    LookupEvents,
    SearchEvents,
    SearchImages,
    SearchRepositories,
    SimulatePrincipalPolicy,
    SummarizeRegistry,
}

changes! {
    BatchDeleteImage: |it| {
        "repositoryName": it.repository.name.as_str(),
        "imageIds": it.ids.iter().map(image).collect::<Vec<_>>(),
    };
    CancelJob: |it| { "jobId": it.id.to_string() };
    CreateImageShare: |it| {
        "repositoryName": it.repository.name.as_str(),
        "imageId": image(&it.id),
        "validForSeconds": it.seconds,
        "maxUses": it.uses_max,
    };
    CreatePublicRepository: |it| {
        "repositoryName": it.name.as_str(),
        "catalogData": it.data.as_ref().map(catalog_data),
        "tags": tags(&it.tags),
    };
    CreatePullThroughCacheRule: |it| {
        "ecrRepositoryPrefix": it.prefix,
        "upstreamRegistryUrl": it.upstream_url,
        "upstreamRegistry": it.upstream_registry.and_then(UpstreamRegistry::as_str),
        "upstreamRepositoryPrefix": it.upstream_prefix,
        "credentialArn": it.credential_arn,
        "customRoleArn": it.custom_role_arn,
    };
    CreateRepository: |it| {
        "repositoryName": it.name.as_str(),
        "tags": tags(&it.tags),
        "imageTagMutability": it.tag_mutability.setting().as_str(),
        "imageTagMutabilityExclusionFilters": tag_filters(&it.tag_mutability),
        "imageScanningConfiguration": { "scanOnPush": it.scan_on_push },
    };
    CreateRepositoryCreationTemplate: |it| {
        "prefix": it.prefix.as_str(),
        "description": it.settings.description,
        "resourceTags": tags(&it.settings.resource_tags),
        "imageTagMutability": it.settings.tag_mutability.setting().as_str(),
        "imageTagMutabilityExclusionFilters": tag_filters(&it.settings.tag_mutability),
        "repositoryPolicy": it.settings.repository_policy,
        "lifecyclePolicy": it.settings.lifecycle_policy,
        "appliedFor": scenarios(&it.settings.applied_for),
        "customRoleArn": it.settings.custom_role_arn,
    };
    CreateSecret: |it| {
        "name": it.name.as_str(),
        "description": it.description,
        "secretString": it.value.as_ref().map(|_| ""),
        "clientRequestToken": it.token,
    };
    DecidePublicAlias: |it| {
        "registryId": it.account.as_str(),
        "aliasName": it.name.as_str(),
        "decision": match it.decision { Decision::Approve => "APPROVE", Decision::Reject => "REJECT" },
    };
    DeleteLifecyclePolicy: |it| { "repositoryName": it.repository.name.as_str() };
    DeletePullThroughCacheRule: |it| { "ecrRepositoryPrefix": it.prefix };
    DeleteRegistryPolicy: |_it| {};
    DeleteRepository: |it| { "repositoryName": it.name.as_str(), "force": it.force };
    DeleteRepositoryCreationTemplate: |it| { "prefix": it.prefix.as_str() };
    DeleteRepositoryPolicy: |it| { "repositoryName": it.repository.name.as_str() };
    DeleteSigningConfiguration: |_it| {};
    DeregisterPullTimeUpdateExclusion: |it| { "principalArn": it.principal_arn };
    PutAccountSetting: |it| { "name": it.setting.name, "value": it.setting.value };
    PutImageScanningConfiguration: |it| {
        "repositoryName": it.name.as_str(),
        "imageScanningConfiguration": { "scanOnPush": it.scan_on_push },
    };
    PutImageTagMutability: |it| {
        "repositoryName": it.name.as_str(),
        "imageTagMutability": it.tag_mutability.setting().as_str(),
        "imageTagMutabilityExclusionFilters": tag_filters(&it.tag_mutability),
    };
    PutLifecyclePolicy: |it| {
        "repositoryName": it.repository.name.as_str(),
        "lifecyclePolicyText": it.text,
    };
    PutRegistryCatalogData: |it| { "displayName": it.display_name };
    PutRegistryPolicy: |it| { "policyText": it.text };
    PutRegistryScanningConfiguration: |it| {
        "scanType": it.configuration.scan_type.as_str(),
        "rules": scanning_rules(&it.configuration),
    };
    PutReplicationConfiguration: |it| {
        "replicationConfiguration": replication_configuration(&it.configuration),
    };
    PutRepositoryCatalogData: |it| {
        "repositoryName": it.repository.name.as_str(),
        "catalogData": catalog_data(&it.data),
    };
    PutSecretValue: |it| {
        "secretId": it.id.given(),
        "secretString": "",
        "clientRequestToken": it.token,
    };
    PutSigningConfiguration: |it| {
        "signingConfiguration": signing_configuration(&it.configuration),
    };
    PutSigningProfile: |it| { "profileName": it.name, "platformId": it.platform };
    RegisterPullTimeUpdateExclusion: |it| { "principalArn": it.principal_arn };
    RequestPublicAlias: |it| { "aliasName": it.name.as_str() };
    RetryJob: |it| { "jobId": it.id.to_string() };
    RetryReplication: |it| {
        "repositoryName": it.repository.as_ref().map(|name| name.as_str()),
        "destination": it.destination.as_ref().map(|destination| {
            json!({ "region": destination.region, "registryId": destination.account })
        }),
    };
    RevokeImageShare: |it| {
        "repositoryName": it.repository.name.as_str(),
        "shareId": it.share,
    };
    SetPrimaryPublicAlias: |it| { "aliasName": it.name.as_str() };
    SetRepositoryPolicy: |it| {
        "repositoryName": it.repository.name.as_str(),
        "policyText": it.text,
        "force": it.force,
    };
    StartImageScan: |it| {
        "repositoryName": it.repository.name.as_str(),
        "imageId": image(&it.id),
    };
    StartLifecyclePolicyPreview: |it| {
        "repositoryName": it.repository.name.as_str(),
        "lifecyclePolicyText": it.text,
    };
    TagResource: |it| { "resourceArn": it.resource.arn(), "tags": tags(&it.tags) };
    UntagResource: |it| { "resourceArn": it.resource.arn(), "tagKeys": it.keys };
    UpdateImageStorageClass: |it| {
        "repositoryName": it.repository.name.as_str(),
        "imageId": image(&it.id),
        "targetStorageClass": match it.target {
            StorageClass::Standard => "STANDARD",
            StorageClass::Archive => "ARCHIVE",
        },
    };
    UpdatePullThroughCacheRule: |it| {
        "ecrRepositoryPrefix": it.prefix,
        "credentialArn": it.credential_arn,
        "customRoleArn": it.custom_role_arn,
    };
    UpdateRepositoryCreationTemplate: |it| {
        "prefix": it.prefix.as_str(),
        "description": it.changes.description,
        "resourceTags": it.changes.resource_tags.as_deref().map(tags),
        "imageTagMutability": it.changes.tag_mutability.as_ref().map(|rule| rule.setting().as_str()),
        "imageTagMutabilityExclusionFilters": it.changes.tag_mutability.as_ref().map(tag_filters),
        "repositoryPolicy": it.changes.repository_policy,
        "lifecyclePolicy": it.changes.lifecycle_policy,
        "appliedFor": it.changes.applied_for.as_deref().map(scenarios),
        "customRoleArn": it.changes.custom_role_arn,
    };
    ValidatePullThroughCacheRule: |it| { "ecrRepositoryPrefix": it.prefix };
}

fn image(id: &ImageIdentifier) -> Value {
    json!({
        "imageDigest": id.digest.as_ref().map(|digest| digest.as_str()),
        "imageTag": id.tag.as_ref().map(|tag| tag.as_str()),
    })
}

fn tags(tags: &[ResourceTag]) -> Option<Value> {
    let tags = tags.iter().map(|tag| json!({ "key": tag.key, "value": tag.value }));
    some(tags.collect())
}

/// What a list has; nothing where it is empty, as it was not said then.
fn some(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

fn filters(filters: &[String], kind: &str) -> Vec<Value> {
    filters.iter().map(|filter| json!({ "filter": filter, "filterType": kind })).collect()
}

fn tag_filters(rule: &TagMutabilityRule) -> Option<Value> {
    some(filters(rule.filters(), "WILDCARD"))
}

fn scenarios(scenarios: &[AppliedFor]) -> Value {
    scenarios.iter().map(|scenario| scenario.as_str()).collect()
}

fn catalog_data(data: &CatalogDataInput) -> Value {
    json!({
        "description": data.description,
        "architectures": data.architectures,
        "operatingSystems": data.operating_systems,
        // The record says that there is one, and not how it looks.
        "logoImageBlob": data.logo.as_ref().map(|_| ""),
        "aboutText": data.about_text,
        "usageText": data.usage_text,
    })
}

fn scanning_rules(configuration: &RegistryScanningConfiguration) -> Value {
    let rules = configuration.rules.iter().map(|rule| {
        json!({
            "scanFrequency": rule.frequency.as_str(),
            "repositoryFilters": filters(&rule.filters, "WILDCARD"),
        })
    });
    rules.collect()
}

fn signing_configuration(configuration: &SigningConfiguration) -> Value {
    let rules = configuration.rules.iter().map(|rule| {
        json!({
            "signingProfileArn": rule.profile_arn,
            "repositoryFilters": some(filters(&rule.filters, "WILDCARD_MATCH")),
        })
    });
    json!({ "rules": rules.collect::<Vec<_>>() })
}

/// As AWS's clients send it, and as people edit it.
pub(crate) fn replication_configuration(configuration: &ReplicationConfiguration) -> Value {
    let rules = configuration.rules.iter().map(|rule| {
        let destinations = rule.destinations.iter().map(|destination| {
            json!({ "region": destination.region, "registryId": destination.account })
        });
        let mut value = json!({ "destinations": destinations.collect::<Vec<_>>() });
        if let Some(filters) = some(filters(&rule.prefixes, "PREFIX_MATCH")) {
            value["repositoryFilters"] = filters;
        }
        if let Some(enabled) = rule.delete_replication {
            value["deleteReplication"] = json!({ "enabled": enabled });
        }
        value
    });
    json!({ "rules": rules.collect::<Vec<_>>() })
}
