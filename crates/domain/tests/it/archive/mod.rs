//! The archive storage class: what can be pulled, what lies where, what comes back.

mod failures;
mod lifecycle;

use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use tonnage_domain::blobs::get_blob::HeadBlob;
use tonnage_domain::blobs::get_download_url_for_layer::GetDownloadUrlForLayer;
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::images::batch_get_image::BatchGetImage;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::images::{ImageFailure, ImageIdentifier, ImageStatus, ImageStatusFilter};
use tonnage_domain::repositories::RepositoryAddress;

use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_digest, by_tag, check_kind, page};

async fn update(
    registry: &Registry,
    repository: &RepositoryAddress,
    id: ImageIdentifier,
    target: StorageClass,
) -> Result<ImageStatus> {
    let operation = UpdateImageStorageClass { repository: repository.clone(), id, target };
    Ok(registry.run(operation).await?.status)
}

async fn archive(registry: &Registry, repository: &RepositoryAddress, tag: &str) {
    let done = update(registry, repository, by_tag(tag), StorageClass::Archive).await;
    assert_eq!(done.unwrap(), ImageStatus::Archived);
}

async fn restore(registry: &Registry, repository: &RepositoryAddress, tag: &str) {
    let done = update(registry, repository, by_tag(tag), StorageClass::Standard).await;
    assert_eq!(done.unwrap(), ImageStatus::Activating);
}

/// The images of a status, by their first tag.
async fn listed(
    registry: &Registry,
    repository: &RepositoryAddress,
    image_status: ImageStatusFilter,
) -> Vec<String> {
    let describe = DescribeImages {
        repository: repository.clone(),
        ids: Vec::new(),
        tag_status: TagStatus::Any,
        image_status,
        page: page(None, 100),
    };
    let found = registry.run(describe).await.unwrap().items;
    found
        .iter()
        .map(|image| image.tags.first().map_or("-".to_owned(), ToString::to_string))
        .collect()
}

/// The tiers of the blobs that have objects.
async fn tiers(registry: &Registry) -> Vec<String> {
    let rows =
        registry.rows("SELECT tier FROM blobs WHERE object_id IS NOT NULL ORDER BY size").await;
    rows.into_iter().flatten().collect()
}

/// An image with a large layer of its own and one that all share.
async fn push(registry: &Registry, repository: &RepositoryAddress, tag: &str) -> (Pushed, Blob) {
    let (config, shared) = (Blob::new(tag, 100), Blob::new("shared", 200_000));
    let own = Blob::new(&format!("{tag} layer"), 2_500_000 + tag.len());
    for blob in [&config, &shared, &own] {
        registry.push_blob(repository, blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[&shared, &own]);
    registry.put(repository, &image, Some(tag)).await.unwrap();
    (image, own)
}

#[tokio::test]
async fn what_is_archived_cannot_be_pulled_until_it_is_restored() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let (kept, _) = push(&registry, &app, "kept").await;
    let (old, own) = push(&registry, &app, "v1").await;
    let shared = Blob::new("shared", 200_000);
    registry.clock.advance_seconds(60);
    archive(&registry, &app, "v1").await;

    for reference in ["v1", old.digest.as_str()] {
        check_kind(registry.manifest(&app, reference).await, ErrorKind::ImageNotFound);
    }
    let get = BatchGetImage { repository: app.clone(), ids: vec![by_tag("v1"), by_tag("kept")] };
    let got = registry.run(get).await.unwrap();
    assert_eq!(got.images.len(), 1);
    assert_eq!(got.failures[0].1, ImageFailure::ImageInaccessible);
    check_kind(registry.blob(&app, &own.digest).await, ErrorKind::BlobNotFound);
    let head = HeadBlob { repository: app.clone(), digest: own.digest.clone() };
    check_kind(registry.run(head).await, ErrorKind::BlobNotFound);
    let link = GetDownloadUrlForLayer { repository: app.clone(), digest: own.digest.clone() };
    check_kind(registry.run(link).await, ErrorKind::LayerInaccessible);
    let digests = vec![own.digest.clone(), shared.digest.clone()];
    let available = BatchCheckLayerAvailability { repository: app.clone(), digests };
    let available = registry.run(available).await.unwrap();
    assert_eq!(available.iter().map(|it| it.archived).collect::<Vec<_>>(), [true, false]);
    assert_eq!(registry.blob(&app, &shared.digest).await.unwrap(), shared.bytes);
    assert!(registry.manifest(&app, "kept").await.is_ok());

    assert_eq!(registry.tags(&app).await.unwrap(), ["kept"]);
    assert_eq!(listed(&registry, &app, ImageStatusFilter::default()).await, ["kept"]);
    let of = |status| ImageStatusFilter::Only(status);
    assert_eq!(listed(&registry, &app, of(ImageStatus::Archived)).await, ["v1"]);
    assert_eq!(listed(&registry, &app, ImageStatusFilter::Any).await, ["kept", "v1"]);

    drain(&registry).await;
    assert_eq!(tiers(&registry).await, ["STANDARD", "ARCHIVE", "STANDARD"]);
    registry.clock.advance_seconds(60);
    restore(&registry, &app, "v1").await;
    assert_eq!(listed(&registry, &app, of(ImageStatus::Activating)).await, ["v1"]);
    check_kind(registry.manifest(&app, "v1").await, ErrorKind::ImageNotFound);
    drain(&registry).await;
    assert_eq!(registry.manifest(&app, "v1").await.unwrap().0, old.digest);
    assert_eq!(registry.blob(&app, &own.digest).await.unwrap(), own.bytes);
    assert_eq!(tiers(&registry).await, ["STANDARD"; 3]);
    let described = registry.images(&app).await.unwrap();
    let found = described.iter().find(|image| image.digest == old.digest).unwrap();
    assert_eq!(found.status, ImageStatus::Active);
    let seconds = found.last_activated_at.unwrap().0 - found.last_archived_at.unwrap().0;
    assert_eq!(seconds, 60_000);
    let other = described.iter().find(|image| image.digest == kept.digest).unwrap();
    assert_eq!((other.last_archived_at, other.last_activated_at), (None, None));
    registry.check_images(&app).await;
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn a_push_restores_at_once() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let (image, own) = push(&registry, &app, "v1").await;
    archive(&registry, &app, "v1").await;
    drain(&registry).await;
    check_kind(registry.put(&app, &image, Some("v1")).await, ErrorKind::LayersNotFound);
    push(&registry, &app, "v1").await;
    assert_eq!(registry.manifest(&app, "v1").await.unwrap().0, image.digest);
    assert_eq!(registry.blob(&app, &own.digest).await.unwrap(), own.bytes);
    drain(&registry).await;
    assert_eq!(tiers(&registry).await, ["STANDARD"; 2]);
    registry.check_images(&app).await;
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn a_blob_that_another_repository_serves_stays_where_it_is() {
    let registry = Registry::new().await;
    let (app, other) = (registry.create("app").await, registry.create("other").await);
    let (_, own) = push(&registry, &app, "v1").await;
    push(&registry, &other, "v1").await;
    archive(&registry, &app, "v1").await;
    drain(&registry).await;
    assert_eq!(tiers(&registry).await, ["STANDARD"; 2]);
    check_kind(registry.blob(&app, &own.digest).await, ErrorKind::BlobNotFound);
    assert_eq!(registry.blob(&other, &own.digest).await.unwrap(), own.bytes);
    archive(&registry, &other, "v1").await;
    drain(&registry).await;
    assert_eq!(tiers(&registry).await, ["ARCHIVE"; 2]);
    // The bytes serve whoever is restored, and nobody else.
    restore(&registry, &other, "v1").await;
    drain(&registry).await;
    assert_eq!(registry.blob(&other, &own.digest).await.unwrap(), own.bytes);
    check_kind(registry.blob(&app, &own.digest).await, ErrorKind::BlobNotFound);
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn an_index_is_archived_before_its_children_and_restored_after_them() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let (child, _) = push(&registry, &app, "child").await;
    let index = Pushed::index(&[&child]);
    registry.put(&app, &index, Some("all")).await.unwrap();
    let refused = ErrorKind::ImageStorageClassUpdateNotSupported;
    let to = async |tag: &str, target| update(&registry, &app, by_tag(tag), target).await;
    check_kind(to("child", StorageClass::Archive).await, refused);
    archive(&registry, &app, "all").await;
    archive(&registry, &app, "child").await;
    check_kind(to("child", StorageClass::Archive).await, refused);
    drain(&registry).await;
    check_kind(to("all", StorageClass::Standard).await, refused);
    restore(&registry, &app, "child").await;
    check_kind(to("all", StorageClass::Standard).await, refused);
    drain(&registry).await;
    check_kind(to("child", StorageClass::Standard).await, refused);
    restore(&registry, &app, "all").await;
    drain(&registry).await;
    assert_eq!(registry.tags(&app).await.unwrap(), ["all", "child"]);
    registry.check_images(&app).await;
}

#[tokio::test]
async fn who_is_not_there_and_who_is_deleted() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let (image, _) = push(&registry, &app, "v1").await;
    let missing = update(&registry, &app, by_tag("v2"), StorageClass::Archive).await;
    check_kind(missing, ErrorKind::ImageNotFound);
    let nothing = ImageIdentifier { digest: None, tag: None };
    let unnamed = update(&registry, &app, nothing, StorageClass::Archive).await;
    check_kind(unnamed, ErrorKind::InvalidParameter);
    archive(&registry, &app, "v1").await;
    drain(&registry).await;
    registry.batch_delete(&app, vec![by_digest(&image.digest)]).await.unwrap();
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    registry.sweep().await;
    registry.check_nothing_left().await;

    push(&registry, &app, "v1").await;
    archive(&registry, &app, "v1").await;
    drain(&registry).await;
    restore(&registry, &app, "v1").await;
    registry.delete("app", true).await.unwrap();
    drain(&registry).await;
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    registry.sweep().await;
    registry.check_nothing_left().await;
}
