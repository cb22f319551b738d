//! Every call to a store fails in turn while an image is imported and read: nothing half-done is
//! seen, and the same pull succeeds once the store does.

use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::jobs::Worker;
use tonnage_store::faulty::{Call, Fault};

use super::{Image, World};
use crate::registry::{address, faulted};

const HOUR: i64 = 3600;

/// Everything a client does, up to the first failure.
async fn pull(world: &World, name: &str, image: &Image) -> Result<()> {
    let pulled = world.pull(name, "v1").await?;
    assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
    for blob in image.blobs() {
        world.size(name, &blob.digest).await?;
        assert!(world.blob(name, &blob.digest).await? == blob.bytes);
    }
    Ok(())
}

/// Runs what is due until nothing is, whatever fails.
async fn work(world: &World) {
    let worker = Worker::default();
    for _ in 0..200 {
        if let Ok(None) = worker.run_one(&world.registry.app).await {
            return;
        }
    }
    panic!("jobs never end");
}

async fn script(world: &World, number: u64) -> Result<()> {
    let (upstream, name) = (format!("app/{number}"), format!("quay/app/{number}"));
    let image = world.push(&upstream, &name, 2_200_000, &["v1"]);
    let pulled = pull(world, &name, &image).await;
    work(world).await;
    pulled
}

async fn fail_each(call: Call) {
    let world = World::new().await;
    let plan = &world.registry.plan;
    // The first time does more than any after it.
    script(&world, 0).await.unwrap();
    let before = plan.count(call);
    script(&world, 1).await.unwrap();
    let count = plan.count(call) - before;
    assert!(count > 0, "{call:?} is not made");
    for nth in faulted(count) {
        let fault = [Fault::Full, Fault::Unavailable, Fault::Other][(nth % 3) as usize];
        let (at, number) = (format!("{call:?} {nth} {fault:?}"), nth + 1);
        let injected = plan.injected();
        plan.fail(call, nth, fault);
        let failed = script(&world, number).await;
        // What others do beside it may take a call more or less.
        plan.heal();
        if let Err(error) = &failed {
            assert_eq!(plan.injected(), injected + 1, "{at}: {error}");
            assert!(!error.message().contains("injected"), "{at}: {error}");
            assert!(
                matches!(
                    error.kind(),
                    ErrorKind::StorageFull | ErrorKind::Unavailable | ErrorKind::Internal
                ),
                "{at}: {error}"
            );
        }
        world.registry.clock.advance_seconds(HOUR);
        work(&world).await;
        script(&world, number).await.unwrap();
        world.registry.check_images(&address(&format!("quay/app/{number}"))).await;
    }
    world.check(&[]).await;
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
    begin_read: BeginRead;
    begin_write: BeginWrite;
    execute: Execute;
    query: Query;
    commit_before: CommitBefore;
    commit_after_durable: CommitAfterDurable;
    create: Create;
    write: Write;
    sync: Sync;
    open: Open;
    read: Read;
}
