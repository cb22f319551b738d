//! Registries that behave and registries that do not, and what is made of their answers.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

mod bodies;
mod connections;
mod login;
mod push;
mod redirects;
mod referrers;
mod server;
mod tls;

use std::time::Duration;

use futures_util::StreamExt as _;
use tonnage_outbound::registry::{Blob, Credentials, Error, Limits, Manifest, Origin, Registries};
use tonnage_outbound::{Client, Rules};

use server::{Asked, Reply, Server};

/// Limits under which a test need not wait.
fn limits() -> Limits {
    let stall = Duration::from_millis(300);
    Limits { request: Duration::from_secs(20), stall, ..Limits::default() }
}

fn registries_with(limits: Limits, token_hosts: &[&str]) -> Registries {
    let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let client = Client::new(Rules { networks, authorities: None }).unwrap();
    Registries::new(client, limits, token_hosts.iter().map(|host| (*host).to_owned()).collect())
}

fn registries() -> Registries {
    registries_with(limits(), &[])
}

fn anonymous(url: &str) -> Origin {
    Origin { url: url.to_owned(), credentials: None }
}

fn named(url: &str, username: &str) -> Origin {
    let password = format!("{username}-password").into();
    let credentials = Credentials { username: username.to_owned(), password };
    Origin { url: url.to_owned(), credentials: Some(credentials) }
}

/// `a:a-password`, `b:b-password`.
const BASIC_A: &str = "Basic YTphLXBhc3N3b3Jk";
const BASIC_B: &str = "Basic YjpiLXBhc3N3b3Jk";

/// The digest of `{}`.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// The kind of an error, and its text.
fn kind(error: &Error) -> String {
    let kind = match error {
        Error::NotFound(_) => "not found",
        Error::Changed(_) => "changed",
        Error::Denied(_) => "denied",
        Error::TooManyRequests { retry_after: None, .. } => "too many",
        Error::TooManyRequests { retry_after: Some(time), .. } => {
            return format!("too many for {} s: {error}", time.as_secs());
        }
        Error::Unavailable(_) => "unavailable",
        Error::Forbidden(_) => "forbidden",
        Error::Invalid(_) => "invalid",
        Error::Source { .. } => "source",
    };
    format!("{kind}: {error}")
}

fn shown_manifest(result: Result<Manifest, Error>) -> String {
    match result {
        Ok(manifest) => format!(
            "{} {} {}",
            String::from_utf8_lossy(&manifest.bytes),
            manifest.media_type.as_deref().unwrap_or("-"),
            manifest.digest,
        ),
        Err(error) => kind(&error),
    }
}

async fn shown_blob(result: Result<Blob, Error>) -> String {
    let Blob { size, mut body } = match result {
        Ok(blob) => blob,
        Err(error) => return kind(&error),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) => {
                return format!("{} then {}", String::from_utf8_lossy(&bytes), kind(&error));
            }
        }
    }
    format!("{} {size:?}", String::from_utf8_lossy(&bytes))
}

#[track_caller]
fn assert_says(found: &str, expected: &str, about: &str) {
    assert!(found.contains(expected), "{about}: {found:?}, not {expected:?}");
}

/// A registry that lets anybody in and has one manifest and one blob.
fn open_registry(asked: &Asked) -> Reply {
    match asked.path.as_str() {
        "/v2/" => Reply::of(200),
        "/v2/a/manifests/latest" => Reply::ok("{}").with("content-type", "a/b; charset=utf-8"),
        path if path == format!("/v2/a/blobs/{EMPTY}") => Reply::ok("{}"),
        _ => Reply::of(404),
    }
}

#[tokio::test]
async fn what_is_there_is_read() {
    let server = Server::start(open_registry).await;
    let (registries, origin) = (registries(), anonymous(&server.url()));
    registries.check(&origin).await.unwrap();
    let manifest = registries.manifest(&origin, "a", "latest").await;
    assert_eq!(shown_manifest(manifest), format!("{{}} a/b {EMPTY}"));
    let blob = registries.blob(&origin, "a", EMPTY).await;
    assert_eq!(shown_blob(blob).await, "{} Some(2)");
    let missing = registries.manifest(&origin, "b", "latest").await;
    assert_says(&shown_manifest(missing), "not found: 127.0.0.1", "a repository that is not there");
    let missing = registries.blob(&origin, "b", EMPTY).await;
    assert_says(&shown_blob(missing).await, "not found", "a blob that is not there");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_cannot_stand_in_a_path_is_not_asked() {
    let server = Server::start(open_registry).await;
    let (registries, origin) = (registries(), anonymous(&server.url()));
    for (repository, reference) in [
        ("../b", "latest"),
        ("a?b", "latest"),
        ("a", "../../token"),
        ("a", "a b"),
        ("a", "sha256:0"),
        ("", "latest"),
    ] {
        let found = shown_manifest(registries.manifest(&origin, repository, reference).await);
        assert_says(&found, "invalid", repository);
    }
    let found = shown_blob(registries.blob(&origin, "a", "latest").await).await;
    assert_says(&found, "invalid: \"latest\" is not a digest", "a blob");
    for url in ["127.0.0.1", "http://127.0.0.1/path", "ftp://127.0.0.1"] {
        let found = shown_manifest(registries.manifest(&anonymous(url), "a", "latest").await);
        assert_says(&found, "invalid", url);
    }
    assert_eq!(server.log(), [""; 0]);
}
