//! From the report of an adapter to findings like ours.

use std::collections::BTreeMap;

use tonnage_scanner::advisories::{Cvss, Opinion, Severity, rate};
use tonnage_scanner::layers::Inventory;
use tonnage_scanner::{OsRelease, Package, PackageType};

use super::protocol::{Entry, Report, text};
use crate::names::Digest;
use crate::scanning::ScanType;
use crate::scanning::findings::{Finding, Vector, VulnerablePackage};
use crate::scanning::matching::{DESCRIPTION_BYTES_MAX, REFERENCES_MAX, uri};

/// Longest name of a flaw, of a package or a version, in bytes.
const NAME_BYTES_MAX: usize = 1_024;
/// Longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 2_048;
/// Packages of one finding.
const PACKAGES_MAX: usize = 1_000;

/// What is known of an image beside the report. The adapter names packages; what kind they are, which
/// file and layer brought them and by which URL others speak of them is in the image.
pub(super) struct Known<'a> {
    pub(super) inventory: Option<&'a Inventory>,
    pub(super) layers: &'a [Digest],
    packages: BTreeMap<(String, String), Vec<&'a Package>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(inventory: Option<&'a Inventory>, layers: &'a [Digest]) -> Self {
        let mut packages: BTreeMap<(String, String), Vec<&'a Package>> = BTreeMap::new();
        for package in inventory.into_iter().flat_map(|inventory| &inventory.packages) {
            let key = key(&package.full_name(), &package.version);
            packages.entry(key).or_default().push(package);
        }
        Self { inventory, layers, packages }
    }

    fn os(&self) -> Option<&'a OsRelease> {
        self.inventory.and_then(|inventory| inventory.os.as_ref())
    }

    /// The packages that an entry means.
    fn packages(&self, entry: &Entry) -> Vec<VulnerablePackage> {
        let fixed_version = entry.fix_version.as_deref().map(|it| text(it, NAME_BYTES_MAX));
        let fixed_version = fixed_version.filter(|version| !version.is_empty());
        let range = fixed_version.as_ref().map(|it| format!("< {it}")).unwrap_or_default();
        let version = entry.version.as_deref().unwrap_or_default();
        let said = entry.layer.as_ref().and_then(|layer| layer.digest.as_deref());
        let said = said.filter(|said| self.layers.iter().any(|layer| layer.as_str() == *said));
        let known = self.packages.get(&key(&entry.package, version));
        let Some(known) = known else {
            return vec![VulnerablePackage {
                package_type: PackageType::Generic,
                name: text(&entry.package, NAME_BYTES_MAX),
                version: text(version, NAME_BYTES_MAX),
                architecture: None,
                path: String::new(),
                layer_digest: said.map(str::to_owned),
                fixed_version,
                range,
                purls: Vec::new(),
            }];
        };
        let packages = known.iter().map(|package| {
            let layer = package.layer.and_then(|layer| usize::try_from(layer).ok());
            let layer = layer.and_then(|layer| self.layers.get(layer));
            VulnerablePackage {
                package_type: package.package_type,
                name: package.full_name().into_owned(),
                version: package.version.clone(),
                architecture: package.architecture.clone(),
                path: package.path.clone(),
                layer_digest: layer.map(ToString::to_string),
                fixed_version: fixed_version.clone(),
                range: range.clone(),
                purls: package.purls(self.os()),
            }
        });
        packages.collect()
    }
}

/// By what a package of a report is found: scanners differ in the case of names, and in Go's `v`.
fn key(name: &str, version: &str) -> (String, String) {
    (name.to_lowercase(), version.strip_prefix('v').unwrap_or(version).to_owned())
}

/// The findings of a report, the worst first: under basic scanning one for each flaw and package,
/// under enhanced scanning one for each flaw. And how many entries nothing could be made of.
pub(super) fn findings(
    report: &Report,
    scanner: &str,
    known: &Known<'_>,
    scan_type: ScanType,
) -> (Vec<Finding>, usize) {
    let mut found: BTreeMap<(String, String, String), Finding> = BTreeMap::new();
    let mut skipped = 0;
    for entry in report.vulnerabilities.iter().flatten() {
        let is_name = |text: &str| {
            let is_short = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
            is_short && !text.chars().any(|it| it.is_control() || it.is_whitespace())
        };
        if !is_name(&entry.id) || text(&entry.package, NAME_BYTES_MAX).is_empty() {
            skipped += 1;
            continue;
        }
        let packages = known.packages(entry);
        let key = match (scan_type, packages.first()) {
            (ScanType::Basic, Some(package)) => {
                (entry.id.clone(), package.name.clone(), package.version.clone())
            }
            _ => (entry.id.clone(), String::new(), String::new()),
        };
        let finding = found.entry(key).or_insert_with(|| finding(entry, scanner, known, scan_type));
        // Of what it says of several packages, the worst counts.
        let severity = severity(entry, scanner);
        finding.severity = finding.severity.max(severity);
        finding.vendor_severity = finding.vendor_severity.max(word(entry));
        for package in packages {
            if finding.packages.len() < PACKAGES_MAX && !finding.packages.contains(&package) {
                finding.packages.push(package);
            }
        }
    }
    let mut findings: Vec<Finding> = found.into_values().collect();
    for finding in &mut findings {
        finding.packages.sort();
    }
    findings.sort_by(|left, right| {
        right
            .severity
            .cmp(&left.severity)
            .then_with(|| left.name.cmp(&right.name))
            .then_with(|| left.packages.first().cmp(&right.packages.first()))
    });
    (findings, skipped)
}

fn word(entry: &Entry) -> Option<Severity> {
    entry.severity.as_deref().and_then(Severity::of_word)
}

fn vectors(entry: &Entry) -> Vec<Cvss> {
    let preferred = entry.preferred_cvss.as_ref();
    let texts = preferred.map(|it| [it.vector_v3.as_deref(), it.vector_v2.as_deref()]);
    texts.into_iter().flatten().flatten().filter_map(Cvss::parse).collect()
}

fn severity(entry: &Entry, scanner: &str) -> Severity {
    let cvss = vectors(entry);
    rate([Opinion { source: scanner, word: word(entry), cvss: &cvss }]).severity
}

fn finding(entry: &Entry, scanner: &str, known: &Known<'_>, scan_type: ScanType) -> Finding {
    let is_address = |address: &&String| {
        address.len() <= ADDRESS_BYTES_MAX
            && (address.starts_with("https://") || address.starts_with("http://"))
            && address.chars().all(|letter| letter.is_ascii_graphic())
    };
    let references: Vec<String> =
        entry.links.iter().filter(is_address).take(REFERENCES_MAX).cloned().collect();
    let own = || uri(&entry.id, known.os().filter(|_| scan_type == ScanType::Basic));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    let tenths = |cvss: &Cvss| (cvss.score() * 10.0).round() as u32;
    Finding {
        name: entry.id.clone(),
        severity: Severity::Undefined,
        vendor_severity: None,
        description: text(entry.description.as_deref().unwrap_or_default(), DESCRIPTION_BYTES_MAX),
        uri: references.first().cloned().unwrap_or_else(own),
        vectors: vectors(entry)
            .iter()
            .map(|cvss| Vector {
                version: cvss.version().as_str().to_owned(),
                vector: cvss.vector().to_owned(),
                score_tenths: tenths(cvss),
                source: scanner.to_owned(),
            })
            .collect(),
        advisories: Vec::new(),
        aliases: Vec::new(),
        references,
        published: None,
        modified: None,
        epss_millionths: None,
        is_exploited: false,
        packages: Vec::new(),
        scanner: Some(scanner.to_owned()),
    }
}
