//! Pushing manifests.

use serde_json::{Value, json};
use tonnage_domain::names::{Algorithm, Digest};
use tonnage_domain::repositories::TagMutability;

use crate::content::{
    CONFIG, DOCKER_IMAGE, DOCKER_LIST, LAYER, OCI_CONFIG, OCI_IMAGE, OCI_INDEX, OCI_LAYER,
    descriptor, image, index, plus, text,
};
use crate::registry::Registry;

const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
const ORAS: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const SIGNED_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// A registry that holds [`CONFIG`], [`LAYER`], `{}` and the image `child`.
async fn open() -> (Registry, Value) {
    let registry = Registry::open().await;
    let child = registry.push_image("app", "child").await;
    registry.push("app", b"{}").await;
    (registry, descriptor(OCI_IMAGE, &child))
}

/// Accepted, and served byte for byte under tag and digest with the media type it has.
async fn check_accepted(registry: &Registry, content_type: &str, manifest: &[u8], served: &str) {
    let digest = Digest::of_sha256(manifest);
    for reference in ["accepted", digest.as_str()] {
        let location = registry
            .put("app", reference, content_type, manifest)
            .await
            .check("201", &[("docker-content-digest", digest.as_str())])
            .location();
        assert_eq!(location, format!("/v2/app/manifests/{digest}"));
        let got = registry
            .call(format!("GET /v2/app/manifests/{reference}"))
            .await
            .check("200", &[("content-type", served), ("docker-content-digest", digest.as_str())]);
        assert!(got.body == manifest, "{served}");
    }
}

async fn check_refused(registry: &Registry, content_type: &str, manifest: &[u8], expected: &str) {
    registry.put("app", "refused", content_type, manifest).await.check(expected, &[]);
    registry.call("GET /v2/app/manifests/refused").await.check("404 MANIFEST_UNKNOWN", &[]);
    let digest = Digest::of_sha256(manifest);
    registry
        .call(format!("GET /v2/app/manifests/{digest}"))
        .await
        .check("404 MANIFEST_UNKNOWN", &[]);
}

#[tokio::test]
async fn end_7_every_media_type() {
    let (registry, child) = open().await;
    let docker = plus(image("docker"), "mediaType", json!(DOCKER_IMAGE));
    let docker_child = descriptor(DOCKER_IMAGE, &text(&docker));
    let artifact = json!({
        "mediaType": ARTIFACT,
        "artifactType": "application/x",
        "blobs": [descriptor("application/x", LAYER)],
    });
    let list = plus(index(&[docker_child]), "mediaType", json!(DOCKER_LIST));
    for (media_type, manifest) in [
        (OCI_IMAGE, image("oci")),
        (DOCKER_IMAGE, docker),
        (OCI_INDEX, index(&[child])),
        (DOCKER_LIST, list),
        (ARTIFACT, artifact.clone()),
        (ORAS, plus(artifact, "mediaType", json!(ORAS))),
    ] {
        check_accepted(&registry, media_type, &text(&manifest), media_type).await;
    }
}

#[tokio::test]
async fn end_7_manifests_of_every_shape() {
    let (registry, child) = open().await;
    let bare = |mut document: Value| {
        document.as_object_mut().unwrap().remove("mediaType");
        document
    };
    let empty = descriptor(EMPTY, b"{}");
    let foreign = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": Digest::of_sha256(b"elsewhere").as_str(),
        "size": 123_456,
        "urls": ["https://store.example.com/layer"],
    });
    let with_data = plus(descriptor(OCI_CONFIG, CONFIG), "data", json!("e30="));
    let large: serde_json::Map<String, Value> =
        (0..390).map(|number| (format!("large-{number}"), json!("A".repeat(10_000)))).collect();
    let platform = json!({ "os": "linux", "architecture": "arm64", "variant": "v8" });
    for manifest in [
        plus(image("no layers"), "layers", json!([])),
        plus(image("null layers"), "layers", json!(null)),
        plus(image("one layer twice"), "layers", json!([empty, empty])),
        plus(plus(image("artifact"), "config", empty.clone()), "artifactType", json!("a/b")),
        plus(image("foreign layer"), "layers", json!([foreign, descriptor(OCI_LAYER, LAYER)])),
        plus(image("data"), "config", with_data),
        plus(image("unknown members"), "org.example.custom", json!({ "nested": [1, 2.5, null] })),
        plus(image("large"), "annotations", Value::Object(large)),
        plus(index(&[]), "annotations", json!({ "empty": "index" })),
        index(&[]),
        index(&[plus(child.clone(), "platform", platform), child.clone()]),
        plus(index(&[child]), "artifactType", json!("application/x")),
    ] {
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        let media_type = media_type.as_str();
        check_accepted(&registry, media_type, &text(&manifest), media_type).await;
        // The member may be absent; the header then says it, or the members do.
        let manifest = bare(manifest);
        check_accepted(&registry, media_type, &text(&manifest), media_type).await;
        let other = text(&plus(manifest, "other", json!(1)));
        check_accepted(&registry, "", &other, media_type).await;
    }
    // Bytes, not documents: spelled otherwise it is another manifest, kept as it is.
    let spaced = format!("\n {} \r\n\t", image("spaced"));
    check_accepted(&registry, OCI_IMAGE, spaced.as_bytes(), OCI_IMAGE).await;
    // Parameters of the header are ignored.
    let parameters = format!("{OCI_IMAGE}; charset=utf-8");
    check_accepted(&registry, &parameters, &text(&image("parameters")), OCI_IMAGE).await;
}

#[tokio::test]
async fn end_7_an_index_of_indexes() {
    let (registry, child) = open().await;
    let inner = text(&index(&[child]));
    registry.put("app", "inner", OCI_INDEX, &inner).await.check("201", &[]);
    let outer = text(&index(&[descriptor(OCI_INDEX, &inner)]));
    check_accepted(&registry, OCI_INDEX, &outer, OCI_INDEX).await;
}

#[tokio::test]
async fn code_6_what_is_no_manifest() {
    let (registry, child) = open().await;
    let digest = |text: &str| json!({ "mediaType": OCI_LAYER, "digest": text, "size": 1 });
    let invalid = "400 MANIFEST_INVALID";
    for (content_type, manifest) in [
        (OCI_IMAGE, Vec::new()),
        (OCI_IMAGE, b"{}".to_vec()),
        (OCI_IMAGE, b"[]".to_vec()),
        (OCI_IMAGE, b"nonsense".to_vec()),
        (OCI_IMAGE, b"\xff\xfe".to_vec()),
        (OCI_IMAGE, text(&image("cut"))[1..].to_vec()),
        (OCI_IMAGE, [text(&image("twice")), text(&image("twice"))].concat()),
        (OCI_IMAGE, text(&plus(image("version"), "schemaVersion", json!(3)))),
        (OCI_IMAGE, text(&plus(image("no config"), "config", json!(null)))),
        (OCI_IMAGE, text(&plus(image("digest"), "layers", json!([digest("sha256:abc")])))),
        (OCI_IMAGE, text(&plus(image("both"), "manifests", json!([child])))),
        (OCI_IMAGE, "[".repeat(100_000).into_bytes()),
        // The document says one thing, the header another.
        (OCI_INDEX, text(&image("index"))),
        (DOCKER_IMAGE, text(&image("docker"))),
        ("application/json", text(&image("json"))),
        ("text/plain", b"text".to_vec()),
        (SIGNED_SCHEMA_1, b"{\"schemaVersion\":1,\"fsLayers\":[]}".to_vec()),
    ] {
        check_refused(&registry, content_type, &manifest, invalid).await;
    }
}

#[tokio::test]
async fn code_5_blobs_that_are_missing() {
    let (registry, _) = open().await;
    let missing = |name: &str| descriptor(OCI_LAYER, name.as_bytes());
    let present = descriptor(OCI_LAYER, LAYER);
    let manifest = text(&plus(image("m"), "layers", json!([missing("b"), present, missing("a")])));
    check_refused(&registry, OCI_IMAGE, &manifest, "404 MANIFEST_BLOB_UNKNOWN").await;
    let mut digests = [Digest::of_sha256(b"a").to_string(), Digest::of_sha256(b"b").to_string()];
    digests.sort();
    registry.put("app", "refused", OCI_IMAGE, &manifest).await.says(&format!(
        "Layers with digests '[{}]' required for pushing image into repository with name 'app' in \
         the registry with id '123456789012' do not exist",
        digests.join(", ")
    ));
    let config = text(&plus(image("c"), "config", descriptor(OCI_CONFIG, b"missing")));
    check_refused(&registry, OCI_IMAGE, &config, "404 MANIFEST_BLOB_UNKNOWN").await;

    // Once the blobs are there, the same bytes are accepted.
    registry.push("app", b"a").await;
    check_refused(&registry, OCI_IMAGE, &manifest, "404 MANIFEST_BLOB_UNKNOWN").await;
    registry.push("app", b"b").await;
    check_accepted(&registry, OCI_IMAGE, &manifest, OCI_IMAGE).await;
}

#[tokio::test]
async fn code_5_manifests_that_are_missing() {
    let (registry, child) = open().await;
    let image = text(&image("later"));
    let missing = descriptor(OCI_IMAGE, &image);
    let manifest = text(&index(&[child, missing]));
    check_refused(&registry, OCI_INDEX, &manifest, "404 MANIFEST_BLOB_UNKNOWN").await;
    registry.put("app", "refused", OCI_INDEX, &manifest).await.says(&format!(
        "Images with digests '[{}]' required for pushing image into repository with name 'app' in \
         the registry with id '123456789012' do not exist",
        Digest::of_sha256(&image)
    ));
    registry.put("app", "later", OCI_IMAGE, &image).await.check("201", &[]);
    check_accepted(&registry, OCI_INDEX, &manifest, OCI_INDEX).await;

    // A blob is no manifest.
    let blob = text(&index(&[descriptor(OCI_IMAGE, LAYER)]));
    check_refused(&registry, OCI_INDEX, &blob, "404 MANIFEST_BLOB_UNKNOWN").await;
}

#[tokio::test]
async fn descriptors_must_tell_the_truth() {
    let (registry, child) = open().await;
    let sized = |descriptor: &Value, by: i64| {
        plus(descriptor.clone(), "size", json!(descriptor["size"].as_i64().unwrap() + by))
    };
    let layer = descriptor(OCI_LAYER, LAYER);
    for by in [-1, 1] {
        for (media_type, manifest) in [
            (OCI_IMAGE, plus(image("l"), "layers", json!([sized(&layer, by)]))),
            (OCI_IMAGE, plus(image("c"), "config", sized(&descriptor(OCI_CONFIG, CONFIG), by))),
            (OCI_INDEX, index(&[sized(&child, by)])),
        ] {
            check_refused(&registry, media_type, &text(&manifest), "400 MANIFEST_INVALID").await;
        }
    }
    let other_type = index(&[plus(child, "mediaType", json!(DOCKER_IMAGE))]);
    check_refused(&registry, OCI_INDEX, &text(&other_type), "400 MANIFEST_INVALID").await;
}

#[tokio::test]
async fn end_7_the_digest_must_be_that_of_the_bytes() {
    let (registry, _) = open().await;
    let manifest = text(&image("digest"));
    let padded = [&manifest[..], b"  "].concat();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, &manifest);
        registry
            .put("app", digest.as_str(), OCI_IMAGE, &padded)
            .await
            .check("400 DIGEST_INVALID", &[])
            .says(&format!(
                "The image with digest '{digest}' in repository 'app' and registry ID \
                 '123456789012' does not match the image digest that Amazon ECR has calculated."
            ));
        registry
            .call(format!("GET /v2/app/manifests/{digest}"))
            .await
            .check("404 MANIFEST_UNKNOWN", &[]);
    }
    for digest in ["sha256:baddigeststring", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        registry.put("app", digest, OCI_IMAGE, &manifest).await.check("400 DIGEST_INVALID", &[]);
    }
}

#[tokio::test]
async fn end_7_other_digest_algorithms() {
    let registry = Registry::open().await;
    let mut blobs = Vec::new();
    for (media_type, content) in [(OCI_CONFIG, CONFIG), (OCI_LAYER, LAYER)] {
        let digest = Digest::of(Algorithm::Sha512, content);
        registry
            .call(format!("POST /v2/app/blobs/uploads/?digest={digest}"))
            .body(content.to_vec())
            .await
            .check("201", &[("docker-content-digest", digest.as_str())]);
        blobs.push(plus(descriptor(media_type, content), "digest", json!(digest.as_str())));
    }
    let image =
        text(&plus(plus(image(""), "config", blobs[0].clone()), "layers", json!([blobs[1]])));
    let image_digest = Digest::of(Algorithm::Sha512, &image);
    let child = plus(descriptor(OCI_IMAGE, &image), "digest", json!(image_digest.as_str()));
    let index = text(&index(&[child]));
    let index_digest = Digest::of(Algorithm::Sha512, &index);
    for (media_type, manifest, digest) in
        [(OCI_IMAGE, &image, &image_digest), (OCI_INDEX, &index, &index_digest)]
    {
        let location = registry
            .put("app", digest.as_str(), media_type, manifest)
            .await
            .check("201", &[("docker-content-digest", digest.as_str())])
            .location();
        let got = registry
            .call(format!("GET {location}"))
            .await
            .check("200", &[("docker-content-digest", digest.as_str())]);
        assert_eq!(got.body, manifest);
    }
    for digest in [index_digest, image_digest] {
        registry.call(format!("DELETE /v2/app/manifests/{digest}")).await.check("202", &[]);
    }
}

#[tokio::test]
async fn a_manifest_has_at_most_4_mib() {
    let (registry, _) = open().await;
    let maximum = 4 * 1024 * 1024;
    let mut manifest = text(&image("full"));
    manifest.resize(maximum, b' ');
    check_accepted(&registry, OCI_IMAGE, &manifest, OCI_IMAGE).await;
    manifest.push(b' ');
    check_refused(&registry, OCI_IMAGE, &manifest, "413 MANIFEST_INVALID").await;
    let chunks = manifest.chunks(100_000).map(bytes::Bytes::copy_from_slice).collect();
    registry
        .call("PUT /v2/app/manifests/refused")
        .with("content-type", OCI_IMAGE)
        .chunked(chunks)
        .await
        .check("413 MANIFEST_INVALID", &[]);
}

#[tokio::test]
async fn a_manifest_that_breaks_off_is_not_stored() {
    let (registry, _) = open().await;
    // What arrived is a manifest by itself.
    let manifest = text(&image("broken"));
    registry
        .call("PUT /v2/app/manifests/refused")
        .with("content-type", OCI_IMAGE)
        .broken(manifest.clone(), manifest.len() + 1)
        .await
        .check("400 BLOB_UPLOAD_INVALID", &[]);
    registry.call("GET /v2/app/manifests/refused").await.check("404 MANIFEST_UNKNOWN", &[]);
}

#[tokio::test]
async fn a_manifest_may_arrive_in_any_pieces() {
    let (registry, _) = open().await;
    let manifest = text(&image("pieces"));
    let digest = Digest::of_sha256(&manifest);
    for size in [1, 2, 7, manifest.len() - 1] {
        let mut chunks: Vec<bytes::Bytes> =
            manifest.chunks(size).map(bytes::Bytes::copy_from_slice).collect();
        for position in [0, 0, 1, chunks.len()] {
            chunks.insert(position, bytes::Bytes::new());
        }
        registry
            .call(format!("PUT /v2/app/manifests/{digest}"))
            .with("content-type", OCI_IMAGE)
            .chunked(chunks)
            .await
            .check("201", &[]);
    }
}

#[tokio::test]
async fn tags_have_a_syntax() {
    let (registry, _) = open().await;
    let manifest = text(&image("tags"));
    let long = "a".repeat(128);
    for tag in ["a", "_", "0", "Latest", "v1.0_2-3", "sha256-abc", &long] {
        registry.put("app", tag, OCI_IMAGE, &manifest).await.check("201", &[]);
        registry.call(format!("GET /v2/app/manifests/{tag}")).await.check("200", &[]);
    }
    let too_long = "a".repeat(129);
    for tag in ["-a", ".a", "a%20b", "a+b", "a@b", "a~b", "%C3%A9", &too_long] {
        registry.put("app", tag, OCI_IMAGE, &manifest).await.check("400 TAG_INVALID", &[]);
    }
}

#[tokio::test]
async fn immutable_tags_stay() {
    use TagMutability::{Immutable, ImmutableWithExclusion, Mutable, MutableWithExclusion};
    for (setting, filters, moves, stays) in [
        (Mutable, &[][..], &["v1", "latest"][..], &[][..]),
        (Immutable, &[], &[], &["v1", "latest"]),
        (ImmutableWithExclusion, &["latest", "dev-*"], &["latest", "dev-1"], &["v1", "dev"]),
        (MutableWithExclusion, &["v*"], &["latest"], &["v1", "v"]),
    ] {
        let (registry, _) = open().await;
        let first = text(&image("first"));
        let second = text(&image("second"));
        for tag in moves.iter().chain(stays) {
            registry.put("app", tag, OCI_IMAGE, &first).await.check("201", &[]);
        }
        registry.set_tag_mutability(setting, filters).await;
        for tag in moves {
            registry.put("app", tag, OCI_IMAGE, &second).await.check("201", &[]);
            let got = registry.call(format!("GET /v2/app/manifests/{tag}")).await;
            assert_eq!(got.body, second);
        }
        for tag in stays {
            for manifest in [&second, &first] {
                registry
                    .put("app", tag, OCI_IMAGE, manifest)
                    .await
                    .check("400 TAG_INVALID", &[])
                    .says(&format!(
                        "The image tag '{tag}' already exists in the 'app' repository and cannot \
                         be overwritten because the tag is immutable."
                    ));
            }
            let got = registry.call(format!("GET /v2/app/manifests/{tag}")).await;
            assert_eq!(got.body, first);
            // By digest no tag moves.
            let digest = Digest::of_sha256(&second);
            registry.put("app", digest.as_str(), OCI_IMAGE, &second).await.check("201", &[]);
            // A tag that is deleted is free again.
            registry.call(format!("DELETE /v2/app/manifests/{tag}")).await.check("202", &[]);
            registry.put("app", tag, OCI_IMAGE, &second).await.check("201", &[]);
        }
    }
}

#[tokio::test]
async fn the_same_push_again_is_the_same() {
    let (registry, _) = open().await;
    let manifest = text(&image("again"));
    for _ in 0..3 {
        check_accepted(&registry, OCI_IMAGE, &manifest, OCI_IMAGE).await;
    }
    let tags = registry.call("GET /v2/app/tags/list").await.json();
    assert_eq!(tags["tags"], json!(["accepted", "child"]));
}

#[tokio::test]
async fn text_with_nul_is_kept_or_refused_but_never_a_fault() {
    let (registry, _) = open().await;
    let manifest = text(&plus(image(""), "annotations", json!({ "nul": "\0" })));
    let answer = registry.put("app", "nul", OCI_IMAGE, &manifest).await;
    assert!(matches!(answer.status.as_u16(), 201 | 400), "{answer:?}");
    for request in [
        "GET /v2/app/tags/list?last=%00".to_owned(),
        "GET /v2/app/tags/list?last=%FF".to_owned(),
        "GET /v2/_catalog?last=%00".to_owned(),
        format!("GET /v2/app/referrers/{}?artifactType=%00", Digest::of_sha256(&manifest)),
    ] {
        let answer = registry.call(&request).await;
        assert!(matches!(answer.status.as_u16(), 200 | 400), "{answer:?}");
    }
}
