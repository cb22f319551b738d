//! Who is let in, and in which words the others are sent away (ECR's, see `docs/compatibility`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tonnage_domain::app::Settings;

use crate::registry::{ACCOUNT, OTHER_ACCOUNT, Registry};

const EXPIRED: &str = "Your authorization token has expired. Reauthenticate and try again.";

#[tokio::test]
async fn end_1_without_credentials_the_challenge_is_ecrs() {
    let registry = Registry::open().await;
    let bare = r#"Basic realm="http://localhost:4510/",service="ecr.amazonaws.com""#;
    for (credentials, path) in [
        ("", "/v2/"),
        ("", "/v2"),
        ("", "/v2/app/manifests/v1"),
        ("", "/v2/no/such/path"),
        ("Bearer eyJ", "/v2/"),
        ("AWS4-HMAC-SHA256 Credential=AKIA", "/v2/"),
        ("Basic", "/v2/"),
    ] {
        registry
            .call(format!("GET {path}"))
            .with("authorization", credentials)
            .await
            .check(
                "401",
                &[
                    ("www-authenticate", bare),
                    ("content-type", "text/plain; charset=utf-8"),
                    ("docker-distribution-api-version", "registry/2.0"),
                ],
            )
            .says("Not Authorized\n");
    }
    registry
        .call("GET /v2/")
        .with("authorization", "")
        .at("123456789012.dkr.ecr.us-east-1.example.com")
        .secure()
        .await
        .check(
            "401",
            &[(
                "www-authenticate",
                "Basic realm=\"https://123456789012.dkr.ecr.us-east-1.example.com/\",\
                 service=\"ecr.amazonaws.com\"",
            )],
        );
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_a_bad_request() {
    let registry = Registry::open().await;
    let good = String::from_utf8(STANDARD.decode(&registry.token).unwrap()).unwrap();
    let password = good.strip_prefix("AWS:").unwrap();
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let mut other_signature = password.to_owned();
    other_signature.replace_range(40..41, if &password[40..41] == "A" { "B" } else { "A" });
    for credentials in [
        "Basic !".to_owned(),
        "Basic AAA".to_owned(),
        format!("Basic {}", STANDARD.encode([0xff, 0xfe, b':'])),
        basic("AWS"),
        basic("AWS:"),
        basic("AWS:nonsense"),
        basic("AWS:e30="),
        basic(&format!("aws:{password}")),
        basic(&format!("root:{password}")),
        basic(&format!("AWS:{password}\n")),
        basic(&format!("AWS: {password}")),
        basic(&format!("AWS:{other_signature}")),
        basic(&format!("AWS:{}", "A".repeat(9000))),
        basic(&format!("AWS:{}", "A".repeat(20_000))),
    ] {
        registry
            .call("GET /v2/")
            .with("authorization", credentials)
            .await
            .check("400 UNAUTHORIZED", &[("www-authenticate", "-")]);
    }
    for scheme in ["Basic", "basic", "BASIC"] {
        let credentials = format!("{scheme} {}", registry.token);
        registry.call("GET /v2/").with("authorization", credentials).await.check("200", &[]);
    }
}

#[tokio::test]
async fn a_token_works_until_it_expires() {
    let settings = Settings { token_seconds: 600, ..Settings::default() };
    let registry = Registry::with(settings).await;
    registry.clock.advance_seconds(599);
    registry.call("GET /v2/").await.check("200", &[]);
    registry.clock.advance_seconds(1);
    registry.call("GET /v2/").await.check("403 DENIED", &[]).says(EXPIRED);
}

#[tokio::test]
async fn a_named_host_says_which_registry_and_refuses_tokens_of_other_regions() {
    let registry = Registry::open().await;
    let european = registry.token_of(&registry.root, "eu-west-1").await;
    let other = registry.other_account().await;
    registry.create_as(&other, "app").await;
    let others = registry.token_of(&other, "us-east-1").await;
    let own = registry.token.clone();

    const HERE: &str = "123456789012.dkr.ecr.us-east-1.example.com";
    const FIPS: &str = "123456789012.dkr.ecr-fips.us-east-1.example.com";
    const EUROPE: &str = "123456789012.dkr.ecr.eu-west-1.example.com";
    const OTHER: &str = "210987654321.dkr.ecr.us-east-1.example.com";
    let list = "GET /v2/app/tags/list";
    for (host, token, request, expected) in [
        (HERE, &own, list, "200"),
        (FIPS, &own, list, "200"),
        (HERE, &european, "GET /v2/", "400 UNAUTHORIZED"),
        (EUROPE, &own, "GET /v2/", "400 UNAUTHORIZED"),
        (EUROPE, &european, list, "404 NAME_UNKNOWN"),
        // On a bare host the token says which registry.
        ("localhost:4510", &european, list, "404 NAME_UNKNOWN"),
        ("localhost:4510", &others, list, "200"),
        // A token speaks for a principal; policies say what it may do in another's registry.
        (OTHER, &others, list, "200"),
        (OTHER, &own, list, "403 DENIED"),
        (HERE, &others, list, "403 DENIED"),
    ] {
        registry
            .call(request)
            .with("authorization", format!("Basic {token}"))
            .at(host)
            .await
            .check(expected, &[("www-authenticate", "-")]);
    }
}

#[tokio::test]
async fn what_is_denied_says_who_may_not_do_what() {
    let registry = Registry::open().await;
    let other = registry.other_account().await;
    let others = registry.token_of(&other, "us-east-1").await;
    let repository = format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app");
    let absent = format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/none");
    let digest = tonnage_domain::names::Digest::of_sha256(b"");
    for (request, action, resource) in [
        ("GET /v2/app/tags/list".to_owned(), "ecr:ListImages", &repository),
        // Whether the repository exists does not show.
        ("GET /v2/none/tags/list".to_owned(), "ecr:ListImages", &absent),
        ("GET /v2/app/manifests/v1".to_owned(), "ecr:BatchGetImage", &repository),
        ("DELETE /v2/app/manifests/v1".to_owned(), "ecr:BatchDeleteImage", &repository),
        (format!("GET /v2/app/blobs/{digest}"), "ecr:GetDownloadUrlForLayer", &repository),
        (format!("GET /v2/app/referrers/{digest}"), "ecr:BatchGetImage", &repository),
        ("POST /v2/app/blobs/uploads/".to_owned(), "ecr:InitiateLayerUpload", &repository),
    ] {
        let answer = registry
            .call(request)
            .with("authorization", format!("Basic {others}"))
            .at("123456789012.dkr.ecr.us-east-1.example.com")
            .await
            .check("403 DENIED", &[]);
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        let expected = format!(
            "User: arn:aws:iam::{OTHER_ACCOUNT}:root is not authorized to perform: {action} on \
             resource: {resource} because no "
        );
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[tokio::test]
async fn a_suspended_account_is_refused_at_once_and_comes_back() {
    let registry = Registry::open().await;
    let other = registry.other_account().await;
    registry.create_as(&other, "app").await;
    let credentials = format!("Basic {}", registry.token_of(&other, "us-east-1").await);
    let call = |request: &str| registry.call(request).with("authorization", &*credentials);
    call("GET /v2/app/tags/list").await.check("200", &[]);
    let upload = call("POST /v2/app/blobs/uploads/").await.check("202", &[]).location();

    registry.set_account_active(OTHER_ACCOUNT, false).await;
    for request in [
        "GET /v2/app/tags/list".to_owned(),
        "POST /v2/app/blobs/uploads/".to_owned(),
        format!("PATCH {upload}"),
        format!("GET {upload}"),
        "PUT /v2/app/manifests/v1".to_owned(),
    ] {
        call(&request).await.check("401 UNAUTHORIZED", &[]);
    }
    registry.call("GET /v2/app/tags/list").await.check("200", &[]);

    registry.set_account_active(OTHER_ACCOUNT, true).await;
    call(&format!("PATCH {upload}")).body("went on").await.check("202", &[("range", "0-6")]);
}
