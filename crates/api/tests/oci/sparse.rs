//! Manifests whose layers or children are not in the repository, where the operator allows them.

use tonnage_domain::app::Settings;
use tonnage_domain::gc;
use tonnage_domain::names::Digest;

use crate::content::{self, CONFIG, LAYER, OCI_IMAGE, OCI_INDEX, descriptor, image, index, text};
use crate::registry::Registry;

async fn sparse() -> Registry {
    let settings =
        Settings { sparse_manifests: true, gc_grace_seconds: 3600, ..Settings::default() };
    let registry = Registry::with(settings).await;
    registry.create("app").await;
    registry
}

async fn after_a_collection(registry: &Registry) {
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    gc::sweep(&registry.app).await.unwrap();
}

#[tokio::test]
async fn push_what_is_missing_is_refused_by_default() {
    let registry = Registry::open().await;
    let child = text(&image("child"));
    let parent = text(&index(&[descriptor(OCI_IMAGE, &child)]));
    for (media_type, manifest) in [(OCI_IMAGE, &child), (OCI_INDEX, &parent)] {
        registry
            .put("app", "v1", media_type, manifest)
            .await
            .check("404 MANIFEST_BLOB_UNKNOWN", &[]);
    }
}

#[tokio::test]
async fn push_what_is_missing_is_decided_for_one_repository_where_it_says_so() {
    for (by_server, by_repository, expected) in [
        (false, None, "404 MANIFEST_BLOB_UNKNOWN"),
        (false, Some(true), "201"),
        (true, None, "201"),
        (true, Some(false), "404 MANIFEST_BLOB_UNKNOWN"),
    ] {
        let settings = Settings { sparse_manifests: by_server, ..Settings::default() };
        let registry = Registry::with(settings).await;
        registry.create("app").await;
        registry.put_sparse_manifests("app", by_repository).await;
        let answer = registry.put("app", "v1", OCI_IMAGE, &text(&image("v1"))).await;
        answer.check(expected, &[]);
    }
}

#[tokio::test]
async fn push_a_layer_that_comes_later_belongs_to_the_image() {
    let registry = sparse().await;
    registry.push("app", CONFIG).await;
    let manifest = text(&content::image("v1"));
    registry.put("app", "v1", OCI_IMAGE, &manifest).await.check(
        "201",
        &[(
            "warning",
            "299 - \"1 layers or images that the manifest refers to are not in the repository.\"",
        )],
    );
    let layer = registry.push("app", LAYER).await;
    after_a_collection(&registry).await;
    assert_eq!(registry.pull("app", &layer).await, LAYER);
    registry.call(format!("DELETE /v2/app/blobs/{layer}")).await.check("409 DENIED", &[]);
    // It goes with the image.
    registry.call("DELETE /v2/app/manifests/v1").await.check("202", &[]);
    after_a_collection(&registry).await;
    registry.call(format!("HEAD /v2/app/blobs/{layer}")).await.check("404", &[]);
}

#[tokio::test]
async fn push_a_child_that_comes_later_belongs_to_the_index() {
    let registry = sparse().await;
    let child = text(&image("child"));
    let digest = Digest::of_sha256(&child);
    let missing = descriptor(OCI_IMAGE, b"never pushed");
    let parent = text(&index(&[descriptor(OCI_IMAGE, &child), missing]));
    registry.put("app", "v1", OCI_INDEX, &parent).await.check("201", &[("warning", "*")]);
    assert_eq!(registry.call("GET /v2/app/manifests/v1").await.body, parent);
    registry.push_image("app", "child").await;
    registry.call(format!("DELETE /v2/app/manifests/{digest}")).await.check("409 DENIED", &[]);
    registry.call("DELETE /v2/app/manifests/v1").await.check("202", &[]);
    registry.call(format!("DELETE /v2/app/manifests/{digest}")).await.check("202", &[]);
}
