//! `DescribeImageScanFindings`.

use std::collections::HashMap;

use super::RegistryScanningConfiguration;
use super::findings::{self, StoredFinding};
use super::state::{self, Scan, ScanStatus};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::{self, ImageIdentifier, ImageStatus, not_found, resolve, tags};
use crate::metadata::Row;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::registries::Document as _;
use crate::repositories::{self, Repository, RepositoryAddress};

/// Tells what the newest scan of an image found, by the kind of scanning that the registry has now.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`], [`ErrorKind::ImageNotFound`], [`ErrorKind::ScanNotFound`].
///
/// Source: botocore `ecr`, operation `DescribeImageScanFindings`.
#[derive(Clone, Debug)]
pub struct DescribeImageScanFindings {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub id: ImageIdentifier,
    /// Which findings.
    pub page: PageRequest,
}

/// What is told of the scan of an image.
#[derive(Clone, Debug)]
pub struct ScanFindings {
    /// The image.
    pub image: ScannedImage,
    /// The scan.
    pub scan: Scan,
    /// A page of the findings, the worst first.
    pub findings: Page<StoredFinding>,
}

/// The image of findings.
#[derive(Clone, Debug)]
pub struct ScannedImage {
    /// Its repository.
    pub repository: RepositoryAddress,
    /// Its digest.
    pub digest: Digest,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// When it was pushed.
    pub pushed_at: Millis,
    /// When it was last pulled.
    pub last_pulled_at: Option<Millis>,
    /// The architecture that it is for: `arm64`. May be empty.
    pub architecture: String,
}

impl ScannedImage {
    /// Its ARN, as resources of findings have it.
    pub fn arn(&self) -> String {
        format!("{}/{}", self.repository.arn(), self.digest)
    }

    /// What is known of an image, while it is there.
    pub(crate) async fn load(
        tx: &mut Tx,
        repository: &RepositoryAddress,
        image_id: i64,
    ) -> Result<Option<Self>> {
        let row = tx
            .optional(
                "SELECT digest, pushed_at, last_pulled_at, \
                 COALESCE((SELECT MAX(architecture) FROM image_scans \
                 WHERE image_scans.image_id = images.id), ''), \
                 COALESCE((SELECT MAX(platform) FROM image_children \
                 WHERE image_children.child_image_id = images.id), '') \
                 FROM images WHERE id = $1",
                params![image_id],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let details = Details::read(&row, tags::of_image(tx, image_id).await?)?;
        Ok(Some(details.of(repository)))
    }

    /// What is known of the images of a range that were scanned in the enhanced way, but for their
    /// repositories.
    pub(super) async fn load_between(
        tx: &mut Tx,
        (first, last): (i64, i64),
    ) -> Result<HashMap<i64, Details>> {
        let mut tags: HashMap<i64, Vec<Tag>> = HashMap::new();
        let rows = tx
            .all(
                "SELECT image_id, name FROM tags WHERE image_id >= $1 AND image_id <= $2 \
                 ORDER BY image_id, name",
                params![first, last],
            )
            .await?;
        for row in &rows {
            let tag = Tag::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            tags.entry(row.get(0)?).or_default().push(tag);
        }
        let rows = tx
            .all(
                "SELECT digest, pushed_at, last_pulled_at, \
                 COALESCE((SELECT MAX(architecture) FROM image_scans \
                 WHERE image_scans.image_id = images.id), ''), \
                 COALESCE((SELECT MAX(platform) FROM image_children \
                 WHERE image_children.child_image_id = images.id), ''), images.id \
                 FROM images JOIN image_scans AS scanned ON scanned.image_id = images.id \
                 WHERE images.id >= $1 AND images.id <= $2 AND scanned.scan_type = 'ENHANCED'",
                params![first, last],
            )
            .await?;
        let details = |row: &Row| {
            let id = row.get(5)?;
            Ok((id, Details::read(row, tags.remove(&id).unwrap_or_default())?))
        };
        rows.iter().map(details).collect()
    }
}

/// What is known of a scanned image beside its repository.
pub(super) struct Details {
    digest: Digest,
    tags: Vec<Tag>,
    pushed_at: Millis,
    last_pulled_at: Option<Millis>,
    architecture: String,
}

impl Details {
    fn read(row: &Row, tags: Vec<Tag>) -> Result<Self> {
        // What was scanned before configurations were read may be part of an index that knows.
        let (own, platform): (String, String) = (row.get(3)?, row.get(4)?);
        let of_index = platform.split('/').nth(1).unwrap_or_default();
        Ok(Self {
            digest: Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
            tags,
            pushed_at: row.get(1)?,
            last_pulled_at: row.get(2)?,
            architecture: if own.is_empty() { of_index.to_owned() } else { own },
        })
    }

    /// Of an image in this repository.
    pub(super) fn of(self, repository: &RepositoryAddress) -> ScannedImage {
        let Self { digest, tags, pushed_at, last_pulled_at, architecture } = self;
        let repository = repository.clone();
        ScannedImage { repository, digest, tags, pushed_at, last_pulled_at, architecture }
    }
}

impl Operation for DescribeImageScanFindings {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DescribeImageScanFindings" };
    type Output = ScanFindings;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        images::demands("ecr:DescribeImageScanFindings", &self.repository, ids)
    }

    async fn run(self, call: Call<'_>) -> Result<ScanFindings> {
        let mut tx = call.read().await?;
        let (.., findings) = self.load(&mut tx).await?;
        Ok(findings)
    }
}

impl DescribeImageScanFindings {
    /// The image's repository, its row, and what is told of its scan.
    pub(super) async fn load(&self, tx: &mut Tx) -> Result<(Repository, i64, ScanFindings)> {
        let repository = repositories::get(tx, &self.repository).await?;
        let image = resolve(tx, &repository, &self.id)
            .await?
            .map_err(|_| not_found(&self.repository, &self.id))?;
        let configuration =
            RegistryScanningConfiguration::load(tx, Some(repository.registry_id)).await?;
        let mut scan = state::find(tx, image.id, configuration.scan_type)
            .await?
            .ok_or_else(|| scan_not_found(&self.repository, &image.digest, self.id.tag.as_ref()))?;
        if image.status != ImageStatus::Active {
            scan.status = ScanStatus::ImageArchived;
            "The image is archived. Restore it to have it scanned."
                .clone_into(&mut scan.description);
        }
        let findings = if scan.status.has_findings() {
            findings::page(tx, image.id, configuration.scan_type, &self.page).await?
        } else {
            Page { items: Vec::new(), next: None }
        };
        let id = image.id;
        let image = ScannedImage::load(tx, &self.repository, id)
            .await?
            .ok_or_else(|| Error::internal("an image row vanished inside a snapshot"))?;
        Ok((repository, id, ScanFindings { image, scan, findings }))
    }
}

/// In ECR's words.
fn scan_not_found(address: &RepositoryAddress, digest: &Digest, tag: Option<&Tag>) -> Error {
    let tag = tag.map_or("null", Tag::as_str);
    Error::new(
        ErrorKind::ScanNotFound,
        format!(
            "Image scan does not exist for the image with '{{imageDigest:'{digest}', \
             imageTag:'{tag}'}}' in the repository with name '{}' in the registry with id '{}'",
            address.name, address.account
        ),
    )
}
