//! Deleting tags and manifests.

use serde_json::json;
use tonnage_domain::names::Digest;

use crate::content::{OCI_IMAGE, OCI_INDEX, descriptor, index, text};
use crate::registry::Registry;

async fn is_there(registry: &Registry, reference: &str, there: bool) {
    let status = if there { "200" } else { "404" };
    registry.call(format!("HEAD /v2/app/manifests/{reference}")).await.check(status, &[]);
}

#[tokio::test]
async fn end_9_a_tag() {
    let registry = Registry::open().await;
    let manifest = registry.push_image("app", "v1").await;
    registry.put("app", "v2", OCI_IMAGE, &manifest).await.check("201", &[]);
    let digest = Digest::of_sha256(&manifest);
    registry.call("DELETE /v2/app/manifests/v1").await.check("202", &[]);
    is_there(&registry, "v1", false).await;
    is_there(&registry, "v2", true).await;
    is_there(&registry, digest.as_str(), true).await;
    let tags = registry.call("GET /v2/app/tags/list").await.json();
    assert_eq!(tags["tags"], json!(["v2"]));
    registry.call("DELETE /v2/app/manifests/v1").await.check("404 MANIFEST_UNKNOWN", &[]);

    // As in ECR, the image goes with its last tag.
    registry.call("DELETE /v2/app/manifests/v2").await.check("202", &[]);
    is_there(&registry, digest.as_str(), false).await;
}

#[tokio::test]
async fn end_9_a_manifest_with_all_its_tags() {
    let registry = Registry::open().await;
    let manifest = registry.push_image("app", "v1").await;
    registry.put("app", "v2", OCI_IMAGE, &manifest).await.check("201", &[]);
    let digest = Digest::of_sha256(&manifest);
    registry.call(format!("DELETE /v2/app/manifests/{digest}")).await.check("202", &[]);
    for reference in ["v1", "v2", digest.as_str()] {
        is_there(&registry, reference, false).await;
        registry
            .call(format!("DELETE /v2/app/manifests/{reference}"))
            .await
            .check("404 MANIFEST_UNKNOWN", &[])
            .says("Requested image not found");
    }
    // It can come back.
    registry.put("app", "v1", OCI_IMAGE, &manifest).await.check("201", &[]);
    is_there(&registry, digest.as_str(), true).await;
}

#[tokio::test]
async fn end_10_a_blob_that_no_image_refers_to() {
    let registry = Registry::open().await;
    registry.create("other").await;
    for content in [b"small".to_vec(), crate::content::bytes(200_000, 9)] {
        let digest = registry.push("app", &content).await;
        registry.push("other", &content).await;
        let path = format!("/v2/app/blobs/{digest}");
        registry.call(format!("DELETE {path}")).await.check("202", &[]);
        registry.call(format!("HEAD {path}")).await.check("404", &[]);
        registry.call(format!("GET {path}")).await.check("404 BLOB_UNKNOWN", &[]);
        registry.call(format!("DELETE {path}")).await.check("404 BLOB_UNKNOWN", &[]);
        // What another repository holds stays, and the blob can come back.
        assert!(registry.pull("other", &digest).await == content);
        registry.push("app", &content).await;
        registry.call(format!("HEAD {path}")).await.check("200", &[]);
    }
    for (path, expected) in [
        ("app/blobs/sha256:abc", "400 DIGEST_INVALID"),
        (
            "none/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "404 NAME_UNKNOWN",
        ),
    ] {
        registry.call(format!("DELETE /v2/{path}")).await.check(expected, &[]);
    }
}

#[tokio::test]
async fn end_10_a_blob_of_an_image_stays_as_long_as_the_image() {
    let registry = Registry::open().await;
    let manifest = registry.push_image("app", "v1").await;
    let (layer, image) = (Digest::of_sha256(crate::content::LAYER), Digest::of_sha256(&manifest));
    registry.call(format!("DELETE /v2/app/blobs/{layer}")).await.check("409 DENIED", &[]).says(
        &format!(
            "The image with digest '{image}' refers to the layer with digest '{layer}'; delete the \
             image first."
        ),
    );
    registry.call(format!("DELETE /v2/app/manifests/{image}")).await.check("202", &[]);
    registry.call(format!("DELETE /v2/app/blobs/{layer}")).await.check("202", &[]);
    // The image cannot come back without it.
    registry.put("app", "v1", OCI_IMAGE, &manifest).await.check("404 MANIFEST_BLOB_UNKNOWN", &[]);
}

#[tokio::test]
async fn the_bytes_of_a_deleted_blob_go_after_the_grace_period() {
    let registry = Registry::open().await;
    let digest = registry.push("app", &crate::content::bytes(200_000, 10)).await;
    assert_eq!(registry.objects(), 1);
    registry.call(format!("DELETE /v2/app/blobs/{digest}")).await.check("202", &[]);
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    assert_eq!(registry.objects(), 0);
}

#[tokio::test]
async fn what_cannot_be_named_cannot_be_deleted() {
    let registry = Registry::open().await;
    for (reference, expected) in [
        ("-v1", "404 MANIFEST_UNKNOWN"),
        ("sha256:abc", "400 DIGEST_INVALID"),
        (Digest::of_sha256(b"").as_str(), "404 MANIFEST_UNKNOWN"),
    ] {
        registry.call(format!("DELETE /v2/app/manifests/{reference}")).await.check(expected, &[]);
    }
}

#[tokio::test]
async fn a_child_of_an_index_stays_as_long_as_the_index() {
    let registry = Registry::open().await;
    let child = registry.push_image("app", "child").await;
    let child_digest = Digest::of_sha256(&child);
    let parent = text(&index(&[descriptor(OCI_IMAGE, &child)]));
    let parent_digest = Digest::of_sha256(&parent);
    registry.put("app", "parent", OCI_INDEX, &parent).await.check("201", &[]);
    registry
        .call(format!("DELETE /v2/app/manifests/{child_digest}"))
        .await
        .check("409 DENIED", &[])
        .says(&format!("Requested image referenced by manifest list: [{parent_digest}]"));
    is_there(&registry, "child", true).await;

    // Its tag is no part of the index.
    registry.call("DELETE /v2/app/manifests/child").await.check("202", &[]);
    is_there(&registry, "child", false).await;
    is_there(&registry, child_digest.as_str(), true).await;

    registry.call("DELETE /v2/app/manifests/parent").await.check("202", &[]);
    is_there(&registry, parent_digest.as_str(), false).await;
    is_there(&registry, child_digest.as_str(), true).await;
    registry.call(format!("DELETE /v2/app/manifests/{child_digest}")).await.check("202", &[]);
    is_there(&registry, child_digest.as_str(), false).await;
}

#[tokio::test]
async fn blobs_of_a_deleted_image_can_be_pulled_and_used_again() {
    let registry = Registry::open().await;
    let manifest = registry.push_image("app", "v1").await;
    registry.call("DELETE /v2/app/manifests/v1").await.check("202", &[]);
    let layer = Digest::of_sha256(crate::content::LAYER);
    registry.call(format!("HEAD /v2/app/blobs/{layer}")).await.check("200", &[]);
    registry.put("app", "v1", OCI_IMAGE, &manifest).await.check("201", &[]);
}
