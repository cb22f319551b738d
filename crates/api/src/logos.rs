//! Logos of public repositories: what `logoUrl` of ECR Public names.

use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use tonnage_domain::app::App;
use tonnage_domain::context::Principal;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::execute;
use tonnage_domain::names::{Region, RepositoryName};
use tonnage_domain::public::aliases;
use tonnage_domain::public::catalog::operations::GetRepositoryLogo;
use tonnage_domain::repositories::RepositoryAddress;

use crate::Arrival;
use crate::body::Body;
use crate::request::{Request, Response};

/// Where logos are: `/logos/{alias}/{repository}/{logo}.png`.
pub(crate) const PREFIX: &str = "/logos/";

/// The URL of a logo for the client of a request.
pub(crate) fn url(arrival: &Arrival, alias: &str, repository: &str, logo_id: &str) -> String {
    let (scheme, host) = (arrival.scheme(), arrival.host.public_authority());
    format!("{scheme}://{host}{PREFIX}{alias}/{repository}/{logo_id}.png")
}

/// Serves a logo to everybody.
pub(crate) async fn get(app: &Arc<App>, request: Request, arrival: &Arrival) -> Response {
    let (request, _) = request.into_parts();
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Logos can only be read.\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let bytes = match read(app, &request, arrival).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return text(StatusCode::NOT_FOUND, "There is no such logo.\n"),
        Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Throttled) => {
            return text(StatusCode::SERVICE_UNAVAILABLE, "Try again.\n");
        }
        Err(_) => return text(StatusCode::INTERNAL_SERVER_ERROR, "The server failed.\n"),
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    // Another logo has another name.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400, immutable"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    if request.method == Method::GET {
        *response.body_mut() = Body::full(bytes);
    }
    response
}

async fn read(
    app: &App,
    request: &Parts,
    arrival: &Arrival,
) -> Result<Option<bytes::Bytes>, Error> {
    let path = request.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let parts = path.strip_suffix(".png").and_then(|path| path.rsplit_once('/'));
    let parts = parts.and_then(|(names, logo_id)| Some((names.split_once('/')?, logo_id)));
    let Some(((alias, name), logo_id)) = parts else { return Ok(None) };
    let Ok(name) = RepositoryName::parse_public(name) else { return Ok(None) };
    if logo_id.len() != 32 || !logo_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let Some(account) = aliases::resolve(app, alias).await? else { return Ok(None) };
    let principal = Principal::anonymous(account);
    let context = arrival.context(&request.headers, principal, account, Region::global());
    let repository = RepositoryAddress::new(&context, None, name);
    let operation = GetRepositoryLogo { repository, logo_id: logo_id.to_owned() };
    match execute(app, &context, operation).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::RepositoryNotFound | ErrorKind::Unauthenticated
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn text(status: StatusCode, body: &'static str) -> Response {
    let mut response = Response::new(Body::full(body.as_bytes()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
