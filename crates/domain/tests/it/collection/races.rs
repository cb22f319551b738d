//! Pushes, pulls and the collector step by step beside each other, in the orders that hurt.
//!
//! In every one of them a client that is told that a blob is there can refer to it, or the manifest
//! is refused; it is never stored without its blobs.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tonnage_domain::blobs::get_blob::GetBlob;
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::gc::{self, Swept};
use tonnage_domain::objects::SPAN_BYTES_MAX;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_store::faulty::{Call, Fault};

use super::{GRACE, available, head, old_blob};
use crate::content::{Blob, Pushed};
use crate::registry::{Registry, check_kind};

/// What a telling request reads last before it answers.
const LOOKED: &str =
    "SELECT since FROM garbage_candidates WHERE repository_id = $1 AND blob_id = $2";
/// What the collector reads: first to see whether there is work, then in its transaction.
const DUE: &str = "FROM garbage_candidates WHERE since <= $1";
const REMOVED: &str = "DELETE FROM blobs";

fn spawn_sweep(registry: &Arc<Registry>) -> JoinHandle<Result<Swept>> {
    let registry = Arc::clone(registry);
    tokio::spawn(async move { gc::sweep(&registry.app).await })
}

/// The manifest is refused, and a push that sends the blob again succeeds.
async fn push_again(registry: &Registry, app: &RepositoryAddress, blob: &Blob, image: &Pushed) {
    check_kind(registry.put(app, image, Some("v1")).await, ErrorKind::LayersNotFound);
    check_kind(head(registry, app, blob).await, ErrorKind::BlobNotFound);
    registry.push_blob(app, blob).await.unwrap();
    assert_eq!(head(registry, app, blob).await.unwrap(), blob.bytes.len() as u64);
    registry.sweep().await;
    registry.put(app, image, Some("v1")).await.unwrap();
    registry.clock.advance_seconds(GRACE);
    registry.sweep().await;
    registry.check_images(app).await;
    registry.check_no_orphans().await;
}

/// The client's manifest is taken, and what it refers to stays.
async fn put(registry: &Registry, app: &RepositoryAddress, image: &Pushed) {
    registry.put(app, image, Some("v1")).await.unwrap();
    registry.clock.advance_seconds(2 * GRACE);
    registry.sweep().await;
    registry.check_images(app).await;
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn a_client_is_told_then_the_collector_runs() {
    for by_aws in [false, true] {
        let registry = Registry::new().await;
        let (app, blob, image) = old_blob(&registry).await;
        if by_aws {
            assert!(available(&registry, &app, &blob).await);
        } else {
            head(&registry, &app, &blob).await.unwrap();
        }
        assert_eq!(registry.sweep().await, Swept::default());
        registry.clock.advance_seconds(GRACE - 1);
        assert_eq!(registry.sweep().await, Swept::default());
        put(&registry, &app, &image).await;
    }
}

#[tokio::test]
async fn what_a_client_was_told_is_written_down() {
    let mut registry = Registry::new().await;
    let (app, blob, image) = old_blob(&registry).await;
    head(&registry, &app, &blob).await.unwrap();
    gc::flush(&registry.app).await.unwrap();
    registry.reopen().await;
    assert_eq!(registry.sweep().await, Swept::default());
    put(&registry, &app, &image).await;
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_forgotten() {
    let registry = Registry::new().await;
    let (app, blob, image) = old_blob(&registry).await;
    head(&registry, &app, &blob).await.unwrap();
    for call in [Call::BeginWrite, Call::Execute, Call::CommitBefore] {
        registry.plan.fail(call, 1, Fault::Full);
        check_kind(gc::flush(&registry.app).await, ErrorKind::StorageFull);
    }
    assert_eq!(registry.sweep().await, Swept::default());
    put(&registry, &app, &image).await;
}

/// The one case in which a client is told in vain: the server was killed within a second after.
#[tokio::test]
async fn a_server_that_was_killed_forgets_what_it_told() {
    let mut registry = Registry::new().await;
    let (app, blob, image) = old_blob(&registry).await;
    head(&registry, &app, &blob).await.unwrap();
    registry.reopen().await;
    assert_eq!(registry.sweep().await.blobs, 1);
    push_again(&registry, &app, &blob, &image).await;
}

#[tokio::test]
async fn telling_costs_no_write_while_half_of_the_grace_period_is_left() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let blob = Blob::new("young", 100_000);
    registry.push_blob(&app, &blob).await.unwrap();
    for (seconds, writes) in [(GRACE / 2 - 1, 0), (1, 1), (0, 0), (GRACE / 2 - 1, 0), (1, 1)] {
        registry.clock.advance_seconds(seconds);
        head(&registry, &app, &blob).await.unwrap();
        let before = registry.plan.count(Call::BeginWrite);
        gc::flush(&registry.app).await.unwrap();
        assert_eq!(registry.plan.count(Call::BeginWrite) - before, writes, "{seconds}");
    }
}

#[tokio::test]
async fn the_collector_runs_between_a_clients_look_and_its_answer() {
    let registry = Arc::new(Registry::new().await);
    let (app, blob, image) = old_blob(&registry).await;
    let pause = registry.interposed.pause_after(LOOKED, 1);
    let telling = {
        let (registry, app, blob) = (Arc::clone(&registry), app.clone(), blob.clone());
        tokio::spawn(async move { head(&registry, &app, &blob).await })
    };
    pause.reached().await;
    assert_eq!(registry.sweep().await.blobs, 1);
    pause.resume();
    check_kind(telling.await.unwrap(), ErrorKind::BlobNotFound);
    push_again(&registry, &app, &blob, &image).await;
}

#[tokio::test]
async fn a_client_asks_while_the_collector_removes() {
    let registry = Arc::new(Registry::new().await);
    let (app, blob, image) = old_blob(&registry).await;
    let pause = registry.interposed.pause_after(REMOVED, 1);
    let sweeping = spawn_sweep(&registry);
    pause.reached().await;
    // The transaction is not committed, so the rows are there still.
    registry.blob(&app, &blob.digest).await.unwrap();
    check_kind(head(&registry, &app, &blob).await, ErrorKind::BlobNotFound);
    assert!(!available(&registry, &app, &blob).await);
    pause.resume();
    assert_eq!(sweeping.await.unwrap().unwrap().blobs, 1);
    push_again(&registry, &app, &blob, &image).await;
}

#[tokio::test]
async fn a_client_asks_before_the_collector_decides() {
    let registry = Arc::new(Registry::new().await);
    let (app, blob, image) = old_blob(&registry).await;
    let pause = registry.interposed.pause_after(DUE, 2);
    let sweeping = spawn_sweep(&registry);
    pause.reached().await;
    head(&registry, &app, &blob).await.unwrap();
    pause.resume();
    assert_eq!(sweeping.await.unwrap().unwrap(), Swept::default());
    put(&registry, &app, &image).await;
}

#[tokio::test]
async fn a_manifest_arrives_before_the_collector_decides() {
    let registry = Arc::new(Registry::new().await);
    let (app, _, image) = old_blob(&registry).await;
    // The collector has seen that there is work.
    let pause = registry.interposed.pause_after(DUE, 1);
    let sweeping = spawn_sweep(&registry);
    pause.reached().await;
    registry.put(&app, &image, Some("v1")).await.unwrap();
    pause.resume();
    assert_eq!(sweeping.await.unwrap().unwrap(), Swept::default());
    put(&registry, &app, &image).await;
}

#[tokio::test]
async fn a_manifest_arrives_while_the_collector_removes() {
    let registry = Arc::new(Registry::new().await);
    let (app, blob, image) = old_blob(&registry).await;
    let pause = registry.interposed.pause_after(REMOVED, 1);
    let sweeping = spawn_sweep(&registry);
    pause.reached().await;
    let putting = {
        let (registry, app, image) = (Arc::clone(&registry), app.clone(), image.clone());
        tokio::spawn(async move { registry.put(&app, &image, Some("v1")).await })
    };
    pause.resume();
    check_kind(putting.await.unwrap(), ErrorKind::LayersNotFound);
    assert_eq!(sweeping.await.unwrap().unwrap().blobs, 1);
    push_again(&registry, &app, &blob, &image).await;
}

#[tokio::test]
async fn the_same_blob_arrives_while_the_collector_removes_it() {
    let registry = Arc::new(Registry::new().await);
    let (app, blob, image) = old_blob(&registry).await;
    let pause = registry.interposed.pause_after(REMOVED, 1);
    let upload = registry.initiate(&app).await.unwrap();
    let sweeping = spawn_sweep(&registry);
    pause.reached().await;
    let pushing = {
        let (registry, app, blob) = (Arc::clone(&registry), app.clone(), blob.clone());
        tokio::spawn(async move {
            registry.complete(&app, &upload, &blob.digest, Some(&blob.bytes)).await
        })
    };
    pause.resume();
    assert_eq!(sweeping.await.unwrap().unwrap().blobs, 1);
    pushing.await.unwrap().unwrap();
    head(&registry, &app, &blob).await.unwrap();
    put(&registry, &app, &image).await;
}

#[tokio::test]
async fn the_collector_fails_after_it_claimed() {
    // A statement fails: the transaction is surely rolled back, and the blob is there again.
    let registry = Registry::new().await;
    let (app, blob, image) = old_blob(&registry).await;
    registry.plan.fail(Call::Execute, 1, Fault::Other);
    check_kind(gc::sweep(&registry.app).await, ErrorKind::Internal);
    head(&registry, &app, &blob).await.unwrap();
    put(&registry, &app, &image).await;

    // Nobody knows how the commit ended, so the blob is not promised until that is settled.
    for call in [Call::CommitBefore, Call::CommitAfterDurable] {
        let registry = Registry::new().await;
        let (app, blob, image) = old_blob(&registry).await;
        // The first commit is that of expired uploads.
        registry.plan.fail(call, 2, Fault::Unavailable);
        check_kind(gc::sweep(&registry.app).await, ErrorKind::Unavailable);
        check_kind(head(&registry, &app, &blob).await, ErrorKind::BlobNotFound);
        registry.push_blob(&app, &blob).await.unwrap();
        registry.sweep().await;
        registry.clock.advance_seconds(GRACE / 2);
        head(&registry, &app, &blob).await.unwrap();
        put(&registry, &app, &image).await;
    }
}

#[tokio::test]
async fn the_collector_is_stopped_in_the_middle() {
    let registry = Arc::new(Registry::new().await);
    let (app, blob, image) = old_blob(&registry).await;
    let pause = registry.interposed.pause_after(REMOVED, 1);
    let sweeping = spawn_sweep(&registry);
    pause.reached().await;
    sweeping.abort();
    assert!(sweeping.await.unwrap_err().is_cancelled());
    registry.blob(&app, &blob.digest).await.unwrap();
    assert_eq!(registry.sweep().await.blobs, 1);
    push_again(&registry, &app, &blob, &image).await;
}

#[tokio::test]
async fn a_pull_begins_while_the_collector_runs() {
    let registry = Arc::new(Registry::new().await);
    let (app, blob, image) = old_blob(&registry).await;
    let pause = registry.interposed.pause_after("JOIN repository_blobs", 1);
    let pulling = {
        let (registry, app, blob) = (Arc::clone(&registry), app.clone(), blob.clone());
        tokio::spawn(async move { registry.blob(&app, &blob.digest).await })
    };
    pause.reached().await;
    let swept = registry.sweep().await;
    assert_eq!((swept.blobs, swept.objects), (1, 1));
    pause.resume();
    check_kind(pulling.await.unwrap(), ErrorKind::BlobNotFound);
    push_again(&registry, &app, &blob, &image).await;
}

#[tokio::test]
async fn a_pull_under_way_ends_well() {
    let registry = Registry::new().await;
    let (app, blob, _) = old_blob(&registry).await;
    let get = GetBlob { repository: app.clone(), digest: blob.digest.clone() };
    let reader = registry.run(get).await.unwrap();
    assert_eq!(registry.sweep().await.objects, 1);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < reader.size() {
        bytes.extend(reader.read_at(bytes.len() as u64, SPAN_BYTES_MAX).await.unwrap());
    }
    assert_eq!(bytes, blob.bytes);
}
