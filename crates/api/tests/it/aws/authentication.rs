//! Who is let in.

use http::HeaderValue;
use secrecy::SecretString;
use serde_json::json;
use tonnage_api::sigv4::Credentials;
use tonnage_domain::accounts::SetAccountState;
use tonnage_domain::names::AccountId;

use crate::registry::{Answer, Plain, Registry, foreign_credentials};

const INVALID_TOKEN: &str = "The security token included in the request is invalid.";
const MISMATCH: &str = "The request signature we calculated does not match the signature you \
                        provided. Check your AWS Secret Access Key and signing method. Consult the \
                        service documentation for details.";

fn list() -> Plain {
    super::operation("DescribeRepositories", &json!({}))
}

#[track_caller]
fn assert_refused(answer: &Answer, code: &str, message: &str) {
    let found = super::error_of(answer);
    assert_eq!((found.0.as_str(), found.1, found.2.as_str()), (code, 400, message));
}

#[tokio::test]
async fn credentials_must_be_known() {
    let registry = Registry::open().await;
    let plain = list();
    let unsigned = registry.send_with(&plain, plain.header_map()).await;
    assert_refused(
        &unsigned,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
    let foreign = registry.send_as(&foreign_credentials(), &plain).await;
    assert_refused(&foreign, "UnrecognizedClientException", INVALID_TOKEN);
    let wrong_secret =
        Credentials { secret: foreign_credentials().secret, ..registry.credentials.clone() };
    let answer = registry.send_as(&wrong_secret, &plain).await;
    assert_refused(&answer, "InvalidSignatureException", MISMATCH);
    let with_session = Credentials {
        session_token: Some(SecretString::from("IQoJb3JpZ2luX2VjEXAMPLE".to_owned())),
        ..registry.credentials.clone()
    };
    let answer = registry.send_as(&with_session, &plain).await;
    assert_refused(&answer, "UnrecognizedClientException", INVALID_TOKEN);
}

#[tokio::test]
async fn keys_of_a_suspended_account_are_unknown() {
    let registry = Registry::open().await;
    let other = registry.create_account("210987654321").await;
    let plain = list();
    assert_eq!(registry.send_as(&other, &plain).await.status, 200);
    let state = |active| SetAccountState {
        management_account: registry.app.management_account,
        id: AccountId::parse("210987654321").unwrap(),
        active,
    };
    registry.manage(state(false)).await;
    let answer = registry.send_as(&other, &plain).await;
    assert_refused(&answer, "UnrecognizedClientException", INVALID_TOKEN);
    registry.manage(state(true)).await;
    assert_eq!(registry.send_as(&other, &plain).await.status, 200);
}

#[tokio::test]
async fn the_signature_covers_what_was_asked() {
    let registry = Registry::open().await;
    let plain = list();
    let headers = registry.signed(&plain);
    assert_eq!(registry.send_with(&plain, headers.clone()).await.status, 200);

    let other_body = Plain { body: "{\"maxResults\":1}".into(), ..plain.clone() };
    let answer = registry.send_with(&other_body, headers.clone()).await;
    assert_refused(&answer, "InvalidSignatureException", MISMATCH);

    let mut other_operation = headers.clone();
    let target = super::operation("DeleteRepository", &json!({})).headers[0].1.clone();
    other_operation.insert("x-amz-target", HeaderValue::from_str(&target).unwrap());
    let answer = registry.send_with(&plain, other_operation).await;
    assert_refused(&answer, "InvalidSignatureException", MISMATCH);

    let mut unreadable = headers.clone();
    let text = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE";
    unreadable.insert("authorization", HeaderValue::from_static(text));
    let answer = registry.send_with(&plain, unreadable).await;
    assert_refused(
        &answer,
        "IncompleteSignatureException",
        "Authorization header requires 'SignedHeaders' parameter.",
    );

    let mut basic = headers;
    basic.insert("authorization", HeaderValue::from_static("Basic QVdTOnBhc3N3b3Jk"));
    let answer = registry.send_with(&plain, basic).await;
    assert_refused(&answer, "MissingAuthenticationTokenException", "Missing Authentication Token");
}

#[tokio::test]
async fn a_signature_lasts_five_minutes() {
    let registry = Registry::open().await;
    let plain = list();
    let headers = registry.signed(&plain);
    registry.clock.advance_seconds(300);
    assert_eq!(registry.send_with(&plain, headers.clone()).await.status, 200);
    registry.clock.advance_seconds(1);
    assert_refused(
        &registry.send_with(&plain, headers).await,
        "InvalidSignatureException",
        "Signature expired: 20260203T040506Z is now earlier than 20260203T040507Z \
         (20260203T041007Z - 5 min.)",
    );
}

#[tokio::test]
async fn the_scope_must_fit_service_and_host() {
    let registry = Registry::open().await;
    let wrong_service = Plain { service: "sts".to_owned(), ..list() };
    assert_refused(
        &registry.send(&wrong_service).await,
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'ecr'.",
    );
    let named = Plain { host: "api.ecr.eu-west-1.example.com".to_owned(), ..list() };
    assert_refused(
        &registry.send(&named).await,
        "InvalidSignatureException",
        "Credential should be scoped to a valid region, not 'us-east-1'; this host is in \
         'eu-west-1'.",
    );
    let fitting = Plain { region: "eu-west-1".to_owned(), ..named };
    assert_eq!(registry.send(&fitting).await.status, 200);
    let no_region = Plain { region: "US_EAST".to_owned(), ..list() };
    assert_refused(
        &registry.send(&no_region).await,
        "InvalidSignatureException",
        "Credential should be scoped to a valid region: region `US_EAST` is not valid: must \
         satisfy regular expression '[a-z0-9][a-z0-9-]{0,62}'",
    );
}

/// HTTP/2 has no `host` header; signatures cover it all the same.
#[tokio::test]
async fn the_authority_of_the_target_is_the_host() {
    let registry = Registry::open().await;
    let plain = list();
    let mut headers = registry.signed(&plain);
    headers.remove("host");
    let http2 = Plain { target: "http://localhost:4510/".to_owned(), ..plain.clone() };
    assert_eq!(registry.send_with(&http2, headers.clone()).await.status, 200);
    let example = "example.com".to_owned();
    let other = Plain { target: format!("http://{example}/"), host: example, ..plain };
    headers.insert("host", HeaderValue::from_static("localhost:4510"));
    let answer = registry.send_with(&other, headers).await;
    assert_refused(&answer, "InvalidSignatureException", MISMATCH);
}

#[tokio::test]
async fn behind_a_proxy_the_host_is_what_the_client_used() {
    let registry = Registry::open().await;
    let plain = list();
    let mut headers = registry.signed(&plain);
    headers.insert("host", HeaderValue::from_static("backend:8080"));
    assert_eq!(registry.send_with(&plain, headers.clone()).await.status, 200);
    let elsewhere = Plain { host: "elsewhere.example".to_owned(), ..plain };
    let answer = registry.send_with(&elsewhere, headers).await;
    assert_refused(&answer, "InvalidSignatureException", MISMATCH);
}
