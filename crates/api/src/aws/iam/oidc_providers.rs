//! Providers of identities by OpenID Connect.

use serde_json::{Value, json};
use tonnage_domain::identities::oidc_providers::{
    AddClientIdToOpenIdConnectProvider, CreateOpenIdConnectProvider, DeleteOpenIdConnectProvider,
    GetOpenIdConnectProvider, ListOpenIdConnectProviders, RemoveClientIdFromOpenIdConnectProvider,
    UpdateOpenIdConnectProviderThumbprint,
};

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

const ARN: &str = "OpenIDConnectProviderArn";

pub(super) async fn create(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreateOpenIdConnectProvider {
        url: input.text("Url")?,
        client_ids: input.list("ClientIDList"),
        thumbprints: input.list("ThumbprintList"),
        tags: input.tags(),
    };
    let provider = call.execute(operation).await?;
    Ok(json!({ARN: provider.entity.arn, "Tags": output::tags(&provider.tags)}))
}

pub(super) async fn get(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let provider = call.execute(GetOpenIdConnectProvider { arn: input.text(ARN)? }).await?;
    Ok(json!({
        "Url": provider.entity.name,
        "ClientIDList": provider.client_ids,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": output::time(provider.entity.created_at),
        "Tags": output::tags(&provider.tags),
    }))
}

pub(super) async fn list_open_id_connect_providers(
    call: &Call<'_>,
    _input: Input,
) -> Result<Value> {
    let providers = call.execute(ListOpenIdConnectProviders).await?;
    let list: Value = providers.iter().map(|provider| json!({"Arn": provider.arn})).collect();
    Ok(json!({"OpenIDConnectProviderList": list}))
}

pub(super) async fn delete(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeleteOpenIdConnectProvider { arn: input.text(ARN)? }).await?;
    Ok(output::nothing())
}

pub(super) async fn update_thumbprint(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateOpenIdConnectProviderThumbprint {
        arn: input.text(ARN)?,
        thumbprints: input.list("ThumbprintList"),
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn add_client_id(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (arn, client_id) = (input.text(ARN)?, input.text("ClientID")?);
    call.execute(AddClientIdToOpenIdConnectProvider { arn, client_id }).await?;
    Ok(output::nothing())
}

pub(super) async fn remove_client_id(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (arn, client_id) = (input.text(ARN)?, input.text("ClientID")?);
    call.execute(RemoveClientIdFromOpenIdConnectProvider { arn, client_id }).await?;
    Ok(output::nothing())
}
