//! Policies of repositories and of the registry.

use serde::{Deserialize, Serialize};
use tonnage_domain::policies::registry_policy::{
    self, DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy,
};
use tonnage_domain::policies::repository_policy::{
    self, DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};

use super::Call;
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetRepositoryPolicyInput {
    registry_id: Option<String>,
    repository_name: String,
    policy_text: String,
    force: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryPolicyInput {
    registry_id: Option<String>,
    repository_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryPolicyOutput {
    registry_id: String,
    repository_name: String,
    policy_text: String,
}

impl From<repository_policy::RepositoryPolicy> for RepositoryPolicyOutput {
    fn from(policy: repository_policy::RepositoryPolicy) -> Self {
        Self {
            registry_id: policy.repository.account.to_string(),
            repository_name: policy.repository.name.to_string(),
            policy_text: policy.text,
        }
    }
}

pub(super) async fn set_repository_policy(
    call: &Call<'_>,
    input: SetRepositoryPolicyInput,
) -> Result<RepositoryPolicyOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let force = input.force.unwrap_or(false);
    let operation = SetRepositoryPolicy { repository, text: input.policy_text, force };
    Ok(call.execute(operation).await?.into())
}

pub(super) async fn get_repository_policy(
    call: &Call<'_>,
    input: RepositoryPolicyInput,
) -> Result<RepositoryPolicyOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    Ok(call.execute(GetRepositoryPolicy { repository }).await?.into())
}

pub(super) async fn delete_repository_policy(
    call: &Call<'_>,
    input: RepositoryPolicyInput,
) -> Result<RepositoryPolicyOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    Ok(call.execute(DeleteRepositoryPolicy { repository }).await?.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRegistryPolicyInput {
    policy_text: String,
}

/// What has no members.
#[derive(Deserialize)]
pub(super) struct NoInput {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegistryPolicyOutput {
    registry_id: String,
    policy_text: String,
}

impl From<registry_policy::RegistryPolicy> for RegistryPolicyOutput {
    fn from(policy: registry_policy::RegistryPolicy) -> Self {
        Self { registry_id: policy.account.to_string(), policy_text: policy.text }
    }
}

pub(super) async fn put_registry_policy(
    call: &Call<'_>,
    input: PutRegistryPolicyInput,
) -> Result<RegistryPolicyOutput> {
    Ok(call.execute(PutRegistryPolicy { text: input.policy_text }).await?.into())
}

pub(super) async fn get_registry_policy(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<RegistryPolicyOutput> {
    Ok(call.execute(GetRegistryPolicy).await?.into())
}

pub(super) async fn delete_registry_policy(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<RegistryPolicyOutput> {
    Ok(call.execute(DeleteRegistryPolicy).await?.into())
}
