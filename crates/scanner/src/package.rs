//! What both halves of the scanner speak of: a package, the operating system it is installed in,
//! and the package URL that names it to the rest of the world.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Longest name, version or other text of a package, in bytes. Longer ones are cut nowhere: what
/// has them is no package.
pub const TEXT_BYTES_MAX: usize = 1024;

/// What kind of package manager installed a package; the `type` of a package URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageType {
    /// Debian and what descends from it.
    Deb,
    /// Alpine, Wolfi and others with `apk`.
    Apk,
    /// Red Hat, SUSE, Amazon Linux and others with `rpm`.
    Rpm,
    /// Node.js.
    Npm,
    /// Python.
    PyPi,
    /// Go modules.
    Go,
    /// Rust crates.
    Cargo,
    /// Java.
    Maven,
    /// Ruby.
    Gem,
    /// PHP.
    Composer,
    /// .NET.
    NuGet,
    /// Nobody said: another scanner named the package, and it was not found in the image.
    Generic,
}

impl PackageType {
    /// Every type, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::Deb,
        Self::Apk,
        Self::Rpm,
        Self::Npm,
        Self::PyPi,
        Self::Go,
        Self::Cargo,
        Self::Maven,
        Self::Gem,
        Self::Composer,
        Self::NuGet,
        Self::Generic,
    ];

    /// The type's name in a package URL (purl specification, "Known purl types").
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Npm => "npm",
            Self::PyPi => "pypi",
            Self::Go => "golang",
            Self::Cargo => "cargo",
            Self::Maven => "maven",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::NuGet => "nuget",
            Self::Generic => "generic",
        }
    }

    /// Whether packages of this type are parts of an operating system, so that only its makers'
    /// advisories speak of them.
    pub fn is_os(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm)
    }
}

/// The source package that a package of an operating system was built from. Advisories of Debian,
/// Ubuntu and Alpine speak of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its full version, which differs from the package's own when that was rebuilt alone.
    pub version: String,
}

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// What kind of package it is.
    #[serde(rename = "type")]
    pub package_type: PackageType,
    /// Maven's group, npm's scope with its `@`, Composer's vendor; none for all others. A Go
    /// module's whole path is its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name as the package itself spells it, without the namespace.
    pub name: String,
    /// The full version in the spelling of the package manager: `epoch:version-release`, without
    /// the epoch where there is none; for Go with the leading `v`, except for the toolchain
    /// (`stdlib`), which has none.
    pub version: String,
    /// The architecture in the package manager's word, or the platform of a gem (`java`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The source package; absent when nothing names one. Where the source has the same name and
    /// version, it is still given if the package names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// The module stream of an RPM (`nodejs:18:9020020230327152102:rhel9`): advisories for a stream
    /// only speak of packages of that stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The licence as declared, unchecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The file of the image that says so, without a leading slash; what lies in a Java archive
    /// inside another follows its `!/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The layer that introduced the package: its position in the manifest, from 0. Absent until
    /// layers are put on top of one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
}

impl Package {
    /// A package of which only the name and the version are known.
    pub fn new(
        package_type: PackageType,
        name: impl Into<String>,
        version: impl Into<String>,
    ) -> Self {
        Self {
            package_type,
            namespace: None,
            name: name.into(),
            version: version.into(),
            architecture: None,
            source: None,
            module: None,
            licence: None,
            path: String::new(),
            layer: None,
        }
    }

    /// The name by which the ecosystem and its advisories speak of the package: `group:artifact`
    /// for Maven, `@scope/name` for npm, `vendor/name` for Composer, the name for all others.
    pub fn full_name(&self) -> Cow<'_, str> {
        match (&self.namespace, self.package_type) {
            (None, _) => Cow::Borrowed(&self.name),
            (Some(namespace), PackageType::Maven) => {
                Cow::Owned(format!("{namespace}:{}", self.name))
            }
            (Some(namespace), _) => Cow::Owned(format!("{namespace}/{}", self.name)),
        }
    }

    /// The package URL of the package, in its canonical form (purl specification 1.0). Packages of
    /// an operating system need `os` for their namespace and the qualifier `distro`; without it
    /// they have neither.
    pub fn purl(&self, os: Option<&OsRelease>) -> String {
        let os = os.filter(|_| self.package_type.is_os());
        let mut purl = format!("pkg:{}/", self.package_type.as_str());
        let (namespace, name) = self.purl_names(os);
        for segment in namespace.split('/').filter(|segment| !segment.is_empty()) {
            encode(segment, &mut purl);
            purl.push('/');
        }
        encode(&name, &mut purl);

        let (epoch, version) = self.purl_version();
        if !version.is_empty() {
            purl.push('@');
            encode(version, &mut purl);
        }

        let architecture = self.architecture.as_deref();
        let is_gem = self.package_type == PackageType::Gem;
        let upstream = self
            .source
            .as_ref()
            .filter(|source| source.name != self.name || source.version != self.version);
        let upstream = upstream.map(|source| match source.version == self.version {
            true => source.name.clone(),
            false => format!("{}@{}", source.name, source.version),
        });
        // In the order of the keys, as the canonical form wants it.
        let qualifiers = [
            ("arch", architecture.filter(|_| !is_gem).map(Cow::Borrowed)),
            ("distro", os.map(|os| Cow::Owned(os.distro()))),
            ("epoch", epoch.map(Cow::Borrowed)),
            ("platform", architecture.filter(|_| is_gem).map(Cow::Borrowed)),
            ("upstream", upstream.map(Cow::Owned)),
        ];
        let mut separator = '?';
        for (key, value) in qualifiers {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            purl.push(separator);
            purl.push_str(key);
            purl.push('=');
            encode(&value, &mut purl);
            separator = '&';
        }
        purl
    }

    /// Its package URL, and then that of the source package that it was built from, if there is one.
    pub fn purls(&self, os: Option<&OsRelease>) -> Vec<String> {
        let source = self.source.as_ref().map(|source| {
            let built = Self::new(self.package_type, &*source.name, &*source.version);
            Self { architecture: Some("source".to_owned()), ..built }.purl(os)
        });
        [Some(self.purl(os)), source].into_iter().flatten().collect()
    }

    fn purl_names(&self, os: Option<&OsRelease>) -> (Cow<'_, str>, Cow<'_, str>) {
        let name = match self.package_type {
            PackageType::PyPi => self.name.to_ascii_lowercase().replace('_', "-").into(),
            PackageType::Deb
            | PackageType::Apk
            | PackageType::Npm
            | PackageType::Go
            | PackageType::Composer => Cow::Owned(self.name.to_lowercase()),
            PackageType::Rpm
            | PackageType::Cargo
            | PackageType::Maven
            | PackageType::Gem
            | PackageType::NuGet
            | PackageType::Generic => Cow::Borrowed(self.name.as_str()),
        };
        let namespace = match self.package_type {
            PackageType::Deb | PackageType::Apk | PackageType::Rpm => {
                os.map_or(Cow::Borrowed(""), |os| os.vendor().to_lowercase().into())
            }
            PackageType::Npm | PackageType::Composer => {
                self.namespace.as_deref().unwrap_or_default().to_lowercase().into()
            }
            _ => Cow::Borrowed(self.namespace.as_deref().unwrap_or_default()),
        };
        match (self.package_type, name.rsplit_once('/')) {
            (PackageType::Go, Some((path, last))) => {
                (path.to_owned().into(), last.to_owned().into())
            }
            _ => (namespace, name),
        }
    }

    fn purl_version(&self) -> (Option<&str>, &str) {
        match (self.package_type, self.version.split_once(':')) {
            (PackageType::Rpm, Some((epoch, version))) => (Some(epoch), version),
            _ => (None, &self.version),
        }
    }
}

/// What `os-release` says of an operating system (os-release(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OsRelease {
    /// `ID`, in lower case: `debian`, `amzn`; `linux` when the file has none.
    pub id: String,
    /// `ID_LIKE`, the closest relative first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_like: Vec<String>,
    /// `VERSION_ID`; rolling distributions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_codename: Option<String>,
    /// `VARIANT_ID`, else `VARIANT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// `PRETTY_NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretty_name: Option<String>,
    /// `CPE_NAME`, by which Red Hat's advisories name a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpe_name: Option<String>,
    /// The branch that `/etc/apk/repositories` names (`v3.20`, `edge`). Where it differs from
    /// `VERSION_ID`, packages come from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apk_branch: Option<String>,
}

impl OsRelease {
    /// The value of the qualifier `distro`: `debian-12`, or the id alone.
    pub fn distro(&self) -> String {
        match self.version_id.as_deref().or(self.version_codename.as_deref()) {
            Some(version) => format!("{}-{version}", self.id),
            None => self.id.clone(),
        }
    }

    /// The vendor as package URLs spell it: the id, except that Red Hat and openSUSE have one name
    /// for all their systems.
    fn vendor(&self) -> &str {
        match self.id.as_str() {
            "rhel" => "redhat",
            id if id.starts_with("opensuse") => "opensuse",
            id => id,
        }
    }
}

/// Percent-encodes all but letters, digits and `.-_~:`.
fn encode(text: &str, into: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(DIGITS[usize::from(byte >> 4)]));
            into.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(id: &str, version: &str) -> Option<OsRelease> {
        let version_id = (!version.is_empty()).then(|| version.to_owned());
        Some(OsRelease { id: id.to_owned(), version_id, ..OsRelease::default() })
    }

    #[track_caller]
    fn check(package: &Package, os: impl Into<Option<OsRelease>>, expected: &str) {
        assert_eq!(package.purl(os.into().as_ref()), expected);
    }

    #[test]
    fn purls() {
        use PackageType::*;
        let package = Package::new;
        let arch = |package: Package, architecture: &str| Package {
            architecture: Some(architecture.to_owned()),
            ..package
        };
        let inside = |package: Package, namespace: &str| Package {
            namespace: Some(namespace.to_owned()),
            ..package
        };
        let from = |package: Package, name: &str, version: &str| Package {
            source: Some(SourcePackage { name: name.to_owned(), version: version.to_owned() }),
            ..package
        };
        check(
            &arch(package(Deb, "curl", "7.50.3-1"), "i386"),
            os("debian", "8"),
            "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=debian-8",
        );
        check(
            &from(
                arch(package(Deb, "libc-bin", "1:2.36-9+deb12u4+b1"), "amd64"),
                "glibc",
                "2.36-9",
            ),
            os("debian", "12"),
            "pkg:deb/debian/libc-bin@1:2.36-9%2Bdeb12u4%2Bb1?arch=amd64&distro=debian-12&upstream=glibc%402.36-9",
        );
        check(
            &from(package(Deb, "bash", "5.2"), "bash", "5.2"),
            os("ubuntu", "24.04"),
            "pkg:deb/ubuntu/bash@5.2?distro=ubuntu-24.04",
        );
        check(&package(Deb, "bash", "5.2"), None, "pkg:deb/bash@5.2");
        check(
            &from(arch(package(Apk, "libcrypto3", "3.1.4-r5"), "x86_64"), "openssl", "3.1.4-r5"),
            os("alpine", "3.19.1"),
            "pkg:apk/alpine/libcrypto3@3.1.4-r5?arch=x86_64&distro=alpine-3.19.1&upstream=openssl",
        );
        check(&package(Apk, "so", "1"), os("wolfi", ""), "pkg:apk/wolfi/so@1?distro=wolfi");
        check(
            &arch(package(Rpm, "NetworkManager", "1:1.44.0-3.el9"), "x86_64"),
            os("rhel", "9.3"),
            "pkg:rpm/redhat/NetworkManager@1.44.0-3.el9?arch=x86_64&distro=rhel-9.3&epoch=1",
        );
        check(
            &package(Rpm, "zypper", "1.14-1.1"),
            os("opensuse-leap", "15.5"),
            "pkg:rpm/opensuse/zypper@1.14-1.1?distro=opensuse-leap-15.5",
        );
        check(
            &inside(package(Npm, "core", "1.0.0"), "@Babel"),
            None,
            "pkg:npm/%40babel/core@1.0.0",
        );
        check(&package(Npm, "left-pad", "1.3.0"), os("debian", "12"), "pkg:npm/left-pad@1.3.0");
        check(&package(PyPi, "Jinja_2", "3.1.2"), None, "pkg:pypi/jinja-2@3.1.2");
        check(
            &package(Go, "github.com/Masterminds/semver/v3", "v3.2.1+incompatible"),
            None,
            "pkg:golang/github.com/masterminds/semver/v3@v3.2.1%2Bincompatible",
        );
        check(&package(Go, "stdlib", "1.22.1"), None, "pkg:golang/stdlib@1.22.1");
        check(&package(Cargo, "rand", "0.8.5"), None, "pkg:cargo/rand@0.8.5");
        check(
            &inside(package(Maven, "log4j-core", "2.17.1"), "org.apache.logging.log4j"),
            None,
            "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1",
        );
        check(
            &arch(package(Gem, "nokogiri", "1.15.0"), "x86_64-linux"),
            None,
            "pkg:gem/nokogiri@1.15.0?platform=x86_64-linux",
        );
        check(
            &inside(package(Composer, "promises", "2.0.1"), "GuzzleHttp"),
            None,
            "pkg:composer/guzzlehttp/promises@2.0.1",
        );
        check(
            &package(NuGet, "Newtonsoft.Json", "13.0.3"),
            None,
            "pkg:nuget/Newtonsoft.Json@13.0.3",
        );
        check(&package(Cargo, "a?b#c@d/e%é", ""), None, "pkg:cargo/a%3Fb%23c%40d%2Fe%25%C3%A9");
    }

    #[test]
    fn full_names() {
        let inside = |package_type, namespace: Option<&str>, name: &str| Package {
            namespace: namespace.map(str::to_owned),
            ..Package::new(package_type, name, "1")
        };
        for (package, expected) in [
            (inside(PackageType::Maven, Some("org.a"), "b"), "org.a:b"),
            (inside(PackageType::Maven, None, "b"), "b"),
            (inside(PackageType::Npm, Some("@a"), "b"), "@a/b"),
            (inside(PackageType::Composer, Some("a"), "b"), "a/b"),
            (inside(PackageType::Go, None, "golang.org/x/net"), "golang.org/x/net"),
        ] {
            assert_eq!(package.full_name(), expected);
        }
    }
}
