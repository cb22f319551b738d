//! The process ends at every call of a move of the metadata, there and back. One of the databases
//! can be served, never both with different content, and the same command ends the move.
//!
//! The child is this test executable again.

use std::path::PathBuf;
use std::process::Command;

use tonnage_domain::metadata::{Metadata, Mode};
use tonnage_store::crash;
use tonnage_store::postgres::testing;

use super::*;

const DIRECTORY: &str = "TONNAGE_MIGRATE_DIRECTORY";
const URL: &str = "TONNAGE_MIGRATE_URL";
const TO: &str = "TONNAGE_MIGRATE_TO";
const AT: &str = "TONNAGE_MIGRATE_AT";
const POINTS_MAX: u64 = 200;

async fn move_to(layout: &Layout, url: &PostgresUrl, to: &str) -> Result<u64> {
    match to {
        "postgres" => to_postgres(layout, url).await,
        _ => to_sqlite(layout, url).await,
    }
}

/// Not a test of its own: what the child runs.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let layout = Layout::new(PathBuf::from(directory));
    let url = std::env::var(URL).unwrap().parse().unwrap();
    crash::arm(std::env::var(AT).unwrap().parse().unwrap());
    move_to(&layout, &url, &std::env::var(TO).unwrap()).await.unwrap();
}

async fn run_child(layout: &Layout, url: &str, to: &str, at: u64) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["commands::migrate::tests::child", "--exact", "--nocapture"])
        .env(DIRECTORY, layout.directory())
        .env(URL, url)
        .env(TO, to)
        .env(AT, at.to_string());
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ended = said.contains("the process ends before: ");
    assert_ne!(ended, output.status.success(), "to {to} at {at}: {said}");
    ended
}

const INSERT: &str = "INSERT INTO deployment (id, deployment_id, object_store_id, root_key_check, \
                      management_account_id, default_region, created_at) \
                      VALUES (1, 'this', 'store', $1, '123456789012', 'us-east-1', 0)";

async fn execute(metadata: &dyn Metadata, sql: &'static str) {
    let mut transaction = metadata.begin(Mode::Write).await.unwrap();
    let params = tonnage_domain::params![vec![1u8]];
    let params = if sql.contains("$1") { &params[..] } else { &[] };
    transaction.execute(sql, params).await.unwrap();
    transaction.commit().await.unwrap();
}

fn sqlite(layout: &Layout) -> SqliteMetadata {
    SqliteMetadata::open(layout.metadata(), SqliteOptions::default()).unwrap()
}

async fn postgres(url: &str) -> PostgresMetadata {
    PostgresMetadata::open(&url.parse().unwrap(), PostgresOptions::default()).await.unwrap()
}

#[tokio::test]
async fn the_process_ends_at_every_call() {
    for to in ["postgres", "sqlite"] {
        for at in crash::points(POINTS_MAX) {
            let Some(url) = testing::empty_schema_text().await else { return };
            let directory = tempfile::tempdir().unwrap();
            let layout = Layout::new(directory.path().to_owned());
            if to == "postgres" {
                let metadata = sqlite(&layout);
                execute(&metadata, INSERT).await;
                metadata.close().await.unwrap();
            } else {
                execute(&postgres(&url).await, INSERT).await;
            }
            let ended = run_child(&layout, &url, to, at).await;

            let served = async |metadata: &dyn Metadata| {
                let mut transaction = metadata.begin(Mode::Read).await.unwrap();
                let sql = "SELECT object_store_id FROM deployment WHERE id = 1";
                let rows = transaction.query(sql, &[]).await.unwrap();
                rows.first().is_some_and(|row| row.get::<String>(0).unwrap() == "store")
            };
            let in_postgres = served(&postgres(&url).await).await;
            let in_sqlite = layout.metadata().exists() && served(&sqlite(&layout)).await;
            assert!(in_postgres || in_sqlite, "to {to} at {at}: nothing can be served");
            // With the last name in its place, the move is done, and the command would say that
            // there is no registry to move.
            if ended && (to == "sqlite" || layout.metadata().exists()) {
                move_to(&layout, &url.parse().unwrap(), to).await.unwrap();
            }
            let in_postgres = served(&postgres(&url).await).await;
            let in_sqlite = layout.metadata().exists() && served(&sqlite(&layout)).await;
            assert_eq!((in_postgres, in_sqlite), (to == "postgres", to == "sqlite"), "at {at}");
            if !ended {
                assert!(at > 5, "only {at} points");
                break;
            }
        }
    }
}

/// A server may have used the file that a call that broke off had named.
#[tokio::test]
async fn metadata_that_are_there_are_never_written_over() {
    let Some(url) = testing::empty_schema_text().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path().to_owned());
    let source = postgres(&url).await;
    execute(&source, INSERT).await;
    let present = sqlite(&layout);
    transfer::copy(&source, &present).await.unwrap();
    execute(&present, "INSERT INTO versions (name, version) VALUES ('later', 1)").await;
    present.close().await.unwrap();
    let parsed = url.parse().unwrap();
    let refusal = to_sqlite(&layout, &parsed).await.unwrap_err().to_string();
    assert!(refusal.contains("differs from the PostgreSQL database"), "{refusal}");

    let present = sqlite(&layout);
    execute(&present, "UPDATE deployment SET deployment_id = 'another'").await;
    present.close().await.unwrap();
    let refusal = to_sqlite(&layout, &parsed).await.unwrap_err().to_string();
    assert!(refusal.contains("holds another registry"), "{refusal}");
    assert!(!transfer::is_retired(&source).await.unwrap());
}
