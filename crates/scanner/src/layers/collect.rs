//! Which files are looked at, and what analysers hand over.

use super::error::{Fault, LayerError};
use super::index::{Evidence, Room, WARNINGS_MAX, Warning};
use super::paths::{PathSet, file_name, parent};
use crate::package::Package;

/// What a file is by its path. Executables are known by their first bytes instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    OsRelease,
    ApkRepositories,
    DpkgStatus,
    /// One package of an image without dpkg itself.
    DpkgStatusPart,
    DpkgFileList,
    DpkgDigestList,
    ApkInstalled,
    RpmSqlite,
    RpmSqliteLog,
    RpmNdb,
    RpmBdb,
    PackageJson,
    PythonMetadata,
    Gemspec,
    ComposerInstalled,
    ComposerLock,
    DotnetDeps,
    JavaArchive,
}

/// Where RPM keeps its database: the traditional place, that of image-based systems, that of
/// rpm-ostree.
const RPM_DIRECTORIES: [&str; 3] = ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];

const JAVA_EXTENSIONS: [&str; 8] = [".jar", ".war", ".ear", ".par", ".sar", ".nar", ".jpi", ".hpi"];

impl FileKind {
    pub(super) fn of(path: &str) -> Option<Self> {
        let (parent, name) = (parent(path), file_name(path));
        Some(match (parent, name) {
            ("etc" | "usr/lib", "os-release") => Self::OsRelease,
            ("etc/apk", "repositories") => Self::ApkRepositories,
            ("var/lib/dpkg", "status") => Self::DpkgStatus,
            ("var/lib/dpkg/status.d", name) if name.ends_with(".md5sums") => Self::DpkgDigestList,
            ("var/lib/dpkg/status.d", _) => Self::DpkgStatusPart,
            ("var/lib/dpkg/info", name) if name.ends_with(".list") => Self::DpkgFileList,
            ("lib/apk/db" | "usr/lib/apk/db", "installed") => Self::ApkInstalled,
            (parent, "rpmdb.sqlite") if RPM_DIRECTORIES.contains(&parent) => Self::RpmSqlite,
            (parent, "rpmdb.sqlite-wal") if RPM_DIRECTORIES.contains(&parent) => Self::RpmSqliteLog,
            (parent, "Packages.db") if RPM_DIRECTORIES.contains(&parent) => Self::RpmNdb,
            (parent, "Packages") if RPM_DIRECTORIES.contains(&parent) => Self::RpmBdb,
            _ => return Self::of_language(parent, name),
        })
    }

    fn of_language(parent: &str, name: &str) -> Option<Self> {
        let directory = file_name(parent);
        Some(match name {
            "package.json" if parent.split('/').any(|part| part == "node_modules") => {
                Self::PackageJson
            }
            "METADATA" if directory.ends_with(".dist-info") => Self::PythonMetadata,
            "PKG-INFO" if directory.ends_with(".egg-info") || directory == "EGG-INFO" => {
                Self::PythonMetadata
            }
            "installed.json"
                if parent == "vendor/composer" || parent.ends_with("/vendor/composer") =>
            {
                Self::ComposerInstalled
            }
            "composer.lock" => Self::ComposerLock,
            name if name.ends_with(".egg-info") => Self::PythonMetadata,
            name if name.ends_with(".gemspec") && in_specifications(parent) => Self::Gemspec,
            name if name.ends_with(".deps.json") => Self::DotnetDeps,
            name if is_java_archive(name) => Self::JavaArchive,
            _ => return None,
        })
    }

    /// Whether the file speaks of packages of a language, which one of the operating system may
    /// have brought.
    pub(super) fn is_of_language(self) -> bool {
        matches!(
            self,
            Self::PackageJson
                | Self::PythonMetadata
                | Self::Gemspec
                | Self::ComposerInstalled
                | Self::ComposerLock
                | Self::DotnetDeps
                | Self::JavaArchive
        )
    }
}

fn in_specifications(parent: &str) -> bool {
    let parent = parent.strip_suffix("/default").unwrap_or(parent);
    file_name(parent) == "specifications"
}

pub(super) fn is_java_archive(name: &str) -> bool {
    name.rfind('.').is_some_and(|dot| {
        JAVA_EXTENSIONS.iter().any(|extension| name[dot..].eq_ignore_ascii_case(extension))
    })
}

/// Whether a file that a package of the operating system brought may speak of packages itself. All
/// of them are not worth keeping.
fn may_be_evidence(path: &str) -> bool {
    if let Some(kind) = FileKind::of(path) {
        return kind.is_of_language();
    }
    // Executables: what has no extension, libraries, and whatever lies where commands do.
    let name = file_name(path);
    let in_commands =
        path.split('/').rev().skip(1).any(|part| matches!(part, "bin" | "sbin" | "libexec"));
    let is_data = path.starts_with("usr/share/doc/") || path.starts_with("usr/share/man/");
    !is_data && (in_commands || !name.contains('.') || name.contains(".so"))
}

/// What an analyser found in one file.
pub(super) struct Findings<'a> {
    room: &'a mut Room,
    evidence: Evidence,
    problems: Vec<String>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(room: &'a mut Room) -> Self {
        Self { room, evidence: Evidence::default(), problems: Vec::new() }
    }

    pub(super) fn package(&mut self, package: Package) -> Result<(), Fault> {
        self.room.take_package(&package)?;
        self.evidence.packages.push(package);
        Ok(())
    }

    /// What was found so far.
    pub(super) fn packages(&self) -> &[Package] {
        &self.evidence.packages
    }

    /// A file, without a leading slash, that a package of the operating system brought.
    pub(super) fn owns(&mut self, path: &str) -> Result<(), Fault> {
        if !path.is_empty() && may_be_evidence(path) {
            self.room.take(PathSet::ENTRY_BYTES)?;
            self.evidence.owned.insert(path, "");
        }
        Ok(())
    }

    pub(super) fn system(&mut self) -> &mut Evidence {
        &mut self.evidence
    }

    /// Part of the file cannot be read; the rest still counts.
    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        if self.problems.len() < WARNINGS_MAX {
            self.problems.push(problem.into());
        }
    }

    /// What was found, and what was not.
    pub(super) fn finish(mut self) -> (Evidence, Vec<String>) {
        self.evidence.owned.finish();
        self.evidence.packages.shrink_to_fit();
        (self.evidence, self.problems)
    }
}

/// Keeps [`WARNINGS_MAX`] problems and counts the rest.
#[derive(Default)]
pub(super) struct Warnings {
    pub(super) kept: Vec<Warning>,
    pub(super) dropped: u64,
}

impl Warnings {
    pub(super) fn add(&mut self, path: &str, problem: String) {
        if self.kept.len() < WARNINGS_MAX {
            self.kept.push(Warning { path: path.to_owned(), problem: shorten(problem) });
        } else {
            self.dropped += 1;
        }
    }
}

fn shorten(mut problem: String) -> String {
    if problem.len() > 256 {
        let end = (0..=256).rev().find(|at| problem.is_char_boundary(*at)).unwrap_or(0);
        problem.truncate(end);
    }
    problem
}

/// Takes the problem of a file out of a fault; what concerns the layer goes on.
pub(super) fn file_problem(fault: Fault) -> Result<String, LayerError> {
    match fault {
        Fault::Layer(error) => Err(error),
        Fault::File(problem) => Ok(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_files() {
        use FileKind::*;
        for (path, expected) in [
            ("etc/os-release", Some(OsRelease)),
            ("usr/lib/os-release", Some(OsRelease)),
            ("srv/etc/os-release", None),
            ("etc/apk/repositories", Some(ApkRepositories)),
            ("var/lib/dpkg/status", Some(DpkgStatus)),
            ("var/lib/dpkg/status-old", None),
            ("var/lib/dpkg/status.d/base", Some(DpkgStatusPart)),
            ("var/lib/dpkg/status.d/base.md5sums", Some(DpkgDigestList)),
            ("var/lib/dpkg/info/libc6:amd64.list", Some(DpkgFileList)),
            ("var/lib/dpkg/info/libc6:amd64.md5sums", None),
            ("lib/apk/db/installed", Some(ApkInstalled)),
            ("usr/lib/apk/db/installed", Some(ApkInstalled)),
            ("var/lib/rpm/rpmdb.sqlite", Some(RpmSqlite)),
            ("var/lib/rpm/rpmdb.sqlite-wal", Some(RpmSqliteLog)),
            ("usr/lib/sysimage/rpm/Packages.db", Some(RpmNdb)),
            ("usr/share/rpm/Packages", Some(RpmBdb)),
            ("Packages", None),
            ("a/node_modules/b/package.json", Some(PackageJson)),
            ("a/node_modules/@s/b/lib/package.json", Some(PackageJson)),
            ("a/package.json", None),
            ("l/site-packages/x-1.dist-info/METADATA", Some(PythonMetadata)),
            ("l/x-1.egg-info/PKG-INFO", Some(PythonMetadata)),
            ("l/x-1.egg/EGG-INFO/PKG-INFO", Some(PythonMetadata)),
            ("l/x-1.egg-info", Some(PythonMetadata)),
            ("l/METADATA", None),
            ("gems/3.1.0/specifications/rake-13.gemspec", Some(Gemspec)),
            ("gems/3.1.0/specifications/default/json-2.gemspec", Some(Gemspec)),
            ("gems/rake/rake.gemspec", None),
            ("app/vendor/composer/installed.json", Some(ComposerInstalled)),
            ("vendor/composer/installed.json", Some(ComposerInstalled)),
            ("app/composer.lock", Some(ComposerLock)),
            ("app/App.deps.json", Some(DotnetDeps)),
            ("app/a.jar", Some(JavaArchive)),
            ("app/a.WAR", Some(JavaArchive)),
            ("app/jar", None),
        ] {
            assert_eq!(FileKind::of(path), expected, "{path}");
        }
    }

    #[test]
    fn files_of_packages_that_matter() {
        for (path, expected) in [
            ("usr/bin/docker", true),
            ("usr/bin/kubectl-v1.2", true),
            ("usr/lib/go/pkg/tool", true),
            ("usr/lib/python3/dist-packages/x.abi3.so", true),
            ("usr/lib/python3/dist-packages/x.py", false),
            ("usr/lib/python3/dist-packages/x-1.egg-info/PKG-INFO", true),
            ("usr/share/java/a.jar", true),
            ("usr/share/doc/x/copyright", false),
            ("var/lib/dpkg/status", false),
        ] {
            assert_eq!(may_be_evidence(path), expected, "{path}");
        }
    }
}
