//! Remembered answers: whatever is written, they are those of the database.

use proptest::prelude::*;
use tonnage_domain::metadata::{MetadataErrorKind, Row, Value};
use tonnage_domain::params;
use tonnage_domain::schema::Migration;

use super::*;

const TABLES: Migration = Migration {
    version: 1,
    name: "tables",
    sql: "CREATE TABLE parents (id BIGINT PRIMARY KEY, name TEXT NOT NULL);
          CREATE TABLE children (id BIGINT PRIMARY KEY, number BIGINT NOT NULL,
              parent_id BIGINT NOT NULL REFERENCES parents (id) ON DELETE CASCADE);
          CREATE TABLE grandchildren (id BIGINT PRIMARY KEY,
              child_id BIGINT REFERENCES children (id) ON DELETE SET NULL);
          CREATE TABLE others (id BIGINT PRIMARY KEY, number BIGINT NOT NULL);",
};

const ADD_PARENT: &str =
    "INSERT INTO parents (id, name) VALUES ($1, 'a') ON CONFLICT (id) DO NOTHING";
const RENAME: &str = "UPDATE parents SET name = name || 'b' WHERE id = $1";
const REMOVE_PARENT: &str = "DELETE FROM parents WHERE id = $1";
const ADD_CHILD: &str = "INSERT INTO children (id, number, parent_id) \
     SELECT $1 + 0, 0, id FROM parents WHERE id = $1 ON CONFLICT (id) DO NOTHING";
const COUNT_CHILD: &str = "UPDATE children SET number = number + 1 WHERE id = $1";
const ADD_GRANDCHILD: &str = "INSERT INTO grandchildren (id, child_id) \
     SELECT $1 + 0, id FROM children WHERE id = $1 ON CONFLICT (id) DO NOTHING";
const COUNT_OTHER: &str = "INSERT INTO others (id, number) VALUES ($1, 1) \
     ON CONFLICT (id) DO UPDATE SET number = others.number + 1";
const CLEAR: &str = "DELETE FROM others WHERE $1 = $1";
const CHANGES: [&str; 8] =
    [ADD_PARENT, RENAME, REMOVE_PARENT, ADD_CHILD, COUNT_CHILD, ADD_GRANDCHILD, COUNT_OTHER, CLEAR];

const QUERIES: [&str; 5] = [
    "SELECT name FROM parents WHERE id = $1",
    "SELECT COUNT(*) FROM children WHERE $1 = $1",
    "SELECT children.number, parents.name FROM children \
     JOIN parents ON parents.id = children.parent_id WHERE children.id = $1",
    "SELECT child_id FROM grandchildren WHERE id = $1",
    "SELECT number FROM others WHERE id = $1",
];

fn open(remembered_bytes: usize) -> (ThrowAwayDirectory, Arc<SqliteMetadata>) {
    let directory = ThrowAwayDirectory::make().unwrap();
    let options = SqliteOptions { durable: false, remembered_bytes, ..SqliteOptions::default() };
    let path = directory.0.join("metadata.db");
    (directory, Arc::new(SqliteMetadata::open_with(&path, options, &[TABLES]).unwrap()))
}

async fn read(metadata: &SqliteMetadata, sql: &'static str, id: i64) -> Vec<Row> {
    metadata.begin_remembered().await.unwrap().query(sql, params![id]).await.unwrap()
}

async fn recalled(metadata: &SqliteMetadata, sql: &'static str, id: i64) -> Option<Vec<Row>> {
    match metadata.recall().unwrap().query(sql, params![id]).await {
        Ok(rows) => Some(rows),
        Err(error) => {
            assert_eq!(error.kind(), MetadataErrorKind::NotRemembered);
            None
        }
    }
}

async fn change(metadata: &SqliteMetadata, changes: &[(&'static str, i64)], commit: bool) {
    let mut transaction = metadata.begin(Mode::Write).await.unwrap();
    for (sql, id) in changes {
        transaction.execute(sql, params![*id]).await.unwrap();
    }
    if commit {
        transaction.commit().await.unwrap();
    }
}

/// What changes it, and which of the answers about row 1 are given no more.
#[tokio::test]
async fn a_change_forgets_what_it_may_have_changed() {
    let check = async |change_by: &'static str, forgotten: [bool; 5]| {
        let (_directory, metadata) = open(1 << 20);
        for sql in [ADD_PARENT, ADD_CHILD, ADD_GRANDCHILD, COUNT_OTHER] {
            change(&metadata, &[(sql, 1)], true).await;
        }
        for sql in QUERIES {
            assert_eq!(recalled(&metadata, sql, 1).await, None);
            let stored = read(&metadata, sql, 1).await;
            assert_eq!(recalled(&metadata, sql, 1).await, Some(stored), "{sql}");
        }
        change(&metadata, &[(change_by, 2)], true).await;
        for (sql, is_forgotten) in QUERIES.into_iter().zip(forgotten) {
            let answer = recalled(&metadata, sql, 1).await;
            assert_eq!(answer.is_none(), is_forgotten, "{change_by}: {sql}");
        }
    };
    check(COUNT_OTHER, [false, false, false, false, true]).await;
    check(CLEAR, [false, false, false, false, true]).await;
    check(ADD_GRANDCHILD, [false, false, false, true, false]).await;
    check(COUNT_CHILD, [false, true, true, false, false]).await;
    check(RENAME, [true, false, true, false, false]).await;
    // Through foreign keys.
    check(REMOVE_PARENT, [true, true, true, true, false]).await;
}

#[tokio::test]
async fn a_snapshot_out_of_memory_is_one_of_a_single_moment() {
    let (_directory, metadata) = open(1 << 20);
    let [parents, .., others] = QUERIES;
    change(&metadata, &[(ADD_PARENT, 1), (COUNT_OTHER, 1)], true).await;
    let before = read(&metadata, parents, 1).await;
    let mut snapshot = metadata.recall().unwrap();
    assert_eq!(snapshot.query(parents, params![1i64]).await.unwrap(), before);
    change(&metadata, &[(RENAME, 1), (COUNT_OTHER, 1)], true).await;
    read(&metadata, others, 1).await;
    // It is remembered, but of a later moment than what this snapshot answered before.
    let error = snapshot.query(others, params![1i64]).await.unwrap_err();
    assert_eq!(error.kind(), MetadataErrorKind::NotRemembered);
    assert!(recalled(&metadata, others, 1).await.is_some());
}

#[tokio::test]
async fn room_is_bounded_and_can_be_none() {
    let (_directory, metadata) = open(64 * 1024);
    let [parents, ..] = QUERIES;
    for id in 0..2000 {
        read(&metadata, parents, id).await;
    }
    let mut kept = 0;
    for id in 0..2000 {
        kept += i32::from(recalled(&metadata, parents, id).await.is_some());
    }
    assert!((50..=300).contains(&kept), "{kept}");
    let (_directory, metadata) = open(0);
    read(&metadata, parents, 1).await;
    assert!(metadata.recall().is_none());
}

/// Nobody sees less than what was acknowledged, nor less than what somebody else has seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_go_back() {
    use std::sync::atomic::{AtomicI64, Ordering};
    let (_directory, metadata) = open(1 << 20);
    let seen = Arc::new(AtomicI64::new(1));
    change(&metadata, &[(COUNT_OTHER, 1)], true).await;
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (metadata, seen) = (Arc::clone(&metadata), Arc::clone(&seen));
            tokio::spawn(async move {
                let [.., others] = QUERIES;
                let (mut hits, mut last) = (0u32, 0);
                while last < 500 {
                    let at_least = seen.load(Ordering::SeqCst);
                    let rows = match recalled(&metadata, others, 1).await {
                        Some(rows) => {
                            hits += 1;
                            rows
                        }
                        None => read(&metadata, others, 1).await,
                    };
                    last = rows.first().unwrap().get(0).unwrap();
                    assert!(last >= at_least, "{last} after {at_least}");
                    seen.fetch_max(last, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
                hits
            })
        })
        .collect();
    for number in 2..=500 {
        change(&metadata, &[(COUNT_OTHER, 1)], true).await;
        seen.fetch_max(number, Ordering::SeqCst);
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn remembered_answers_are_those_of_the_database(
        steps in proptest::collection::vec(
            (proptest::collection::vec((0..CHANGES.len(), 1..4i64), 1..4), any::<bool>()),
            1..20,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_directory, metadata) = open(1 << 20);
            for (changes, commit) in steps {
                let changes: Vec<_> =
                    changes.into_iter().map(|(index, id)| (CHANGES[index], id)).collect();
                change(&metadata, &changes, commit).await;
                for sql in QUERIES {
                    for id in 1..4i64 {
                        let remembered = recalled(&metadata, sql, id).await;
                        let mut plain = metadata.begin(Mode::Read).await.unwrap();
                        let stored = plain.query(sql, &[Value::Int(id)]).await.unwrap();
                        if let Some(remembered) = remembered {
                            assert_eq!(remembered, stored, "{sql} {id}");
                        }
                        read(&metadata, sql, id).await;
                    }
                }
            }
        });
    }
}
