//! Pushes images the way clients do: HEAD, and POST and PUT of what is not there, then the manifest.

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, Target};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What of an image the registry has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novelty {
    /// Everything.
    Image,
    /// The configuration, and so the manifest; the layers are there.
    Config,
    /// Nothing.
    Nothing,
}

impl Novelty {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "image" => Ok(Self::Image),
            "config" => Ok(Self::Config),
            "nothing" => Ok(Self::Nothing),
            _ => bail!("new is image, config or nothing"),
        }
    }
}

/// Bytes at the end of a layer that make it another one.
const UNIQUE_BYTES: usize = 64;

/// A layer, and the digest's state before the bytes that make it unique: the load generator shall
/// not spend on hashing what the server needs.
struct Layer {
    bytes: Vec<u8>,
    state: Sha256,
}

impl Layer {
    fn new(client: usize, number: usize, length: usize) -> Self {
        let mut random = (client as u64) << 32 | number as u64 | 1;
        let bytes: Vec<u8> = (0..length.max(UNIQUE_BYTES))
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                random.to_be_bytes()[0]
            })
            .collect();
        let common = bytes.len() - UNIQUE_BYTES;
        let state = Sha256::new_with_prefix(bytes.get(..common).unwrap_or_default());
        Self { bytes, state }
    }

    fn make_unique(&mut self, unique: &str) {
        let common = self.bytes.len() - UNIQUE_BYTES;
        let end = self.bytes.get_mut(common..).unwrap_or_default();
        for (to, from) in end.iter_mut().zip(unique.bytes().chain(std::iter::repeat(b'.'))) {
            *to = from;
        }
    }

    fn digest(&self) -> String {
        let common = self.bytes.len() - UNIQUE_BYTES;
        let end = self.bytes.get(common..).unwrap_or_default();
        let digest = self.state.clone().chain_update(end).finalize();
        format!("sha256:{}", hex::encode(digest))
    }
}

/// One client with its own images.
pub(crate) struct Pusher {
    client: Client,
    repository: String,
    novelty: Novelty,
    number: usize,
    images: u64,
    layers: Vec<Layer>,
}

impl Pusher {
    /// `target`'s path is the repository's name.
    pub(crate) fn new(
        target: &Target,
        authorization: Option<String>,
        number: usize,
        novelty: Novelty,
        (layers, bytes): (usize, usize),
    ) -> Result<Self> {
        let client = Client::connect(target, authorization)?;
        let layers = (0..layers).map(|layer| Layer::new(number, layer, bytes)).collect();
        let repository = target.path.trim_matches('/').to_owned();
        let mut pusher = Self { client, repository, novelty, number, images: 0, layers };
        if novelty != Novelty::Image {
            pusher.push()?;
        }
        Ok(pusher)
    }

    /// Pushes one image, as new as it was said; how many bytes its layers have.
    pub(crate) fn push(&mut self) -> Result<u64> {
        self.images += u64::from(self.novelty != Novelty::Nothing || self.images == 0);
        let unique = format!("{}-{}-{}", std::process::id(), self.number, self.images);
        let config = format!(
            "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"{unique}\",\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[]}}}}"
        );
        let mut descriptors = Vec::with_capacity(self.layers.len());
        let mut bytes = 0;
        let mut layers = std::mem::take(&mut self.layers);
        for layer in &mut layers {
            if self.novelty == Novelty::Image {
                layer.make_unique(&unique);
            }
            descriptors.push(self.blob(&layer.bytes, &layer.digest(), LAYER)?);
            bytes += layer.bytes.len() as u64;
        }
        self.layers = layers;
        let config_digest = format!("sha256:{}", hex::encode(Sha256::digest(&config)));
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(config.as_bytes(), &config_digest, CONFIG)?,
            "layers": descriptors,
        })
        .to_string();
        let path = format!("/v2/{}/manifests/c{}", self.repository, self.number);
        let headers = [("Content-Type", MANIFEST)];
        self.client.request("PUT", &path, &headers, manifest.as_bytes())?.expect(&[201])?;
        Ok(bytes)
    }

    fn blob(&mut self, bytes: &[u8], digest: &str, media_type: &str) -> Result<serde_json::Value> {
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
