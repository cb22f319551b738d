//! `docker-credential-tonnage`: docker's protocol of credential helpers, so that nobody logs in
//! and no token expires (docker-credential-helpers, "Development": one word on the command line,
//! one document on standard input, the answer or the error on standard output).

use std::io::{self, Read as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::StatusCode;
use http::header::{HOST, WWW_AUTHENTICATE};
use http_body_util::Full;
use secrecy::ExposeSecret as _;
use serde_json::json;
use tonnage_api::host::Host;
use tonnage_api::sigv4::Credentials;
use tonnage_domain::accounts::bootstrap::DEFAULT_REGION;

use super::authorization_token::password;
use super::aws_settings::AwsSettings;
use super::http_client::{Origin, send, split};
use super::place::Place;
use crate::cli::{DockerCredentialAction, PlaceArguments};
use crate::config::environment;

/// What docker takes for "this helper knows nothing of that host", and goes on without.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// Bytes that docker may write to a helper.
const INPUT_BYTES_MAX: u64 = 64 * 1024;
/// What the challenges of ECR have, and ours.
const SERVICE: &str = "service=\"ecr.amazonaws.com\"";

/// Answers docker. Errors go where docker looks for them: to standard output.
pub(super) async fn run(action: DockerCredentialAction) -> Result<ExitCode> {
    let answer = match action {
        DockerCredentialAction::Get => get(&input()?).await,
        DockerCredentialAction::List => list(),
        DockerCredentialAction::Erase => input().map(|_| None),
        DockerCredentialAction::Store => Err(anyhow::anyhow!(
            "docker-credential-tonnage asks the registry for a token whenever docker needs one, so \
             there is nothing to log in to and nothing to keep"
        )),
        DockerCredentialAction::Version => {
            Ok(Some(format!("docker-credential-tonnage {}", env!("CARGO_PKG_VERSION"))))
        }
    };
    match answer {
        Ok(answer) => {
            if let Some(answer) = answer {
                say!("{answer}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say!("{error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn input() -> Result<String> {
    let mut text = String::new();
    io::stdin()
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text)
        .context("standard input cannot be read")?;
    Ok(text)
}

/// The user and a fresh password for the registry that docker names.
async fn get(server: &str) -> Result<Option<String>> {
    let server = server.trim();
    let Some(host) = host(server) else { bail!("{server:?} is no host of a registry") };
    let settings = AwsSettings::find(environment())?;
    let place = Place::find(&PlaceArguments::default()).ok();
    let origin = Origin::of_host(&host, speaks_tls(&host, settings.endpoint()));
    if !is_ours(&origin).await? {
        bail!(NOT_FOUND);
    }
    let credentials = match settings.credentials()? {
        Some(credentials) => credentials,
        None => match place.as_ref().filter(|place| is_on(place, &host)).map(root).transpose()? {
            Some(credentials) => credentials,
            None => bail!(
                "there are no AWS credentials to get a token of {server} with; set AWS_PROFILE, \
                 or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ),
        },
    };
    let region = host
        .region()
        .map(|region| region.as_str())
        .or_else(|| settings.region())
        .or_else(|| place.as_ref().map(|place| place.region.as_str()))
        .unwrap_or(DEFAULT_REGION);
    let secret = password(origin, region, &credentials).await?;
    let answer = json!({"ServerURL": server, "Username": "AWS", "Secret": secret.expose_secret()});
    Ok(Some(answer.to_string()))
}

/// The host of what docker calls a server: a host, or a URL.
fn host(server: &str) -> Option<Host> {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    Host::parse(rest.split('/').next()?)
}

/// As the endpoint says where it is this host; else TLS, but not on this machine.
fn speaks_tls(host: &Host, endpoint: Option<&str>) -> bool {
    let (scheme, rest) =
        endpoint.and_then(|endpoint| endpoint.split_once("://")).unwrap_or_default();
    if rest.trim_end_matches('/').eq_ignore_ascii_case(host.authority()) {
        return scheme != "http";
    }
    let (name, _) = split(host.authority());
    let address = name.parse::<std::net::IpAddr>();
    !(name == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// Asks a registry without credentials what it wants. Nobody else is shown a signature.
async fn is_ours(origin: &Origin) -> Result<bool> {
    let request = http::Request::get("/v2/")
        .header(HOST, origin.authority())
        .body(Full::new(Bytes::new()))?;
    let answer = send(origin.clone(), request).await?;
    let challenges = answer.headers().get_all(WWW_AUTHENTICATE);
    Ok(answer.status() == StatusCode::UNAUTHORIZED
        && challenges.iter().any(|value| {
            value.to_str().is_ok_and(|text| text.starts_with("Basic ") && text.contains(SERVICE))
        }))
}

/// Whether a host is the server of this machine's data directory.
fn is_on(place: &Place, host: &Host) -> bool {
    place.hosts().is_ok_and(|hosts| hosts.iter().any(|local| local == host.authority()))
}

fn root(place: &Place) -> Result<Credentials> {
    let key = place.credentials()?;
    Ok(Credentials { access_key_id: key.id, secret: key.secret, session_token: None })
}

/// The registries that are known without being asked for: this machine's, and the endpoint's.
fn list() -> Result<Option<String>> {
    let settings = AwsSettings::find(environment())?;
    let place = Place::find(&PlaceArguments::default()).ok().filter(Place::is_running);
    let endpoint = settings.endpoint().and_then(host);
    let hosts = place.iter().filter_map(|place| place.hosts().ok()).flatten();
    let hosts = hosts.chain(endpoint.map(|host| host.authority().to_owned()));
    let users: serde_json::Map<_, _> = hosts.map(|host| (host, json!("AWS"))).collect();
    Ok(Some(serde_json::Value::Object(users).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_as_docker_names_them() {
        for (server, expected) in [
            ("localhost:4510", Some("localhost:4510")),
            ("https://index.docker.io/v1/", Some("index.docker.io")),
            ("http://[::1]:4510/v2/", Some("[::1]:4510")),
            ("", None),
            ("user@host", None),
        ] {
            assert_eq!(host(server).as_ref().map(Host::authority), expected, "{server}");
        }
    }

    #[test]
    fn tls_everywhere_but_where_plain_http_was_asked_for() {
        for (host, endpoint, expected) in [
            ("localhost:4510", None, false),
            ("127.0.0.2:80", None, false),
            ("[::1]:4510", None, false),
            ("registry:4510", None, true),
            ("registry:4510", Some("http://registry:4510/"), false),
            ("registry:4510", Some("https://registry:4510"), true),
            ("registry:4510", Some("http://registry"), true),
            ("localhost:4510", Some("https://LOCALHOST:4510"), true),
            ("localhost:4510", Some("https://other"), false),
            ("10.0.0.1:4510", None, true),
        ] {
            let host = Host::parse(host).unwrap();
            assert_eq!(speaks_tls(&host, endpoint), expected, "{host:?} {endpoint:?}");
        }
    }
}
