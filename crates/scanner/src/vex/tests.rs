use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{PackageType, SourcePackage};

const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn read(document: &Value) -> Document {
    parse(document.to_string().as_bytes()).expect("a document")
}

fn openvex(statements: &Value) -> Document {
    read(&json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "Example",
        "timestamp": "2024-01-01T00:00:00Z",
        "version": 1,
        "statements": statements,
    }))
}

/// libssl3 of Debian 12, built from openssl, in an image.
fn package() -> (Package, OsRelease) {
    let package = Package {
        architecture: Some("amd64".to_owned()),
        source: Some(SourcePackage { name: "openssl".to_owned(), version: "3.0.11-1".to_owned() }),
        ..Package::new(PackageType::Deb, "libssl3", "3.0.11-1")
    };
    let version_id = Some("12".to_owned());
    (package, OsRelease { id: "debian".to_owned(), version_id, ..OsRelease::default() })
}

fn outcome<'a>(documents: &'a [Document], flaw: &[&str]) -> Option<Decision<'a>> {
    outcome_at(documents, flaw, Some(Place::At("registry.example.org/team/app")))
}

fn outcome_at<'a>(
    documents: &'a [Document],
    flaw: &[&str],
    place: Option<Place<'_>>,
) -> Option<Decision<'a>> {
    let (package, os) = package();
    decide(documents, flaw, &Target::new(&[DIGEST], place, &package, Some(&os)))
}

#[test]
fn repositories() {
    let at = Some(Place::At("registry.example.org/team/app"));
    let named = Some(Place::Named("team/app"));
    for (product, places) in [
        ("pkg:oci/app", [false, true, false]),
        ("pkg:oci/team/app", [false, true, false]),
        ("pkg:oci/team", [false, false, false]),
        ("pkg:oci/app?tag=v1", [false, false, false]),
        ("pkg:oci/app?repository_url=registry.example.org/team/app", [true, true, false]),
        ("pkg:oci/app?repository_url=https://other.example.org/team/app", [false, true, false]),
        ("pkg:oci/app?repository_url=team/app", [false, true, false]),
        ("pkg:oci/app?repository_url=registry.example.org/app", [false, false, false]),
        ("pkg:oci/app?repository_url=registry.example.org/a/team/app", [false, false, false]),
        ("pkg:deb/debian/openssl", [true, true, true]),
    ] {
        let documents = [openvex(&json!([{
            "vulnerability": "CVE-2026-0001",
            "products": [product],
            "status": "not_affected",
        }]))];
        let found = [at, named, None]
            .map(|place| outcome_at(&documents, &["CVE-2026-0001"], place).is_some());
        assert_eq!(found, places, "{product}");
    }
}

#[test]
fn products() {
    let whole = |id: &str| json!({"@id": id});
    let part = |id: &str, part: &str| json!({"@id": id, "subcomponents": [{"@id": part}]});
    let image = format!("pkg:oci/app@{}", DIGEST.replace(':', "%3A"));
    let repository = "pkg:oci/app?repository_url=registry.example.org/team/app";
    for (product, expected) in [
        (whole(&image), true),
        (whole(&format!("registry.example.org/other@{DIGEST}")), true),
        (whole(DIGEST), true),
        (json!(image), true),
        (json!({"identifiers": {"purl": image}}), true),
        (json!({"hashes": {"sha-256": HASH}}), true),
        (json!({"hashes": {"sha-256": "0".repeat(64)}}), false),
        (whole("pkg:oci/app@sha256%3Aabc"), false),
        (whole(repository), true),
        (whole("pkg:oci/app?repository_url=https://registry.example.org/team/app/"), true),
        (whole(&format!("{repository}&tag=v1")), false),
        (whole("pkg:oci/app"), false),
        (whole("pkg:oci/app?repository_url=registry.example.org/other/app"), false),
        (part(&image, "pkg:deb/debian/libssl3"), true),
        (part(&image, "pkg:deb/debian/openssl@3.0.11-1?arch=source"), true),
        (part(&image, "pkg:deb/debian/libssl3@3.0.11-2"), false),
        (part(&image, "pkg:deb/debian/curl"), false),
        (part("pkg:oci/other@sha256%3Aabc", "pkg:deb/debian/libssl3"), false),
        (whole("pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"), true),
        (whole("pkg:deb/debian/openssl"), true),
        (whole("pkg:deb/ubuntu/openssl"), false),
        (part("pkg:deb/debian/openssl", "pkg:npm/a"), false),
        (json!({}), false),
        (whole("whatever"), false),
    ] {
        let documents = [openvex(&json!([{
            "vulnerability": {"name": "CVE-2024-0001"},
            "products": [product],
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
        }]))];
        let found = outcome(&documents, &["CVE-2024-0001"]);
        assert_eq!(found.is_some(), expected, "{product}");
        if let Some(decision) = found {
            assert!(decision.statement.status.suppresses());
            let justification = decision.statement.justification.as_deref();
            assert_eq!(justification, Some("vulnerable_code_not_present"));
        }
    }
}

#[test]
fn statements() {
    let say = |flaw: Value, status: &str, time: &str| json!({"vulnerability": flaw, "products": [DIGEST], "status": status, "timestamp": time});
    let (early, late) = ("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
    let name = json!("CVE-2024-0001");
    for (statements, expected) in [
        (vec![], None),
        (vec![say(name.clone(), "affected", early)], Some(VexStatus::Affected)),
        (vec![say(name.clone(), "fixed", early)], Some(VexStatus::Fixed)),
        (
            vec![say(name.clone(), "under_investigation", early)],
            Some(VexStatus::UnderInvestigation),
        ),
        (vec![say(name.clone(), "nonsense", early)], None),
        (vec![say(json!("CVE-2024-0002"), "fixed", early)], None),
        (vec![say(json!({"name": "cve-2024-0001"}), "fixed", early)], Some(VexStatus::Fixed)),
        (
            vec![say(json!({"name": "X-1", "aliases": ["GHSA-1"]}), "fixed", early)],
            Some(VexStatus::Fixed),
        ),
        (
            vec![say(
                json!({"@id": "https://nvd.example.org/vuln/detail/CVE-2024-0001"}),
                "fixed",
                early,
            )],
            Some(VexStatus::Fixed),
        ),
        (vec![say(json!({}), "fixed", early)], None),
        (
            vec![say(name.clone(), "not_affected", late), say(name.clone(), "affected", early)],
            Some(VexStatus::NotAffected),
        ),
        (
            vec![say(name.clone(), "not_affected", early), say(name.clone(), "affected", late)],
            Some(VexStatus::Affected),
        ),
        (
            vec![say(name.clone(), "affected", early), say(name.clone(), "not_affected", early)],
            Some(VexStatus::NotAffected),
        ),
        // Without a time of its own a statement is as old as its document.
        (
            vec![
                say(name.clone(), "affected", ""),
                say(name.clone(), "fixed", "2023-01-01T00:00:00Z"),
            ],
            Some(VexStatus::Affected),
        ),
    ] {
        let documents = [openvex(&json!(statements))];
        let found = outcome(&documents, &["CVE-2024-0001", "GHSA-1"]);
        assert_eq!(found.map(|decision| decision.statement.status), expected, "{statements:?}");
    }
}

#[test]
fn first_version_of_openvex() {
    let documents = [read(&json!({
        "@context": "https://openvex.dev/ns",
        "@id": "vex-1",
        "statements": [{
            "vulnerability": "CVE-2024-0001",
            "products": [DIGEST],
            "subcomponents": ["pkg:deb/debian/libssl3"],
            "status": "not_affected",
            "impact_statement": "never called",
        }],
    }))];
    let decision = outcome(&documents, &["CVE-2024-0001"]).expect("a decision");
    assert_eq!(decision.statement.note, "never called");
    assert_eq!(decision.document.id, "vex-1");
}

fn csaf(tree: &Value, flaw: &Value) -> Value {
    json!({
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "publisher": {"category": "vendor", "name": "Example"},
            "title": "…",
            "tracking": {"id": "EX-1", "current_release_date": "2024-02-01T00:00:00Z", "status": "final"},
        },
        "product_tree": tree,
        "vulnerabilities": [flaw],
    })
}

#[test]
fn csaf_products() {
    let purl = |id: &str, purl: &str| json!({"product_id": id, "name": id, "product_identification_helper": {"purl": purl}});
    let plain = |id: &str| json!({"product_id": id, "name": id});
    let branch = |product: Value| {
        json!({"category": "vendor", "name": "Example", "branches": [
            {"category": "product_version", "name": "1", "product": product}
        ]})
    };
    let within = |id: &str, component: &str, whole: &str| {
        json!({"category": "default_component_of", "full_product_name": plain(id),
            "product_reference": component, "relates_to_product_reference": whole})
    };
    let image = format!("pkg:oci/app@{}", DIGEST.replace(':', "%3A"));
    let library = "pkg:deb/debian/libssl3@3.0.11-1";
    let hashed = json!({"product_id": "P", "name": "P", "product_identification_helper": {"hashes": [
        {"filename": "app", "file_hashes": [{"algorithm": "sha256", "value": HASH}]}
    ]}});
    for (tree, expected) in [
        (json!({"branches": [branch(purl("P", &image))]}), true),
        (json!({"full_product_names": [purl("P", library)]}), true),
        (json!({"full_product_names": [hashed]}), true),
        (json!({"full_product_names": [purl("Q", library)]}), false),
        (json!({"full_product_names": [plain("P")]}), false),
        (json!({}), false),
        (
            json!({"branches": [branch(purl("I", &image)), branch(purl("C", "pkg:deb/debian/libssl3"))],
                "relationships": [within("P", "C", "I")]}),
            true,
        ),
        (
            json!({"branches": [branch(purl("I", &image)), branch(purl("C", "pkg:deb/debian/curl"))],
                "relationships": [within("P", "C", "I")]}),
            false,
        ),
        // A release that nothing recognises: only the exact version of the component counts.
        (
            json!({"branches": [branch(plain("I")), branch(purl("C", library))],
                "relationships": [within("P", "C", "I")]}),
            true,
        ),
        (
            json!({"branches": [branch(plain("I")), branch(purl("C", "pkg:deb/debian/libssl3"))],
                "relationships": [within("P", "C", "I")]}),
            false,
        ),
    ] {
        let document = csaf(
            &tree,
            &json!({
                "cve": "CVE-2024-0001",
                "ids": [{"system_name": "GHSA", "text": "GHSA-1"}],
                "product_status": {"known_not_affected": ["P"]},
                "flags": [{"label": "component_not_present", "product_ids": ["P"]}],
                "threats": [
                    {"category": "exploit_status", "details": "none", "product_ids": ["P"]},
                    {"category": "impact", "details": "not called", "product_ids": ["P"]},
                ],
            }),
        );
        let documents = [read(&document)];
        let found = outcome(&documents, &["GHSA-1"]);
        assert_eq!(found.is_some(), expected, "{tree}");
        if let Some(Decision { statement, document }) = found {
            assert_eq!(statement.status, VexStatus::NotAffected);
            assert_eq!(statement.justification.as_deref(), Some("component_not_present"));
            assert_eq!(statement.note, "not called");
            assert_eq!((&*document.id, &*document.author), ("EX-1", "Example"));
            assert_eq!(document.issued, Some(1_706_745_600_000));
        }
    }
}

#[test]
fn csaf_states() {
    let tree = json!({
        "full_product_names": [{"product_id": "P", "name": "P",
            "product_identification_helper": {"purl": "pkg:deb/debian/libssl3"}}],
        "product_groups": [{"group_id": "G", "product_ids": ["P"]}],
    });
    for (state, expected) in [
        ("known_not_affected", Some(VexStatus::NotAffected)),
        ("fixed", Some(VexStatus::Fixed)),
        ("first_fixed", Some(VexStatus::Fixed)),
        ("known_affected", Some(VexStatus::Affected)),
        ("first_affected", Some(VexStatus::Affected)),
        ("last_affected", Some(VexStatus::Affected)),
        ("under_investigation", Some(VexStatus::UnderInvestigation)),
        ("recommended", None),
    ] {
        let document = csaf(
            &tree,
            &json!({
                "cve": "CVE-2024-0001",
                "product_status": {state: ["P"]},
                "flags": [{"label": "inline_mitigations_already_exist", "group_ids": ["G"]}],
                "remediations": [{"category": "workaround", "details": "do this", "group_ids": ["G"]}],
            }),
        );
        let documents = [read(&document)];
        let statement = outcome(&documents, &["CVE-2024-0001"]).map(|decision| decision.statement);
        assert_eq!(statement.map(|statement| statement.status), expected, "{state}");
        if let Some(statement) = statement {
            let label = statement.justification.as_deref();
            assert_eq!(label, Some("inline_mitigations_already_exist"));
            let note = if state == "known_not_affected" { "" } else { "do this" };
            assert_eq!(statement.note, note, "{state}");
        }
    }
    let flaw = json!({"cve": "CVE-2024-0001", "product_status": {"fixed": ["P"]}});
    let mut draft = csaf(&tree, &flaw);
    draft["document"]["tracking"]["status"] = json!("draft");
    assert_eq!(read(&draft).statements, []);
}

#[test]
fn no_documents() {
    for text in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"statements":1}"#.to_owned(),
        r#"{"document":{}}"#.to_owned(),
        r#"{"document":{"tracking":{"id":""}}}"#.to_owned(),
        format!(r#"{{"statements":[{}]}}"#, "[".repeat(10_000)),
        json!({"document": {"tracking": {"id": "A"}}, "product_tree": {"branches": nested(200)}})
            .to_string(),
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{}", text.get(..80).unwrap_or(&text));
    }
}

/// Branches in branches.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!([]), |inner, _| json!([{"branches": inner}]))
}

#[test]
fn too_much() {
    let parts = vec!["pkg:npm/a"; 2_000];
    let products: Vec<Value> =
        (0..501).map(|_| json!({"@id": "pkg:npm/b", "subcomponents": parts})).collect();
    let document = json!({"statements": [
        {"vulnerability": "CVE-2024-0001", "products": products, "status": "fixed"}
    ]});
    let error = parse(document.to_string().as_bytes()).expect_err("too many").to_string();
    assert!(error.contains("products; at most"), "{error}");
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "\\PC{0,60}") {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
        let _ = parse(json!({"statements": [{"vulnerability": text, "products": [text], "status": "fixed"}]}).to_string().as_bytes());
    }
}
