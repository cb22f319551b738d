//! `tonnage env`: what a shell needs so that AWS clients find the registry. Talks to nobody.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use secrecy::ExposeSecret as _;
use tonnage_domain::identities::access_keys::AccessKey;

use super::place::Place;
use super::profile;
use super::programs::AwsVersion;
use crate::cli::EnvArguments;
use crate::config::environment;
use crate::shell::Shell;

/// How long `aws --version` may take.
const AWS_VERSION_TIME: Duration = Duration::from_secs(5);
/// Hosts that no proxy can reach for us.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// What would win over what we set, or point elsewhere.
const IN_THE_WAY: &[&str] = &[
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL_CLOUDTRAIL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_INSPECTOR2",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SIGNER",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];
const KEYS: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
const PLACE: &[&str] = &["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"];

/// Prints the commands.
///
/// # Errors
/// When the data directory has no credentials yet, or a profile cannot be written.
pub(super) fn run(arguments: &EnvArguments) -> Result<ExitCode> {
    let environment = environment();
    let variable = |name: &str| environment.get(name).filter(|text| !text.is_empty()).cloned();
    let shell =
        arguments.shell.unwrap_or_else(|| Shell::of_path(&variable("SHELL").unwrap_or_default()));
    if arguments.unset {
        for name in PLACE.iter().chain(KEYS) {
            say!("{}", shell.unset(name));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place::find(&arguments.place)?;
    let key = place.credentials()?;
    let endpoint = match &arguments.endpoint {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => {
            if !place.is_running() {
                eprintln!(
                    "tonnage: no server runs on {} now; this is where it would listen",
                    place.layout.directory().display()
                );
            }
            format!("http://{}", place.authority()?)
        }
    };
    for line in match &arguments.profile {
        Some(name) => {
            write_profile(name, &endpoint, &place.region, &key, variable)?;
            with_profile(shell, name)
        }
        None => without_profile(shell, &endpoint, &place.region, &key),
    } {
        say!("{line}");
    }
    for line in no_proxy(shell, &environment) {
        say!("{line}");
    }
    if let Some(version) = AwsVersion::ask(AWS_VERSION_TIME)
        && !version.knows_endpoint_url()
    {
        eprintln!(
            "tonnage: `aws` here is {}.{} and does not know AWS_ENDPOINT_URL (2.13 and 1.29 do); \
             write `aws --endpoint-url {endpoint} ecr …`",
            version.major, version.minor
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn without_profile(shell: Shell, endpoint: &str, region: &str, key: &AccessKey) -> Vec<String> {
    let mut lines = vec![
        shell.export("AWS_ENDPOINT_URL", endpoint),
        shell.export("AWS_ACCESS_KEY_ID", &key.id),
        shell.export("AWS_SECRET_ACCESS_KEY", key.secret.expose_secret()),
        shell.export("AWS_REGION", region),
        shell.export("AWS_DEFAULT_REGION", region),
    ];
    lines.extend(IN_THE_WAY.iter().map(|name| shell.unset(name)));
    lines
}

fn with_profile(shell: Shell, name: &str) -> Vec<String> {
    let in_the_way = IN_THE_WAY.iter().filter(|other| **other != "AWS_PROFILE");
    let mut lines = vec![shell.export("AWS_PROFILE", name)];
    lines.extend(PLACE.iter().chain(KEYS).chain(in_the_way).map(|name| shell.unset(name)));
    lines
}

fn write_profile(
    name: &str,
    endpoint: &str,
    region: &str,
    key: &AccessKey,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    profile::check_name(name)?;
    let (config, credentials) = profile::paths(variable)?;
    let secret = key.secret.expose_secret();
    let keys = [("aws_access_key_id", key.id.as_str()), ("aws_secret_access_key", secret)];
    profile::edit(&credentials, profile::Kind::Credentials, name, &keys)?;
    let place = [("region", region), ("endpoint_url", endpoint)];
    profile::edit(&config, profile::Kind::Config, name, &place)?;
    eprintln!(
        "tonnage: profile {name} written to {} and {}",
        config.display(),
        credentials.display()
    );
    Ok(())
}

/// Adds the local hosts to the lists of hosts that are reached without a proxy. Both spellings are
/// in use; each keeps what it has.
fn no_proxy(shell: Shell, environment: &BTreeMap<String, String>) -> Vec<String> {
    ["NO_PROXY", "no_proxy"]
        .iter()
        .map(|name| {
            let mut hosts: Vec<&str> = environment
                .get(*name)
                .map(|text| {
                    text.split(',').map(str::trim).filter(|host| !host.is_empty()).collect()
                })
                .unwrap_or_default();
            for host in LOCAL_HOSTS {
                if !hosts.contains(&host) {
                    hosts.push(host);
                }
            }
            shell.export(name, &hosts.join(","))
        })
        .collect()
}
