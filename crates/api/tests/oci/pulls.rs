//! Pulling and looking.

use serde_json::json;
use tonnage_domain::names::{Algorithm, Digest};

use crate::content::{self, LAYER, OCI_IMAGE};
use crate::registry::Registry;

#[tokio::test]
async fn end_3_manifests_by_tag_and_by_digest() {
    let registry = Registry::open().await;
    let manifest = registry.push_image("app", "v1").await;
    let digest = Digest::of_sha256(&manifest);
    let length = manifest.len().to_string();
    let etag = format!("\"{digest}\"");
    let headers = [
        ("content-type", OCI_IMAGE),
        ("content-length", &*length),
        ("docker-content-digest", digest.as_str()),
        ("etag", &*etag),
    ];
    for reference in ["v1", digest.as_str()] {
        for accept in ["", OCI_IMAGE, "*/*", "application/json"] {
            let path = format!("/v2/app/manifests/{reference}");
            let got = registry.call(format!("GET {path}")).with("accept", accept).await;
            assert_eq!(got.check("200", &headers).body, manifest);
            registry
                .call(format!("HEAD {path}"))
                .with("accept", accept)
                .await
                .check("200", &headers);
        }
    }
}

#[tokio::test]
async fn end_3_what_is_not_there_is_unknown() {
    let registry = Registry::open().await;
    registry.push_image("app", "v1").await;
    let missing = Digest::of_sha256(b"missing");
    let missing_512 = Digest::of(Algorithm::Sha512, b"missing");
    let config = Digest::of_sha256(content::CONFIG);
    let long = "a".repeat(129);
    for reference in
        ["v2", "V1", missing.as_str(), missing_512.as_str(), config.as_str(), "-v1", ".v1", &long]
    {
        registry
            .call(format!("GET /v2/app/manifests/{reference}"))
            .await
            .check("404 MANIFEST_UNKNOWN", &[])
            .says("Requested image not found");
        registry.call(format!("HEAD /v2/app/manifests/{reference}")).await.check("404", &[]);
    }
    for digest in ["sha256:baddigeststring", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        registry
            .call(format!("GET /v2/app/manifests/{digest}"))
            .await
            .check("400 DIGEST_INVALID", &[]);
        registry.call(format!("HEAD /v2/app/manifests/{digest}")).await.check("400", &[]);
        registry.call(format!("GET /v2/app/blobs/{digest}")).await.check("400 DIGEST_INVALID", &[]);
    }
}

#[tokio::test]
async fn end_2_blobs() {
    let registry = Registry::open().await;
    let digest = registry.push("app", LAYER).await;
    let length = LAYER.len().to_string();
    let etag = format!("\"{digest}\"");
    let headers = [
        ("content-type", "application/octet-stream"),
        ("content-length", &*length),
        ("docker-content-digest", digest.as_str()),
        ("accept-ranges", "bytes"),
        ("etag", &*etag),
    ];
    let got = registry.call(format!("GET /v2/app/blobs/{digest}")).await.check("200", &headers);
    assert_eq!(got.body, LAYER);
    registry.call(format!("HEAD /v2/app/blobs/{digest}")).await.check("200", &headers);

    for missing in [
        Digest::of_sha256(b"missing"),
        // Held, but under the other algorithm.
        Digest::of(Algorithm::Sha512, LAYER),
    ] {
        let path = format!("/v2/app/blobs/{missing}");
        registry.call(format!("GET {path}")).await.check("404 BLOB_UNKNOWN", &[]);
        registry.call(format!("HEAD {path}")).await.check("404", &[]);
    }
}

#[tokio::test]
async fn the_empty_blob_is_a_blob() {
    let registry = Registry::open().await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, b"");
        let path = format!("/v2/app/blobs/{digest}");
        registry.call(format!("HEAD {path}")).await.check("404", &[]);
        registry
            .call(format!("POST /v2/app/blobs/uploads/?digest={digest}"))
            .with("content-length", "0")
            .await
            .check("201", &[]);
        for method in ["GET", "HEAD"] {
            let headers = [("content-length", "0"), ("docker-content-digest", digest.as_str())];
            registry.call(format!("{method} {path}")).await.check("200", &headers);
        }
    }
}

#[tokio::test]
async fn content_that_a_client_has_is_not_sent_again() {
    let registry = Registry::open().await;
    let manifest = registry.push_image("app", "v1").await;
    let layer = Digest::of_sha256(LAYER);
    for (path, digest) in [
        ("/v2/app/manifests/v1".to_owned(), Digest::of_sha256(&manifest)),
        (format!("/v2/app/blobs/{layer}"), layer.clone()),
    ] {
        let etag = format!("\"{digest}\"");
        let other = format!("\"{}\"", Digest::of_sha256(b"other"));
        for (candidates, expected) in [
            (etag.clone(), "304"),
            (format!("W/{etag}"), "304"),
            (format!("{other}, {etag}"), "304"),
            ("*".to_owned(), "304"),
            (other.clone(), "200"),
            (digest.to_string(), "200"),
            ("nonsense".to_owned(), "200"),
        ] {
            for method in ["GET", "HEAD"] {
                registry
                    .call(format!("{method} {path}"))
                    .with("if-none-match", candidates.clone())
                    .await
                    .check(expected, &[("etag", &*etag)]);
            }
        }
    }
}

#[tokio::test]
async fn a_tag_that_moves_serves_the_new_image_and_the_old_one_stays() {
    let registry = Registry::open().await;
    let first = registry.push_image("app", "v1").await;
    let second = content::text(&content::plus(content::image("v1"), "custom", json!(true)));
    registry.put("app", "v1", OCI_IMAGE, &second).await.check("201", &[]);
    for (reference, manifest) in [
        ("v1", &second),
        (Digest::of_sha256(&second).as_str(), &second),
        (Digest::of_sha256(&first).as_str(), &first),
    ] {
        let got = registry.call(format!("GET /v2/app/manifests/{reference}")).await;
        assert_eq!(got.check("200", &[]).body, manifest);
    }
}
