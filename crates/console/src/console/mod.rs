//! The console: what people see and do of the registries of their account.
//!
//! A page is a function of `routes::ROUTES` that is given who asks (`asked::Asked`) and answers
//! with a `reply::Reply`. Whatever it reads or changes it reads and changes by operations of the
//! domain, as the person who is signed in; so nobody sees or does here what policies deny elsewhere.
//! Pages work without scripts. What is sent is a form with a token of the session, and is answered
//! with a redirect that says what came of it.

mod account;
mod activity;
mod asked;
mod cookies;
mod dashboard;
mod form;
mod forms;
mod frame;
mod iam;
mod jobs;
mod multipart;
mod parts;
mod public;
mod recorded;
mod registry;
mod reply;
mod repositories;
mod routes;
mod sign_in;
mod simulator;
mod statements;
mod switching;
mod usage;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{Method, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use tonnage_domain::app::App;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{Error, ErrorKind, chain};
use tonnage_domain::identities::console_sessions::{self, ConsoleSession};
use tonnage_domain::names::Region;

use self::asked::Asked;
use self::cookies::{Cookie, Cookies};
use self::form::Form;
use self::reply::{Flash, Page, Reply};
use crate::assets;

/// Where the console is.
pub const PREFIX: &str = "/console";
/// What a page sends along that looks for what is new in it.
const LOOKS_AGAIN: &str = "x-tonnage-looks-again";
/// The largest form: a policy or a lifecycle policy, escaped.
pub const FORM_BYTES_MAX: usize = 512 * 1024;
/// Nothing but what this host serves as files, and no page of others around ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Whose policy a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyOf {
    /// A repository or a registry.
    Resource,
    /// A user, a group or a role.
    Identity,
    /// A role: who may take it.
    Trust,
}

/// What is probably a mistake in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The JSON path of what is meant.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Says what is probably wrong with a policy, or why it is none.
pub type Lint<'l> = dyn Fn(PolicyOf, &str) -> Result<Vec<Mistake>, String> + Sync + 'l;

/// Somebody who asks for a page or sends a form.
pub struct Visit<'v> {
    /// The method.
    pub method: &'v Method,
    /// What they ask for.
    pub uri: &'v Uri,
    /// The headers of their request.
    pub headers: &'v HeaderMap,
    /// `http` or `https`.
    pub scheme: &'v str,
    /// The host that they used.
    pub authority: &'v str,
    /// Where docker finds the private registries of a region under this host, and of the account of
    /// the context.
    pub registry_authority:
        &'v (dyn Fn(&tonnage_domain::names::AccountId, &Region) -> String + Sync),
    /// What is probably wrong with a policy, or why it is none.
    pub lint: &'v Lint<'v>,
    /// The actions that policies can speak of, by service and name.
    pub actions: &'v (dyn Fn() -> Vec<(&'static str, &'static str)> + Sync),
    /// What they sent, at most [`FORM_BYTES_MAX`].
    pub body: Bytes,
    /// Whether passwords and sessions may travel over plain HTTP from other machines.
    pub plain_http: bool,
    /// Nobody in particular yet, in the management account and the default region.
    pub context: RequestContext,
}

impl Visit<'_> {
    /// Whether a secret that travels stays among those who speak: TLS, or one machine. A browser
    /// that names a loopback host speaks to its own machine.
    fn is_private(&self) -> bool {
        let host = self.authority.rsplit_once(':').map_or(self.authority, |(host, _)| host);
        let host = if self.authority.ends_with(']') { self.authority } else { host };
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let is_local = name == "localhost" || name.ends_with(".localhost");
        self.scheme == "https" || is_loopback || is_local
    }

    /// Whether a page asks by itself what is new in it: nobody is there for that.
    fn looks_again(&self) -> bool {
        *self.method == Method::GET && self.headers.contains_key(LOOKS_AGAIN)
    }

    /// Whether what was sent was sent by a page of ours.
    fn is_from_here(&self) -> bool {
        let text = |name: &HeaderName| {
            self.headers.get(name).map(|value| value.to_str().unwrap_or_default())
        };
        let site = text(&HeaderName::from_static("sec-fetch-site"));
        let origin = text(&ORIGIN);
        let own = format!("{}://{}", self.scheme, self.authority);
        let site_fits = site.as_ref().is_none_or(|site| *site == "same-origin");
        let origin_fits = origin.as_ref().is_none_or(|origin| *origin == own);
        (site.is_some() || origin.is_some()) && site_fits && origin_fits
    }
}

/// The addresses of all pages for people who are signed in, as the table has them.
pub fn pages() -> impl Iterator<Item = &'static str> {
    routes::ROUTES.iter().filter(|route| route.get.is_some()).map(|route| route.pattern)
}

/// Answers with a page, a file, or an error for people.
pub async fn answer(app: &App, visit: &Visit<'_>) -> Response<Bytes> {
    if let Some(asset) = assets::find(visit.uri.path()) {
        let mut response =
            with_body(StatusCode::OK, asset.media_type, Bytes::from_static(asset.bytes));
        let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(CACHE_CONTROL, forever);
        return response;
    }
    let cookies = Cookies::read(visit);
    let response = match *visit.method {
        Method::GET | Method::HEAD | Method::POST => route(app, visit, &cookies).await,
        _ => {
            let mut response = bare_page(visit, StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            response
        }
    };
    match *visit.method {
        Method::HEAD => response.map(|_| Bytes::new()),
        _ => response,
    }
}

/// What everybody may ask for, and who is signed in for the rest.
async fn route(app: &App, visit: &Visit<'_>, cookies: &Cookies<'_>) -> Response<Bytes> {
    if !visit.is_private() && !visit.plain_http {
        return html(StatusCode::FORBIDDEN, sign_in::refused_plain(visit));
    }
    let Ok(path) = percent_decode_str(visit.uri.path()).decode_utf8() else {
        return bare_page(visit, StatusCode::NOT_FOUND);
    };
    let Some(rest) = path.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')) else {
        return redirect(&format!("{PREFIX}/"), &[]);
    };
    let sends = *visit.method == Method::POST;
    if sends && !visit.is_from_here() {
        return bare_page(visit, StatusCode::FORBIDDEN);
    }
    let form = if sends { Form::sent(visit.headers, &visit.body) } else { Form::default() };
    if rest == "sign-in" {
        return sign_in::answer(app, visit, cookies, &form).await;
    }
    if matches!(rest, sign_in::provider::BEGIN | sign_in::provider::BACK) {
        return sign_in::provider::answer(app, visit, cookies, rest).await;
    }
    let token = cookies.get(Cookie::Session).unwrap_or_default();
    let session = match visit.looks_again() {
        true => console_sessions::look(app, token, visit.context.now).await,
        false => console_sessions::find(app, token, visit.context.now).await,
    };
    let session = match session {
        Ok(session) => session,
        Err(error) => return broken(visit, &error),
    };
    let Some(session) = session else {
        // What was sent is lost: the page that it was sent from is gone with its session.
        let wanted = if sends { String::new() } else { visit.uri.to_string() };
        return redirect(&sign_in::path_to(&wanted), &cookies.forget(Cookie::Session));
    };
    if session.role_is_over {
        return switching::over(app, visit, cookies, &session).await;
    }
    if sends && !is_same(form.text("csrf"), &csrf_of_session(&session, token)) {
        return bare_page(visit, StatusCode::FORBIDDEN);
    }
    let must_change = session.must_change_password && !matches!(rest, "password" | "sign-out");
    if must_change {
        return redirect(&format!("{PREFIX}/password"), &[]);
    }
    signed_in(app, visit, cookies, (session, token), (rest, form)).await
}

async fn signed_in(
    app: &App,
    visit: &Visit<'_>,
    cookies: &Cookies<'_>,
    (session, token): (ConsoleSession, &str),
    (path, form): (&str, Form),
) -> Response<Bytes> {
    let (region, found) = match routes::find(path) {
        Some(found) => found,
        None => {
            let region = app.default_region.clone();
            match path {
                "" => return redirect(&format!("{PREFIX}/{region}/"), &[]),
                _ => (None, routes::MISSING),
            }
        }
    };
    let mut context = visit.context.clone();
    context.account = session.acting().account;
    context.principal = session.acting().clone();
    context.region = region.unwrap_or_else(|| app.default_region.clone());
    let asked = Asked {
        app,
        visit,
        csrf: csrf_of_session(&session, token),
        query: Form::parse(visit.uri.query().unwrap_or_default().as_bytes()),
        parameters: found.parameters,
        flash: cookies.get(Cookie::Flash).and_then(Flash::read),
        menu_path: found.menu_path,
        session,
        context,
        form,
    };
    let sends = *visit.method == Method::POST;
    let answer = match (sends, found.get, found.post) {
        (false, Some(handler), _) | (true, _, Some(handler)) => handler(&asked).await,
        _ => Ok(Reply::Missing),
    };
    let mut response = match answer {
        Ok(Reply::Page(page)) => {
            let mut response = html(page.status, frame::render(&asked, &page));
            // What was said is not said again.
            if asked.flash.is_some() && !visit.looks_again() {
                append(response.headers_mut(), &cookies.forget(Cookie::Flash));
            }
            response
        }
        Ok(Reply::Moved { path, flash }) => {
            let set = flash.map(|flash| cookies.set(Cookie::Flash, &flash.write()));
            redirect(&path, &set.into_iter().collect::<Vec<_>>())
        }
        Ok(Reply::SignedIn { path, token, flash }) => {
            let set = [
                cookies.set(Cookie::Session, token.expose_secret()),
                cookies.set(Cookie::Flash, &flash.write()),
            ];
            redirect(&path, &set)
        }
        Ok(Reply::Image { media_type, bytes }) => with_body(StatusCode::OK, media_type, bytes),
        Ok(Reply::SignedOut) => redirect(&sign_in::path_to(""), &cookies.forget(Cookie::Session)),
        Ok(Reply::Missing) => html(StatusCode::NOT_FOUND, frame::render(&asked, &missing_page())),
        Err(error) => {
            let page = parts::error_page(&error);
            html(page.status, frame::render(&asked, &page))
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn missing_page() -> Page {
    Page::new(
        "There is nothing here",
        maud::html! {
            div.empty {
                p { "The address has a mistake, or what it named is gone." }
            }
        },
    )
    .with_status(StatusCode::NOT_FOUND)
}

/// What forms of a session carry. Whoever knows the token knows it, and nobody else; it tells
/// nothing of the token.
fn csrf_of(token: &str) -> String {
    assets::fingerprint_long(format!("csrf {token}").as_bytes())
}

/// What forms carry of a session as who it acts: one that was opened before somebody took a role, or
/// left it, does nothing as somebody else.
fn csrf_of_session(session: &ConsoleSession, token: &str) -> String {
    let role = session.role.as_ref().and_then(|role| role.principal.access_key_id.as_deref());
    match role {
        Some(key) => csrf_of(&format!("{token} {key}")),
        None => csrf_of(token),
    }
}

/// Compares what was sent with what should have been, in a time that tells nothing of either.
fn is_same(sent: &str, expected: &str) -> bool {
    sent.as_bytes().ct_eq(expected.as_bytes()).into()
}

fn html(status: StatusCode, text: String) -> Response<Bytes> {
    let mut response = with_body(status, "text/html; charset=utf-8", text.into());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// To another page, which is then read.
fn redirect(path: &str, cookies: &[HeaderValue]) -> Response<Bytes> {
    let mut response = with_body(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    let home = HeaderValue::from_static("/console/");
    let location = HeaderValue::try_from(path).unwrap_or(home);
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    append(response.headers_mut(), cookies);
    response
}

fn append(headers: &mut HeaderMap, cookies: &[HeaderValue]) {
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie.clone());
    }
}

fn with_body(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let length = body.len();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    let resource = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resource, HeaderValue::from_static("same-origin"));
    response
}

fn broken(visit: &Visit<'_>, error: &Error) -> Response<Bytes> {
    if error.kind() == ErrorKind::Internal {
        tracing::error!(error = chain(error), "a page of the console failed");
        return bare_page(visit, StatusCode::INTERNAL_SERVER_ERROR);
    }
    bare_page(visit, StatusCode::SERVICE_UNAVAILABLE)
}

/// A form that is too large to be read.
pub fn too_large(visit: &Visit<'_>) -> Response<Bytes> {
    bare_page(visit, StatusCode::PAYLOAD_TOO_LARGE)
}

/// An error of somebody who is not known.
fn bare_page(visit: &Visit<'_>, status: StatusCode) -> Response<Bytes> {
    let (title, text) = match status {
        StatusCode::NOT_FOUND => {
            ("There is nothing here", "The address has a mistake, or what it named is gone.")
        }
        StatusCode::FORBIDDEN => (
            "That was not sent from this console",
            "The form came from another page, or from one that you opened before you signed in \
             again or took another role. Nothing was changed. Open the page again and repeat what you did.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("Pages are read, and forms are sent", "The console knows no other method.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("That is too much", "A form of the console has at most 512 KiB. Nothing was changed.")
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            ("Not now", "The registry cannot answer at the moment. Try again in a minute.")
        }
        _ => ("Something broke", "That is a defect of the registry; its log says more."),
    };
    html(
        status,
        frame::render_bare(
            visit,
            title,
            &maud::html! {
                div.panel {
                    h1 { (title) }
                    p { (text) }
                    p { a href="/console/" { "To the console" } }
                }
            },
        ),
    )
}
