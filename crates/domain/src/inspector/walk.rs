//! Findings of enhanced scanning of a registry, image by image in the order of their rows.

use super::criteria::{Criteria, Subject};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::metadata::Value;
use crate::names::RepositoryName;
use crate::pages::PageRequest;
use crate::registries::{self, Document as _};
use crate::repositories::RepositoryAddress;
use crate::scanning::describe_image_scan_findings::ScannedImage;
use crate::scanning::findings::{self, StoredFinding};
use crate::scanning::{RegistryScanningConfiguration, ScanType};
use crate::{params, scanning::state};

/// Images that are read together.
const IMAGES: usize = 100;
/// Where findings begin that an image no longer has, among its findings.
const CLOSED: i64 = 1_000_000;

/// A finding, and the image that has it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The image.
    pub image: ScannedImage,
    /// Its operating system, in Inspector's words; may be empty.
    pub platform: String,
    /// The finding.
    pub stored: StoredFinding,
    /// Where it stands: its image and its place in that.
    pub(super) place: (i64, i64),
}

/// Where an enhanced scan stands whose findings are shown.
struct Image {
    id: i64,
    image: ScannedImage,
    platform: String,
}

/// The registry of the caller, if its findings are to be seen: while it scans in the enhanced way.
pub(super) async fn registry(tx: &mut Tx, call: &Call<'_>) -> Result<Option<i64>> {
    let Some(registry_id) = registries::find_addressed(tx, call).await? else { return Ok(None) };
    let configuration = RegistryScanningConfiguration::load(tx, Some(registry_id)).await?;
    Ok((configuration.scan_type == ScanType::Enhanced).then_some(registry_id))
}

/// A walk along the findings that are meant.
pub(super) struct Walk<'a> {
    registry_id: i64,
    criteria: &'a Criteria,
    since: Millis,
    after_image: i64,
    is_over: bool,
    /// Findings that were looked at.
    pub(super) examined: usize,
}

impl<'a> Walk<'a> {
    /// From the image after one on.
    pub(super) fn new(registry_id: i64, criteria: &'a Criteria, now: Millis, after: i64) -> Self {
        let since = Millis(now.0.saturating_sub(findings::CLOSED_SECONDS * 1000));
        Self { registry_id, criteria, since, after_image: after, is_over: false, examined: 0 }
    }

    /// The last image that was looked at, unless there are no more.
    pub(super) fn last_image(&self) -> Option<i64> {
        (!self.is_over).then_some(self.after_image)
    }

    /// The findings of the next images, in their order; none when there are no more images.
    pub(super) async fn next(
        &mut self,
        tx: &mut Tx,
        call: &Call<'_>,
    ) -> Result<Option<Vec<Found>>> {
        if self.is_over {
            return Ok(None);
        }
        let images = self.images(tx, call).await?;
        let mut found = Vec::new();
        for image in images {
            self.of_image(tx, image, &mut found).await?;
        }
        Ok(Some(found))
    }

    async fn images(&mut self, tx: &mut Tx, call: &Call<'_>) -> Result<Vec<Image>> {
        let flaws = self.criteria.flaws();
        let rows = match flaws {
            None => {
                tx.all(
                    "SELECT images.id, repositories.name, image_scans.platform FROM image_scans \
                     JOIN images ON images.id = image_scans.image_id \
                     JOIN repositories ON repositories.id = images.repository_id \
                     WHERE repositories.registry_id = $1 AND images.id > $2 \
                     AND images.status = 'ACTIVE' AND image_scans.scan_type = 'ENHANCED' \
                     ORDER BY images.id LIMIT $3",
                    params![self.registry_id, self.after_image, IMAGES],
                )
                .await?
            }
            Some(flaws) => {
                tx.all(
                    "SELECT images.id, repositories.name, image_scans.platform FROM image_scans \
                     JOIN images ON images.id = image_scans.image_id \
                     JOIN repositories ON repositories.id = images.repository_id \
                     WHERE repositories.registry_id = $1 AND images.id > $2 \
                     AND images.status = 'ACTIVE' AND image_scans.scan_type = 'ENHANCED' \
                     AND (images.id IN \
                     (SELECT image_id FROM image_findings WHERE name IN_LIST($4)) OR images.id IN \
                     (SELECT image_id FROM closed_findings WHERE name IN_LIST($4))) \
                     ORDER BY images.id LIMIT $3",
                    params![self.registry_id, self.after_image, IMAGES, Value::list(flaws)],
                )
                .await?
            }
        };
        self.is_over = rows.len() < IMAGES;
        let mut images = Vec::new();
        for row in &rows {
            let id = row.get(0)?;
            self.after_image = id;
            let address = RepositoryAddress {
                account: call.context.account,
                region: call.context.region.clone(),
                name: RepositoryName::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            };
            let Some(image) = ScannedImage::load(tx, &address, id).await? else { continue };
            if self.criteria.may_mean(&image) {
                images.push(Image { id, image, platform: row.get(2)? });
            }
        }
        Ok(images)
    }

    async fn of_image(&mut self, tx: &mut Tx, image: Image, found: &mut Vec<Found>) -> Result<()> {
        let scan = state::find(tx, image.id, ScanType::Enhanced).await?;
        if !scan.is_some_and(|scan| scan.status.has_findings()) {
            return Ok(());
        }
        let everything = PageRequest { after: None, limit: u32::MAX };
        let current = findings::page(tx, image.id, ScanType::Enhanced, &everything).await?.items;
        let closed = findings::closed(tx, image.id, self.since).await?;
        self.examined = self.examined.saturating_add(current.len() + closed.len());
        let all = (0..).zip(current).chain((CLOSED..).zip(closed));
        for (position, stored) in all {
            let subject =
                Subject { image: &image.image, platform: &image.platform, found: &stored };
            if self.criteria.mean(&subject) {
                found.push(Found {
                    image: image.image.clone(),
                    platform: image.platform.clone(),
                    stored,
                    place: (image.id, position),
                });
            }
        }
        Ok(())
    }
}
