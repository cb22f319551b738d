//! `tonnage docker-login`: a token from the running server, handed to docker.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http_body_util::Full;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tonnage_api::host::Host;
use tonnage_api::sigv4::{Credentials, Unsigned, sign};

use super::http_client::send;
use super::place::Place;
use crate::cli::DockerLoginArguments;
use crate::config::environment;

/// The value of `X-Amz-Target` (botocore, `ecr` model, `targetPrefix`).
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const BODY: &[u8] = b"{}";

/// Logs in to every host, or prints the password.
///
/// # Errors
/// When the server gives no token, or there is neither docker nor podman.
pub(super) async fn run(arguments: DockerLoginArguments) -> Result<ExitCode> {
    let place = Place::find(&arguments.place)?;
    let signer = Signer::find(&place, &environment())?;
    if arguments.print {
        let password = signer.password(&place, &place.region).await?;
        println!("{}", password.expose_secret());
        return Ok(ExitCode::SUCCESS);
    }
    let hosts = if arguments.hosts.is_empty() { local_hosts(&place)? } else { arguments.hosts };
    for host in &hosts {
        let Some(parsed) = Host::parse(host) else {
            bail!("{host:?} is no host; name it as before an image, such as `localhost:4510`");
        };
        let region = parsed.region().map_or(place.region.as_str(), |region| region.as_str());
        let password = signer.password(&place, region).await?;
        let code = log_in(host, &password)?;
        if code != 0 {
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names under which images of this machine's registry are written.
fn local_hosts(place: &Place) -> Result<Vec<String>> {
    let mut hosts = vec![place.authority()?, place.address()?.to_string()];
    hosts.dedup();
    Ok(hosts)
}

struct Signer {
    credentials: Credentials,
    from_environment: bool,
}

impl Signer {
    fn find(place: &Place, environment: &BTreeMap<String, String>) -> Result<Self> {
        let variable = |name: &str| environment.get(name).filter(|text| !text.is_empty());
        let given = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        if let Some((id, secret)) = given {
            let session_token =
                variable("AWS_SESSION_TOKEN").map(|text| SecretString::from(text.as_str()));
            let secret = SecretString::from(secret.as_str());
            let credentials = Credentials { access_key_id: id.clone(), secret, session_token };
            return Ok(Self { credentials, from_environment: true });
        }
        let key = place.credentials()?;
        let credentials =
            Credentials { access_key_id: key.id, secret: key.secret, session_token: None };
        Ok(Self { credentials, from_environment: false })
    }

    async fn password(&self, place: &Place, region: &str) -> Result<SecretString> {
        let address = place.address()?;
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&address.to_string())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        headers.insert("x-amz-target", HeaderValue::from_static(TARGET));
        let unsigned =
            Unsigned { method: "POST", path: "/", query: "", body: BODY, region, service: "ecr" };
        sign(&unsigned, &mut headers, &self.credentials, jiff::Timestamp::now())
            .context("the access key cannot be sent")?;
        let mut request = http::Request::post("/").body(Full::new(Bytes::from_static(BODY)))?;
        *request.headers_mut() = headers;
        let answer = send(address, request).await?;
        if !answer.status().is_success() {
            let hint = if self.from_environment {
                "; the access key is that of AWS_ACCESS_KEY_ID, unset it to use the one of the \
                 data directory"
            } else {
                ""
            };
            bail!(
                "the server gave no token ({}: {}){hint}",
                answer.status(),
                reason(answer.body())
            );
        }
        password_in(answer.body()).context("the server's token cannot be understood")
    }
}

fn reason(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(alias = "Message")]
        message: String,
    }
    serde_json::from_slice::<Refusal>(body)
        .map_or_else(|_| "no reason given".to_owned(), |refusal| refusal.message)
}

fn password_in(body: &[u8]) -> Result<SecretString> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        authorization_data: Vec<Data>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        authorization_token: String,
    }
    let answer: Answer = serde_json::from_slice(body)?;
    let data = answer.authorization_data.first().context("it is empty")?;
    let pair = String::from_utf8(STANDARD.decode(&data.authorization_token)?)?;
    let (_, password) = pair.split_once(':').context("it has no password")?;
    Ok(SecretString::from(password))
}

/// Runs `docker login`, or podman's where there is no docker; the exit status.
fn log_in(host: &str, password: &SecretString) -> Result<i32> {
    // Podman takes only loopback-free TLS for granted; our own port speaks plain HTTP.
    let attempts: [(&str, &[&str]); 2] = [("docker", &[]), ("podman", &["--tls-verify=false"])];
    for (program, extra) in attempts {
        let child = Command::new(program)
            .arg("login")
            .args(extra)
            .args(["--username", "AWS", "--password-stdin", host])
            .stdin(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("{program} cannot be run")),
        };
        if let Some(mut input) = child.stdin.take()
            && let Err(error) = input.write_all(password.expose_secret().as_bytes())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(error).with_context(|| format!("{program} takes no password"));
        }
        let status = child.wait().with_context(|| format!("{program} cannot be waited for"))?;
        return Ok(status.code().unwrap_or(1));
    }
    bail!(
        "there is neither docker nor podman here; `tonnage docker-login --print` prints the \
         password for another client"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_what_follows_the_first_colon() {
        let token = STANDARD.encode("AWS:abc=");
        let body = format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}"}}]}}"#);
        assert_eq!(password_in(body.as_bytes()).unwrap().expose_secret(), "abc=");
        for body in [
            "",
            "{}",
            r#"{"authorizationData":[]}"#,
            r#"{"authorizationData":[{"authorizationToken":"QVdT"}]}"#,
        ] {
            assert!(password_in(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn refusals_are_quoted() {
        for (body, expected) in [
            (r#"{"__type":"X","message":"no"}"#, "no"),
            (r#"{"__type":"X","Message":"no"}"#, "no"),
            ("<html>", "no reason given"),
        ] {
            assert_eq!(reason(body.as_bytes()), expected);
        }
    }
}
