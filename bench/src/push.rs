//! Pushes images whose layers nobody has seen, the way clients do: HEAD, POST, PUT, manifest.

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, Target};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// One client with its own images.
pub(crate) struct Pusher {
    client: Client,
    repository: String,
    number: usize,
    images: u64,
    layers: Vec<Vec<u8>>,
}

impl Pusher {
    /// `target`'s path is the repository's name.
    pub(crate) fn new(
        target: &Target,
        authorization: Option<String>,
        number: usize,
        layers: usize,
        bytes: usize,
    ) -> Result<Self> {
        let client = Client::connect(target, authorization)?;
        let layers = (0..layers)
            .map(|layer| {
                let mut state = (number as u64) << 32 | layer as u64 | 1;
                (0..bytes)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        state.to_be_bytes()[0]
                    })
                    .collect()
            })
            .collect();
        let repository = target.path.trim_matches('/').to_owned();
        Ok(Self { client, repository, number, images: 0, layers })
    }

    /// Pushes one image that differs from all others of this run; how many bytes its layers have.
    pub(crate) fn push(&mut self) -> Result<u64> {
        self.images += 1;
        let started = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let unique = format!("{started}-{}-{}", self.number, self.images);
        let config = format!(
            "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"{unique}\",\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[]}}}}"
        );
        let mut descriptors = Vec::with_capacity(self.layers.len());
        let mut bytes = 0;
        let mut layers = std::mem::take(&mut self.layers);
        for layer in &mut layers {
            if let Some(head) = layer.get_mut(..unique.len()) {
                head.copy_from_slice(unique.as_bytes());
            }
            descriptors.push(self.blob(layer, LAYER)?);
            bytes += layer.len() as u64;
        }
        self.layers = layers;
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(config.as_bytes(), CONFIG)?,
            "layers": descriptors,
        })
        .to_string();
        let path = format!("/v2/{}/manifests/c{}", self.repository, self.number);
        let headers = [("Content-Type", MANIFEST)];
        self.client.request("PUT", &path, &headers, manifest.as_bytes())?.expect(&[201])?;
        Ok(bytes)
    }

    fn blob(&mut self, bytes: &[u8], media_type: &str) -> Result<serde_json::Value> {
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        let path = format!("/v2/{}/blobs/{digest}", self.repository);
        let known = self.client.request("HEAD", &path, &[], &[])?;
        if !known.is(200) {
            let uploads = format!("/v2/{}/blobs/uploads/", self.repository);
            let started = self.client.request("POST", &uploads, &[], &[])?;
            started.expect(&[202])?;
            let location = started.location.context("an upload without a location")?;
            // The path alone: whoever answers is whom the connection leads to.
            let path = match location.split_once("://") {
                Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
                None => location.as_str(),
            };
            let separator = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{separator}digest={digest}");
            let headers = [("Content-Type", "application/octet-stream")];
            self.client.request("PUT", &path, &headers, bytes)?.expect(&[201])?;
        }
        Ok(serde_json::json!({
            "mediaType": media_type, "size": bytes.len(), "digest": digest,
        }))
    }
}
