//! `tonnage docker-login`: a token from the running server, handed to docker.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use secrecy::{ExposeSecret as _, SecretString};
use tonnage_api::host::Host;
use tonnage_api::sigv4::Credentials;

use super::authorization_token::password;
use super::place::Place;
use crate::cli::DockerLoginArguments;
use crate::config::environment;

/// Logs in to every host, or prints the password.
///
/// # Errors
/// When the server gives no token, or there is neither docker nor podman.
pub(super) async fn run(arguments: DockerLoginArguments) -> Result<ExitCode> {
    let place = Place::find(&arguments.place)?;
    let signer = Signer::find(&place, &environment())?;
    if arguments.print {
        let password = signer.password(&place, &place.region).await?;
        say!("{}", password.expose_secret());
        return Ok(ExitCode::SUCCESS);
    }
    let hosts = if arguments.hosts.is_empty() { place.hosts()? } else { arguments.hosts };
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
        let answer = password(place.address()?.into(), region, &self.credentials).await;
        if self.from_environment {
            return answer.context(
                "the access key is that of AWS_ACCESS_KEY_ID, unset it to use the one of the data \
                 directory",
            );
        }
        answer
    }
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
