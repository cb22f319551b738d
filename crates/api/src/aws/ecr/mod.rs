//! Amazon ECR, version 2015-09-21, over AWS JSON 1.1.
//!
//! Every operation is one function: it decodes its own wire shape, runs one operation of the
//! domain and encodes what that gives back. Shapes were validated before.

mod account_settings;
mod archive;
pub(super) mod extensions;
mod images;
mod layers;
mod lifecycle;
mod listings;
mod policies;
pub(super) mod public;
mod pull_through;
mod referrers;
mod registry_settings;
mod replication;
mod repositories;
pub(super) mod scan_findings;
mod scanning;
mod signing;
mod tags;
mod templates;
mod tokens;

use tonnage_domain::error::Error;
use tonnage_domain::names::{AccountId, NameError, RepositoryName};
use tonnage_domain::repositories::RepositoryAddress;

use super::error::Result;
use super::{BODY_BYTES_MAX, Call, json, shapes};

pub(super) use shapes::ecr::SERVICE;

/// The largest body of an operation's request, in bytes: a part of 20 MiB is 27 MiB in base64, and
/// a manifest of 4 MiB may double when its quotation marks are escaped.
pub(super) fn body_bytes_max(operation: &str) -> usize {
    match operation {
        "UploadLayerPart" => 32 * 1024 * 1024,
        "PutImage" => 8 * 1024 * 1024,
        // 1 MiB, escaped.
        "PutVexDocument" => 4 * 1024 * 1024,
        _ => BODY_BYTES_MAX,
    }
}

json::operations! {
    pub(super) async fn run;
    "BatchCheckLayerAvailability" => layers::batch_check_layer_availability,
    "BatchDeleteImage" => images::batch_delete_image,
    "BatchGetImage" => images::batch_get_image,
    "BatchGetRepositoryScanningConfiguration" => scanning::batch_get_repository_scanning_configuration,
    "CompleteLayerUpload" => layers::complete_layer_upload,
    "CreatePullThroughCacheRule" => pull_through::create_pull_through_cache_rule,
    "CreateRepository" => repositories::create_repository,
    "CreateRepositoryCreationTemplate" => templates::create_repository_creation_template,
    "DeleteLifecyclePolicy" => lifecycle::delete_lifecycle_policy,
    "DeletePullThroughCacheRule" => pull_through::delete_pull_through_cache_rule,
    "DeleteRegistryPolicy" => policies::delete_registry_policy,
    "DeleteRepository" => repositories::delete_repository,
    "DeleteRepositoryCreationTemplate" => templates::delete_repository_creation_template,
    "DeleteRepositoryPolicy" => policies::delete_repository_policy,
    "DeleteSigningConfiguration" => signing::delete_signing_configuration,
    "DeregisterPullTimeUpdateExclusion" => registry_settings::deregister_pull_time_update_exclusion,
    "DescribeImageReplicationStatus" => replication::describe_image_replication_status,
    "DescribeImageScanFindings" => scan_findings::describe_image_scan_findings,
    "DescribeImageSigningStatus" => signing::describe_image_signing_status,
    "DescribeImages" => listings::describe_images,
    "DescribePullThroughCacheRules" => pull_through::describe_pull_through_cache_rules,
    "DescribeRegistry" => registry_settings::describe_registry,
    "DescribeReplicationBackfillResults" => replication::describe_replication_backfill_results,
    "DescribeRepositories" => repositories::describe_repositories,
    "DescribeRepositoryCreationTemplates" => templates::describe_repository_creation_templates,
    "GetAccountSetting" => account_settings::get_account_setting,
    "GetAuthorizationToken" => tokens::get_authorization_token,
    "GetDownloadUrlForLayer" => layers::get_download_url_for_layer,
    "GetLifecyclePolicy" => lifecycle::get_lifecycle_policy,
    "GetLifecyclePolicyPreview" => lifecycle::get_lifecycle_policy_preview,
    "GetRegistryPolicy" => policies::get_registry_policy,
    "GetRegistryScanningConfiguration" => scanning::get_registry_scanning_configuration,
    "GetRepositoryPolicy" => policies::get_repository_policy,
    "GetSigningConfiguration" => signing::get_signing_configuration,
    "InitiateLayerUpload" => layers::initiate_layer_upload,
    "ListImageReferrers" => referrers::list_image_referrers,
    "ListImages" => listings::list_images,
    "ListPullTimeUpdateExclusions" => registry_settings::list_pull_time_update_exclusions,
    "ListReplicationBackfills" => replication::list_replication_backfills,
    "ListTagsForResource" => tags::list_tags_for_resource,
    "PutAccountSetting" => account_settings::put_account_setting,
    "PutImage" => images::put_image,
    "PutImageScanningConfiguration" => scanning::put_image_scanning_configuration,
    "PutImageTagMutability" => repositories::put_image_tag_mutability,
    "PutLifecyclePolicy" => lifecycle::put_lifecycle_policy,
    "PutRegistryPolicy" => policies::put_registry_policy,
    "PutRegistryScanningConfiguration" => scanning::put_registry_scanning_configuration,
    "PutReplicationConfiguration" => replication::put_replication_configuration,
    "PutSigningConfiguration" => signing::put_signing_configuration,
    "RegisterPullTimeUpdateExclusion" => registry_settings::register_pull_time_update_exclusion,
    "SetRepositoryPolicy" => policies::set_repository_policy,
    "StartImageScan" => scan_findings::start_image_scan,
    "StartLifecyclePolicyPreview" => lifecycle::start_lifecycle_policy_preview,
    "StartReplicationBackfill" => replication::start_replication_backfill,
    "StopReplicationBackfill" => replication::stop_replication_backfill,
    "TagResource" => tags::tag_resource,
    "UntagResource" => tags::untag_resource,
    "UpdateImageStorageClass" => archive::update_image_storage_class,
    "UpdatePullThroughCacheRule" => pull_through::update_pull_through_cache_rule,
    "UpdateRepositoryCreationTemplate" => templates::update_repository_creation_template,
    "UploadLayerPart" => layers::upload_layer_part,
    "ValidatePullThroughCacheRule" => pull_through::validate_pull_through_cache_rule,
}

fn parse_registry_id(text: Option<&str>) -> Result<Option<AccountId>, Error> {
    text.map(|text| AccountId::parse(text).map_err(|error| refused("registryId", &error)))
        .transpose()
}

fn parse_repository_name(text: &str) -> Result<RepositoryName, Error> {
    RepositoryName::parse(text).map_err(|error| refused("repositoryName", &error))
}

/// A name that the shape let through and the domain's stricter rule does not.
fn refused(field: &str, error: &NameError) -> Error {
    Error::invalid_parameter(field, error.constraint())
}

impl Call<'_> {
    /// The repository that a request names.
    fn address(
        &self,
        registry_id: Option<&str>,
        repository_name: &str,
    ) -> Result<RepositoryAddress, Error> {
        let registry_id = parse_registry_id(registry_id)?;
        let name = parse_repository_name(repository_name)?;
        Ok(RepositoryAddress::new(&self.context, registry_id, name))
    }
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_operation_of_the_domain_is_served_and_no_other() {
        let domain: Vec<&str> = OPERATIONS
            .iter()
            .filter(|entry| entry.service == Service::Ecr)
            .map(|entry| entry.name)
            .collect();
        assert_eq!(SERVED, domain);
    }

    #[test]
    fn every_served_operation_is_of_the_model() {
        for name in SERVED {
            assert!(SERVICE.find(name).is_some(), "{name}");
        }
    }
}
