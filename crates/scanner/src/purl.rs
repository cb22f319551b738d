//! Package URLs as others write them (purl specification 1.0).

use std::collections::BTreeMap;

/// Longest package URL that is read, in bytes.
pub const PURL_BYTES_MAX: usize = 4_096;

/// A package URL taken apart and decoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    /// The type, in lower case: `deb`, `oci`.
    pub kind: String,
    /// What stands before the name, without slashes at its ends; may be empty.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The version, if there is one.
    pub version: Option<String>,
    /// Qualifiers by their keys, these in lower case.
    pub qualifiers: BTreeMap<String, String>,
}

/// Qualifiers that say where a package was got, and not which one it is.
const WHEREABOUTS: [&str; 4] = ["checksum", "download_url", "repository_url", "vcs_url"];

impl Purl {
    /// Takes a package URL apart. None when it is none, or longer than [`PURL_BYTES_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > PURL_BYTES_MAX {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("pkg") {
            return None;
        }
        let rest = rest.trim_start_matches('/');
        let rest = rest.rsplit_once('#').map_or(rest, |(before, _)| before);
        let (rest, query) = rest.rsplit_once('?').unwrap_or((rest, ""));
        // An `@` of a namespace is encoded; one before the last slash is no version.
        let name_from = rest.rfind('/')? + 1;
        let (rest, version) = match rest.get(name_from..)?.split_once('@') {
            Some((name, version)) => (rest.get(..name_from + name.len())?, Some(decode(version)?)),
            None => (rest, None),
        };
        let mut segments = rest.split('/').filter(|segment| !segment.is_empty());
        let kind = segments.next()?.to_ascii_lowercase();
        let is_kind =
            kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte));
        if !is_kind {
            return None;
        }
        let mut segments = segments.map(decode).collect::<Option<Vec<String>>>()?;
        let name = segments.pop()?;
        let mut qualifiers = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=')?;
            if !value.is_empty() {
                qualifiers.insert(key.to_ascii_lowercase(), decode(value)?);
            }
        }
        let version = version.filter(|version| !version.is_empty());
        Some(Self { kind, namespace: segments.join("/"), name, version, qualifiers })
    }

    /// Whether this, taken as a pattern, names a package: type, namespace and name are the same, and
    /// so are the version and every qualifier that the pattern has. Letters of either case are equal
    /// in names, as most types say; a type of which that is not true has no two packages that differ
    /// in nothing else.
    pub fn covers(&self, package: &Self) -> bool {
        let same_name = self.kind == package.kind
            && self.namespace.to_lowercase() == package.namespace.to_lowercase()
            && self.plain_name() == package.plain_name();
        let same_version = self.version.is_none() || self.version == package.version;
        let same_qualifiers = self
            .qualifiers
            .iter()
            .filter(|(key, _)| !WHEREABOUTS.contains(&key.as_str()))
            .all(|(key, value)| package.qualifiers.get(key) == Some(value));
        same_name && same_version && same_qualifiers
    }

    fn plain_name(&self) -> String {
        let name = self.name.to_lowercase();
        if self.kind == "pypi" { name.replace(['_', '.'], "-") } else { name }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{OsRelease, Package, PackageType};

    #[test]
    fn parts() {
        for (text, expected) in [
            ("pkg:npm/%40babel/core@7.0.0", Some(("npm", "@babel", "core", Some("7.0.0"), ""))),
            ("pkg:npm/left-pad", Some(("npm", "", "left-pad", None, ""))),
            ("pkg:npm/left-pad@", Some(("npm", "", "left-pad", None, ""))),
            (
                "PKG:Deb/debian/libc6@2.36-9%2Bdeb12u3?arch=amd64&Distro=debian-12&x=#sub/path",
                Some((
                    "deb",
                    "debian",
                    "libc6",
                    Some("2.36-9+deb12u3"),
                    "arch=amd64 distro=debian-12",
                )),
            ),
            (
                "pkg:oci/app@sha256%3Aabc?repository_url=example.org/a/app",
                Some(("oci", "", "app", Some("sha256:abc"), "repository_url=example.org/a/app")),
            ),
            (
                "pkg:golang/github.com/a/b/v2@v2.0.0%2Bincompatible",
                Some(("golang", "github.com/a/b", "v2", Some("v2.0.0+incompatible"), "")),
            ),
            ("pkg://maven/org.a/b@1", Some(("maven", "org.a", "b", Some("1"), ""))),
            ("pkg:npm/a@b@c", Some(("npm", "", "a", Some("b@c"), ""))),
            ("pkg:npm", None),
            ("pkg:npm/", None),
            ("npm/a@1", None),
            ("pkg:n%20/a", None),
            ("pkg:npm/a%", None),
            ("pkg:npm/a%ff", None),
            ("pkg:npm/a?b", None),
            ("", None),
        ] {
            let purl = Purl::parse(text);
            let qualifiers = purl.as_ref().map(|purl| {
                let pairs = purl.qualifiers.iter().map(|(key, value)| format!("{key}={value}"));
                pairs.collect::<Vec<_>>().join(" ")
            });
            let parts = purl.as_ref().map(|purl| {
                let qualifiers = qualifiers.as_deref().unwrap_or_default();
                (&*purl.kind, &*purl.namespace, &*purl.name, purl.version.as_deref(), qualifiers)
            });
            assert_eq!(parts, expected, "{text}");
        }
    }

    #[test]
    fn covering() {
        let package = "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12";
        for (pattern, package, expected) in [
            (package, package, true),
            ("pkg:deb/debian/libc6", package, true),
            ("pkg:deb/Debian/LIBC6@2.36-9?distro=debian-12", package, true),
            ("pkg:deb/debian/libc6@2.36-10", package, false),
            ("pkg:deb/debian/libc6?distro=debian-11", package, false),
            ("pkg:deb/debian/libc6?epoch=1", package, false),
            ("pkg:deb/debian/libc6?repository_url=example.org", package, true),
            ("pkg:deb/ubuntu/libc6", package, false),
            ("pkg:deb/libc6", package, false),
            ("pkg:apk/debian/libc6", package, false),
            ("pkg:pypi/Foo_Bar.baz", "pkg:pypi/foo-bar-baz@1", true),
            ("pkg:npm/a_b", "pkg:npm/a-b@1", false),
        ] {
            let covers = Purl::parse(pattern).zip(Purl::parse(package));
            let covers = covers.map(|(pattern, package)| pattern.covers(&package));
            assert_eq!(covers, Some(expected), "{pattern} and {package}");
        }
    }

    fn package_types() -> impl Strategy<Value = PackageType> {
        prop::sample::select(PackageType::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn ours_can_be_read(package_type in package_types(), name in "[ -~é]{1,12}", version in "[ -~é]{0,12}") {
            let os = OsRelease { id: "debian".to_owned(), ..OsRelease::default() };
            let has_name = name.split('/').any(|segment| !segment.is_empty());
            prop_assume!(has_name && (package_type == PackageType::Go || !name.contains('/')));
            prop_assume!(!name.ends_with('/'));
            let text = Package::new(package_type, &*name, &*version).purl(Some(&os));
            let purl = Purl::parse(&text);
            prop_assert!(purl.is_some(), "{}", text);
            prop_assert!(purl.clone().is_some_and(|purl| purl.covers(&purl)));
        }

        #[test]
        fn never_panics(text in "(pkg:)?[a-z/@?&=%#0-9é]{0,40}") {
            let _ = Purl::parse(&text);
        }
    }
}
