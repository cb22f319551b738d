//! The operation that reads the layers of an image for a scan, each once for all images that have
//! it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tonnage_scanner::layers::{INDEXER_VERSION, Inventory, LayerError, LayerIndex, squash};

use super::layer_stream;
use crate::app::App;
use crate::blobs::verify as blobs;
use crate::context::RequestContext;
use crate::encryption::{self, EncryptionDomain};
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, registry_action};
use crate::jobs::Lease;
use crate::metadata::{Row, Value};
use crate::names::{AccountId, Digest};
use crate::params;
use crate::repositories::RepositoryAddress;

/// What indexes are sealed as.
const LAYER_INDEX: &str = "layer-index";
/// Most layers of an image that is scanned.
const LAYERS_MAX: usize = 1_000;

/// Reads the layers of an image that are not indexed yet, and puts the indexes on top of one
/// another. Idempotent: what is indexed is not read again.
#[derive(Clone, Debug)]
pub struct IndexImageLayers {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image's row.
    pub image_id: i64,
    /// The image's digest.
    pub digest: Digest,
    /// The job's right to go on.
    pub lease: Lease,
}

/// What is in an image, or why nobody knows.
#[derive(Debug)]
pub enum Indexed {
    /// What is in it, with the digests of its layers, the lowest first.
    Inventory(Box<Inventory>, Vec<Digest>),
    /// It is not made of layers that are read.
    Unsupported(String),
    /// A layer of it is broken, or not here.
    Failed(String),
}

/// A layer of an image.
struct Layer {
    blob_id: Option<i64>,
    digest: Digest,
    media_type: String,
}

impl Operation for IndexImageLayers {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "IndexImageLayers" };
    type Output = Indexed;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let key = || vec![self.digest.to_string()];
        [registry_action!("BatchGetImage"), registry_action!("GetDownloadUrlForLayer")]
            .map(|action| self.repository.demand(action).with_key("tonnage:ImageDigest", key()))
            .to_vec()
    }

    async fn run(self, call: Call<'_>) -> Result<Indexed> {
        let mut tx = call.read().await?;
        let layers = layers(&mut tx, self.image_id).await?;
        drop(tx);
        if layers.len() > LAYERS_MAX {
            return Ok(Indexed::Unsupported(format!("It has more than {LAYERS_MAX} layers.")));
        }
        let is_filesystem = |layer: &Layer| is_archive(&layer.media_type);
        if !layers.iter().any(is_filesystem) {
            return Ok(Indexed::Unsupported("It has no layers with files.".to_owned()));
        }
        let mut indexes = Vec::with_capacity(layers.len());
        for layer in &layers {
            if !is_filesystem(layer) {
                // It has a position all the same.
                indexes.push(LayerIndex::default());
                continue;
            }
            match self.index(&call, layer).await? {
                Ok(index) => indexes.push(index),
                Err(indexed) => return Ok(indexed),
            }
        }
        let inventory = squash(&indexes);
        let digests = layers.into_iter().map(|layer| layer.digest).collect();
        Ok(Indexed::Inventory(Box::new(inventory), digests))
    }
}

impl IndexImageLayers {
    /// The index of a layer, made if need be.
    async fn index(&self, call: &Call<'_>, layer: &Layer) -> Result<Result<LayerIndex, Indexed>> {
        let digest = &layer.digest;
        let Some(blob_id) = layer.blob_id else {
            return Ok(Err(Indexed::Failed(format!("The layer {digest} is not stored here."))));
        };
        let account = &self.repository.account;
        let mut tx = call.read().await?;
        let domain = encryption::account_domain(call.app, &mut tx, account).await?;
        if let Some(known) = find(&mut tx, &domain, blob_id, digest).await? {
            return Ok(known);
        }
        let blob = match blobs::load(&mut tx, blob_id).await? {
            Some(blob) => blob?,
            None => return Ok(Err(Indexed::Failed(format!("The layer {digest} is gone.")))),
        };
        let damaged = || {
            let message = format!("The layer {digest} is damaged; push the image again.");
            Ok(Err(Indexed::Failed(message)))
        };
        if blob.is_marked() {
            return damaged();
        }
        let opened = blobs::open(call.app, &mut tx, &blob).await;
        drop(tx);
        let scratch = &call.app.settings.scan_scratch;
        let read = match opened {
            Ok(reader) => layer_stream::index(&reader, &layer.media_type, scratch).await,
            Err(error) => Err(error),
        };
        let indexed = match read {
            Ok(indexed) => indexed,
            Err(error) if error.kind() == ErrorKind::Internal && !error.is_passing() => {
                tracing::warn!(%digest, error = chain(&error), "a layer cannot be scanned");
                return damaged();
            }
            Err(error) => return Err(error),
        };
        let mut tx = call.write().await?;
        self.lease.hold(&mut tx, call.app.clock.now()).await?;
        put(&mut tx, call, &domain, blob_id, &indexed).await?;
        call.commit(tx).await?;
        Ok(indexed.map_err(|error| refused(digest, &error)))
    }
}

fn refused(digest: &Digest, error: &LayerError) -> Indexed {
    let reason = format!("The layer {digest} could not be read: {error}.");
    match error {
        LayerError::Unsupported(_) => Indexed::Unsupported(reason),
        _ => Indexed::Failed(reason),
    }
}

async fn layers(tx: &mut Tx, image_id: i64) -> Result<Vec<Layer>> {
    let rows = tx
        .all(
            "SELECT blob_id, digest, media_type FROM image_blobs \
             WHERE image_id = $1 AND position >= 0 ORDER BY position LIMIT $2",
            params![image_id, LAYERS_MAX + 1],
        )
        .await?;
    rows.iter().map(layer).collect()
}

fn layer(row: &Row) -> Result<Layer> {
    Ok(Layer {
        blob_id: row.get(0)?,
        digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        media_type: row.get(2)?,
    })
}

/// Layers of images are archives of files, whatever else may be in a manifest (OCI image
/// specification, "Image Layer Filesystem Changeset"; Docker's `rootfs.diff.tar`).
fn is_archive(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default();
    name.split(['.', '+']).any(|part| part == "tar")
}

/// The stored index of a layer by this version of the indexer, or why it has none.
async fn find(
    tx: &mut Tx,
    domain: &EncryptionDomain,
    blob_id: i64,
    digest: &Digest,
) -> Result<Option<Result<LayerIndex, Indexed>>> {
    let row = tx
        .optional(
            "SELECT container_version, digest, content, failure FROM layer_indexes \
             WHERE blob_id = $1 AND indexer_version = $2",
            params![blob_id, INDEXER_VERSION],
        )
        .await?;
    row.map_or(Ok(None), |row| read(&row, domain, digest))
}

fn read(
    row: &Row,
    domain: &EncryptionDomain,
    digest: &Digest,
) -> Result<Option<Result<LayerIndex, Indexed>>> {
    let Some(content) = row.get::<Option<Vec<u8>>>(2)? else {
        let failure: String = row.get(3)?;
        let reason = format!("The layer {digest} could not be read: {failure}.");
        let is_unsupported = failure.starts_with(UNSUPPORTED);
        return Ok(Some(Err(if is_unsupported {
            Indexed::Unsupported(reason)
        } else {
            Indexed::Failed(reason)
        })));
    };
    let own = Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
    let loaded = domain.load(row.get(0)?, LAYER_INDEX, &own, content);
    match loaded.and_then(|bytes| LayerIndex::from_bytes(&bytes).map_err(Error::internal)) {
        Ok(index) => Ok(Some(Ok(index))),
        Err(error) => {
            // It is made anew, and that is all there is to it.
            tracing::warn!(%digest, error = chain(&error), "a layer's index is damaged");
            Ok(None)
        }
    }
}

/// What is in an image, if all its layers were read before.
pub(super) async fn stored(
    tx: &mut Tx,
    app: &App,
    account: &AccountId,
    image_id: i64,
) -> Result<Option<Inventory>> {
    let layers = layers(tx, image_id).await?;
    if layers.len() > LAYERS_MAX || !layers.iter().any(|layer| is_archive(&layer.media_type)) {
        return Ok(None);
    }
    let domain = encryption::account_domain(app, tx, account).await?;
    let mut indexes = Vec::with_capacity(layers.len());
    for layer in &layers {
        if !is_archive(&layer.media_type) {
            indexes.push(LayerIndex::default());
            continue;
        }
        let Some(blob_id) = layer.blob_id else { return Ok(None) };
        match find(tx, &domain, blob_id, &layer.digest).await? {
            Some(Ok(index)) => indexes.push(index),
            Some(Err(_)) | None => return Ok(None),
        }
    }
    Ok(Some(squash(&indexes)))
}

/// Indexes of layers that several images have, for whoever looks at many images.
#[derive(Default)]
pub(super) struct Shelf {
    indexes: HashMap<i64, Arc<LayerIndex>>,
    /// The layers of images that are asked for next, and what is stored of those that are not there.
    expected: HashMap<i64, Vec<Layer>>,
    stored: HashMap<i64, Row>,
    /// What was asked for since [`Shelf::tidy`] and how often.
    asked: HashMap<i64, usize>,
}

/// The layers of an image from the lowest: their indexes and digests.
pub(super) struct Layers {
    pub(super) indexes: Vec<Arc<LayerIndex>>,
    pub(super) digests: Vec<Digest>,
}

impl Shelf {
    /// Indexes that are kept; one of a base image takes some hundred KiB.
    const INDEXES_MAX: usize = 128;
    /// Layers that are read together.
    const EXPECTED_MAX: usize = 10_000;

    /// Reads together what is needed of the images of a range that were scanned in the enhanced way,
    /// and forgets what it read so before.
    pub(super) async fn expect(&mut self, tx: &mut Tx, (first, last): (i64, i64)) -> Result<()> {
        /// Indexes of one statement; 0 is the row of none.
        const TOGETHER: usize = 16;
        self.expected.clear();
        self.stored.clear();
        let rows = tx
            .all(
                "SELECT blob_id, digest, media_type, image_blobs.image_id FROM image_scans \
                 JOIN image_blobs ON image_blobs.image_id = image_scans.image_id \
                 WHERE image_scans.image_id >= $1 AND image_scans.image_id <= $2 \
                 AND image_scans.scan_type = 'ENHANCED' AND position >= 0 \
                 ORDER BY image_blobs.image_id, position LIMIT $3",
                params![first, last, Self::EXPECTED_MAX + 1],
            )
            .await?;
        if rows.len() > Self::EXPECTED_MAX {
            // Images of so many layers are read one by one.
            return Ok(());
        }
        let mut missing = BTreeSet::new();
        for row in &rows {
            let layer = layer(row)?;
            let id = layer.blob_id.filter(|_| is_archive(&layer.media_type));
            missing.extend(id.filter(|id| !self.indexes.contains_key(id)));
            self.expected.entry(row.get(3)?).or_default().push(layer);
        }
        let missing: Vec<i64> = missing.into_iter().collect();
        for some in missing.chunks(TOGETHER) {
            let mut together = [0; TOGETHER];
            for (place, id) in together.iter_mut().zip(some) {
                *place = *id;
            }
            let versions = [Value::from(INDEXER_VERSION)];
            let params: Vec<Value> = versions.into_iter().chain(together.map(Value::Int)).collect();
            let rows = tx
                .all(
                    "SELECT container_version, digest, content, failure, blob_id \
                     FROM layer_indexes WHERE indexer_version = $1 AND blob_id IN ($2, $3, $4, $5, \
                     $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
                    &params,
                )
                .await?;
            for row in rows {
                self.stored.insert(row.get(4)?, row);
            }
        }
        Ok(())
    }

    /// The layers of an image, if all of them were read before.
    pub(super) async fn layers(
        &mut self,
        tx: &mut Tx,
        app: &App,
        account: &AccountId,
        image_id: i64,
    ) -> Result<Option<Layers>> {
        let layers = match self.expected.remove(&image_id) {
            Some(layers) => layers,
            None => layers(tx, image_id).await?,
        };
        if layers.len() > LAYERS_MAX || !layers.iter().any(|layer| is_archive(&layer.media_type)) {
            return Ok(None);
        }
        let domain = encryption::account_domain(app, tx, account).await?;
        let mut found = Layers { indexes: Vec::new(), digests: Vec::new() };
        for layer in layers {
            let index = match layer.blob_id {
                _ if !is_archive(&layer.media_type) => Arc::default(),
                None => return Ok(None),
                Some(blob_id) => {
                    *self.asked.entry(blob_id).or_default() += 1;
                    if !self.indexes.contains_key(&blob_id) {
                        let found = match self.stored.remove(&blob_id) {
                            Some(row) => read(&row, &domain, &layer.digest)?,
                            None => find(tx, &domain, blob_id, &layer.digest).await?,
                        };
                        match found {
                            Some(Ok(index)) => self.indexes.insert(blob_id, Arc::new(index)),
                            Some(Err(_)) | None => return Ok(None),
                        };
                    }
                    self.indexes.get(&blob_id).cloned().unwrap_or_default()
                }
            };
            found.indexes.push(index);
            found.digests.push(layer.digest);
        }
        Ok(Some(found))
    }

    /// Lets go of what only one image asked for; the images after these share layers with them.
    pub(super) fn tidy(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        let mut often: Vec<(usize, i64)> = asked.into_iter().map(|(id, n)| (n, id)).collect();
        often.retain(|(count, _)| *count > 1);
        often.sort_unstable_by(|left, right| right.cmp(left));
        often.truncate(Self::INDEXES_MAX);
        let kept: BTreeSet<i64> = often.into_iter().map(|(_, id)| id).collect();
        if self.indexes.len() > Self::INDEXES_MAX {
            self.indexes.retain(|id, _| kept.contains(id));
        }
    }
}

/// How the text of [`LayerError::Unsupported`] begins.
const UNSUPPORTED: &str = "the layer is not supported";

async fn put(
    tx: &mut Tx,
    call: &Call<'_>,
    domain: &EncryptionDomain,
    blob_id: i64,
    indexed: &Result<LayerIndex, LayerError>,
) -> Result<()> {
    // The blob may have been removed while it was read.
    let blob = tx.optional("SELECT 1 FROM blobs WHERE id = $1", params![blob_id]).await?;
    if blob.is_none() {
        return Ok(());
    }
    let container_version = encryption::container_version(call.app);
    let (digest, content, failure) = match indexed {
        Ok(index) => {
            let bytes = index.to_bytes().map_err(Error::internal)?;
            let own = Digest::of_sha256(&bytes);
            let sealed = domain.store(container_version, LAYER_INDEX, &own, &bytes)?;
            (own.to_string(), Some(sealed), None)
        }
        Err(error) => (String::new(), None, Some(error.to_string())),
    };
    tx.execute(
        "INSERT INTO layer_indexes (blob_id, indexer_version, container_version, digest, content, \
         failure, indexed_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (blob_id) DO UPDATE SET indexer_version = excluded.indexer_version, \
         container_version = excluded.container_version, digest = excluded.digest, \
         content = excluded.content, failure = excluded.failure, indexed_at = excluded.indexed_at",
        params![
            blob_id,
            INDEXER_VERSION,
            container_version,
            digest,
            content,
            failure,
            call.app.clock.now(),
        ],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_with_files() {
        for (media_type, expected) in [
            ("application/vnd.oci.image.layer.v1.tar", true),
            ("application/vnd.oci.image.layer.v1.tar+gzip", true),
            ("application/vnd.oci.image.layer.v1.tar+zstd", true),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", true),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true),
            ("application/vnd.in-toto+json", false),
            ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", true),
            ("application/octet-stream", false),
            ("", false),
        ] {
            assert_eq!(is_archive(media_type), expected, "{media_type}");
        }
    }
}
