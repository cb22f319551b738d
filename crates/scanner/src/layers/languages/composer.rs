//! PHP: what Composer has installed, or, where only that is in the image, has locked.

use serde::Deserialize;

use super::super::collect::Findings;
use super::super::error::Fault;
use super::{Licence, List, Text, vendor_and_name};
use crate::package::{Package, PackageType};

#[derive(Deserialize)]
struct Installed {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    license: Licence,
}

#[derive(Deserialize)]
struct Document {
    packages: List<Installed>,
}

/// `vendor/composer/installed.json`: Composer 1 wrote a list, 2 writes an object with one.
pub(in super::super) fn installed(text: &[u8], findings: &mut Findings<'_>) -> Result<(), Fault> {
    let is_list = text.trim_ascii_start().first() == Some(&b'[');
    let packages = match is_list {
        true => serde_json::from_slice(text)?,
        false => serde_json::from_slice::<Document>(text)?.packages,
    };
    add(packages, findings)
}

/// `composer.lock`: without what is only for development, of which nobody knows whether it was
/// installed.
pub(in super::super) fn lock(text: &[u8], findings: &mut Findings<'_>) -> Result<(), Fault> {
    add(serde_json::from_slice::<Document>(text)?.packages, findings)
}

fn add(packages: List<Installed>, findings: &mut Findings<'_>) -> Result<(), Fault> {
    for package in packages.0 {
        let (Some(full), Some(version)) = (package.name.0, package.version.0) else { continue };
        let (namespace, name) = vendor_and_name(&full);
        findings.package(Package {
            namespace,
            licence: package.license.0,
            ..Package::new(PackageType::Composer, name, version)
        })?;
    }
    Ok(())
}
