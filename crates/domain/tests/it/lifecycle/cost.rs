//! An evaluation reads pages, and loses nothing between them.

use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, StartLifecyclePolicyPreview,
};
use tonnage_domain::metadata::Value;
use tonnage_domain::params;

use super::{drain, policy};
use crate::registry::{Registry, page};

/// Puts images into the only repository, pushed at 0, 1, 2 …, each with a tag, past the registry.
pub(super) async fn plant(registry: &Registry, count: i64) {
    let repository = registry.rows("SELECT id FROM repositories").await;
    let repository: i64 = repository[0][0].parse().unwrap();
    for first in (0..count).step_by(500) {
        let numbers = first..count.min(first + 500);
        let images = numbers.clone().map(|number| {
            (
                "INSERT INTO images (id, repository_id, digest, kind, media_type, annotations, \
                 image_size, parser_version, container_version, manifest, manifest_size, \
                 pushed_at) VALUES ($1, $2, $3, 'image', 'x', '{}', 0, 1, 0, $4, 2, $5)",
                params![
                    number + 1,
                    repository,
                    format!("sha256:{number:064x}"),
                    Value::Bytes(b"{}".to_vec()),
                    number
                ]
                .to_vec(),
            )
        });
        let tags = numbers.clone().map(|number| {
            (
                "INSERT INTO tags (repository_id, name, image_id, version, updated_at) \
                 VALUES ($1, $2, $3, $3, 0)",
                params![repository, format!("v{number}"), number + 1].to_vec(),
            )
        });
        registry.write(&images.chain(tags).collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn pages_do_not_tear_images_apart() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    plant(&registry, 2_500).await;
    let repository = registry.rows("SELECT id FROM repositories").await;
    let repository: i64 = repository[0][0].parse().unwrap();
    // The tags of this image go over the end of a page, and the last one decides.
    let more: Vec<_> = (0..900_i64)
        .map(|number| {
            (
                "INSERT INTO tags (repository_id, name, image_id, version, updated_at) \
                 VALUES ($1, $2, 1500, $3, 0)",
                params![repository, format!("w{number:03}"), 10_000 + number].to_vec(),
            )
        })
        .collect();
    registry.write(&more).await;
    let text = policy(&[
        r#""tagStatus":"tagged","tagPatternList":["v*","w899"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1"#,
        r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":2400"#,
    ]);
    let operation = StartLifecyclePolicyPreview { repository: app.clone(), text: Some(text) };
    registry.run(operation).await.unwrap();
    registry.interposed.record();
    drain(&registry).await;
    let pages = registry.interposed.recorded();
    let pages = pages.iter().filter(|(sql, _)| sql.contains("LEFT JOIN tags")).count();
    assert_eq!(pages, 2, "3400 rows");
    let preview = registry
        .run(GetLifecyclePolicyPreview {
            repository: app,
            ids: vec![],
            tag_status: TagStatus::Any,
            page: page(None, 100),
        })
        .await
        .unwrap();
    assert_eq!(preview.expiring, 101);
    let first = &preview.images.items[0];
    assert_eq!((first.pushed_at.0, first.tags.len(), first.rule_priority), (1499, 901, 1));
}
