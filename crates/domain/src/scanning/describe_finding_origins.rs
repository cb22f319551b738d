//! `DescribeFindingOrigins`, beside ECR's operations: which layer brought what is wrong with an
//! image, and whether that came with the image it was built on.

use std::collections::BTreeMap;

use super::describe_image_scan_findings::{DescribeImageScanFindings, ScanFindings};
use crate::authorize;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, registry_action};
use crate::gallery::config;
use crate::images::{self, ImageIdentifier, tags};
use crate::names::{Digest, RepositoryName, Tag};
use crate::pages::PageRequest;
use crate::params;
use crate::repositories::{Repository, RepositoryAddress};

/// What images say of what they were built on (OCI image specification, "Pre-Defined Annotation
/// Keys").
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// Images that may be the base and are looked at, those with the most layers first.
const BASES_MAX: usize = 20;
/// Layers of an image; a scan reads no more.
const LAYERS_MAX: usize = 1_000;

/// Tells what the newest scan of an image found, with the layers of the image and its base.
///
/// The base is the image that the annotations name, or the image of the registry whose layers are
/// the longest beginning of this one's, if the caller may see it.
///
/// # Errors
/// As those of [`DescribeImageScanFindings`].
#[derive(Clone, Debug)]
pub struct DescribeFindingOrigins {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub id: ImageIdentifier,
    /// Which findings.
    pub page: PageRequest,
}

/// What is told of the findings of an image.
#[derive(Clone, Debug)]
pub struct FindingOrigins {
    /// What its scan found.
    pub findings: ScanFindings,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// What it was built on, if that is known.
    pub base: Option<BaseImage>,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its digest.
    pub digest: String,
    /// The command that made it, for those who may read the image, where it says so.
    pub created_by: Option<String>,
}

/// How a base is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseSource {
    /// The image says so.
    Annotation,
    /// It begins with the layers of an image of the registry.
    Layers,
}

impl BaseSource {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Annotation => "annotation",
            Self::Layers => "layers",
        }
    }
}

/// What an image was built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// How it is known.
    pub source: BaseSource,
    /// Its name, as the image says it.
    pub name: Option<String>,
    /// Its digest; of an index, if the image says so.
    pub digest: Option<String>,
    /// The repository of the registry that has it.
    pub repository: Option<RepositoryName>,
    /// Its tags there.
    pub tags: Vec<Tag>,
    /// How many of the layers are its own; unknown when the registry does not have it.
    pub layers: Option<usize>,
}

/// Where a package is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The position of its layer, from 0.
    pub layer: Option<usize>,
    /// Whether the layer is one of the base; unknown where the layers of that are.
    pub is_base: Option<bool>,
}

impl FindingOrigins {
    /// Where the package of a finding is from, by the digest of its layer.
    pub fn of(&self, layer_digest: Option<&str>) -> Origin {
        let layer = layer_digest
            .and_then(|digest| self.layers.iter().position(|layer| layer.digest == digest));
        let own = self.base.as_ref().and_then(|base| base.layers);
        Origin { layer, is_base: layer.zip(own).map(|(layer, own)| layer < own) }
    }
}

impl Operation for DescribeFindingOrigins {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeFindingOrigins" };
    type Output = FindingOrigins;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        let mut demands = images::demands("ecr:DescribeImageScanFindings", &self.repository, ids);
        let reading = images::demands("ecr:BatchGetImage", &self.repository, ids);
        demands.extend(reading.into_iter().map(Demand::optional));
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<FindingOrigins> {
        let Self { repository: address, id, page } = self;
        let mut tx = call.read().await?;
        let describe = DescribeImageScanFindings { repository: address.clone(), id, page };
        let (repository, image_id, findings) = describe.load(&mut tx).await?;
        let rows = tx
            .all(
                "SELECT digest FROM image_blobs WHERE image_id = $1 AND position >= 0 \
                 ORDER BY position LIMIT $2",
                params![image_id, LAYERS_MAX],
            )
            .await?;
        let digests = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
        let mut steps = Vec::new();
        let may_read =
            call.permit().require(call.context, "ecr:BatchGetImage", &address.resource());
        if may_read.is_ok() {
            let config = config::read(call.app, &mut tx, &repository, image_id).await?;
            steps = config.map(|config| config.steps).unwrap_or_default();
            // A history that does not say it of every layer says it of none.
            steps.truncate(if steps.len() == digests.len() { steps.len() } else { 0 });
        }
        let base = base(&mut tx, &call, &repository, image_id, digests.len()).await?;
        let mut steps = steps.into_iter();
        let layers = digests
            .into_iter()
            .map(|digest| Layer { digest, created_by: steps.next().filter(|it| !it.is_empty()) })
            .collect();
        Ok(FindingOrigins { findings, layers, base })
    }
}

/// An image of the registry whose layers are a beginning of another's.
struct Candidate {
    id: i64,
    digest: String,
    repository: RepositoryName,
    layers: usize,
}

async fn base(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image_id: i64,
    layers: usize,
) -> Result<Option<BaseImage>> {
    let row =
        tx.optional("SELECT annotations FROM images WHERE id = $1", params![image_id]).await?;
    let annotations = row.map(|row| row.get::<String>(0)).transpose()?.unwrap_or_default();
    let mut annotations: BTreeMap<String, String> =
        serde_json::from_str(&annotations).map_err(Error::internal)?;
    let (digest, name) = (annotations.remove(BASE_DIGEST), annotations.remove(BASE_NAME));
    for candidate in candidates(tx, repository, image_id, layers).await? {
        if !may_see(tx, call, repository, &candidate.repository).await? {
            continue;
        }
        if let Some(digest) = &digest
            && !is_called(tx, &candidate, digest).await?
        {
            continue;
        }
        let source = if digest.is_some() { BaseSource::Annotation } else { BaseSource::Layers };
        return Ok(Some(BaseImage {
            source,
            name,
            digest: digest.or(Some(candidate.digest)),
            tags: tags::of_image(tx, candidate.id).await?,
            repository: Some(candidate.repository),
            layers: Some(candidate.layers),
        }));
    }
    let is_declared = digest.is_some() || name.is_some();
    Ok(is_declared.then(|| BaseImage {
        source: BaseSource::Annotation,
        name,
        digest,
        repository: None,
        tags: Vec::new(),
        layers: None,
    }))
}

/// The images of the registry whose layers, all of them, are those with which an image begins.
async fn candidates(
    tx: &mut Tx,
    repository: &Repository,
    image_id: i64,
    layers: usize,
) -> Result<Vec<Candidate>> {
    let rows = tx
        .all(
            "SELECT images.id, images.digest, repositories.name, COUNT(*) \
             FROM image_blobs AS mine \
             JOIN repository_blobs ON repository_blobs.blob_id = mine.blob_id \
             JOIN repositories ON repositories.id = repository_blobs.repository_id \
             JOIN image_blobs AS other ON other.repository_id = repository_blobs.repository_id \
             AND other.blob_id = mine.blob_id AND other.position = mine.position \
             JOIN images ON images.id = other.image_id \
             WHERE mine.image_id = $1 AND mine.position >= 0 AND repositories.registry_id = $2 \
             AND images.kind = 'image' AND images.subject_digest IS NULL \
             GROUP BY images.id, images.digest, repositories.name \
             HAVING COUNT(*) < $3 AND COUNT(*) = (SELECT COUNT(*) FROM image_blobs AS whole \
             WHERE whole.image_id = images.id AND whole.position >= 0) \
             ORDER BY 4 DESC, 1 LIMIT $4",
            params![image_id, repository.registry_id, layers, BASES_MAX],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Candidate {
                id: row.get(0)?,
                digest: row.get(1)?,
                repository: RepositoryName::parse(&row.get::<String>(2)?)
                    .map_err(Error::internal)?,
                layers: usize::try_from(row.get::<i64>(3)?).map_err(Error::internal)?,
            })
        })
        .collect()
}

/// Whether an image, or an index that it is in, has a digest.
async fn is_called(tx: &mut Tx, candidate: &Candidate, digest: &str) -> Result<bool> {
    if candidate.digest == digest {
        return Ok(true);
    }
    // What is no digest names nothing, and may not be text that a database takes.
    let Ok(digest) = Digest::parse(digest) else { return Ok(false) };
    let index = tx
        .optional(
            "SELECT 1 FROM image_children JOIN images ON images.id = image_children.image_id \
             WHERE image_children.child_image_id = $1 AND images.digest = $2 LIMIT 1",
            params![candidate.id, digest.as_str()],
        )
        .await?;
    Ok(index.is_some())
}

/// Whether the caller may know of images of a repository.
async fn may_see(
    tx: &mut Tx,
    call: &Call<'_>,
    of: &Repository,
    name: &RepositoryName,
) -> Result<bool> {
    let address = RepositoryAddress { name: name.clone(), ..of.address.clone() };
    let demand = address.demand(registry_action!("DescribeImages"));
    match authorize::require_now(call.app, call.context, demand, tx).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AccessDenied => Ok(false),
        Err(error) => Err(error),
    }
}
