//! What garbage collection removes, when, and what it never touches.

mod cost;
mod failures;
mod races;
mod stress;

use bytes::Bytes;
use tonnage_domain::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use tonnage_domain::blobs::get_blob::HeadBlob;
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::gc::operations::{DescribeGarbageCollection, RunGarbageCollection};
use tonnage_domain::gc::{self, Swept};
use tonnage_domain::names::AccountId;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::uploads::UploadRules;
use tonnage_domain::uploads::finish::CompleteLayerUpload;

use crate::content::{Blob, Pushed};
use crate::registry::{ACCOUNT, Registry, body, by_digest, by_tag, check_kind};

/// The grace period of a registry that nobody configured, in seconds.
const GRACE: i64 = 24 * 3600;

async fn head(registry: &Registry, repository: &RepositoryAddress, blob: &Blob) -> Result<u64> {
    let digest = blob.digest.clone();
    registry.run(HeadBlob { repository: repository.clone(), digest }).await
}

async fn available(registry: &Registry, repository: &RepositoryAddress, blob: &Blob) -> bool {
    let digests = vec![blob.digest.clone()];
    let check = BatchCheckLayerAvailability { repository: repository.clone(), digests };
    registry.run(check).await.unwrap()[0].size.is_some()
}

/// A large blob in a repository, whose grace period is over, and an image of it that is not pushed.
async fn old_blob(registry: &Registry) -> (RepositoryAddress, Blob, Pushed) {
    let app = registry.create("app").await;
    let blob = Blob::new("old", 100_000);
    registry.push_blob(&app, &blob).await.unwrap();
    registry.clock.advance_seconds(GRACE);
    let image = Pushed::image(&blob, &[]);
    (app, blob, image)
}

async fn count(registry: &Registry, sql: &'static str) -> usize {
    registry.rows(sql).await.len()
}

#[tokio::test]
async fn a_blob_that_no_image_refers_to_goes_when_its_grace_period_is_over() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let (large, small) = (Blob::new("large", 100_000), Blob::new("small", 100));
    registry.push_blob(&app, &large).await.unwrap();
    registry.clock.advance_seconds(10);
    registry.push_blob(&app, &small).await.unwrap();
    registry.clock.advance_seconds(GRACE - 11);
    assert_eq!(registry.sweep().await, Swept::default());
    registry.clock.advance_seconds(1);
    let removed = Swept { edges: 1, blobs: 1, bytes: 100_000, objects: 1, ..Swept::default() };
    assert_eq!(registry.sweep().await, removed);
    check_kind(registry.blob(&app, &large.digest).await, ErrorKind::BlobNotFound);
    registry.blob(&app, &small.digest).await.unwrap();
    registry.clock.advance_seconds(10);
    let removed = Swept { edges: 1, blobs: 1, bytes: 100, ..Swept::default() };
    assert_eq!(registry.sweep().await, removed);
    registry.check_nothing_left().await;
}

#[tokio::test]
async fn what_an_image_refers_to_stays_for_ever() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.push_image(&app, "one", &["v1"]).await;
    assert_eq!(count(&registry, "SELECT blob_id FROM garbage_candidates").await, 0);
    registry.clock.advance_seconds(30 * GRACE);
    assert_eq!(registry.sweep().await, Swept::default());
    registry.check_images(&app).await;
}

#[tokio::test]
async fn a_blob_goes_with_the_last_image_that_refers_to_it() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    // They share a layer.
    registry.push_image(&app, "one", &["v1"]).await;
    let two = registry.push_image(&app, "two", &["v2"]).await;
    registry.batch_delete(&app, vec![by_tag("v1")]).await.unwrap();
    registry.clock.advance_seconds(GRACE - 1);
    assert_eq!(registry.sweep().await, Swept::default());
    registry.clock.advance_seconds(1);
    let removed = Swept { edges: 1, blobs: 1, bytes: 100, ..Swept::default() };
    assert_eq!(registry.sweep().await, removed);
    registry.check_images(&app).await;
    assert_eq!(count(&registry, "SELECT blob_id FROM garbage_candidates").await, 0);

    registry.batch_delete(&app, vec![by_digest(&two.digest)]).await.unwrap();
    registry.clock.advance_seconds(GRACE);
    let removed = Swept { edges: 2, blobs: 2, bytes: 2100, ..Swept::default() };
    assert_eq!(registry.sweep().await, removed);
    registry.check_nothing_left().await;
}

#[tokio::test]
async fn a_blob_that_another_repository_holds_stays_there() {
    let registry = Registry::new().await;
    let (app, tools) = (registry.create("app").await, registry.create("tools").await);
    let blob = Blob::new("shared", 100_000);
    let image = Pushed::image(&blob, &[]);
    for repository in [&app, &tools] {
        registry.push_blob(repository, &blob).await.unwrap();
        registry.put(repository, &image, Some("v1")).await.unwrap();
    }
    registry.sweep().await;
    registry.batch_delete(&app, vec![by_tag("v1")]).await.unwrap();
    registry.clock.advance_seconds(GRACE);
    assert_eq!(registry.sweep().await, Swept { edges: 1, ..Swept::default() });
    check_kind(registry.blob(&app, &blob.digest).await, ErrorKind::BlobNotFound);
    registry.check_images(&tools).await;

    registry.delete("tools", true).await.unwrap();
    registry.clock.advance_seconds(GRACE - 1);
    assert_eq!(registry.sweep().await, Swept::default());
    registry.clock.advance_seconds(1);
    let removed = Swept { blobs: 1, bytes: 100_000, objects: 1, ..Swept::default() };
    assert_eq!(registry.sweep().await, removed);
    registry.check_nothing_left().await;
}

#[tokio::test]
async fn a_blob_that_is_pushed_again_gets_a_new_grace_period() {
    let registry = Registry::new().await;
    let (app, blob, image) = old_blob(&registry).await;
    registry.push_blob(&app, &blob).await.unwrap();
    assert_eq!(registry.sweep().await, Swept { objects: 1, ..Swept::default() });
    registry.clock.advance_seconds(GRACE - 1);
    assert_eq!(registry.sweep().await, Swept::default());
    registry.put(&app, &image, Some("v1")).await.unwrap();
    registry.clock.advance_seconds(GRACE);
    assert_eq!(registry.sweep().await, Swept::default());
    registry.check_images(&app).await;
}

/// The grace period begins when a push ends, however long its request took.
#[tokio::test]
async fn a_body_that_arrives_slowly_costs_nothing_of_the_grace_period() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let blob = Blob::new("slow", 100_000);
    let upload_id = registry.initiate(&app).await.unwrap();
    let arrived = registry.context();
    registry.clock.advance_seconds(GRACE - 1);
    let complete = CompleteLayerUpload {
        repository: app.clone(),
        upload_id,
        digests: vec![blob.digest.clone()],
        first_byte: None,
        body: Some(body(&Bytes::clone(&blob.bytes))),
        rules: UploadRules::Distribution,
    };
    registry.run_in(&arrived, complete).await.unwrap();
    registry.clock.advance_seconds(GRACE - 1);
    assert_eq!(registry.sweep().await, Swept::default());
    registry.clock.advance_seconds(1);
    assert_eq!(registry.sweep().await.blobs, 1);
}

#[tokio::test]
async fn the_operator_sees_and_runs_it() {
    let registry = Registry::new().await;
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let describe = DescribeGarbageCollection { management_account };
    let (before, nothing) = registry.run(describe.clone()).await.unwrap();
    assert_eq!((before.last_sweep_at, before.candidates, before.removed_blobs), (None, 0, 0));
    assert_eq!((before.grace_seconds, nothing.removes), (GRACE, Swept::default()));

    let (app, ..) = old_blob(&registry).await;
    registry.push_blob(&app, &Blob::new("young", 100)).await.unwrap();
    let (status, plan) = registry.run(describe.clone()).await.unwrap();
    let removes = Swept { edges: 1, blobs: 1, bytes: 100_000, objects: 1, ..Swept::default() };
    assert_eq!((status.candidates, plan.removes, plan.complete), (2, removes, true));

    let run = RunGarbageCollection { management_account };
    let output = registry.run(run).await.unwrap();
    assert_eq!((output.swept, output.more), (removes, false));
    let (status, plan) = registry.run(describe).await.unwrap();
    assert_eq!((status.candidates, plan.removes), (1, Swept::default()));
    assert_eq!((status.removed_blobs, status.reclaimed_bytes), (1, 100_000));
    assert_eq!(status.last_sweep_at, Some(registry.context().now));
    let records = registry.rows("SELECT operation FROM access_records ORDER BY id DESC").await;
    assert_eq!(records[0], ["RunGarbageCollection"]);
}

#[tokio::test]
async fn one_call_of_the_operator_does_a_bounded_part() {
    let registry = Registry::new().await;
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let insert =
        "INSERT INTO garbage_candidates (repository_id, blob_id, since) VALUES ($1, $2, 0)";
    let candidates: Vec<_> =
        (0..5_100).map(|id: i64| (insert, tonnage_domain::params![1_i64, id].to_vec())).collect();
    registry.write(&candidates).await;
    for (more, left) in [(true, 100), (false, 0)] {
        let output = registry.run(RunGarbageCollection { management_account }).await.unwrap();
        assert_eq!(output.more, more);
        let rows = count(&registry, "SELECT blob_id FROM garbage_candidates").await;
        assert_eq!(rows, left);
    }
    assert_eq!(gc::status(&registry.app).await.unwrap().removed_blobs, 0);
}
