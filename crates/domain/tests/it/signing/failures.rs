//! Every call to a store fails in turn while an image is signed. The job tries again, and in the
//! end the image has one signature, whole, and nothing is left over.

use tonnage_domain::jobs::Worker;
use tonnage_store::faulty::{Call, Fault};

use super::{put_profile, put_rules, signatures, statuses};
use crate::content::Pushed;
use crate::registry::{Registry, address, by_tag, faulted};

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

async fn push(registry: &Registry, name: &str) -> Pushed {
    let repository = registry.create(name).await;
    registry.push_image(&repository, name, &["v1"]).await
}

async fn fail_each(call: Call) {
    let registry = Registry::new().await;
    put_profile(&registry, "release").await;
    put_rules(&registry, &["release"]).await;
    // The first time does more than any after it.
    push(&registry, "first").await;
    work(&registry).await;
    push(&registry, "second").await;
    let before = registry.plan.count(call);
    work(&registry).await;
    let count = registry.plan.count(call) - before;
    assert!(count > 0, "{call:?} is not made");
    for nth in faulted(count) {
        let fault = [Fault::Full, Fault::Unavailable, Fault::Other][(nth % 3) as usize];
        let at = format!("{call:?} {nth} {fault:?}");
        let name = format!("n{nth}");
        let image = push(&registry, &name).await;
        let injected = registry.plan.injected();
        registry.plan.fail(call, nth, fault);
        work(&registry).await;
        assert_eq!(registry.plan.injected(), injected + 1, "{at}");
        registry.plan.heal();
        registry.clock.advance_seconds(HOUR);
        work(&registry).await;
        let repository = address(&name);
        let told = statuses(&registry, &repository, by_tag("v1")).await;
        assert_eq!(told, ["release COMPLETE -"], "{at}");
        assert_eq!(signatures(&registry, &repository, &image.digest).await.len(), 1, "{at}");
        registry.check_images(&repository).await;
    }
    registry.check_no_orphans().await;
}

/// One test for each kind of call, so that they run beside each other.
macro_rules! fail_each {
    ($($name:ident: $call:ident;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                fail_each(Call::$call).await;
            }
        )*
    };
}

fail_each! {
    begin_write: BeginWrite;
    commit_before: CommitBefore;
    commit_after_durable: CommitAfterDurable;
    execute: Execute;
    query: Query;
}
