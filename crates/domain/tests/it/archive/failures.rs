//! Every call to a store fails in turn while an image goes to the archive and comes back. The jobs
//! try again; in the end every byte is where it belongs and nothing is left over.

use tonnage_domain::jobs::Worker;
use tonnage_store::faulty::{Call, Fault};

use super::{archive, push, restore, tiers};
use crate::registry::{Registry, address, faulted};

const HOUR: i64 = 3600;

/// Runs what is due until nothing is, whatever fails.
async fn work(registry: &Registry) {
    let worker = Worker::default();
    for _ in 0..200 {
        if let Ok(None) = worker.run_one(&registry.app).await {
            return;
        }
    }
    panic!("jobs never end");
}

async fn script(registry: &Registry, name: &str) {
    let repository = address(name);
    archive(registry, &repository, "v1").await;
    work(registry).await;
}

async fn back(registry: &Registry, name: &str) {
    restore(registry, &address(name), "v1").await;
    work(registry).await;
}

/// How often a call is made on a way, and the same with each of them failing.
async fn fail_each(call: Call, is_way_back: bool) {
    let registry = Registry::new().await;
    let go = async |name: &str, is_back: bool| {
        if is_back { back(&registry, name).await } else { script(&registry, name).await }
    };
    // The first time does more than any after it.
    let mut count = 0;
    for name in ["first", "second"] {
        push(&registry, &registry.create(name).await, "v1").await;
        if is_way_back {
            go(name, false).await;
        }
        let before = registry.plan.count(call);
        go(name, is_way_back).await;
        count = registry.plan.count(call) - before;
        registry.delete(name, true).await.unwrap();
        registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
        registry.sweep().await;
    }
    assert!(count > 0, "{call:?} is not made");
    for nth in faulted(count) {
        let fault = [Fault::Full, Fault::Unavailable, Fault::Other][(nth % 3) as usize];
        let at = format!("{call:?} {nth} {fault:?}");
        let name = format!("n{nth}");
        let repository = registry.create(&name).await;
        push(&registry, &repository, "v1").await;
        if is_way_back {
            go(&name, false).await;
        }
        // The request itself is tried in tests of requests.
        let id = crate::registry::by_tag("v1");
        let target = if is_way_back {
            tonnage_domain::archive::update_image_storage_class::StorageClass::Standard
        } else {
            tonnage_domain::archive::update_image_storage_class::StorageClass::Archive
        };
        super::update(&registry, &repository, id, target).await.unwrap();
        registry.plan.fail(call, nth, fault);
        work(&registry).await;
        registry.plan.heal();
        registry.clock.advance_seconds(HOUR);
        work(&registry).await;
        let expected = if is_way_back { "STANDARD" } else { "ARCHIVE" };
        assert_eq!(tiers(&registry).await, [expected; 2], "{at}");
        if !is_way_back {
            go(&name, true).await;
        }
        registry.check_images(&repository).await;
        assert_eq!(registry.tags(&repository).await.unwrap(), ["v1"], "{at}");
        registry.check_no_orphans().await;
        assert!(registry.rows("SELECT object_id FROM object_copies").await.is_empty(), "{at}");
        registry.delete(&name, true).await.unwrap();
        registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
        registry.sweep().await;
        registry.check_nothing_left().await;
    }
}

/// Tests for each kind of call, there and back.
macro_rules! fail_each {
    ($($name:ident: $call:ident;)*) => {
        mod there {
            $(
                #[tokio::test]
                async fn $name() {
                    super::fail_each(super::Call::$call, false).await;
                }
            )*
        }
        mod back {
            $(
                #[tokio::test]
                async fn $name() {
                    super::fail_each(super::Call::$call, true).await;
                }
            )*
        }
    };
}

fail_each! {
    begin_write: BeginWrite;
    commit_before: CommitBefore;
    commit_after_durable: CommitAfterDurable;
    create: Create;
    execute: Execute;
    open: Open;
    query: Query;
    read: Read;
    sync: Sync;
    write: Write;
}
