//! Amazon ECR Public, version 2020-10-30, over AWS JSON 1.1.
//!
//! What private and public registries have in common is decoded and encoded by the same functions;
//! here is what only ECR Public has, or has in another shape.

mod catalog;
mod images;
mod registries;
mod repositories;

use bytes::Bytes;
use serde_json::Value;
use tonnage_domain::error::Error;
use tonnage_domain::names::AccountId;
use tonnage_domain::public::aliases;

pub(in crate::aws) use super::super::shapes::ecr_public::SERVICE;
use super::super::{Call, json};
use super::{layers, policies, tags};
use crate::aws::error::Result;

json::operations! {
    async fn serve;
    "BatchCheckLayerAvailability" => layers::batch_check_layer_availability,
    "BatchDeleteImage" => super::images::batch_delete_image,
    "CompleteLayerUpload" => layers::complete_layer_upload,
    "CreateRepository" => repositories::create_repository,
    "DeleteRepository" => repositories::delete_repository,
    "DeleteRepositoryPolicy" => policies::delete_repository_policy,
    "DescribeImageTags" => images::describe_image_tags,
    "DescribeImages" => images::describe_images,
    "DescribeRegistries" => registries::describe_registries,
    "DescribeRepositories" => repositories::describe_repositories,
    "GetAuthorizationToken" => registries::get_authorization_token,
    "GetRegistryCatalogData" => registries::get_registry_catalog_data,
    "GetRepositoryCatalogData" => catalog::get_repository_catalog_data,
    "GetRepositoryPolicy" => policies::get_repository_policy,
    "InitiateLayerUpload" => layers::initiate_layer_upload,
    "ListTagsForResource" => tags::list_tags_for_resource,
    "PutImage" => super::images::put_image,
    "PutRegistryCatalogData" => registries::put_registry_catalog_data,
    "PutRepositoryCatalogData" => catalog::put_repository_catalog_data,
    "SetRepositoryPolicy" => policies::set_repository_policy,
    "TagResource" => tags::tag_resource,
    "UntagResource" => tags::untag_resource,
    "UploadLayerPart" => layers::upload_layer_part,
}

/// Runs the operation called `name`; its input was validated.
pub(in crate::aws) async fn run(name: &str, call: &Call<'_>, input: Value) -> Result<Bytes> {
    serve(name, call, with_account(call, input).await?).await
}

/// Some operations take an alias for the id of a registry (botocore `ecr-public`, shape
/// `RegistryIdOrAlias`); the shapes refuse it where it is not taken.
pub(super) async fn with_account(call: &Call<'_>, mut input: Value) -> Result<Value, Error> {
    let Some(Value::String(registry_id)) = input.get_mut("registryId") else { return Ok(input) };
    if AccountId::parse(registry_id).is_err() {
        let account = aliases::resolve(call.app, registry_id).await?;
        *registry_id = account.ok_or_else(|| aliases::not_found(registry_id))?.to_string();
    }
    Ok(input)
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_operation_of_the_model_and_of_the_domain_is_served() {
        let domain: Vec<&str> = OPERATIONS
            .iter()
            .filter(|entry| entry.service == Service::EcrPublic)
            .map(|entry| entry.name)
            .collect();
        assert_eq!(SERVED, domain);
        let model: Vec<&str> = SERVICE.operations.iter().map(|operation| operation.name).collect();
        assert_eq!(SERVED, model);
    }
}
