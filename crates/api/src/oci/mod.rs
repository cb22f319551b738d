//! The distribution protocol under `/v2/`, and download links.
//!
//! A request is routed, authenticated, and becomes one operation of the domain. What differs
//! between the specification and ECR stands in `profile.rs`.

mod authenticate;
mod blobs;
mod catalog;
mod error;
mod manifests;
mod mirror;
pub mod profile;
pub(crate) mod public;
mod ranges;
mod referrers;
pub mod routes;
mod tags;
mod uploads;

use std::sync::Arc;

use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::{Method, StatusCode};
use tonnage_domain::app::App;
use tonnage_domain::context::RequestContext;
use tonnage_domain::names::{Digest, NameError, RepositoryName};
use tonnage_domain::repositories::RepositoryAddress;

use self::authenticate::Challenge;
use self::error::OciError;
use self::profile::{Profile, Rules};
pub use self::routes::ROUTES;
use self::routes::Route;
use crate::Arrival;
use crate::body::Body;
use crate::denial;
use crate::request::{Request, Response};

/// Where download links begin.
pub(crate) const DOWNLOAD_PREFIX: &str = "/layers/";

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A request with everything its handler needs.
struct Call<'a> {
    app: &'a Arc<App>,
    rules: &'static Rules,
    arrival: &'a Arrival,
    context: RequestContext,
    request: Request,
    /// The alias that the path names, at public registries.
    alias: Option<String>,
}

impl Call<'_> {
    /// The repository that a path names; at public registries with an alias before it.
    fn repository(&self, name: &str) -> Result<RepositoryAddress, OciError> {
        let name = match &self.alias {
            None => RepositoryName::parse(name),
            Some(alias) => RepositoryName::parse_public(public::without_alias(alias, name)),
        };
        let name = name.map_err(|error| invalid_name(&error))?;
        Ok(RepositoryAddress::new(&self.context, None, name))
    }

    /// `{scheme}://{host}`, as the client used it.
    fn origin(&self) -> String {
        format!("{}://{}", self.arrival.scheme(), self.arrival.host.authority())
    }

    /// A parameter of the query string, decoded; the first one of this name.
    fn query(&self, name: &str) -> Option<String> {
        self.queries(name).next()
    }

    /// Every parameter of this name, decoded.
    fn queries(&self, name: &str) -> impl Iterator<Item = String> {
        let query = self.request.uri().query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The link to the next page of a listing.
    fn next(&self, target: &str) -> Result<HeaderValue, OciError> {
        let origin = if self.rules.absolute_links { self.origin() } else { String::new() };
        header(&format!("<{origin}{target}>; rel=\"next\""))
    }
}

fn invalid_name(error: &NameError) -> OciError {
    OciError::new(StatusCode::BAD_REQUEST, "NAME_INVALID", error.to_string())
}

fn parse_digest(text: &str) -> Result<Digest, OciError> {
    Digest::parse(text).map_err(|error| {
        OciError::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", error.to_string())
    })
}

/// Answers a request of the distribution protocol.
pub(crate) async fn handle(
    app: &Arc<App>,
    profile: Profile,
    request: Request,
    arrival: &Arrival,
) -> Response {
    let rules = profile.rules();
    let is_head = request.method() == Method::HEAD;
    let methods = routes::parse(request.uri().path()).map(|route| route.methods(rules));
    let answer = answer(app, rules, request, arrival).await;
    let explanation = match &answer {
        Err(Refusal::Error(error)) => denial::explanation(app, error.denied()).await,
        _ => None,
    };
    let mut response = answer.unwrap_or_else(|refusal| refusal.into_response(rules));
    denial::explain(&mut response, explanation);
    complete(&mut response, methods, arrival);
    if is_head {
        without_content(&mut response);
    }
    response
}

/// Adds what answers of one kind have in common, whoever gave them.
fn complete(response: &mut Response, methods: Option<&'static str>, arrival: &Arrival) {
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    // RFC 9110, sections 15.5.2 and 15.5.6. ECR's refusal of a parameter is a 405, too.
    if status == StatusCode::UNAUTHORIZED
        && let Ok(realm) = authenticate::realm(arrival)
    {
        headers.insert(WWW_AUTHENTICATE, realm);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Some(methods) = methods
    {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
}

/// What a HEAD answers: the header of a GET, without the bytes.
fn without_content(response: &mut Response) {
    let body = std::mem::replace(response.body_mut(), Body::empty());
    if let Some(length) = http_body::Body::size_hint(&body).exact().filter(|&length| length > 0) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Why a request got no answer of its handler.
enum Refusal {
    /// The client shall authenticate, in ECR's words.
    Challenge(Challenge),
    /// There is no such path.
    NotFound,
    /// The path has no such method.
    MethodNotAllowed(&'static str),
    /// An error of the specification.
    Error(OciError),
}

impl From<OciError> for Refusal {
    fn from(error: OciError) -> Self {
        Self::Error(error)
    }
}

impl From<tonnage_domain::error::Error> for Refusal {
    fn from(error: tonnage_domain::error::Error) -> Self {
        Self::Error(error.into())
    }
}

impl Refusal {
    fn into_response(self, rules: &Rules) -> Response {
        match self {
            Self::Challenge(challenge) => challenge.into_response(),
            Self::NotFound => {
                // ECR's own answer, which some clients look for.
                let mut response = text(StatusCode::NOT_FOUND, "404 page not found\n");
                response.headers_mut().insert(
                    HeaderName::from_static("x-content-type-options"),
                    HeaderValue::from_static("nosniff"),
                );
                response
            }
            Self::MethodNotAllowed(allowed) => {
                let mut response = OciError::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "UNSUPPORTED",
                    format!("This path answers {allowed} only."),
                )
                .into_response();
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                response
            }
            Self::Error(error) => error.under(rules).into_response(),
        }
    }
}

fn text(status: StatusCode, body: &'static str) -> Response {
    let mut response = http::Response::new(Body::full(body.as_bytes()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

async fn answer(
    app: &Arc<App>,
    rules: &'static Rules,
    request: Request,
    arrival: &Arrival,
) -> Result<Response, Refusal> {
    let path = request.uri().path().to_owned();
    if let Some(token) = path.strip_prefix(DOWNLOAD_PREFIX) {
        return blobs::download(app, request.method(), request.headers(), arrival, token).await;
    }
    refuse_nul(request.uri().query())?;
    if arrival.host.is_public() {
        return Box::pin(public::answer(app, rules, request, arrival)).await;
    }
    let identity = authenticate::authenticate(app, request.headers(), arrival)
        .await
        .map_err(Refusal::Challenge)?;
    let context =
        arrival.context(request.headers(), identity.principal, identity.account, identity.region);
    let call = Call { app, rules, arrival, context, request, alias: None };
    let route = routes::parse(&path).ok_or(Refusal::NotFound)?;
    dispatch(call, route).await
}

async fn dispatch(call: Call<'_>, route: Route<'_>) -> Result<Response, Refusal> {
    let rules = call.rules;
    let method = call.request.method().clone();
    // Each kind of answer has a state of its own size; what all requests pass through stays small.
    let response = match (route, method.as_str()) {
        (Route::Ping, "GET" | "HEAD") => ping(),
        (Route::Catalog, "GET" | "HEAD") => Box::pin(catalog::list(call)).await?,
        (Route::Tags { name }, "GET" | "HEAD") => Box::pin(tags::list(call, name)).await?,
        (Route::Manifest { name, reference }, "GET" | "HEAD") => {
            Box::pin(manifests::get(call, name, reference)).await?
        }
        (Route::Manifest { name, reference }, "PUT") => {
            Box::pin(manifests::put(call, name, reference)).await?
        }
        (Route::Manifest { name, reference }, "DELETE") => {
            Box::pin(manifests::delete(call, name, reference)).await?
        }
        (Route::Blob { name, digest }, "GET" | "HEAD") => {
            Box::pin(blobs::get(call, name, digest)).await?
        }
        (Route::Blob { name, digest }, "DELETE") if rules.blob_delete => {
            Box::pin(blobs::delete(call, name, digest)).await?
        }
        (Route::Uploads { name }, "POST") => Box::pin(uploads::start(call, name)).await?,
        (Route::Upload { name, id }, "GET" | "HEAD") => {
            Box::pin(uploads::status(call, name, id)).await?
        }
        (Route::Upload { name, id }, "PATCH") => Box::pin(uploads::append(call, name, id)).await?,
        (Route::Upload { name, id }, "PUT") => Box::pin(uploads::finish(call, name, id)).await?,
        (Route::Upload { name, id }, "DELETE") => Box::pin(uploads::cancel(call, name, id)).await?,
        (Route::Referrers { name, digest }, "GET" | "HEAD") => {
            Box::pin(referrers::list(call, name, digest)).await?
        }
        (route, _) => return Err(Refusal::MethodNotAllowed(route.methods(rules))),
    };
    Ok(response)
}

/// No name, tag, digest or token has NUL, and the database takes no text that has.
fn refuse_nul(query: Option<&str>) -> Result<(), OciError> {
    let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    if parameters.any(|(_, value)| value.contains('\0')) {
        return Err(OciError::new(
            StatusCode::BAD_REQUEST,
            "UNSUPPORTED",
            "A parameter of the query contains the character NUL.",
        ));
    }
    Ok(())
}

fn ping() -> Response {
    let mut response = http::Response::new(Body::full(&b"{}"[..]));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A JSON answer.
fn json(status: StatusCode, content_type: &'static str, value: &serde_json::Value) -> Response {
    let mut response = http::Response::new(Body::full(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A header value made of what we know to be visible ASCII: names, digests, numbers, URLs.
fn header(value: &str) -> Result<HeaderValue, OciError> {
    HeaderValue::from_str(value)
        .map_err(|error| tonnage_domain::error::Error::internal(error).into())
}
