//! AWS STS, version 2011-06-15, over AWS Query.

use http::request::Parts;
use tonnage_domain::app::App;
use tonnage_domain::execute::not_served;
use tonnage_domain::identities::get_caller_identity::GetCallerIdentity;
use tonnage_domain::uploads::BodyStream;

use super::error::{Refusal, Result};
use super::query::{Parameters, Xml};
use super::{BODY_BYTES_MAX, Call, authenticated};
use crate::Arrival;
use crate::request::Response;

/// The namespace of every answer.
pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const SERVICE: &str = "sts";

/// The other operations of the API, which nothing can be done with before there are roles and
/// temporary credentials. Source: botocore `sts`, 2011-06-15.
const NOT_SERVED: [&str; 10] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
];

/// Answers a request of AWS Query, signed for `service` if it is signed at all.
pub(super) async fn handle(
    app: &App,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
    service: Option<&str>,
) -> Result<Response> {
    if let Some(other) = service.filter(|service| *service != SERVICE) {
        return Err(Refusal::ServiceNotServed(other.to_owned()).into());
    }
    let (body, context) = authenticated(app, parts, body, arrival, SERVICE, BODY_BYTES_MAX).await?;
    let parameters = Parameters::read(parts.uri.query(), &body);
    let action = parameters.get("Action").unwrap_or_default();
    match action {
        "GetCallerIdentity" => get_caller_identity(&Call { app, context, arrival }).await,
        _ if NOT_SERVED.contains(&action) => Err(not_served(SERVICE, action).into()),
        _ => Err(Refusal::UnknownOperation(format!(
            "Could not find operation {} for version {}",
            super::scope::printable(action).unwrap_or_default(),
            parameters.get("Version").and_then(super::scope::printable).unwrap_or_default(),
        ))
        .into()),
    }
}

async fn get_caller_identity(call: &Call<'_>) -> Result<Response> {
    let principal = call.execute(GetCallerIdentity).await?;
    let mut xml = Xml::new();
    xml.root("GetCallerIdentityResponse", NAMESPACE, |xml| {
        xml.element("GetCallerIdentityResult", |xml| {
            xml.text("Arn", &principal.arn);
            xml.text("UserId", &principal.unique_id);
            xml.text("Account", principal.account.as_str());
        });
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", &call.arrival.request_id));
    });
    Ok(xml.answer(200))
}
