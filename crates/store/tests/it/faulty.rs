//! Each call of a push and a pull fails in turn: the caller is told, nothing half-done is seen, and
//! the stores go on.

use std::sync::Arc;

use tonnage_domain::metadata::{Metadata, MetadataError, MetadataErrorKind};
use tonnage_domain::objects::{ObjectError, ObjectErrorKind, ObjectId, Objects};
use tonnage_store::faulty::{Call, Fault, FaultPlan, FaultyMetadata, FaultyObjects};
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::SqliteMetadata;

use super::support::{AnyError, check_sound, content, pull, push, rows};

/// A push, a pull, and an upload that is resumed and given up.
async fn everything(
    metadata: &dyn Metadata,
    objects: &dyn Objects,
    id: &ObjectId,
) -> Result<(), AnyError> {
    push(metadata, objects, id).await?;
    rows(metadata).await?;
    pull(objects, id).await?;
    let spare = ObjectId::random();
    let content = content(&spare);
    let mut writer = objects.create(&spare).await?;
    writer.write(content.slice(..5000)).await?;
    drop(writer);
    let mut writer = objects.resume(&spare, 5000).await?;
    writer.write(content.slice(5000..)).await?;
    writer.sync().await?;
    Ok(objects.delete(&spare).await?)
}

#[tokio::test]
async fn each_call_fails_in_turn() {
    let directory = tempfile::tempdir().unwrap();
    let plan = FaultPlan::new();
    let real_metadata: Arc<dyn Metadata> = Arc::new(SqliteMetadata::open_in_memory().unwrap());
    let real_objects: Arc<dyn Objects> = Arc::new(FileObjects::open(directory.path()).unwrap());
    let metadata = FaultyMetadata::new(Arc::clone(&real_metadata), Arc::clone(&plan));
    let objects = FaultyObjects::new(Arc::clone(&real_objects), Arc::clone(&plan));

    everything(&metadata, &objects, &ObjectId::random()).await.unwrap();
    let calls = Call::ALL.map(|call| (call, plan.count(call)));
    for (call, count) in calls {
        assert!(count > 0, "{call:?} is not made");
        for nth in 1..=count {
            for fault in [Fault::Full, Fault::Unavailable, Fault::Other] {
                plan.fail(call, nth, fault);
                let id = ObjectId::random();
                let error = everything(&metadata, &objects, &id).await.unwrap_err();
                check_kind(&error, call, fault);
                // Half-written objects are named by no row.
                let present = check_sound(&*real_metadata, &*real_objects).await.contains(&id);
                if call == Call::CommitBefore {
                    assert!(!present);
                }
                if call == Call::CommitAfterDurable {
                    assert!(present, "the caller cannot know");
                }
                everything(&metadata, &objects, &ObjectId::random()).await.unwrap();
            }
        }
    }
}

fn check_kind(error: &AnyError, call: Call, fault: Fault) {
    if let Some(error) = error.downcast_ref::<MetadataError>() {
        let expected = match fault {
            Fault::Full => MetadataErrorKind::Full,
            Fault::Unavailable => MetadataErrorKind::Unavailable,
            Fault::Other => MetadataErrorKind::Other,
        };
        assert_eq!(error.kind(), expected, "{call:?}");
    } else {
        let error = error.downcast_ref::<ObjectError>().unwrap();
        let expected = match fault {
            Fault::Full => ObjectErrorKind::Full,
            Fault::Unavailable | Fault::Other => ObjectErrorKind::Other,
        };
        assert_eq!(error.kind(), expected, "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_means_present_under_random_faults() {
    for seed in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let faults = [Fault::Full, Fault::Unavailable, Fault::Other];
        let calls = Call::ALL.map(|call| match call {
            // The only one after which a failed push is there all the same.
            Call::CommitAfterDurable => Call::CommitBefore,
            call => call,
        });
        let plan = FaultPlan::seeded(seed, 50, &calls, &faults);
        let real_metadata: Arc<dyn Metadata> = Arc::new(SqliteMetadata::open_in_memory().unwrap());
        let real_objects: Arc<dyn Objects> = Arc::new(FileObjects::open(directory.path()).unwrap());
        let metadata = Arc::new(FaultyMetadata::new(Arc::clone(&real_metadata), Arc::clone(&plan)));
        let objects = Arc::new(FaultyObjects::new(Arc::clone(&real_objects), Arc::clone(&plan)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (metadata, objects) = (Arc::clone(&metadata), Arc::clone(&objects));
            tasks.spawn(async move {
                let id = ObjectId::random();
                push(&*metadata, &*objects, &id).await.is_ok().then_some(id)
            });
        }
        let mut acknowledged: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let mut present = check_sound(&*real_metadata, &*real_objects).await;
        acknowledged.sort();
        present.sort();
        assert_eq!(acknowledged, present, "seed {seed}");
        assert!(plan.injected() > 0, "seed {seed}");
    }
}
