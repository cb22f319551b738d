//! `DescribeImageScanFindings`.

use super::RegistryScanningConfiguration;
use super::findings::{self, StoredFinding};
use super::state::{self, Scan, ScanStatus};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::{self, ImageIdentifier, ImageStatus, not_found, resolve, tags};
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::registries::Document as _;
use crate::repositories::{self, RepositoryAddress};

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
                "SELECT digest, pushed_at, last_pulled_at FROM images WHERE id = $1",
                params![image_id],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            repository: repository.clone(),
            digest: Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
            tags: tags::of_image(tx, image_id).await?,
            pushed_at: row.get(1)?,
            last_pulled_at: row.get(2)?,
        }))
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
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let image = resolve(&mut tx, &repository, &self.id)
            .await?
            .map_err(|_| not_found(&self.repository, &self.id))?;
        let configuration =
            RegistryScanningConfiguration::load(&mut tx, Some(repository.registry_id)).await?;
        let mut scan = state::find(&mut tx, image.id, configuration.scan_type)
            .await?
            .ok_or_else(|| scan_not_found(&self.repository, &image.digest, self.id.tag.as_ref()))?;
        if image.status != ImageStatus::Active {
            scan.status = ScanStatus::ImageArchived;
            "The image is archived. Restore it to have it scanned."
                .clone_into(&mut scan.description);
        }
        let findings = if scan.status.has_findings() {
            findings::page(&mut tx, image.id, configuration.scan_type, &self.page).await?
        } else {
            Page { items: Vec::new(), next: None }
        };
        let image = ScannedImage::load(&mut tx, &self.repository, image.id)
            .await?
            .ok_or_else(|| Error::internal("an image row vanished inside a snapshot"))?;
        Ok(ScanFindings { image, scan, findings })
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
