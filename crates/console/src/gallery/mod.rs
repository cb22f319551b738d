//! The public gallery: what people see under the host of public registries.
//!
//! The address of a page is the reference by which its image is pulled: `/alias/repository:tag`.

mod image;
mod lists;
mod repository;
mod scans;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Response, StatusCode, Uri};
use maud::html;
use percent_encoding::percent_decode_str;
use tonnage_domain::app::App;
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::error::{Error, ErrorKind, chain};
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::gallery::listings::{BrowseGallery, Listing};
use tonnage_domain::gallery::search::{SearchGallery, Sort};
use tonnage_domain::gallery::view_image::ViewImage;
use tonnage_domain::gallery::view_publisher::ViewPublisher;
use tonnage_domain::gallery::view_repository::ViewRepository;
use tonnage_domain::names::{Reference, RepositoryName, Tag};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::public::aliases;
use tonnage_domain::repositories::RepositoryAddress;

use self::lists::Query;
use crate::layout::{self, Page};
use crate::{assets, format};

/// Nothing but what this host serves as files, and no page of others around ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Repositories of a publisher's page, tags of a repository's.
const PAGE: u32 = 25;
/// Repositories of a site map: those that changed last.
const SITE_MAP_MAX: u32 = 1000;

/// Somebody who reads a page.
pub struct Visit<'v> {
    /// `GET` or `HEAD`.
    pub method: &'v Method,
    /// What they ask for.
    pub uri: &'v Uri,
    /// The headers of their request.
    pub headers: &'v HeaderMap,
    /// `http` or `https`.
    pub scheme: &'v str,
    /// The host that they used, which is also that of images.
    pub authority: &'v str,
    /// Nobody in particular, at the public registry of the management account.
    pub context: RequestContext,
}

impl Visit<'_> {
    fn address(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.authority)
    }

    async fn ask<O: Operation>(&self, app: &App, operation: O) -> Result<O::Output, Error> {
        execute(app, &self.context, operation).await
    }

    /// The values of a query, the last of each name.
    fn query(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .filter(|(known, value)| known == name && !value.is_empty())
            .last()
            .map(|(_, value)| value.into_owned())
    }
}

/// What a path stands for, or why it stands for nothing.
enum Answer {
    Page(String),
    Text(&'static str, String),
    Moved(String),
    Missing,
}

/// Answers with a page, a file, or an error for people.
pub async fn answer(app: &App, visit: &Visit<'_>) -> Response<Bytes> {
    if !matches!(*visit.method, Method::GET | Method::HEAD) {
        let mut response = error_page(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let response = match assets::find(visit.uri.path()) {
        Some(asset) => file(asset),
        None => match page(app, visit).await {
            Ok(Answer::Page(html)) => shown(visit, "text/html; charset=utf-8", html),
            Ok(Answer::Text(media_type, text)) => shown(visit, media_type, text),
            Ok(Answer::Moved(path)) => moved(&path),
            Ok(Answer::Missing) => error_page(StatusCode::NOT_FOUND),
            Err(error) => failure(&error),
        },
    };
    match *visit.method {
        Method::HEAD => response.map(|_| Bytes::new()),
        _ => response,
    }
}

async fn page(app: &App, visit: &Visit<'_>) -> Result<Answer, Error> {
    let Ok(path) = percent_decode_str(visit.uri.path()).decode_utf8() else {
        return Ok(Answer::Missing);
    };
    match path.as_ref() {
        "/" => {
            let home = visit.ask(app, BrowseGallery).await?;
            Ok(Answer::Page(lists::home(visit, &home)))
        }
        "/search" => search(app, visit).await,
        "/robots.txt" => {
            let map = visit.address("/sitemap.xml");
            let text =
                format!("User-agent: *\nDisallow: /search\nDisallow: /v2/\n\nSitemap: {map}\n");
            Ok(Answer::Text("text/plain; charset=utf-8", text))
        }
        "/sitemap.xml" => {
            let all =
                SearchGallery { sort: Sort::Updated, limit: SITE_MAP_MAX, ..Default::default() };
            let found = visit.ask(app, all).await?;
            Ok(Answer::Text("application/xml; charset=utf-8", lists::site_map(visit, &found.items)))
        }
        path => registry(app, visit, path).await,
    }
}

async fn search(app: &App, visit: &Visit<'_>) -> Result<Answer, Error> {
    let query = Query::read(visit);
    let Some(operation) = query.operation() else { return Ok(Answer::Missing) };
    let found = visit.ask(app, operation).await?;
    Ok(Answer::Page(lists::search(visit, &query, &found)))
}

/// Whatever begins with an alias.
async fn registry(app: &App, visit: &Visit<'_>, path: &str) -> Result<Answer, Error> {
    if let Some(shorter) = path.strip_suffix('/') {
        let trimmed = shorter.trim_end_matches('/');
        return Ok(match is_address(trimmed) {
            true => Answer::Moved(trimmed.to_owned()),
            false => Answer::Missing,
        });
    }
    let path = path.trim_start_matches('/');
    let (alias, rest) = match path.split_once('/') {
        Some((alias, rest)) => (alias, Some(rest)),
        None => (path, None),
    };
    let Some(account) = aliases::resolve(app, alias).await? else { return Ok(Answer::Missing) };
    let mut context = visit.context.clone();
    context.account = account;
    context.principal = Principal::anonymous(account);
    let visit = Visit { context, ..*visit };
    let page = PageRequest { after: visit.query("after"), limit: PAGE };
    let Some(rest) = rest else {
        let view = visit.ask(app, ViewPublisher { page }).await?;
        return Ok(Answer::Page(lists::publisher(&visit, &view)));
    };
    let (name, reference) = match rest.split_once(['@', ':']) {
        Some((name, reference)) => (name, Some(reference)),
        None => (rest, None),
    };
    let Ok(name) = RepositoryName::parse_public(name) else { return Ok(Answer::Missing) };
    let repository = RepositoryAddress::new(&visit.context, None, name);
    let Some(reference) = reference else {
        let tag_prefix = visit.query("tag").unwrap_or_default();
        if !tag_prefix.is_empty() && Tag::parse(&tag_prefix).is_err() {
            return Ok(Answer::Missing);
        }
        let operation = ViewRepository { repository, tag_prefix: tag_prefix.clone(), page };
        let view = visit.ask(app, operation).await?;
        return Ok(Answer::Page(repository::page(&visit, &view, &tag_prefix)));
    };
    let Ok(reference) = Reference::parse(reference) else { return Ok(Answer::Missing) };
    let is_named_as_written = rest.contains('@') == reference.digest().is_some();
    if !is_named_as_written {
        return Ok(Answer::Missing);
    }
    let view = visit.ask(app, ViewImage { repository, reference: reference.clone() }).await?;
    Ok(Answer::Page(image::page(&visit, &view, &reference)))
}

/// Whether a path may be the address of a page. Browsers take a backslash for a slash and pass over
/// tabs, so anything else could lead away from here.
fn is_address(path: &str) -> bool {
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:@".contains(&byte);
    path.len() > 1 && !path.starts_with("//") && path.bytes().all(is_of_names)
}

/// The path of a publisher's page.
fn publisher_path(listing: &Listing) -> String {
    format!("/{}", listing.publisher.alias)
}

/// The path of a repository's page.
fn repository_path(listing: &Listing) -> String {
    format!("/{}/{}", listing.publisher.alias, listing.name)
}

fn shown(visit: &Visit<'_>, media_type: &'static str, text: String) -> Response<Bytes> {
    let tag = format!("\"{}\"", assets::fingerprint(text.as_bytes()));
    let known = visit.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| {
        known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    let mut response = match is_known {
        true => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => with_body(StatusCode::OK, media_type, text.into()),
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn file(asset: &assets::Asset) -> Response<Bytes> {
    let mut response = with_body(StatusCode::OK, asset.media_type, Bytes::from_static(asset.bytes));
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}

fn moved(path: &str) -> Response<Bytes> {
    // A name that has characters of others names nothing here.
    let Ok(location) = HeaderValue::try_from(path) else {
        return error_page(StatusCode::NOT_FOUND);
    };
    let mut response =
        with_body(StatusCode::PERMANENT_REDIRECT, "text/plain; charset=utf-8", Bytes::new());
    response.headers_mut().insert(LOCATION, location);
    response
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
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    response
}

/// What went wrong, without a word about what exists.
fn failure(error: &Error) -> Response<Bytes> {
    let status = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Throttled => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::RepositoryNotFound
        | ErrorKind::RegistryNotFound
        | ErrorKind::ImageNotFound
        | ErrorKind::InvalidParameter
        | ErrorKind::AccessDenied
        | ErrorKind::Unauthenticated => StatusCode::NOT_FOUND,
        _ => {
            tracing::error!(error = chain(error), "a page of the gallery failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    error_page(status)
}

fn error_page(status: StatusCode) -> Response<Bytes> {
    let (title, text) = match status {
        StatusCode::NOT_FOUND => (
            "There is nothing here",
            "No public repository, image or publisher has this address. It may have been \
             renamed or removed, or the address has a mistake.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("Not now", "The registry cannot answer at the moment. Try again in a minute.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("Pages are for reading", "There is nothing to send here.")
        }
        _ => ("Something broke", "That is a defect of the registry; its log says more."),
    };
    let content = html! {
        div.empty {
            h1 { (title) }
            p { (text) }
            p { a href="/" { "To the start of the gallery" } }
        }
    };
    let page =
        Page { title: Some(title), description: text, canonical: None, query: Some(""), content };
    let mut response = with_body(status, "text/html; charset=utf-8", layout::render(&page).into());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// How a page counts pulls.
fn pulls(count: u64) -> String {
    format::count(count, "pull", "pulls")
}
