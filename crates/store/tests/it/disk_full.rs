//! Full disks, on small file systems of their own. Mounting one needs root; without it these tests
//! say that they were skipped.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use tonnage_domain::metadata::{Metadata, MetadataError, MetadataErrorKind, Mode};
use tonnage_domain::objects::{ObjectErrorKind, ObjectId, Objects};
use tonnage_domain::params;
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

/// A mounted file system, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(kib: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0700"), "tmpfs"])
            .arg(directory.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(directory)),
            _ => {
                // Not by eprintln, which the harness keeps to itself when a test passes.
                let skipped = "SKIPPED: 1 test, a small file system cannot be mounted here\n";
                std::io::stderr().write_all(skipped.as_bytes()).unwrap();
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

const INSERT: &str = "INSERT INTO token_keys
    (id, sealed_secret, created_at, signs_until, verifies_until) VALUES ($1, $2, 0, 0, 0)";

/// Two rows per transaction, so that half of one would be seen.
async fn insert(metadata: &SqliteMetadata, id: &str) -> Result<(), MetadataError> {
    let mut transaction = metadata.begin(Mode::Write).await?;
    for half in ["a", "b"] {
        let secret = vec![half.as_bytes()[0]; 3000];
        transaction.execute(INSERT, params![format!("{id}/{half}"), secret]).await?;
    }
    transaction.commit().await
}

async fn ids(metadata: &SqliteMetadata) -> Vec<String> {
    let mut transaction = metadata.begin(Mode::Read).await.unwrap();
    let rows = transaction.query("SELECT id FROM token_keys ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// Inserts from many tasks until every one of them has failed; returns what was acknowledged, as
/// the rows it stands for.
async fn fill(metadata: &Arc<SqliteMetadata>, name: &str) -> Vec<String> {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let (metadata, name) = (Arc::clone(metadata), name.to_owned());
        tasks.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..10_000 {
                let id = format!("{name}-{task}-{number}");
                match insert(&metadata, &id).await {
                    Ok(()) => acknowledged.extend([format!("{id}/a"), format!("{id}/b")]),
                    Err(error) => {
                        let kind = error.kind();
                        let lost = matches!(
                            kind,
                            MetadataErrorKind::Full | MetadataErrorKind::Unavailable
                        );
                        assert!(lost, "{error:?}");
                        return (acknowledged, kind);
                    }
                }
            }
            panic!("the disk never became full");
        });
    }
    let outcomes = tasks.join_all().await;
    assert!(outcomes.iter().any(|(_, kind)| *kind == MetadataErrorKind::Full));
    outcomes.into_iter().flat_map(|(acknowledged, _)| acknowledged).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn metadata_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount(3000) else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 1_000_000]).unwrap();
    let path = disk.path().join("metadata.db");
    // Checkpoints meet the full disk as well.
    let options = SqliteOptions { checkpoint_frames: 50, ..SqliteOptions::default() };
    let metadata = Arc::new(SqliteMetadata::open(&path, options.clone()).unwrap());

    let mut expected = fill(&metadata, "first").await;
    expected.sort();
    assert!(!expected.is_empty());
    assert!(ids(&metadata).await == expected, "exactly what was acknowledged");

    std::fs::remove_file(&filler).unwrap();
    insert(&metadata, "after").await.unwrap();
    expected.extend(["after/a".to_owned(), "after/b".to_owned()]);
    expected.extend(fill(&metadata, "second").await);
    expected.sort();
    assert!(ids(&metadata).await == expected, "exactly what was acknowledged");

    drop(metadata);
    let metadata = SqliteMetadata::open(&path, options).unwrap();
    assert!(ids(&metadata).await == expected, "after opening again");
    let mut transaction = metadata.begin(Mode::Read).await.unwrap();
    let answer = transaction.query("PRAGMA integrity_check", &[]).await.unwrap();
    assert_eq!(answer[0].get::<String>(0).unwrap(), "ok");
}

#[tokio::test]
async fn objects_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount(2000) else { return };
    let store = FileObjects::open(disk.path().join("objects")).unwrap();
    let (full, kept) = (ObjectId::random(), ObjectId::random());
    let span = Bytes::from(vec![7; 300_000]);
    let mut writer = store.create(&kept).await.unwrap();
    writer.write(span.clone()).await.unwrap();
    writer.sync().await.unwrap();
    drop(writer);

    let mut writer = store.create(&full).await.unwrap();
    let mut written = 0;
    let error = loop {
        match writer.write(span.clone()).await {
            Ok(()) => written += span.len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ObjectErrorKind::Full);
    assert!(writer.sync().await.is_err(), "the writer is only good for being dropped");
    drop(writer);
    let reader = store.open(&kept).await.unwrap();
    assert_eq!(reader.read_at(0, span.len()).await.unwrap(), span);

    // What was written before goes on once there is room.
    store.delete(&kept).await.unwrap();
    drop(reader);
    let mut writer = store.resume(&full, written).await.unwrap();
    writer.write(span.clone()).await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(store.open(&full).await.unwrap().size(), written + span.len() as u64);
}
