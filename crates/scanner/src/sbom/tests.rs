use serde_json::{Value, json};

use super::*;
use crate::{PackageType, SourcePackage};

const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn packages() -> Vec<Package> {
    let at = |package: Package, path: &str| Package { path: path.to_owned(), ..package };
    let openssl = SourcePackage { name: "openssl".to_owned(), version: "3.0.11-1".to_owned() };
    vec![
        at(
            Package::new(PackageType::Npm, "left-pad", "1.3.0"),
            "b/node_modules/left-pad/package.json",
        ),
        at(
            Package::new(PackageType::Npm, "left-pad", "1.3.0"),
            "a/node_modules/left-pad/package.json",
        ),
        Package {
            source: Some(openssl),
            licence: Some("MIT OR Apache-2.0".to_owned()),
            ..at(Package::new(PackageType::Deb, "libssl3", "3.0.11-1"), "var/lib/dpkg/status")
        },
        Package {
            namespace: Some("org.a".to_owned()),
            licence: Some("My own \"licence\"".to_owned()),
            ..Package::new(PackageType::Maven, "b", "1")
        },
        Package::new(PackageType::Go, "example.org/é", ""),
    ]
}

fn os() -> OsRelease {
    let version_id = Some("12".to_owned());
    OsRelease { id: "debian".to_owned(), version_id, ..OsRelease::default() }
}

fn bill<'a>(packages: &'a [Package], os: Option<&'a OsRelease>) -> Bill<'a> {
    Bill {
        image: "registry.example.org/team/app",
        digest: DIGEST,
        os,
        packages,
        created: 1_704_164_645_999,
        serial: "3e671687-395b-41f5-a30f-a58921a69b79",
        tool_version: "0.1.0",
    }
}

fn written(format: Format) -> Value {
    let (packages, os) = (packages(), os());
    serde_json::from_slice(&bill(&packages, Some(&os)).write(format)).expect("JSON")
}

const IMAGE_PURL: &str = "pkg:oci/app@sha256%3Aba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad?repository_url=registry.example.org%2Fteam%2Fapp";

#[test]
fn cyclonedx() {
    for (format, version) in [(Format::CycloneDx1_5, "1.5"), (Format::CycloneDx1_6, "1.6")] {
        let libssl = "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12&upstream=openssl";
        assert_eq!(
            written(format),
            json!({
                "$schema": format!("http://cyclonedx.org/schema/bom-{version}.schema.json"),
                "bomFormat": "CycloneDX",
                "specVersion": version,
                "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
                "version": 1,
                "metadata": {
                    "timestamp": "2024-01-02T03:04:05Z",
                    "tools": {"components": [{"type": "application", "name": "tonnage", "version": "0.1.0"}]},
                    "component": {
                        "bom-ref": IMAGE_PURL,
                        "type": "container",
                        "name": "registry.example.org/team/app",
                        "version": DIGEST,
                        "hashes": [{"alg": "SHA-256", "content": DIGEST.trim_start_matches("sha256:")}],
                        "purl": IMAGE_PURL,
                    },
                },
                "components": [
                    {"bom-ref": "os:debian-12", "type": "operating-system", "name": "debian", "version": "12"},
                    {
                        "bom-ref": libssl, "type": "library", "name": "libssl3", "version": "3.0.11-1",
                        "licenses": [{"license": {"name": "MIT OR Apache-2.0"}}],
                        "purl": libssl,
                        "evidence": {"occurrences": [{"location": "var/lib/dpkg/status"}]},
                        "properties": [{"name": "tonnage:source", "value": "openssl 3.0.11-1"}],
                    },
                    {
                        "bom-ref": "pkg:golang/example.org/%C3%A9", "type": "library",
                        "name": "example.org/é", "purl": "pkg:golang/example.org/%C3%A9",
                    },
                    {
                        "bom-ref": "pkg:maven/org.a/b@1", "type": "library", "group": "org.a", "name": "b",
                        "version": "1", "purl": "pkg:maven/org.a/b@1",
                        "licenses": [{"license": {"name": "My own \"licence\""}}],
                    },
                    {
                        "bom-ref": "pkg:npm/left-pad@1.3.0", "type": "library", "name": "left-pad",
                        "version": "1.3.0", "purl": "pkg:npm/left-pad@1.3.0",
                        "evidence": {"occurrences": [
                            {"location": "a/node_modules/left-pad/package.json"},
                            {"location": "b/node_modules/left-pad/package.json"},
                        ]},
                    },
                ],
                "dependencies": [{"ref": IMAGE_PURL, "dependsOn": [
                    "os:debian-12", libssl, "pkg:golang/example.org/%C3%A9", "pkg:maven/org.a/b@1",
                    "pkg:npm/left-pad@1.3.0",
                ]}],
            })
        );
    }
}

#[test]
fn spdx() {
    let document = written(Format::Spdx2_3);
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
    assert_eq!(document["documentNamespace"], "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79");
    assert_eq!(
        document["creationInfo"],
        json!({"created": "2024-01-02T03:04:05Z", "creators": ["Tool: tonnage-0.1.0"]})
    );
    assert_eq!(
        document["packages"][0],
        json!({
            "SPDXID": "SPDXRef-Image", "name": "registry.example.org/team/app", "versionInfo": DIGEST,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
            "primaryPackagePurpose": "CONTAINER",
            "checksums": [{"algorithm": "SHA256", "checksumValue": DIGEST.trim_start_matches("sha256:")}],
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                "referenceLocator": IMAGE_PURL}],
        })
    );
    let packages = document["packages"].as_array().expect("packages");
    let column = |field: &str| -> Vec<&str> {
        packages.iter().map(|package| package[field].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(
        column("SPDXID"),
        [
            "SPDXRef-Image",
            "SPDXRef-OperatingSystem",
            "SPDXRef-Package-1",
            "SPDXRef-Package-2",
            "SPDXRef-Package-3",
            "SPDXRef-Package-4"
        ]
    );
    assert_eq!(
        column("name"),
        [
            "registry.example.org/team/app",
            "debian",
            "libssl3",
            "example.org/é",
            "org.a:b",
            "left-pad"
        ]
    );
    let extracted = &document["hasExtractedLicensingInfos"];
    let own = extracted[0]["licenseId"].as_str().expect("a name");
    assert_eq!(extracted.as_array().map(Vec::len), Some(1));
    assert_eq!(extracted[0]["extractedText"], "My own \"licence\"");
    assert_eq!(
        column("licenseDeclared"),
        ["NOASSERTION", "NOASSERTION", "MIT OR Apache-2.0", "NOASSERTION", own, "NOASSERTION"]
    );
    assert_eq!(
        column("sourceInfo"),
        [
            "",
            "",
            "built from openssl 3.0.11-1; found in var/lib/dpkg/status",
            "",
            "",
            "found in a/node_modules/left-pad/package.json, b/node_modules/left-pad/package.json"
        ]
    );
    let relationships = document["relationships"].as_array().expect("relationships");
    assert_eq!(relationships.len(), packages.len());
    assert_eq!(relationships[0]["relationshipType"], "DESCRIBES");
    for (relationship, package) in relationships.iter().zip(packages) {
        assert_eq!(relationship["relatedSpdxElement"], package["SPDXID"]);
    }
}

#[test]
fn the_same_bill_gives_the_same_bytes() {
    let (mut packages, os) = (packages(), os());
    for format in Format::ALL {
        let first = bill(&packages, Some(&os)).write(format);
        packages.reverse();
        assert_eq!(bill(&packages, Some(&os)).write(format), first);
    }
}

#[test]
fn empty_images() {
    for format in Format::ALL {
        let text = bill(&[], None).write(format);
        serde_json::from_slice::<Value>(&text).expect("JSON");
    }
}
