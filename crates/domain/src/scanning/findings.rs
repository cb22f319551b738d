//! Findings: what is wrong with an image, as it is kept and read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tonnage_scanner::PackageType;
use tonnage_scanner::advisories::Severity;

use super::ScanType;
use super::state::{ScanStatus, SeverityCounts};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Row;
use crate::pages::{Page, PageRequest};
use crate::params;

/// Findings of one scan that are kept, the worst first; the counts tell of all.
pub(super) const FINDINGS_MAX: usize = 20_000;

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
}

impl Finding {
    /// Whether a newer version of one of the packages is without it.
    pub fn is_fixable(&self) -> bool {
        self.packages.iter().any(|package| package.fixed_version.is_some())
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
}

/// What is new of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Created,
    Updated,
    Closed,
}

/// What a scan has come to.
pub(super) struct Ended<'a> {
    pub(super) status: ScanStatus,
    pub(super) description: &'a str,
    pub(super) platform: &'a str,
    pub(super) source_updated_at: Option<Millis>,
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

/// Puts what a scan found in the place of what the one before it found; what changed, in the order
/// of the findings, those that are no more last.
pub(super) async fn replace(
    tx: &mut Tx,
    image_id: i64,
    scan_type: ScanType,
    ended: &Ended<'_>,
    now: Millis,
) -> Result<Vec<(Changed, Finding)>> {
    let mut before = before(tx, image_id, scan_type).await?;
    tx.execute(
        "DELETE FROM image_findings WHERE image_id = $1 AND scan_type = $2",
        params![image_id, scan_type.as_str()],
    )
    .await?;
    let mut changes = Vec::new();
    for (position, finding) in ended.findings.iter().take(FINDINGS_MAX).enumerate() {
        let (mut first_observed_at, mut updated_at) = (now, now);
        match before.remove(&identity(scan_type, finding)) {
            None => changes.push((Changed::Created, finding.clone())),
            Some(old) => {
                first_observed_at = old.first_observed_at;
                if old.finding == *finding {
                    updated_at = old.updated_at;
                } else {
                    changes.push((Changed::Updated, finding.clone()));
                }
            }
        }
        tx.execute(
            "INSERT INTO image_findings (image_id, scan_type, position, name, severity, document, \
             first_observed_at, last_observed_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                image_id,
                scan_type.as_str(),
                position,
                &finding.name,
                finding.severity.as_str(),
                serde_json::to_string(finding).map_err(Error::internal)?,
                first_observed_at,
                now,
                updated_at,
            ],
        )
        .await?;
    }
    changes.extend(before.into_values().map(|old| (Changed::Closed, old.finding)));
    let counts = count(ended.findings);
    let fixable = count(ended.findings.iter().filter(|finding| finding.is_fixable()));
    tx.execute(
        "UPDATE image_scans SET status = $3, description = $4, completed_at = $5, \
         source_updated_at = $6, counts = $7, platform = $8, fixable = $9 \
         WHERE image_id = $1 AND scan_type = $2",
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
        ],
    )
    .await?;
    Ok(changes)
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
) -> Result<BTreeMap<(String, String), StoredFinding>> {
    let everything = PageRequest { after: None, limit: u32::MAX };
    let found = page(tx, image_id, scan_type, &everything).await?;
    Ok(found
        .items
        .into_iter()
        .map(|stored| (identity(scan_type, &stored.finding), stored))
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
    let rows = tx
        .all(
            "SELECT document, first_observed_at, last_observed_at, updated_at, position \
             FROM image_findings WHERE image_id = $1 AND scan_type = $2 AND position > $3 \
             ORDER BY position LIMIT $4",
            params![image_id, scan_type.as_str(), after, request.limit_and_one()],
        )
        .await?;
    let items = rows
        .iter()
        .map(|row| Ok((row.get::<i64>(4)?, from_row(row)?)))
        .collect::<Result<Vec<_>>>()?;
    let page = request.cut(items, |(position, _)| position.to_string());
    Ok(Page {
        items: page.items.into_iter().map(|(_, finding)| finding).collect(),
        next: page.next,
    })
}

fn from_row(row: &Row) -> Result<StoredFinding> {
    Ok(StoredFinding {
        finding: serde_json::from_str(&row.get::<String>(0)?).map_err(Error::internal)?,
        first_observed_at: row.get(1)?,
        last_observed_at: row.get(2)?,
        updated_at: row.get(3)?,
    })
}
