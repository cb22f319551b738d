//! What dpkg says is installed (deb-control(5), dpkg-query(1)).

use super::collect::Findings;
use super::error::Fault;
use super::index::word;
use super::lines::{Lines, split_words};
use crate::package::{Package, PackageType, SourcePackage};

/// Whether every paragraph says if it is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusField {
    /// `var/lib/dpkg/status`: it does; packages may be removed but for their configuration.
    Required,
    /// A file of `var/lib/dpkg/status.d`: whatever is there is installed.
    Optional,
}

#[derive(Default)]
struct Paragraph {
    name: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    source: Option<String>,
    installed: Option<bool>,
}

pub(super) fn status(
    mut lines: Lines<'_>,
    status_field: StatusField,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let mut paragraph = Paragraph::default();
    while let Some(line) = lines.next()? {
        if line.trim().is_empty() {
            end(std::mem::take(&mut paragraph), status_field, findings)?;
            continue;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "Package" => paragraph.name = word(value),
            "Version" => paragraph.version = word(value),
            "Architecture" => paragraph.architecture = word(value),
            "Source" => paragraph.source = word(value),
            "Status" => {
                paragraph.installed = Some(split_words(value).last() == Some("installed"));
            }
            _ => {}
        }
    }
    end(paragraph, status_field, findings)
}

fn end(
    paragraph: Paragraph,
    status_field: StatusField,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let installed = paragraph.installed.unwrap_or(status_field == StatusField::Optional);
    let (Some(name), Some(version), true) = (paragraph.name, paragraph.version, installed) else {
        return Ok(());
    };
    let source = paragraph.source.map(|source| source_package(&source, &version));
    findings.package(Package {
        architecture: paragraph.architecture,
        source,
        ..Package::new(PackageType::Deb, name, version)
    })
}

/// `name`, or `name (version)` where the source's version is another.
fn source_package(source: &str, version: &str) -> SourcePackage {
    let (name, own_version) = match source.split_once('(') {
        Some((name, version)) => (name, version.trim_end().strip_suffix(')')),
        None => (source, None),
    };
    let version = own_version.unwrap_or(version);
    SourcePackage { name: name.trim().to_owned(), version: version.trim().to_owned() }
}

/// The files of a package: one path a line, directories before what is in them.
pub(super) fn file_list(mut lines: Lines<'_>, findings: &mut Findings<'_>) -> Result<(), Fault> {
    let mut before = String::new();
    while let Some(line) = lines.next()? {
        let path = line.trim_start_matches(['/', '.']);
        let below = path.strip_prefix(before.as_str());
        if !below.is_some_and(|below| below.starts_with('/')) {
            findings.owns(&before)?;
        }
        path.clone_into(&mut before);
    }
    findings.owns(&before)
}

/// The files of a package: a digest and a path a line.
pub(super) fn digest_list(mut lines: Lines<'_>, findings: &mut Findings<'_>) -> Result<(), Fault> {
    while let Some(line) = lines.next()? {
        if let Some((_, path)) = line.split_once("  ") {
            findings.owns(path.trim_start_matches(['/', '.']))?;
        }
    }
    Ok(())
}
