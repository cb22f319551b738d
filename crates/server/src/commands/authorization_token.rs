//! `GetAuthorizationToken`, asked by this program's own commands.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::SecretString;
use serde::Deserialize;
use tonnage_api::sigv4::Credentials;

use super::http_client::Origin;
use super::signed_call::{SignedCall, reason};

/// The value of `X-Amz-Target` (botocore, `ecr` model, `targetPrefix`).
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const BODY: &[u8] = b"{}";

/// The password of the user `AWS` for the registries of a region.
///
/// # Errors
/// When the server gives none; the sentence holds its reason.
pub(super) async fn password(
    origin: Origin,
    region: &str,
    credentials: &Credentials,
) -> Result<SecretString> {
    let call = SignedCall { service: "ecr", target: TARGET, region };
    let answer = call.send(origin, credentials, Bytes::from_static(BODY)).await?;
    if !answer.status().is_success() {
        bail!("the server gave no token ({}: {})", answer.status(), reason(answer.body()));
    }
    password_in(answer.body()).context("the server's token cannot be understood")
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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

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
}
