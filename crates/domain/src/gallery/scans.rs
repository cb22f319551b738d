//! What everybody sees of the scans of a public repository whose owner has its images scanned.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::jobs::Job as _;
use crate::pages::PageRequest;
use crate::params;
use crate::repositories::Repository;
use crate::scanning::findings::{self, Finding};
use crate::scanning::scan_image::ScanImage;
use crate::scanning::state::{self, Scan, ScanStatus, SeverityCounts};
use crate::scanning::{ScanType, Severity};

/// Findings of an image that are shown, the worst first.
pub const FINDINGS_SHOWN: u32 = 200;
/// Images of an index whose scans are looked at.
const CHILDREN_MAX: i64 = 100;

/// A scan in few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanSummary {
    /// Where it stands: done, under way, or failed.
    pub status: ScanStatus,
    /// What was found; of an index, in the image where the worst was found.
    pub counts: SeverityCounts,
    /// Whether images of an index are without a result beside those that have one.
    pub is_partial: bool,
}

/// A scan with what it found.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageScan {
    /// The scan.
    pub scan: Scan,
    /// The worst findings, at most [`FINDINGS_SHOWN`], without those that do not count.
    pub findings: Vec<Finding>,
    /// Whether there are some that do not count, because the owner says that they do not apply.
    pub has_suppressed: bool,
}

/// The scan of an image; nothing where the owner has none, whatever was found once.
pub(super) async fn of_image(
    tx: &mut Tx,
    repository: &Repository,
    image_id: i64,
) -> Result<Option<ImageScan>> {
    if !repository.scan_on_push {
        return Ok(None);
    }
    let Some(scan) = state::find(tx, image_id, ScanType::Basic).await? else { return Ok(None) };
    let mut stored = Vec::new();
    if scan.status.has_findings() {
        let request = PageRequest { after: None, limit: FINDINGS_SHOWN };
        stored = findings::page(tx, image_id, ScanType::Basic, &request).await?.items;
    }
    let all = stored.len();
    stored.retain(|one| !one.suppression.as_ref().is_some_and(|found| found.suppresses));
    let has_suppressed = stored.len() < all;
    let findings = stored.into_iter().map(|one| one.finding).collect();
    Ok(Some(ImageScan { scan, findings, has_suppressed }))
}

/// The scans of an image and of the images that it is an index of, by digest.
pub(super) async fn of_family(
    tx: &mut Tx,
    repository: &Repository,
    image_id: i64,
) -> Result<BTreeMap<String, ScanSummary>> {
    if !repository.scan_on_push {
        return Ok(BTreeMap::new());
    }
    let rows = tx
        .all(
            "SELECT images.digest, image_scans.status, image_scans.counts, \
             (SELECT COUNT(*) FROM jobs WHERE jobs.kind = $3 \
             AND jobs.job_key = CAST(image_scans.image_id AS TEXT) || ' BASIC' \
             AND jobs.state IN ('DEAD', 'CANCELLED')) \
             FROM image_scans JOIN images ON images.id = image_scans.image_id \
             WHERE image_scans.scan_type = 'BASIC' AND (image_scans.image_id = $1 \
             OR image_scans.image_id IN (SELECT child_image_id FROM image_children \
             WHERE image_children.image_id = $1)) LIMIT $2",
            params![image_id, CHILDREN_MAX, ScanImage::KIND],
        )
        .await?;
    let mut scans = BTreeMap::new();
    for row in &rows {
        let mut status = ScanStatus::from_stored(&row.get::<String>(1)?)?;
        if status.is_waiting() && row.get::<i64>(3)? > 0 {
            status = ScanStatus::Failed;
        }
        let counts = match status.has_findings() {
            true => serde_json::from_str(&row.get::<String>(2)?).map_err(Error::internal)?,
            false => SeverityCounts::new(),
        };
        scans.insert(row.get::<String>(0)?, ScanSummary { status, counts, is_partial: false });
    }
    Ok(scans)
}

/// One line for an index and its images: the worst of them, as whoever pulls it may get any.
pub(super) fn summary(scans: impl IntoIterator<Item = ScanSummary>) -> Option<ScanSummary> {
    let rank = |counts: &SeverityCounts| -> Vec<u64> {
        let worst_first = Severity::ALL.iter().rev();
        worst_first.map(|severity| counts.get(severity).copied().unwrap_or(0)).collect()
    };
    scans.into_iter().reduce(|left, right| {
        let is_partial = left.is_partial
            || right.is_partial
            || left.status.has_findings() != right.status.has_findings();
        let order = |summary: &ScanSummary| {
            let progress = match summary.status {
                status if status.has_findings() => 2,
                status if status.is_waiting() => 1,
                _ => 0,
            };
            (progress, rank(&summary.counts))
        };
        let worst = if order(&right) > order(&left) { right } else { left };
        ScanSummary { is_partial, ..worst }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_as_bad_as_its_worst_image() {
        use ScanStatus::{Complete, Failed, InProgress};
        let one = |status, counts: &[(Severity, u64)]| ScanSummary {
            status,
            counts: counts.iter().copied().collect(),
            is_partial: false,
        };
        let (low, high) = ([(Severity::Low, 90)], [(Severity::High, 1)]);
        for (scans, expected) in [
            (vec![], None),
            (vec![one(Complete, &low), one(Complete, &high)], Some((Complete, &high[..], false))),
            (vec![one(Complete, &high), one(Complete, &low)], Some((Complete, &high[..], false))),
            (vec![one(InProgress, &[]), one(Complete, &low)], Some((Complete, &low[..], true))),
            (vec![one(Failed, &[]), one(InProgress, &[])], Some((InProgress, &[][..], false))),
            (vec![one(Failed, &[]), one(Failed, &[])], Some((Failed, &[][..], false))),
        ] {
            let expected = expected.map(|(status, counts, is_partial)| ScanSummary {
                is_partial,
                ..one(status, counts)
            });
            assert_eq!(summary(scans), expected);
        }
    }
}
