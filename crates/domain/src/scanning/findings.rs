//! Findings: what is wrong with an image, as it is kept and read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tonnage_scanner::PackageType;
use tonnage_scanner::advisories::Severity;

use super::ScanType;
use super::state::{ScanStatus, SeverityCounts};
use super::suppression::{Judge, Suppression};
use crate::advisories::Sequence;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::many::Many;
use crate::metadata::{Row, Value};
use crate::pages::{Page, PageRequest};
use crate::params;

/// Findings of one scan that are kept, the worst first; the counts tell of all.
pub(super) const FINDINGS_MAX: usize = 20_000;
/// How long a finding is shown that an image no longer has, in seconds; three days, as in Inspector.
pub(crate) const CLOSED_SECONDS: i64 = 3 * 24 * 3600;
/// Findings that one scan may close and that are shown then.
const CLOSED_MAX: usize = 1_000;

/// A flaw that packages of an image have. Under basic scanning it is of one source package, under
/// enhanced scanning of the whole image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The flaw: its CVE, else what its publisher calls it.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// The publisher's word, in ours; none where only a vector says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_severity: Option<Severity>,
    /// What it is about; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it is described.
    pub uri: String,
    /// CVSS vectors, those closest to the package first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vectors: Vec<Vector>,
    /// The advisories that say so.
    pub advisories: Vec<String>,
    /// Its other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Addresses with more about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// When the first of the advisories was published, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<i64>,
    /// When the last of them was changed, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<i64>,
    /// How probable it is that it will be exploited within 30 days, in parts of a million (EPSS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss_millionths: Option<u32>,
    /// Whether it is known to be exploited (KEV).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_exploited: bool,
    /// The packages that have it.
    pub packages: Vec<VulnerablePackage>,
    /// The scanner that found it, where it is not this one: `Trivy 0.50.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanner: Option<String>,
}

/// A CVSS vector, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vector {
    /// The version of CVSS: `3.1`.
    pub version: String,
    /// The vector.
    pub vector: String,
    /// The base score, in tenths.
    pub score_tenths: u32,
    /// The advisory that has it.
    pub source: String,
}

impl Vector {
    /// The base score.
    pub fn score(&self) -> f64 {
        f64::from(self.score_tenths) / 10.0
    }
}

/// A package that has a flaw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VulnerablePackage {
    /// What kind of package it is.
    pub package_type: PackageType,
    /// Its name; under basic scanning that of the source package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The architecture, where the package has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The file of the image that says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The layer that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_digest: Option<String>,
    /// The first version without the flaw, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_version: Option<String>,
    /// The versions that have it: `>= 1.2, < 1.4`.
    pub range: String,
    /// Package URLs by which others may speak of it: its own, and that of its source package.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purls: Vec<String>,
}

impl Finding {
    /// Whether a newer version of one of the packages is without it.
    pub fn is_fixable(&self) -> bool {
        self.packages.iter().any(|package| package.fixed_version.is_some())
    }

    /// Whether a newer version of all, some or none of the packages is without it, in Inspector's
    /// words.
    pub fn fix_available(&self) -> &'static str {
        let fixed = self.packages.iter().filter(|package| package.fixed_version.is_some()).count();
        match fixed {
            0 => "NO",
            fixed if fixed == self.packages.len() => "YES",
            _ => "PARTIAL",
        }
    }

    /// Whether it is known to be exploited, in Inspector's words.
    pub fn exploit_available(&self) -> &'static str {
        if self.is_exploited { "YES" } else { "NO" }
    }

    /// The vector of the newest version of CVSS.
    pub fn vector(&self) -> Option<&Vector> {
        self.vectors.iter().max_by(|a, b| a.version.cmp(&b.version))
    }

    /// Its score.
    pub fn score(&self) -> Option<f64> {
        self.vector().map(Vector::score)
    }

    /// How probable it is that it will be exploited within 30 days.
    pub fn epss_score(&self) -> Option<f64> {
        self.epss_millionths.map(|millionths| f64::from(millionths) / 1e6)
    }
}

/// The parts of a version as the packages of operating systems have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitVersion<'a> {
    /// The epoch; 0 where a package of an operating system says none.
    pub epoch: Option<u32>,
    /// The version of the software itself.
    pub version: &'a str,
    /// The release of the package.
    pub release: Option<&'a str>,
}

impl VulnerablePackage {
    /// `epoch:version-release`, of which only the version must be there.
    pub fn split_version(&self) -> SplitVersion<'_> {
        let (mut epoch, mut version, mut release) = (None, self.version.as_str(), None);
        if self.package_type.is_os() {
            if let Some((number, rest)) = version.split_once(':')
                && let Ok(number) = number.parse()
            {
                (epoch, version) = (Some(number), rest);
            }
            if let Some((upstream, rest)) = version.rsplit_once('-') {
                (version, release) = (upstream, Some(rest));
            }
            epoch = epoch.or(Some(0));
        }
        SplitVersion { epoch, version, release }
    }
}

/// Where a finding stands (botocore `inspector2`, shape `FindingStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingStatus {
    /// The image has it.
    Active,
    /// The image has it, but somebody said that it does not count.
    Suppressed,
    /// The image does not have it any more.
    Closed,
}

impl FindingStatus {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suppressed => "SUPPRESSED",
            Self::Closed => "CLOSED",
        }
    }
}

/// A finding with its times.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFinding {
    /// The finding.
    pub finding: Finding,
    /// When it was first found in the image.
    pub first_observed_at: Millis,
    /// When it was last found.
    pub last_observed_at: Millis,
    /// When what is said of it last changed.
    pub updated_at: Millis,
    /// Where it stands.
    pub status: FindingStatus,
    /// Why it does not count, where it is suppressed; what else was said of it, where it is not.
    pub suppression: Option<Suppression>,
}

/// What is new of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Created,
    Updated,
    Closed,
}

/// A finding of which something is new.
pub(super) struct Change {
    pub(super) changed: Changed,
    pub(super) finding: Finding,
    pub(super) is_suppressed: bool,
}

impl Change {
    /// Where the finding stands now.
    pub(super) fn status(&self) -> FindingStatus {
        match (self.changed, self.is_suppressed) {
            (Changed::Closed, _) => FindingStatus::Closed,
            (Changed::Created | Changed::Updated, true) => FindingStatus::Suppressed,
            (Changed::Created | Changed::Updated, false) => FindingStatus::Active,
        }
    }
}

/// What a scan has come to.
pub(super) struct Ended<'a> {
    pub(super) status: ScanStatus,
    pub(super) description: &'a str,
    pub(super) platform: &'a str,
    pub(super) source_updated_at: Option<Millis>,
    /// Up to which change of the advisories was looked, where that is known.
    pub(super) advisories_seen: Option<Sequence>,
    pub(super) findings: &'a [Finding],
}

/// How many of each severity there are.
pub(super) fn count<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> SeverityCounts {
    let mut counts = SeverityCounts::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    counts
}

/// Puts what a scan found in the place of what the one before it found, by the rows that differ; what changed, in the order
/// of the findings, those that are no more last; and how many there are that count.
pub(super) async fn replace(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    (ended, judge): (&Ended<'_>, &Judge),
    now: Millis,
) -> Result<(Vec<Change>, SeverityCounts)> {
    let mut before = before(tx, image_id, scan_type).await?;
    let mut changes = Vec::new();
    let mut counting = Vec::new();
    // Where a finding stood that stands elsewhere now.
    let mut left: BTreeSet<i64> = before.values().map(|(place, _)| *place).collect();
    let mut taken = BTreeSet::new();
    for (rank, finding) in (0_i64..).zip(ended.findings) {
        let (place, old) = before.remove(&identity(scan_type, finding)).unzip();
        let first_observed_at = old.as_ref().map_or(now, |old| old.first_observed_at);
        let mut stored = StoredFinding {
            finding: finding.clone(),
            first_observed_at,
            last_observed_at: now,
            updated_at: now,
            status: FindingStatus::Active,
            suppression: None,
        };
        stored.suppression = judge.decide(&stored, ended.platform);
        let is_suppressed = stored.suppression.as_ref().is_some_and(|it| it.suppresses);
        if !is_suppressed {
            counting.push(finding);
        }
        if taken.len() >= FINDINGS_MAX {
            continue;
        }
        let mut position = match scan_type {
            ScanType::Basic => rank,
            ScanType::Enhanced => place_of(finding),
        };
        while !taken.insert(position) {
            position += 1;
        }
        left.remove(&position);
        let changed = match &old {
            None => Some(Changed::Created),
            Some(old) if old.finding == *finding && old.suppression == stored.suppression => {
                stored.updated_at = old.updated_at;
                None
            }
            Some(_) => Some(Changed::Updated),
        };
        // When one advisory changes, most rows of an image stay as they are.
        if changed.is_some() || place != Some(position) {
            put(tx, image_id, scan_type, (position, &stored)).await?;
        }
        if let Some(changed) = changed {
            changes.push(Change { changed, finding: finding.clone(), is_suppressed });
        }
    }
    for position in left {
        remove(tx, image_id, scan_type, position).await?;
    }
    if scan_type == ScanType::Enhanced {
        close(tx, image_id, (&changes, before.values().map(|(_, old)| old)), now).await?;
    }
    changes.extend(before.into_values().map(|(_, old)| Change {
        changed: Changed::Closed,
        finding: old.finding,
        is_suppressed: false,
    }));
    let counts = count(counting.iter().copied());
    let fixable = count(counting.into_iter().filter(|finding| finding.is_fixable()));
    tx.execute(
        "UPDATE image_scans SET status = $3, description = $4, completed_at = $5, \
         source_updated_at = $6, counts = $7, platform = $8, fixable = $9, \
         advisories_seen = $10 WHERE image_id = $1 AND scan_type = $2",
        params![
            image_id,
            scan_type.as_str(),
            ended.status.as_str(),
            ended.description,
            now,
            ended.source_updated_at,
            serde_json::to_string(&counts).map_err(Error::internal)?,
            ended.platform,
            serde_json::to_string(&fixable).map_err(Error::internal)?,
            ended.advisories_seen.unwrap_or_default(),
        ],
    )
    .await?;
    Ok((changes, counts))
}

/// Where a finding of enhanced scanning stands among those of its image: the worst first, flaws of
/// the CVE list in their order before others. It depends on nothing else in the image, so that a
/// finding comes and goes without the others being moved; two that have the same place by chance
/// stand beside each other.
pub(super) fn place_of(finding: &Finding) -> i64 {
    /// Places of one severity, and of the CVEs of one year.
    const SEVERITY: i64 = 1 << 56;
    const YEAR: i64 = 1 << 40;
    /// No place before it: releases before this one counted from 0.
    const FIRST: i64 = SEVERITY;
    let mildness = match finding.severity {
        Severity::Critical => 0,
        Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Informational => 4,
        Severity::Undefined => 5,
    };
    let cve = finding.name.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    let cve = cve.and_then(|(year, number)| Some((year.parse().ok()?, number.parse().ok()?)));
    let within = match cve {
        Some((year @ 0..10_000, number @ 0..YEAR)) => year * YEAR + number,
        _ => {
            let hash = sha2::Sha256::digest(&finding.name);
            let number = hash.iter().take(6).fold(0, |number, byte| number << 8 | i64::from(*byte));
            (SEVERITY / 2) + number
        }
    };
    FIRST + mildness * SEVERITY + within
}

/// Whether findings stand where [`place_of`] has them, and not where releases before this one did.
pub(super) fn is_placed(first: i64) -> bool {
    first >= 1 << 56
}

pub(super) async fn remove(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    position: i64,
) -> Result<()> {
    tx.execute(
        "DELETE FROM image_findings WHERE image_id = $1 AND scan_type = $2 AND position = $3",
        params![image_id, scan_type.as_str(), position],
    )
    .await?;
    Ok(())
}

pub(super) async fn put(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    (position, stored): (i64, &StoredFinding),
) -> Result<()> {
    PUT.run(tx, &[as_row(image_id, scan_type, (position, stored))?]).await?;
    Ok(())
}

const INSERT: &str = "INSERT INTO image_findings (image_id, scan_type, position, name, severity, \
                      document, first_observed_at, updated_at, suppression) VALUES ";

/// Puts rows of [`as_row`] in the place of what stands there.
pub(super) static PUT: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        INSERT,
        &[""; 9],
        " ON CONFLICT (image_id, scan_type, position) DO UPDATE SET name = excluded.name, \
         severity = excluded.severity, document = excluded.document, \
         first_observed_at = excluded.first_observed_at, updated_at = excluded.updated_at, \
         suppression = excluded.suppression",
    )
});

/// Puts rows of [`as_row`] where nothing stands.
pub(super) static ADD: LazyLock<Many> = LazyLock::new(|| {
    let after = " ON CONFLICT (image_id, scan_type, position) DO NOTHING";
    Many::new(INSERT, &[""; 9], after)
});

/// A finding as it is stored.
pub(super) fn as_row(
    image_id: i64,
    scan_type: ScanType,
    (position, stored): (i64, &StoredFinding),
) -> Result<Vec<Value>> {
    Ok(params![
        image_id,
        scan_type.as_str(),
        position,
        &stored.finding.name,
        stored.finding.severity.as_str(),
        serde_json::to_string(&stored.finding).map_err(Error::internal)?,
        stored.first_observed_at,
        stored.updated_at,
        stored.suppression.as_ref().map(Suppression::to_stored).transpose()?,
    ]
    .to_vec())
}

/// Notes which findings an image no longer has, and that it has others again.
pub(super) async fn close<'f>(
    tx: &mut Tx,
    image_id: i64,
    (changes, closed): (&[Change], impl Iterator<Item = &'f StoredFinding>),
    now: Millis,
) -> Result<()> {
    for change in changes.iter().filter(|change| change.changed == Changed::Created) {
        tx.execute(
            "DELETE FROM closed_findings WHERE image_id = $1 AND name = $2",
            params![image_id, &change.finding.name],
        )
        .await?;
    }
    for old in closed.take(CLOSED_MAX) {
        tx.execute(
            "INSERT INTO closed_findings (image_id, name, document, first_observed_at, \
             last_observed_at, closed_at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (image_id, name) DO UPDATE SET document = excluded.document, \
             first_observed_at = excluded.first_observed_at, \
             last_observed_at = excluded.last_observed_at, closed_at = excluded.closed_at",
            params![
                image_id,
                &old.finding.name,
                serde_json::to_string(&old.finding).map_err(Error::internal)?,
                old.first_observed_at,
                old.last_observed_at,
                now,
            ],
        )
        .await?;
    }
    Ok(())
}

/// Whether any image of a range has findings that it no longer has.
pub(super) async fn has_closed(tx: &mut Tx, (first, last): (i64, i64)) -> Result<bool> {
    let closed = tx
        .optional(
            "SELECT 1 FROM closed_findings WHERE image_id >= $1 AND image_id <= $2 LIMIT 1",
            params![first, last],
        )
        .await?;
    Ok(closed.is_some())
}

/// By what a finding is the same one in two scans of an image.
fn identity(scan_type: ScanType, finding: &Finding) -> (String, String) {
    let package = match scan_type {
        ScanType::Basic => finding.packages.first().map(|package| package.name.clone()),
        ScanType::Enhanced => None,
    };
    (finding.name.clone(), package.unwrap_or_default())
}

async fn before(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
) -> Result<BTreeMap<(String, String), (i64, StoredFinding)>> {
    let found = placed(tx, image_id, scan_type, (-1, i64::from(u32::MAX))).await?;
    Ok(found
        .into_iter()
        .map(|(place, stored)| (identity(scan_type, &stored.finding), (place, stored)))
        .collect())
}

/// A page of the findings of an image, the worst first.
pub(crate) async fn page(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    request: &PageRequest,
) -> Result<Page<StoredFinding>> {
    let after: i64 = match request.after.as_deref() {
        None => -1,
        Some(after) => {
            after.parse().map_err(|_| Error::invalid_parameter("nextToken", "Invalid token"))?
        }
    };
    let items = placed(tx, image_id, scan_type, (after, request.limit_and_one())).await?;
    let page = request.cut(items, |(position, _)| position.to_string());
    Ok(Page {
        items: page.items.into_iter().map(|(_, finding)| finding).collect(),
        next: page.next,
    })
}

/// Findings of an image behind a place, with theirs.
async fn placed(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    (after, limit): (i64, i64),
) -> Result<Vec<(i64, StoredFinding)>> {
    let rows = tx
        .all(
            "SELECT document, first_observed_at, \
             COALESCE(image_scans.completed_at, first_observed_at), updated_at, suppression, \
             position FROM image_findings JOIN image_scans \
             ON image_scans.image_id = image_findings.image_id \
             AND image_scans.scan_type = image_findings.scan_type \
             WHERE image_findings.image_id = $1 AND image_findings.scan_type = $2 \
             AND position > $3 ORDER BY position LIMIT $4",
            params![image_id, scan_type.as_str(), after, limit],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(5)?, from_row(row)?))).collect()
}

pub(super) fn from_row(row: &Row) -> Result<StoredFinding> {
    let suppression: Option<String> = row.get(4)?;
    let suppression = suppression.as_deref().map(Suppression::from_stored).transpose()?;
    let is_suppressed = suppression.as_ref().is_some_and(|it| it.suppresses);
    Ok(StoredFinding {
        finding: serde_json::from_str(&row.get::<String>(0)?).map_err(Error::internal)?,
        first_observed_at: row.get(1)?,
        last_observed_at: row.get(2)?,
        updated_at: row.get(3)?,
        status: if is_suppressed { FindingStatus::Suppressed } else { FindingStatus::Active },
        suppression,
    })
}

/// The findings that an image no longer has, by name.
pub(crate) async fn closed(
    tx: &mut Tx,
    image_id: i64,
    since: Millis,
) -> Result<Vec<StoredFinding>> {
    let rows = tx
        .all(
            "SELECT document, first_observed_at, last_observed_at, closed_at \
             FROM closed_findings WHERE image_id = $1 AND closed_at > $2 ORDER BY name LIMIT $3",
            params![image_id, since, FINDINGS_MAX],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StoredFinding {
                finding: serde_json::from_str(&row.get::<String>(0)?).map_err(Error::internal)?,
                first_observed_at: row.get(1)?,
                last_observed_at: row.get(2)?,
                updated_at: row.get(3)?,
                status: FindingStatus::Closed,
                suppression: None,
            })
        })
        .collect()
}

/// Judges the findings of an image anew, as they are stored; what changed. Nothing is written where
/// nothing did.
pub(super) async fn judge_anew(
    tx: &mut Tx,
    image_id: i64,
    (scan_type, platform): (ScanType, &str),
    judge: &Judge,
    now: Millis,
) -> Result<Vec<Change>> {
    let stored = placed(tx, image_id, scan_type, (-1, i64::from(u32::MAX))).await?;
    let mut changes = Vec::new();
    let (mut counting, mut fixable) = (SeverityCounts::new(), SeverityCounts::new());
    let (mut counted, mut counted_fixable) = (SeverityCounts::new(), SeverityCounts::new());
    for (position, found) in stored {
        let suppression = judge.decide(&found, platform);
        let is_suppressed = suppression.as_ref().is_some_and(|it| it.suppresses);
        let severity = found.finding.severity;
        let one = |counts: &mut SeverityCounts| *counts.entry(severity).or_default() += 1;
        if !is_suppressed {
            one(&mut counting);
            if found.finding.is_fixable() {
                one(&mut fixable);
            }
        }
        if found.status != FindingStatus::Suppressed {
            one(&mut counted);
            if found.finding.is_fixable() {
                one(&mut counted_fixable);
            }
        }
        if suppression == found.suppression {
            continue;
        }
        tx.execute(
            "UPDATE image_findings SET suppression = $4, updated_at = $5 \
             WHERE image_id = $1 AND scan_type = $2 AND position = $3",
            params![
                image_id,
                scan_type.as_str(),
                position,
                suppression.as_ref().map(Suppression::to_stored).transpose()?,
                now,
            ],
        )
        .await?;
        changes.push(Change { changed: Changed::Updated, finding: found.finding, is_suppressed });
    }
    if counting != counted {
        recount(tx, image_id, scan_type, (&counted, &counting), "counts").await?;
        recount(tx, image_id, scan_type, (&counted_fixable, &fixable), "fixable").await?;
    }
    Ok(changes)
}

/// Changes counts by what changed in the findings that are kept; the counts tell of all.
async fn recount(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    (before, after): (&SeverityCounts, &SeverityCounts),
    which: &str,
) -> Result<()> {
    let (select, update) = match which {
        "counts" => (
            "SELECT counts FROM image_scans WHERE image_id = $1 AND scan_type = $2",
            "UPDATE image_scans SET counts = $3 WHERE image_id = $1 AND scan_type = $2",
        ),
        _ => (
            "SELECT fixable FROM image_scans WHERE image_id = $1 AND scan_type = $2",
            "UPDATE image_scans SET fixable = $3 WHERE image_id = $1 AND scan_type = $2",
        ),
    };
    let Some(row) = tx.optional(select, params![image_id, scan_type.as_str()]).await? else {
        return Ok(());
    };
    let mut counts: SeverityCounts =
        serde_json::from_str(&row.get::<String>(0)?).map_err(Error::internal)?;
    for (severity, less) in before {
        let count = counts.entry(*severity).or_default();
        *count = count.saturating_sub(*less);
    }
    for (severity, more) in after {
        *counts.entry(*severity).or_default() += more;
    }
    counts.retain(|_, count| *count > 0);
    let counts = serde_json::to_string(&counts).map_err(Error::internal)?;
    tx.execute(update, params![image_id, scan_type.as_str(), counts]).await?;
    Ok(())
}
