//! `tonnage api`: the operations of our own, asked as any client asks for them, here or on another
//! machine.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use serde_json::Value;
use tonnage_api::aws::shapes::tonnage::SERVICE;
use tonnage_api::host::Host;
use tonnage_api::sigv4::Credentials;

use super::aws_settings::AwsSettings;
use super::http_client::Origin;
use super::own_api;
use super::place::Place;
use super::signed_call::{SignedCall, reason};
use crate::cli::{ApiCallArguments, ApiCommands};
use crate::config::environment;

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none is reached.
pub(super) async fn run(command: ApiCommands) -> Result<ExitCode> {
    match command {
        ApiCommands::Call(arguments) => call(arguments).await?,
        ApiCommands::Model => say!("{:#}", own_api::model()),
    }
    Ok(ExitCode::SUCCESS)
}

async fn call(arguments: ApiCallArguments) -> Result<()> {
    let ApiCallArguments { place, operation, input, endpoint, region } = arguments;
    if SERVICE.find(&operation).is_none() {
        let names: Vec<&str> = SERVICE.operation_names().collect();
        bail!("there is no operation {operation:?}; there are {}", names.join(", "));
    }
    let input: Value = serde_json::from_str(&input).with_context(|| {
        format!("{input:?} is no JSON, such as {{\"repositoryName\": \"app\"}}")
    })?;
    let settings = AwsSettings::find(environment())?;
    let place = Place::find(&place)?;
    let endpoint = endpoint.as_deref().or_else(|| settings.endpoint());
    let origin = match endpoint {
        Some(endpoint) => origin_of(endpoint)?,
        None => place.address()?.into(),
    };
    let credentials = match (settings.credentials()?, endpoint) {
        (Some(credentials), _) => credentials,
        (None, None) => {
            let key = place.credentials()?;
            Credentials { access_key_id: key.id, secret: key.secret, session_token: None }
        }
        (None, Some(endpoint)) => bail!(
            "there is no access key for {endpoint}: set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or name a profile with AWS_PROFILE"
        ),
    };
    let region = region.as_deref().or_else(|| settings.region()).unwrap_or(&place.region);
    let target = format!("{}.{operation}", SERVICE.target_prefix);
    let call = SignedCall { service: SERVICE.signing_name, target: &target, region };
    let answer = call.send(origin, &credentials, Bytes::from(input.to_string())).await?;
    if !answer.status().is_success() {
        let code = answer.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok());
        bail!("{} ({})", reason(answer.body()), code.unwrap_or(answer.status().as_str()));
    }
    let output: Value = serde_json::from_slice(answer.body())
        .context("the server's answer cannot be understood")?;
    say!("{output:#}");
    Ok(())
}

/// The server at an endpoint as the AWS command line takes it.
fn origin_of(endpoint: &str) -> Result<Origin> {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or_default();
    let host = Host::parse(rest.strip_suffix('/').unwrap_or(rest));
    match (scheme, host) {
        ("http", Some(host)) => Ok(Origin::of_host(&host, false)),
        ("https", Some(host)) => Ok(Origin::of_host(&host, true)),
        _ => bail!("{endpoint:?} is no endpoint, such as https://registry.example.com"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (endpoint, expected) in [
            ("http://localhost:4510", Some("localhost:4510")),
            ("https://registry.example.com/", Some("registry.example.com")),
            ("https://registry.example.com/v2/", None),
            ("registry.example.com", None),
            ("ftp://registry.example.com", None),
            ("", None),
        ] {
            let origin = origin_of(endpoint).ok();
            assert_eq!(origin.as_ref().map(Origin::authority), expected, "{endpoint}");
        }
    }
}
