//! Executables that say what they were built from: Go's build information, and what
//! `cargo auditable` adds to programs in Rust.

use std::io::Read;

use flate2::bufread::ZlibDecoder;
use serde::Deserialize;

use super::super::collect::Findings;
use super::super::elf::Elf;
use super::super::error::Fault;
use super::super::index::word;
use super::super::scratch::Spooled;
use super::{List, go};
use crate::package::{Package, PackageType};

/// Largest section of `cargo auditable`, compressed and as JSON.
const AUDIT_BYTES_MAX: u64 = 8 << 20;

pub(in super::super) fn executable(
    file: &mut Spooled<'_>,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let mut elf = Elf::open(file)?;
    go::build_information(&mut elf, findings)?;
    audit_section(&mut elf, findings)
}

#[derive(Deserialize)]
struct Audit {
    packages: List<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    /// Absent for what is in the program; `build` for what only built it.
    #[serde(default)]
    kind: Option<String>,
}

fn audit_section(elf: &mut Elf<'_, '_>, findings: &mut Findings<'_>) -> Result<(), Fault> {
    let Some(section) = elf.section(".dep-v0")? else { return Ok(()) };
    if section.length > AUDIT_BYTES_MAX {
        return Err(Fault::file("its list of crates is too large"));
    }
    let stored = std::io::BufReader::new(elf.file().stream(section.offset, section.length)?);
    let mut text = Vec::new();
    let inflated = ZlibDecoder::new(stored).take(AUDIT_BYTES_MAX + 1).read_to_end(&mut text);
    if inflated.is_err() || text.len() as u64 > AUDIT_BYTES_MAX {
        return Err(Fault::file("its list of crates cannot be decompressed"));
    }
    let audit: Audit = serde_json::from_slice(&text)?;
    for package in audit.packages.0 {
        let is_part = package.kind.as_deref().is_none_or(|kind| kind == "runtime");
        if let (Some(name), Some(version), true) =
            (word(&package.name), word(&package.version), is_part)
        {
            findings.package(Package::new(PackageType::Cargo, name, version))?;
        }
    }
    Ok(())
}
