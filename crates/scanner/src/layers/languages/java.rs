//! Java: archives, and archives in them. Maven writes group, artifact and version into what it
//! builds; for all others the manifest and the name of the file have to do. An archive may also hold
//! the classes of others and what Maven wrote of these, and nothing of its own.

use std::io::{self, BufReader, Read};

use super::super::collect::{Findings, file_problem, is_java_archive};
use super::super::error::{Corrupt, Fault, LayerError};
use super::super::index::word;
use super::super::limits::{Budget, Limits};
use super::super::paths::file_name;
use super::super::scratch::{Scratch, ScratchFile, Spooled};
use super::super::zip::{Zip, ZipEntry};
use crate::package::{Package, PackageType};

/// Largest `pom.properties` and `MANIFEST.MF`.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// What reading an archive of the layer, with all that lies in it, may still cost.
pub(in super::super) struct Archives<'a, 'b> {
    limits: &'a Limits,
    scratch: &'a dyn Scratch,
    budget: &'a mut Budget<'b>,
    entries_left: u64,
    inflated_left: u64,
}

impl<'a, 'b> Archives<'a, 'b> {
    pub(in super::super) fn new(
        limits: &'a Limits,
        scratch: &'a dyn Scratch,
        budget: &'a mut Budget<'b>,
    ) -> Self {
        Self {
            limits,
            scratch,
            budget,
            entries_left: limits.archive_entries_max,
            inflated_left: limits.archive_inflated_bytes_max,
        }
    }

    fn text(&mut self, zip: &mut Zip<'_, '_>, entry: &ZipEntry) -> Result<Vec<u8>, Fault> {
        let content = zip.content(entry)?;
        let mut text = Vec::new();
        Inflated { content, archives: self }.take(TEXT_BYTES_MAX + 1).read_to_end(&mut text)?;
        if text.len() as u64 > TEXT_BYTES_MAX {
            return Err(Fault::File(format!("{} is too large", shown(&entry.name))));
        }
        Ok(text)
    }

    fn scratch_file(&self) -> Result<Box<dyn ScratchFile>, Fault> {
        Ok(self.scratch.create().map_err(LayerError::Scratch)?)
    }
}

/// The content of an entry. All that comes out of it is paid for, and its errors are the archive's.
struct Inflated<'x, 'a, 'b> {
    content: Box<dyn Read + 'x>,
    archives: &'x mut Archives<'a, 'b>,
}

impl Read for Inflated<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer).map_err(Corrupt::mark)?;
        let archives = &mut *self.archives;
        archives.budget.spend(read as u64).map_err(LayerError::into_io)?;
        match archives.inflated_left.checked_sub(read as u64) {
            Some(left) => archives.inflated_left = left,
            None => {
                archives.inflated_left = 0;
                return Err(Corrupt::error(format!(
                    "it holds more than {} bytes",
                    archives.limits.archive_inflated_bytes_max
                )));
            }
        }
        Ok(read)
    }
}

/// Reads an archive at `depth`, 1 for one that is a file of the layer. `inner` is its path inside
/// that file: empty, or `!/a.jar!/b.jar`. `name` is the name of the archive itself.
pub(in super::super) fn archive(
    file: &mut Spooled<'_>,
    name: &str,
    inner: &str,
    depth: u32,
    archives: &mut Archives<'_, '_>,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let mut zip = Zip::open(file)?;
    let mut manifest = Manifest::default();
    let found_before = findings.packages().len();
    // One scratch file for all archives of this depth, made when the first needs it.
    let mut spare: Option<Box<dyn ScratchFile>> = None;
    while let Some(entry) = zip.next_entry()? {
        archives.entries_left = archives.entries_left.checked_sub(1).ok_or_else(|| {
            Fault::File(format!("it has more than {} entries", archives.limits.archive_entries_max))
        })?;
        let read = if entry.name.eq_ignore_ascii_case("META-INF/MANIFEST.MF") {
            archives.text(&mut zip, &entry).map(|text| manifest = Manifest::read(&text))
        } else if is_pom_properties(&entry.name) {
            archives.text(&mut zip, &entry).and_then(|text| {
                let Some(mut package) = pom_properties(&text) else { return Ok(()) };
                inner.clone_into(&mut package.path);
                findings.package(package)
            })
        } else if is_java_archive(&entry.name) && !entry.name.ends_with('/') {
            let spare = match &mut spare {
                Some(spare) => spare,
                none => none.insert(archives.scratch_file()?),
            };
            nested(&mut zip, &entry, inner, depth, spare.as_mut(), archives, findings)
        } else {
            continue;
        };
        if let Err(fault) = read {
            let problem = file_problem(fault)?;
            findings.problem(format!("{inner}!/{}: {problem}", shown(&entry.name)));
        }
    }
    if let Some(mut package) = manifest.package(name) {
        inner.clone_into(&mut package.path);
        let found = findings.packages().get(found_before..).unwrap_or_default();
        let by_maven = found.iter().filter(|found| found.path == inner);
        if !is_one_of(by_maven, &package, name) {
            findings.package(package)?;
        }
    }
    Ok(())
}

/// Whether the archive `file`, which says of itself what `package` is, is one of those that Maven
/// wrote of. Distributions name archives as they like, and builds number what Maven does not;
/// neither name nor version is that of what was copied from elsewhere.
fn is_one_of<'a>(
    mut by_maven: impl Iterator<Item = &'a Package>,
    package: &Package,
    file: &str,
) -> bool {
    let file = dashed(file);
    by_maven.any(|found| {
        let rest = file.strip_prefix(&dashed(&found.name));
        found.version == package.version || rest.is_some_and(|rest| rest.starts_with('-'))
    })
}

fn dashed(name: &str) -> String {
    name.replace(['_', '.'], "-")
}

fn nested(
    zip: &mut Zip<'_, '_>,
    entry: &ZipEntry,
    inner: &str,
    depth: u32,
    spare: &mut dyn ScratchFile,
    archives: &mut Archives<'_, '_>,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    if depth >= archives.limits.archive_depth_max {
        return Err(Fault::File(format!(
            "archives lie more than {} deep in one another",
            archives.limits.archive_depth_max
        )));
    }
    let Some(name) = word(&entry.name) else {
        return Err(Fault::file("its name is too long or has control characters"));
    };
    let maximum = archives.limits.archive_bytes_max;
    let mut file = {
        let content = zip.content(entry)?;
        let mut content = BufReader::with_capacity(64 * 1024, Inflated { content, archives });
        Spooled::copy(spare, &mut content, maximum)?
    };
    let inner = format!("{inner}!/{name}");
    archive(&mut file, file_name(&name), &inner, depth + 1, archives, findings)
}

/// A name of an entry, for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(100).collect()
}

fn is_pom_properties(name: &str) -> bool {
    name.strip_prefix("META-INF/maven/").is_some_and(|rest| {
        let mut parts = rest.split('/');
        parts.by_ref().take(2).filter(|part| !part.is_empty()).count() == 2
            && parts.next() == Some("pom.properties")
            && parts.next().is_none()
    })
}

/// Group, artifact and version. What Maven did not fill in is no value.
fn pom_properties(text: &[u8]) -> Option<Package> {
    let text = String::from_utf8_lossy(text);
    let property = |wanted: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(['=', ':'])?;
            (key.trim() == wanted).then(|| filled(value))?
        })
    };
    let package = Package::new(PackageType::Maven, property("artifactId")?, property("version")?);
    Some(Package { namespace: property("groupId"), ..package })
}

fn filled(value: &str) -> Option<String> {
    word(value).filter(|value| !value.contains("${"))
}

/// The main section of a manifest.
#[derive(Default)]
struct Manifest {
    vendor_id: Option<String>,
    symbolic_name: Option<String>,
    implementation_version: Option<String>,
    bundle_version: Option<String>,
    licence: Option<String>,
}

impl Manifest {
    fn read(text: &[u8]) -> Self {
        let mut manifest = Self::default();
        let text = String::from_utf8_lossy(text);
        let mut attribute: Option<(&str, String)> = None;
        for line in text.lines() {
            if let Some(more) = line.strip_prefix(' ') {
                if let Some((_, value)) = &mut attribute {
                    value.push_str(more);
                }
                continue;
            }
            manifest.set(attribute.take());
            if line.is_empty() {
                break;
            }
            attribute = line.split_once(": ").map(|(key, value)| (key, value.to_owned()));
        }
        manifest.set(attribute);
        manifest
    }

    fn set(&mut self, attribute: Option<(&str, String)>) {
        let Some((key, value)) = attribute else { return };
        match key {
            "Implementation-Vendor-Id" => self.vendor_id = filled(&value),
            // Directives follow the name.
            "Bundle-SymbolicName" => {
                self.symbolic_name = value.split(';').next().and_then(filled);
            }
            "Implementation-Version" => self.implementation_version = filled(&value),
            "Bundle-Version" => self.bundle_version = filled(&value),
            "Bundle-License" => self.licence = filled(&value),
            _ => {}
        }
    }

    /// The package that the archive `file` is. Without any version it is none.
    fn package(self, file: &str) -> Option<Package> {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let (artifact, in_name) = artifact_and_version(stem);
        let version =
            in_name.map(str::to_owned).or(self.implementation_version).or(self.bundle_version)?;
        let group = self.vendor_id.filter(|id| id.contains('.')).or_else(|| {
            let symbolic = self.symbolic_name.as_deref()?;
            let (parent, _) = symbolic.rsplit_once('.')?;
            Some(parent.to_owned())
        });
        Some(Package {
            namespace: group,
            licence: self.licence,
            ..Package::new(PackageType::Maven, word(artifact)?, word(&version)?)
        })
    }
}

/// Splits `commons-io-2.11.0` before the first part that starts with a digit.
fn artifact_and_version(stem: &str) -> (&str, Option<&str>) {
    let split = stem.match_indices('-').find(|(at, _)| {
        *at > 0 && stem[at + 1..].starts_with(|first: char| first.is_ascii_digit())
    });
    match split {
        Some((at, _)) => (&stem[..at], Some(&stem[at + 1..])),
        None => (stem, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, manifest: &str, expected: Option<&str>) {
        let package = Manifest::read(manifest.as_bytes()).package(file);
        assert_eq!(package.map(|package| package.purl(None)).as_deref(), expected, "{file}");
    }

    #[test]
    fn manifests() {
        check("commons-io-2.11.0.jar", "", Some("pkg:maven/commons-io@2.11.0"));
        check("app.jar", "", None);
        check(
            "app.jar",
            "Implementation-Version: 1.0\r\nImplementation-Vendor-Id: com.exam\r\n ple\r\n",
            Some("pkg:maven/com.example/app@1.0"),
        );
        check(
            "x.war",
            "Bundle-Version: 3.1\nBundle-SymbolicName: org.a.x;singleton:=true\n\nName: other\n\
             Implementation-Version: 9\n",
            Some("pkg:maven/org.a/x@3.1"),
        );
        check("x.jar", "Implementation-Version: ${version}\n", None);
        check("-1.jar", "Bundle-Version: 2\n", Some("pkg:maven/-1@2"));
        check(
            "a-b-1.2-jre8.jar",
            "Bundle-License: MIT\nImplementation-Vendor-Id: nobody\n",
            Some("pkg:maven/a-b@1.2-jre8"),
        );
    }

    #[test]
    fn properties() {
        for (name, expected) in [
            ("META-INF/maven/g/a/pom.properties", true),
            ("META-INF/maven/g/a/pom.xml", false),
            ("META-INF/maven/g/pom.properties", false),
            ("META-INF/maven/g/a/b/pom.properties", false),
            ("META-INF/maven//a/pom.properties", false),
        ] {
            assert_eq!(is_pom_properties(name), expected, "{name}");
        }
        let package = pom_properties(b"#Created\nversion=1\ngroupId=g\r\nartifactId = a\n");
        assert_eq!(package.expect("a package").full_name(), "g:a");
        assert_eq!(pom_properties(b"version=${v}\ngroupId=g\nartifactId=a\n"), None);
    }
}
