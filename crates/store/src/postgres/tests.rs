//! What is PostgreSQL's own; the rest is in the suite that every engine passes.

mod groups;
mod tls;

use std::sync::Arc;

use tonnage_domain::metadata::{Metadata, MetadataErrorKind, Mode};
use tonnage_domain::params;
use tonnage_domain::schema::Migration;

use super::testing::{empty_schema, server};
use super::*;

const FIRST: Migration = Migration {
    version: 1,
    name: "first",
    sql: "CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY, body TEXT);",
};
const SECOND: Migration = Migration {
    version: 2,
    name: "second",
    sql: "CREATE TABLE b (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO b VALUES (7);",
};

async fn open(url: &PostgresUrl, migrations: &[Migration]) -> Result<PostgresMetadata, OpenError> {
    let options = PostgresOptions { connections: 4, ..PostgresOptions::default() };
    PostgresMetadata::open_with(url, options, migrations).await
}

async fn count(database: &PostgresMetadata, sql: &'static str) -> i64 {
    let mut transaction = database.begin(Mode::Read).await.expect("a snapshot");
    let rows = transaction.query(sql, &[]).await.expect("a result");
    rows[0].get(0).expect("a number")
}

#[tokio::test]
async fn migrations_are_applied_once_in_order_and_by_one_of_many() {
    let Some(server) = server("postgres::migrations") else { return };
    let url = empty_schema(&server).await;
    open(&url, &[FIRST]).await.unwrap();
    let opened = futures_util::future::join_all((0..4).map(|_| open(&url, &[FIRST, SECOND]))).await;
    let database = opened.into_iter().map(Result::unwrap).next().unwrap();
    assert_eq!(count(&database, "SELECT count(*) FROM b").await, 1);
    assert_eq!(count(&database, "SELECT max(version) FROM schema_migrations").await, 2);
    let newer = open(&url, &[FIRST]).await.err().unwrap().to_string();
    assert_eq!(
        newer,
        "the database has schema version 2, this program knows up to 1: use a newer tonnage"
    );
    let changed = Migration { sql: "CREATE TABLE b (id BIGINT);", ..SECOND };
    let refusal = open(&url, &[FIRST, changed]).await.err().unwrap().to_string();
    assert!(refusal.starts_with("migration 2 (second) is applied in another form"), "{refusal}");
    let broken = Migration {
        version: 3,
        name: "broken",
        sql: "CREATE TABLE c (id BIGINT); INSERT INTO missing VALUES (1)",
    };
    let refusal = open(&url, &[FIRST, SECOND, broken]).await.err().unwrap().to_string();
    assert_eq!(refusal, "migration 3 (broken) cannot be applied");
    let made = "SELECT count(*) FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_name = 'c'";
    assert_eq!(count(&database, made).await, 0);
}

#[tokio::test]
async fn text_sorts_by_its_bytes() {
    let Some(server) = server("postgres::text_sorts_by_its_bytes") else { return };
    let url = empty_schema(&server).await;
    let database = open(&url, &[FIRST]).await.unwrap();
    let mut transaction = database.begin(Mode::Write).await.unwrap();
    for (id, body) in ["b", "B", "a-b", "ab", "é", "Z", "a"].iter().enumerate() {
        let sql = "INSERT INTO a (id, body) VALUES ($1, $2)";
        transaction.execute(sql, params![id, *body]).await.unwrap();
    }
    let rows = transaction.query("SELECT body FROM a ORDER BY body", &[]).await.unwrap();
    let sorted: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(sorted, ["B", "Z", "a", "a-b", "ab", "b", "é"]);
    let rows = transaction.query("SELECT SUM(id), MIN(id) FROM a", &[]).await.unwrap();
    assert_eq!(rows[0].get::<i64>(0).unwrap(), 21);
}

/// Two pools are two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_several_processes_lose_no_update() {
    let Some(server) = server("postgres::several_processes") else { return };
    let url = empty_schema(&server).await;
    let first = Arc::new(open(&url, MIGRATIONS).await.unwrap());
    let second = Arc::new(open(&url, MIGRATIONS).await.unwrap());
    let mut transaction = first.begin(Mode::Write).await.unwrap();
    let insert = "INSERT INTO versions (name, version) VALUES ('counter', 0)";
    transaction.execute(insert, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for database in [&first, &second] {
        for _ in 0..8 {
            let database = Arc::clone(database);
            tasks.spawn(async move {
                for _ in 0..10 {
                    let mut transaction = database.begin(Mode::Write).await.unwrap();
                    let read = "SELECT version FROM versions WHERE name = 'counter'";
                    let rows = transaction.query(read, &[]).await.unwrap();
                    let version: i64 = rows[0].get(0).unwrap();
                    let update = "UPDATE versions SET version = $1 WHERE name = 'counter'";
                    transaction.execute(update, params![version + 1]).await.unwrap();
                    transaction.commit().await.unwrap();
                }
            });
        }
    }
    tasks.join_all().await;
    assert_eq!(count(&second, "SELECT version FROM versions").await, 160);
}

#[tokio::test]
async fn a_lost_connection_costs_its_transaction_only() {
    let Some(server) = server("postgres::a_lost_connection") else { return };
    let url = empty_schema(&server).await;
    let killer = open(&url, MIGRATIONS).await.unwrap();
    let database = open(&url, MIGRATIONS).await.unwrap();
    let mut transaction = database.begin(Mode::Write).await.unwrap();
    let insert = "INSERT INTO versions (name, version) VALUES ('lost', 0)";
    transaction.execute(insert, &[]).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND state = 'idle in transaction'
        AND query LIKE 'INSERT INTO versions%lost%'";
    let mut reader = killer.begin(Mode::Read).await.unwrap();
    assert_eq!(reader.query(kill, &[]).await.unwrap().len(), 1);
    let error = transaction.execute(insert, &[]).await.unwrap_err();
    assert_eq!(error.kind(), MetadataErrorKind::Unavailable);
    transaction.commit().await.unwrap_err();
    assert_eq!(count(&database, "SELECT count(*) FROM versions").await, 0);
    let mut transaction = database.begin(Mode::Write).await.unwrap();
    transaction.execute(insert, &[]).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_full_pool_and_a_closed_one_say_so() {
    let Some(server) = server("postgres::a_full_pool") else { return };
    let url = empty_schema(&server).await;
    let options = PostgresOptions {
        connections: 1,
        connection_wait: Duration::from_millis(1),
        ..PostgresOptions::default()
    };
    let database = PostgresMetadata::open(&url, options).await.unwrap();
    let held = database.begin(Mode::Read).await.unwrap();
    let error = database.begin(Mode::Read).await.err().unwrap();
    assert_eq!(error.kind(), MetadataErrorKind::Unavailable);
    held.commit().await.unwrap();
    database.begin(Mode::Read).await.unwrap().commit().await.unwrap();
    database.close();
    assert!(database.begin(Mode::Read).await.is_err());
}

#[tokio::test]
async fn why_a_database_cannot_be_opened_is_one_sentence() {
    let unreachable = "postgres://u:secret@127.0.0.1:1/registry".parse().unwrap();
    let error = open(&unreachable, MIGRATIONS).await.err().unwrap().to_string();
    assert!(
        error.starts_with("the metadata database at 127.0.0.1:1/registry cannot be reached: "),
        "{error}"
    );
    assert!(error.contains("refused") && !error.contains("secret"), "{error}");
    let Some(server) = server("postgres::refused") else { return };
    let error = open(&server.in_database("no_such_database"), MIGRATIONS).await.err().unwrap();
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[tokio::test]
async fn a_look_reads_and_makes_nothing() {
    let Some(server) = server("postgres::look") else { return };
    let url = empty_schema(&server).await;
    assert!(PostgresLook::open(&url).await.unwrap().is_none());
    assert!(PostgresLook::open(&url).await.unwrap().is_none(), "the first look made nothing");
    let _database = PostgresMetadata::open(&url, PostgresOptions::default()).await.unwrap();
    let look = PostgresLook::open(&url).await.unwrap().unwrap();
    let mut tx = look.begin(Mode::Read).await.unwrap();
    assert!(tx.query("SELECT id FROM deployment", &[]).await.unwrap().is_empty());
    assert!(look.begin(Mode::Write).await.is_err());
    let unknown = PostgresLook::open(&server.in_database("no_such_database")).await;
    let refusal = unknown.err().unwrap();
    assert!(matches!(refusal, OpenError::Refused { .. }), "{refusal}");
}
