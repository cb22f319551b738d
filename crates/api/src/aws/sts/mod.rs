//! AWS STS, version 2011-06-15, over AWS Query.

mod federation;
mod roles;
mod web_identity;

use std::sync::Arc;

use http::request::Parts;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tonnage_domain::app::App;
use tonnage_domain::audit::parameters::RequestInput;
use tonnage_domain::execute::not_served;
use tonnage_domain::identities::get_caller_identity::GetCallerIdentity;
use tonnage_domain::identities::sessions::Credentials;
use tonnage_domain::identities::sessions::decode_authorization_message::DecodeAuthorizationMessage;
use tonnage_domain::identities::sessions::get_access_key_info::GetAccessKeyInfo;
use tonnage_domain::uploads::BodyStream;

use super::error::{Failure, Refusal, Result};
use super::iam::input::Input;
use super::iam::output::time;
use super::query::{self, Parameters};
use super::{BODY_BYTES_MAX, Call, authenticated, is_signed, read_body, shapes};
use crate::Arrival;
use crate::request::Response;

use shapes::sts::SERVICE;

/// Bytes of a request that is not signed: a token, a session policy and some names.
const TOKEN_BODY_BYTES_MAX: usize = 64 * 1024;

/// The namespace of every answer.
pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers a request of AWS Query, signed for `service` if it is signed at all.
pub(super) async fn handle(
    app: &Arc<App>,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
    service: Option<&str>,
) -> Result<Response> {
    if let Some(other) = service.filter(|service| *service != SERVICE.signing_name) {
        return Err(Refusal::ServiceNotServed(other.to_owned()).into());
    }
    // A request that is not signed may carry a token of an identity provider instead.
    let (parameters, context) = if is_signed(parts) {
        let (body, context) =
            authenticated(app, parts, body, arrival, SERVICE.signing_name, BODY_BYTES_MAX).await?;
        (Parameters::read(parts.uri.query(), &body), Some(context))
    } else {
        let body = read_body(body, TOKEN_BODY_BYTES_MAX).await?;
        (Parameters::read(parts.uri.query(), &body), None)
    };
    let action = parameters.get("Action").unwrap_or_default();
    let by_token = action == web_identity::OPERATION;
    if context.is_none() && !by_token {
        return Err(Refusal::MissingAuthentication.into());
    }
    let operation = SERVICE.find(action).ok_or_else(|| query::unknown_operation(&parameters))?;
    if !SERVED.contains(&operation.name) {
        return Err(not_served(SERVICE.signing_name, operation.name).into());
    }
    let document = parameters.document(operation.input)?;
    shapes::validate(operation.input, &document)
        .map_err(|failure| Failure::from((SERVICE.style, failure)))?;
    let asked = RequestInput::document(document.clone());
    let input = Input::new(operation.name, document);
    let output = match context {
        Some(mut context) if !by_token => {
            context.input = Some(Arc::new(asked));
            run(operation.name, &Call { app, context, arrival }, input).await?
        }
        _ => web_identity::assume_role(app, parts, arrival, input).await?,
    };
    query::answer(operation, &output, NAMESPACE, &arrival.request_id)
}

query::operations! {
    "AssumeRole" => roles::assume_role,
    "AssumeRoleWithWebIdentity" => web_identity::is_not_signed,
    "DecodeAuthorizationMessage" => decode_authorization_message,
    "GetAccessKeyInfo" => get_access_key_info,
    "GetCallerIdentity" => get_caller_identity,
    "GetFederationToken" => federation::get_federation_token,
    "GetSessionToken" => federation::get_session_token,
}

fn credentials(credentials: &Credentials) -> Value {
    json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret.expose_secret(),
        "SessionToken": credentials.token.expose_secret(),
        "Expiration": time(credentials.expires_at),
    })
}

async fn get_caller_identity(call: &Call<'_>, _input: Input) -> Result<Value> {
    let principal = call.execute(GetCallerIdentity).await?;
    Ok(json!({
        "Arn": principal.arn,
        "UserId": principal.unique_id,
        "Account": principal.account.as_str(),
    }))
}

async fn decode_authorization_message(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let message = input.text("EncodedMessage")?;
    let decoded = call.execute(DecodeAuthorizationMessage { message }).await?;
    Ok(json!({"DecodedMessage": decoded}))
}

async fn get_access_key_info(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let access_key_id = input.text("AccessKeyId")?;
    let account = call.execute(GetAccessKeyInfo { access_key_id }).await?;
    Ok(json!({"Account": account.as_str()}))
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_operation_of_the_domain_is_served_and_no_other() {
        let domain: Vec<&str> = OPERATIONS
            .iter()
            .filter(|entry| entry.service == Service::Sts)
            .map(|entry| entry.name)
            .collect();
        assert_eq!(SERVED, domain);
    }
}
