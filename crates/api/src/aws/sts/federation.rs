//! Sessions of users.

use serde_json::{Value, json};
use tonnage_domain::identities::sessions::get_federation_token::GetFederationToken;
use tonnage_domain::identities::sessions::get_session_token::GetSessionToken;

use super::{Input, credentials};
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) async fn get_session_token(call: &Call<'_>, input: Input) -> Result<Value> {
    let duration_seconds = input.number("DurationSeconds");
    let made = call.execute(GetSessionToken { duration_seconds }).await?;
    Ok(json!({"Credentials": credentials(&made)}))
}

pub(super) async fn get_federation_token(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = GetFederationToken {
        name: input.text("Name")?,
        duration_seconds: input.number("DurationSeconds"),
        policy: input.optional("Policy"),
        policy_arns: input.list_of("PolicyArns", "arn"),
        tags: input.tags(),
    };
    let user = call.execute(operation).await?;
    Ok(json!({
        "Credentials": credentials(&user.credentials),
        "FederatedUser": {"FederatedUserId": user.unique_id, "Arn": user.arn},
        "PackedPolicySize": user.packed_percent,
    }))
}
