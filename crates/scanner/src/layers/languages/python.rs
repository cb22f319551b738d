//! Python: the core metadata of an installed distribution (PyPA, "Core metadata specifications").

use super::super::collect::Findings;
use super::super::error::Fault;
use super::super::index::word;
use super::super::lines::Lines;
use crate::package::{Package, PackageType};

/// Reads the headers; the description after them is not looked at.
pub(in super::super) fn metadata(
    mut lines: Lines<'_>,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let (mut name, mut version, mut licence, mut expression) = (None, None, None, None);
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let field = match key.to_ascii_lowercase().as_str() {
            "name" => &mut name,
            "version" => &mut version,
            "license" => &mut licence,
            "license-expression" => &mut expression,
            _ => continue,
        };
        if field.is_none() {
            *field = word(value);
        }
    }
    let (Some(name), Some(version)) = (name, version) else {
        return Err(Fault::file("it has no name or no version"));
    };
    findings.package(Package {
        licence: expression.or(licence.filter(|licence| licence != "UNKNOWN")),
        ..Package::new(PackageType::PyPi, name, version)
    })
}
