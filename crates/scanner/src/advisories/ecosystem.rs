//! What an ecosystem is called: by advisories, by operating systems, and by us.
//!
//! Advisories name releases in many ways, and images in others. An [`Ecosystem`] is the one name
//! that both lead to, and by which a database finds candidates.

use std::borrow::Cow;
use std::fmt;

use super::versions::Scheme;
use crate::{OsRelease, Package, PackageType};

/// Longest name of an ecosystem, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// An ecosystem with its release, in one spelling: `Debian:12`, `Alpine:v3.19`, `Ubuntu:24.04`,
/// `Red Hat:enterprise_linux:9`, `npm`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ecosystem {
    text: String,
    kind: Kind,
}

/// What decides how versions are ordered and how names are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// Debian, Ubuntu: names and versions of source packages.
    Deb,
    /// Alpine: names of origin packages.
    Alpine,
    /// Wolfi, Chainguard, MinimOS: names of origin packages or of packages.
    Apk,
    /// Names of packages.
    Rpm,
    Language(PackageType),
}

/// Ecosystems of packages that are no part of an operating system.
const LANGUAGES: [(&str, PackageType); 8] = [
    ("npm", PackageType::Npm),
    ("PyPI", PackageType::PyPi),
    ("Go", PackageType::Go),
    ("crates.io", PackageType::Cargo),
    ("Maven", PackageType::Maven),
    ("RubyGems", PackageType::Gem),
    ("Packagist", PackageType::Composer),
    ("NuGet", PackageType::NuGet),
];

/// Systems of which advisories name the release after a colon, or none at all.
const SYSTEMS: [(&str, Kind, bool); 20] = [
    ("Debian", Kind::Deb, true),
    ("Ubuntu", Kind::Deb, true),
    ("Alpine", Kind::Alpine, true),
    ("Alpaquita", Kind::Alpine, true),
    ("BellSoft Hardened Containers", Kind::Alpine, true),
    ("Wolfi", Kind::Apk, false),
    ("Chainguard", Kind::Apk, false),
    ("MinimOS", Kind::Apk, false),
    ("AlmaLinux", Kind::Rpm, true),
    ("Rocky Linux", Kind::Rpm, true),
    ("Red Hat", Kind::Rpm, true),
    ("SUSE", Kind::Rpm, true),
    ("openSUSE", Kind::Rpm, true),
    ("openEuler", Kind::Rpm, true),
    ("Mageia", Kind::Rpm, true),
    ("Azure Linux", Kind::Rpm, true),
    ("Photon OS", Kind::Rpm, true),
    ("Amazon Linux", Kind::Rpm, true),
    ("Oracle Linux", Kind::Rpm, true),
    ("Fedora", Kind::Rpm, true),
];

/// Debian's releases by code name, for images of a release that has no number yet.
const DEBIAN_RELEASES: [(&str, &str); 7] = [
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
];

impl Ecosystem {
    /// The ecosystem that an advisory names, in any spelling of the OSV schema ("Defined
    /// ecosystems") or of ours. None for one whose packages are never found in images, and for a
    /// system without its release.
    pub fn of_advisory(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > NAME_BYTES_MAX || text.contains(char::is_control) {
            return None;
        }
        if let Some((name, package_type)) = LANGUAGES.iter().find(|(name, _)| *name == text) {
            return Some(Self { text: (*name).to_owned(), kind: Kind::Language(*package_type) });
        }
        let (name, release) = match text.split_once(':') {
            Some((name, release)) => (name, release.trim()),
            None => (text, ""),
        };
        let (name, kind, has_release) = SYSTEMS.iter().find(|(system, ..)| *system == name)?;
        if !has_release {
            return Some(Self { text: (*name).to_owned(), kind: *kind });
        }
        let release = match *name {
            // Long-term support is no part of the release's name; Pro is a repository of its own.
            "Ubuntu" => Cow::Borrowed(release.strip_suffix(":LTS").unwrap_or(release)),
            "Red Hat" => red_hat_release(release),
            "SUSE" => suse_release(release),
            _ => Cow::Borrowed(release),
        };
        (!release.is_empty()).then(|| Self { text: format!("{name}:{release}"), kind: *kind })
    }

    /// The ecosystem of a package: that of its language, or that of the system it is a part of.
    /// None for a system that no advisories speak of, and for packages of another system's kind.
    pub fn of_package(package_type: PackageType, os: Option<&OsRelease>) -> Option<Self> {
        if let Some((name, _)) = LANGUAGES.iter().find(|(_, language)| *language == package_type) {
            let kind = Kind::Language(package_type);
            return Some(Self { text: (*name).to_owned(), kind });
        }
        let ecosystem = Self::of_os(os?)?;
        (ecosystem.package_type() == package_type).then_some(ecosystem)
    }

    /// The ecosystem of an operating system, by its os-release. None for one that no advisories
    /// speak of: its packages cannot be judged by those of a relative, as it may have patched them.
    pub fn of_os(os: &OsRelease) -> Option<Self> {
        let version = os.version_id.as_deref().unwrap_or_default();
        let major = version.split('.').next().unwrap_or_default();
        let minor = || version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        let text = match os.id.as_str() {
            "debian" if !major.is_empty() => format!("Debian:{major}"),
            "debian" => {
                // `trixie/sid` is what testing and unstable call themselves.
                let codename = os.version_codename.as_deref().unwrap_or_default();
                let codename = codename.split('/').next().unwrap_or_default();
                let (_, release) = DEBIAN_RELEASES.iter().find(|(name, _)| *name == codename)?;
                format!("Debian:{release}")
            }
            "ubuntu" => format!("Ubuntu:{version}"),
            "alpine" => match os.apk_branch.as_deref() {
                Some(branch) => format!("Alpine:{branch}"),
                None if version.is_empty() => return None,
                None => format!("Alpine:v{}", minor()),
            },
            "alpaquita" => format!("Alpaquita:{major}"),
            "bellsoft-hardened-containers" => format!("BellSoft Hardened Containers:{major}"),
            "wolfi" => "Wolfi".to_owned(),
            "chainguard" => "Chainguard".to_owned(),
            "minimos" => "MinimOS".to_owned(),
            "almalinux" => format!("AlmaLinux:{major}"),
            "rocky" => format!("Rocky Linux:{major}"),
            "rhel" => match os.cpe_name.as_deref().and_then(|cpe| cpe.split_once(":redhat:")) {
                Some((_, product)) => format!("Red Hat:{product}"),
                None => format!("Red Hat:enterprise_linux:{major}"),
            },
            // CentOS was built from Red Hat's packages until Stream, which runs before them.
            "centos" if !os.pretty_name.as_deref().unwrap_or_default().contains("Stream") => {
                format!("Red Hat:enterprise_linux:{major}")
            }
            "ol" => format!("Oracle Linux:{major}"),
            "amzn" => format!("Amazon Linux:{version}"),
            "fedora" => format!("Fedora:{version}"),
            "mageia" => format!("Mageia:{version}"),
            "azurelinux" | "mariner" => format!("Azure Linux:{major}"),
            "photon" => format!("Photon OS:{version}"),
            "opensuse-leap" => format!("openSUSE:Leap {version}"),
            "opensuse-tumbleweed" => "openSUSE:Tumbleweed".to_owned(),
            "sles" | "sled" | "sles_sap" => match version.split_once('.') {
                // From 16 on there are minor versions instead of service packs.
                Some((major, pack)) if major.len() == 2 && major < "16" => {
                    format!("SUSE:Linux Enterprise Server {major} SP{pack}")
                }
                _ => format!("SUSE:Linux Enterprise Server {version}"),
            },
            "sle-micro" | "suse-microos" => format!("SUSE:Linux Enterprise Micro {version}"),
            "sl-micro" => format!("SUSE:Linux Micro {version}"),
            "openeuler" => {
                // `openEuler 22.03 (LTS-SP3)` has what `VERSION_ID` lacks.
                let name = os.pretty_name.as_deref().unwrap_or_default();
                match name.split_once('(').and_then(|(_, rest)| rest.split_once(')')) {
                    Some((variant, _)) => format!("openEuler:{version}-{variant}"),
                    None => format!("openEuler:{version}"),
                }
            }
            _ => return None,
        };
        Self::of_advisory(&text)
    }

    /// The names of all ecosystems, without releases.
    pub fn known_names() -> impl Iterator<Item = &'static str> {
        let languages = LANGUAGES.iter().map(|(name, _)| *name);
        SYSTEMS.iter().map(|(name, ..)| *name).chain(languages)
    }

    /// How versions are ordered in an ecosystem that people name, in any case and with or without a
    /// release; none for what is no ecosystem.
    pub fn scheme_of_name(text: &str) -> Option<Scheme> {
        let name = text.split_once(':').map_or(text, |(name, _)| name).trim();
        let language = LANGUAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((_, package_type)) = language {
            return Some(Scheme::of(*package_type));
        }
        let (.., kind, _) = SYSTEMS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
        Some(Scheme::of(kind.package_type()))
    }

    /// The ways in which ecosystems may spell a name, as [`Ecosystem::normalise`] does.
    pub fn spellings(name: &str) -> Vec<String> {
        let kinds = [Kind::Language(PackageType::PyPi), Kind::Language(PackageType::NuGet)];
        let others = kinds.into_iter().map(|kind| normalise(kind, name).into_owned());
        let mut spellings: Vec<String> = others.chain([name.to_owned()]).collect();
        spellings.sort_unstable();
        spellings.dedup();
        spellings
    }

    /// The name, as a database keeps it. [`Ecosystem::of_advisory`] reads it back.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How its versions are ordered.
    pub fn scheme(&self) -> Scheme {
        Scheme::of(self.package_type())
    }

    /// What kind of packages it has.
    pub fn package_type(&self) -> PackageType {
        self.kind.package_type()
    }

    /// A package's name in the one spelling by which the ecosystem looks it up (PEP 503 for Python;
    /// NuGet and Composer know no case).
    pub fn normalise<'a>(&self, name: &'a str) -> Cow<'a, str> {
        normalise(self.kind, name)
    }

    /// Names and versions by which advisories of this ecosystem may speak of a package.
    pub(crate) fn names<'a>(&self, package: &'a Package) -> Vec<(Cow<'a, str>, &'a str)> {
        let own = (package.full_name(), package.version.as_str());
        let source = package.source.as_ref();
        let source = source.map(|source| (Cow::Borrowed(source.name.as_str()), &*source.version));
        let normal = |(name, version): (Cow<'a, str>, &'a str)| match self.normalise(&name) {
            Cow::Owned(normal) => (Cow::Owned(normal), version),
            Cow::Borrowed(_) => (name, version),
        };
        match (self.kind, source) {
            (Kind::Deb | Kind::Alpine, Some(source)) => vec![source],
            (Kind::Apk, Some(source)) if source.0 != own.0 => vec![own, source],
            _ => vec![normal(own)],
        }
    }
}

/// A name in the spelling of an ecosystem.
fn normalise(kind: Kind, name: &str) -> Cow<'_, str> {
    match kind {
        Kind::Language(PackageType::PyPi) => {
            let mut normal = String::with_capacity(name.len());
            for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
                if !normal.is_empty() {
                    normal.push('-');
                }
                normal.push_str(&part.to_ascii_lowercase());
            }
            if normal == name { Cow::Borrowed(name) } else { Cow::Owned(normal) }
        }
        Kind::Language(PackageType::NuGet | PackageType::Composer)
            if name.chars().any(char::is_uppercase) =>
        {
            Cow::Owned(name.to_lowercase())
        }
        _ => Cow::Borrowed(name),
    }
}

impl Kind {
    fn package_type(self) -> PackageType {
        match self {
            Self::Deb => PackageType::Deb,
            Self::Alpine | Self::Apk => PackageType::Apk,
            Self::Rpm => PackageType::Rpm,
            Self::Language(package_type) => package_type,
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A release of Red Hat is named by a CPE: product, version, update, and the repository after them.
/// Enterprise Linux is one for all its repositories and minor releases; what is supported for longer
/// or apart is a product of its own.
fn red_hat_release(release: &str) -> Cow<'_, str> {
    let mut parts = release.split(':');
    let (product, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (product, version) {
        (_, "") => Cow::Borrowed(product),
        ("enterprise_linux", version) => {
            let major = version.split('.').next().unwrap_or_default();
            Cow::Owned(format!("enterprise_linux:{major}"))
        }
        (product, version) => Cow::Owned(format!("{product}:{version}")),
    }
}

/// SUSE Linux Enterprise comes in modules that images have packages of without naming them. The
/// server and its modules are one; what is supported for longer (`-LTSS`) stays apart.
fn suse_release(release: &str) -> Cow<'_, str> {
    let Some(rest) = release.strip_prefix("Linux Enterprise ") else {
        return Cow::Borrowed(release);
    };
    let version_of = |product: &str| -> Option<String> {
        let mut words: Vec<&str> = product.split(' ').collect();
        let digits = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        let last = words.pop()?;
        if digits(last) {
            return Some(last.to_owned());
        }
        let pack = last.strip_prefix("SP").filter(|pack| digits(pack))?;
        let major = words.pop().filter(|major| digits(major))?;
        Some(format!("{major} SP{pack}"))
    };
    let belongs = rest.starts_with("Module for ")
        || rest.starts_with("Server ") && !rest.starts_with("Server for ");
    match version_of(rest) {
        Some(version) if belongs || version == rest => {
            Cow::Owned(format!("Linux Enterprise {version}"))
        }
        _ => Cow::Borrowed(release),
    }
}

#[cfg(test)]
mod tests;
