//! `AssumeRoleWithWebIdentity`, which nobody signs: the token of the identity provider says who asks.

use std::sync::Arc;

use http::request::Parts;
use serde_json::{Value, json};
use tonnage_domain::app::App;
use tonnage_domain::identities::sessions::assume_role_with_web_identity::AssumeRoleWithWebIdentity;
use tonnage_domain::identities::web_identity;

use super::{Input, roles};
use crate::Arrival;
use crate::aws::Call;
use crate::aws::authenticate::logged;
use crate::aws::error::{Refusal, Result};

pub(super) const OPERATION: &str = "AssumeRoleWithWebIdentity";

/// Stands in the table of operations; a request for it never comes here.
pub(super) async fn is_not_signed(_call: &Call<'_>, _input: Input) -> Result<Value> {
    Err(Refusal::MissingAuthentication.into())
}

pub(super) async fn assume_role(
    app: &Arc<App>,
    parts: &Parts,
    arrival: &Arrival,
    mut input: Input,
) -> Result<Value> {
    let role_arn = input.text("RoleArn")?;
    let token = input.text("WebIdentityToken")?;
    let (principal, identity) = web_identity::authenticate(app, &role_arn, &token, arrival.now)
        .await
        .map_err(|error| logged(error, arrival))?;
    let account = principal.account;
    let region = arrival.host.region().unwrap_or(&app.default_region).clone();
    let context = arrival.context(&parts.headers, principal, account, region);
    let told = json!({
        "SubjectFromWebIdentityToken": identity.subject,
        "Audience": identity.audience,
        "Provider": identity.provider_arn,
    });
    let operation = AssumeRoleWithWebIdentity {
        role_arn,
        session_name: input.text("RoleSessionName")?,
        identity,
        duration_seconds: input.number("DurationSeconds"),
        policy: input.optional("Policy"),
        policy_arns: input.list_of("PolicyArns", "arn"),
    };
    let session = Call { app, context, arrival }.execute(operation).await?;
    let mut answer = roles::answer(&session);
    if let (Value::Object(answer), Value::Object(told)) = (&mut answer, told) {
        answer.extend(told);
    }
    Ok(answer)
}
