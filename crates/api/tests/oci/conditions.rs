//! Several tags in one push (end-7b), and pushes on a condition (RFC 9110, section 13.1).

use tonnage_domain::names::{Algorithm, Digest};
use tonnage_domain::repositories::TagMutability;

use crate::content::{OCI_IMAGE, OCI_INDEX, index, text};
use crate::registry::Registry;

fn told(answer: &crate::client::Answer) -> Vec<String> {
    let tags = answer.headers.get_all("oci-tag").iter();
    tags.map(|tag| tag.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn end_7b_a_manifest_under_many_tags() {
    let registry = Registry::open().await;
    let manifest = text(&index(&[]));
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, &manifest);
        let tags: Vec<String> = (0..12).map(|n| format!("t{n}")).collect();
        let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let reference = format!("{digest}?{}&tag=t0", query.join("&"));
        let answer = registry.put("app", &reference, OCI_INDEX, &manifest).await;
        let answer = answer.check("201", &[("docker-content-digest", digest.as_str())]);
        assert_eq!(told(&answer), tags);
        for tag in &tags {
            registry
                .call(format!("GET /v2/app/manifests/{tag}"))
                .await
                .check("200", &[("docker-content-digest", digest.as_str())]);
        }
    }
    // A push by tag says nothing of tags, unless it was asked for more.
    let answer = registry.put("app", "alone", OCI_INDEX, &manifest).await.check("201", &[]);
    assert_eq!(told(&answer), Vec::<String>::new());
    let answer = registry.put("app", "a?tag=b", OCI_INDEX, &manifest).await.check("201", &[]);
    assert_eq!(told(&answer), ["a", "b"]);
}

#[tokio::test]
async fn end_7b_all_tags_or_none() {
    let registry = Registry::open().await;
    let old = registry.push_image("app", "fixed").await;
    registry.set_tag_mutability(TagMutability::Immutable, &[]).await;
    let manifest = text(&index(&[]));
    let digest = Digest::of_sha256(&manifest);
    let many: Vec<String> = (0..101).map(|n| format!("tag=t{n}")).collect();
    for (query, expected) in [
        ("tag=new&tag=fixed".to_owned(), "400 TAG_INVALID"),
        ("tag=new&tag=".to_owned(), "400 TAG_INVALID"),
        ("tag=new&tag=not%20one".to_owned(), "400 TAG_INVALID"),
        (many.join("&"), "414 UNSUPPORTED"),
    ] {
        let reference = format!("{digest}?{query}");
        registry.put("app", &reference, OCI_INDEX, &manifest).await.check(expected, &[]);
    }
    for reference in ["new", "t0", digest.as_str()] {
        registry.call(format!("HEAD /v2/app/manifests/{reference}")).await.check("404", &[]);
    }
    let old = Digest::of_sha256(&old);
    registry
        .call("HEAD /v2/app/manifests/fixed")
        .await
        .check("200", &[("docker-content-digest", old.as_str())]);
}

#[tokio::test]
async fn a_push_on_a_condition_moves_no_tag_that_somebody_else_moved() {
    let registry = Registry::open().await;
    let first = registry.push_image("app", "v1").await;
    let etag = registry.call("GET /v2/app/manifests/v1").await.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", Digest::of_sha256(&first)));
    let other = format!("\"{}\"", Digest::of_sha256(b"other"));
    let second = text(&index(&[]));
    for (tag, name, value, expected) in [
        ("v1", "if-none-match", "*", "412 DENIED"),
        ("v1", "if-match", other.as_str(), "412 DENIED"),
        ("v2", "if-match", etag.as_str(), "412 DENIED"),
        ("v2", "if-match", "*", "412 DENIED"),
        ("v1", "if-match", "v1", "400 UNSUPPORTED"),
        ("v1", "if-none-match", etag.as_str(), "400 UNSUPPORTED"),
        ("v2", "if-none-match", "*", "201"),
        ("v1", "if-match", "*", "201"),
        ("v1", "if-match", etag.as_str(), "412 DENIED"),
    ] {
        registry
            .call(format!("PUT /v2/app/manifests/{tag}"))
            .with("content-type", OCI_INDEX)
            .with(name, value)
            .body(second.clone())
            .await
            .check(expected, &[]);
    }
    let both = format!("{other}, \"{}\"", Digest::of_sha256(&second));
    registry
        .call("PUT /v2/app/manifests/v1")
        .with("content-type", OCI_IMAGE)
        .with("if-match", both)
        .body(first.clone())
        .await
        .check("201", &[]);
    // A deletion takes the same conditions, of what is there.
    let now = format!("\"{}\"", Digest::of_sha256(&first));
    for (method_and_tag, value, expected) in [
        ("DELETE /v2/app/manifests/v1", other.as_str(), "412 DENIED"),
        ("DELETE /v2/app/manifests/v9", other.as_str(), "404 MANIFEST_UNKNOWN"),
        ("DELETE /v2/app/manifests/v1", "v1", "400 UNSUPPORTED"),
        ("DELETE /v2/app/manifests/v2", "*", "202"),
        ("DELETE /v2/app/manifests/v1", now.as_str(), "202"),
        ("DELETE /v2/app/manifests/v1", now.as_str(), "404 MANIFEST_UNKNOWN"),
    ] {
        registry.call(method_and_tag).with("if-match", value).await.check(expected, &[]);
    }
    registry.push_image("app", "v1").await;
    registry.put("app", "v2", OCI_INDEX, &second).await;
    // By digest the condition is of the manifest.
    for (bytes, expected) in [(&first, "412 DENIED"), (&text(&index(&[])), "412 DENIED")] {
        registry
            .call(format!("PUT /v2/app/manifests/{}", Digest::of_sha256(bytes)))
            .with("if-none-match", "*")
            .body(bytes.clone())
            .await
            .check(expected, &[]);
    }
}
