//! Images that follow the advisories while the store breaks, and while others change them.

use serde_json::json;
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::inspector::Found;
use tonnage_domain::inspector::list_findings::ListFindings;
use tonnage_domain::jobs::{Kind, Schedule, Worker};
use tonnage_domain::names::RepositoryName;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::repositories::rename::RenameRepository;
use tonnage_domain::scanning::rematch::RematchPackages;
use tonnage_domain::scanning::scan_image::ScanImage;
use tonnage_domain::scanning::vex_documents::PutVexDocument;
use tonnage_domain::scanning::{ScanFrequency, ScanType};
use tonnage_store::faulty::{Call, Fault};

use super::suppression::{criteria, equals, suppress};
use super::world::{debian, npm};
use super::{debian_advisory, events, follow, found, npm_advisory};
use crate::content::Blob;
use crate::lifecycle::{drain, drain_with};
use crate::registry::{Registry, by_digest, by_tag, faulted, page};

/// A worker that follows the advisories, and nothing else.
fn follower() -> Worker {
    Worker::new(
        &[Kind::of::<RematchPackages>(), Kind::of::<ScanImage>()],
        &[Schedule::of::<RematchPackages>("rematch-packages", 30)],
    )
}

fn scanner() -> Worker {
    Worker::new(&[Kind::of::<ScanImage>()], &[])
}

/// Three images, and 34 rows like those of each, so that no one transaction has all.
async fn many_images() -> Registry {
    const COPY: [&str; 5] = [
        "INSERT INTO images (id, repository_id, digest, kind, media_type, config_media_type, \
         annotations, image_size, parser_version, container_version, manifest, manifest_size, \
         pushed_at) WITH RECURSIVE copies (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 34) \
         SELECT id - n * 35184372088832, repository_id, substr(digest, 1, 67) || (1000 + n), kind, \
         media_type, config_media_type, annotations, image_size, parser_version, \
         container_version, manifest, manifest_size, pushed_at FROM images, copies",
        "INSERT INTO image_blobs (image_id, position, repository_id, blob_id, digest, media_type, \
         size) WITH RECURSIVE copies (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 34) \
         SELECT image_id - n * 35184372088832, position, repository_id, blob_id, digest, \
         media_type, size FROM image_blobs, copies",
        "INSERT INTO image_scans (image_id, scan_type, status, description, requested_at, \
         completed_at, source_updated_at, counts, fixable, platform, architecture) \
         WITH RECURSIVE copies (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 34) \
         SELECT image_id - n * 35184372088832, scan_type, status, description, requested_at, \
         completed_at, source_updated_at, counts, fixable, platform, architecture \
         FROM image_scans, copies",
        "INSERT INTO image_findings (image_id, scan_type, position, name, severity, document, \
         first_observed_at, updated_at) WITH RECURSIVE copies (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 34) \
         SELECT image_id - n * 35184372088832, scan_type, position, name, severity, document, \
         first_observed_at, updated_at FROM image_findings, copies",
        "INSERT INTO image_packages (image_id, package_version_id) WITH RECURSIVE copies (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 34) \
         SELECT image_id - n * 35184372088832, package_version_id FROM image_packages, copies",
    ];
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", Some("2.1-1"), "high")]).await;
    let base = debian(&[("libc6", "glibc", "2.36-9"), ("bash", "bash", "5.2-1")]);
    registry.push_layers(&app, "one", &[&base]).await;
    registry.push_layers(&app, "two", &[&base, &npm("left-pad", "1.0.0")]).await;
    registry.push_layers(&app, "three", &[&npm("left-pad", "1.0.0")]).await;
    drain(&registry).await;
    registry.write(&COPY.map(|sql| (sql, Vec::new()))).await;
    registry
}

/// Everything that is told of findings, and what this program has noted for itself.
async fn known(registry: &Registry) -> Vec<Vec<Vec<String>>> {
    const STORED: [&str; 5] = [
        "SELECT images.digest, position, name, severity, document, COALESCE(suppression, '') \
         FROM image_findings JOIN images ON images.id = image_findings.image_id ORDER BY 1, 2",
        "SELECT images.digest, scan_type, image_scans.status, description, counts, fixable \
         FROM image_scans JOIN images ON images.id = image_scans.image_id ORDER BY 1, 2",
        "SELECT images.digest, name, document FROM closed_findings \
         JOIN images ON images.id = closed_findings.image_id ORDER BY 1, 2",
        "SELECT payload FROM outbox ORDER BY 1",
        "SELECT ecosystem, name, version, matches, unsettled FROM package_versions ORDER BY 1, 2, 3",
    ];
    let mut known = Vec::new();
    for sql in STORED {
        known.push(registry.rows(sql).await);
    }
    let (criteria, page) = (criteria(json!({})), page(None, 1000));
    let told = registry.run(ListFindings { criteria, sort: None, page }).await.unwrap();
    assert_eq!(told.next, None);
    let mut told: Vec<Vec<String>> = told.items.iter().map(|it| vec![line(it)]).collect();
    told.sort();
    known.push(told);
    known
}

fn line(found: &Found) -> String {
    let (image, stored) = (&found.image, &found.stored);
    let (name, severity) = (&stored.finding.name, stored.finding.severity);
    format!("{} {name} {severity} {}", image.digest, stored.status.as_str())
}

/// Advisories of one round: each says something else than in the round before, or nothing new.
fn advisories(seed: u64) -> Vec<serde_json::Value> {
    let bit = |place: u32| seed >> place & 1 == 1;
    let severity = if bit(9) { "high" } else { "low" };
    let fixed = ["2.1-1", "2.36-10", "2.40-1"][usize::try_from(seed >> 16).unwrap() % 3];
    vec![
        debian_advisory("CVE-2026-0001", "glibc", Some(fixed), severity),
        debian_advisory("CVE-2026-0002", "bash", bit(5).then_some("5.1-1"), "medium"),
        npm_advisory(
            "GHSA-1111-1111-1111",
            "CVE-2026-0004",
            "left-pad",
            if bit(7) { "1.3.1" } else { "0.1.0" },
        ),
    ]
}

/// Follows until everything is done, or the store breaks; whether it broke.
async fn follow_until_broken(registry: &Registry) -> bool {
    let worker = follower();
    let injected = registry.plan.injected();
    for _ in 0..1000 {
        let ran = worker.run_one(&registry.app).await;
        if registry.plan.injected() > injected {
            return true;
        }
        if ran.unwrap().is_none() {
            return false;
        }
    }
    panic!("jobs never end");
}

/// The store breaks at each commit in turn and stays broken; what a new process does then comes to
/// the same as if nothing had happened, down to the events.
#[tokio::test]
async fn a_new_process_goes_on_where_the_one_before_it_broke_off() {
    let mut registry = many_images().await;
    let twin = many_images().await;
    assert_eq!(known(&registry).await, known(&twin).await);
    let commits = {
        let before = registry.plan.count(Call::CommitBefore);
        for registry in [&registry, &twin] {
            registry.advise(&advisories(3)).await;
            registry.clock.advance_seconds(60);
            assert!(!follow_until_broken(registry).await);
        }
        registry.plan.count(Call::CommitBefore) - before
    };
    assert!(commits >= 8, "{commits} commits are too few for two batches of images");
    assert_eq!(known(&registry).await, known(&twin).await);
    let mut seed = 20_261_127_u64;
    for (call, every) in [(Call::CommitBefore, 1), (Call::CommitAfterDurable, 4)] {
        for nth in faulted(commits).filter(|nth| nth % every == 0) {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = format!("{call:?} {nth}, seed {seed}");
            let advisories = advisories(seed >> 8);
            for registry in [&registry, &twin] {
                registry.advise(&advisories).await;
                registry.clock.advance_seconds(60);
            }
            drain_with(&twin, &follower()).await;
            registry.plan.fail(call, nth, Fault::Unavailable);
            for later in 1..=3 {
                registry.plan.fail(Call::CommitBefore, nth + later, Fault::Unavailable);
            }
            let broke = follow_until_broken(&registry).await;
            registry.plan.heal();
            registry.reopen().await;
            // The lease of the dead one ends.
            registry.clock.advance_seconds(61);
            drain_with(&registry, &follower()).await;
            assert_eq!(known(&registry).await, known(&twin).await, "{at}, broke: {broke}");
            let held = registry
                .rows(
                    "SELECT kind, state FROM jobs WHERE lease_owner IS NOT NULL \
                     OR state IN ('RUNNING', 'DEAD')",
                )
                .await;
            assert_eq!(held, Vec::<Vec<String>>::new(), "{at}");
            for registry in [&registry, &twin] {
                // What was compared need not be compared again.
                registry.write(&[("DELETE FROM outbox", Vec::new())]).await;
            }
        }
    }
}

/// What happens to an image, or beside it, while it is followed.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Nothing,
    Deleted,
    Retagged,
    Renamed,
    Archived,
    ArchivedAndRestored,
    Pushed,
    Suppressed,
    Vex,
    AnotherSync,
    TakenBack,
}

impl Meanwhile {
    async fn happen(self, registry: &Registry, app: &RepositoryAddress, base: &Blob) {
        let store = async |target| {
            let operation =
                UpdateImageStorageClass { repository: app.clone(), id: by_tag("one"), target };
            registry.run(operation).await.unwrap();
        };
        match self {
            Self::Nothing => {}
            Self::Deleted => {
                let digest = registry.findings(app, by_tag("one")).await.image.digest;
                registry.batch_delete(app, vec![by_digest(&digest)]).await.unwrap();
            }
            Self::Retagged => {
                registry.push_layers(app, "one", &[&npm("left-pad", "1.0.0")]).await;
            }
            Self::Renamed => {
                let new_name = RepositoryName::parse("renamed").unwrap();
                registry.run(RenameRepository { repository: app.clone(), new_name }).await.unwrap();
            }
            Self::Archived => store(StorageClass::Archive).await,
            Self::ArchivedAndRestored => {
                store(StorageClass::Archive).await;
                store(StorageClass::Standard).await;
            }
            Self::Pushed => {
                registry.push_layers(app, "new", &[base, &npm("left-pad", "1.0.0")]).await;
                drain_with(registry, &scanner()).await;
            }
            Self::Suppressed => {
                let filter = suppress("known", equals("vulnerabilityId", "CVE-2026-0002"), None);
                registry.run(filter).await.unwrap();
                drain_with(registry, &reviewer()).await;
            }
            Self::Vex => {
                let document = json!({
                    "@context": "https://openvex.dev/ns/v0.2.0",
                    "@id": "https://example.com/vex/3",
                    "author": "the makers",
                    "timestamp": "2026-01-01T00:00:00Z",
                    "version": 1,
                    "statements": [{
                        "vulnerability": { "name": "CVE-2026-0002" },
                        "products": [{ "@id": "pkg:oci/app" }],
                        "status": "not_affected",
                        "justification": "vulnerable_code_not_present",
                    }],
                });
                let (name, document) = ("known".to_owned(), document.to_string());
                registry.run(PutVexDocument { name, document }).await.unwrap();
                drain_with(registry, &reviewer()).await;
            }
            Self::AnotherSync => {
                registry.advise(&[debian_advisory("CVE-2026-0003", "glibc", None, "low")]).await;
            }
            Self::TakenBack => {
                let gone = debian_advisory("CVE-2026-0002", "glibc", Some("2.1-1"), "high");
                registry.advise(&[gone]).await;
            }
        }
    }
}

fn reviewer() -> Worker {
    use tonnage_domain::scanning::review_findings::ReviewFindings;
    Worker::new(&[Kind::of::<ReviewFindings>()], &[])
}

/// What is told of images that were followed while this happened; and of how many changes, all in
/// all, after the first scans.
async fn check_meanwhile(meanwhile: Meanwhile, expected: &[&str], told: usize) {
    /// After the images were found; after they were looked at; when all is done.
    const POINTS: [Option<&str>; 3] = [
        Some("FROM package_versions JOIN image_packages"),
        Some("SELECT images.id, images.repository_id, images.digest, image_scans.status"),
        None,
    ];
    for point in POINTS {
        let registry = Registry::new().await;
        let app = registry.create("app").await;
        registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
        registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "medium")]).await;
        let base = debian(&[("libc6", "glibc", "2.36-9")]);
        registry.push_layers(&app, "one", &[&base]).await;
        registry.push_layers(&app, "two", &[&base]).await;
        drain(&registry).await;
        let before = events(&registry, "finding-changed").await.len();
        registry.advise(&[debian_advisory("CVE-2026-0002", "glibc", None, "high")]).await;
        registry.clock.advance_seconds(60);
        let worker = follower();
        let work = drain_with(&registry, &worker);
        if let Some(point) = point {
            let pause = registry.interposed.pause_after(point, 1);
            let change = async {
                pause.reached().await;
                meanwhile.happen(&registry, &app, &base).await;
                pause.resume();
            };
            tokio::join!(work, change);
        } else {
            work.await;
            meanwhile.happen(&registry, &app, &base).await;
        }
        follow(&registry).await;
        let mut found = registry.list(json!({}), None).await;
        found.sort();
        assert_eq!(found, expected, "{meanwhile:?} {point:?}");
        let unsettled =
            registry.rows("SELECT name FROM package_versions WHERE unsettled = 1").await;
        assert_eq!(unsettled, Vec::<Vec<String>>::new(), "{meanwhile:?} {point:?}");
        let changes = events(&registry, "finding-changed").await.len() - before;
        assert!(changes <= told, "{meanwhile:?} {point:?}: {changes} changes");
    }
}

#[tokio::test]
async fn an_image_changes_while_it_is_followed() {
    let (one, one_more) = ("one CVE-2026-0001 ACTIVE", "one CVE-2026-0002 ACTIVE");
    let (two, two_more) = ("two CVE-2026-0001 ACTIVE", "two CVE-2026-0002 ACTIVE");
    let all = [one, one_more, two, two_more];
    check_meanwhile(Meanwhile::Nothing, &all, 2).await;
    check_meanwhile(Meanwhile::Deleted, &[two, two_more], 2).await;
    let untagged = [" CVE-2026-0001 ACTIVE", " CVE-2026-0002 ACTIVE", two, two_more];
    check_meanwhile(Meanwhile::Retagged, &untagged, 2).await;
    check_meanwhile(Meanwhile::Renamed, &all, 2).await;
    check_meanwhile(Meanwhile::Archived, &[two, two_more], 2).await;
    check_meanwhile(Meanwhile::ArchivedAndRestored, &all, 2).await;
    let (new, new_more) = ("new CVE-2026-0001 ACTIVE", "new CVE-2026-0002 ACTIVE");
    check_meanwhile(Meanwhile::Pushed, &[new, new_more, one, one_more, two, two_more], 4).await;
    let known = [one, "one CVE-2026-0002 SUPPRESSED", two, "two CVE-2026-0002 SUPPRESSED"];
    check_meanwhile(Meanwhile::Suppressed, &known, 4).await;
    check_meanwhile(Meanwhile::Vex, &known, 4).await;
    let (third, third_of_two) = ("one CVE-2026-0003 ACTIVE", "two CVE-2026-0003 ACTIVE");
    let three = [one, one_more, third, two, two_more, third_of_two];
    check_meanwhile(Meanwhile::AnotherSync, &three, 4).await;
    let closed = [one, "one CVE-2026-0002 CLOSED", two, "two CVE-2026-0002 CLOSED"];
    check_meanwhile(Meanwhile::TakenBack, &closed, 4).await;
}

/// A scan that looked at the advisories of before ends when all other images have followed.
#[tokio::test]
async fn a_scan_with_old_advisories_ends_after_the_others_have_followed() {
    let flaw = |fixed| debian_advisory("CVE-2026-0002", "glibc", fixed, "high");
    // What became known meanwhile may be taken back, and no image is left with it.
    for (afterwards, expected) in
        [(None, vec!["CVE-2026-0002 HIGH libc6 2.36-9 -> -"]), (Some(flaw(Some("2.1-1"))), vec![])]
    {
        for scan_type in [ScanType::Enhanced, ScanType::Basic] {
            let registry = Registry::new().await;
            let app = registry.create("app").await;
            registry.scan_by(scan_type, ScanFrequency::ScanOnPush).await;
            if scan_type == ScanType::Enhanced {
                registry.scan_by(scan_type, ScanFrequency::ContinuousScan).await;
            }
            registry
                .advise(&[debian_advisory("CVE-2026-0001", "glibc", Some("2.1-1"), "low")])
                .await;
            drain(&registry).await;
            let image =
                registry.push_layers(&app, "v1", &[&debian(&[("libc6", "glibc", "2.36-9")])]).await;
            let pause = registry
                .interposed
                .pause_after("SELECT sequence FROM advisory_sequence WHERE id = 1", 1);
            let worker = scanner();
            let scan = drain_with(&registry, &worker);
            let meanwhile = async {
                pause.reached().await;
                registry.advise(&[flaw(None)]).await;
                // A worker beside, which has the turn of the scan's kind taken.
                registry.clock.advance_seconds(30);
                let follower = Worker::new(
                    &[Kind::of::<RematchPackages>()],
                    &[Schedule::of::<RematchPackages>("rematch-packages", 30)],
                );
                drain_with(&registry, &follower).await;
                let [seen] = &registry
                    .rows("SELECT advisories_seen - sequence FROM scanning_progress, advisory_sequence")
                    .await[..]
                else {
                    panic!("one row")
                };
                assert_eq!(seen, &["0"]);
                pause.resume();
            };
            tokio::join!(scan, meanwhile);
            // In the basic way the image is found as soon as somebody scans in the enhanced one.
            registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
            drain(&registry).await;
            if let Some(afterwards) = &afterwards {
                registry.advise(std::slice::from_ref(afterwards)).await;
            }
            follow(&registry).await;
            let scanned = registry.findings(&app, by_digest(&image.digest)).await;
            assert_eq!(found(&scanned), expected, "{scan_type:?} {afterwards:?}");
        }
    }
}

/// An image is scanned with what is known now, before the others have followed; then it is taken
/// back, and what is said of its packages is what was said when the others last followed.
#[tokio::test]
async fn what_was_taken_back_before_the_others_followed() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ContinuousScan).await;
    let flaw = |fixed| debian_advisory("CVE-2026-0002", "glibc", fixed, "high");
    registry.advise(&[flaw(Some("2.1-1"))]).await;
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    registry.push_layers(&app, "before", &[&base]).await;
    follow(&registry).await;
    registry.advise(&[flaw(None)]).await;
    registry.push_layers(&app, "between", &[&base]).await;
    drain_with(&registry, &scanner()).await;
    assert_eq!(found(&registry.findings(&app, by_tag("between")).await).len(), 1);
    registry.advise(&[flaw(Some("2.1-1"))]).await;
    follow(&registry).await;
    for tag in ["before", "between"] {
        let left = found(&registry.findings(&app, by_tag(tag)).await);
        assert_eq!(left, Vec::<String>::new(), "{tag}");
    }
}
