//! Making secrets, and the versions that hold their values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::secrets::create_secret::{CreateSecret, Stored};
use tonnage_domain::secrets::get_secret_value::GetSecretValue;
use tonnage_domain::secrets::put_secret_value::PutSecretValue;
use tonnage_domain::secrets::update_secret::UpdateSecret;
use tonnage_domain::secrets::update_secret_version_stage::UpdateSecretVersionStage;
use tonnage_domain::secrets::{SecretName, Value};

use super::Call;
use super::input::{Tag, refuse, tags_from, value};
use super::secrets::NamedOutput;
use crate::aws::error::Result;

const REPLICATION: &str = "replication of secrets";
const EXTERNAL: &str = "secrets that others manage";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateSecretInput {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<SecretString>,
    secret_string: Option<SecretString>,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
    add_replica_regions: Option<Json>,
    force_overwrite_replica_secret: Option<bool>,
    r#type: Option<String>,
    #[serde(rename = "CrossAccountPrimaryARN")]
    cross_account_primary_arn: Option<String>,
}

/// The answer to what may make a version.
#[derive(Serialize)]
pub(super) struct StoredOutput {
    #[serde(rename = "ARN")]
    arn: String,
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "VersionId", skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(rename = "VersionStages", skip_serializing_if = "Option::is_none")]
    version_stages: Option<Vec<String>>,
}

impl StoredOutput {
    fn without_stages(stored: Stored) -> Self {
        Self {
            arn: stored.secret.arn,
            name: stored.secret.name,
            version_id: stored.version.map(|version| version.id),
            version_stages: None,
        }
    }
}

pub(super) async fn create_secret(
    call: &Call<'_>,
    input: CreateSecretInput,
) -> Result<StoredOutput> {
    refuse(&[
        ("AddReplicaRegions", input.add_replica_regions.is_some(), REPLICATION),
        (
            "ForceOverwriteReplicaSecret",
            input.force_overwrite_replica_secret == Some(true),
            REPLICATION,
        ),
        ("CrossAccountPrimaryARN", input.cross_account_primary_arn.is_some(), REPLICATION),
        ("Type", input.r#type.is_some_and(|text| !text.is_empty()), EXTERNAL),
    ])?;
    call.check_key(input.kms_key_id.as_deref())?;
    let operation = CreateSecret {
        name: SecretName::parse(&input.name)?,
        description: input.description,
        tags: tags_from(input.tags.unwrap_or_default()),
        value: value(input.secret_string, input.secret_binary)?,
        token: input.client_request_token,
    };
    Ok(StoredOutput::without_stages(call.execute(operation).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSecretValueInput {
    secret_id: String,
    client_request_token: Option<String>,
    secret_binary: Option<SecretString>,
    secret_string: Option<SecretString>,
    version_stages: Option<Vec<String>>,
    rotation_token: Option<SecretString>,
}

pub(super) async fn put_secret_value(
    call: &Call<'_>,
    input: PutSecretValueInput,
) -> Result<StoredOutput> {
    refuse(&[("RotationToken", input.rotation_token.is_some(), "rotation of secrets")])?;
    let value = value(input.secret_string, input.secret_binary)?.ok_or_else(|| {
        Error::new(ErrorKind::InvalidState, "You must provide either SecretString or SecretBinary.")
    })?;
    let operation = PutSecretValue {
        id: call.secret(&input.secret_id)?,
        value,
        token: input.client_request_token,
        stages: input.version_stages.unwrap_or_default(),
    };
    let stored = call.execute(operation).await?;
    let (version_id, version_stages) =
        stored.version.map(|version| (version.id, version.stages)).unzip();
    Ok(StoredOutput {
        arn: stored.secret.arn,
        name: stored.secret.name,
        version_id,
        version_stages,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateSecretInput {
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<SecretString>,
    secret_string: Option<SecretString>,
    r#type: Option<String>,
}

pub(super) async fn update_secret(
    call: &Call<'_>,
    input: UpdateSecretInput,
) -> Result<StoredOutput> {
    refuse(&[("Type", input.r#type.is_some_and(|text| !text.is_empty()), EXTERNAL)])?;
    call.check_key(input.kms_key_id.as_deref())?;
    let operation = UpdateSecret {
        id: call.secret(&input.secret_id)?,
        description: input.description,
        value: value(input.secret_string, input.secret_binary)?,
        token: input.client_request_token,
    };
    Ok(StoredOutput::without_stages(call.execute(operation).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateSecretVersionStageInput {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

pub(super) async fn update_secret_version_stage(
    call: &Call<'_>,
    input: UpdateSecretVersionStageInput,
) -> Result<NamedOutput> {
    let operation = UpdateSecretVersionStage {
        id: call.secret(&input.secret_id)?,
        stage: input.version_stage,
        remove_from: input.remove_from_version_id,
        move_to: input.move_to_version_id,
    };
    Ok(NamedOutput::of(call.execute(operation).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSecretValueInput {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSecretValueOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    secret_string: Option<SecretString>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    secret_binary: Option<SecretString>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    version_stages: Vec<String>,
    created_date: f64,
}

/// The only place where a secret is printed: the answer to whoever may read it.
fn exposed<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

pub(super) async fn get_secret_value(
    call: &Call<'_>,
    input: GetSecretValueInput,
) -> Result<GetSecretValueOutput> {
    let operation = GetSecretValue {
        id: call.secret(&input.secret_id)?,
        version_id: input.version_id,
        stage: input.version_stage,
    };
    let opened = call.execute(operation).await?;
    let (secret_string, secret_binary) = match opened.value {
        Value::Text(text) => (Some(text), None),
        Value::Binary(bytes) => {
            (None, Some(SecretString::from(STANDARD.encode(bytes.expose_secret()))))
        }
    };
    Ok(GetSecretValueOutput {
        arn: opened.secret.arn,
        name: opened.secret.name,
        version_id: opened.version_id,
        secret_string,
        secret_binary,
        version_stages: opened.stages,
        created_date: opened.created_at.epoch_seconds(),
    })
}
