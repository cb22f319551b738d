//! AWS Signer, version 2017-08-25, over REST-JSON: the three operations that managed signing needs,
//! and beside them the certificate that verifiers trust.

use std::sync::Arc;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use tonnage_domain::app::App;
use tonnage_domain::audit::parameters::RequestInput;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::not_served;
use tonnage_domain::identities::page_token;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::signing::certificates::SIGNING_MONTHS;
use tonnage_domain::signing::profiles::get_signing_profile::GetSigningProfile;
use tonnage_domain::signing::profiles::list_signing_profiles::ListSigningProfiles;
use tonnage_domain::signing::profiles::put_signing_profile::PutSigningProfile;
use tonnage_domain::signing::profiles::{PLATFORM, SigningProfile};
use tonnage_domain::uploads::BodyStream;

use super::error::{Failure, Refusal, Result, Wire};
use super::{BODY_BYTES_MAX, Call, authenticated, json};
use crate::Arrival;
use crate::body::Body;
use crate::request::Response;

/// The name in the SigV4 credential scope.
pub(super) const SIGNING_NAME: &str = "signer";
const PREFIX: &str = "/signing-profiles";
/// Profiles on a page (botocore `signer`, shape `MaxResults`).
const PAGE_MAX: u32 = 25;
/// Tags of a profile (botocore `signer`, shape `TagMap`).
const TAGS_MAX: usize = 200;
const PLATFORM_NAME: &str = "Notation for container registries";

/// The service, for a request that nobody signed and that has an address of this one.
pub(super) fn service(parts: &Parts) -> Option<String> {
    parts.uri.path().starts_with(PREFIX).then(|| SIGNING_NAME.to_owned())
}

/// Answers a request that says it is for AWS Signer.
pub(super) async fn handle(
    app: &Arc<App>,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
) -> Result<Response> {
    let (body, mut context) =
        authenticated(app, parts, body, arrival, SIGNING_NAME, BODY_BYTES_MAX).await?;
    context.input = Some(Arc::new(RequestInput::json(&body)));
    let call = Call { app, context, arrival };
    let rest = parts.uri.path().strip_prefix(PREFIX).map(|rest| rest.trim_matches('/'));
    let document =
        match (&parts.method, rest.map(|rest| rest.split_once('/').unwrap_or((rest, "")))) {
            (&Method::GET, Some(("", ""))) => list(&call, parts.uri.query()).await?,
            (&Method::GET, Some((name, ""))) => get(&call, name).await?,
            (&Method::PUT, Some((name, ""))) if !name.is_empty() => put(&call, name, &body).await?,
            (&Method::GET, Some((name, "certificate"))) => return certificate(&call, name).await,
            (method, _) => {
                let what = format!("{method} {}", parts.uri.path());
                return Err(not_served(SIGNING_NAME, &what).into());
            }
        };
    let mut response = json::answer(json::output(&document)?);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A failure in the words of this service.
pub(super) fn wire(failure: &Failure) -> Wire {
    let wire = failure.json();
    let Failure::Failed(error) = failure else { return wire };
    let (code, status) = match error.kind() {
        ErrorKind::AccessDenied => ("AccessDeniedException", 403),
        ErrorKind::NoSuchEntity => ("ResourceNotFoundException", 404),
        ErrorKind::EntityAlreadyExists | ErrorKind::InvalidParameter => {
            ("ValidationException", 400)
        }
        ErrorKind::Throttled => ("TooManyRequestsException", 429),
        ErrorKind::Internal => ("InternalServiceErrorException", 500),
        _ => return wire,
    };
    Wire { code, status, ..wire }
}

fn invalid(field: &str, constraint: &str) -> Error {
    Error::invalid_parameter(field, constraint)
}

fn check_name(name: &str) -> Result<String, Error> {
    let fits = (2..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then(|| name.to_owned()).ok_or_else(|| {
        invalid("profileName", "Member must be 2 to 64 letters, digits and underscores")
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutInput {
    platform_id: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    signing_material: Option<Value>,
    signature_validity_period: Option<Value>,
    overrides: Option<Value>,
    signing_parameters: Option<Value>,
}

async fn put(call: &Call<'_>, name: &str, body: &Bytes) -> Result<Value> {
    let input: PutInput = serde_json::from_slice(body)
        .map_err(|error| Refusal::Serialization(Some(error.to_string())))?;
    for (field, value) in [
        ("signingMaterial", &input.signing_material),
        ("signatureValidityPeriod", &input.signature_validity_period),
        ("overrides", &input.overrides),
        ("signingParameters", &input.signing_parameters),
    ] {
        if value.as_ref().is_some_and(|value| !value.is_null()) {
            let constraint =
                "Tonnage does not have this: a profile has a key of its own, valid for 135 months";
            return Err(invalid(field, constraint).into());
        }
    }
    if input.tags.len() > TAGS_MAX {
        return Err(invalid("tags", "Member must have at most 200 entries").into());
    }
    let platform =
        input.platform_id.ok_or_else(|| invalid("platformId", "Member must not be null"))?;
    let operation = PutSigningProfile { name: check_name(name)?, platform, tags: input.tags };
    let profile = call.execute(operation).await?;
    Ok(json!({
        "arn": profile.arn,
        "profileVersion": profile.version,
        "profileVersionArn": format!("{}/{}", profile.arn, profile.version),
    }))
}

fn shown(profile: &SigningProfile) -> Value {
    json!({
        "profileName": profile.name,
        "profileVersion": profile.version,
        "profileVersionArn": format!("{}/{}", profile.arn, profile.version),
        "platformId": PLATFORM,
        "platformDisplayName": PLATFORM_NAME,
        "signatureValidityPeriod": { "value": SIGNING_MONTHS, "type": "MONTHS" },
        "status": "Active",
        "arn": profile.arn,
        "tags": profile.tags,
    })
}

async fn get(call: &Call<'_>, name: &str) -> Result<Value> {
    let found = call.execute(GetSigningProfile { name: check_name(name)? }).await?;
    Ok(shown(&found.profile))
}

/// The certificate in PEM form: what a trust policy of the Notary Project names.
async fn certificate(call: &Call<'_>, name: &str) -> Result<Response> {
    let found = call.execute(GetSigningProfile { name: check_name(name)? }).await?;
    let encoded = STANDARD.encode(&found.authority);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    let mut response = Response::new(Body::full(text));
    let kind = HeaderValue::from_static("application/x-pem-file");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

async fn list(call: &Call<'_>, query: Option<&str>) -> Result<Value> {
    let (mut limit, mut token, mut is_wanted) = (PAGE_MAX, None, true);
    let (mut statuses, mut any_status) = (Vec::new(), true);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "maxResults" => {
                limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=PAGE_MAX).contains(limit))
                    .ok_or_else(|| invalid("maxResults", "Member must be between 1 and 25"))?;
            }
            "nextToken" => token = Some(value.into_owned()),
            "platformId" => is_wanted = value == PLATFORM,
            "statuses" => {
                any_status = false;
                statuses.push(value.into_owned());
            }
            _ => {}
        }
    }
    let listing =
        format!("signer:ListSigningProfiles {} {}", call.context.account, call.context.region);
    let after = match token {
        Some(token) => Some(page_token::open(call.app, &listing, &token).await?),
        None => None,
    };
    let page = call.execute(ListSigningProfiles { page: PageRequest { after, limit } }).await?;
    is_wanted &= any_status || statuses.iter().any(|status| status == "Active");
    let profiles: Vec<Value> = page.items.iter().filter(|_| is_wanted).map(shown).collect();
    let mut document = json!({ "profiles": profiles });
    if let Some(next) = page.next {
        document["nextToken"] = page_token::seal(call.app, &listing, &next).await?.into();
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    #[test]
    fn every_operation_of_the_domain_is_served_and_no_other() {
        let domain: Vec<&str> = OPERATIONS
            .iter()
            .filter(|entry| entry.service == Service::Signer)
            .map(|entry| entry.name)
            .collect();
        assert_eq!(domain, ["GetSigningProfile", "ListSigningProfiles", "PutSigningProfile"]);
    }
}
