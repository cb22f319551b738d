//! One suite per trait, every backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tonnage_domain::metadata::Metadata;
use tonnage_domain::objects::Objects;
use tonnage_store::conformance::{ObjectStep, metadata_suite, objects_follow_model, objects_suite};
use tonnage_store::faulty::{FaultPlan, FaultyMetadata, FaultyObjects};
use tonnage_store::files::FileObjects;
use tonnage_store::postgres::testing;
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

/// A directory and a counter for what is made in it.
struct Places {
    directory: tempfile::TempDir,
    made: AtomicUsize,
}

impl Places {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), made: AtomicUsize::new(0) }
    }

    fn next(&self) -> std::path::PathBuf {
        self.directory.path().join(self.made.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

fn in_memory() -> Arc<dyn Metadata> {
    Arc::new(SqliteMetadata::open_in_memory().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_on_disk() {
    let places = Places::new();
    metadata_suite(async || {
        let path = places.next().join("metadata.db");
        Arc::new(SqliteMetadata::open(path, SqliteOptions::default()).unwrap()) as Arc<dyn Metadata>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_in_memory() {
    metadata_suite(async || in_memory()).await;
}

/// One thread runs every task: nothing may depend on another thread making progress.
#[tokio::test(flavor = "current_thread")]
async fn sqlite_on_one_thread() {
    metadata_suite(async || in_memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres() {
    let Some(server) = testing::server("conformance::postgres") else { return };
    metadata_suite(async || {
        Arc::new(testing::empty_database(&server).await.unwrap()) as Arc<dyn Metadata>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_behind_a_pooler() {
    let test = "conformance::postgres_behind_a_pooler";
    let (Some(server), Some(pooler)) = (testing::server(test), testing::pooler(test)) else {
        return;
    };
    metadata_suite(async || {
        let database = testing::empty_database_behind(&server, &pooler).await;
        Arc::new(database.unwrap()) as Arc<dyn Metadata>
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn postgres_on_one_thread() {
    let Some(server) = testing::server("conformance::postgres_on_one_thread") else { return };
    metadata_suite(async || {
        Arc::new(testing::empty_database(&server).await.unwrap()) as Arc<dyn Metadata>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_faulty_database_without_faults() {
    metadata_suite(async || {
        Arc::new(FaultyMetadata::new(in_memory(), FaultPlan::new())) as Arc<dyn Metadata>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn files() {
    let places = Places::new();
    objects_suite(async || Arc::new(FileObjects::open(places.next()).unwrap()) as Arc<dyn Objects>)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_faulty_store_without_faults() {
    let places = Places::new();
    objects_suite(async || {
        let inner = Arc::new(FileObjects::open(places.next()).unwrap());
        Arc::new(FaultyObjects::new(inner, FaultPlan::new())) as Arc<dyn Objects>
    })
    .await;
}

fn step() -> impl Strategy<Value = ObjectStep> {
    prop_oneof![
        4 => (0..100_000usize).prop_map(ObjectStep::Write),
        1 => Just(ObjectStep::Sync),
        2 => any::<u8>().prop_map(ObjectStep::Resume),
        3 => (any::<u8>(), 0..200_000usize).prop_map(|(at, length)| ObjectStep::Read(at, length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn files_follow_the_model(steps in prop::collection::vec(step(), 0..24)) {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = FileObjects::open(directory.path()).unwrap();
            objects_follow_model(&store, &steps).await;
        });
    }
}
