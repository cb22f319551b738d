//! The AWS services: which one a request is for, who signed it, and answers in its protocol.
//!
//! `X-Amz-Target` says AWS JSON, a form or an `Action` says AWS Query; what is neither is for a
//! service that is not served, and is told so in that service's own protocol, because all of a
//! client's services come here when somebody sets `AWS_ENDPOINT_URL`.

mod authenticate;
mod cloudtrail;
mod ecr;
pub mod error;
mod iam;
mod inspector2;
mod json;
mod query;
mod scope;
mod secretsmanager;
pub mod shapes;
mod signer;
mod sts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderValue, Method};
use tokio::sync::Semaphore;
use tonnage_domain::app::App;
use tonnage_domain::audit::parameters::RequestInput;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::Error;
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::names::Region;
use tonnage_domain::uploads::BodyStream;

use self::error::{Failure, Refusal, Result};
use crate::Arrival;
use crate::denial;
use crate::request::{ReadError, Request, Response, read};

/// The largest body of a request in general, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How many requests with larger bodies are in memory at a time. A layer part takes up to 80 MiB
/// while it is decoded: the document, then its base64 text and the bytes.
const LARGE_BODIES_MAX: usize = 16;
/// How long such a request waits for its turn. SDKs try again after that.
const LARGE_BODY_WAIT: Duration = Duration::from_secs(20);
static LARGE_BODIES: Semaphore = Semaphore::const_new(LARGE_BODIES_MAX);

/// An authenticated request for an operation.
struct Call<'a> {
    app: &'a Arc<App>,
    context: RequestContext,
    arrival: &'a Arrival,
}

impl Call<'_> {
    /// Runs the operation of this request.
    async fn execute<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        execute(self.app, &self.context, operation).await
    }
}

/// Answers a request for an AWS service.
pub(crate) async fn handle(app: &Arc<App>, request: Request, arrival: &Arrival) -> Response {
    let (mut parts, body) = request.into_parts();
    // Signatures cover the host header, which HTTP/2 spells as the target's authority; where there
    // are both, the authority counts (RFC 9110, section 7.2), and so it is what must be signed.
    if let Some(host) = signed_host(&parts, arrival) {
        parts.headers.insert(HOST, host);
    }
    let mut response = dispatch(app, &parts, body, arrival).await;
    if let Ok(id) = HeaderValue::from_str(&arrival.request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// The host that the client signed, where the header does not have it: over HTTP/2 it is the
/// target's authority, behind a trusted proxy what the proxy says.
fn signed_host(parts: &Parts, arrival: &Arrival) -> Option<HeaderValue> {
    let used = arrival.host.authority();
    let sent = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(HOST)?.to_str().ok()?,
    };
    // As it was written, because that is what was signed.
    let host = if sent.eq_ignore_ascii_case(used) { sent } else { used };
    HeaderValue::from_str(host).ok()
}

async fn dispatch(app: &Arc<App>, parts: &Parts, body: BodyStream, arrival: &Arrival) -> Response {
    if let Some(target) = parts.headers.get("x-amz-target") {
        let target = target.to_str().unwrap_or_default();
        let content_type = json::content_type(parts.headers.get(CONTENT_TYPE));
        return match json_service(app, parts, body, arrival, target).await {
            Ok(document) => json::answer(document),
            Err(failure) => {
                let wire = match target.rsplit_once('.') {
                    Some((prefix, _)) if prefix == secretsmanager::SERVICE.target_prefix => {
                        secretsmanager::wire(&failure)
                    }
                    _ => failure.json(),
                };
                let mut response = json::error(&wire, content_type);
                let explanation = denial::explanation(app, failure.denied()).await;
                denial::explain(&mut response, explanation);
                response
            }
        };
    }
    let service = scope::service(parts)
        .or_else(|| signer::service(parts))
        .or_else(|| inspector2::service(parts));
    if matches!(service.as_deref(), Some("s3" | "s3express" | "s3-outposts"))
        || (service.is_none() && asks_for_an_object(parts))
    {
        let refusal = Refusal::ServiceNotServed("s3".to_owned());
        let path = parts.uri.path();
        return query::s3_error(&refusal.wire(refusal.s3_code()), path, &arrival.request_id);
    }
    if is_query(parts) {
        let (answer, namespace) = match service.as_deref() {
            Some("iam") => (iam::handle(app, parts, body, arrival).await, iam::NAMESPACE),
            other => (sts::handle(app, parts, body, arrival, other).await, sts::NAMESPACE),
        };
        let failure = match answer {
            Ok(response) => return response,
            Err(failure) => failure,
        };
        let mut response = match service.as_deref() {
            Some("ec2") => query::ec2_error(&failure.query(), &arrival.request_id),
            _ => query::error(&failure.query(), namespace, &arrival.request_id),
        };
        let explanation = denial::explanation(app, failure.denied()).await;
        denial::explain(&mut response, explanation);
        return response;
    }
    if service.as_deref() == Some(signer::SIGNING_NAME) {
        let failure = match signer::handle(app, parts, body, arrival).await {
            Ok(response) => return response,
            Err(failure) => failure,
        };
        let content_type = HeaderValue::from_static("application/json");
        let mut response = json::error(&signer::wire(&failure), content_type);
        let explanation = denial::explanation(app, failure.denied()).await;
        denial::explain(&mut response, explanation);
        return response;
    }
    if service.as_deref() == Some(inspector2::SIGNING_NAME) {
        let failure = match inspector2::handle(app, parts, body, arrival).await {
            Ok(response) => return response,
            Err(failure) => failure,
        };
        let content_type = HeaderValue::from_static("application/json");
        let mut response = json::error(&inspector2::wire(&failure), content_type);
        let explanation = denial::explanation(app, failure.denied()).await;
        denial::explain(&mut response, explanation);
        return response;
    }
    let refusal = match service {
        Some(service) => Refusal::ServiceNotServed(service),
        None => Refusal::UnknownOperation(format!(
            "Tonnage serves the registry under /v2/ and AWS APIs at /; there is nothing at {} {}.",
            parts.method,
            parts.uri.path(),
        )),
    };
    let content_type = HeaderValue::from_static("application/json");
    json::error(&Failure::from(refusal).json(), content_type)
}

/// Whether a request that says nothing about itself looks like one for an object of S3.
fn asks_for_an_object(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD | Method::PUT)
        && parts.uri.path() != "/"
        && !has_action(parts)
}

fn is_query(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    has_action(parts)
        || content_type.is_some_and(|text| {
            text.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
        })
}

fn has_action(parts: &Parts) -> bool {
    form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .any(|(name, _)| name == "Action")
}

async fn json_service(
    app: &Arc<App>,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
    target: &str,
) -> Result<Bytes> {
    let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
    if cloudtrail::is_target(prefix) {
        return cloudtrail::handle(app, parts, body, arrival, operation).await;
    }
    let services =
        [&ecr::SERVICE, &ecr::public::SERVICE, &ecr::extensions::SERVICE, &secretsmanager::SERVICE];
    let Some(service) = services.into_iter().find(|service| service.target_prefix == prefix) else {
        let service = scope::service(parts).or_else(|| scope::printable(prefix));
        return Err(Refusal::ServiceNotServed(service.unwrap_or_default()).into());
    };
    let name = service.signing_name;
    let known = service.find(operation).filter(|_| parts.method == Method::POST);
    let Some(known) = known else {
        let operation = scope::printable(operation).unwrap_or_default();
        let text = format!("{name} has no operation `{operation}` for {}.", parts.method);
        return Err(Refusal::UnknownOperation(text).into());
    };
    let is_secrets = name == secretsmanager::SERVICE.signing_name;
    let limit = if is_secrets { BODY_BYTES_MAX } else { ecr::body_bytes_max(known.name) };
    // Held until the answer is made, so that memory is bounded however many clients upload.
    let _turn = if limit > BODY_BYTES_MAX {
        let turn = tokio::time::timeout(LARGE_BODY_WAIT, LARGE_BODIES.acquire()).await;
        Some(turn.map_err(|_| Refusal::Busy)?.map_err(Error::internal)?)
    } else {
        None
    };
    let (body, mut context) = authenticated(app, parts, body, arrival, name, limit).await?;
    context.input = Some(Arc::new(RequestInput::json(&body)));
    let document = json::decode(service, known, body).await?;
    if name == ecr::public::SERVICE.signing_name {
        // Whatever region a client signs for: public registries are in none.
        context.region = Region::global();
        return ecr::public::run(known.name, &Call { app, context, arrival }, document).await;
    }
    let call = Call { app, context, arrival };
    if name == ecr::extensions::SERVICE.signing_name {
        return ecr::extensions::run(known.name, call, document).await;
    }
    match is_secrets {
        true => secretsmanager::run(known.name, &call, document).await,
        false => ecr::run(known.name, &call, document).await,
    }
}

/// Reads the body and checks the signature over it. What can be refused without the body is
/// refused before it is kept in memory.
async fn authenticated(
    app: &Arc<App>,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
    service: &'static str,
    limit: usize,
) -> Result<(Bytes, RequestContext)> {
    let claimed = match authenticate::claim(app, parts, arrival, service).await {
        Ok(claimed) => claimed,
        Err(failure) => {
            discard(body, limit).await;
            return Err(failure);
        }
    };
    let body = read_body(body, limit).await?;
    let context = claimed.verify(app, parts, &body, arrival).await?;
    Ok((body, context))
}

/// Whether a request says that somebody signed it, in whatever way.
fn is_signed(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    parts.headers.contains_key(AUTHORIZATION)
        || form_urlencoded::parse(query).any(|(name, _)| name.starts_with("X-Amz-"))
}

async fn read_body(body: BodyStream, limit: usize) -> Result<Bytes> {
    let read = read(body, limit).await.map_err(|error| match error {
        ReadError::TooLarge => Refusal::TooLarge(limit),
        ReadError::Broken => Refusal::BodyIncomplete,
    });
    Ok(read?)
}

/// Takes the rest of a body in without keeping it: a client that is still sending would see a
/// broken connection rather than the answer. The listener does so too, but not for a whole part.
async fn discard(mut body: BodyStream, limit: usize) {
    use futures_util::StreamExt as _;
    let mut seen = 0_usize;
    while let Some(Ok(chunk)) = body.next().await {
        seen = seen.saturating_add(chunk.len());
        if seen > limit {
            return;
        }
    }
}
