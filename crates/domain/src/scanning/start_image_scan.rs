//! `StartImageScan`.

use super::scan_image::ScanImage;
use super::state::{self, ScanStatus};
use super::{RegistryScanningConfiguration, ScanType};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::{self, ImageIdentifier, ImageRecord, ImageStatus, not_found, resolve};
use crate::jobs;
use crate::names::Digest;
use crate::registries::Document as _;
use crate::repositories::{self, RepositoryAddress};

/// Has an image scanned by basic scanning; a job does it. An image is scanned once in a while only
/// ([`Settings::scan_interval_seconds`](crate::app::Settings::scan_interval_seconds)), scans of
/// pushes included; after one that failed at any time.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`], [`ErrorKind::ImageNotFound`];
/// [`ErrorKind::ScanningUnavailable`] under enhanced scanning; [`ErrorKind::ImageArchived`];
/// [`ErrorKind::UnsupportedImageType`] for what is not a container image, indexes included;
/// [`ErrorKind::LimitExceeded`] when the image was scanned a short time ago.
///
/// Source: botocore `ecr`, operation `StartImageScan`.
#[derive(Clone, Debug)]
pub struct StartImageScan {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub id: ImageIdentifier,
}

impl Operation for StartImageScan {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "StartImageScan" };
    /// The digest of the image.
    type Output = Digest;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let ids = std::slice::from_ref(&self.id);
        images::demands("ecr:StartImageScan", &self.repository, ids)
    }

    async fn run(self, call: Call<'_>) -> Result<Digest> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let Ok(image) = resolve(&mut tx, &repository, &self.id).await? else {
            return call.refuse(tx, not_found(&self.repository, &self.id)).await;
        };
        let configuration =
            RegistryScanningConfiguration::load(&mut tx, Some(repository.registry_id)).await?;
        if let Err(refusal) = check(&mut tx, &call, configuration.scan_type, &image).await? {
            return call.refuse(tx, refusal).await;
        }
        let now = call.app.clock.now();
        let status = (ScanStatus::InProgress, "");
        state::put(&mut tx, image.id, ScanType::Basic, status, now).await?;
        let job = ScanImage::new(repository.address.account, image.id, ScanType::Basic);
        jobs::enqueue(&mut tx, call.app, &job, now).await?;
        call.commit(tx).await?;
        Ok(image.digest)
    }
}

/// Whether the image can be scanned now; otherwise what its client is told, in ECR's words.
async fn check(
    tx: &mut Tx,
    call: &Call<'_>,
    scan_type: ScanType,
    image: &ImageRecord,
) -> Result<Result<(), Error>> {
    let refuse = |kind, message: &str| Ok(Err(Error::new(kind, message)));
    if scan_type == ScanType::Enhanced {
        return refuse(ErrorKind::ScanningUnavailable, "This feature is disabled");
    }
    if image.status != ImageStatus::Active {
        return refuse(
            ErrorKind::ImageArchived,
            "The image is archived and cannot be scanned. Restore it first.",
        );
    }
    if !state::is_container_image(tx, image.id).await? {
        return refuse(
            ErrorKind::UnsupportedImageType,
            "The image is of a type that is not scanned. Of a manifest list, scan the images that \
             it refers to.",
        );
    }
    let last = state::find(tx, image.id, ScanType::Basic).await?;
    let interval = call.app.settings.scan_interval_seconds;
    let now = call.app.clock.now();
    // One that failed told nothing.
    let last = last.filter(|scan| scan.status != ScanStatus::Failed);
    if last.is_some_and(|scan| scan.requested_at.plus_seconds(interval) > now) {
        return refuse(
            ErrorKind::LimitExceeded,
            "The scan quota per image has been exceeded. Wait and try again.",
        );
    }
    Ok(Ok(()))
}
