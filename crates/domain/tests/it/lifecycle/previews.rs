//! Previews: what a policy would do, and that nothing is done.

use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, PreviewOfRepository, PreviewStatus, StartLifecyclePolicyPreview,
};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::repositories::RepositoryAddress;

use super::{drain, policy};
use crate::content::{Blob, Pushed};
use crate::registry::{Registry, by_digest, by_tag, check_error, check_kind, page};

const DAY: i64 = 24 * 3600;

fn everything_but_one() -> String {
    policy(&[r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":1"#])
}

async fn start(registry: &Registry, app: &RepositoryAddress, text: Option<&str>) -> Result<String> {
    let text = text.map(ToOwned::to_owned);
    registry.run(StartLifecyclePolicyPreview { repository: app.clone(), text }).await
}

async fn get(
    registry: &Registry,
    app: &RepositoryAddress,
    ids: Vec<ImageIdentifier>,
    tag_status: TagStatus,
    after: Option<&str>,
) -> Result<PreviewOfRepository> {
    let (repository, page) = (app.clone(), page(after, 2));
    registry.run(GetLifecyclePolicyPreview { repository, ids, tag_status, page }).await
}

#[tokio::test]
async fn a_preview_lists_what_would_go_and_nothing_goes() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let mut images = Vec::new();
    for number in 0..4 {
        registry.clock.advance_seconds(1);
        let tag = format!("v{number}");
        let tags = if number == 1 { vec![] } else { vec![tag.as_str(), "extra"] };
        images.push(registry.push_image(&app, &format!("image {number}"), &tags).await);
    }
    let any = TagStatus::Any;
    check_error(
        get(&registry, &app, vec![], any, None).await,
        ErrorKind::LifecyclePolicyPreviewNotFound,
        "Lifecycle policy preview does not exist for the repository with name 'app' in the \
         registry with id '123456789012'",
    );
    check_kind(start(&registry, &app, None).await, ErrorKind::LifecyclePolicyNotFound);
    check_kind(start(&registry, &app, Some("{}")).await, ErrorKind::InvalidParameter);
    let text = everything_but_one();
    assert_eq!(start(&registry, &app, Some(&text)).await.unwrap(), text, "byte for byte");
    let preview = get(&registry, &app, vec![], any, None).await.unwrap();
    assert_eq!((preview.status, preview.expiring), (PreviewStatus::InProgress, 0));
    check_kind(
        start(&registry, &app, Some(&text)).await,
        ErrorKind::LifecyclePolicyPreviewInProgress,
    );
    drain(&registry).await;

    let first = get(&registry, &app, vec![], any, None).await.unwrap();
    assert_eq!((first.status, first.expiring, first.text), (PreviewStatus::Complete, 3, text));
    let second = get(&registry, &app, vec![], any, first.images.next.as_deref()).await.unwrap();
    assert_eq!(second.images.next, None);
    let all: Vec<_> = first.images.items.iter().chain(&second.images.items).collect();
    let found: Vec<_> = all.iter().map(|image| &image.digest).collect();
    assert_eq!(found, images[..3].iter().map(|image| &image.digest).collect::<Vec<_>>());
    assert_eq!(all[0].tags, ["v0"]);
    assert_eq!(all[0].rule_priority, 1);

    let check = async |ids: Vec<ImageIdentifier>, status, expected: &[usize]| {
        let preview = get(&registry, &app, ids, status, None).await.unwrap();
        let found: Vec<_> = preview.images.items.into_iter().map(|image| image.digest).collect();
        let expected: Vec<_> = expected.iter().map(|&at| images[at].digest.clone()).collect();
        assert_eq!((found, preview.expiring), (expected, 3));
    };
    check(vec![], TagStatus::Untagged, &[1]).await;
    check(vec![], TagStatus::Tagged, &[0, 2]).await;
    check(vec![by_tag("v2"), by_digest(&images[1].digest)], any, &[2, 1]).await;
    check(vec![by_digest(&images[3].digest), by_tag("absent")], any, &[]).await;

    assert_eq!(registry.images(&app).await.unwrap().len(), 4);
    registry.clock.advance_seconds(DAY + 1);
    let old = get(&registry, &app, vec![], any, None).await.unwrap();
    assert_eq!((old.status, old.expiring), (PreviewStatus::Expired, 0));
    assert_eq!(old.images.items, []);
    drain(&registry).await;
    for table in [
        "SELECT digest FROM lifecycle_preview_images",
        "SELECT preview_id FROM lifecycle_old_previews",
    ] {
        assert_eq!(registry.rows(table).await, Vec::<Vec<String>>::new(), "{table}");
    }
}

#[tokio::test]
async fn a_new_preview_takes_the_place_of_the_old_one() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    for tag in ["a", "b", "c"] {
        registry.clock.advance_seconds(1);
        registry.push_image(&app, tag, &[tag]).await;
    }
    let none = policy(&[
        r#""tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":9"#,
    ]);
    registry.run(PutLifecyclePolicy { repository: app.clone(), text: none.clone() }).await.unwrap();
    drain(&registry).await;
    for (text, expiring) in [(Some(everything_but_one()), 2), (None, 0)] {
        let echoed = start(&registry, &app, text.as_deref()).await.unwrap();
        assert_eq!(echoed, text.unwrap_or_else(|| none.clone()));
        drain(&registry).await;
        let preview = get(&registry, &app, vec![], TagStatus::Any, None).await.unwrap();
        assert_eq!((preview.status, preview.expiring), (PreviewStatus::Complete, expiring));
    }
    registry.delete("app", true).await.unwrap();
    for table in
        ["SELECT preview_id FROM lifecycle_previews", "SELECT version FROM lifecycle_policies"]
    {
        assert_eq!(registry.rows(table).await, Vec::<Vec<String>>::new(), "{table}");
    }
}

#[tokio::test]
async fn a_preview_whose_job_is_dead_has_failed_and_can_be_started_again() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let text = everything_but_one();
    start(&registry, &app, Some(&text)).await.unwrap();
    registry.write(&[("UPDATE jobs SET state = 'DEAD'", vec![])]).await;
    let preview = get(&registry, &app, vec![], TagStatus::Any, None).await.unwrap();
    assert_eq!(preview.status, PreviewStatus::Failed);
    start(&registry, &app, Some(&text)).await.unwrap();
    drain(&registry).await;
    let preview = get(&registry, &app, vec![], TagStatus::Any, None).await.unwrap();
    assert_eq!(preview.status, PreviewStatus::Complete);
}

#[tokio::test]
async fn bytes_are_those_that_nothing_else_needs() {
    let registry = Registry::new().await;
    let (app, other) = (registry.create("app").await, registry.create("other").await);
    let [a, b, c, d] = [("a", 100), ("b", 1_000), ("c", 3_000), ("d", 20_000)]
        .map(|(label, size)| Blob::new(label, size));
    let rows: [(&RepositoryAddress, &str, &[&Blob]); 5] = [
        (&app, "dev-1", &[&a, &b]),
        (&app, "dev-2", &[&a, &c, &c]),
        (&app, "old-1", &[&a, &d]),
        (&app, "keep", &[&b]),
        (&other, "copy", &[&d]),
    ];
    for (repository, tag, layers) in rows {
        let config = Blob::new(tag, 10);
        for blob in layers.iter().chain([&&config]) {
            registry.push_blob(repository, blob).await.unwrap();
        }
        registry.put(repository, &Pushed::image(&config, layers), Some(tag)).await.unwrap();
    }
    let text = policy(&[
        r#""tagStatus":"tagged","tagPrefixList":["dev"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1"#,
        r#""tagStatus":"tagged","tagPrefixList":["old"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1"#,
    ]);
    registry.clock.advance_seconds(DAY + 10);
    start(&registry, &app, Some(&text)).await.unwrap();
    drain(&registry).await;
    let preview = get(&registry, &app, vec![], TagStatus::Any, None).await.unwrap();
    let found: Vec<_> = preview
        .effects
        .rules
        .iter()
        .map(|rule| (rule.rule_priority, rule.expiring, rule.freed_bytes, rule.shared_bytes))
        .collect();
    // The second rule takes the last image that needs "a"; "b" stays with the image that stays, and
    // "d" with the other repository.
    assert_eq!(found, [(1, 2, 3_020, 0), (2, 1, 110, 20_000)]);
    assert_eq!((preview.effects.freed_bytes(), preview.effects.shared_bytes()), (3_130, 20_000));
    assert_eq!(preview.effects.left_behind, 0);

    // What was told is what the collector then frees.
    registry.sweep().await;
    registry.run(PutLifecyclePolicy { repository: app.clone(), text }).await.unwrap();
    drain(&registry).await;
    registry.clock.advance_seconds(DAY);
    assert_eq!(registry.sweep().await.bytes, preview.effects.freed_bytes());
}

#[tokio::test]
async fn what_refers_to_an_image_is_freed_with_it_and_platforms_are_left_behind() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let child = registry.push_image(&app, "child", &[]).await;
    let index = Pushed::index(&[&child]);
    registry.put(&app, &index, Some("v1")).await.unwrap();
    let empty = Blob::new("signature", 30);
    registry.push_blob(&app, &empty).await.unwrap();
    registry.put(&app, &Pushed::referrer(&empty, &index, "s"), None).await.unwrap();
    let text = policy(&[
        r#""tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":1"#,
    ]);
    registry.clock.advance_seconds(DAY + 10);
    start(&registry, &app, Some(&text)).await.unwrap();
    drain(&registry).await;
    let effects = get(&registry, &app, vec![], TagStatus::Any, None).await.unwrap().effects;
    let rule = &effects.rules[0];
    assert_eq!((rule.expiring, rule.attached, rule.freed_bytes), (1, 1, 30));
    assert_eq!(effects.left_behind, 1);
}
