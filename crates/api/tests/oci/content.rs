//! What is pushed: blobs of any size, and manifests.

use serde_json::{Value, json};
use tonnage_domain::names::Digest;

pub(crate) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The configuration that [`image`] refers to.
pub(crate) const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux"}"#;
/// The layer that [`image`] refers to.
pub(crate) const LAYER: &[u8] = b"a layer";

/// `length` bytes that do not repeat in any period a span or chunk has.
pub(crate) fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::of_sha256(bytes);
    json!({ "mediaType": media_type, "digest": digest.as_str(), "size": bytes.len() })
}

/// An image of [`CONFIG`] and [`LAYER`]; `name` makes it differ from others.
pub(crate) fn image(name: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": descriptor(OCI_CONFIG, CONFIG),
        "layers": [descriptor(OCI_LAYER, LAYER)],
        "annotations": { "name": name },
    })
}

/// An index of manifests.
pub(crate) fn index(children: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children })
}

/// The same document with one more member.
pub(crate) fn plus(mut document: Value, member: &str, value: Value) -> Value {
    document[member] = value;
    document
}

pub(crate) fn text(document: &Value) -> Vec<u8> {
    document.to_string().into_bytes()
}
