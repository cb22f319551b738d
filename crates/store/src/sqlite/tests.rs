//! What only SQLite's executor promises: shared commits, recovery after failures, bounds.

use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt;
use std::task::Poll;

use tonnage_domain::metadata::MetadataErrorKind;
use tonnage_domain::params;

use super::*;

const INSERT: &str = "INSERT INTO versions (name, version) VALUES ($1, $2)";

fn temporary(options: SqliteOptions) -> (tempfile::TempDir, Arc<SqliteMetadata>) {
    let directory = tempfile::tempdir().unwrap();
    let metadata = SqliteMetadata::open(directory.path().join("metadata.db"), options).unwrap();
    (directory, Arc::new(metadata))
}

async fn insert(metadata: &SqliteMetadata, name: &str) -> Result<(), MetadataError> {
    let mut transaction = metadata.begin(Mode::Write).await?;
    transaction.execute(INSERT, params![name, 1i64]).await?;
    transaction.commit().await
}

async fn names(metadata: &SqliteMetadata) -> Vec<String> {
    let mut transaction = metadata.begin(Mode::Read).await.unwrap();
    let rows = transaction.query("SELECT name FROM versions ORDER BY name", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

async fn is_pending<T>(future: &mut BoxFuture<'_, T>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

/// Runs a pragma on the writing connection.
async fn on_writer<T>(
    metadata: &SqliteMetadata,
    work: impl FnOnce(&rusqlite::Connection) -> T,
) -> T {
    let mut turn = metadata.gate.turn().await.unwrap();
    work(turn.writer().unwrap().session().unwrap().connection())
}

/// Begins `count` members one after the other in one group and lets each of them do `work` before
/// it commits; returns how the commits went, in order.
async fn group(
    metadata: &Arc<SqliteMetadata>,
    count: usize,
    work: impl AsyncFn(usize, &mut dyn Transaction) -> Result<(), MetadataError>,
) -> Vec<Result<(), MetadataErrorKind>> {
    let mut commits = Vec::new();
    let mut current = metadata.begin(Mode::Write).await.unwrap();
    for number in 0..count {
        let next = (number + 1 < count).then(|| {
            let metadata = Arc::clone(metadata);
            tokio::spawn(async move { metadata.begin(Mode::Write).await })
        });
        if next.is_some() {
            until(|| metadata.gate.waiting() == 1).await;
        }
        let done = work(number, &mut *current).await;
        commits.push(match done {
            Ok(()) => tokio::spawn(current.commit()),
            Err(error) => {
                drop(current);
                tokio::spawn(async move { Err(error) })
            }
        });
        match next {
            Some(next) => current = next.await.unwrap().unwrap(),
            None => break,
        }
    }
    let mut outcomes = Vec::new();
    for commit in commits {
        outcomes.push(commit.await.unwrap().map_err(|error| error.kind()));
    }
    outcomes
}

async fn insert_numbered(
    number: usize,
    transaction: &mut dyn Transaction,
) -> Result<(), MetadataError> {
    transaction.execute(INSERT, params![format!("member {number}"), 1i64]).await.map(|_| ())
}

#[tokio::test]
async fn a_statement_that_ends_the_shared_transaction_fails_every_member() {
    let (_directory, metadata) = temporary(SqliteOptions::default());
    let pages: i64 = on_writer(&metadata, |connection| {
        let pages: i64 =
            connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
        pages
    })
    .await;
    let outcomes = group(&metadata, 4, async |number, transaction| {
        if number != 2 {
            return insert_numbered(number, transaction).await;
        }
        let large = "x".repeat(100_000);
        transaction.execute(INSERT, params![large, 1i64]).await.map(|_| ())
    })
    .await;
    let lost = Err(MetadataErrorKind::Unavailable);
    assert_eq!(outcomes, [lost, lost, Err(MetadataErrorKind::Full), Ok(())]);
    assert_eq!(names(&metadata).await, ["member 3"], "the next one began a group of its own");
    on_writer(&metadata, |connection| {
        connection.pragma_update(None, "max_page_count", pages + 10_000).unwrap();
    })
    .await;
    insert(&metadata, "after").await.unwrap();
    assert_eq!(names(&metadata).await, ["after", "member 3"]);
}

#[tokio::test]
async fn a_failed_commit_fails_every_member_and_the_writer_goes_on() {
    let (_directory, metadata) = temporary(SqliteOptions::default());
    for round in 0..3 {
        // A constraint that is checked at COMMIT only, so that nothing but COMMIT fails.
        let outcomes = group(&metadata, 3, async |number, transaction| {
            insert_numbered(number, transaction).await?;
            if number == 1 {
                transaction.execute("PRAGMA defer_foreign_keys = ON", &[]).await?;
                let orphan = "INSERT INTO principal_policies (principal_id, name, document)
                    VALUES (404, 'orphan', '{}')";
                transaction.execute(orphan, &[]).await?;
            }
            Ok(())
        })
        .await;
        assert_eq!(outcomes, [Err(MetadataErrorKind::Constraint); 3]);
        assert_eq!(names(&metadata).await.len(), round);
        insert(&metadata, &format!("after {round}")).await.unwrap();
    }
    assert_eq!(names(&metadata).await, ["after 0", "after 1", "after 2"]);
    let overwritten: i64 = on_writer(&metadata, |connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    })
    .await;
    assert_eq!(overwritten, 3, "each failed group was overwritten in the log");
}

#[tokio::test]
async fn members_share_one_commit() {
    let (_directory, metadata) = temporary(SqliteOptions::default());
    let mut frames = Vec::new();
    for count in [1, 100] {
        on_writer(&metadata, |connection| {
            let truncate = "PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM versions;";
            connection.execute_batch(truncate).unwrap();
            connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        })
        .await;
        let outcomes = group(&metadata, count, insert_numbered).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(names(&metadata).await.len(), count);
        let mut turn = metadata.gate.turn().await.unwrap();
        frames.push(turn.writer().unwrap().wal_frames());
    }
    // Alone, each of the hundred would have added as many frames as the first.
    assert!(frames[0] > 0 && frames[1] < frames[0] * 10, "{frames:?}");
}

#[tokio::test]
async fn a_group_has_an_upper_bound() {
    let (_directory, metadata) = temporary(SqliteOptions::default());
    let count = writer::GROUP_MEMBERS_MAX + 10;
    let seen = std::sync::Mutex::new(Vec::new());
    let outcomes = group(&metadata, count, async |number, transaction| {
        let visible = names(&metadata).await.len();
        seen.lock().unwrap().push(visible);
        insert_numbered(number, transaction).await
    })
    .await;
    assert!(outcomes.iter().all(Result::is_ok));
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen[writer::GROUP_MEMBERS_MAX - 1], 0);
    assert_eq!(seen[writer::GROUP_MEMBERS_MAX], writer::GROUP_MEMBERS_MAX);
}

#[tokio::test]
async fn waits_are_bounded() {
    let options = SqliteOptions {
        readers: 1,
        reader_wait: Duration::from_millis(1),
        writer_wait: Duration::from_millis(1),
        ..SqliteOptions::default()
    };
    let (_directory, metadata) = temporary(options.clone());
    for mode in [Mode::Read, Mode::Write] {
        let held = metadata.begin(mode).await.unwrap();
        let refused = metadata.begin(mode).await.err().unwrap();
        assert_eq!(refused.kind(), MetadataErrorKind::Unavailable);
        drop(held);
        metadata.begin(mode).await.unwrap().commit().await.unwrap();
    }

    let crowded =
        SqliteOptions { writers_waiting_max: 1, writer_wait: Duration::from_secs(600), ..options };
    let (_directory, metadata) = temporary(crowded);
    let held = metadata.begin(Mode::Write).await.unwrap();
    let mut waiting = metadata.begin(Mode::Write);
    assert!(is_pending(&mut waiting).await);
    let refused = metadata.begin(Mode::Write).await.err().unwrap();
    assert_eq!(refused.kind(), MetadataErrorKind::Unavailable);
    // A dead place in the queue does not count.
    drop(waiting);
    let mut waiting = metadata.begin(Mode::Write);
    assert!(is_pending(&mut waiting).await);
    drop(held);
    waiting.await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn the_log_stays_bounded() {
    let options = SqliteOptions { checkpoint_frames: 20, ..SqliteOptions::default() };
    let (directory, metadata) = temporary(options);
    let size = || fs::metadata(directory.path().join("metadata.db-wal")).unwrap().len();
    // The schema comes in one piece, and the file keeps its size after that.
    let before = size();
    for number in 0..300 {
        insert(&metadata, &format!("{number:03}")).await.unwrap();
    }
    let mut turn = metadata.gate.turn().await.unwrap();
    assert!(turn.writer().unwrap().wal_frames() < 100);
    let log = size();
    assert!(log < before + 100 * 4200, "{before}, then {log} bytes");
}

#[tokio::test]
async fn closing_moves_the_log_and_refuses_what_comes() {
    let (directory, metadata) = temporary(SqliteOptions::default());
    insert(&metadata, "a").await.unwrap();
    let mut pending = metadata.begin(Mode::Write).await.unwrap();
    pending.execute(INSERT, params!["b", 1i64]).await.unwrap();
    let closing = {
        let metadata = Arc::clone(&metadata);
        tokio::spawn(async move { metadata.close().await })
    };
    until(|| metadata.gate.waiting() == 1).await;
    pending.commit().await.unwrap();
    closing.await.unwrap().unwrap();
    assert!(!directory.path().join("metadata.db-wal").exists());
    for mode in [Mode::Read, Mode::Write] {
        let refused = metadata.begin(mode).await.err().unwrap();
        assert_eq!(refused.kind(), MetadataErrorKind::Unavailable);
    }
    metadata.close().await.unwrap();
    let again =
        SqliteMetadata::open(directory.path().join("metadata.db"), SqliteOptions::default());
    assert_eq!(names(&again.unwrap()).await, ["a", "b"]);
}

/// The runtime may end between the release of a member and COMMIT.
#[test]
fn a_runtime_that_ends_does_not_wedge_the_writer() {
    let (_directory, metadata) = temporary(SqliteOptions::default());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for number in 0..50 {
        let ending = runtime();
        let transaction = ending.block_on(async {
            let mut transaction = metadata.begin(Mode::Write).await.unwrap();
            let name = format!("lost {number}");
            transaction.execute(INSERT, params![name, 1i64]).await.unwrap();
            transaction
        });
        let mut commit = transaction.commit();
        ending.block_on(is_pending(&mut commit));
        ending.shutdown_background();
        let next = runtime();
        let acknowledged = next.block_on(async { (&mut commit).await.is_ok() });
        next.block_on(insert(&metadata, &format!("after {number}"))).unwrap();
        let names = next.block_on(names(&metadata));
        assert!(names.contains(&format!("after {number}")));
        assert_eq!(names.contains(&format!("lost {number}")), acknowledged);
    }
}

#[test]
fn nobody_else_can_read_the_files() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("new");
    let _metadata =
        SqliteMetadata::open(directory.join("metadata.db"), SqliteOptions::default()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for name in ["metadata.db", "metadata.db-wal", "metadata.db-shm"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
}

#[test]
fn what_cannot_be_opened_is_told() {
    let temporary = tempfile::tempdir().unwrap();
    let garbage = temporary.path().join("garbage.db");
    fs::write(&garbage, vec![7; 8192]).unwrap();
    let error = SqliteMetadata::open(&garbage, SqliteOptions::default()).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    let error = SqliteMetadata::open(temporary.path(), SqliteOptions::default()).err().unwrap();
    assert!(matches!(error, OpenError::File { .. }), "{error:?}");
}

#[tokio::test]
async fn a_throw_away_database_is_gone_when_dropped() {
    let metadata = SqliteMetadata::open_in_memory().unwrap();
    let directory = metadata._throw_away.as_ref().unwrap().0.clone();
    insert(&metadata, "a").await.unwrap();
    assert!(directory.join("metadata.db").exists());
    drop(metadata);
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_look_reads_and_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    // Characters that a URI would read otherwise.
    let path = directory.path().join("a ?#%41.sqlite");
    let names = || {
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let sees = async |in_use: bool| {
        let look = SqliteLook::open(&path, in_use).unwrap()?;
        let mut tx = look.begin(Mode::Read).await.unwrap();
        assert!(look.begin(Mode::Write).await.is_err());
        Some(tx.query("SELECT id FROM deployment", &[]).await.unwrap().len())
    };
    assert!(SqliteLook::open(&path, false).is_err(), "nothing is made");
    assert!(names().is_empty());
    fs::write(&path, "").unwrap();
    assert_eq!(sees(false).await, None, "no schema");

    let metadata = SqliteMetadata::open(&path, SqliteOptions::default()).unwrap();
    assert_eq!(sees(true).await, Some(0), "beside a server");
    metadata.close().await.unwrap();
    drop(metadata);
    let before = (names(), fs::read(&path).unwrap());
    assert_eq!(sees(false).await, Some(0));
    assert_eq!((names(), fs::read(&path).unwrap()), before);
    assert_eq!(before.0.len(), 1, "the server left no log");

    fs::write(&path, "no database ".repeat(1000)).unwrap();
    for refusal in [
        SqliteLook::open(&path, false).err().unwrap(),
        SqliteMetadata::open(&path, SqliteOptions::default()).err().unwrap(),
    ] {
        assert!(matches!(refusal, OpenError::Damaged { .. }), "{refusal}");
    }
}

/// The promise that a commit survives a power failure rests on this.
#[tokio::test]
async fn commits_wait_for_the_disk_unless_the_database_is_thrown_away() {
    let (_directory, metadata) = temporary(SqliteOptions::default());
    let thrown_away = SqliteMetadata::open_in_memory().unwrap();
    for (metadata, expected) in [(metadata.as_ref(), 2), (&thrown_away, 0)] {
        let found = on_writer(metadata, |connection| {
            let synchronous: i64 =
                connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            let journal: String =
                connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            (synchronous, journal)
        });
        assert_eq!(found.await, (expected, "wal".to_owned()));
    }
}
