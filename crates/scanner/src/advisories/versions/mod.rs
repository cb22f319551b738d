//! How versions are ordered. Every ecosystem has rules of its own, and what decides is what its own
//! tool would answer: `dpkg --compare-versions`, `apk version -t`, `rpm.vercmp` and so on.

mod apk;
mod composer;
mod debian;
mod digits;
mod gem;
mod maven;
mod pep440;
mod rpm;
mod semver;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::PackageType;

/// Longest version that is compared, in bytes. The longest real ones have about a hundred.
pub const VERSION_BYTES_MAX: usize = 256;

/// An ecosystem's order of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Debian and Ubuntu: `epoch:upstream-revision` (deb-version(7)).
    Debian,
    /// Alpine, Wolfi, Chainguard: the order of apk-tools 3.
    Apk,
    /// Red Hat, SUSE, Amazon Linux: `epoch:version-release`, with `~` and `^` (rpm-version(7)).
    Rpm,
    /// npm, crates.io: Semantic Versioning 2.0.0, precedence only. Missing parts are zeros.
    SemVer,
    /// Go modules and the toolchain: Semantic Versioning with a `v` before it; `go1.22rc1`.
    Go,
    /// Python (PEP 440).
    Pep440,
    /// Maven ("Version Order Specification" of its POM reference).
    Maven,
    /// RubyGems (`Gem::Version`).
    Gem,
    /// NuGet: Semantic Versioning with a fourth part, letters of either case being equal.
    NuGet,
    /// Composer: what its normalised versions are to PHP's `version_compare`.
    Composer,
}

/// A version taken apart, to be compared with others of the same scheme.
#[derive(Clone, Debug)]
pub struct Version<'a>(Parsed<'a>);

#[derive(Clone, Debug)]
enum Parsed<'a> {
    Debian(debian::Version<'a>),
    Apk(apk::Version<'a>),
    Rpm(rpm::Version<'a>),
    SemVer(semver::Version<'a>),
    Pep440(pep440::Version<'a>),
    Maven(maven::Version),
    Gem(gem::Version<'a>),
    Composer(composer::Version),
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 10] = [
        Self::Debian,
        Self::Apk,
        Self::Rpm,
        Self::SemVer,
        Self::Go,
        Self::Pep440,
        Self::Maven,
        Self::Gem,
        Self::NuGet,
        Self::Composer,
    ];

    /// The scheme of what a package manager installs.
    pub fn of(package_type: PackageType) -> Self {
        match package_type {
            PackageType::Deb => Self::Debian,
            PackageType::Apk => Self::Apk,
            PackageType::Rpm => Self::Rpm,
            // Of a package of no ecosystem no advisory speaks.
            PackageType::Npm | PackageType::Cargo | PackageType::Generic => Self::SemVer,
            PackageType::PyPi => Self::Pep440,
            PackageType::Go => Self::Go,
            PackageType::Maven => Self::Maven,
            PackageType::Gem => Self::Gem,
            PackageType::Composer => Self::Composer,
            PackageType::NuGet => Self::NuGet,
        }
    }

    /// Takes a version apart. None when the ecosystem's own tool would not take it for a version,
    /// or when it is longer than [`VERSION_BYTES_MAX`].
    pub fn parse(self, text: &str) -> Option<Version<'_>> {
        let text = text.trim_ascii();
        if text.is_empty() || text.len() > VERSION_BYTES_MAX {
            return None;
        }
        let parsed = match self {
            Self::Debian => Parsed::Debian(debian::Version::parse(text)?),
            Self::Apk => Parsed::Apk(apk::Version::parse(text)?),
            Self::Rpm => Parsed::Rpm(rpm::Version::parse(text)?),
            Self::SemVer => Parsed::SemVer(semver::Version::parse(text)?),
            Self::Go => Parsed::SemVer(semver::Version::parse_go(text)?),
            Self::NuGet => Parsed::SemVer(semver::Version::parse_nuget(text)?),
            Self::Pep440 => Parsed::Pep440(pep440::Version::parse(text)?),
            Self::Maven => Parsed::Maven(maven::Version::parse(text)?),
            Self::Gem => Parsed::Gem(gem::Version::parse(text)?),
            Self::Composer => Parsed::Composer(composer::Version::parse(text)?),
        };
        Some(Version(parsed))
    }

    /// Compares two versions. None when either is not a version of this scheme.
    pub fn compare(self, left: &str, right: &str) -> Option<Ordering> {
        self.parse(left)?.compare(&self.parse(right)?)
    }

    /// Compares any two texts: what is no version comes before all versions, in the order of its
    /// bytes. A total order, for sorting.
    pub fn compare_all(self, left: &str, right: &str) -> Ordering {
        match (self.parse(left), self.parse(right)) {
            (Some(left), Some(right)) => left.compare(&right).unwrap_or(Ordering::Equal),
            (Some(_), None) => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (None, None) => left.cmp(right),
        }
    }
}

impl Version<'_> {
    /// Compares two versions. None when they are of different schemes.
    pub fn compare(&self, other: &Version<'_>) -> Option<Ordering> {
        Some(match (&self.0, &other.0) {
            (Parsed::Debian(left), Parsed::Debian(right)) => left.compare(right),
            (Parsed::Apk(left), Parsed::Apk(right)) => left.compare(right),
            (Parsed::Rpm(left), Parsed::Rpm(right)) => left.compare(right),
            (Parsed::SemVer(left), Parsed::SemVer(right)) => left.compare(right),
            (Parsed::Pep440(left), Parsed::Pep440(right)) => left.compare(right),
            (Parsed::Maven(left), Parsed::Maven(right)) => left.compare(right),
            (Parsed::Gem(left), Parsed::Gem(right)) => left.compare(right),
            (Parsed::Composer(left), Parsed::Composer(right)) => left.compare(right),
            _ => return None,
        })
    }
}
