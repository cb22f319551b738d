//! Public repositories: owners have tags immutable and images scanned, and everybody sees it.

use tonnage_domain::clock::Clock as _;
use tonnage_domain::context::Principal;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::gallery::index;
use tonnage_domain::gallery::view_image::{ImageView, ViewImage};
use tonnage_domain::gallery::view_repository::{RepositoryView, ViewRepository};
use tonnage_domain::names::{AccountId, Reference, Region};
use tonnage_domain::public::repository_settings::{
    GetPublicRepositorySettings, PutPublicRepositorySettings,
};
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::scanning::Severity;
use tonnage_domain::scanning::state::ScanStatus;
use tonnage_domain::uploads::UploadRules::Distribution;

use super::debian_advisory;
use super::world::{debian, layer};
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::public::{asking, create, public, push_blob, run};
use crate::registry::{ACCOUNT, Registry, check_kind, page, put_image};

async fn push_layer(registry: &Registry, tag: &str, layer: &Blob) -> Pushed {
    let config = Blob::new(tag, 32);
    let context = asking(registry, &registry.root, ACCOUNT);
    for blob in [layer, &config] {
        push_blob(registry, &context, "app", blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[layer]);
    run(registry, put_image(&public("app"), &image, Some(tag), Distribution)).await.unwrap();
    image
}

fn settings(tags: Option<TagMutability>, scan: Option<bool>) -> PutPublicRepositorySettings {
    PutPublicRepositorySettings {
        repository: public("app"),
        tag_mutability: tags.map(|setting| TagMutabilityRule::new(setting, Vec::new()).unwrap()),
        scan_on_push: scan,
    }
}

async fn look(registry: &Registry, reference: &str) -> ImageView {
    let anonymous = Principal::anonymous(AccountId::parse(ACCOUNT).unwrap());
    let reference = Reference::parse(reference).unwrap();
    let view = ViewImage { repository: public("app"), reference };
    registry.run_in(&asking(registry, &anonymous, ACCOUNT), view).await.unwrap()
}

async fn view(registry: &Registry) -> RepositoryView {
    let view = ViewRepository {
        repository: public("app"),
        tag_prefix: String::new(),
        page: page(None, 10),
    };
    run(registry, view).await.unwrap()
}

#[tokio::test]
async fn findings_are_shown_while_the_owner_wants_them() {
    let registry = Registry::new().await;
    run(&registry, create("app")).await.unwrap();
    let advisory = debian_advisory("CVE-2026-0001", "glibc", Some("2.36-9+deb12u9"), "high");
    registry.advise(&[advisory]).await;
    let old = debian(&[("libc6", "glibc", "2.36-9")]);
    let before = push_layer(&registry, "before", &old).await;
    index::update(&registry.app).await.unwrap();
    drain(&registry).await;
    assert!(look(&registry, "before").await.scan.is_none());
    assert!(registry.rows("SELECT 1 FROM image_scans").await.is_empty());

    // What is there is scanned, and what comes.
    let told = run(&registry, settings(None, Some(true))).await.unwrap();
    assert_eq!((told.scan_on_push, told.tag_mutability.setting()), (true, TagMutability::Mutable));
    let unknown = push_layer(&registry, "unknown", &layer(&[("a", "b")])).await;
    let both = Pushed::index(&[&before, &unknown]);
    run(&registry, put_image(&public("app"), &both, Some("both"), Distribution)).await.unwrap();
    assert_eq!(look(&registry, "unknown").await.scan.unwrap().scan.status, ScanStatus::InProgress);
    drain(&registry).await;
    let shown = look(&registry, "before").await.scan.unwrap();
    assert_eq!(shown.scan.status, ScanStatus::Complete, "{}", shown.scan.description);
    assert_eq!(shown.findings[0].name, "CVE-2026-0001");
    let failed = look(&registry, "unknown").await.scan.unwrap();
    assert_eq!((failed.scan.status, failed.findings.len()), (ScanStatus::Failed, 0));
    let index = look(&registry, "both").await;
    assert!(index.scan.is_none());
    assert_eq!(index.child_scans[before.digest.as_str()].counts[&Severity::High], 1);
    let tags = view(&registry).await.tags.items;
    let told: Vec<_> = tags
        .iter()
        .map(|tag| {
            let scan = tag.scan.as_ref().unwrap();
            (tag.tag.as_str(), scan.status, scan.counts.len(), scan.is_partial)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("both", ScanStatus::Complete, 1, true),
            ("unknown", ScanStatus::Failed, 0, false),
            ("before", ScanStatus::Complete, 1, false),
        ]
    );

    // Asked for again, it looks again at what failed at once, and at the rest after a while.
    for (seconds, expected) in [(10, 1), (24 * 60 * 60, 2)] {
        registry.clock.advance_seconds(seconds);
        run(&registry, settings(None, Some(true))).await.unwrap();
        drain(&registry).await;
        let now = registry.clock.now().0.to_string();
        let rows = registry.rows("SELECT requested_at FROM image_scans").await;
        assert_eq!(rows.iter().filter(|row| row[0] == now).count(), expected);
    }

    // Wanted no more, they are shown no more, nor made.
    run(&registry, settings(None, Some(false))).await.unwrap();
    push_layer(&registry, "after", &old).await;
    drain(&registry).await;
    for tag in ["before", "after"] {
        let image = look(&registry, tag).await;
        assert!(image.scan.is_none() && image.child_scans.is_empty(), "{tag}");
    }
    assert!(look(&registry, "both").await.child_scans.is_empty());
    assert!(view(&registry).await.tags.items.iter().all(|tag| tag.scan.is_none()));
}

#[tokio::test]
async fn tags_never_change() {
    let registry = Registry::new().await;
    run(&registry, create("app")).await.unwrap();
    push_layer(&registry, "v1", &Blob::new("layer", 100)).await;
    let other = push_layer(&registry, "v2", &Blob::new("layer", 100)).await;
    let told = run(&registry, settings(Some(TagMutability::Immutable), None)).await.unwrap();
    assert_eq!(told.tag_mutability.setting(), TagMutability::Immutable);
    let put = |tag| put_image(&public("app"), &other, Some(tag), Distribution);
    check_kind(run(&registry, put("v1")).await, ErrorKind::ImageTagAlreadyExists);
    run(&registry, put("v3")).await.unwrap();
    let read = GetPublicRepositorySettings { repository: public("app") };
    assert_eq!(run(&registry, read).await.unwrap(), told);
    assert_eq!(view(&registry).await.settings, told);
    let mut wrong = settings(None, Some(true));
    wrong.repository.region = Region::parse("eu-west-1").unwrap();
    check_kind(run(&registry, wrong).await, ErrorKind::InvalidParameter);
    let absent = GetPublicRepositorySettings { repository: public("absent") };
    check_kind(run(&registry, absent).await, ErrorKind::RepositoryNotFound);
    let anonymous = Principal::anonymous(AccountId::parse(ACCOUNT).unwrap());
    let denied =
        registry.run_in(&asking(&registry, &anonymous, ACCOUNT), settings(None, Some(true))).await;
    check_kind(denied, ErrorKind::AccessDenied);
}
