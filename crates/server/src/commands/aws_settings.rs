//! What the AWS command line and SDKs would use on this machine: variables and the files of
//! profiles (AWS SDKs and Tools Reference Guide, "Configuration and authentication settings").

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use secrecy::SecretString;
use serde::Deserialize;
use tonnage_api::sigv4::Credentials;

use super::profile::{self, Kind};
use super::programs;

/// How long a `credential_process` may take; it may ask a person something.
const PROCESS_TIME: Duration = Duration::from_secs(60);
/// Bytes of a file of profiles.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Ways to credentials that a profile can name and this program does not go.
const OTHER_WAYS: [&str; 5] =
    ["role_arn", "sso_session", "sso_start_url", "web_identity_token_file", "login_session"];

/// Variables, and what the chosen profile says in both files.
#[derive(Debug)]
pub(super) struct AwsSettings {
    variables: BTreeMap<String, String>,
    profile: String,
    config: BTreeMap<String, String>,
    credentials: BTreeMap<String, String>,
}

impl AwsSettings {
    /// Reads the files of profiles.
    ///
    /// # Errors
    /// When one of them cannot be read, or there is no profile that `AWS_PROFILE` names.
    pub(super) fn find(variables: BTreeMap<String, String>) -> Result<Self> {
        let variable = |name: &str| variables.get(name).filter(|text| !text.is_empty()).cloned();
        let named = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let profile = named.clone().unwrap_or_else(|| "default".to_owned());
        let read =
            |path: &Path, kind| Ok::<_, anyhow::Error>(section(&read(path)?, kind, &profile));
        let (config, credentials) = match profile::paths(variable) {
            Ok((config, credentials)) => {
                (read(&config, Kind::Config)?, read(&credentials, Kind::Credentials)?)
            }
            // Without a home there are no files, which are not needed where variables say it all.
            Err(_) => (None, None),
        };
        if let Some(name) = named
            && config.is_none()
            && credentials.is_none()
        {
            bail!("there is no profile {name:?}, which AWS_PROFILE names");
        }
        Ok(Self {
            profile,
            config: config.unwrap_or_default(),
            credentials: credentials.unwrap_or_default(),
            variables,
        })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The region of requests that name none.
    pub(super) fn region(&self) -> Option<&str> {
        self.variable("AWS_REGION")
            .or_else(|| self.variable("AWS_DEFAULT_REGION"))
            .or_else(|| self.config.get("region").map(String::as_str))
    }

    /// Where ECR is, if not at AWS.
    pub(super) fn endpoint(&self) -> Option<&str> {
        let ignored = self.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        if ignored.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        self.variable("AWS_ENDPOINT_URL_ECR")
            .or_else(|| self.variable("AWS_ENDPOINT_URL"))
            .or_else(|| self.config.get("endpoint_url").map(String::as_str))
    }

    /// The credentials: those of the variables, of the profile, or of the program that the profile
    /// names.
    ///
    /// # Errors
    /// When the profile gets its credentials in another way, or its program gives none.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>> {
        let pair = self.variable("AWS_ACCESS_KEY_ID").zip(self.variable("AWS_SECRET_ACCESS_KEY"));
        if let Some((id, secret)) = pair {
            return Ok(Some(credentials(id, secret, self.variable("AWS_SESSION_TOKEN"))));
        }
        let value = |name: &str| self.credentials.get(name).or_else(|| self.config.get(name));
        if let Some(way) = OTHER_WAYS.into_iter().find(|way| value(way).is_some()) {
            bail!(
                "the profile {:?} gets its credentials by `{way}`; make another profile with \
                 `credential_process = aws configure export-credentials --profile {}`",
                self.profile,
                self.profile
            );
        }
        let text = |name: &str| value(name).map(String::as_str);
        if let Some((id, secret)) = text("aws_access_key_id").zip(text("aws_secret_access_key")) {
            return Ok(Some(credentials(id, secret, text("aws_session_token"))));
        }
        text("credential_process").map(from_process).transpose()
    }
}

fn credentials(id: &str, secret: &str, session_token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: id.to_owned(),
        secret: SecretString::from(secret),
        session_token: session_token.map(SecretString::from),
    }
}

/// AWS SDKs and Tools Reference Guide, "Process credential provider".
fn from_process(command: &str) -> Result<Credentials> {
    let output = programs::run("sh", ["-c", command], PROCESS_TIME)
        .with_context(|| format!("the `credential_process` {command:?} cannot be run"))?;
    if !output.status.success() {
        let said = output.stderr.lines().last().unwrap_or_default();
        bail!("the `credential_process` {command:?} failed ({}): {said}", output.status);
    }
    written(&output.stdout)
        .with_context(|| format!("what the `credential_process` {command:?} wrote is unknown"))
}

fn written(text: &str) -> Result<Credentials> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written {
        version: u32,
        access_key_id: String,
        secret_access_key: String,
        session_token: Option<String>,
    }
    // Nothing of the text may show in an error: it holds a secret.
    let written: Written =
        serde_json::from_str(text).ok().context("it is no JSON object with credentials")?;
    if written.version != 1 {
        bail!("it has version {}, and only 1 exists", written.version);
    }
    let token = written.session_token.as_deref();
    Ok(credentials(&written.access_key_id, &written.secret_access_key, token))
}

fn read(path: &Path) -> Result<String> {
    let read = || -> io::Result<String> {
        if fs::metadata(path)?.len() > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        fs::read_to_string(path)
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        // A device such as /dev/null is an empty file here.
        other => other.with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// What the section of a profile says; `None` when there is none. Nested settings, which are
/// indented, are left out.
fn section(text: &str, kind: Kind, profile: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with('[') {
            inside = kind.begins(line, profile);
            if inside {
                found.get_or_insert_default();
            }
        } else if inside
            && !line.starts_with(|first: char| first.is_whitespace() || "#;".contains(first))
            && let Some((name, value)) = line.split_once('=')
            && let Some(values) = &mut found
        {
            values.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const CONFIG: &str = "\
        [default]\nregion = eu-west-1\n\n[profile work]\nregion=us-west-2\nendpoint_url = \
        http://r:4510\ns3 =\n  region = no\n[profile job]\ncredential_process = echo \
        '{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"p\"}'\n[profile role]\n\
        role_arn = x\n";
    const CREDENTIALS: &str = "\
        [default]\naws_access_key_id = D\naws_secret_access_key = d\n\
        [work]\naws_access_key_id=W\naws_secret_access_key=w=\naws_session_token=t\n";

    #[track_caller]
    fn check(variables: &[(&str, &str)], region: &str, endpoint: &str, credentials: &str) {
        let directory = tempfile::tempdir().unwrap();
        let aws = directory.path().join(".aws");
        fs::create_dir(&aws).unwrap();
        fs::write(aws.join("config"), CONFIG).unwrap();
        fs::write(aws.join("credentials"), CREDENTIALS).unwrap();
        let home = [("HOME", directory.path().to_str().unwrap())];
        let variables =
            home.iter().chain(variables).map(|(name, text)| ((*name).into(), (*text).into()));
        let shown = AwsSettings::find(variables.collect()).and_then(|settings| {
            assert_eq!(settings.region().unwrap_or_default(), region);
            assert_eq!(settings.endpoint().unwrap_or_default(), endpoint);
            Ok(settings.credentials()?.map_or_else(String::new, |found| {
                let token = found.session_token.as_ref().map_or("", |token| token.expose_secret());
                format!("{} {} {token}", found.access_key_id, found.secret.expose_secret())
            }))
        });
        match shown {
            Ok(shown) => assert_eq!(shown.trim(), credentials),
            Err(error) => assert_eq!(error.to_string(), credentials),
        }
    }

    #[test]
    fn variables_win_over_the_profile() {
        let key = [("AWS_ACCESS_KEY_ID", "V"), ("AWS_SECRET_ACCESS_KEY", "v")];
        check(&[], "eu-west-1", "", "D d");
        check(&key, "eu-west-1", "", "V v");
        check(&key[..1], "eu-west-1", "", "D d");
        check(&[("AWS_REGION", "a"), ("AWS_DEFAULT_REGION", "b")], "a", "", "D d");
        check(&[("AWS_PROFILE", "work")], "us-west-2", "http://r:4510", "W w= t");
        check(&[("AWS_DEFAULT_PROFILE", "work")], "us-west-2", "http://r:4510", "W w= t");
        check(
            &[("AWS_PROFILE", "work"), ("AWS_ENDPOINT_URL_ECR", "http://e")],
            "us-west-2",
            "http://e",
            "W w= t",
        );
        check(
            &[("AWS_PROFILE", "work"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")],
            "us-west-2",
            "",
            "W w= t",
        );
        check(&[("AWS_PROFILE", "job")], "", "", "P p");
        check(
            &[("AWS_PROFILE", "role")],
            "",
            "",
            "the profile \"role\" gets its credentials by `role_arn`; make another profile with \
             `credential_process = aws configure export-credentials --profile role`",
        );
        check(
            &[("AWS_PROFILE", "gone")],
            "",
            "",
            "there is no profile \"gone\", which AWS_PROFILE names",
        );
    }

    #[test]
    fn what_a_credential_process_writes() {
        for (text, expected) in [
            (r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"b","Expiration":"x"}"#, Ok("A")),
            (
                r#"{"Version":2,"AccessKeyId":"A","SecretAccessKey":"b"}"#,
                Err("it has version 2, and only 1 exists"),
            ),
            (r#"{"Version":1}"#, Err("it is no JSON object with credentials")),
            ("secret", Err("it is no JSON object with credentials")),
        ] {
            let found = written(text);
            let found = found.as_ref().map(|found| found.access_key_id.as_str());
            assert_eq!(found.map_err(ToString::to_string), expected.map_err(str::to_owned));
        }
    }
}
