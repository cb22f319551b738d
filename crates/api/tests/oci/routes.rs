//! Paths, names and methods.

use tonnage_domain::app::Settings;
use tonnage_domain::names::Digest;

use crate::content::{self, OCI_IMAGE, OCI_INDEX};
use crate::registry::Registry;

const ID: &str = "00000000-0000-4000-8000-000000000000";

#[tokio::test]
async fn end_1_says_that_the_specification_is_served() {
    let registry = Registry::open().await;
    for path in ["/v2/", "/v2"] {
        registry
            .call(format!("GET {path}"))
            .await
            .check("200", &[("content-type", "application/json")])
            .says("{}");
        registry.call(format!("HEAD {path}")).await.check("200", &[("content-length", "2")]);
    }
}

#[tokio::test]
async fn paths_of_nobody_are_ecrs_plain_404() {
    let registry = Registry::open().await;
    for path in [
        "/v2/app",
        "/v2/app/",
        "/v2/app/tags",
        "/v2/app/manifests",
        "/v2/app/manifests/",
        "/v2/app/blobs/",
        "/v2//tags/list",
        "/v2/_nothing",
    ] {
        registry
            .call(format!("GET {path}"))
            .await
            .check(
                "404",
                &[
                    ("content-type", "text/plain; charset=utf-8"),
                    ("x-content-type-options", "nosniff"),
                ],
            )
            .says("404 page not found\n");
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_not() {
    let registry = Registry::open().await;
    let digest = Digest::of_sha256(b"");
    for (request, allowed) in [
        ("POST /v2/".to_owned(), "GET, HEAD"),
        ("DELETE /v2/_catalog".to_owned(), "GET, HEAD"),
        ("PUT /v2/app/tags/list".to_owned(), "GET, HEAD"),
        ("POST /v2/app/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
        ("PATCH /v2/app/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
        (format!("PUT /v2/app/blobs/{digest}"), "GET, HEAD, DELETE"),
        ("GET /v2/app/blobs/uploads/".to_owned(), "POST"),
        ("PUT /v2/app/blobs/uploads/".to_owned(), "POST"),
        (format!("POST /v2/app/blobs/uploads/{ID}"), "GET, HEAD, PATCH, PUT, DELETE"),
        (format!("PUT /v2/app/referrers/{digest}"), "GET, HEAD"),
        ("GETS /v2/app/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
    ] {
        registry.call(request).await.check("405 UNSUPPORTED", &[("allow", allowed)]);
    }
}

/// Every route with a repository, as `{method} {path after the name}`.
fn routes() -> Vec<String> {
    let digest = Digest::of_sha256(b"missing");
    vec![
        "GET tags/list".to_owned(),
        "GET tags/list?n=0".to_owned(),
        "GET manifests/v1".to_owned(),
        format!("GET manifests/{digest}"),
        "DELETE manifests/v1".to_owned(),
        format!("DELETE manifests/{digest}"),
        format!("GET blobs/{digest}"),
        format!("DELETE blobs/{digest}"),
        "POST blobs/uploads/".to_owned(),
        format!("POST blobs/uploads/?digest={digest}"),
        format!("POST blobs/uploads/?mount={digest}&from=app"),
        format!("GET blobs/uploads/{ID}"),
        format!("PATCH blobs/uploads/{ID}"),
        format!("PUT blobs/uploads/{ID}?digest={digest}"),
        format!("DELETE blobs/uploads/{ID}"),
        format!("GET referrers/{digest}"),
    ]
}

async fn ask(registry: &Registry, repository: &str, expected: &str) {
    for route in routes() {
        let (method, path) = route.split_once(' ').unwrap();
        registry.call(format!("{method} /v2/{repository}/{path}")).await.check(expected, &[]);
    }
    let manifest = content::text(&content::index(&[]));
    registry.put(repository, "v1", OCI_INDEX, &manifest).await.check(expected, &[]);
    let status = expected.split(' ').next().unwrap();
    for path in ["manifests/v1".to_owned(), format!("blobs/{}", Digest::of_sha256(b"missing"))] {
        registry.call(format!("HEAD /v2/{repository}/{path}")).await.check(status, &[]);
    }
}

#[tokio::test]
async fn code_9_unknown_repositories_are_name_unknown_on_every_route() {
    let registry = Registry::open().await;
    ask(&registry, "none", "404 NAME_UNKNOWN").await;
    registry.call("GET /v2/none/tags/list").await.says(
        "The repository with name 'none' does not exist in the registry with id '123456789012'",
    );
}

#[tokio::test]
async fn code_8_names_that_are_none_are_name_invalid_on_every_route() {
    let registry = Registry::open().await;
    let long = "a".repeat(257);
    for name in ["App", "a", "app/", "a..b", "-app", "app_", "a/-/b", "a%20b", &long] {
        ask(&registry, name, "400 NAME_INVALID").await;
    }
}

#[tokio::test]
async fn names_may_have_parts_called_as_the_routes_are() {
    let registry = Registry::with(Settings::default()).await;
    for name in [
        "blobs",
        "uploads",
        "manifests",
        "tags",
        "v2/v2",
        "blobs/uploads",
        "a/blobs/b",
        "tags/list",
        "a/tags/list",
        "app/manifests",
        "app/manifests/manifests",
        "app/blobs/uploads",
        "app/referrers/manifests",
        "a-b.c_d/e__f",
    ] {
        registry.create(name).await;
        let manifest = registry.push_image(name, "v1").await;
        let digest = Digest::of_sha256(&manifest);
        let tags = registry.call(format!("GET /v2/{name}/tags/list")).await.check("200", &[]);
        assert_eq!(tags.json(), serde_json::json!({ "name": name, "tags": ["v1"] }));
        for reference in ["v1", digest.as_str()] {
            registry
                .call(format!("GET /v2/{name}/manifests/{reference}"))
                .await
                .check("200", &[("content-type", OCI_IMAGE)]);
        }
        let upload = registry.start(name).await;
        registry.call(format!("PATCH {upload}")).body("abc").await.check("202", &[]);
        let blob = Digest::of_sha256(b"abc");
        let location =
            registry.call(format!("PUT {upload}?digest={blob}")).await.check("201", &[]).location();
        assert_eq!(location, format!("/v2/{name}/blobs/{blob}"));
        assert_eq!(registry.pull(name, &blob).await, b"abc");
        let referrers = registry.call(format!("GET /v2/{name}/referrers/{digest}")).await;
        referrers.check("200", &[("content-type", OCI_INDEX)]);
    }
}

#[tokio::test]
async fn a_push_makes_the_repository_only_where_the_operator_allows_it() {
    let settings = Settings { create_on_push: true, ..Settings::default() };
    let registry = Registry::with(settings).await;
    // Asking makes nothing.
    registry.call("GET /v2/team/new/tags/list").await.check("404 NAME_UNKNOWN", &[]);
    registry.push_image("team/new", "v1").await;
    registry.call("HEAD /v2/team/new/manifests/v1").await.check("200", &[]);
    registry.call("POST /v2/Bad/blobs/uploads/").await.check("400 NAME_INVALID", &[]);

    // Not in the registry of another account.
    let other = registry.other_account().await;
    let credentials = format!("Basic {}", registry.token_of(&other, "us-east-1").await);
    registry
        .call("POST /v2/theirs/blobs/uploads/")
        .with("authorization", &*credentials)
        .at("123456789012.dkr.ecr.us-east-1.example.com")
        .await
        .check("403 DENIED", &[]);
    registry.call("GET /v2/theirs/tags/list").await.check("404 NAME_UNKNOWN", &[]);
}
