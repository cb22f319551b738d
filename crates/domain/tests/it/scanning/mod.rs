//! Scanning of images: which are scanned when, what is found, and what is told of it.

mod external;
mod finding;
mod following;
mod origins;
mod public;
mod sboms;
mod suppression;
mod vex_documents;
mod world;

use serde_json::{Value, json};
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::images::batch_get_image::BatchGetImage;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::describe_image_scan_findings::{
    DescribeImageScanFindings, ScanFindings,
};
use tonnage_domain::scanning::sboms::Format;
use tonnage_domain::scanning::sboms::get_image_sbom::GetImageSbom;
use tonnage_domain::scanning::state::ScanStatus;
use tonnage_domain::scanning::{ScanFrequency, ScanType};

use self::world::{BOOKWORM, blob, debian, dpkg, layer, npm};
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_digest, by_tag, check_error, check_kind, page};

fn debian_advisory(id: &str, package: &str, fixed: Option<&str>, severity: &str) -> Value {
    let mut events = vec![json!({"introduced": "0"})];
    events.extend(fixed.map(|fixed| json!({"fixed": fixed})));
    json!({
        "id": format!("DEBIAN-{id}"),
        "upstream": [id],
        "modified": "2026-01-02T03:04:05Z",
        "published": "2026-01-01T00:00:00Z",
        "details": format!("A flaw of {package}."),
        "affected": [{
            "package": {"ecosystem": "Debian:12", "name": package},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
            "ecosystem_specific": {"urgency": severity},
        }],
    })
}

fn npm_advisory(id: &str, cve: &str, package: &str, fixed: &str) -> Value {
    json!({
        "id": id,
        "aliases": [cve],
        "modified": "2026-01-02T03:04:05Z",
        "summary": "Prototype pollution",
        "severity": [
            {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
        ],
        "affected": [{
            "package": {"ecosystem": "npm", "name": package},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        }],
    })
}

/// `name severity package version` of each finding, in their order.
fn found(findings: &ScanFindings) -> Vec<String> {
    let items = findings.findings.items.iter();
    items
        .map(|stored| {
            let finding = &stored.finding;
            let packages: Vec<String> = finding
                .packages
                .iter()
                .map(|package| {
                    let fixed = package.fixed_version.as_deref().unwrap_or("-");
                    format!("{} {} -> {fixed}", package.name, package.version)
                })
                .collect();
            format!("{} {} {}", finding.name, finding.severity, packages.join(", "))
        })
        .collect()
}

fn status(findings: &ScanFindings) -> (ScanStatus, &str) {
    (findings.scan.status, &findings.scan.description)
}

async fn events(registry: &Registry, kind: &str) -> Vec<Value> {
    let rows = registry.rows("SELECT kind, payload FROM outbox ORDER BY id").await;
    let of_kind = rows.iter().filter(|row| row[0] == kind);
    of_kind.map(|row| serde_json::from_str(&row[1]).unwrap()).collect()
}

/// What a basic scan of an image of these layers comes to.
async fn check_basic(
    registry: &Registry,
    app: &RepositoryAddress,
    (tag, layers): (&str, &[&Blob]),
    (expected, description): (ScanStatus, &str),
    findings: &[&str],
) {
    registry.push_layers(app, tag, layers).await;
    registry.start_scan(app, by_tag(tag)).await.unwrap();
    drain(registry).await;
    let scanned = registry.findings(app, by_tag(tag)).await;
    let (status, found_description) = status(&scanned);
    assert_eq!(status, expected, "{tag}: {found_description}");
    assert!(found_description.contains(description), "{tag}: {found_description}");
    assert_eq!(found(&scanned), findings, "{tag}");
}

#[tokio::test]
async fn what_basic_scans_find() {
    use ScanStatus::{Complete, Failed};
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry
        .advise(&[
            debian_advisory("CVE-2026-0001", "glibc", Some("2.36-9+deb12u9"), "high"),
            debian_advisory("CVE-2026-0002", "glibc", None, "unimportant"),
            debian_advisory("CVE-2026-0003", "openssl", Some("3.0.11-1"), "medium"),
            npm_advisory("GHSA-1111-2222-3333", "CVE-2026-0004", "left-pad", "1.3.1"),
        ])
        .await;
    let glibc = |version| ("libc6", "glibc", version);
    let old = debian(&[glibc("2.36-9"), ("libc-bin", "glibc", "2.36-9")]);
    let new = debian(&[glibc("2.36-9+deb12u9")]);
    let upgraded = layer(&[("var/lib/dpkg/status", &dpkg(&[glibc("2.36-9+deb12u10")]))]);
    let removed = layer(&[("var/lib/dpkg/.wh.status", "")]);
    let distroless = layer(&[
        BOOKWORM,
        (
            "var/lib/dpkg/status.d/openssl",
            "Package: openssl\nVersion: 3.0.9-1\nArchitecture: amd64\n\n",
        ),
    ]);
    let done = (Complete, "The scan was completed successfully.");
    let unsupported = (
        Failed,
        "UnsupportedImageError: The operating system and/or package manager are not supported.",
    );
    let unfixed = "CVE-2026-0002 INFORMATIONAL glibc 2.36-9+deb12u9 -> -";
    for (tag, layers, expected, findings) in [
        (
            "old",
            vec![&old],
            done,
            vec![
                "CVE-2026-0001 HIGH glibc 2.36-9 -> 2.36-9+deb12u9",
                "CVE-2026-0002 INFORMATIONAL glibc 2.36-9 -> -",
            ],
        ),
        ("new", vec![&new], done, vec![unfixed]),
        (
            "upgraded",
            vec![&old, &upgraded],
            done,
            vec!["CVE-2026-0002 INFORMATIONAL glibc 2.36-9+deb12u10 -> -"],
        ),
        ("removed", vec![&old, &removed], done, vec![]),
        (
            "distroless",
            vec![&distroless],
            done,
            vec!["CVE-2026-0003 MEDIUM openssl 3.0.9-1 -> 3.0.11-1"],
        ),
        // Packages of languages are for enhanced scanning.
        ("npm", vec![&npm("left-pad", "1.0.0")], unsupported, vec![]),
        ("debian-npm", vec![&new, &npm("left-pad", "1.0.0")], done, vec![unfixed]),
        ("empty", vec![&layer(&[])], unsupported, vec![]),
        (
            "plan9",
            vec![&layer(&[("etc/os-release", "ID=plan9\nVERSION_ID=4\n")])],
            unsupported,
            vec![],
        ),
    ] {
        check_basic(&registry, &app, (tag, &layers), expected, &findings).await;
    }
}

#[tokio::test]
async fn broken_layers_fail_with_a_reason() {
    use ScanStatus::Failed;
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let whole = debian(&[("libc6", "glibc", "2.36-9")]);
    let cut = blob(whole.bytes[..whole.bytes.len() - 1400].to_vec());
    let not_gzip = blob([&[0x1f, 0x8b, 8, 0][..], &[0xff; 900]].concat());
    let noise = Blob::new("noise", 4096);
    for (tag, layer) in [("cut", &cut), ("not-gzip", &not_gzip), ("noise", &noise)] {
        let expected = (Failed, "The layer sha256:");
        check_basic(&registry, &app, (tag, &[layer]), expected, &[]).await;
    }
    // Of a system that no advisory was loaded for nothing is said, and so nothing good either.
    let alpine = layer(&[
        ("etc/os-release", "ID=alpine\nVERSION_ID=3.19.1\n"),
        ("lib/apk/db/installed", "P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\n"),
    ]);
    let expected = (Failed, "No advisories for Alpine:v3.19 were loaded");
    check_basic(&registry, &app, ("alpine", &[&alpine]), expected, &[]).await;
    // Nobody who pulls them notices anything.
    registry.check_images(&app).await;
}

#[tokio::test]
async fn a_layer_is_read_once() {
    let registry = Registry::new().await;
    let (one, two) = (registry.create("one").await, registry.create("two").await);
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    registry.push_layers(&one, "a", &[&base]).await;
    registry.push_layers(&two, "b", &[&base, &npm("left-pad", "1.0.0")]).await;
    for (repository, tag) in [(&one, "a"), (&two, "b")] {
        registry.start_scan(repository, by_tag(tag)).await.unwrap();
        drain(&registry).await;
        registry.clock.advance_milliseconds(1);
    }
    let indexes = registry.rows("SELECT indexed_at FROM layer_indexes ORDER BY indexed_at").await;
    assert_eq!(indexes.len(), 2);
    assert_ne!(indexes[0], indexes[1]);
    // What is known of a layer goes with it.
    for name in ["one", "two"] {
        registry.delete(name, true).await.unwrap();
    }
    registry.check_no_orphans().await;
    registry.clock.advance_seconds(24 * 3600);
    drain(&registry).await;
    for table in [
        registry.rows("SELECT id FROM package_versions").await,
        registry.rows("SELECT blob_id FROM layer_indexes").await,
        registry.rows("SELECT image_id FROM image_scans").await,
        registry.rows("SELECT image_id FROM image_findings").await,
        registry.rows("SELECT image_id FROM image_packages").await,
    ] {
        assert_eq!(table, Vec::<Vec<String>>::new());
    }
}

#[tokio::test]
async fn scans_on_request() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    let image = registry.push_layers(&app, "v1", &[&base]).await;
    let describe = DescribeImageScanFindings {
        repository: app.clone(),
        id: by_tag("v1"),
        page: page(None, 10),
    };
    check_error(
        registry.run(describe).await,
        ErrorKind::ScanNotFound,
        &format!(
            "Image scan does not exist for the image with '{{imageDigest:'{}', imageTag:'v1'}}' in \
             the repository with name 'app' in the registry with id '123456789012'",
            image.digest
        ),
    );
    assert_eq!(registry.start_scan(&app, by_tag("v1")).await.unwrap(), image.digest);
    let scanned = registry.findings(&app, by_digest(&image.digest)).await;
    assert_eq!(status(&scanned), (ScanStatus::InProgress, ""));
    drain(&registry).await;
    let scanned = registry.findings(&app, by_tag("v1")).await;
    assert_eq!(found(&scanned), ["CVE-2026-0001 HIGH glibc 2.36-9 -> -"]);
    assert_eq!(scanned.image.digest, image.digest);
    assert!(scanned.scan.source_updated_at.is_some());

    // Once a day.
    let quota = "The scan quota per image has been exceeded. Wait and try again.";
    for seconds in [0, 24 * 3600 - 1] {
        registry.clock.advance_seconds(seconds);
        let again = registry.start_scan(&app, by_tag("v1")).await;
        check_error(again, ErrorKind::LimitExceeded, quota);
    }
    registry.clock.advance_seconds(1);
    registry.start_scan(&app, by_tag("v1")).await.unwrap();
    drain(&registry).await;
    let again = registry.findings(&app, by_tag("v1")).await;
    let times = |scanned: &ScanFindings| {
        let stored = &scanned.findings.items[0];
        (stored.first_observed_at, stored.last_observed_at, stored.updated_at)
    };
    assert_eq!(times(&again).0, times(&scanned).0);
    assert_eq!(times(&again).2, times(&scanned).2);
    assert!(times(&again).1 > times(&scanned).1);

    // What is no image is not scanned.
    let index = Pushed::index(&[&image]);
    registry.put(&app, &index, Some("index")).await.unwrap();
    check_kind(registry.start_scan(&app, by_tag("index")).await, ErrorKind::UnsupportedImageType);
    check_kind(registry.start_scan(&app, by_tag("absent")).await, ErrorKind::ImageNotFound);
    let events = events(&registry, "image-scanned").await;
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[0],
        json!({
            "kind": "image-scanned",
            "scan-status": "COMPLETE",
            "repository-name": "app",
            "finding-severity-counts": {"HIGH": 1},
            "image-digest": image.digest.as_str(),
            "image-tags": ["v1"],
        })
    );
}

#[tokio::test]
async fn scans_of_pushes() {
    use ScanFrequency::{ContinuousScan, ScanOnPush};
    use ScanType::{Basic, Enhanced};
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    let complete = ScanStatus::Complete;
    for (tag, scan_type, frequency, waiting, done) in [
        ("basic", Basic, ScanOnPush, ScanStatus::InProgress, complete),
        ("enhanced", Enhanced, ScanOnPush, ScanStatus::Pending, complete),
        ("continuous", Enhanced, ContinuousScan, ScanStatus::Pending, ScanStatus::Active),
    ] {
        registry.scan_by(scan_type, frequency).await;
        registry.push_layers(&app, tag, &[&base]).await;
        assert_eq!(registry.findings(&app, by_tag(tag)).await.scan.status, waiting, "{tag}");
        drain(&registry).await;
        let scanned = registry.findings(&app, by_tag(tag)).await;
        assert_eq!(scanned.scan.status, done, "{tag}");
        assert_eq!(scanned.findings.items.len(), 1, "{tag}");
        assert_eq!(scanned.scan.platform, "DEBIAN_12");
    }
    check_error(
        registry.start_scan(&app, by_tag("continuous")).await,
        ErrorKind::ScanningUnavailable,
        "This feature is disabled",
    );
    // Images tell of enhanced scans only, and only while these are on.
    let describe = |tag| DescribeImages {
        repository: app.clone(),
        ids: vec![by_tag(tag)],
        tag_status: tonnage_domain::images::list_images::TagStatus::Any,
        image_status: tonnage_domain::images::ImageStatusFilter::default(),
        page: page(None, 1),
    };
    let of = async |tag| registry.run(describe(tag)).await.unwrap().items.remove(0).scan;
    assert_eq!(of("continuous").await.unwrap().status, ScanStatus::Active);
    registry.scan_by(Basic, ScanOnPush).await;
    assert_eq!(of("continuous").await, None);
}

#[tokio::test]
async fn enhanced_scans_follow_the_advisories() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let base = debian(&[("libc6", "glibc", "2.36-9"), ("libc-bin", "glibc", "2.36-9")]);
    let image = registry.push_layers(&app, "v1", &[&base, &npm("left-pad", "1.0.0")]).await;
    registry.push_layers(&app, "other", &[&debian(&[("bash", "bash", "5.2-1")])]).await;
    drain(&registry).await;
    let both = "libc-bin 2.36-9 -> -, libc6 2.36-9 -> -";
    let first = format!("CVE-2026-0001 HIGH {both}");
    assert_eq!(found(&registry.findings(&app, by_tag("v1")).await), [first.as_str()]);
    let created = events(&registry, "finding-changed").await;
    assert_eq!(created.len(), 1);
    assert_eq!(created[0]["status"], "ACTIVE");
    assert_eq!(created[0]["title"], "CVE-2026-0001 - libc-bin, libc6");
    assert_eq!(created[0]["image-digest"], image.digest.as_str());

    // Something new is known of a package of a language, and of one that no image has.
    registry
        .advise(&[
            npm_advisory("GHSA-1111-2222-3333", "CVE-2026-0004", "left-pad", "1.3.1"),
            debian_advisory("CVE-2026-0005", "zlib", None, "high"),
        ])
        .await;
    follow(&registry).await;
    let scanned = registry.findings(&app, by_tag("v1")).await;
    let second = "CVE-2026-0004 CRITICAL left-pad 1.0.0 -> 1.3.1";
    assert_eq!(found(&scanned), [second, first.as_str()]);
    assert_eq!(scanned.scan.status, ScanStatus::Active);
    assert_eq!(events(&registry, "finding-changed").await.len(), 2);
    // The image of which nothing new is known was not looked at again.
    assert_eq!(events(&registry, "enhanced-scan-completed").await.len(), 2);

    // It was a mistake.
    let mut withdrawn = debian_advisory("CVE-2026-0001", "glibc", Some("2.30-1"), "high");
    withdrawn["modified"] = "2026-02-01T00:00:00Z".into();
    registry.advise(&[withdrawn]).await;
    follow(&registry).await;
    assert_eq!(found(&registry.findings(&app, by_tag("v1")).await), [second]);
    let changed = events(&registry, "finding-changed").await;
    assert_eq!(changed.len(), 3);
    assert_eq!(changed[2]["status"], "CLOSED");
    assert_eq!(changed[2]["finding-arn"], changed[0]["finding-arn"]);
}

/// An image that follows the advisories has what a scan of the same layers finds anew, after each
/// of these changes, and tells of as many.
#[tokio::test]
async fn following_comes_to_the_same_as_scanning() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let base = debian(&[
        ("libc6", "glibc", "2.36-9"),
        ("libc-bin", "glibc", "2.36-9"),
        ("libssl3", "openssl", "3.0.9-1"),
    ]);
    let layers = [&base, &npm("left-pad", "1.0.0"), &npm("right-pad", "1.0.0")];
    registry.push_layers(&app, "v1", &layers).await;
    drain(&registry).await;
    let mut told = events(&registry, "finding-changed").await.len();
    assert_eq!(told, 1);
    let ghsa = |id: &str, package: &str| npm_advisory(id, "CVE-2026-0004", package, "1.3.1");
    let mut described = debian_advisory("CVE-2026-0002", "openssl", Some("3.0.10-1"), "low");
    described["details"] = "Other words.".into();
    let mut nameless = ghsa("GHSA-3333-3333-3333", "left-pad");
    nameless["aliases"] = json!([]);
    for (number, (advisory, expected)) in [
        (debian_advisory("CVE-2026-0002", "openssl", None, "low"), 1),
        // Another flaw of the same package changes nothing of the first.
        (debian_advisory("CVE-2026-0003", "glibc", Some("2.36-10"), "medium"), 1),
        (debian_advisory("CVE-2026-0002", "openssl", Some("3.0.10-1"), "low"), 1),
        // Words that no finding stands or falls with.
        (described, 0),
        (debian_advisory("CVE-2026-0002", "openssl", Some("3.0.10-1"), "high"), 1),
        // One flaw of two packages, then of one.
        (ghsa("GHSA-1111-1111-1111", "left-pad"), 1),
        (ghsa("GHSA-2222-2222-2222", "right-pad"), 1),
        (npm_advisory("GHSA-1111-1111-1111", "CVE-2026-0004", "left-pad", "0.1.0"), 1),
        (nameless, 1),
        (debian_advisory("CVE-2026-0009", "openssl", Some("3.0.1-1"), "high"), 0),
        (debian_advisory("CVE-2026-0001", "glibc", Some("2.1-1"), "high"), 1),
    ]
    .into_iter()
    .enumerate()
    {
        registry.advise(std::slice::from_ref(&advisory)).await;
        follow(&registry).await;
        let changed = events(&registry, "finding-changed").await;
        assert_eq!(changed.len() - told, expected, "{number}: {changed:#?}");
        let followed = registry.findings(&app, by_tag("v1")).await;
        registry.push_layers(&app, "fresh", &layers).await;
        drain(&registry).await;
        let fresh = registry.findings(&app, by_tag("fresh")).await;
        let of = |scanned: &ScanFindings| {
            let items = scanned.findings.items.iter();
            items.map(|it| it.finding.clone()).collect::<Vec<_>>()
        };
        if expected > 0 {
            assert_eq!(of(&followed), of(&fresh), "{number}");
        }
        assert_eq!(followed.scan.counts, fresh.scan.counts, "{number}");
        assert_eq!(followed.scan.fixable, fresh.scan.fixable, "{number}");
        registry.batch_delete(&app, vec![by_digest(&fresh.image.digest)]).await.unwrap();
        told = events(&registry, "finding-changed").await.len();
    }

    // A run that broke off after it had begun is done again, and nothing is told twice.
    let unsettle = "UPDATE package_versions SET unsettled = 1, matches = 'CVE-2026-0002 ?\n' \
                    WHERE name = 'openssl' AND ecosystem = 'Debian:12'";
    registry.write(&[(unsettle, Vec::new())]).await;
    registry.advise(&[debian_advisory("CVE-2026-0010", "openssl", Some("3.0.1-1"), "low")]).await;
    follow(&registry).await;
    let followed = registry.findings(&app, by_tag("v1")).await;
    assert_eq!(
        found(&followed),
        [
            "CVE-2026-0004 CRITICAL right-pad 1.0.0 -> 1.3.1",
            "GHSA-3333-3333-3333 CRITICAL left-pad 1.0.0 -> 1.3.1",
            "CVE-2026-0002 HIGH libssl3 3.0.9-1 -> 3.0.10-1",
            "CVE-2026-0003 MEDIUM libc-bin 2.36-9 -> 2.36-10, libc6 2.36-9 -> 2.36-10",
        ]
    );
    assert_eq!(events(&registry, "finding-changed").await.len(), told);
    let unsettled = registry.rows("SELECT id FROM package_versions WHERE unsettled = 1").await;
    assert_eq!(unsettled, Vec::<Vec<String>>::new());
}

/// Has the schedules run that are due, and what they cause.
async fn follow(registry: &Registry) {
    registry.clock.advance_seconds(60);
    drain(registry).await;
}

#[tokio::test]
async fn a_bill_of_materials_has_what_the_scan_saw() {
    let registry = Registry::new().await;
    let app = registry.create("team/app").await;
    let base = debian(&[("libc6", "glibc", "2.36-9"), ("libc-bin", "glibc", "2.36-9")]);
    let image = registry.push_layers(&app, "v1", &[&base, &npm("left-pad", "1.0.0")]).await;
    let bill =
        |tag: &str, format| GetImageSbom { repository: app.clone(), id: by_tag(tag), format };
    check_kind(registry.run(bill("v2", Format::Spdx2_3)).await, ErrorKind::ImageNotFound);
    check_kind(registry.run(bill("v1", Format::Spdx2_3)).await, ErrorKind::ScanNotFound);
    registry.start_scan(&app, by_tag("v1")).await.unwrap();
    drain(&registry).await;
    for format in Format::ALL {
        let sbom = registry.run(bill("v1", format)).await.unwrap();
        assert_eq!((&sbom.digest, sbom.packages), (&image.digest, 3), "{format:?}");
        let document: Value = serde_json::from_str(&sbom.document).unwrap();
        let list = if format == Format::Spdx2_3 { "packages" } else { "components" };
        let names: Vec<&str> = document[list]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect();
        for name in ["libc6", "libc-bin", "left-pad"] {
            assert!(names.contains(&name), "{format:?} {name}: {names:?}");
        }
    }
}

#[tokio::test]
async fn policies_ask_for_scans() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry
        .advise(&[
            debian_advisory("CVE-2026-0001", "glibc", Some("2.36-10"), "high"),
            debian_advisory("CVE-2026-0002", "zlib", None, "high"),
        ])
        .await;
    for (tag, name) in [("fixable", "glibc"), ("unfixable", "zlib"), ("clean", "bash")] {
        registry.push_layers(&app, tag, &[&debian(&[(name, name, "1.0-1")])]).await;
        registry.start_scan(&app, by_tag(tag)).await.unwrap();
    }
    drain(&registry).await;
    registry.push_layers(&app, "unscanned", &[&debian(&[("bash", "bash", "1.0-1")])]).await;
    for (name, condition, denied) in [
        (
            "severity",
            json!({"ForAnyValue:StringEquals": {"tonnage:ScanSeverity": ["HIGH", "CRITICAL"]}}),
            vec!["fixable", "unfixable"],
        ),
        (
            "fix",
            json!({"ForAnyValue:StringEquals": {"tonnage:FixableScanSeverity": "HIGH"}}),
            vec!["fixable"],
        ),
        (
            "scanned",
            json!({"StringNotEquals": {"tonnage:ScanStatus": ["COMPLETE", "ACTIVE"]}}),
            vec!["unscanned"],
        ),
    ] {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": "ecr:BatchGetImage",
                "Resource": "*",
                "Condition": condition,
            },
        ]});
        let puller = registry.principal(name, &document.to_string()).await;
        for tag in ["fixable", "unfixable", "clean", "unscanned"] {
            let get = BatchGetImage { repository: app.clone(), ids: vec![by_tag(tag)] };
            let kind = registry.run_as(&puller, get).await.err().map(|error| error.kind());
            let expected = denied.contains(&tag).then_some(ErrorKind::AccessDenied);
            assert_eq!(kind, expected, "{name} {tag}");
        }
    }
}

#[tokio::test]
async fn images_that_were_there_before() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    let image = registry.push_layers(&app, "v1", &[&base]).await;
    registry.put(&app, &Pushed::index(&[&image]), Some("index")).await.unwrap();
    for (frequency, status) in [
        (ScanFrequency::ContinuousScan, ScanStatus::Active),
        (ScanFrequency::ScanOnPush, ScanStatus::Complete),
        (ScanFrequency::ContinuousScan, ScanStatus::Active),
    ] {
        registry.scan_by(ScanType::Enhanced, frequency).await;
        drain(&registry).await;
        let scanned = registry.findings(&app, by_tag("v1")).await;
        assert_eq!(scanned.scan.status, status);
        assert_eq!(scanned.findings.items.len(), 1);
    }
    let rows = registry.rows("SELECT image_id FROM image_scans").await;
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn advisories_that_come_later() {
    // One of its packages is spoken of, though not this version; or one that it does not have.
    for package in ["glibc", "zlib"] {
        check_advisories_that_come_later(package).await;
    }
}

async fn check_advisories_that_come_later(package: &str) {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let base = debian(&[("libc6", "glibc", "2.36-9"), ("bash", "bash", "5.2-1")]);
    registry.push_layers(&app, "basic", &[&base]).await;
    registry.start_scan(&app, by_tag("basic")).await.unwrap();
    drain(&registry).await;
    assert_eq!(registry.findings(&app, by_tag("basic")).await.scan.status, ScanStatus::Failed);
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    drain(&registry).await;
    let failed = registry.findings(&app, by_tag("basic")).await;
    assert_eq!(failed.scan.status, ScanStatus::Failed);
    assert!(failed.scan.description.contains("No advisories for Debian:12"));

    registry.advise(&[debian_advisory("CVE-2026-0001", package, Some("0.1-1"), "high")]).await;
    follow(&registry).await;
    let scanned = registry.findings(&app, by_tag("basic")).await;
    assert_eq!(scanned.scan.status, ScanStatus::Active, "{package}");
    assert_eq!(found(&scanned), Vec::<String>::new());

    // A basic scan that failed may be asked for again at once, and one that did not may not.
    registry.scan_by(ScanType::Basic, ScanFrequency::Manual).await;
    registry.start_scan(&app, by_tag("basic")).await.unwrap();
    drain(&registry).await;
    assert_eq!(registry.findings(&app, by_tag("basic")).await.scan.status, ScanStatus::Complete);
    check_kind(registry.start_scan(&app, by_tag("basic")).await, ErrorKind::LimitExceeded);
}

#[tokio::test]
async fn archived_images_are_scanned_when_they_are_restored() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "bash", None, "high")]).await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    registry.push_layers(&app, "v1", &[&debian(&[("libc6", "glibc", "2.36-9")])]).await;
    drain(&registry).await;
    let keep = async |target| {
        let operation =
            UpdateImageStorageClass { repository: app.clone(), id: by_tag("v1"), target };
        registry.run(operation).await.unwrap();
    };
    keep(StorageClass::Archive).await;
    registry.advise(&[debian_advisory("CVE-2026-0002", "glibc", None, "high")]).await;
    follow(&registry).await;
    let archived = registry.findings(&app, by_tag("v1")).await;
    assert_eq!(archived.scan.status, ScanStatus::ImageArchived);
    assert_eq!(archived.findings.items, []);
    keep(StorageClass::Standard).await;
    drain(&registry).await;
    let restored = registry.findings(&app, by_tag("v1")).await;
    assert_eq!(restored.scan.status, ScanStatus::Active);
    assert_eq!(found(&restored), ["CVE-2026-0002 HIGH libc6 2.36-9 -> -"]);
}

#[tokio::test]
async fn pages_of_findings() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let advisories: Vec<Value> = (0..7)
        .map(|number| debian_advisory(&format!("CVE-2026-100{number}"), "glibc", None, "low"))
        .collect();
    registry.advise(&advisories).await;
    registry.push_layers(&app, "v1", &[&debian(&[("libc6", "glibc", "2.36-9")])]).await;
    registry.start_scan(&app, by_tag("v1")).await.unwrap();
    drain(&registry).await;
    let (mut after, mut names, mut sizes) = (None, Vec::new(), Vec::new());
    loop {
        let describe = DescribeImageScanFindings {
            repository: app.clone(),
            id: by_tag("v1"),
            page: page(after.as_deref(), 3),
        };
        let found = registry.run(describe).await.unwrap().findings;
        sizes.push(found.items.len());
        names.extend(found.items.into_iter().map(|stored| stored.finding.name));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(names, (0..7).map(|number| format!("CVE-2026-100{number}")).collect::<Vec<_>>());
}
