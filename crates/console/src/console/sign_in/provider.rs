//! Signing in with an identity provider: the way there, and the way back.
//!
//! Both are links and not forms, as a form may lead nowhere else (`form-action`). The way there
//! changes nothing; the way back needs the cookie that the way there set.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::ExposeSecret as _;
use tonnage_domain::app::App;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::console_sessions::federation::{self, Back};

use super::super::cookies::{Cookie, Cookies};
use super::super::form::Form;
use super::super::{
    PREFIX, Visit, append, bare_page, broken, frame, html as with_html, parts, redirect,
};
use super::is_ours;

/// Where the way begins.
pub(crate) const BEGIN: &str = "sign-in/provider";
/// Where the provider sends people back to.
pub(crate) const BACK: &str = "sign-in/provider/back";

/// The host of the provider, as people know it; nothing where there is none.
pub(super) fn name(app: &App) -> Option<String> {
    let issuer = &app.settings.federation.as_ref()?.issuer;
    let rest = issuer.split_once("://").map_or(issuer.as_str(), |(_, rest)| rest);
    Some(rest.split('/').next().unwrap_or(rest).to_owned())
}

/// Where the way begins that then goes on to another page.
pub(super) fn begin_path(next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if is_ours(next) {
        query.append_pair("next", next);
    }
    let query = query.finish();
    match query.is_empty() {
        true => format!("{PREFIX}/{BEGIN}"),
        false => format!("{PREFIX}/{BEGIN}?{query}"),
    }
}

fn redirect_uri(visit: &Visit<'_>) -> String {
    format!("{}://{}{PREFIX}/{BACK}", visit.scheme, visit.authority)
}

pub(crate) async fn answer(
    app: &App,
    visit: &Visit<'_>,
    cookies: &Cookies<'_>,
    path: &str,
) -> Response<Bytes> {
    if *visit.method == Method::POST {
        return bare_page(visit, StatusCode::NOT_FOUND);
    }
    if app.settings.federation.is_none() {
        return bare_page(visit, StatusCode::NOT_FOUND);
    }
    let query = Form::parse(visit.uri.query().unwrap_or_default().as_bytes());
    match path {
        BEGIN => begin(app, visit, cookies, query.text("next")).await,
        _ => back(app, visit, cookies, &query).await,
    }
}

async fn begin(app: &App, visit: &Visit<'_>, cookies: &Cookies<'_>, next: &str) -> Response<Bytes> {
    match federation::begin(app, &redirect_uri(visit)).await {
        Ok(begun) => {
            let next = if is_ours(next) { next } else { "" };
            let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
            let kept = format!("{}.{next}", begun.secret);
            redirect(&begun.address, &[cookies.set(Cookie::Provider, &kept)])
        }
        Err(error) => failed(visit, cookies, "", &error),
    }
}

async fn back(
    app: &App,
    visit: &Visit<'_>,
    cookies: &Cookies<'_>,
    query: &Form,
) -> Response<Bytes> {
    let kept = cookies.get(Cookie::Provider).unwrap_or_default();
    let (secret, next) = kept.split_once('.').unwrap_or_default();
    let next = percent_decode_str(next).decode_utf8().unwrap_or_default();
    let next = if is_ours(&next) { next.as_ref() } else { "/console/" };
    if let Some(code) = query.optional("error") {
        let (code, more) =
            (federation::told(code), federation::told(query.text("error_description")));
        let text = match more.is_empty() {
            true => format!("The identity provider did not let you in: {code}."),
            false => format!("The identity provider did not let you in: {code}. It says: {more}"),
        };
        return failed(visit, cookies, next, &Error::new(ErrorKind::Unauthenticated, text));
    }
    let uri = redirect_uri(visit);
    let back = Back {
        secret,
        state: query.text("state"),
        code: query.text("code"),
        issuer: query.optional("iss"),
        redirect_uri: &uri,
    };
    match federation::finish(app, &visit.context, &back).await {
        Ok(new) => {
            let session = cookies.set(Cookie::Session, new.token.expose_secret());
            let mut response = redirect(next, &[session]);
            append(response.headers_mut(), &cookies.forget(Cookie::Provider));
            append(response.headers_mut(), &cookies.forget(Cookie::SignIn));
            response
        }
        Err(error)
            if error.kind() == ErrorKind::IdentityProviderUnreachable || !error.is_fault() =>
        {
            failed(visit, cookies, next, &error)
        }
        Err(error) => broken(visit, &error),
    }
}

/// What went wrong, who can mend it, and the way to begin again.
fn failed(visit: &Visit<'_>, cookies: &Cookies<'_>, next: &str, error: &Error) -> Response<Bytes> {
    let (status, advice) = match error.kind() {
        ErrorKind::IdentityProviderUnreachable => {
            (StatusCode::BAD_GATEWAY, "Try again in a minute, or sign in with a key or a password.")
        }
        ErrorKind::AccessDenied => (
            StatusCode::FORBIDDEN,
            "Whoever administers the account can let the trust policy of the role allow you: the action is sts:AssumeRoleWithWebIdentity, and the provider tells sub and aud.",
        ),
        ErrorKind::InvalidIdentityToken | ErrorKind::IdentityTokenExpired => (
            StatusCode::FORBIDDEN,
            "The account must know the provider, with the client id of the console: aws iam create-open-id-connect-provider --url ISSUER --client-id-list CLIENT_ID",
        ),
        _ => (parts::status_of(error), ""),
    };
    let content = html! {
        div.panel {
            h1 { "You are not signed in" }
            div."notice"."bad" role="alert" { p { (error.message()) } }
            @if !advice.is_empty() { p { (advice) } }
            p { a.button href=(begin_path(next)) { "Try again" } }
            p { a href=(super::path_to(next)) { "Other ways to sign in" } }
        }
    };
    let mut response =
        with_html(status, frame::render_bare(visit, "You are not signed in", &content));
    append(response.headers_mut(), &cookies.forget(Cookie::Provider));
    response
}
