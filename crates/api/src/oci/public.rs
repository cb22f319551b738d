//! Public registries: who asks, the tokens that clients fetch before they do, and paths that begin
//! with an alias.
//!
//! As at ECR Public, every request carries a token: an anonymous one for those without credentials,
//! or that of `aws ecr-public get-login-password`, as Bearer or Basic.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use tonnage_domain::app::App;
use tonnage_domain::context::Principal;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::public::aliases;
use tonnage_domain::public::authorization::{
    ANONYMOUS_SECONDS, PublicIdentity, anonymous_token, verify_basic, verify_bearer,
};

use super::authenticate::{AUTHORIZATION_BYTES_MAX, Challenge};
use super::error::OciError;
use super::profile::{Profile, Rules};
use super::routes::{self, Route};
use super::{Call, Refusal, complete, dispatch, json, ping, without_content};
use crate::Arrival;
use crate::request::{Request, Response};

/// The name of a repository without the alias before it.
pub(super) fn without_alias<'n>(alias: &str, name: &'n str) -> &'n str {
    name.strip_prefix(alias).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default()
}

/// Answers a request under `/v2/` of a public registry.
pub(super) async fn answer(
    app: &Arc<App>,
    rules: &'static Rules,
    request: Request,
    arrival: &Arrival,
) -> Result<Response, Refusal> {
    let identity = identify(app, rules, request.headers(), arrival).await?;
    let path = request.uri().path().to_owned();
    let route = routes::parse(&path).ok_or(Refusal::NotFound)?;
    let name = match route {
        Route::Ping => {
            return match *request.method() {
                Method::GET | Method::HEAD => Ok(ping()),
                _ => Err(Refusal::MethodNotAllowed(route.methods(rules))),
            };
        }
        // ECR Public lists its repositories in the gallery only.
        Route::Catalog => return Err(Refusal::NotFound),
        Route::Tags { name }
        | Route::Manifest { name, .. }
        | Route::Blob { name, .. }
        | Route::Uploads { name }
        | Route::Upload { name, .. }
        | Route::Referrers { name, .. } => name,
    };
    let alias = name.split_once('/').map(|(alias, _)| alias).unwrap_or_default().to_owned();
    let account = registry_of(app, name, &alias).await?;
    let principal = match identity {
        PublicIdentity::Anonymous => Principal::anonymous(account),
        PublicIdentity::Known(principal) => *principal,
    };
    let context = arrival.context(request.headers(), principal, account, Region::global());
    let call = Call { app, rules, arrival, context, request, alias: Some(alias) };
    dispatch(call, route).await
}

async fn registry_of(app: &App, name: &str, alias: &str) -> Result<AccountId, OciError> {
    aliases::resolve(app, alias).await?.ok_or_else(|| {
        OciError::new(
            StatusCode::NOT_FOUND,
            "NAME_UNKNOWN",
            format!(
                "There is no public repository '{name}': no public registry has the alias '{alias}'."
            ),
        )
    })
}

/// Who asks.
async fn identify(
    app: &App,
    rules: &Rules,
    headers: &HeaderMap,
    arrival: &Arrival,
) -> Result<PublicIdentity, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::Challenge(Challenge::Missing));
    };
    let malformed = || Refusal::Challenge(Challenge::Malformed);
    let value = value.to_str().map_err(|_| malformed())?;
    if value.len() > AUTHORIZATION_BYTES_MAX {
        return Err(malformed());
    }
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    let verified = if scheme.eq_ignore_ascii_case("bearer") {
        verify_bearer(app, credentials.trim(), arrival.now).await
    } else if scheme.eq_ignore_ascii_case("basic") {
        verify_basic(app, credentials.trim(), arrival.now).await
    } else {
        return Err(Refusal::Challenge(Challenge::Missing));
    };
    verified.map_err(|error| stale(rules, error))
}

/// Clients that are challenged fetch a new token.
fn stale(rules: &Rules, error: Error) -> Refusal {
    let code = match error.kind() {
        ErrorKind::TokenExpired => "DENIED",
        ErrorKind::TokenInvalid | ErrorKind::Unauthenticated => "UNAUTHORIZED",
        _ => return Refusal::Error(error.into()),
    };
    Refusal::Error(OciError::new(rules.stale_token, code, error.message()))
}

/// `GET /token/`: the token that a client goes on with. What a client wants to do with it is not
/// asked: every request is decided about by itself.
pub(crate) async fn token(
    app: &Arc<App>,
    profile: Profile,
    request: Request,
    arrival: &Arrival,
) -> Response {
    let rules = profile.rules();
    let is_head = request.method() == Method::HEAD;
    let answer = match *request.method() {
        Method::GET | Method::HEAD => give(app, rules, request.headers(), arrival).await,
        // Clients that try OAuth 2 first go on with GET then.
        _ => Err(Refusal::MethodNotAllowed("GET, HEAD")),
    };
    let mut response = answer.unwrap_or_else(|refusal| refusal.into_response(rules));
    complete(&mut response, None, arrival);
    if is_head {
        without_content(&mut response);
    }
    response
}

async fn give(
    app: &App,
    rules: &Rules,
    headers: &HeaderMap,
    arrival: &Arrival,
) -> Result<Response, Refusal> {
    let body = match headers.get(AUTHORIZATION) {
        None => serde_json::json!({
            "token": anonymous_token(app, arrival.now).await?,
            "expires_in": ANONYMOUS_SECONDS,
        }),
        Some(value) => {
            identify(app, rules, headers, arrival).await?;
            // The credentials themselves are good as a token, and stop being so when they do.
            let text = value.to_str().unwrap_or_default();
            let credentials = text.split_once(' ').map_or("", |(_, credentials)| credentials);
            serde_json::json!({ "token": credentials.trim() })
        }
    };
    Ok(json(StatusCode::OK, "application/json", &body))
}
