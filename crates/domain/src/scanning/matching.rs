//! From what is in an image to what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tonnage_scanner::advisories::{
    Ecosystem, Flaw, Hit, Opinion, Rules, Severity, Subject, decide_rules, join, rate, subjects,
};
use tonnage_scanner::layers::Inventory;
use tonnage_scanner::{OsRelease, Package};

use super::ScanType;
use super::findings::{Finding, Vector, VulnerablePackage};
use crate::advisories::{self, AdvisoryId, AdvisoryRecord, Candidate, Flaw as KnownFlaw};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::names::Digest;
use crate::params;

/// Names that advisories are looked up by at a time.
const NAMES: usize = 200;
/// Advisories that are read at a time.
const ADVISORIES: usize = 200;
/// Longest description of a finding, in bytes.
pub(super) const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// What stands for what advisories say where none were loaded.
const NOTHING_LOADED: &str = "none loaded";
/// Addresses that a finding names.
pub(super) const REFERENCES_MAX: usize = 20;

/// What was found, the worst first, and by what packages were looked up.
pub(super) struct Matched {
    pub(super) findings: Vec<Finding>,
    pub(super) subjects: BTreeMap<Subject<'static>, String>,
    /// Ecosystems of packages that no advisory was ever loaded for.
    pub(super) unknown: BTreeSet<String>,
}

/// A package with what it is looked up by.
struct Known<'a> {
    package: &'a Package,
    subject: Subject<'a>,
}

/// A hit of a subject, before its advisory was read.
type Verdicts = Vec<(AdvisoryId, tonnage_scanner::advisories::Verdict)>;

/// Whether basic scanning looks at a package, too.
fn is_looked_at(package: &Package, scan_type: ScanType) -> bool {
    scan_type == ScanType::Enhanced || package.package_type.is_os()
}

/// Matches an inventory with all advisories.
pub(super) async fn match_inventory(
    tx: &mut Tx,
    inventory: &Inventory,
    layers: &[Digest],
    scan_type: ScanType,
) -> Result<Matched> {
    let os = inventory.os.as_ref();
    let packages = inventory.packages.iter().filter(|package| is_looked_at(package, scan_type));
    let known: Vec<Known<'_>> = packages
        .flat_map(|package| {
            subjects(package, os).into_iter().map(move |subject| Known { package, subject })
        })
        .collect();
    let distinct: BTreeSet<&Subject<'_>> = known.iter().map(|known| &known.subject).collect();
    let verdicts = verdicts(tx, distinct.iter().copied()).await?;
    let records = records(tx, &verdicts).await?;
    let ecosystems: BTreeSet<&Ecosystem> =
        distinct.iter().map(|subject| &subject.ecosystem).collect();
    let mut unknown = BTreeSet::new();
    for ecosystem in ecosystems {
        if !is_covered(tx, ecosystem).await? {
            unknown.insert(ecosystem.as_str().to_owned());
        }
    }
    let flaws = flaws(&known, &verdicts, &records);
    let mut findings = match scan_type {
        ScanType::Basic => by_source_package(&flaws, inventory.os.as_ref()),
        ScanType::Enhanced => by_image(&flaws, inventory.os.as_ref()),
    };
    for found in &mut findings {
        complete(found, &records, os, layers, scan_type);
    }
    let mut findings: Vec<Finding> = findings.into_iter().map(|found| found.finding).collect();
    findings.sort_by(|left, right| {
        right
            .severity
            .cmp(&left.severity)
            .then_with(|| left.name.cmp(&right.name))
            .then_with(|| left.packages.first().cmp(&right.packages.first()))
    });
    let subjects = distinct
        .into_iter()
        .map(|subject| {
            let matches = match unknown.contains(subject.ecosystem.as_str()) {
                // The first advisory of the system says something new of all its packages.
                true => NOTHING_LOADED.to_owned(),
                false => fingerprint(verdicts.get(subject).map(Vec::as_slice).unwrap_or_default()),
            };
            (owned(subject), matches)
        })
        .collect();
    Ok(Matched { findings, subjects, unknown })
}

/// Whether any advisory speaks of packages of an ecosystem.
async fn is_covered(tx: &mut Tx, ecosystem: &Ecosystem) -> Result<bool> {
    let entry = tx
        .optional(
            "SELECT 1 FROM advisory_entries WHERE ecosystem = $1 LIMIT 1",
            params![ecosystem.as_str()],
        )
        .await?;
    Ok(entry.is_some())
}

/// What advisories say of some subjects now, as [`Matched::subjects`] has it.
pub(super) async fn fingerprints(
    tx: &mut Tx,
    subjects: &[Subject<'static>],
) -> Result<Vec<String>> {
    let verdicts = verdicts(tx, subjects.iter()).await?;
    let of = |subject| fingerprint(verdicts.get(subject).map(Vec::as_slice).unwrap_or_default());
    Ok(subjects.iter().map(of).collect())
}

fn owned(subject: &Subject<'_>) -> Subject<'static> {
    Subject {
        ecosystem: subject.ecosystem.clone(),
        name: subject.name.to_string().into(),
        version: subject.version.to_string().into(),
        module: subject.module.as_deref().map(|text| text.to_owned().into()),
        architecture: subject.architecture.as_deref().map(|text| text.to_owned().into()),
    }
}

/// A digest of what advisories say of a subject; empty when they say nothing.
fn fingerprint(verdicts: &[(AdvisoryId, tonnage_scanner::advisories::Verdict)]) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for (advisory, verdict) in verdicts {
        let _ = writeln!(text, "{advisory:?} {verdict:?}");
    }
    hex::encode(Sha256::digest(text))
}

/// What each subject has, by the subject; those that have nothing are not there.
async fn verdicts<'s, 'p: 's>(
    tx: &mut Tx,
    subjects: impl Iterator<Item = &'s Subject<'p>>,
) -> Result<BTreeMap<&'s Subject<'p>, Verdicts>> {
    let mut by_ecosystem: BTreeMap<&Ecosystem, BTreeMap<&str, Vec<&'s Subject<'p>>>> =
        BTreeMap::new();
    for subject in subjects {
        let names = by_ecosystem.entry(&subject.ecosystem).or_default();
        names.entry(&subject.name).or_default().push(subject);
    }
    let mut verdicts: BTreeMap<&'s Subject<'p>, Verdicts> = BTreeMap::new();
    for (ecosystem, names) in by_ecosystem {
        let all: Vec<&str> = names.keys().copied().collect();
        for some in all.chunks(NAMES) {
            let candidates = advisories::candidates(tx, ecosystem.as_str(), some).await?;
            for Candidate { advisory, name, rules, .. } in &candidates {
                let rules = Rules::decode(rules).map_err(Error::internal)?;
                for subject in names.get(name.as_str()).into_iter().flatten() {
                    if let Some(verdict) = decide_rules(&rules, subject) {
                        verdicts.entry(subject).or_default().push((*advisory, verdict));
                    }
                }
            }
        }
    }
    for verdicts in verdicts.values_mut() {
        verdicts.sort_by_key(|(advisory, _)| *advisory);
    }
    Ok(verdicts)
}

type Records = BTreeMap<AdvisoryId, AdvisoryRecord>;

async fn records(tx: &mut Tx, verdicts: &BTreeMap<&Subject<'_>, Verdicts>) -> Result<Records> {
    let ids: BTreeSet<AdvisoryId> =
        verdicts.values().flatten().map(|(advisory, _)| *advisory).collect();
    let ids: Vec<AdvisoryId> = ids.into_iter().collect();
    let mut records = Records::new();
    for some in ids.chunks(ADVISORIES) {
        for record in advisories::describe(tx, some).await? {
            records.insert(record.id, record);
        }
    }
    Ok(records)
}

/// The flaws of one subject, with the packages that are looked up by it.
struct FlawsOf<'a> {
    subject: &'a Subject<'a>,
    packages: Vec<&'a Package>,
    flaws: Vec<Flaw>,
}

fn flaws<'a>(
    known: &'a [Known<'a>],
    verdicts: &BTreeMap<&Subject<'_>, Verdicts>,
    records: &Records,
) -> Vec<FlawsOf<'a>> {
    let mut by_subject: BTreeMap<&Subject<'_>, Vec<&'a Package>> = BTreeMap::new();
    for Known { package, subject } in known {
        by_subject.entry(subject).or_default().push(package);
    }
    by_subject
        .into_iter()
        .filter_map(|(subject, packages)| {
            let hits: Vec<Hit> = verdicts
                .get(subject)?
                .iter()
                .filter_map(|(id, verdict)| {
                    Some(Hit::new(&records.get(id)?.advisory, verdict.clone()))
                })
                .collect();
            let flaws = join(subject.ecosystem.scheme(), &hits);
            Some(FlawsOf { subject, packages, flaws })
        })
        .collect()
}

/// A finding that lacks what its advisories say, with the layers of its packages by position.
struct Found {
    finding: Finding,
    layers: Vec<Option<u32>>,
    word: Option<Severity>,
}

impl Found {
    fn new(flaw: &Flaw) -> Self {
        let finding = Finding {
            name: flaw.name.clone(),
            severity: Severity::Undefined,
            vendor_severity: None,
            description: String::new(),
            uri: String::new(),
            vectors: Vec::new(),
            advisories: Vec::new(),
            aliases: Vec::new(),
            references: Vec::new(),
            published: None,
            modified: None,
            epss_millionths: None,
            is_exploited: false,
            packages: Vec::new(),
            scanner: None,
        };
        Self { finding, layers: Vec::new(), word: None }
    }

    fn add(&mut self, flaw: &Flaw, package: VulnerablePackage, layer: Option<u32>) {
        if !self.finding.packages.contains(&package) {
            self.finding.packages.push(package);
            self.layers.push(layer);
        }
        self.word = self.word.max(flaw.verdict.severity);
        let push = |texts: &mut Vec<String>, more: &[String]| {
            for text in more {
                if !texts.contains(text) {
                    texts.push(text.clone());
                }
            }
        };
        push(&mut self.finding.advisories, &flaw.advisories);
        push(&mut self.finding.aliases, &flaw.aliases);
    }
}

/// One finding for each flaw and source package, as basic scanning has them.
fn by_source_package(flaws: &[FlawsOf<'_>], os: Option<&OsRelease>) -> Vec<Found> {
    let mut found: BTreeMap<(&str, &str, &str), Found> = BTreeMap::new();
    for FlawsOf { subject, packages, flaws } in flaws {
        for flaw in flaws {
            let key = (flaw.name.as_str(), &*subject.name, &*subject.version);
            let Some(first) = packages.first() else { continue };
            let package = VulnerablePackage {
                package_type: first.package_type,
                name: subject.name.to_string(),
                version: subject.version.to_string(),
                architecture: None,
                path: String::new(),
                layer_digest: None,
                fixed_version: flaw.verdict.fixed_version.clone(),
                range: flaw.verdict.range.clone(),
                purls: purls_of_source(packages, os),
            };
            let layer = packages.iter().filter_map(|package| package.layer).min();
            found.entry(key).or_insert_with(|| Found::new(flaw)).add(flaw, package, layer);
        }
    }
    found.into_values().collect()
}

/// Package URLs that speak of a source package: its own, and that of the only package built from it.
fn purls_of_source(packages: &[&Package], os: Option<&OsRelease>) -> Vec<String> {
    match packages {
        [only] => only.purls(os),
        // What was said of one of them is not said of the others.
        [first, ..] => first.purls(os).into_iter().skip(1).collect(),
        [] => Vec::new(),
    }
}

/// One finding for each flaw, with all packages that have it, as enhanced scanning has them.
fn by_image(flaws: &[FlawsOf<'_>], os: Option<&OsRelease>) -> Vec<Found> {
    let mut found: BTreeMap<&str, Found> = BTreeMap::new();
    for FlawsOf { packages, flaws, .. } in flaws {
        for flaw in flaws {
            let found = found.entry(&flaw.name).or_insert_with(|| Found::new(flaw));
            for package in packages {
                let vulnerable = VulnerablePackage {
                    package_type: package.package_type,
                    name: package.full_name().into_owned(),
                    version: package.version.clone(),
                    architecture: package.architecture.clone(),
                    path: package.path.clone(),
                    layer_digest: None,
                    fixed_version: flaw.verdict.fixed_version.clone(),
                    range: flaw.verdict.range.clone(),
                    purls: package.purls(os),
                };
                found.add(flaw, vulnerable, package.layer);
            }
        }
    }
    found.into_values().collect()
}

/// Fills in what the advisories say.
fn complete(
    found: &mut Found,
    records: &Records,
    os: Option<&OsRelease>,
    layers: &[Digest],
    scan_type: ScanType,
) {
    let finding = &mut found.finding;
    let mut records: Vec<&AdvisoryRecord> = records
        .values()
        .filter(|record| finding.advisories.contains(&record.advisory.id))
        .collect();
    records.sort_by(|left, right| left.advisory.id.cmp(&right.advisory.id));
    let advisory_opinions = records.iter().map(|record| Opinion {
        source: &record.advisory.id,
        word: found.word.or(record.advisory.severity),
        cvss: &record.advisory.cvss,
    });
    let known: Option<&KnownFlaw> =
        records.iter().find_map(|record| record.flaws.iter().find(|flaw| flaw.cve == finding.name));
    let record = known.and_then(|flaw| flaw.record.as_ref());
    let other_opinions = known.zip(record).map(|(flaw, record)| Opinion {
        source: &flaw.cve,
        word: None,
        cvss: &record.cvss,
    });
    let rating = rate(advisory_opinions.chain(other_opinions));
    finding.severity = rating.severity;
    finding.vendor_severity =
        found.word.or_else(|| records.iter().find_map(|record| record.advisory.severity));
    let vectors = records
        .iter()
        .flat_map(|record| record.advisory.cvss.iter().map(|cvss| (&record.advisory.id, cvss)))
        .chain(
            known
                .zip(record)
                .into_iter()
                .flat_map(|(flaw, record)| record.cvss.iter().map(|cvss| (&flaw.cve, cvss))),
        );
    for (source, cvss) in vectors {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let score_tenths = (cvss.score() * 10.0).round() as u32;
        let vector = Vector {
            version: cvss.version().as_str().to_owned(),
            vector: cvss.vector().to_owned(),
            score_tenths,
            source: source.clone(),
        };
        if finding.vectors.iter().all(|other| other.vector != vector.vector) {
            finding.vectors.push(vector);
        }
    }
    let text = records.iter().map(|record| record.description()).find(|text| !text.is_empty());
    finding.description = text.map(|text| shortened(text).to_owned()).unwrap_or_default();
    for address in records.iter().flat_map(|record| &record.advisory.references) {
        if finding.references.len() < REFERENCES_MAX && !finding.references.contains(address) {
            finding.references.push(address.clone());
        }
    }
    finding.published = records.iter().filter_map(|record| record.advisory.published).min();
    finding.modified = records.iter().filter_map(|record| record.advisory.modified).max();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
    let millionths = |epss: advisories::Epss| (epss.score * 1e6).round() as u32;
    finding.epss_millionths = known.and_then(|flaw| flaw.epss).map(millionths);
    finding.is_exploited = known.is_some_and(|flaw| flaw.exploited.is_some());
    finding.uri = uri(&finding.name, os.filter(|_| scan_type == ScanType::Basic));
    for (package, layer) in finding.packages.iter_mut().zip(&found.layers) {
        let digest = layer.and_then(|layer| layers.get(usize::try_from(layer).ok()?));
        package.layer_digest = digest.map(ToString::to_string);
    }
    finding.packages.sort();
}

/// The longest part of a text that may be kept.
fn shortened(text: &str) -> &str {
    let mut end = text.len().min(DESCRIPTION_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Where a flaw is described: by the makers of the operating system for its packages, else by those
/// who named it.
pub(super) fn uri(name: &str, os: Option<&OsRelease>) -> String {
    if name.starts_with("CVE-") {
        let id = os.map_or("", |os| os.id.as_str());
        return match id {
            "debian" => format!("https://security-tracker.debian.org/tracker/{name}"),
            "ubuntu" => format!("https://ubuntu.com/security/{name}"),
            "alpine" => format!("https://security.alpinelinux.org/vuln/{name}"),
            "rhel" | "centos" | "almalinux" | "rocky" => {
                format!("https://access.redhat.com/security/cve/{name}")
            }
            "amzn" => format!("https://explore.alas.aws.amazon.com/{name}.html"),
            _ => format!("https://nvd.nist.gov/vuln/detail/{name}"),
        };
    }
    if name.starts_with("GHSA-") {
        return format!("https://github.com/advisories/{name}");
    }
    format!("https://osv.dev/vulnerability/{name}")
}

/// The operating system in Inspector's words: `DEBIAN_12`, `ALPINE_LINUX_3_19`.
pub(super) fn platform(os: Option<&OsRelease>) -> String {
    let Some(os) = os else { return String::new() };
    let name = match os.id.as_str() {
        "alpine" => "ALPINE_LINUX",
        "amzn" => "AMAZON_LINUX",
        "rhel" => "RED_HAT_ENTERPRISE_LINUX",
        "ol" => "ORACLE_LINUX",
        "rocky" => "ROCKY_LINUX",
        other => other,
    };
    let version = os.version_id.as_deref().unwrap_or_default();
    let version = match os.id.as_str() {
        "alpine" => version.splitn(3, '.').take(2).collect::<Vec<_>>().join("_"),
        "rhel" | "rocky" | "almalinux" | "ol" | "centos" | "debian" => {
            version.split('.').next().unwrap_or_default().to_owned()
        }
        _ => version.replace('.', "_"),
    };
    let text = if version.is_empty() { name.to_owned() } else { format!("{name}_{version}") };
    text.to_uppercase()
}
