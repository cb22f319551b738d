//! Tags and repositories, page by page.

use serde_json::{Value, json};
use tonnage_domain::app::Settings;

use crate::content::{OCI_INDEX, index, text};
use crate::registry::Registry;

/// The tags, in the order in which they are listed.
const TAGS: [&str; 7] = ["0", "A", "Z", "_", "a", "a-1", "b.c"];

async fn with_tags() -> Registry {
    let registry = Registry::open().await;
    let manifest = text(&index(&[]));
    for position in [3, 0, 6, 1, 5, 2, 4] {
        registry.put("app", TAGS[position], OCI_INDEX, &manifest).await.check("201", &[]);
    }
    registry
}

#[tokio::test]
async fn end_8a_a_repository_without_tags_has_an_empty_list() {
    let registry = Registry::open().await;
    let answer = registry
        .call("GET /v2/app/tags/list")
        .await
        .check("200", &[("content-type", "application/json"), ("link", "-")]);
    assert_eq!(answer.json(), json!({ "name": "app", "tags": [] }));
}

#[tokio::test]
async fn end_8_tags_in_lexical_order_from_anywhere() {
    let registry = with_tags().await;
    for (query, expected, link) in [
        ("", &TAGS[..], None),
        ("?", &TAGS[..], None),
        ("?n=7", &TAGS[..], None),
        ("?n=1000", &TAGS[..], None),
        ("?n=0", &[], None),
        ("?n=0&last=A", &[], None),
        ("?n=1", &TAGS[..1], Some("last=0&n=1")),
        ("?n=6", &TAGS[..6], Some("last=a-1&n=6")),
        ("?last=", &TAGS[..], None),
        ("?last=A", &TAGS[2..], None),
        // The name itself need not exist.
        ("?last=B", &TAGS[2..], None),
        ("?last=a-", &TAGS[5..], None),
        ("?last=zzz", &[], None),
        ("?last=A&n=2", &TAGS[2..4], Some("last=_&n=2")),
        ("?n=2&last=A", &TAGS[2..4], Some("last=_&n=2")),
        ("?n=1&last=b.c", &[], None),
        ("?n=1&last=a-1", &TAGS[6..], None),
        ("?last=Z%20is%20no%20tag", &TAGS[3..], None),
        ("?other=1", &TAGS[..], None),
    ] {
        let answer = registry.call(format!("GET /v2/app/tags/list{query}")).await.check("200", &[]);
        assert_eq!(answer.json(), json!({ "name": "app", "tags": expected }), "{query}");
        let link = link.map(|link| format!("/v2/app/tags/list?{link}"));
        assert_eq!(answer.next(), link, "{query}");
    }
}

#[tokio::test]
async fn end_8b_links_lead_through_all_tags() {
    let registry = with_tags().await;
    for n in 1..=8 {
        let mut seen: Vec<Value> = Vec::new();
        let mut target = Some(format!("/v2/app/tags/list?n={n}"));
        while let Some(path) = target {
            let answer = registry.call(format!("GET {path}")).await.check("200", &[]);
            let page = answer.json()["tags"].as_array().unwrap().clone();
            assert!(page.len() <= n);
            seen.extend(page);
            target = answer.next();
        }
        assert_eq!(seen, TAGS.map(Value::from));
    }
}

#[tokio::test]
async fn without_n_a_page_has_a_hundred_tags() {
    let registry = Registry::open().await;
    let manifest = text(&index(&[]));
    for number in 0..101 {
        let tag = format!("t{number:03}");
        registry.put("app", &tag, OCI_INDEX, &manifest).await.check("201", &[]);
    }
    let answer = registry.call("GET /v2/app/tags/list").await.check("200", &[]);
    assert_eq!(answer.json()["tags"].as_array().unwrap().len(), 100);
    assert_eq!(answer.next().unwrap(), "/v2/app/tags/list?last=t099&n=100");
    let answer = registry.call(format!("GET {}", answer.next().unwrap())).await;
    assert_eq!(answer.json()["tags"], json!(["t100"]));
    assert_eq!(answer.next(), None);
}

#[tokio::test]
async fn end_8b_a_page_has_at_most_a_thousand_items() {
    let registry = with_tags().await;
    for path in ["/v2/app/tags/list", "/v2/_catalog"] {
        for n in ["1001", "4294967296", "99999999999999999999"] {
            registry.call(format!("GET {path}?n={n}")).await.check("200", &[("link", "-")]);
        }
        for n in ["-1", "x", "", "1.5", "%20"] {
            registry.call(format!("GET {path}?n={n}")).await.check("400 UNSUPPORTED", &[]).says(
                "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must \
                     be a number from 0 to 1000'",
            );
        }
    }
}

#[tokio::test]
async fn listings_answer_head_as_they_answer_get() {
    let registry = with_tags().await;
    for path in ["/v2/app/tags/list?n=2", "/v2/_catalog", "/v2/"] {
        let got = registry.call(format!("GET {path}")).await.check("200", &[]);
        let head = registry.call(format!("HEAD {path}")).await.check("200", &[]);
        assert_eq!(head.header("content-length"), Some(&*got.body.len().to_string()), "{path}");
        assert_eq!(head.header("link"), got.header("link"), "{path}");
    }
}

#[tokio::test]
async fn the_catalog_lists_the_repositories_of_the_registry() {
    let registry = Registry::with(Settings::default()).await;
    let empty = registry.call("GET /v2/_catalog").await.check("200", &[]);
    assert_eq!(empty.json(), json!({ "repositories": [] }));
    let names = ["b/c", "app", "zz", "b/a", "b"].map(|name| name.repeat(2));
    for name in &names {
        registry.create(name).await;
    }
    let mut sorted = names.clone();
    sorted.sort();
    let other = registry.other_account().await;
    registry.create_as(&other, "theirs").await;

    let all = registry.call("GET /v2/_catalog").await.check("200", &[("link", "-")]);
    assert_eq!(all.json(), json!({ "repositories": sorted }));
    for n in 1..=6 {
        let mut seen: Vec<Value> = Vec::new();
        let mut target = Some(format!("/v2/_catalog?n={n}"));
        while let Some(path) = target {
            let answer = registry.call(format!("GET {path}")).await.check("200", &[]);
            seen.extend(answer.json()["repositories"].as_array().unwrap().clone());
            target = answer.next();
        }
        assert_eq!(seen, sorted.clone().map(Value::from));
    }
    let none = registry.call("GET /v2/_catalog?n=0").await.check("200", &[("link", "-")]);
    assert_eq!(none.json(), json!({ "repositories": [] }));
}
