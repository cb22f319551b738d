//! Images that come from upstream registries: what is asked when, what is stored, and what a lying
//! or absent upstream does to it.

mod failures;
mod healing;
mod lies;
mod pulls;
mod transfers;
mod upstream;

use std::sync::Arc;

use tonnage_domain::app::Settings;
use tonnage_domain::blobs::BlobReader;
use tonnage_domain::blobs::get_blob::{GetBlob, HeadBlob};
use tonnage_domain::context::Principal;
use tonnage_domain::error::Result;
use tonnage_domain::fsck;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::names::{Digest, Reference};
use tonnage_domain::pull_through::pull::{self, Pulled};
use tonnage_domain::pull_through::upstream::Upstreams;

use self::upstream::{Fake, fake};
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::pull_through::rule;
use crate::registry::{Registry, address};

/// A registry with a rule for `quay`, and its upstream.
struct World {
    registry: Registry,
    upstream: Arc<Fake>,
}

/// An image of an upstream.
struct Image {
    config: Blob,
    layer: Blob,
    manifest: Pushed,
}

impl Image {
    fn new(label: &str, layer_size: usize) -> Self {
        let config = Blob::new(&format!("config {label}"), 300);
        let layer = Blob::new(&format!("layer {label}"), layer_size);
        let manifest = Pushed::image(&config, &[&layer]);
        Self { config, layer, manifest }
    }

    fn blobs(&self) -> [&Blob; 2] {
        [&self.config, &self.layer]
    }
}

impl World {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let mut registry = Registry::with_settings(settings).await;
        let upstream = fake();
        let upstreams = Arc::clone(&upstream) as Arc<dyn Upstreams>;
        registry.app_mut().set_upstreams(upstreams);
        registry.run(rule("quay", "quay.io")).await.unwrap();
        Self { registry, upstream }
    }

    /// The same registry as a new process opens it.
    async fn reopen(&mut self) {
        self.registry.reopen().await;
        let upstreams = Arc::clone(&self.upstream) as Arc<dyn Upstreams>;
        self.registry.app_mut().set_upstreams(upstreams);
    }

    /// An image that the upstream has.
    fn push(&self, repository: &str, label: &str, layer_size: usize, tags: &[&str]) -> Image {
        let image = Image::new(label, layer_size);
        for blob in image.blobs() {
            self.upstream.push_blob(repository, blob);
        }
        self.upstream.push(repository, &image.manifest, tags);
        image
    }

    async fn pull(&self, name: &str, reference: &str) -> Result<Pulled> {
        self.pull_as(&self.registry.root, name, reference).await
    }

    async fn pull_as(&self, principal: &Principal, name: &str, reference: &str) -> Result<Pulled> {
        let get = GetManifest {
            repository: address(name),
            reference: Reference::parse(reference).unwrap(),
            counts_as_pull: true,
        };
        pull::manifest(&self.registry.app, &self.registry.context_of(principal), get).await
    }

    async fn open(&self, name: &str, digest: &Digest) -> Result<BlobReader> {
        let get = GetBlob { repository: address(name), digest: digest.clone() };
        pull::blob(&self.registry.app, &self.registry.context(), get).await
    }

    async fn size(&self, name: &str, digest: &Digest) -> Result<u64> {
        let head = HeadBlob { repository: address(name), digest: digest.clone() };
        pull::blob_size(&self.registry.app, &self.registry.context(), head).await
    }

    async fn blob(&self, name: &str, digest: &Digest) -> Result<Vec<u8>> {
        read(&self.open(name, digest).await?, 0).await
    }

    /// Everything that is stored holds together, and nothing is left over.
    async fn check(&self, names: &[&str]) {
        self.upstream.release(usize::MAX);
        drain(&self.registry).await;
        for name in names {
            self.registry.check_images(&address(name)).await;
        }
        let rows = self.registry.rows("SELECT digest FROM upstream_transfers").await;
        assert_eq!(rows, Vec::<Vec<String>>::new());
        let inventory = self.registry.inventory.as_ref();
        let report = fsck::examine(&self.registry.app, inventory, true).await.unwrap();
        assert_eq!(report.findings, []);
        self.registry.check_no_orphans().await;
    }
}

/// What a reader has from `offset` to its end.
async fn read(reader: &BlobReader, offset: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while offset + (bytes.len() as u64) < reader.size() {
        let span = reader.read_at(offset + bytes.len() as u64, 100_000).await?;
        assert!(!span.is_empty(), "a blob ends early");
        bytes.extend_from_slice(&span);
    }
    Ok(bytes)
}
