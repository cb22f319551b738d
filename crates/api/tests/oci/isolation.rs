//! A blob is reachable only through a repository that holds it, and its bytes are kept once.

use tonnage_domain::names::Digest;

use crate::content::{self, OCI_IMAGE, bytes};
use crate::registry::Registry;

#[tokio::test]
async fn code_1_a_blob_of_another_repository_is_unknown() {
    let registry = Registry::open().await;
    registry.create("second").await;
    let other = registry.other_account().await;
    registry.create_as(&other, "app").await;
    let others = format!("Basic {}", registry.token_of(&other, "us-east-1").await);
    for content in [b"small".to_vec(), bytes(200_000, 1)] {
        let digest = registry.push("app", &content).await;
        let own = format!("Basic {}", registry.token);
        for (repository, credentials) in [("second", &own), ("app", &others)] {
            let path = format!("/v2/{repository}/blobs/{digest}");
            let call = |method: &str| {
                registry.call(format!("{method} {path}")).with("authorization", credentials)
            };
            call("GET").await.check("404 BLOB_UNKNOWN", &[]);
            call("HEAD").await.check("404", &[]);
        }
    }
    // Nor does a manifest find it there.
    registry.push_image("app", "v1").await;
    let manifest = content::text(&content::image("v1"));
    registry
        .put("second", "v1", OCI_IMAGE, &manifest)
        .await
        .check("404 MANIFEST_BLOB_UNKNOWN", &[]);
    registry.call("GET /v2/second/manifests/v1").await.check("404 MANIFEST_UNKNOWN", &[]);
    let digest = Digest::of_sha256(&manifest);
    registry
        .call(format!("GET /v2/second/manifests/{digest}"))
        .await
        .check("404 MANIFEST_UNKNOWN", &[]);
}

#[tokio::test]
async fn the_same_bytes_are_kept_once_for_an_account() {
    let registry = Registry::open().await;
    registry.create("second").await;
    let content = bytes(200_000, 2);
    for _ in 0..2 {
        for repository in ["app", "second"] {
            let digest = registry.push(repository, &content).await;
            assert!(registry.pull(repository, &digest).await == content);
        }
    }
    tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    assert_eq!(registry.objects(), 1);
    let digest = Digest::of_sha256(&content);
    assert!(registry.pull("app", &digest).await == content);

    // Another account has its own.
    let other = registry.other_account().await;
    registry.create_as(&other, "app").await;
    let others = format!("Basic {}", registry.token_of(&other, "us-east-1").await);
    registry
        .call(format!("POST /v2/app/blobs/uploads/?digest={digest}"))
        .with("authorization", others)
        .body(content)
        .await
        .check("201", &[]);
    tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    assert_eq!(registry.objects(), 2);
}

#[tokio::test]
async fn small_blobs_need_no_object() {
    let registry = Registry::open().await;
    registry.push("app", &bytes(64 * 1024, 3)).await;
    assert_eq!(registry.objects(), 0);
    registry.push("app", &bytes(64 * 1024 + 1, 3)).await;
    assert_eq!(registry.objects(), 1);
}
