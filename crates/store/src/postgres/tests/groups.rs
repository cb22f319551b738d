//! Writers that share a COMMIT.

use std::collections::BTreeSet;

use super::*;

const INSERT: &str = "INSERT INTO versions (name, version) VALUES ($1, $2)";

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// What one member does with its turn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Inserts its name and commits.
    Commits,
    /// Commits without a statement.
    Nothing,
    /// Inserts and is dropped.
    IsDropped,
    /// Is dropped while a statement is under way.
    IsDroppedWaiting,
    /// Inserts, and then something that fails.
    Fails,
    /// Inserts, and then something that takes too long.
    TakesTooLong,
    /// Inserts, and then loses its server process.
    LosesTheConnection,
}

use Does::{
    Commits, Fails, IsDropped, IsDroppedWaiting, LosesTheConnection, Nothing, TakesTooLong,
};

/// Runs members one after the other in one group. Returns whether each was told of success, and the
/// names that are stored.
async fn group(members: &[Does]) -> Option<(Vec<bool>, BTreeSet<String>)> {
    let server = server("postgres::groups")?;
    let url = empty_schema(&server).await;
    let options = PostgresOptions {
        statement_timeout: Duration::from_millis(500),
        ..PostgresOptions::default()
    };
    let database = Arc::new(PostgresMetadata::open(&url, options).await.unwrap());
    let mut commits = Vec::new();
    let mut current = database.begin(Mode::Write).await.unwrap();
    for (number, does) in members.iter().enumerate() {
        let next = (number + 1 < members.len()).then(|| {
            let database = Arc::clone(&database);
            tokio::spawn(async move { database.begin(Mode::Write).await })
        });
        until(|| database.gate.waiting() == usize::from(next.is_some())).await;
        let name = format!("{number}");
        if *does != Nothing {
            current.execute(INSERT, params![&name, 1i64]).await.unwrap();
        }
        const SLEEP: &str = "SELECT CAST(count(*) AS BIGINT) FROM (SELECT pg_sleep(2)) AS slept";
        const KILL: &str = "SELECT pg_terminate_backend(pg_backend_pid())";
        let commit = match does {
            Commits | Nothing => Some(tokio::spawn(current.commit())),
            IsDropped => {
                drop(current);
                None
            }
            IsDroppedWaiting => {
                let update = "UPDATE versions SET version = 2 WHERE name = $1";
                let mut waiting = Box::pin(async move {
                    current.execute(update, params![&name]).await.unwrap();
                });
                let polled = futures_util::poll!(&mut waiting);
                assert!(polled.is_pending());
                None
            }
            Fails => {
                let error = current.execute(INSERT, params![&name, 1i64]).await.unwrap_err();
                assert_eq!(error.kind(), MetadataErrorKind::Duplicate);
                drop(current);
                None
            }
            TakesTooLong => {
                let error = current.query(SLEEP, &[]).await.unwrap_err();
                assert_eq!(error.kind(), MetadataErrorKind::Unavailable);
                drop(current);
                None
            }
            LosesTheConnection => {
                let error = current.query(KILL, &[]).await.unwrap_err();
                assert_eq!(error.kind(), MetadataErrorKind::Unavailable);
                drop(current);
                None
            }
        };
        commits.push(commit);
        let Some(next) = next else { break };
        current = next.await.unwrap().unwrap();
    }
    let mut told = Vec::new();
    for commit in commits {
        told.push(match commit {
            Some(commit) => commit.await.unwrap().is_ok(),
            None => false,
        });
    }
    let mut reader = database.begin(Mode::Read).await.unwrap();
    let rows = reader.query("SELECT name FROM versions", &[]).await.unwrap();
    Some((told, rows.iter().map(|row| row.get(0).unwrap()).collect()))
}

async fn check(members: &[Does], survive: &[usize]) {
    let Some((told, stored)) = group(members).await else { return };
    let expected: BTreeSet<String> =
        survive.iter().filter(|n| members[**n] == Commits).map(ToString::to_string).collect();
    assert_eq!(stored, expected, "{members:?}");
    let told: Vec<usize> = (0..members.len()).filter(|number| told[*number]).collect();
    assert_eq!(told, survive, "{members:?}");
}

// One thread, so that no answer can arrive while a member that is dropped waiting is polled.
#[tokio::test]
async fn a_member_that_fails_takes_nobody_with_it() {
    for (members, survive) in [
        (&[Commits][..], &[0][..]),
        (&[Nothing], &[0]),
        (&[IsDropped], &[]),
        (&[Commits, Commits, Commits], &[0, 1, 2]),
        (&[Nothing, Commits, Nothing], &[0, 1, 2]),
        (&[IsDropped, Commits], &[1]),
        (&[Commits, IsDropped], &[0]),
        (&[Commits, IsDropped, Nothing], &[0, 2]),
        (&[Commits, Fails, Commits], &[0, 2]),
        (&[Fails, Fails, Commits], &[2]),
        (&[Commits, Commits, Fails], &[0, 1]),
        (&[Commits, IsDroppedWaiting, Commits], &[0, 2]),
        (&[Commits, IsDroppedWaiting], &[0]),
        (&[Commits, TakesTooLong, Commits], &[0, 2]),
        (&[Commits, TakesTooLong], &[0]),
    ] {
        check(members, survive).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_fails_the_group_and_not_the_next_one() {
    check(&[Commits, LosesTheConnection], &[]).await;
    check(&[Commits, Nothing, LosesTheConnection], &[]).await;
    check(&[LosesTheConnection, Commits], &[1]).await;
    check(&[Commits, LosesTheConnection, Commits], &[2]).await;
}

/// Sees in the server's own count that commits are shared, and that none of a full group is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_wait_share_a_commit() {
    let Some(server) = server("postgres::share_a_commit") else { return };
    let url = empty_schema(&server).await;
    let database =
        Arc::new(PostgresMetadata::open(&url, PostgresOptions::default()).await.unwrap());
    let first = database.begin(Mode::Write).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200i64 {
        let database = Arc::clone(&database);
        tasks.spawn(async move {
            let mut transaction = database.begin(Mode::Write).await.unwrap();
            transaction.execute(INSERT, params![format!("{number}"), number]).await.unwrap();
            transaction.commit().await.unwrap();
        });
    }
    until(|| database.gate.waiting() == 200).await;
    first.commit().await.unwrap();
    tasks.join_all().await;
    assert_eq!(count(&database, "SELECT count(*) FROM versions").await, 200);
    // Members are subtransactions: the rows of one group have the ids of different ones, made
    // between the ids of two COMMITs, and there are at most as many groups as their size allows.
    let shared = "SELECT count(DISTINCT CAST(CAST(pg_xact_commit_timestamp(xmin) AS TEXT) AS TEXT))
        FROM versions";
    let mut reader = database.begin(Mode::Read).await.unwrap();
    if let Ok(rows) = reader.query(shared, &[]).await {
        let groups: i64 = rows[0].get(0).unwrap();
        assert!((1..=100).contains(&groups), "{groups} commits for 200 writers");
    } else {
        panic!("the server of the tests keeps the times of commits");
    }
}
