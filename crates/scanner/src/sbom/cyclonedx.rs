//! CycloneDX in JSON. What is written is the same in 1.5 and 1.6 but for the version.

use serde::Serialize;

use super::{Bill, Item};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bom<'a> {
    #[serde(rename = "$schema")]
    schema: String,
    bom_format: &'static str,
    spec_version: &'a str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Component<'a>>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: String,
    tools: Tools<'a>,
    component: Component<'a>,
}

#[derive(Serialize)]
struct Tools<'a> {
    components: [Component<'a>; 1],
}

#[derive(Default, Serialize)]
struct Component<'a> {
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<[Hash<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses: Option<[Licence<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'static str,
    content: &'a str,
}

/// The licence as the package spells it: nobody has checked that it is one of SPDX's names.
#[derive(Serialize)]
struct Licence<'a> {
    license: LicenceName<'a>,
}

#[derive(Serialize)]
struct LicenceName<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Evidence<'a> {
    occurrences: Vec<Occurrence<'a>>,
}

#[derive(Serialize)]
struct Occurrence<'a> {
    location: &'a str,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    depends_on: Vec<String>,
}

pub(super) fn bom<'a>(bill: &Bill<'a>, spec_version: &'a str) -> Bom<'a> {
    let image = bill.purl();
    let os = bill.os.map(|os| Component {
        bom_ref: Some(format!("os:{}", os.distro())),
        kind: "operating-system",
        name: &os.id,
        version: os.version_id.as_deref(),
        ..Component::default()
    });
    let packages = bill.items().into_iter().map(component);
    let components: Vec<Component<'a>> = os.into_iter().chain(packages).collect();
    let depends_on = components.iter().filter_map(|component| component.bom_ref.clone()).collect();
    Bom {
        schema: format!("http://cyclonedx.org/schema/bom-{spec_version}.schema.json"),
        bom_format: "CycloneDX",
        spec_version,
        serial_number: format!("urn:uuid:{}", bill.serial),
        version: 1,
        metadata: Metadata {
            timestamp: bill.time(),
            tools: Tools {
                components: [Component {
                    kind: "application",
                    name: "tonnage",
                    version: Some(bill.tool_version),
                    ..Component::default()
                }],
            },
            component: Component {
                bom_ref: Some(image.clone()),
                kind: "container",
                name: bill.image,
                version: Some(bill.digest),
                hashes: bill.sha256().map(|content| [Hash { alg: "SHA-256", content }]),
                purl: Some(image.clone()),
                ..Component::default()
            },
        },
        components,
        dependencies: vec![Dependency { r#ref: image, depends_on }],
    }
}

fn component(item: Item<'_>) -> Component<'_> {
    let package = item.package;
    let mut properties = Vec::new();
    if let Some(source) = &package.source {
        let value = format!("{} {}", source.name, source.version);
        properties.push(Property { name: "tonnage:source", value });
    }
    if let Some(module) = &package.module {
        properties.push(Property { name: "tonnage:module", value: module.clone() });
    }
    let occurrences: Vec<Occurrence<'_>> =
        item.paths.into_iter().map(|location| Occurrence { location }).collect();
    Component {
        bom_ref: Some(item.purl.clone()),
        kind: "library",
        group: package.namespace.as_deref(),
        name: &package.name,
        version: (!package.version.is_empty()).then_some(&*package.version),
        hashes: None,
        licenses: package
            .licence
            .as_deref()
            .filter(|licence| !licence.is_empty())
            .map(|name| [Licence { license: LicenceName { name } }]),
        purl: Some(item.purl),
        evidence: (!occurrences.is_empty()).then_some(Evidence { occurrences }),
        properties,
    }
}
