//! Every call that a sweep makes to a store fails in turn: what is needed stays, and the next sweep
//! does the rest.

use tonnage_domain::gc;
use tonnage_store::faulty::{Call, Fault};

use super::GRACE;
use crate::content::Blob;
use crate::registry::{Registry, by_tag, faulted};

/// A registry with garbage of every kind beside an image that is needed.
async fn registry_with_garbage() -> Registry {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let tools = registry.create("tools").await;
    registry.push_image(&app, "kept", &["kept"]).await;
    registry.push_image(&app, "gone", &["gone"]).await;
    registry.push_image(&tools, "kept", &["v1"]).await;
    for (repository, blob) in [(&app, "one"), (&app, "two"), (&tools, "one"), (&tools, "three")] {
        registry.push_blob(repository, &Blob::new(blob, 80_000)).await.unwrap();
    }
    registry.batch_delete(&app, vec![by_tag("gone")]).await.unwrap();
    registry.delete("tools", true).await.unwrap();
    let upload = registry.initiate(&app).await.unwrap();
    registry.append(&app, &upload, &Blob::new("upload", 200_000).bytes).await.unwrap();
    registry.clock.advance_seconds(GRACE);
    registry
}

async fn check_swept(registry: &Registry, at: &str) {
    let app = crate::registry::address("app");
    registry.check_images(&app).await;
    let blobs = registry.rows("SELECT id FROM blobs").await.len();
    let edges = registry.rows("SELECT blob_id FROM repository_blobs").await.len();
    let candidates = registry.rows("SELECT blob_id FROM garbage_candidates").await.len();
    assert_eq!((blobs, edges, candidates), (2, 2, 0), "{at}");
    assert!(registry.objects_present().is_empty(), "{at}");
    let totals = registry.rows("SELECT removed_blobs, reclaimed_bytes FROM garbage_collection");
    assert_eq!(totals.await, [["4", "240100"]], "{at}");
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn a_sweep_that_failed_anywhere_is_finished_by_the_next_one() {
    let calls = [
        Call::BeginRead,
        Call::BeginWrite,
        Call::Execute,
        Call::Query,
        Call::CommitBefore,
        Call::CommitAfterDurable,
        Call::Delete,
    ];
    let registry = registry_with_garbage().await;
    let before = calls.map(|call| registry.plan.count(call));
    registry.sweep().await;
    let made = calls.map(|call| registry.plan.count(call));
    check_swept(&registry, "without faults").await;
    for ((call, before), made) in calls.into_iter().zip(before).zip(made) {
        assert!(made > before, "{call:?} is not made");
        for nth in faulted(made - before) {
            let at = format!("{call:?} {nth}");
            let mut registry = registry_with_garbage().await;
            registry.plan.fail(call, nth, Fault::Other);
            gc::sweep(&registry.app).await.expect_err(&at);
            registry.plan.heal();
            registry.check_images(&crate::registry::address("app")).await;
            // By the same process or by the one after a crash.
            if nth % 2 == 0 {
                registry.reopen().await;
            }
            registry.sweep().await;
            check_swept(&registry, &at).await;
        }
    }
}
