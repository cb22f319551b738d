//! Scanning of images: what a registry and its repositories ask for, and what was found.
//!
//! A push or [`start_image_scan`] notes a scan and enqueues [`scan_image`], which reads each layer
//! once ([`index_image_layers`]), matches what is in the image with all advisories, and keeps the
//! findings. [`rematch`] follows the advisories and scans those images again of whose packages
//! something else is said now; no layer is read for that.
//!
//! Source: Amazon ECR user guide, "Scan images for software vulnerabilities" and "Filters to choose
//! which repositories are scanned"; botocore `ecr`, shape `RegistryScanningConfiguration`.

pub mod batch_get_repository_scanning_configuration;
pub mod describe_finding_origins;
pub mod describe_image_scan_findings;
pub mod enrol_images;
pub mod external;
mod filter;
pub mod find_images;
pub mod findings;
pub mod forget_packages;
pub(crate) mod gate;
pub mod index_image_layers;
mod layer_stream;
mod matching;
mod note;
pub mod put_image_scanning_configuration;
pub mod registry_scanning_configuration;
pub mod rematch;
mod renew;
mod renewal;
pub mod review_findings;
pub mod sboms;
pub mod scan_image;
pub mod scan_public_images;
pub mod start_image_scan;
pub mod state;
pub mod suppression;
pub(crate) mod vex;
pub mod vex_documents;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use self::findings::Finding;
pub(crate) use self::note::note;
use crate::error::{Error, Result};
use crate::names::{Digest, Partition};
use crate::registries::Document;
use crate::repositories::RepositoryAddress;
pub use tonnage_scanner::PackageType;
pub use tonnage_scanner::advisories::Severity;

/// Which scanner looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanType {
    /// At packages of the operating system, once.
    #[default]
    Basic,
    /// At packages of operating system and languages, again when advisories change.
    Enhanced,
}

impl ScanType {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "BASIC",
            Self::Enhanced => "ENHANCED",
        }
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Basic, Self::Enhanced].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// When images are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanFrequency {
    /// When they are pushed.
    ScanOnPush,
    /// When they are pushed, and whenever advisories change.
    ContinuousScan,
    /// When somebody asks.
    Manual,
}

impl ScanFrequency {
    const ALL: [Self; 3] = [Self::ScanOnPush, Self::ContinuousScan, Self::Manual];

    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScanOnPush => "SCAN_ON_PUSH",
            Self::ContinuousScan => "CONTINUOUS_SCAN",
            Self::Manual => "MANUAL",
        }
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|frequency| frequency.as_str() == text)
    }
}

/// What a registry wants scanned. Unset, it is basic scanning without rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryScanningConfiguration {
    /// Which scanner.
    pub scan_type: ScanType,
    /// At most one rule for each frequency.
    pub rules: Vec<ScanningRule>,
}

/// Which repositories are scanned when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanningRule {
    /// When.
    pub frequency: ScanFrequency,
    /// Wildcard filters over repository names, any of which may match.
    pub filters: Vec<String>,
}

/// What holds for one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveScanning {
    /// Whether a push starts a scan.
    pub scan_on_push: bool,
    /// The frequency that wins.
    pub frequency: ScanFrequency,
    /// The filters that matched.
    pub applied_filters: Vec<String>,
}

impl Document for RegistryScanningConfiguration {
    const NAME: &'static str = "scanning";
}

impl RegistryScanningConfiguration {
    /// Checks what the shape does not say.
    ///
    /// # Errors
    /// `InvalidParameter` when a frequency appears twice or does not go with the scan type.
    pub(crate) fn validate(&self) -> Result<()> {
        let refuse = |constraint: String| Err(Error::invalid_parameter("rules", constraint));
        for (index, rule) in self.rules.iter().enumerate() {
            let frequency = rule.frequency.as_str();
            if self.rules.iter().take(index).any(|other| other.frequency == rule.frequency) {
                return refuse(format!(
                    "There can be only one rule with scanFrequency {frequency}"
                ));
            }
            let fits = match self.scan_type {
                ScanType::Basic => rule.frequency != ScanFrequency::ContinuousScan,
                ScanType::Enhanced => rule.frequency != ScanFrequency::Manual,
            };
            if !fits {
                let scan_type = self.scan_type.as_str();
                return refuse(format!(
                    "scanFrequency {frequency} is not supported for scanType {scan_type}"
                ));
            }
        }
        Ok(())
    }

    /// What holds for the repository `name`, whose own switch is `scan_on_push`. Continuous
    /// scanning wins over scanning on push. The repository's switch counts under basic scanning
    /// only.
    pub fn effective(&self, name: &str, scan_on_push: bool) -> EffectiveScanning {
        let order = [ScanFrequency::ContinuousScan, ScanFrequency::ScanOnPush];
        for frequency in order {
            let applied_filters: Vec<String> = self
                .rules
                .iter()
                .filter(|rule| rule.frequency == frequency)
                .flat_map(|rule| &rule.filters)
                .filter(|filter| filter::matches(filter, name))
                .cloned()
                .collect();
            if !applied_filters.is_empty() {
                return EffectiveScanning { scan_on_push: true, frequency, applied_filters };
            }
        }
        let own = scan_on_push && self.scan_type == ScanType::Basic;
        EffectiveScanning {
            scan_on_push: own,
            frequency: if own { ScanFrequency::ScanOnPush } else { ScanFrequency::Manual },
            applied_filters: Vec::new(),
        }
    }
}

/// The ARN of a finding of enhanced scanning: the same as long as the image has the flaw.
pub fn finding_arn(repository: &RepositoryAddress, digest: &Digest, finding: &Finding) -> String {
    let subject = format!("{} {digest} {}", repository.arn(), finding.name);
    let mut hash = hex::encode(sha2::Sha256::digest(subject));
    hash.truncate(32);
    format!(
        "arn:{}:inspector2:{}:{}:finding/{hash}",
        Partition::of(&repository.region).as_str(),
        repository.region,
        repository.account
    )
}

/// The title of a finding of enhanced scanning: the flaw, and the packages that have it.
pub fn title(finding: &Finding) -> String {
    /// Packages that a title names; botocore's `FindingTitle` has no limit, readers have.
    const NAMES_MAX: usize = 5;
    let mut names: Vec<&str> = finding.packages.iter().map(|package| &*package.name).collect();
    names.dedup();
    let more = if names.len() > NAMES_MAX { " and more" } else { "" };
    names.truncate(NAMES_MAX);
    format!("{} - {}{more}", finding.name, names.join(", "))
}

/// The other names of a flaw, and the advisories that tell of it.
pub fn related(finding: &Finding) -> Vec<&str> {
    let names = finding.aliases.iter().chain(&finding.advisories);
    let mut names: Vec<&str> =
        names.map(String::as_str).filter(|name| *name != finding.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Who tells of a flaw, in Inspector's words: the makers of the system for its packages; another
/// scanner for what it found.
pub fn source<'a>(finding: &'a Finding, platform: &str) -> &'a str {
    const SYSTEMS: [(&str, &str); 9] = [
        ("DEBIAN", "DEBIAN_CVE"),
        ("UBUNTU", "UBUNTU_CVE"),
        ("ALPINE", "ALPINE_SECDB"),
        ("RED_HAT", "REDHAT_CVE"),
        ("AMAZON", "AMAZON_CVE"),
        ("ORACLE", "ORACLE_CVE"),
        ("ALMALINUX", "ALMALINUX_CVE"),
        ("ROCKY", "ROCKY_CVE"),
        ("SUSE", "SUSE_CVE"),
    ];
    if let Some(scanner) = &finding.scanner {
        return scanner;
    }
    let is_of_system = finding.packages.iter().any(|package| package.package_type.is_os());
    let system = SYSTEMS.iter().find(|(name, _)| platform.starts_with(name));
    match system {
        Some((_, source)) if is_of_system => source,
        _ if finding.advisories.iter().any(|id| id.starts_with("GHSA-")) => "GITHUB",
        _ => "NVD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        scan_type: ScanType,
        rules: &[(ScanFrequency, &[&str])],
        (name, own): (&str, bool),
        expected: (bool, ScanFrequency, &[&str]),
    ) {
        let rules = rules
            .iter()
            .map(|(frequency, filters)| ScanningRule {
                frequency: *frequency,
                filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            })
            .collect();
        let found = RegistryScanningConfiguration { scan_type, rules }.effective(name, own);
        let filters: Vec<&str> = found.applied_filters.iter().map(String::as_str).collect();
        assert_eq!((found.scan_on_push, found.frequency, filters.as_slice()), expected, "{name}");
    }

    #[test]
    fn rules_and_the_switch_of_the_repository() {
        use ScanFrequency::{ContinuousScan, Manual, ScanOnPush};
        use ScanType::{Basic, Enhanced};
        check(Basic, &[], ("app", false), (false, Manual, &[]));
        check(Basic, &[], ("app", true), (true, ScanOnPush, &[]));
        check(Basic, &[(ScanOnPush, &["app"])], ("my-app", false), (true, ScanOnPush, &["app"]));
        check(Basic, &[(ScanOnPush, &["*"])], ("x", true), (true, ScanOnPush, &["*"]));
        check(Enhanced, &[], ("app", true), (false, Manual, &[]));
        let both: &[(ScanFrequency, &[&str])] =
            &[(ScanOnPush, &["*"]), (ContinuousScan, &["prod*"])];
        check(Enhanced, both, ("prod-a", false), (true, ContinuousScan, &["prod*"]));
        check(Enhanced, both, ("test-a", false), (true, ScanOnPush, &["*"]));
    }

    #[test]
    fn a_rule_fits_its_scan_type() {
        use ScanFrequency::{ContinuousScan, Manual, ScanOnPush};
        for (scan_type, frequencies, valid) in [
            (ScanType::Basic, vec![ScanOnPush, Manual], true),
            (ScanType::Basic, vec![ContinuousScan], false),
            (ScanType::Enhanced, vec![ScanOnPush, ContinuousScan], true),
            (ScanType::Enhanced, vec![Manual], false),
            (ScanType::Basic, vec![ScanOnPush, ScanOnPush], false),
        ] {
            let rules = frequencies
                .iter()
                .map(|&frequency| ScanningRule { frequency, filters: vec!["*".to_owned()] })
                .collect();
            let configuration = RegistryScanningConfiguration { scan_type, rules };
            assert_eq!(configuration.validate().is_ok(), valid, "{configuration:?}");
        }
    }
}
