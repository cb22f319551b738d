use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tonnage_domain::clock::Clock as _;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::identities::authorization_token;

use crate::registry::{ACCOUNT, NOW, Plain, REGION, Registry};

fn password(data: &Value) -> String {
    let token = STANDARD.decode(data["authorizationToken"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(token).unwrap();
    let (user, password) = text.split_once(':').unwrap();
    assert_eq!(user, "AWS");
    assert!(!password.contains(':'), "clients split at every colon");
    password.to_owned()
}

#[tokio::test]
async fn the_token_speaks_for_the_caller_for_12_hours() {
    let registry = Registry::open().await;
    let output = registry.call("GetAuthorizationToken", &json!({})).await;
    let data = &output["authorizationData"][0];
    assert_eq!(output["authorizationData"].as_array().unwrap().len(), 1);
    assert_eq!(data["expiresAt"], NOW.plus_seconds(12 * 3600).epoch_seconds());
    assert_eq!(data["proxyEndpoint"], "http://localhost:4510");
    let password = password(data);
    let now = registry.clock.now();
    let identity = authorization_token::verify(&registry.app, &password, now).await.unwrap();
    assert_eq!(identity.principal.arn, "arn:aws:iam::123456789012:root");
    assert_eq!(identity.account.as_str(), ACCOUNT);
    assert_eq!(identity.region.as_str(), REGION);
    registry.clock.advance_seconds(12 * 3600);
    let now = registry.clock.now();
    let expired = authorization_token::verify(&registry.app, &password, now).await.unwrap_err();
    assert_eq!(expired.kind(), ErrorKind::TokenExpired);
}

#[tokio::test]
async fn one_token_for_each_registry_that_is_named() {
    let registry = Registry::open().await;
    let input = json!({"registryIds": [ACCOUNT, "210987654321"]});
    let plain = Plain {
        host: "api.ecr.us-east-1.example.com".to_owned(),
        ..super::operation("GetAuthorizationToken", &input)
    };
    let answer = registry.send(&plain).await;
    let document = super::document(&answer);
    let endpoints: Vec<&Value> = document["authorizationData"]
        .as_array()
        .unwrap()
        .iter()
        .map(|data| &data["proxyEndpoint"])
        .collect();
    assert_eq!(
        endpoints,
        [
            "http://123456789012.dkr.ecr.us-east-1.example.com",
            "http://210987654321.dkr.ecr.us-east-1.example.com",
        ]
    );
}

#[tokio::test]
async fn the_endpoint_is_https_where_the_client_used_it() {
    let registry = Registry::open().await;
    let plain = super::operation("GetAuthorizationToken", &json!({}));
    let headers = registry.signed(&plain);
    let answer = registry.send_over(&plain, headers, true).await;
    let document = super::document(&answer);
    assert_eq!(document["authorizationData"][0]["proxyEndpoint"], "https://localhost:4510");
}
