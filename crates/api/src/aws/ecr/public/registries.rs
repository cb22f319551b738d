//! Public registries as a whole: what they are called, and tokens for docker.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::public::authorization::GetPublicAuthorizationToken;
use tonnage_domain::public::registries::{
    self, DescribeRegistries, GetRegistryCatalogData, PutRegistryCatalogData,
};

use super::repositories::registry_uri;
use crate::aws::Call;
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeRegistriesInput {
    next_token: Option<String>,
}

#[derive(Serialize)]
pub(super) struct DescribeRegistriesOutput {
    registries: Vec<Registry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registry {
    registry_id: String,
    registry_arn: String,
    registry_uri: String,
    verified: bool,
    aliases: Vec<Alias>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alias {
    name: String,
    status: &'static str,
    primary_registry_alias: bool,
    default_registry_alias: bool,
}

/// An account has one public registry, so there is one page and never a token for another.
pub(super) async fn describe_registries(
    call: &Call<'_>,
    input: DescribeRegistriesInput,
) -> Result<DescribeRegistriesOutput> {
    if input.next_token.is_some() {
        return Err(Error::invalid_parameter("nextToken", "Invalid token").into());
    }
    let registry = call.execute(DescribeRegistries).await?;
    let aliases = registry.aliases.iter().map(|alias| Alias {
        name: alias.name.to_string(),
        status: alias.status.as_str(),
        primary_registry_alias: alias.primary,
        default_registry_alias: alias.default,
    });
    Ok(DescribeRegistriesOutput {
        registries: vec![Registry {
            registry_id: registry.account.to_string(),
            registry_arn: registries::arn(&registry.account),
            registry_uri: registry_uri(call, &registry.account).await?,
            verified: registry.verified,
            aliases: aliases.collect(),
        }],
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegistryCatalogDataOutput {
    registry_catalog_data: RegistryCatalogData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistryCatalogData {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
}

impl From<registries::RegistryCatalogData> for RegistryCatalogDataOutput {
    fn from(data: registries::RegistryCatalogData) -> Self {
        Self { registry_catalog_data: RegistryCatalogData { display_name: data.display_name } }
    }
}

/// What has no members.
#[derive(Deserialize)]
pub(super) struct NoInput {}

pub(super) async fn get_registry_catalog_data(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<RegistryCatalogDataOutput> {
    Ok(call.execute(GetRegistryCatalogData).await?.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRegistryCatalogDataInput {
    display_name: Option<String>,
}

pub(super) async fn put_registry_catalog_data(
    call: &Call<'_>,
    input: PutRegistryCatalogDataInput,
) -> Result<RegistryCatalogDataOutput> {
    let operation = PutRegistryCatalogData { display_name: input.display_name };
    Ok(call.execute(operation).await?.into())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetAuthorizationTokenOutput {
    authorization_data: AuthorizationData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationData {
    authorization_token: String,
    expires_at: f64,
}

pub(super) async fn get_authorization_token(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<GetAuthorizationTokenOutput> {
    let seconds = call.app.settings.token_seconds;
    let token = call.execute(GetPublicAuthorizationToken { seconds }).await?;
    Ok(GetAuthorizationTokenOutput {
        authorization_data: AuthorizationData {
            authorization_token: token.token,
            expires_at: token.expires_at.epoch_seconds(),
        },
    })
}
