//! The scrub: damage of every kind is found beside the running registry, marked, and healed by a
//! push; what passes by itself is no damage.

use std::fs;

use tonnage_domain::advisories::settings::AdvisorySettings;
use tonnage_domain::app::Settings;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::params;
use tonnage_domain::public::limits::PublicLimits;
use tonnage_domain::pull_through::settings::{UpstreamSettings, Validity};
use tonnage_domain::scanning::external::ScannerSettings;
use tonnage_domain::scrub::operations::{DescribeScrub, StartScrub};
use tonnage_domain::scrub::{self, Pass, Scrubbed, Status};
use tonnage_domain::throttle::Throttling;
use tonnage_store::faulty::{Call, Fault};

use crate::content::{Blob, Pushed};
use crate::fsck::Damaged;
use crate::registry::{Registry, check_kind};

const FAST: Settings = Settings {
    create_on_push: false,
    blob_mounting: false,
    sparse_manifests: false,
    encrypt_at_rest: true,
    token_seconds: 3600,
    download_link_seconds: 3600,
    upload_idle_seconds: 3600,
    gc_grace_seconds: 3600,
    scrub_bytes_per_second: 1 << 40,
    scrub_interval_seconds: 600,
    replication_bytes_per_second: 0,
    replication_concurrency: 4,
    quotas: tonnage_domain::quotas::Quotas::ECR,
    throttling: Throttling::Off,
    upstreams: UpstreamSettings::ECR,
    peers: tonnage_domain::replication::peer::PeerSettings::NONE,
    pull_through_validity: Validity::ECR,
    pull_through_whole_images: true,
    scan_interval_seconds: 24 * 3600,
    scan_concurrency: 2,
    event_retention_seconds: None,
    tag_history_retention_seconds: None,
    scan_scratch: std::path::PathBuf::new(),
    public_limits: PublicLimits::ECR,
    console_idle_seconds: 1800,
    image_shares: false,
    federation: None,
    advisories: AdvisorySettings::NONE,
    scanners: ScannerSettings { adapters: Vec::new(), choices: Vec::new() },
};

/// Runs the scrub until it waits; what it did.
async fn pass(registry: &Registry) -> Scrubbed {
    let mut sum = Scrubbed::default();
    loop {
        let step = scrub::step(&registry.app).await.unwrap();
        sum.checked += step.checked;
        sum.bytes += step.bytes;
        sum.damaged += step.damaged;
        sum.unreadable += step.unreadable;
        if step.wait_until.is_some() {
            return Scrubbed { wait_until: step.wait_until, ..sum };
        }
    }
}

async fn status(registry: &Registry) -> Status {
    let management_account = registry.app.management_account;
    registry.run(DescribeScrub { management_account }).await.unwrap()
}

/// Images, and the blobs that are looked at in them.
async fn healthy(settings: Settings, images: usize) -> Registry {
    let registry = Registry::with_settings(settings).await;
    let app = registry.create("app").await;
    for image in 0..images {
        let config = Blob::new(&format!("config {image}"), 300);
        let layer = Blob::new(&format!("layer {image}"), 100_000);
        for blob in [&config, &layer] {
            registry.push_blob(&app, blob).await.unwrap();
        }
        registry.put(&app, &Pushed::image(&config, &[&layer]), None).await.unwrap();
    }
    registry
}

#[tokio::test]
async fn a_pass_looks_at_everything_once_and_rests() {
    let registry = healthy(FAST, 70).await;
    let started = registry.clock.now().0;
    let done = pass(&registry).await;
    assert_eq!((done.checked, done.damaged, done.unreadable), (210, 0, 0));
    assert!(done.bytes > 70 * 100_300, "{}", done.bytes);
    assert_eq!(done.wait_until.unwrap().0, started + 600_000);
    let again = scrub::step(&registry.app).await.unwrap();
    assert_eq!((again.checked, again.wait_until), (0, done.wait_until));

    let found = status(&registry).await;
    let last = found.last.unwrap();
    assert_eq!((last.checked, last.bytes, last.damaged), (210, done.bytes, 0));
    assert_eq!(found.running, None);

    registry.clock.advance_seconds(600);
    assert_eq!(pass(&registry).await.checked, 210);
}

#[tokio::test]
async fn an_operator_may_have_the_next_pass_now() {
    let registry = healthy(FAST, 1).await;
    pass(&registry).await;
    let management_account = registry.app.management_account;
    registry.run(StartScrub { management_account }).await.unwrap();
    assert_eq!(pass(&registry).await.checked, 3);

    let off = Settings { scrub_bytes_per_second: 0, ..FAST };
    let registry = Registry::with_settings(off).await;
    let management_account = registry.app.management_account;
    check_kind(registry.run(StartScrub { management_account }).await, ErrorKind::Unsupported);
}

#[tokio::test]
async fn another_process_goes_on_where_the_last_one_was() {
    let mut registry = healthy(FAST, 70).await;
    let first = scrub::step(&registry.app).await.unwrap();
    assert_eq!((first.checked, first.wait_until), (64, None));
    registry.reopen().await;
    let running = status(&registry).await.running.unwrap();
    assert_eq!(
        Pass { started_at: None, ..running },
        Pass {
            started_at: None,
            ended_at: None,
            checked: 64,
            bytes: first.bytes,
            damaged: 0,
            unreadable: 0,
        }
    );
    assert_eq!(pass(&registry).await.checked, 210 - 64);
    assert_eq!(status(&registry).await.last.unwrap().checked, 210);
}

/// What happens to the bytes of a stored object.
type Damage = fn(&mut Vec<u8>);

#[tokio::test]
async fn damage_anywhere_in_an_object_is_marked_and_healed() {
    let damages: [(&str, Damage); 9] = [
        ("nothing left", |bytes| bytes.clear()),
        ("one byte less", |bytes| bytes.truncate(bytes.len() - 1)),
        ("one byte more", |bytes| bytes.push(0)),
        ("the first nonce", |bytes| bytes[0] ^= 1),
        ("the first chunk", |bytes| bytes[1000] ^= 0x80),
        ("the first tag", |bytes| bytes[65_536 + 20] ^= 1),
        ("the last byte", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("the middle", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }),
        ("two chunks change places", |bytes| {
            let chunk = 65_536 + 28;
            let (first, rest) = bytes.split_at_mut(chunk);
            first.swap_with_slice(&mut rest[..chunk]);
        }),
    ];
    for (name, damage) in damages {
        let damaged = Damaged::with(FAST).await;
        let file = damaged.registry.object_file(&damaged.object_of_layer().await);
        let mut bytes = fs::read(&file).unwrap();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        check_found(&damaged, &damaged.layer, name).await;
    }
    let damaged = Damaged::with(FAST).await;
    fs::remove_file(damaged.registry.object_file(&damaged.object_of_layer().await)).unwrap();
    check_found(&damaged, &damaged.layer, "gone").await;
}

#[tokio::test]
async fn small_blobs_and_plain_objects_too() {
    for encrypt_at_rest in [true, false] {
        let settings = Settings { encrypt_at_rest, ..FAST };
        let damaged = Damaged::with(settings.clone()).await;
        let change = "UPDATE blobs SET inline_bytes = $1 WHERE inline_bytes IS NOT NULL";
        let bytes = vec![7_u8; if encrypt_at_rest { 329 } else { 300 }];
        damaged.registry.write(&[(change, params![bytes].to_vec())]).await;
        check_found(&damaged, &damaged.config, "small").await;

        let damaged = Damaged::with(settings).await;
        let file = damaged.registry.object_file(&damaged.object_of_layer().await);
        let mut bytes = fs::read(&file).unwrap();
        bytes[100] ^= 1;
        fs::write(&file, bytes).unwrap();
        check_found(&damaged, &damaged.layer, "large").await;
    }
}

/// One pass finds and marks it, the next one has nothing to add, and a push heals it.
async fn check_found(damaged: &Damaged, lost: &Blob, name: &str) {
    let registry = &damaged.registry;
    let done = pass(registry).await;
    assert_eq!((done.damaged, done.unreadable), (1, 0), "{name}");
    let found = status(registry).await;
    let expected = format!("blob {} of account 123456789012", lost.digest);
    assert_eq!((found.damaged, found.damaged_omitted), (vec![expected], 0), "{name}");
    registry.clock.advance_seconds(600);
    assert_eq!(pass(registry).await.damaged, 0, "{name}");
    damaged.check_fails_closed_and_heals(lost).await;
    assert_eq!(status(registry).await.damaged, Vec::<String>::new(), "{name}");
}

#[tokio::test]
async fn a_manifest_is_not_served_wrong_and_healed_by_the_next_push() {
    for encrypt_at_rest in [true, false] {
        let damaged = Damaged::with(Settings { encrypt_at_rest, ..FAST }).await;
        let registry = &damaged.registry;
        let bytes = vec![b'x'; 500];
        let change = "UPDATE images SET manifest = $1";
        registry.write(&[(change, params![bytes].to_vec())]).await;
        check_kind(registry.manifest(&damaged.app, "v1").await, ErrorKind::Internal);
        assert_eq!(pass(registry).await.damaged, 1);
        let expected = format!("image {}", damaged.image_name());
        assert_eq!(status(registry).await.damaged, [expected]);
        check_kind(registry.manifest(&damaged.app, "v1").await, ErrorKind::Internal);
        registry.put(&damaged.app, &damaged.image, Some("v1")).await.unwrap();
        damaged.check_healed().await;
        assert_eq!(status(registry).await.damaged, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_passes_is_no_damage() {
    for call in [Call::Open, Call::Read] {
        let damaged = Damaged::with(FAST).await;
        let plan = &damaged.registry.plan;
        plan.fail(call, 1, Fault::Other);
        let done = pass(&damaged.registry).await;
        assert_eq!((done.damaged, done.unreadable), (0, 0), "{call:?} fails once");

        damaged.registry.clock.advance_seconds(600);
        for nth in 1..=3 {
            plan.fail(call, nth, Fault::Unavailable);
        }
        let done = pass(&damaged.registry).await;
        assert_eq!((done.damaged, done.unreadable), (0, 1), "{call:?} fails every time");
        damaged.registry.check_images(&damaged.app).await;
        damaged.registry.clock.advance_seconds(600);
        assert_eq!(pass(&damaged.registry).await.unreadable, 0);
    }
}
