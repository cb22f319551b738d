//! Bills of materials: what is in an image, in the two formats that tools exchange.
//!
//! The same bill gives the same bytes: time and serial number are given, and packages are in order.

mod cyclonedx;
mod licence;
mod spdx;

use std::collections::BTreeMap;

use crate::{OsRelease, Package};

/// A format of bills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// CycloneDX 1.5, JSON.
    CycloneDx1_5,
    /// CycloneDX 1.6, JSON.
    CycloneDx1_6,
    /// SPDX 2.3, JSON.
    Spdx2_3,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::CycloneDx1_5, Self::CycloneDx1_6, Self::Spdx2_3];

    /// The media type registered for it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx1_5 | Self::CycloneDx1_6 => "application/vnd.cyclonedx+json",
            Self::Spdx2_3 => "application/spdx+json",
        }
    }
}

/// What a bill is made of.
#[derive(Clone, Copy, Debug)]
pub struct Bill<'a> {
    /// The image's name: its repository, with the host if it has one.
    pub image: &'a str,
    /// The image's digest: `sha256:…`.
    pub digest: &'a str,
    /// The operating system, if there is one.
    pub os: Option<&'a OsRelease>,
    /// The packages, in any order.
    pub packages: &'a [Package],
    /// When the bill is made, in milliseconds since 1970 UTC. Formats keep whole seconds.
    pub created: i64,
    /// A UUID of the bill's own, in lower case with hyphens.
    pub serial: &'a str,
    /// The version of the program that makes it.
    pub tool_version: &'a str,
}

/// A package of a bill: one for each package URL, wherever it was found.
struct Item<'a> {
    purl: String,
    package: &'a Package,
    paths: Vec<&'a str>,
}

impl<'a> Bill<'a> {
    /// Writes the bill.
    pub fn write(&self, format: Format) -> Vec<u8> {
        let text = match format {
            Format::CycloneDx1_5 => serde_json::to_vec(&cyclonedx::bom(self, "1.5")),
            Format::CycloneDx1_6 => serde_json::to_vec(&cyclonedx::bom(self, "1.6")),
            Format::Spdx2_3 => serde_json::to_vec(&spdx::document(self)),
        };
        // Structs of texts and numbers are always JSON.
        text.unwrap_or_default()
    }

    fn items(&self) -> Vec<Item<'a>> {
        let mut items: BTreeMap<String, Item<'a>> = BTreeMap::new();
        for package in self.packages {
            let purl = package.purl(self.os);
            let item =
                items.entry(purl.clone()).or_insert(Item { purl, package, paths: Vec::new() });
            // Of several, the one that does not depend on their order.
            item.package = item.package.min(package);
            if !package.path.is_empty() {
                item.paths.push(&package.path);
            }
        }
        let mut items: Vec<Item<'a>> = items.into_values().collect();
        for item in &mut items {
            item.paths.sort_unstable();
            item.paths.dedup();
        }
        items
    }

    /// The package URL of the image (purl specification, "oci").
    fn purl(&self) -> String {
        let name = self.image.rsplit('/').next().unwrap_or_default().to_lowercase();
        let encode = |text: &str| text.replace(':', "%3A");
        let repository = self.image.replace('/', "%2F");
        format!("pkg:oci/{name}@{}?repository_url={}", encode(self.digest), encode(&repository))
    }

    fn sha256(&self) -> Option<&'a str> {
        self.digest.strip_prefix("sha256:")
    }

    /// The time as both formats write it: `2024-01-02T03:04:05Z`.
    fn time(&self) -> String {
        let time = jiff::Timestamp::from_second(self.created.div_euclid(1_000));
        time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
    }
}

#[cfg(test)]
mod tests;
