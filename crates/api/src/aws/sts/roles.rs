//! Sessions of roles.

use serde_json::{Value, json};
use tonnage_domain::identities::sessions::assume_role::{AssumeRole, AssumedRole};

use super::{Input, credentials};
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) fn answer(session: &AssumedRole) -> Value {
    json!({
        "Credentials": credentials(&session.credentials),
        "AssumedRoleUser": {"AssumedRoleId": session.unique_id, "Arn": session.arn},
        "PackedPolicySize": session.packed_percent,
        "SourceIdentity": session.source_identity,
    })
}

pub(super) async fn assume_role(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = AssumeRole {
        role_arn: input.text("RoleArn")?,
        session_name: input.text("RoleSessionName")?,
        duration_seconds: input.number("DurationSeconds"),
        policy: input.optional("Policy"),
        policy_arns: input.list_of("PolicyArns", "arn"),
        tags: input.tags(),
        transitive_tag_keys: input.list("TransitiveTagKeys"),
        external_id: input.optional("ExternalId"),
        source_identity: input.optional("SourceIdentity"),
    };
    Ok(answer(&call.execute(operation).await?))
}
