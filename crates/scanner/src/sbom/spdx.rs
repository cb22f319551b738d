//! SPDX 2.3 in JSON.

use serde::Serialize;

use super::licence::Extracted;
use super::{Bill, Item};

const NOTHING: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
const OS: &str = "SPDXRef-OperatingSystem";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: &'a str,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<SpdxPackage<'a>>,
    relationships: Vec<Relationship>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicence>,
}

#[derive(Serialize)]
struct CreationInfo {
    created: String,
    creators: [String; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage<'a> {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<&'a str>,
    download_location: &'static str,
    files_analyzed: bool,
    primary_package_purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksums: Option<[Checksum<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum<'a> {
    algorithm: &'static str,
    checksum_value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: &'static str,
    relationship_type: &'static str,
    related_spdx_element: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicence {
    license_id: String,
    extracted_text: String,
}

pub(super) fn document<'a>(bill: &Bill<'a>) -> Document<'a> {
    let mut licences = Extracted::default();
    let mut packages = vec![SpdxPackage {
        checksums: bill
            .sha256()
            .map(|checksum_value| [Checksum { algorithm: "SHA256", checksum_value }]),
        primary_package_purpose: "CONTAINER",
        ..plain(IMAGE, bill.image, Some(bill.digest), Some(bill.purl()))
    }];
    let os = bill.os.map(|os| SpdxPackage {
        primary_package_purpose: "OPERATING_SYSTEM",
        ..plain(OS, &os.id, os.version_id.as_deref(), None)
    });
    packages.extend(os);
    let items = bill.items().into_iter().enumerate();
    packages.extend(items.map(|(number, item)| package(number, item, &mut licences)));

    let describes = Relationship {
        spdx_element_id: DOCUMENT,
        relationship_type: "DESCRIBES",
        related_spdx_element: IMAGE.to_owned(),
    };
    let contains = packages.iter().skip(1).map(|package| Relationship {
        spdx_element_id: IMAGE,
        relationship_type: "CONTAINS",
        related_spdx_element: package.id.clone(),
    });
    let relationships = std::iter::once(describes).chain(contains).collect();
    let extracted = licences.into_iter();
    Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: bill.image,
        document_namespace: format!("urn:uuid:{}", bill.serial),
        creation_info: CreationInfo {
            created: bill.time(),
            creators: [format!("Tool: tonnage-{}", bill.tool_version)],
        },
        packages,
        relationships,
        has_extracted_licensing_infos: extracted
            .map(|(license_id, extracted_text)| ExtractedLicence { license_id, extracted_text })
            .collect(),
    }
}

fn plain<'a>(
    id: &str,
    name: &str,
    version_info: Option<&'a str>,
    purl: Option<String>,
) -> SpdxPackage<'a> {
    let external_refs = purl.into_iter().map(|reference_locator| ExternalRef {
        reference_category: "PACKAGE-MANAGER",
        reference_type: "purl",
        reference_locator,
    });
    SpdxPackage {
        id: id.to_owned(),
        name: name.to_owned(),
        version_info: version_info.filter(|version| !version.is_empty()),
        download_location: NOTHING,
        files_analyzed: false,
        primary_package_purpose: "LIBRARY",
        checksums: None,
        source_info: None,
        license_concluded: NOTHING,
        license_declared: NOTHING.to_owned(),
        copyright_text: NOTHING,
        external_refs: external_refs.collect(),
    }
}

fn package<'a>(number: usize, item: Item<'a>, licences: &mut Extracted) -> SpdxPackage<'a> {
    let Item { purl, package, paths } = item;
    let mut info = Vec::new();
    if let Some(source) = &package.source {
        info.push(format!("built from {} {}", source.name, source.version));
    }
    if !paths.is_empty() {
        info.push(format!("found in {}", paths.join(", ")));
    }
    SpdxPackage {
        source_info: (!info.is_empty()).then(|| info.join("; ")),
        license_declared: licences.declare(package.licence.as_deref()),
        ..plain(
            &format!("SPDXRef-Package-{}", number + 1),
            &package.full_name(),
            Some(&package.version),
            Some(purl),
        )
    }
}
