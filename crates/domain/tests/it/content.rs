//! What tests push: blobs and manifests whose bytes depend on a label only.

use bytes::Bytes;
use serde_json::{Value, json};
use tonnage_domain::names::Digest;

/// A blob and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

impl Blob {
    /// `size` bytes that depend on the label.
    pub(crate) fn new(label: &str, size: usize) -> Self {
        let seed = Digest::of_sha256(label.as_bytes());
        let mut state = u64::from_str_radix(&seed.hex()[..16], 16).unwrap() | 1;
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            // xorshift64; any bytes do that differ from label to label.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(size);
        Self { digest: Digest::of_sha256(&bytes), bytes: bytes.into() }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest.as_str(), "size": self.bytes.len()})
    }
}

/// A manifest and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Pushed {
    fn new(document: &Value) -> Self {
        let bytes = Bytes::from(serde_json::to_vec_pretty(document).unwrap());
        Self { digest: Digest::of_sha256(&bytes), bytes }
    }

    pub(crate) fn image(config: &Blob, layers: &[&Blob]) -> Self {
        Self::annotated_image(config, layers, "")
    }

    /// Images of the same blobs that differ by an annotation.
    pub(crate) fn annotated_image(config: &Blob, layers: &[&Blob], label: &str) -> Self {
        let layers: Vec<_> = layers.iter().map(|layer| layer.descriptor(LAYER)).collect();
        Self::new(&json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": config.descriptor(CONFIG),
            "layers": layers,
            "annotations": {"label": label},
        }))
    }

    /// An image that refers to another one as its subject.
    pub(crate) fn referrer(config: &Blob, subject: &Self, label: &str) -> Self {
        Self::new(&json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "artifactType": "application/vnd.example.signature",
            "config": config.descriptor(CONFIG),
            "layers": [],
            "subject": {
                "mediaType": IMAGE,
                "digest": subject.digest.as_str(),
                "size": subject.bytes.len(),
            },
            "annotations": {"label": label},
        }))
    }

    pub(crate) fn index(children: &[&Self]) -> Self {
        let children: Vec<_> = children
            .iter()
            .map(|child| {
                let media_type = if child.is_index() { INDEX } else { IMAGE };
                json!({
                    "mediaType": media_type,
                    "digest": child.digest.as_str(),
                    "size": child.bytes.len(),
                    "platform": {"os": "linux", "architecture": "amd64"},
                })
            })
            .collect();
        Self::new(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}))
    }

    fn is_index(&self) -> bool {
        let document: Value = serde_json::from_slice(&self.bytes).unwrap();
        document["mediaType"] == INDEX
    }
}

/// What a manifest refers to.
pub(crate) struct Referred {
    pub(crate) blobs: Vec<(Digest, u64)>,
    pub(crate) children: Vec<Digest>,
}

/// Reads a manifest without the parser under test.
pub(crate) fn referred(manifest: &[u8]) -> Referred {
    let document: Value = serde_json::from_slice(manifest).unwrap();
    let descriptors = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let digest = |value: &Value| Digest::parse(value["digest"].as_str().unwrap()).unwrap();
    let blobs = document.get("config").cloned().into_iter().chain(descriptors(&document["layers"]));
    Referred {
        blobs: blobs.map(|blob| (digest(&blob), blob["size"].as_u64().unwrap())).collect(),
        children: descriptors(&document["manifests"]).iter().map(digest).collect(),
    }
}
