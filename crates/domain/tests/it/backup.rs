//! Backups of a registry that is being used, and registries made from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::Notify;
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::backup::operations::CreateBackup;
use tonnage_domain::backup::{
    self, BackupError, Created, Manifest, Progress, Snapshot, Target, Vault, VaultError,
    VaultReader, VaultWriter,
};
use tonnage_domain::fsck;
use tonnage_domain::metadata::Metadata;
use tonnage_domain::objects::Objects;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::root_key::RootKey;
use tonnage_store::faulty::{Call, Fault, FaultPlan, FaultyMetadata, FaultyObjects, FaultyVault};
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::SqliteMetadata;
use tonnage_store::vault::FileVault;

use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{
    Registry, by_tag, empty_database, on_postgres, root_key, temporary_directory,
};

/// What restored deployments are called.
const DEPLOYMENT: &str = "restored";

struct Backups {
    directory: TempDir,
}

impl Backups {
    fn new() -> Self {
        Self { directory: temporary_directory() }
    }

    fn vault(&self) -> FileVault {
        FileVault::create(self.directory.path()).unwrap()
    }

    async fn create(&self, registry: &Registry, keep: Option<usize>) -> Created {
        let vault = Arc::new(self.vault());
        let management_account = registry.app.management_account;
        let progress = Arc::new(Progress::default());
        let operation = CreateBackup { management_account, vault, keep, progress };
        registry.run(operation).await.unwrap()
    }

    async fn finished(&self) -> Vec<Manifest> {
        let found = backup::snapshots(&self.vault()).await.unwrap();
        let finished = |snapshot| match snapshot {
            Snapshot::Finished(manifest) => Some(manifest),
            _ => None,
        };
        found.into_iter().filter_map(finished).collect()
    }

    /// Every file but the mark and the lock.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        for part in ["objects", "snapshots"] {
            walk(&self.directory.path().join(part), &mut found);
        }
        found.sort();
        found
    }

    fn objects(&self) -> usize {
        self.files()
            .iter()
            .filter(|path| path.starts_with(self.directory.path().join("objects")))
            .count()
    }

    async fn check_whole(&self) {
        let verified = backup::verify(&self.vault(), &Progress::default()).await.unwrap();
        assert_eq!(verified.damages, Vec::<String>::new());
    }

    /// A registry made from a snapshot, which must be whole.
    async fn restore(
        &self,
        of: &Registry,
        snapshot: &Manifest,
        metadata: Arc<dyn Metadata>,
    ) -> Registry {
        let directory = temporary_directory();
        let objects = FileObjects::open(directory.path()).unwrap();
        let target =
            Target { metadata: metadata.as_ref(), objects: &objects, deployment_id: DEPLOYMENT };
        let restored =
            backup::restore(&self.vault(), snapshot, &target, &Progress::default()).await.unwrap();
        assert_eq!((restored.rows, restored.objects), (snapshot.rows, snapshot.objects));
        drop(objects);
        check_restored(of, metadata, directory).await
    }
}

async fn check_restored(
    of: &Registry,
    metadata: Arc<dyn Metadata>,
    directory: TempDir,
) -> Registry {
    let registry = Registry::made_before(metadata, directory, of.first_access_key.as_ref()).await;
    let report = fsck::examine(&registry.app, registry.inventory.as_ref(), true).await.unwrap();
    assert_eq!(report.findings, Vec::new());
    registry
}

/// A large layer, small blobs, an index, an unfinished upload, a blob that nobody refers to.
async fn populate(registry: &Registry, name: &str) -> RepositoryAddress {
    let repository = registry.create(name).await;
    for number in 0..3 {
        let tag = format!("v{number}");
        let child = push_large(registry, &repository, &format!("{name} {number}"), &tag).await;
        registry.put(&repository, &Pushed::index(&[&child]), Some("index")).await.unwrap();
    }
    registry.push_image(&repository, name, &["small", "latest"]).await;
    let upload = registry.initiate(&repository).await.unwrap();
    let part = Blob::new("part", 200_000).bytes;
    registry.append(&repository, &upload, &part).await.unwrap();
    registry.push_blob(&repository, &Blob::new("unused", 100_000)).await.unwrap();
    repository
}

async fn push_large(
    registry: &Registry,
    repository: &RepositoryAddress,
    label: &str,
    tag: &str,
) -> Pushed {
    let (config, layer) = (Blob::new(label, 500), Blob::new(&format!("{label} layer"), 300_000));
    for blob in [&config, &layer] {
        registry.push_blob(repository, blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[&layer]);
    registry.put(repository, &image, Some(tag)).await.unwrap();
    image
}

async fn check_equal(one: &Registry, other: &Registry, repository: &RepositoryAddress) {
    other.check_images(repository).await;
    assert_eq!(one.images(repository).await.unwrap(), other.images(repository).await.unwrap());
    for sql in [
        "SELECT id, digest, size, object_id FROM blobs ORDER BY id",
        "SELECT repository_id, name, image_id, version, updated_at FROM tags ORDER BY name",
        "SELECT id, tag, digest, previous_digest, principal_arn FROM tag_history ORDER BY id",
        "SELECT repository_id, blob_id, since FROM garbage_candidates ORDER BY repository_id, blob_id",
        "SELECT id, principal_arn, operation, resources FROM access_records ORDER BY id",
        "SELECT id, created_at FROM token_keys ORDER BY id",
    ] {
        assert_eq!(one.rows(sql).await, other.rows(sql).await, "{sql}");
    }
}

#[tokio::test]
async fn a_restored_registry_is_the_same_on_either_engine() {
    let registry = Registry::new().await;
    let repository = populate(&registry, "app").await;
    let backups = Backups::new();
    let created = backups.create(&registry, None).await;
    assert_eq!((created.snapshot.objects, created.copied, created.snapshot.lost), (4, 4, 0));
    backups.check_whole().await;
    let key = |bytes: &[u8; 32]| RootKey::new(bytes).unwrap();
    let right = root_key(crate::registry::ROOT_KEY);
    assert!(created.snapshot.fits(&key(&right)) && !created.snapshot.fits(&key(&[9; 32])));

    let sqlite: Arc<dyn Metadata> = Arc::new(SqliteMetadata::open_in_memory().unwrap());
    for metadata in [sqlite, empty_database().await] {
        let restored = backups.restore(&registry, &created.snapshot, metadata).await;
        check_equal(&registry, &restored, &repository).await;
        for table in ["SELECT id FROM uploads", "SELECT object_id FROM garbage_objects"] {
            assert_eq!(restored.rows(table).await, Vec::<Vec<String>>::new());
        }
        // A deployment and an object store of its own.
        let names = "SELECT deployment_id, object_store_id FROM deployment";
        let (old, new) = (registry.rows(names).await, restored.rows(names).await);
        assert!(new[0][0] == DEPLOYMENT && new[0][1] != old[0][1], "{old:?} {new:?}");
        // It is a registry like any other.
        push_large(&restored, &repository, "after", "after").await;
        restored.check_images(&repository).await;
        restored.check_no_orphans().await;
        // And its backups belong elsewhere.
        let progress = Progress::default();
        let refused = backup::create(&restored.app, &backups.vault(), None, &progress).await;
        assert!(refused.unwrap_err().to_string().contains("another registry"));
    }
    backups.check_whole().await;
}

#[tokio::test]
async fn archived_images_are_restored_and_go_to_the_archive_again() {
    let registry = Registry::new().await;
    let repository = registry.create("app").await;
    let image = push_large(&registry, &repository, "old", "v1").await;
    let update = |target| UpdateImageStorageClass {
        repository: repository.clone(),
        id: by_tag("v1"),
        target,
    };
    registry.run(update(StorageClass::Archive)).await.unwrap();
    drain(&registry).await;
    let backups = Backups::new();
    let created = backups.create(&registry, None).await;
    let restored = backups.restore(&registry, &created.snapshot, empty_database().await).await;
    let tiers = "SELECT tier FROM blobs WHERE object_id IS NOT NULL";
    assert_eq!(restored.rows(tiers).await, [["STANDARD"]]);
    // The schedule looks every hour for what no job was enqueued for.
    restored.clock.advance_seconds(3600);
    drain(&restored).await;
    assert_eq!(restored.rows(tiers).await, [["ARCHIVE"]]);
    restored.run(update(StorageClass::Standard)).await.unwrap();
    drain(&restored).await;
    assert_eq!(restored.resolve(&repository, "v1").await, Some(image.digest));
    restored.check_images(&repository).await;
    restored.check_no_orphans().await;
}

#[tokio::test]
async fn only_new_objects_are_copied_and_old_snapshots_go_with_theirs() {
    let registry = Registry::new().await;
    let repository = populate(&registry, "app").await;
    let backups = Backups::new();
    let first = backups.create(&registry, None).await;
    push_large(&registry, &repository, "second", "second").await;
    registry.clock.advance_seconds(60);
    let second = backups.create(&registry, None).await;
    assert_eq!((second.copied, second.snapshot.objects), (1, 5));
    // A copy that somebody removed is made again.
    let object = backups.files()[0].clone();
    fs::remove_file(&object).unwrap();
    registry.batch_delete(&repository, vec![by_tag("second")]).await.unwrap();
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    registry.sweep().await;
    registry.sweep().await;
    let third = backups.create(&registry, None).await;
    assert!(third.snapshot.objects < second.snapshot.objects);
    for snapshot in [&first.snapshot, &second.snapshot, &third.snapshot] {
        if backups.objects() >= 5 {
            let metadata: Arc<dyn Metadata> = Arc::new(SqliteMetadata::open_in_memory().unwrap());
            backups.restore(&registry, snapshot, metadata).await.check_images(&repository).await;
        }
    }
    registry.clock.advance_seconds(60);
    let fourth = backups.create(&registry, Some(2)).await;
    assert_eq!((fourth.pruned, fourth.not_pruned.as_deref()), (2, None));
    assert_eq!(backups.finished().await, [third.snapshot, fourth.snapshot.clone()]);
    assert_eq!(backups.objects() as u64, fourth.snapshot.objects);
    backups.check_whole().await;
    let fifth = backups.create(&registry, Some(1)).await;
    assert_eq!(backups.finished().await, [fifth.snapshot]);
}

/// Stops at the first copy of an object until it is told to go on.
struct Gate {
    inner: FileVault,
    reached: Notify,
    open: Notify,
    once: std::sync::atomic::AtomicBool,
}

impl Gate {
    fn new(inner: FileVault) -> Self {
        let once = std::sync::atomic::AtomicBool::new(false);
        Self { inner, reached: Notify::new(), open: Notify::new(), once }
    }
}

impl Vault for Gate {
    fn names<'a>(&'a self, directory: &'a str) -> BoxFuture<'a, Result<Vec<String>, VaultError>> {
        self.inner.names(directory)
    }

    fn size<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u64>, VaultError>> {
        self.inner.size(path)
    }

    fn open<'a>(
        &'a self,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn VaultReader>, VaultError>> {
        self.inner.open(path)
    }

    fn create<'a>(
        &'a self,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn VaultWriter>, VaultError>> {
        Box::pin(async move {
            let at_list = path.ends_with("/objects");
            if at_list && !self.once.swap(true, std::sync::atomic::Ordering::SeqCst) {
                self.reached.notify_one();
                self.open.notified().await;
            }
            self.inner.create(path).await
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), VaultError>> {
        self.inner.remove(path)
    }
}

/// Deletes every image and every blob between the two halves of a backup, pushes another image, and
/// lets `seconds` pass.
async fn delete_meanwhile(seconds: i64) -> (Registry, Backups, Result<Created, BackupError>) {
    let settings = tonnage_domain::app::Settings { gc_grace_seconds: 0, ..Default::default() };
    let registry = Registry::with_settings(settings).await;
    let repository = registry.create("app").await;
    for number in 0..3 {
        push_large(&registry, &repository, &format!("{number}"), &format!("v{number}")).await;
    }
    let backups = Backups::new();
    let gate = Gate::new(backups.vault());
    let progress = Progress::default();
    let (created, ()) =
        tokio::join!(backup::create(&registry.app, &gate, None, &progress), async {
            gate.reached.notified().await;
            let before = registry.objects_present();
            registry.delete("app", true).await.unwrap();
            let other = registry.create("other").await;
            push_large(&registry, &other, "other", "other").await;
            registry.clock.advance_seconds(seconds);
            registry.sweep().await;
            let present = registry.objects_present();
            let kept = before.iter().all(|object| present.contains(object));
            assert_eq!(kept, seconds < 600, "a pin holds for ten minutes");
            gate.open.notify_one();
        });
    drop(gate);
    (registry, backups, created)
}

#[tokio::test]
async fn objects_that_become_garbage_meanwhile_are_in_the_backup_and_go_after_it() {
    let (registry, backups, created) = delete_meanwhile(599).await;
    let snapshot = created.unwrap().snapshot;
    assert_eq!((snapshot.objects, snapshot.lost), (3, 0));
    let restored = backups.restore(&registry, &snapshot, empty_database().await).await;
    let address = crate::registry::address("app");
    restored.check_images(&address).await;
    assert_eq!(restored.images(&address).await.unwrap().len(), 3);
    registry.sweep().await;
    assert_eq!(registry.objects_present().len(), 1, "no space is lost");
}

#[tokio::test]
async fn a_backup_that_stood_still_holds_nothing_up_and_fails() {
    let (registry, backups, created) = delete_meanwhile(600).await;
    let sentence = created.unwrap_err().to_string();
    assert!(sentence.contains("ten minutes"), "{sentence}");
    assert_eq!(backups.finished().await, []);
    assert_eq!(registry.objects_present().len(), 1);
    let next = backups.create(&registry, None).await;
    assert_eq!((next.snapshot.objects, backups.objects()), (1, 1), "what broke off is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn backups_during_pushes_and_collection_are_whole() {
    let settings = tonnage_domain::app::Settings { gc_grace_seconds: 0, ..Default::default() };
    let registry = Arc::new(Registry::with_settings(settings).await);
    let repository = registry.create("app").await;
    push_large(&registry, &repository, "first", "first").await;
    let backups = Backups::new();
    let vault = Arc::new(backups.vault());
    let pushes = tokio::spawn({
        let (registry, repository) = (Arc::clone(&registry), repository.clone());
        async move {
            for number in 0..12 {
                let config = Blob::new(&format!("c{number}"), 500);
                let layer = Blob::new(&format!("l{number}"), 150_000);
                let image = Pushed::image(&config, &[&layer]);
                // Collection may take a blob before the manifest comes: there is no grace.
                let mut pushed = false;
                while !pushed {
                    for blob in [&config, &layer] {
                        registry.push_blob(&repository, blob).await.unwrap();
                    }
                    pushed = registry.put(&repository, &image, Some("moving")).await.is_ok();
                }
                if number % 2 == 0 {
                    registry.batch_delete(&repository, vec![by_tag("moving")]).await.unwrap();
                }
            }
        }
    });
    let sweeps = tokio::spawn({
        let registry = Arc::clone(&registry);
        async move {
            for _ in 0..30 {
                registry.clock.advance_seconds(1);
                registry.sweep().await;
            }
        }
    });
    let copies = tokio::spawn({
        let (registry, vault) = (Arc::clone(&registry), Arc::clone(&vault));
        async move {
            let mut made = Vec::new();
            for _ in 0..4 {
                registry.clock.advance_seconds(1);
                let progress = Progress::default();
                let created = backup::create(&registry.app, vault.as_ref(), None, &progress).await;
                let created = created.unwrap();
                assert_eq!(created.snapshot.lost, 0);
                made.push(created.snapshot);
            }
            made
        }
    });
    pushes.await.unwrap();
    sweeps.await.unwrap();
    let snapshots = copies.await.unwrap();
    drop(vault);
    backups.check_whole().await;
    for snapshot in snapshots {
        let metadata: Arc<dyn Metadata> = Arc::new(SqliteMetadata::open_in_memory().unwrap());
        backups.restore(&registry, &snapshot, metadata).await.check_images(&repository).await;
    }
    registry.check_no_orphans().await;
}

const VAULT_CALLS: [Call; 6] =
    [Call::Create, Call::Write, Call::Sync, Call::Open, Call::Read, Call::Delete];

#[tokio::test]
async fn a_backup_that_breaks_off_anywhere_leaves_the_earlier_one_whole() {
    let registry = Registry::new().await;
    let repository = populate(&registry, "app").await;
    for call in VAULT_CALLS {
        let mut nth = 1;
        loop {
            let backups = Backups::new();
            let first = backups.create(&registry, None).await.snapshot;
            // Other objects than before, so that there is something to copy.
            let object = backups.files()[0].clone();
            fs::remove_file(&object).unwrap();
            registry.clock.advance_seconds(1);
            let plan = FaultPlan::new();
            let faulty = FaultyVault::new(Arc::new(backups.vault()), Arc::clone(&plan));
            plan.fail(call, nth, Fault::Other);
            let made = backup::create(&registry.app, &faulty, Some(1), &Progress::default()).await;
            drop(faulty);
            if plan.injected() == 0 {
                made.unwrap();
                break;
            }
            let at = format!("{call:?} {nth}");
            if let Ok(made) = &made {
                assert!(
                    made.not_pruned.is_some() || call == Call::Open || call == Call::Read,
                    "{at}"
                );
            }
            let finished = backups.finished().await;
            assert!(made.is_ok() || finished.contains(&first), "{at}");
            let last = backups.create(&registry, Some(1)).await;
            assert_eq!(last.not_pruned, None, "{at}");
            assert_eq!(backups.finished().await, std::slice::from_ref(&last.snapshot), "{at}");
            assert_eq!(backups.objects() as u64, last.snapshot.objects, "{at}");
            backups.check_whole().await;
            nth += 1;
        }
        assert!(nth > 1, "{call:?} is not made");
    }
    let backups = Backups::new();
    for call in [Call::BeginRead, Call::Query, Call::Open, Call::Read] {
        registry.plan.fail(call, 1, Fault::Other);
        let progress = Progress::default();
        let made = backup::create(&registry.app, &backups.vault(), None, &progress).await;
        assert!(made.is_err(), "{call:?}");
    }
    let created = backups.create(&registry, None).await;
    let restored = backups.restore(&registry, &created.snapshot, empty_database().await).await;
    check_equal(&registry, &restored, &repository).await;
}

#[tokio::test]
async fn a_restore_that_breaks_off_anywhere_can_be_repeated() {
    let registry = Registry::new().await;
    let repository = populate(&registry, "app").await;
    let backups = Backups::new();
    let snapshot = backups.create(&registry, None).await.snapshot;
    let vault = backups.vault();
    for call in Call::ALL {
        let mut nth = 1;
        loop {
            let metadata = empty_database().await;
            let directory = temporary_directory();
            let objects = Arc::new(FileObjects::open(directory.path()).unwrap());
            let plan = FaultPlan::new();
            let faulty = FaultyMetadata::new(Arc::clone(&metadata), Arc::clone(&plan));
            let faulty_objects =
                FaultyObjects::new(Arc::clone(&objects) as Arc<dyn Objects>, Arc::clone(&plan));
            let target =
                Target { metadata: &faulty, objects: &faulty_objects, deployment_id: DEPLOYMENT };
            plan.fail(call, nth, Fault::Full);
            let progress = Progress::default();
            let restored = backup::restore(&vault, &snapshot, &target, &progress).await;
            if plan.injected() == 0 {
                restored.unwrap();
                break;
            }
            assert!(restored.is_err(), "{call:?} {nth}");
            plan.heal();
            backup::restore(&vault, &snapshot, &target, &progress).await.unwrap();
            drop((faulty_objects, objects));
            let restored = check_restored(&registry, metadata, directory).await;
            check_equal(&registry, &restored, &repository).await;
            // Statements fail alike.
            nth += match call {
                Call::Execute => 9,
                _ if on_postgres() => 3,
                _ => 1,
            };
        }
        let made = !matches!(call, Call::Resume | Call::Read | Call::Delete);
        assert_eq!(nth > 1, made, "{call:?}");
    }
    // Another registry is not overwritten.
    let other = Registry::new().await;
    let target = Target {
        metadata: other.metadata.as_ref(),
        objects: other.inventory.as_ref(),
        deployment_id: DEPLOYMENT,
    };
    let refused = backup::restore(&vault, &snapshot, &target, &Progress::default()).await;
    assert!(refused.unwrap_err().to_string().contains("another registry"));
}

#[tokio::test]
async fn damage_of_any_file_is_found_and_never_restored() {
    let registry = Registry::new().await;
    populate(&registry, "app").await;
    let backups = Backups::new();
    let snapshot = backups.create(&registry, None).await.snapshot;
    let flip = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(bytes)
    };
    let cut = |bytes: &[u8]| Some(bytes[..bytes.len() - 1].to_vec());
    let lengthen = |bytes: &[u8]| Some([bytes, b"\n"].concat());
    type Change<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;
    let changes: [(&str, Change); 4] =
        [("flip", &flip), ("cut", &cut), ("lengthen", &lengthen), ("remove", &|_| None)];
    assert_eq!(backups.files().len(), 7);
    for file in backups.files() {
        let whole = fs::read(&file).unwrap();
        for (name, change) in &changes {
            match change(&whole) {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let at = format!("{name} {}", file.display());
            let vault = backups.vault();
            if file.ends_with("manifest") {
                let found = backup::snapshots(&vault).await.unwrap();
                let expected = *name == "remove";
                assert_eq!(matches!(found[..], [Snapshot::Unfinished(_)]), expected, "{at}");
                assert_eq!(matches!(found[..], [Snapshot::Damaged(..)]), !expected, "{at}");
            } else {
                let verified = backup::verify(&vault, &Progress::default()).await.unwrap();
                assert_eq!(verified.damages.len(), 1, "{at}: {:?}", verified.damages);
                let metadata = SqliteMetadata::open_in_memory().unwrap();
                let directory = temporary_directory();
                let objects = FileObjects::open(directory.path()).unwrap();
                let target =
                    Target { metadata: &metadata, objects: &objects, deployment_id: DEPLOYMENT };
                let progress = Progress::default();
                let restored = backup::restore(&vault, &snapshot, &target, &progress).await;
                assert!(restored.is_err(), "{at}");
            }
            fs::write(&file, &whole).unwrap();
        }
    }
    backups.check_whole().await;
}

#[tokio::test]
async fn what_the_registry_has_lost_is_told_and_old_snapshots_stay() {
    let registry = Registry::new().await;
    populate(&registry, "app").await;
    let backups = Backups::new();
    backups.create(&registry, None).await;
    let rows = registry.rows("SELECT MIN(object_id) FROM blobs").await;
    fs::remove_file(registry.object_file(&rows[0][0])).unwrap();
    fs::remove_file(backups.files()[0].clone()).unwrap();
    registry.clock.advance_seconds(1);
    let created = backups.create(&registry, Some(1)).await;
    assert_eq!((created.snapshot.objects, created.snapshot.lost), (3, 1));
    assert!(created.not_pruned.is_some());
    assert_eq!(backups.finished().await.len(), 2);
}
