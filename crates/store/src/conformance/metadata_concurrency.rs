//! The part of the metadata suite in which many transactions meet.
#![expect(clippy::unwrap_used, reason = "a failure of the suite is a panic")]

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::{JoinSet, yield_now};
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind, Mode};
use tonnage_domain::params;

use super::metadata::{Database, INSERT, insert, names, query, write};

const TASKS: i64 = 64;

pub(super) async fn suite(make: &impl AsyncFn() -> Database) {
    many_writers_lose_no_update(make().await).await;
    a_failed_member_takes_nobody_with_it(make().await).await;
    an_acknowledged_write_is_seen_at_once(make().await).await;
    a_dropped_wait_does_not_wedge(make().await).await;
    a_dropped_commit_does_not_wedge(make().await).await;
    aborted_tasks_leave_all_or_nothing(make().await).await;
}

async fn many_writers_lose_no_update(database: Database) {
    insert(&database, "counter", 0).await;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let database = Arc::clone(&database);
        tasks.spawn(async move {
            for _ in 0..5 {
                let mut transaction = write(&database).await;
                let sql = "UPDATE versions SET version = version + 1 WHERE name = 'counter'";
                transaction.execute(sql, &[]).await.unwrap();
                transaction.commit().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let rows = query(&database, "SELECT version FROM versions", &[]).await;
    assert_eq!(rows[0].get::<i64>(0).unwrap(), TASKS * 5);
}

/// Every third member commits, every third is dropped, every third fails on a duplicate.
async fn a_failed_member_takes_nobody_with_it(database: Database) {
    insert(&database, "taken", 0).await;
    let mut tasks = JoinSet::new();
    for number in 0..TASKS * 3 {
        let database = Arc::clone(&database);
        tasks.spawn(async move {
            let mut transaction = write(&database).await;
            let name = format!("{number:03}");
            transaction.execute(INSERT, params![&name, number]).await.unwrap();
            // Lets others queue up behind this member.
            yield_now().await;
            match number % 3 {
                0 => transaction.commit().await.unwrap(),
                1 => drop(transaction),
                _ => {
                    let failed = transaction.execute(INSERT, params!["taken", 1i64]).await;
                    assert_eq!(failed.unwrap_err().kind(), MetadataErrorKind::Duplicate);
                    transaction.commit().await.unwrap_err();
                }
            }
        });
    }
    tasks.join_all().await;
    let mut expected: Vec<String> =
        (0..TASKS * 3).step_by(3).map(|number| format!("{number:03}")).collect();
    expected.push("taken".to_owned());
    assert_eq!(names(&database).await, expected);
}

async fn an_acknowledged_write_is_seen_at_once(database: Database) {
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let database = Arc::clone(&database);
        tasks.spawn(async move {
            let name = format!("{number:03}");
            insert(&database, &name, number).await;
            let sql = "SELECT version FROM versions WHERE name = $1";
            // Fewer snapshots than tasks: waiting for one is part of the contract.
            assert_eq!(query(&database, sql, params![&name]).await.len(), 1);
        });
    }
    tasks.join_all().await;
}

/// Polls a future once and drops it.
async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

async fn a_dropped_wait_does_not_wedge(database: Database) {
    let mut holder = write(&database).await;
    holder.execute(INSERT, params!["holder", 1i64]).await.unwrap();
    for _ in 0..10 {
        // On an engine with one writer this waits; on others it begins and is rolled back.
        drop(poll_once(database.begin(Mode::Write)).await);
    }
    holder.commit().await.unwrap();
    insert(&database, "after", 1).await;
    assert_eq!(names(&database).await, ["after", "holder"]);
}

async fn a_dropped_commit_does_not_wedge(database: Database) {
    for number in 0..20 {
        let mut transaction = write(&database).await;
        transaction.execute(INSERT, params![format!("a{number}"), 1i64]).await.unwrap();
        transaction.execute(INSERT, params![format!("b{number}"), 1i64]).await.unwrap();
        let _ = poll_once(transaction.commit()).await;
        insert(&database, &format!("c{number}"), 1).await;
    }
    let names: BTreeSet<String> = names(&database).await.into_iter().collect();
    for number in 0..20 {
        assert!(names.contains(&format!("c{number}")), "acknowledged");
        assert_eq!(
            names.contains(&format!("a{number}")),
            names.contains(&format!("b{number}")),
            "all or nothing"
        );
    }
}

/// Each task writes pairs until it is aborted somewhere; it notes what was acknowledged.
async fn aborted_tasks_leave_all_or_nothing(database: Database) {
    let acknowledged = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        let (database, acknowledged) = (Arc::clone(&database), Arc::clone(&acknowledged));
        tasks.push(tokio::spawn(async move {
            for round in 0..1000 {
                let name = format!("{number}-{round}");
                write_pair(&database, &name).await?;
                acknowledged.lock().unwrap().push(name);
            }
            Ok::<(), MetadataError>(())
        }));
    }
    for (number, task) in tasks.iter().enumerate() {
        // Aborted after different amounts of work of all tasks together.
        while acknowledged.lock().unwrap().len() < number * 2 {
            yield_now().await;
        }
        task.abort();
    }
    for task in tasks {
        match task.await {
            Ok(result) => result.unwrap(),
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    insert(&database, "after", 1).await;
    let names: BTreeSet<String> = names(&database).await.into_iter().collect();
    for name in acknowledged.lock().unwrap().iter() {
        assert!(names.contains(&format!("{name}/a")), "{name} was acknowledged");
    }
    for name in names.iter().filter_map(|name| name.strip_suffix("/a")) {
        assert!(names.contains(&format!("{name}/b")), "{name} is there in part");
    }
    let count = |suffix| names.iter().filter(|name| name.ends_with(suffix)).count();
    assert_eq!(count("/a"), count("/b"));
}

async fn write_pair(database: &Database, name: &str) -> Result<(), MetadataError> {
    let mut transaction = database.begin(Mode::Write).await?;
    transaction.execute(INSERT, params![format!("{name}/a"), 1i64]).await?;
    yield_now().await;
    transaction.execute(INSERT, params![format!("{name}/b"), 1i64]).await?;
    transaction.commit().await
}
