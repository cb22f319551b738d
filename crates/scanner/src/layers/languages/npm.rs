//! Node.js: the `package.json` of an installed module.

use serde::Deserialize;

use super::super::collect::Findings;
use super::super::error::Fault;
use super::{Licence, Text};
use crate::package::{Package, PackageType};

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    license: Licence,
    #[serde(default)]
    licenses: Licence,
}

/// A file without name and version only configures a directory.
pub(in super::super) fn package_json(
    text: &[u8],
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    // Some editors leave a byte order mark, which Node.js accepts.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let module: Module = serde_json::from_slice(text)?;
    let (Some(name), Some(version)) = (module.name.0, module.version.0) else { return Ok(()) };
    let (namespace, name) = match name.split_once('/') {
        Some((scope, name)) if scope.starts_with('@') => (Some(scope.to_owned()), name.to_owned()),
        _ => (None, name),
    };
    findings.package(Package {
        namespace,
        licence: module.license.0.or(module.licenses.0),
        ..Package::new(PackageType::Npm, name, version)
    })
}
