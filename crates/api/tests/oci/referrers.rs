//! Manifests that have another one as their subject.

use serde_json::{Value, json};
use tonnage_domain::names::Digest;

use crate::content::{
    LAYER, OCI_CONFIG, OCI_IMAGE, OCI_INDEX, descriptor, image, index, plus, text,
};
use crate::registry::Registry;

const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
const SBOM: &str = "application/vnd.example.sbom.v1";
const SIGNATURE: &str = "application/vnd.example.signature.v1";

async fn list(registry: &Registry, subject: &Digest, query: &str) -> (Vec<Value>, Option<String>) {
    let filtered = if query.contains("artifactType=a") { "artifactType" } else { "-" };
    let answer = registry
        .call(format!("GET /v2/app/referrers/{subject}{query}"))
        .await
        .check("200", &[("content-type", OCI_INDEX), ("oci-filters-applied", filtered)]);
    let mut body = answer.json();
    let manifests = body["manifests"].take().as_array().unwrap().clone();
    assert_eq!(body, json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": null }));
    (manifests, answer.next())
}

#[tokio::test]
async fn end_12_referrers_of_every_kind() {
    let registry = Registry::open().await;
    let subject_manifest = registry.push_image("app", "subject").await;
    let subject = descriptor(OCI_IMAGE, &subject_manifest);
    let digest = Digest::of_sha256(&subject_manifest);
    assert_eq!(list(&registry, &digest, "").await, (Vec::new(), None));

    let annotated = |document: Value, name: &str| {
        plus(plus(document, "annotations", json!({ "name": name })), "subject", subject.clone())
    };
    let pushed = [
        // An image without artifact type has that of its configuration.
        (OCI_IMAGE, annotated(image(""), "image"), Some(OCI_CONFIG)),
        (
            OCI_IMAGE,
            annotated(plus(image(""), "artifactType", json!("")), "empty"),
            Some(OCI_CONFIG),
        ),
        (OCI_IMAGE, annotated(plus(image(""), "artifactType", json!(SBOM)), "sbom"), Some(SBOM)),
        (
            OCI_IMAGE,
            annotated(plus(image(""), "artifactType", json!(SIGNATURE)), "signature"),
            Some(SIGNATURE),
        ),
        // An index without artifact type has none.
        (OCI_INDEX, annotated(index(&[]), "index"), None),
        (OCI_INDEX, annotated(plus(index(&[]), "artifactType", json!(SBOM)), "sboms"), Some(SBOM)),
        (
            ARTIFACT,
            annotated(
                json!({
                    "mediaType": ARTIFACT,
                    "artifactType": SBOM,
                    "blobs": [descriptor("application/x", LAYER)],
                }),
                "artifact",
            ),
            Some(SBOM),
        ),
    ];
    let mut expected = Vec::new();
    for (number, (media_type, manifest, artifact_type)) in pushed.iter().enumerate() {
        let bytes = text(manifest);
        let own = Digest::of_sha256(&bytes);
        let reference = if number % 2 == 0 { "tagged".to_owned() } else { own.to_string() };
        registry
            .put("app", &reference, media_type, &bytes)
            .await
            .check("201", &[("oci-subject", digest.as_str())]);
        let mut entry = descriptor(media_type, &bytes);
        if let Some(artifact_type) = artifact_type {
            entry = plus(entry, "artifactType", json!(artifact_type));
        }
        expected.push(plus(entry, "annotations", manifest["annotations"].clone()));
    }
    assert_eq!(list(&registry, &digest, "").await, (expected.clone(), None));
    for artifact_type in [SBOM, SIGNATURE, OCI_CONFIG, "application/none"] {
        let of_type: Vec<Value> = expected
            .iter()
            .filter(|entry| entry["artifactType"] == artifact_type)
            .cloned()
            .collect();
        let query = format!("?artifactType={artifact_type}");
        assert_eq!(list(&registry, &digest, &query).await, (of_type.clone(), None));
        let query = format!("?artifactType={}", artifact_type.replace('/', "%2F"));
        assert_eq!(list(&registry, &digest, &query).await, (of_type, None));
    }
    // An empty filter is none.
    assert_eq!(list(&registry, &digest, "?artifactType=").await.0.len(), expected.len());

    // What is deleted is not listed.
    for entry in &expected {
        let path = format!("/v2/app/manifests/{}", entry["digest"].as_str().unwrap());
        registry.call(format!("DELETE {path}")).await.check("202", &[]);
    }
    assert_eq!(list(&registry, &digest, "").await, (Vec::new(), None));
}

#[tokio::test]
async fn the_subject_may_come_later_or_never() {
    let registry = Registry::open().await;
    registry.push_image("app", "v1").await;
    let later = text(&image("later"));
    let subject = descriptor(OCI_IMAGE, &later);
    let referrer = text(&plus(image("referrer"), "subject", subject));
    let digest = Digest::of_sha256(&later);
    registry
        .put("app", "referrer", OCI_IMAGE, &referrer)
        .await
        .check("201", &[("oci-subject", digest.as_str())]);
    assert_eq!(list(&registry, &digest, "").await.0.len(), 1);
    registry.put("app", "later", OCI_IMAGE, &later).await.check("201", &[("oci-subject", "-")]);
    assert_eq!(list(&registry, &digest, "").await.0.len(), 1);
    registry.call(format!("DELETE /v2/app/manifests/{digest}")).await.check("202", &[]);
    assert_eq!(list(&registry, &digest, "").await.0.len(), 1);
}

#[tokio::test]
async fn end_12a_an_invalid_digest_is_refused() {
    let registry = Registry::open().await;
    for digest in ["sha256:abc", "v1", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        registry
            .call(format!("GET /v2/app/referrers/{digest}"))
            .await
            .check("400 DIGEST_INVALID", &[]);
    }
}

#[tokio::test]
async fn end_12_links_lead_through_all_referrers() {
    let registry = Registry::open().await;
    let subject_manifest = registry.push_image("app", "subject").await;
    let subject = descriptor(OCI_IMAGE, &subject_manifest);
    let digest = Digest::of_sha256(&subject_manifest);
    for number in 0..205 {
        let artifact_type = if number % 2 == 0 { SBOM } else { SIGNATURE };
        let document = plus(image(&number.to_string()), "subject", subject.clone());
        let document = text(&plus(document, "artifactType", json!(artifact_type)));
        let own = Digest::of_sha256(&document);
        registry.put("app", own.as_str(), OCI_IMAGE, &document).await.check("201", &[]);
    }
    for (query, all) in [("", 205), (&*format!("?artifactType={SBOM}"), 103)] {
        let mut names: Vec<usize> = Vec::new();
        let mut pages = 0;
        let mut query = query.to_owned();
        loop {
            let (manifests, next) = list(&registry, &digest, &query).await;
            assert!(manifests.len() <= 100);
            pages += 1;
            names.extend(manifests.iter().map(|entry| {
                entry["annotations"]["name"].as_str().unwrap().parse::<usize>().unwrap()
            }));
            let Some(next) = next else { break };
            let path = format!("/v2/app/referrers/{digest}");
            query = next.strip_prefix(&path).expect(&next).to_owned();
        }
        let step = 205_usize.div_ceil(all);
        assert_eq!(names, (0..205).step_by(step).collect::<Vec<_>>());
        assert_eq!(pages, all.div_ceil(100));
    }
    // A token is good for its own listing only.
    let (_, next) = list(&registry, &digest, "").await;
    let next = next.unwrap();
    let (_, token) = next.split_once("nextToken=").unwrap();
    let other = Digest::of_sha256(b"other");
    for (subject, token) in [(&other, token), (&digest, "nonsense"), (&digest, "")] {
        registry
            .call(format!("GET /v2/app/referrers/{subject}?nextToken={token}"))
            .await
            .check("400 UNSUPPORTED", &[]);
    }
}
