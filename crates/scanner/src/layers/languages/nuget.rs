//! .NET: the dependencies of a published application.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::super::collect::Findings;
use super::super::error::Fault;
use super::super::index::word;
use super::{PACKAGES_MAX, Text, too_many};
use crate::package::{Package, PackageType};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    libraries: Libraries,
}

#[derive(Deserialize)]
struct Library {
    #[serde(default, rename = "type")]
    kind: Text,
}

/// Names and versions of the libraries that are packages; projects are the application itself.
#[derive(Default)]
struct Libraries(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Libraries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Libraries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("libraries by name and version")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Libraries, A::Error> {
                let mut libraries = Vec::new();
                while let Some((key, library)) = map.next_entry::<String, Library>()? {
                    if libraries.len() == PACKAGES_MAX {
                        return Err(too_many());
                    }
                    if library.kind.0.as_deref() == Some("package")
                        && let Some((name, version)) = key.split_once('/')
                        && let (Some(name), Some(version)) = (word(name), word(version))
                    {
                        libraries.push((name, version));
                    }
                }
                Ok(Libraries(libraries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// `*.deps.json`.
pub(in super::super) fn deps_json(text: &[u8], findings: &mut Findings<'_>) -> Result<(), Fault> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let document: Document = serde_json::from_slice(text)?;
    for (name, version) in document.libraries.0 {
        findings.package(Package::new(PackageType::NuGet, name, version))?;
    }
    Ok(())
}
