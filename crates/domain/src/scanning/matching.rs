//! From what is in an image to what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tonnage_scanner::advisories::{
    Ecosystem, Flaw, Hit, Opinion, Rules, Severity, Subject, Verdict, decide_rules, join, rate,
    subjects,
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
pub(super) const NOTHING_LOADED: &str = "none loaded";
/// Addresses that a finding names.
pub(super) const REFERENCES_MAX: usize = 20;

/// What was found, the worst first, and by what packages were looked up.
pub(super) struct Matched {
    pub(super) findings: Vec<Finding>,
    /// What packages the image has, each with what advisories say of it.
    pub(super) packages: BTreeMap<PackageKey, String>,
    /// Ecosystems of packages that no advisory was ever loaded for.
    pub(super) unknown: BTreeSet<String>,
}

/// A package as images are looked up by it: ecosystem, name, version, module and architecture.
pub(super) type PackageKey = [String; 5];

/// Stands before the ecosystem of a package that advisories know by another name, that of its source
/// package. No advisory speaks of it by this one, but people do.
pub(super) const BINARY: &str = "binary ";

/// A package by its own name, where it is looked up by that of its source package.
fn binary(known: &Known<'_>) -> Option<PackageKey> {
    let Known { package, subject } = known;
    let is_other = package.package_type.is_os() && *subject.name != package.name;
    is_other.then(|| {
        let ecosystem = format!("{BINARY}{}", subject.ecosystem.as_str());
        let architecture = package.architecture.clone().unwrap_or_default();
        [ecosystem, package.name.clone(), package.version.clone(), String::new(), architecture]
    })
}

/// A package with what it is looked up by.
struct Known<'a> {
    package: &'a Package,
    subject: Subject<'a>,
}

/// The hits of a subject, before their advisories were read.
type Verdicts = Vec<(AdvisoryId, Verdict)>;

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
    let mut flaws_by_subject: BTreeMap<&Subject<'_>, Vec<Flaw>> = BTreeMap::new();
    for (subject, verdicts) in &verdicts {
        flaws_by_subject.insert(subject, flaws_of(subject, verdicts, &records));
    }
    let mut packages_by_subject: BTreeMap<&Subject<'_>, Vec<&Package>> = BTreeMap::new();
    for Known { package, subject } in &known {
        packages_by_subject.entry(subject).or_default().push(package);
    }
    let affected: Vec<Affected<'_>> = packages_by_subject
        .into_iter()
        .filter_map(|(subject, packages)| {
            let flaws = flaws_by_subject.get(subject)?.iter().collect();
            Some(Affected { subject, packages, flaws })
        })
        .collect();
    let findings = findings(&affected, &records, os, layers, scan_type);
    let mut packages: BTreeMap<PackageKey, String> =
        known.iter().filter_map(binary).map(|key| (key, String::new())).collect();
    packages.extend(distinct.into_iter().map(|subject| {
        let matches = if unknown.contains(subject.ecosystem.as_str()) {
            // The first advisory of the system says something new of all its packages.
            NOTHING_LOADED.to_owned()
        } else {
            let flaws = flaws_by_subject.get(subject).map(Vec::as_slice).unwrap_or_default();
            Matches::of(flaws, &records).to_stored()
        };
        let some = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let key = [
            subject.ecosystem.as_str().to_owned(),
            subject.name.to_string(),
            subject.version.to_string(),
            some(subject.module.as_deref()),
            some(subject.architecture.as_deref()),
        ];
        (key, matches)
    }));
    Ok(Matched { findings, packages, unknown })
}

/// What is found of affected packages, the worst first.
pub(super) fn findings(
    affected: &[Affected<'_>],
    records: &Records,
    os: Option<&OsRelease>,
    layers: &[Digest],
    scan_type: ScanType,
) -> Vec<Finding> {
    let mut found = match scan_type {
        ScanType::Basic => by_source_package(affected, os),
        ScanType::Enhanced => by_image(affected, os),
    };
    for found in &mut found {
        complete(found, records, os, layers, scan_type);
    }
    let mut findings: Vec<Finding> = found.into_iter().map(|found| found.finding).collect();
    findings.sort_by(|left, right| {
        right
            .severity
            .cmp(&left.severity)
            .then_with(|| left.name.cmp(&right.name))
            .then_with(|| left.packages.first().cmp(&right.packages.first()))
    });
    findings
}

/// Whether any advisory speaks of packages of an ecosystem.
pub(super) async fn is_covered(tx: &mut Tx, ecosystem: &Ecosystem) -> Result<bool> {
    let entry = tx
        .optional(
            "SELECT 1 FROM advisory_entries WHERE ecosystem = $1 LIMIT 1",
            params![ecosystem.as_str()],
        )
        .await?;
    Ok(entry.is_some())
}

/// What advisories say of some subjects now, in their order, and the advisories that say so.
pub(super) async fn flaws(
    tx: &mut Tx,
    subjects: &[Subject<'static>],
) -> Result<(Vec<Vec<Flaw>>, Records)> {
    let verdicts = verdicts(tx, subjects.iter()).await?;
    let records = records(tx, &verdicts).await?;
    let of = |subject| {
        let verdicts = verdicts.get(subject).map(Vec::as_slice).unwrap_or_default();
        flaws_of(subject, verdicts, &records)
    };
    Ok((subjects.iter().map(of).collect(), records))
}

/// What advisories say of a package: a digest by the name of each flaw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Matches(BTreeMap<String, String>);

impl Matches {
    /// Characters of a digest; it tells a flaw from what was said of the same one before.
    const DIGEST: usize = 16;
    /// Stands for a flaw that images are being looked at for, whatever is said of it.
    const UNSETTLED: &str = "?";

    /// Of all flaws of a package: which advisories say so, how they affect it, and how bad it is.
    pub(super) fn of(flaws: &[Flaw], records: &Records) -> Self {
        let of = |flaw: &Flaw| {
            let mut text = format!("{:?} {:?} {:?}", flaw.advisories, flaw.aliases, flaw.verdict);
            for record in records.named(&flaw.advisories) {
                let advisory = &record.advisory;
                let others = record.flaws.iter().filter(|other| other.cve == flaw.name);
                let others: Vec<_> =
                    others.filter_map(|it| Some(&it.record.as_ref()?.cvss)).collect();
                let _ = write!(text, " {:?} {:?} {others:?}", advisory.severity, advisory.cvss);
            }
            let mut digest = hex::encode(Sha256::digest(text));
            digest.truncate(Self::DIGEST);
            (flaw.name.clone(), digest)
        };
        Self(flaws.iter().map(of).collect())
    }

    /// Lines of names and digests; empty when advisories say nothing.
    pub(super) fn to_stored(&self) -> String {
        let line = |(name, digest): (&String, &String)| format!("{name} {digest}\n");
        self.0.iter().map(line).collect()
    }

    /// None for a digest of everything together, as releases before this one kept it.
    pub(super) fn from_stored(text: &str) -> Option<Self> {
        if text == NOTHING_LOADED {
            return Some(Self::default());
        }
        let pair = |line: &str| {
            let (name, digest) = line.rsplit_once(' ')?;
            Some((name.to_owned(), digest.to_owned()))
        };
        text.lines().map(pair).collect::<Option<_>>().map(Self)
    }

    /// The flaws of which one says something else than the other.
    pub(super) fn differing(&self, other: &Self) -> BTreeSet<String> {
        let names = self.0.keys().chain(other.0.keys());
        names.filter(|name| self.differs(other, name)).cloned().collect()
    }

    /// Whether one says something else of a flaw than the other.
    pub(super) fn differs(&self, other: &Self, name: &str) -> bool {
        self.0.get(name) != other.0.get(name)
    }

    /// With what another one says of these.
    pub(super) fn settled(mut self, other: &Self, names: &BTreeSet<String>) -> Self {
        for name in names {
            match other.0.get(name) {
                Some(digest) => self.0.insert(name.clone(), digest.clone()),
                None => self.0.remove(name),
            };
        }
        self
    }

    /// With nothing certain of these.
    pub(super) fn unsettled(mut self, names: &BTreeSet<String>) -> Self {
        self.0.extend(names.iter().map(|name| (name.clone(), Self::UNSETTLED.to_owned())));
        self
    }
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

/// Advisories that were read.
#[derive(Default)]
pub(super) struct Records {
    by_id: BTreeMap<AdvisoryId, AdvisoryRecord>,
    /// Sources may have advisories of the same name.
    by_identifier: BTreeMap<String, BTreeSet<AdvisoryId>>,
}

impl Records {
    fn put(&mut self, record: AdvisoryRecord) {
        let ids = self.by_identifier.entry(record.advisory.id.clone()).or_default();
        ids.insert(record.id);
        self.by_id.insert(record.id, record);
    }

    /// Those of these identifiers, by identifier.
    fn named(&self, identifiers: &[String]) -> Vec<&AdvisoryRecord> {
        let identifiers: BTreeSet<&String> = identifiers.iter().collect();
        let ids = identifiers.into_iter().filter_map(|name| self.by_identifier.get(name)).flatten();
        ids.filter_map(|id| self.by_id.get(id)).collect()
    }

    /// Adds those of others that say something of these flaws.
    pub(super) fn take(&mut self, others: &Self, flaws: &[Flaw]) {
        for record in flaws.iter().flat_map(|flaw| others.named(&flaw.advisories)) {
            if !self.by_id.contains_key(&record.id) {
                self.put(record.clone());
            }
        }
    }
}

async fn records(tx: &mut Tx, verdicts: &BTreeMap<&Subject<'_>, Verdicts>) -> Result<Records> {
    let ids: BTreeSet<AdvisoryId> =
        verdicts.values().flatten().map(|(advisory, _)| *advisory).collect();
    let ids: Vec<AdvisoryId> = ids.into_iter().collect();
    let mut records = Records::default();
    for some in ids.chunks(ADVISORIES) {
        for record in advisories::describe(tx, some).await? {
            records.put(record);
        }
    }
    Ok(records)
}

/// The flaws of a subject.
fn flaws_of(
    subject: &Subject<'_>,
    verdicts: &[(AdvisoryId, Verdict)],
    records: &Records,
) -> Vec<Flaw> {
    let hits: Vec<Hit> = verdicts
        .iter()
        .filter_map(|(id, verdict)| {
            Some(Hit::new(&records.by_id.get(id)?.advisory, verdict.clone()))
        })
        .collect();
    join(subject.ecosystem.scheme(), &hits)
}

/// A subject with flaws, and the packages that are looked up by it.
pub(super) struct Affected<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) packages: Vec<&'a Package>,
    pub(super) flaws: Vec<&'a Flaw>,
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
fn by_source_package(affected: &[Affected<'_>], os: Option<&OsRelease>) -> Vec<Found> {
    let mut found: BTreeMap<(&str, &str, &str), Found> = BTreeMap::new();
    for Affected { subject, packages, flaws } in affected {
        for &flaw in flaws {
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
fn by_image(affected: &[Affected<'_>], os: Option<&OsRelease>) -> Vec<Found> {
    let mut found: BTreeMap<&str, Found> = BTreeMap::new();
    for Affected { packages, flaws, .. } in affected {
        for &flaw in flaws {
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
    let records = records.named(&finding.advisories);
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
