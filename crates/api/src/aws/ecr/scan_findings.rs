//! Scans of images, and what they found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::scanning::describe_image_scan_findings::{
    DescribeImageScanFindings, ScannedImage,
};
use tonnage_domain::scanning::findings::{Finding, StoredFinding, Vector, VulnerablePackage};
use tonnage_domain::scanning::start_image_scan::StartImageScan;
use tonnage_domain::scanning::state::{Scan, ScanStatus};
use tonnage_domain::scanning::suppression::Suppression;
use tonnage_domain::scanning::{self, PackageType, ScanType, Severity};

use super::Call;
use super::images::{ImageId, required_identifier};
use super::listings::Listing;
use crate::aws::error::Result;

/// Where a scan stands, as images and findings have it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Status {
    pub(super) fn new(status: ScanStatus, description: &str) -> Self {
        let description = (!description.is_empty()).then(|| description.to_owned());
        Self { status: status.as_str(), description }
    }
}

/// How many findings there are of each severity.
pub(super) fn counts(scan: &Scan) -> BTreeMap<&'static str, u64> {
    let word = |severity: &Severity| word_of(*severity, scan.scan_type);
    scan.counts.iter().map(|(severity, count)| (word(severity), *count)).collect()
}

fn word_of(severity: Severity, scan_type: ScanType) -> &'static str {
    match scan_type {
        ScanType::Basic => severity.as_str(),
        ScanType::Enhanced => severity.enhanced(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartImageScanInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartImageScanOutput {
    registry_id: String,
    repository_name: String,
    image_id: ImageId,
    image_scan_status: Status,
}

pub(super) async fn start_image_scan(
    call: &Call<'_>,
    input: StartImageScanInput,
) -> Result<StartImageScanOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let mut id = required_identifier(&input.image_id)?;
    let registry_id = repository.account.to_string();
    let digest = call.execute(StartImageScan { repository, id: id.clone() }).await?;
    id.digest = Some(digest);
    Ok(StartImageScanOutput {
        registry_id,
        repository_name: input.repository_name,
        image_id: ImageId::from(&id),
        image_scan_status: Status::new(ScanStatus::InProgress, ""),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImageScanFindingsInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImageScanFindingsOutput {
    registry_id: String,
    repository_name: String,
    image_id: ImageId,
    image_scan_status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_findings: Option<Findings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_completed_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerability_source_updated_at: Option<f64>,
    finding_severity_counts: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<BasicFinding>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enhanced_findings: Option<Vec<EnhancedFinding>>,
}

pub(super) async fn describe_image_scan_findings(
    call: &Call<'_>,
    input: DescribeImageScanFindingsInput,
) -> Result<DescribeImageScanFindingsOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let mut id = required_identifier(&input.image_id)?;
    let digest = id.digest.as_ref().map(ToString::to_string).unwrap_or_default();
    let tag = id.tag.as_ref().map(ToString::to_string).unwrap_or_default();
    let filters = [repository.name.as_str(), &digest, &tag];
    let listing = Listing::new(call, "DescribeImageScanFindings", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let operation = DescribeImageScanFindings { repository, id: id.clone(), page };
    let found = call.execute(operation).await?;
    id.digest = Some(found.image.digest.clone());
    let scan = &found.scan;
    let seconds = |time: Option<Millis>| time.map(Millis::epoch_seconds);
    let image_scan_findings = scan.status.has_findings().then(|| {
        let items = &found.findings.items;
        let is_basic = scan.scan_type == ScanType::Basic;
        Findings {
            image_scan_completed_at: seconds(scan.completed_at),
            vulnerability_source_updated_at: seconds(scan.source_updated_at),
            finding_severity_counts: counts(scan),
            findings: is_basic.then(|| items.iter().map(BasicFinding::new).collect()),
            enhanced_findings: (!is_basic).then(|| {
                items
                    .iter()
                    .map(|item| EnhancedFinding::new(&found.image, &scan.platform, item))
                    .collect()
            }),
        }
    });
    Ok(DescribeImageScanFindingsOutput {
        registry_id: found.image.repository.account.to_string(),
        repository_name: input.repository_name,
        image_id: ImageId::from(&id),
        image_scan_status: Status::new(scan.status, &scan.description),
        image_scan_findings,
        next_token: listing.token(call, found.findings.next.as_deref()).await?,
    })
}

/// botocore `ecr`, shape `ImageScanFinding`.
#[derive(Serialize)]
struct BasicFinding {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    uri: String,
    severity: &'static str,
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
struct Attribute {
    key: String,
    value: String,
}

impl BasicFinding {
    fn new(stored: &StoredFinding) -> Self {
        let finding = &stored.finding;
        let mut attributes = Vec::new();
        let mut add = |key: &str, value: String| {
            attributes.push(Attribute { key: key.to_owned(), value });
        };
        if let Some(package) = finding.packages.first() {
            add("package_name", package.name.clone());
            add("package_version", package.version.clone());
        }
        for major in ["2", "3", "4"] {
            let newest = finding.vectors.iter().find(|vector| vector.version.starts_with(major));
            if let Some(vector) = newest {
                add(&format!("CVSS{major}_VECTOR"), vector.vector.clone());
                add(&format!("CVSS{major}_SCORE"), format!("{:.1}", vector.score()));
            }
        }
        if let Some(scanner) = &finding.scanner {
            add("tonnage:scanner", scanner.clone());
        }
        // The model has no status of basic findings.
        for (key, value) in remarks(stored.suppression.as_ref()) {
            add(&key, value);
        }
        Self {
            name: finding.name.clone(),
            description: finding.description.clone(),
            uri: finding.uri.clone(),
            severity: finding.severity.as_str(),
            attributes,
        }
    }
}

/// botocore `ecr`, shape `EnhancedImageScanFinding`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::aws) struct EnhancedFinding {
    aws_account_id: String,
    description: String,
    finding_arn: String,
    first_observed_at: f64,
    last_observed_at: f64,
    package_vulnerability_details: Details,
    remediation: Remediation,
    resources: Vec<Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score_details: Option<ScoreDetails>,
    severity: &'static str,
    status: &'static str,
    title: String,
    #[serde(rename = "type")]
    kind: &'static str,
    updated_at: f64,
    fix_available: &'static str,
    exploit_available: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    cvss: Vec<Cvss>,
    reference_urls: Vec<String>,
    related_vulnerabilities: Vec<String>,
    source: String,
    source_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor_created_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor_severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor_updated_at: Option<f64>,
    vulnerability_id: String,
    vulnerable_packages: Vec<Package>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cvss {
    base_score: f64,
    scoring_vector: String,
    source: String,
    version: String,
}

impl Cvss {
    fn new(vector: &Vector) -> Self {
        Self {
            base_score: vector.score(),
            scoring_vector: vector.vector.clone(),
            source: vector.source.clone(),
            version: vector.version.clone(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(skip_serializing_if = "Option::is_none")]
    arch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    file_path: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_manager: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_layer_hash: Option<String>,
    version: String,
    fixed_in_version: String,
}

impl Package {
    fn new(package: &VulnerablePackage) -> Self {
        let version = package.split_version();
        Self {
            arch: package.architecture.as_ref().map(|name| name.to_uppercase()),
            epoch: version.epoch,
            file_path: package.path.clone(),
            name: package.name.clone(),
            package_manager: manager(package.package_type),
            release: version.release.map(str::to_owned),
            source_layer_hash: package.layer_digest.clone(),
            version: version.version.to_owned(),
            fixed_in_version: package
                .fixed_version
                .clone()
                .unwrap_or_else(|| "NotAvailable".to_owned()),
        }
    }
}

/// botocore `inspector2`, shape `PackageManager`.
fn manager(package_type: PackageType) -> Option<&'static str> {
    Some(match package_type {
        PackageType::Deb | PackageType::Apk | PackageType::Rpm => "OS",
        PackageType::Npm => "NODEPKG",
        PackageType::PyPi => "PYTHONPKG",
        PackageType::Go => "GOBINARY",
        PackageType::Cargo => "CARGO",
        PackageType::Maven => "JAR",
        PackageType::Gem => "GEMSPEC",
        PackageType::Composer => "COMPOSER",
        PackageType::NuGet => "DOTNET_CORE",
        PackageType::Generic => return None,
    })
}

#[derive(Serialize)]
struct Remediation {
    recommendation: Recommendation,
}

#[derive(Serialize)]
struct Recommendation {
    text: String,
}

#[derive(Serialize)]
struct ScoreDetails {
    cvss: ScoreCvss,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScoreCvss {
    adjustments: Vec<()>,
    score: f64,
    score_source: String,
    scoring_vector: String,
    version: String,
}

#[derive(Serialize)]
struct Resource {
    details: ResourceDetails,
    id: String,
    tags: BTreeMap<String, String>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceDetails {
    aws_ecr_container_image: Image,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    #[serde(skip_serializing_if = "String::is_empty")]
    architecture: String,
    image_hash: String,
    image_tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    platform: String,
    pushed_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_in_use_at: Option<f64>,
    registry: String,
    repository_name: String,
}

impl EnhancedFinding {
    /// A finding of an image of a platform.
    pub(in crate::aws) fn new(
        image: &ScannedImage,
        platform: &str,
        stored: &StoredFinding,
    ) -> Self {
        let finding = &stored.finding;
        let vector = finding.vector();
        Self {
            aws_account_id: image.repository.account.to_string(),
            description: finding.description.clone(),
            finding_arn: scanning::finding_arn(&image.repository, &image.digest, finding),
            first_observed_at: stored.first_observed_at.epoch_seconds(),
            last_observed_at: stored.last_observed_at.epoch_seconds(),
            package_vulnerability_details: details(finding, platform),
            remediation: Remediation { recommendation: Recommendation { text: advice(finding) } },
            resources: vec![resource(image, platform, stored.suppression.as_ref())],
            score: vector.map(Vector::score),
            score_details: vector.map(|vector| ScoreDetails {
                cvss: ScoreCvss {
                    adjustments: Vec::new(),
                    score: vector.score(),
                    score_source: vector.source.clone(),
                    scoring_vector: vector.vector.clone(),
                    version: vector.version.clone(),
                },
            }),
            severity: finding.severity.enhanced(),
            status: stored.status.as_str(),
            title: scanning::title(finding),
            kind: "PACKAGE_VULNERABILITY",
            updated_at: stored.updated_at.epoch_seconds(),
            fix_available: finding.fix_available(),
            exploit_available: finding.exploit_available(),
        }
    }
}

fn details(finding: &Finding, platform: &str) -> Details {
    let seconds = |time: Option<i64>| time.map(|time| Millis(time).epoch_seconds());
    let related = scanning::related(finding);
    Details {
        cvss: finding.vectors.iter().map(Cvss::new).collect(),
        reference_urls: finding.references.clone(),
        related_vulnerabilities: related.into_iter().map(str::to_owned).collect(),
        source: scanning::source(finding, platform).to_owned(),
        source_url: finding.uri.clone(),
        vendor_created_at: seconds(finding.published),
        vendor_severity: finding.vendor_severity.map(Severity::as_str),
        vendor_updated_at: seconds(finding.modified),
        vulnerability_id: finding.name.clone(),
        vulnerable_packages: finding.packages.iter().map(Package::new).collect(),
    }
}

/// What to do about it.
fn advice(finding: &Finding) -> String {
    /// Packages that an advice names.
    const PACKAGES_MAX: usize = 10;
    let mut lines: Vec<String> = finding
        .packages
        .iter()
        .filter_map(|package| {
            let fixed = package.fixed_version.as_ref()?;
            Some(format!("Update {} to {fixed} or later.", package.name))
        })
        .collect();
    lines.dedup();
    lines.truncate(PACKAGES_MAX);
    if lines.is_empty() { "None Provided".to_owned() } else { lines.join(" ") }
}

/// What is said of a finding beside what the model has members for; tags of the resource are any
/// texts.
fn remarks(suppression: Option<&Suppression>) -> BTreeMap<String, String> {
    let mut remarks = BTreeMap::new();
    let Some(suppression) = suppression else { return remarks };
    let (by, reason) = match suppression.suppresses {
        true => ("tonnage:suppressed-by", "tonnage:suppression-reason"),
        false => ("tonnage:vex-document", "tonnage:vex-note"),
    };
    let status = suppression.vex_status.as_ref();
    remarks.extend(status.map(|status| ("tonnage:vex-status".to_owned(), status.clone())));
    remarks.insert(by.to_owned(), suppression.by.clone());
    if !suppression.reason.is_empty() {
        remarks.insert(reason.to_owned(), suppression.reason.clone());
    }
    remarks
}

fn resource(image: &ScannedImage, platform: &str, suppression: Option<&Suppression>) -> Resource {
    Resource {
        details: ResourceDetails {
            aws_ecr_container_image: Image {
                architecture: image.architecture.clone(),
                image_hash: image.digest.to_string(),
                image_tags: image.tags.iter().map(ToString::to_string).collect(),
                platform: platform.to_owned(),
                pushed_at: image.pushed_at.epoch_seconds(),
                last_in_use_at: image.last_pulled_at.map(Millis::epoch_seconds),
                registry: image.repository.account.to_string(),
                repository_name: image.repository.name.to_string(),
            },
        },
        id: image.arn(),
        tags: remarks(suppression),
        kind: "AWS_ECR_CONTAINER_IMAGE",
    }
}
