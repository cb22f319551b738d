//! What apk says is installed (apk-package(5), "installed database"): paragraphs of one-letter
//! fields.

use super::collect::Findings;
use super::error::Fault;
use super::index::word;
use super::lines::Lines;
use crate::package::{Package, PackageType, SourcePackage};

#[derive(Default)]
struct Paragraph {
    name: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    origin: Option<String>,
    licence: Option<String>,
}

pub(super) fn installed(mut lines: Lines<'_>, findings: &mut Findings<'_>) -> Result<(), Fault> {
    let mut paragraph = Paragraph::default();
    let mut directory = String::new();
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            end(std::mem::take(&mut paragraph), findings)?;
            directory.clear();
            continue;
        }
        let Some((field, value)) = line.split_once(':') else { continue };
        match field {
            "P" => paragraph.name = word(value),
            "V" => paragraph.version = word(value),
            "A" => paragraph.architecture = word(value),
            "o" => paragraph.origin = word(value),
            "L" => paragraph.licence = word(value),
            "F" => value.clone_into(&mut directory),
            "R" if directory.is_empty() => findings.owns(value)?,
            "R" => findings.owns(&format!("{directory}/{value}"))?,
            _ => {}
        }
    }
    end(paragraph, findings)
}

fn end(paragraph: Paragraph, findings: &mut Findings<'_>) -> Result<(), Fault> {
    let (Some(name), Some(version)) = (paragraph.name, paragraph.version) else { return Ok(()) };
    let source =
        paragraph.origin.map(|origin| SourcePackage { name: origin, version: version.clone() });
    findings.package(Package {
        architecture: paragraph.architecture,
        source,
        licence: paragraph.licence,
        ..Package::new(PackageType::Apk, name, version)
    })
}
