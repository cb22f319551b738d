//! Lists of referrers, of registries that have them and of others.

use super::*;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn page(manifests: &str, next: Option<&str>) -> Reply {
    let reply = Reply::ok(format!(r#"{{"schemaVersion":2,"manifests":[{manifests}]}}"#))
        .with("content-type", INDEX);
    match next {
        Some(next) => reply.with("link", format!("<{next}>; rel=\"next\"")),
        None => reply,
    }
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let check = async |script: fn(&str, &str) -> Reply, expected: &str| {
        let digest = EMPTY;
        let server = Server::start(move |asked| {
            let prefix = format!("/v2/a/referrers/{digest}");
            match asked.path.strip_prefix(&prefix) {
                Some(query) => script(query, &asked.base()),
                None => script(&asked.path, &asked.base()),
            }
        })
        .await;
        let limits = Limits { referrers_bytes_max: 500, ..limits() };
        let registries = registries_with(limits, &[]);
        let found = match registries.referrers(&anonymous(&server.url()), "a", digest).await {
            Ok(Some(index)) => String::from_utf8(index.to_vec()).unwrap(),
            Ok(None) => "none".to_owned(),
            Err(error) => kind(&error),
        };
        assert_says(&found, expected, expected);
    };
    let whole = r#"{"schemaVersion":2,"manifests":[{"a":1}]}"#;
    check(|_, _| page(r#"{"a":1}"#, None), whole).await;
    check(
        |query, base| match query {
            "" => page(r#"{"a":1}"#, Some("?page=2")),
            "?page=2" => page(r#"{"a":2}"#, Some(&format!("{base}/v2/a/referrers/{EMPTY}?page=3"))),
            _ => page(r#"{"a":3},{"a":4}"#, None),
        },
        r#"{"schemaVersion":2,"manifests":[{"a":1},{"a":2},{"a":3},{"a":4}]}"#,
    )
    .await;
    // The tag that stands in for a list.
    check(
        |path, _| match path.strip_prefix("/v2/a/manifests/sha256-") {
            Some(hex) if hex.len() == 64 => page(r#"{"a":1}"#, None),
            _ => Reply::of(404),
        },
        whole,
    )
    .await;
    check(
        |path, _| match path.starts_with("/v2/a/manifests/sha256-") {
            true => page(r#"{"a":1}"#, None),
            false => Reply::ok("<html>").with("content-type", "text/html"),
        },
        whole,
    )
    .await;
    check(|_, _| Reply::of(404), "none").await;
    check(|_, _| Reply::ok("{}").with("content-type", "a/b"), "none").await;
    // What no registry should answer.
    check(|_, _| page("", Some("?again")), "invalid").await;
    check(|_, _| page("", Some("https://127.0.0.1/other")), "has the next page elsewhere").await;
    check(|_, _| page(&"1,".repeat(400), None), "is larger than 500 bytes").await;
    check(
        |query, _| match query {
            "" => page("", Some("?page=2")),
            _ => Reply::ok("[]").with("content-type", INDEX),
        },
        "sent a page that is no index",
    )
    .await;
    check(
        |query, _| match query {
            "" => page("", Some("?page=2")),
            _ => Reply::of(404),
        },
        "not found",
    )
    .await;
    check(|_, _| Reply::of(500), "unavailable").await;
    check(|_, _| Reply::of(403), "denied").await;
}
