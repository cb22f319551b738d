//! The job that brings the scans of a registry's images in line with what the registry wants now.

use serde::{Deserialize, Serialize};

use super::scan_image::{CONTINUOUS, ScanImage};
use super::state::{self, ScanStatus};
use super::{RegistryScanningConfiguration, ScanFrequency, ScanType};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::images::ImageStatus;
use crate::jobs::{self, Job, Limits, Named, Next, Run};
use crate::names::AccountId;
use crate::params;
use crate::registries::Document as _;

/// Images of one transaction.
const IMAGES: usize = 200;

/// Under enhanced scanning, has the images scanned that were there before, and has scans follow the
/// advisories, or no longer, as the rules say. Basic scanning looks at pushes only.
#[derive(Debug, Serialize, Deserialize)]
pub struct EnrolImages {
    account: String,
    registry_id: i64,
    after: i64,
}

impl EnrolImages {
    pub(super) fn new(account: AccountId, registry_id: i64) -> Self {
        Self { account: account.to_string(), registry_id, after: 0 }
    }
}

/// An image of the registry.
struct Image {
    id: i64,
    repository: String,
    is_scannable: bool,
}

impl Job for EnrolImages {
    const KIND: &'static str = "enrol-images";
    const KEY_NAMES: &'static [Named] = &[Named::Registry];
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.registry_id.to_string()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let account = AccountId::parse(&self.account).map_err(Error::internal)?;
        let mut tx = run.write().await?;
        let configuration =
            RegistryScanningConfiguration::load(&mut tx, Some(self.registry_id)).await?;
        if configuration.scan_type == ScanType::Basic {
            run.commit(tx).await?;
            return Ok(Next::Done);
        }
        let images = images(&mut tx, self.registry_id, self.after).await?;
        for image in images.iter().filter(|image| image.is_scannable) {
            let wanted = configuration.effective(&image.repository, false);
            let is_continuous = wanted.frequency == ScanFrequency::ContinuousScan;
            let scan = state::find(&mut tx, image.id, ScanType::Enhanced).await?;
            let status = scan.as_ref().map(|scan| scan.status);
            let target = match status {
                None if wanted.scan_on_push => (ScanStatus::Pending, ""),
                Some(ScanStatus::Complete) if is_continuous => (ScanStatus::Active, CONTINUOUS),
                Some(ScanStatus::Active) if !is_continuous => {
                    (ScanStatus::Complete, super::scan_image::COMPLETE)
                }
                _ => continue,
            };
            let now = run.app.clock.now();
            state::put(&mut tx, image.id, ScanType::Enhanced, target, now).await?;
            if target.0 != ScanStatus::Complete {
                // What is active now may have missed what was said of it since.
                let job = ScanImage::new(account, image.id, ScanType::Enhanced);
                jobs::enqueue(&mut tx, run.app, &job, now).await?;
            }
        }
        run.commit(tx).await?;
        Ok(match images.last() {
            Some(last) if images.len() == IMAGES => Next::Continue(Self { after: last.id, ..self }),
            _ => Next::Done,
        })
    }
}

async fn images(tx: &mut Tx, registry_id: i64, after: i64) -> Result<Vec<Image>> {
    let rows = tx
        .all(
            "SELECT images.id, repositories.name, images.status FROM images \
             JOIN repositories ON repositories.id = images.repository_id \
             WHERE repositories.registry_id = $1 AND images.id > $2 ORDER BY images.id LIMIT $3",
            params![registry_id, after, IMAGES],
        )
        .await?;
    let mut images = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = row.get(0)?;
        let is_active = row.get::<String>(2)? == ImageStatus::Active.as_str();
        let is_scannable = is_active && state::is_container_image(tx, id).await?;
        images.push(Image { id, repository: row.get(1)?, is_scannable });
    }
    Ok(images)
}
