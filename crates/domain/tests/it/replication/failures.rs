//! Every call to a store fails in turn while an image is copied to another account. The job tries
//! again, and in the end the copy is there once, whole, and nothing is left over.

use tonnage_domain::jobs::Worker;
use tonnage_store::faulty::{Call, Fault};

use super::{AWAY, EAST, World, at, rule, to};
use crate::content::{Blob, Pushed};
use crate::registry::{by_tag, faulted};

const HOUR: i64 = 3600;

struct Script {
    name: String,
    image: Pushed,
}

/// Pushes an image of two blobs that no other script has.
async fn push(world: &World, number: u64) -> Script {
    let name = format!("script/{number}");
    let repository = world.registry.create(&name).await;
    let config = Blob::new(&format!("config {number}"), 300);
    let layer = Blob::new(&format!("layer {number}"), 1_500_000);
    for blob in [&config, &layer] {
        world.registry.push_blob(&repository, blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[&layer]);
    world.registry.put(&repository, &image, Some("v1")).await.unwrap();
    Script { name, image }
}

/// Runs what is due until nothing is, whatever fails; later what is due then.
async fn drain(world: &World) {
    let worker = Worker::default();
    for _ in 0..200 {
        match worker.run_one(&world.registry.app).await {
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => return,
        }
    }
    panic!("jobs never end");
}

async fn fail_each(call: Call) {
    let world = World::new().await;
    world.rules(vec![rule(&[to(AWAY, EAST)])]).await;
    world.allow(r#""ecr:ReplicateImage","ecr:CreateRepository""#).await;
    // The first copy does more than any after it.
    push(&world, 0).await;
    drain(&world).await;
    push(&world, u64::MAX).await;
    let before = world.registry.plan.count(call);
    drain(&world).await;
    let count = world.registry.plan.count(call) - before;
    assert!(count > 0, "{call:?} is not made");
    for nth in faulted(count) {
        let fault = [Fault::Full, Fault::Unavailable, Fault::Other][(nth % 3) as usize];
        let at_call = format!("{call:?} {nth} {fault:?}");
        let script = push(&world, nth).await;
        let injected = world.registry.plan.injected();
        world.registry.plan.fail(call, nth, fault);
        drain(&world).await;
        assert_eq!(world.registry.plan.injected(), injected + 1, "{at_call}");
        world.registry.plan.heal();
        world.registry.clock.advance_seconds(HOUR);
        drain(&world).await;
        let copy = at(AWAY, EAST, &script.name);
        let found = world.resolve(&copy, "v1").await;
        assert_eq!(found.as_ref(), Some(&script.image.digest), "{at_call}");
        let source = crate::registry::address(&script.name);
        let told = world.statuses(&source, by_tag("v1")).await;
        assert_eq!(told, [format!("{EAST} {AWAY} COMPLETE -")], "{at_call}");
        assert_eq!(
            world.registry.rows("SELECT id FROM replication_queue").await.len(),
            0,
            "{at_call}"
        );
    }
    world.registry.check_no_orphans().await;
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
    create: Create;
    execute: Execute;
    open: Open;
    query: Query;
    read: Read;
    sync: Sync;
    write: Write;
}
