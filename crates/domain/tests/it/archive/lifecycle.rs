//! Lifecycle policies that archive images, and those that expire archived ones.

use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::images::{ImageStatus, ImageStatusFilter};
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, StartLifecyclePolicyPreview,
};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::repositories::RepositoryAddress;

use super::{archive, listed, push, restore};
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{Registry, page};

const DAY: i64 = 24 * 3600;

/// Rules `selection | action` by priority.
fn policy(rules: &[(&str, &str)]) -> String {
    let rules: Vec<String> = rules
        .iter()
        .enumerate()
        .map(|(index, (selection, action))| {
            format!(
                r#"{{"rulePriority":{},"description":"a rule of a test","selection":{{{selection}}},"action":{{{action}}}}}"#,
                index + 1
            )
        })
        .collect();
    format!(r#"{{"rules": [{}]}}"#, rules.join(", "))
}

const TRANSITION: &str = r#""type":"transition","targetStorageClass":"archive""#;
const EXPIRE: &str = r#""type":"expire""#;
const PULLED: &str =
    r#""tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":30"#;
const ARCHIVED: &str = r#""tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90"#;

async fn put(registry: &Registry, repository: &RepositoryAddress, text: &str) {
    let operation = PutLifecyclePolicy { repository: repository.clone(), text: text.to_owned() };
    registry.run(operation).await.unwrap();
    drain(registry).await;
}

/// Days go by, each with its turn.
async fn wait(registry: &Registry, days: i64) {
    for _ in 0..days {
        registry.clock.advance_seconds(DAY);
        drain(registry).await;
    }
}

async fn archived(registry: &Registry, repository: &RepositoryAddress) -> Vec<String> {
    listed(registry, repository, ImageStatusFilter::Only(ImageStatus::Archived)).await
}

#[tokio::test]
async fn images_go_to_the_archive_and_expire_there() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push(&registry, &app, "old").await;
    put(&registry, &app, &policy(&[(PULLED, TRANSITION), (ARCHIVED, EXPIRE)])).await;
    wait(&registry, 20).await;
    push(&registry, &app, "young").await;
    assert_eq!(archived(&registry, &app).await, Vec::<String>::new());
    wait(&registry, 12).await;
    assert_eq!(archived(&registry, &app).await, ["old"]);
    assert_eq!(registry.tags(&app).await.unwrap(), ["young"]);
    wait(&registry, 88).await;
    assert_eq!(archived(&registry, &app).await, ["old", "young"]);
    wait(&registry, 4).await;
    assert_eq!(archived(&registry, &app).await, ["young"]);
    wait(&registry, 40).await;
    assert_eq!(listed(&registry, &app, ImageStatusFilter::Any).await, Vec::<String>::new());
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    registry.sweep().await;
    registry.check_nothing_left().await;
}

#[tokio::test]
async fn a_restored_image_begins_a_new_life() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push(&registry, &app, "v1").await;
    archive(&registry, &app, "v1").await;
    wait(&registry, 40).await;
    restore(&registry, &app, "v1").await;
    drain(&registry).await;
    put(&registry, &app, &policy(&[(PULLED, TRANSITION)])).await;
    assert_eq!(registry.tags(&app).await.unwrap(), ["v1"]);
    wait(&registry, 29).await;
    assert_eq!(registry.tags(&app).await.unwrap(), ["v1"]);
    wait(&registry, 3).await;
    assert_eq!(archived(&registry, &app).await, ["v1"]);
}

#[tokio::test]
async fn children_and_referrers_follow() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let (child, _) = push(&registry, &app, "child").await;
    let index = Pushed::index(&[&child]);
    registry.put(&app, &index, Some("all")).await.unwrap();
    let config = Blob::new("child", 100);
    let signature = Pushed::referrer(&config, &index, "signature");
    registry.put(&app, &signature, None).await.unwrap();
    put(&registry, &app, &policy(&[(PULLED, TRANSITION)])).await;
    wait(&registry, 31).await;
    // The index first, with what refers to it; its child is free then.
    wait(&registry, 2).await;
    assert_eq!(archived(&registry, &app).await, ["child", "all", "-"]);
}

#[tokio::test]
async fn a_preview_tells_what_would_be_archived() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push(&registry, &app, "a").await;
    push(&registry, &app, "b").await;
    archive(&registry, &app, "b").await;
    registry.clock.advance_seconds(100 * DAY);
    let text = policy(&[(PULLED, TRANSITION), (ARCHIVED, EXPIRE)]);
    let start = StartLifecyclePolicyPreview { repository: app.clone(), text: Some(text) };
    registry.run(start).await.unwrap();
    drain(&registry).await;
    let get = GetLifecyclePolicyPreview {
        repository: app.clone(),
        ids: Vec::new(),
        tag_status: TagStatus::Any,
        page: page(None, 10),
    };
    let preview = registry.run(get).await.unwrap();
    assert_eq!((preview.expiring, preview.transitioning), (1, 1));
    let rows: Vec<_> = preview
        .images
        .items
        .iter()
        .map(|image| (image.tags[0].as_str(), image.archived, image.transitions))
        .collect();
    assert_eq!(rows, [("a", false, true), ("b", true, false)]);
    assert_eq!(registry.tags(&app).await.unwrap(), ["a"]);
}
