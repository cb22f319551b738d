//! `GetAuthorizationToken`.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;

use super::{Call, parse_registry_id};
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetAuthorizationTokenInput {
    registry_ids: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetAuthorizationTokenOutput {
    authorization_data: Vec<AuthorizationData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationData {
    authorization_token: String,
    expires_at: f64,
    proxy_endpoint: String,
}

pub(super) async fn get_authorization_token(
    call: &Call<'_>,
    input: GetAuthorizationTokenInput,
) -> Result<GetAuthorizationTokenOutput> {
    let registry_ids = input
        .registry_ids
        .iter()
        .flatten()
        .filter_map(|text| parse_registry_id(Some(text)).transpose())
        .collect::<Result<Vec<_>, Error>>()?;
    let tokens = call.execute(GetAuthorizationToken { registry_ids }).await?;
    let region = &call.context.region;
    let authorization_data = tokens
        .into_iter()
        .map(|token| AuthorizationData {
            authorization_token: token.token,
            expires_at: token.expires_at.epoch_seconds(),
            proxy_endpoint: format!(
                "{}://{}",
                call.arrival.scheme(),
                call.arrival.host.registry_authority(&token.account, region)
            ),
        })
        .collect();
    Ok(GetAuthorizationTokenOutput { authorization_data })
}
