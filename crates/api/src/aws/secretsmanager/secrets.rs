//! Secrets as a whole: what is told of them, tags, deletion, and the policies they do not have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::secrets::delete_secret::DeleteSecret;
use tonnage_domain::secrets::describe_secret::DescribeSecret;
use tonnage_domain::secrets::resource_policy::{DeleteSecretPolicy, GetSecretPolicy};
use tonnage_domain::secrets::restore_secret::RestoreSecret;
use tonnage_domain::secrets::tags::{TagSecret, UntagSecret};
use tonnage_domain::secrets::{Secret, StagedSecret};

use super::Call;
use super::input::{Tag, refuse, tags_from};
use crate::aws::error::Result;

/// The input of what needs to know nothing but the secret.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SecretInput {
    secret_id: String,
}

/// The answer of what tells nothing but the secret.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
}

impl NamedOutput {
    pub(super) fn of(secret: Secret) -> Self {
        Self { arn: secret.arn, name: secret.name }
    }
}

#[derive(Serialize)]
pub(super) struct Empty {}

/// What a description and a listing tell of a secret.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    last_changed_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_accessed_date: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_date: Option<f64>,
    tags: Vec<Tag>,
    created_date: f64,
}

impl Described {
    pub(super) fn of(secret: Secret) -> Self {
        Self {
            arn: secret.arn,
            name: secret.name,
            description: secret.description,
            last_changed_date: secret.changed_at.epoch_seconds(),
            last_accessed_date: secret.accessed_at.map(Millis::epoch_seconds),
            deleted_date: secret.deleted_at.map(Millis::epoch_seconds),
            tags: secret.tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
            created_date: secret.created_at.epoch_seconds(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct DescribeSecretOutput {
    #[serde(flatten)]
    described: Described,
    #[serde(rename = "VersionIdsToStages", skip_serializing_if = "BTreeMap::is_empty")]
    stages: BTreeMap<String, Vec<String>>,
}

pub(super) async fn describe_secret(
    call: &Call<'_>,
    input: SecretInput,
) -> Result<DescribeSecretOutput> {
    let StagedSecret { secret, stages } =
        call.execute(DescribeSecret { id: call.secret(&input.secret_id)? }).await?;
    Ok(DescribeSecretOutput { described: Described::of(secret), stages })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteSecretInput {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteSecretOutput {
    #[serde(rename = "ARN", skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    deletion_date: f64,
}

pub(super) async fn delete_secret(
    call: &Call<'_>,
    input: DeleteSecretInput,
) -> Result<DeleteSecretOutput> {
    let operation = DeleteSecret {
        id: call.secret(&input.secret_id)?,
        days: input.recovery_window_in_days,
        force: input.force_delete_without_recovery == Some(true),
    };
    let deleted = call.execute(operation).await?;
    Ok(DeleteSecretOutput {
        arn: deleted.arn,
        name: deleted.name,
        deletion_date: deleted.at.epoch_seconds(),
    })
}

pub(super) async fn restore_secret(call: &Call<'_>, input: SecretInput) -> Result<NamedOutput> {
    let operation = RestoreSecret { id: call.secret(&input.secret_id)? };
    Ok(NamedOutput::of(call.execute(operation).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResourceInput {
    secret_id: String,
    tags: Vec<Tag>,
}

pub(super) async fn tag_resource(call: &Call<'_>, input: TagResourceInput) -> Result<Empty> {
    let id = call.secret(&input.secret_id)?;
    call.execute(TagSecret { id, tags: tags_from(input.tags) }).await?;
    Ok(Empty {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResourceInput {
    secret_id: String,
    tag_keys: Vec<String>,
}

pub(super) async fn untag_resource(call: &Call<'_>, input: UntagResourceInput) -> Result<Empty> {
    let id = call.secret(&input.secret_id)?;
    call.execute(UntagSecret { id, keys: input.tag_keys }).await?;
    Ok(Empty {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyInput {
    secret_id: String,
    policy_name: Option<String>,
}

impl PolicyInput {
    fn refuse_name(&self) -> Result<()> {
        Ok(refuse(&[("PolicyName", self.policy_name.is_some(), "policies of secrets")])?)
    }
}

/// No member but these: a secret has no policy.
pub(super) async fn get_resource_policy(
    call: &Call<'_>,
    input: PolicyInput,
) -> Result<NamedOutput> {
    input.refuse_name()?;
    let operation = GetSecretPolicy { id: call.secret(&input.secret_id)? };
    Ok(NamedOutput::of(call.execute(operation).await?))
}

pub(super) async fn delete_resource_policy(
    call: &Call<'_>,
    input: PolicyInput,
) -> Result<NamedOutput> {
    input.refuse_name()?;
    let operation = DeleteSecretPolicy { id: call.secret(&input.secret_id)? };
    Ok(NamedOutput::of(call.execute(operation).await?))
}
