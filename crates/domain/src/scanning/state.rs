//! Scans as rows: where each stands.

use std::collections::BTreeMap;

use tonnage_scanner::advisories::Severity;

use super::ScanType;
use super::scan_image::ScanImage;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::images::manifest::is_image_config;
use crate::jobs::{self, Job as _};
use crate::metadata::Row;
use crate::params;
use crate::repositories::Repository;

/// Where a scan stands (botocore `ecr`, shape `ScanStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanStatus {
    /// A basic scan waits or is under way.
    InProgress,
    /// It is done, and will not be done again by itself.
    Complete,
    /// It could not be done.
    Failed,
    /// The image is of a kind that is not scanned.
    UnsupportedImage,
    /// It is done, and follows the advisories.
    Active,
    /// An enhanced scan waits or is under way.
    Pending,
    /// The image is archived.
    ImageArchived,
}

impl ScanStatus {
    const ALL: [Self; 7] = [
        Self::InProgress,
        Self::Complete,
        Self::Failed,
        Self::UnsupportedImage,
        Self::Active,
        Self::Pending,
        Self::ImageArchived,
    ];

    /// As AWS and metadata spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::UnsupportedImage => "UNSUPPORTED_IMAGE",
            Self::Active => "ACTIVE",
            Self::Pending => "PENDING",
            Self::ImageArchived => "IMAGE_ARCHIVED",
        }
    }

    pub(crate) fn from_stored(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::internal(format!("stored scan status {text}")))
    }

    /// Whether a job will end it.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::InProgress | Self::Pending)
    }

    /// Whether there are findings, if only none were found.
    pub fn has_findings(self) -> bool {
        matches!(self, Self::Complete | Self::Active)
    }
}

/// How many findings of each severity there are; only severities that occur.
pub type SeverityCounts = BTreeMap<Severity, u64>;

/// The newest scan of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What scanned it.
    pub scan_type: ScanType,
    /// Where it stands.
    pub status: ScanStatus,
    /// Why it stands there, in a sentence; may be empty.
    pub description: String,
    /// When it was asked for.
    pub requested_at: Millis,
    /// When it was last completed.
    pub completed_at: Option<Millis>,
    /// How new the advisories were.
    pub source_updated_at: Option<Millis>,
    /// What was found.
    pub counts: SeverityCounts,
    /// What of it a newer version of a package would end.
    pub fixable: SeverityCounts,
    /// The operating system, in Inspector's words (`DEBIAN_12`); may be empty.
    pub platform: String,
}

/// What is told of a scan whose job was given up.
const GIVEN_UP: &str = "The scan could not be done because of an internal error. The operator of \
                        the registry can try again: `tonnage jobs list --state dead`.";

/// The scan of an image, if there was one.
pub(crate) async fn find(tx: &mut Tx, image_id: i64, scan_type: ScanType) -> Result<Option<Scan>> {
    let row = tx
        .optional(
            "SELECT status, description, requested_at, completed_at, source_updated_at, counts, \
             platform, fixable FROM image_scans WHERE image_id = $1 AND scan_type = $2",
            params![image_id, scan_type.as_str()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut scan = from_row(scan_type, &row)?;
    if scan.status.is_waiting() && is_given_up(tx, image_id, scan_type).await? {
        scan.status = ScanStatus::Failed;
        GIVEN_UP.clone_into(&mut scan.description);
    }
    Ok(Some(scan))
}

fn from_row(scan_type: ScanType, row: &Row) -> Result<Scan> {
    Ok(Scan {
        scan_type,
        status: ScanStatus::from_stored(&row.get::<String>(0)?)?,
        description: row.get(1)?,
        requested_at: row.get(2)?,
        completed_at: row.get(3)?,
        source_updated_at: row.get(4)?,
        counts: serde_json::from_str(&row.get::<String>(5)?).map_err(Error::internal)?,
        platform: row.get(6)?,
        fixable: serde_json::from_str(&row.get::<String>(7)?).map_err(Error::internal)?,
    })
}

async fn is_given_up(tx: &mut Tx, image_id: i64, scan_type: ScanType) -> Result<bool> {
    let job = tx
        .optional(
            "SELECT 1 FROM jobs WHERE kind = $1 AND job_key = $2 \
             AND state IN ('DEAD', 'CANCELLED')",
            params![ScanImage::KIND, ScanImage::key_of(image_id, scan_type)],
        )
        .await?;
    Ok(job.is_some())
}

/// Notes that an image is to be scanned, or why it is not. What an earlier scan found is shown no
/// longer once the new one waits, but kept until it is done.
pub(super) async fn put(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    (status, description): (ScanStatus, &str),
    now: Millis,
) -> Result<()> {
    tx.execute(
        "INSERT INTO image_scans (image_id, scan_type, status, description, requested_at, \
         completed_at, source_updated_at, counts, fixable, platform) \
         VALUES ($1, $2, $3, $4, $5, NULL, NULL, '{}', '{}', '') \
         ON CONFLICT (image_id, scan_type) DO UPDATE SET status = excluded.status, \
         description = excluded.description, requested_at = excluded.requested_at",
        params![image_id, scan_type.as_str(), status.as_str(), description, now],
    )
    .await?;
    Ok(())
}

/// Whether an image is one that is scanned: neither an index nor another artifact.
pub(super) async fn is_container_image(tx: &mut Tx, image_id: i64) -> Result<bool> {
    let row = tx
        .optional(
            "SELECT config_media_type FROM images \
             WHERE id = $1 AND kind = 'image' AND subject_digest IS NULL",
            params![image_id],
        )
        .await?;
    let config = row.map(|row| row.get::<Option<String>>(0)).transpose()?.flatten();
    Ok(config.as_deref().is_some_and(is_image_config))
}

/// Goes on with the scans of an image that was archived: what was said meanwhile of what is
/// in it has not reached it.
pub(crate) async fn resume(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    image_id: i64,
) -> Result<()> {
    for scan_type in [ScanType::Basic, ScanType::Enhanced] {
        let Some(scan) = find(tx, image_id, scan_type).await? else { continue };
        // One that failed for want of advisories has missed those that came since.
        let follows = match scan.status {
            ScanStatus::Active => true,
            ScanStatus::Failed => scan_type == ScanType::Enhanced,
            _ => false,
        };
        if scan.status.is_waiting() || follows {
            let job = ScanImage::new(repository.address.account, image_id, scan_type);
            jobs::enqueue(tx, call.app, &job, call.app.clock.now()).await?;
        }
    }
    Ok(())
}

/// Removes what is known of the scans of an image, which goes.
pub(crate) const FORGET_IMAGE: [&str; 4] = [
    "DELETE FROM closed_findings WHERE image_id = $1",
    "DELETE FROM image_findings WHERE image_id = $1",
    "DELETE FROM image_scans WHERE image_id = $1",
    "DELETE FROM image_packages WHERE image_id = $1",
];

/// Removes what is known of a layer, whose blob goes.
pub(crate) async fn forget_layer(tx: &mut Tx, blob_id: i64) -> Result<()> {
    tx.execute("DELETE FROM layer_indexes WHERE blob_id = $1", params![blob_id]).await?;
    Ok(())
}
