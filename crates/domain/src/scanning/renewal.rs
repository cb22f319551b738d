//! Findings of a few flaws in the place of what images have of them, and nothing else of the images.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::ScanType;
use super::describe_image_scan_findings::ScannedImage;
use super::findings::{
    ADD, Change, Changed, Finding, FindingStatus, PUT, StoredFinding, as_row, close, from_row,
    place_of, put, remove,
};
use super::scan_image::told;
use super::state::SeverityCounts;
use super::suppression::Judge;
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::events::{self, Event};
use crate::execute::Tx;
use crate::many::Many;
use crate::metadata::Value;
use crate::params;

/// What is stored of some findings of images: place and finding by image and name.
pub(super) type Known = BTreeMap<(i64, String), (i64, StoredFinding)>;

/// The findings of these names that images of a range have under enhanced scanning.
pub(super) async fn named(
    tx: &mut Tx,
    (first, last): (i64, i64),
    names: &BTreeSet<&str>,
) -> Result<Known> {
    let rows = tx
        .all(
            "SELECT document, first_observed_at, \
             COALESCE(image_scans.completed_at, first_observed_at), updated_at, suppression, \
             position, image_findings.image_id, image_findings.name \
             FROM image_findings JOIN image_scans \
             ON image_scans.image_id = image_findings.image_id \
             AND image_scans.scan_type = image_findings.scan_type \
             WHERE image_findings.name IN_LIST($3) AND image_findings.image_id >= $1 \
             AND image_findings.image_id <= $2 AND image_findings.scan_type = 'ENHANCED'",
            params![first, last, Value::list(names)],
        )
        .await?;
    rows.iter().map(|row| Ok(((row.get(6)?, row.get(7)?), (row.get(5)?, from_row(row)?)))).collect()
}

static END: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "WITH renewed (image_id, completed_at, source_updated_at, counts, fixable) AS (VALUES ",
        &["BIGINT", "BIGINT", "BIGINT", "TEXT", "TEXT"],
        ") UPDATE image_scans SET completed_at = renewed.completed_at, \
         source_updated_at = renewed.source_updated_at, counts = renewed.counts, \
         fixable = renewed.fixable FROM renewed \
         WHERE image_scans.image_id = renewed.image_id AND image_scans.scan_type = 'ENHANCED'",
    )
});

/// What is to be written of some images, together.
#[derive(Default)]
pub(super) struct Writes {
    /// Findings that their images do not have yet.
    added: Vec<(i64, StoredFinding)>,
    /// Rows of findings that stay where they are.
    put: Vec<Vec<Value>>,
    scans: Vec<Vec<Value>>,
    events: Vec<(i64, Event)>,
}

impl Writes {
    /// What became of the scan of an image, and what is told of it.
    pub(super) fn end(
        &mut self,
        renewal: &Renewal<'_>,
        (image, changes): (&ScannedImage, &[Change]),
        registry_id: i64,
        (now, source_updated_at): (Millis, Option<Millis>),
    ) -> Result<()> {
        let json = |counts| serde_json::to_string(counts).map_err(Error::internal);
        let (counts, fixable) = (json(&renewal.counts)?, json(&renewal.fixable)?);
        let row = params![renewal.image_id, now, source_updated_at, counts, fixable];
        self.scans.push(row.to_vec());
        self.events.extend(told(image, changes).map(|event| (registry_id, event)));
        Ok(())
    }

    /// Writes everything.
    pub(super) async fn write(self, tx: &mut Tx, app: &App) -> Result<()> {
        let row = |(image_id, stored): &(i64, StoredFinding)| {
            as_row(*image_id, ScanType::Enhanced, (place_of(&stored.finding), stored))
        };
        let rows = self.added.iter().map(row).collect::<Result<Vec<_>>>()?;
        let mut added = self.added.iter();
        for (some, changed) in ADD.run(tx, &rows).await? {
            let some = added.by_ref().take(some.len());
            // Hardly ever two have the same place by chance.
            if changed < some.len() as u64 {
                for (image_id, stored) in some.collect::<Vec<_>>() {
                    place(tx, *image_id, stored).await?;
                }
            } else {
                some.for_each(drop);
            }
        }
        PUT.run(tx, &self.put).await?;
        END.run(tx, &self.scans).await?;
        events::publish_together(tx, app, &self.events).await
    }
}

/// What findings of some names have become in an image under enhanced scanning.
pub(super) struct Renewal<'a> {
    pub(super) image_id: i64,
    pub(super) platform: &'a str,
    /// The names, and what is found of them now.
    pub(super) names: &'a BTreeSet<&'a str>,
    pub(super) findings: Vec<Finding>,
    pub(super) judge: &'a Judge,
    /// Whether it may have closed findings.
    pub(super) has_closed: bool,
    /// How many findings count, and how many of those can be fixed.
    pub(super) counts: SeverityCounts,
    pub(super) fixable: SeverityCounts,
}

impl Renewal<'_> {
    /// Puts them in the place of what `known` has of them; what changed. Nothing else of the image is
    /// touched. What is new is left to `writes`.
    pub(super) async fn store(
        &mut self,
        tx: &mut Tx,
        known: &mut Known,
        writes: &mut Writes,
        now: Millis,
    ) -> Result<Vec<Change>> {
        let image_id = self.image_id;
        let mut changes = Vec::new();
        for finding in std::mem::take(&mut self.findings) {
            let (place, old) = known.remove(&(image_id, finding.name.clone())).unzip();
            let mut stored = StoredFinding {
                first_observed_at: old.as_ref().map_or(now, |old| old.first_observed_at),
                last_observed_at: now,
                updated_at: now,
                status: FindingStatus::Active,
                suppression: None,
                finding,
            };
            stored.suppression = self.judge.decide(&stored, self.platform);
            let is_suppressed = stored.suppression.as_ref().is_some_and(|it| it.suppresses);
            let changed = match &old {
                None => Changed::Created,
                Some(old)
                    if old.finding == stored.finding && old.suppression == stored.suppression =>
                {
                    continue;
                }
                Some(_) => Changed::Updated,
            };
            if let Some(old) = &old {
                self.uncount(old);
            }
            let same =
                old.as_ref().is_some_and(|it| it.finding.severity == stored.finding.severity);
            if let Some(place) = place.filter(|_| !same) {
                remove(tx, image_id, ScanType::Enhanced, place).await?;
            }
            if !is_suppressed {
                let severity = stored.finding.severity;
                *self.counts.entry(severity).or_default() += 1;
                if stored.finding.is_fixable() {
                    *self.fixable.entry(severity).or_default() += 1;
                }
            }
            changes.push(Change { changed, finding: stored.finding.clone(), is_suppressed });
            match place.filter(|_| same) {
                Some(place) => {
                    writes.put.push(as_row(image_id, ScanType::Enhanced, (place, &stored))?);
                }
                None => writes.added.push((image_id, stored)),
            }
        }
        let mut closed = Vec::new();
        for name in self.names {
            let Some((place, old)) = known.remove(&(image_id, (*name).to_owned())) else {
                continue;
            };
            // What was compared and is the same was taken out above.
            remove(tx, image_id, ScanType::Enhanced, place).await?;
            self.uncount(&old);
            closed.push(old);
        }
        let again = if self.has_closed { changes.as_slice() } else { &[] };
        close(tx, image_id, (again, closed.iter()), now).await?;
        changes.extend(closed.into_iter().map(|old| Change {
            changed: Changed::Closed,
            finding: old.finding,
            is_suppressed: false,
        }));
        Ok(changes)
    }

    fn uncount(&mut self, old: &StoredFinding) {
        if old.status == FindingStatus::Suppressed {
            return;
        }
        let severity = old.finding.severity;
        let all = [Some(&mut self.counts), old.finding.is_fixable().then_some(&mut self.fixable)];
        for counts in all.into_iter().flatten() {
            let count = counts.entry(severity).or_default();
            *count = count.saturating_sub(1);
            counts.retain(|_, count| *count > 0);
        }
    }
}

/// Gives a finding the first free place from its own on, unless it has one.
async fn place(tx: &mut Tx, image_id: i64, stored: &StoredFinding) -> Result<()> {
    let mut place = place_of(&stored.finding);
    loop {
        let taken = tx
            .optional(
                "SELECT name FROM image_findings \
                 WHERE image_id = $1 AND scan_type = 'ENHANCED' AND position = $2",
                params![image_id, place],
            )
            .await?;
        let Some(taken) = taken else {
            return put(tx, image_id, ScanType::Enhanced, (place, stored)).await;
        };
        if taken.get::<String>(0)? == stored.finding.name {
            return Ok(());
        }
        place += 1;
    }
}
