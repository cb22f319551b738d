//! What a push has scanned, noted in the transaction of the push.

use super::scan_image::ScanImage;
use super::state::{self, ScanStatus};
use super::{RegistryScanningConfiguration, ScanType, sboms, vex};
use crate::error::Result;
use crate::execute::{Call, Tx};
use crate::images::manifest::Manifest;
use crate::jobs;
use crate::registries::Document as _;
use crate::repositories::Repository;

/// Has an image scanned that is new in its repository, if the registry or the repository wants
/// that. Indexes are not: their children are images of their own.
pub(crate) async fn note(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    (image_id, manifest): (i64, &Manifest),
) -> Result<()> {
    if let Some(subject) = &manifest.subject
        && manifest.artifact_type.as_deref().is_some_and(vex::is_artifact_type)
    {
        return vex::note(tx, call, repository, subject.digest.as_str()).await;
    }
    // A public registry has no configuration in ECR's model, only the switch of the repository.
    let is_public = repository.address.region.is_global();
    if (is_public && !repository.scan_on_push) || !manifest.is_container_image() {
        return Ok(());
    }
    if !is_public {
        sboms::note(tx, call, repository, (image_id, manifest)).await?;
    }
    let configuration =
        RegistryScanningConfiguration::load(tx, Some(repository.registry_id)).await?;
    let wanted = configuration.effective(repository.address.name.as_str(), repository.scan_on_push);
    if !wanted.scan_on_push {
        return Ok(());
    }
    let status = match configuration.scan_type {
        ScanType::Basic => ScanStatus::InProgress,
        ScanType::Enhanced => ScanStatus::Pending,
    };
    let now = call.app.clock.now();
    let scan_type = configuration.scan_type;
    state::put(tx, image_id, scan_type, (status, ""), now).await?;
    let job = ScanImage::new(repository.address.account, image_id, scan_type);
    jobs::enqueue(tx, call.app, &job, now).await
}
