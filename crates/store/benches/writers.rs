//! Acknowledged writes a second by concurrent writers, on both engines:
//! `TONNAGE_TEST_POSTGRES_FSYNC=on tests/postgres/run cargo bench -p tonnage-store`.
//!
//! A write is a transaction like an operation's: it reads three rows, changes one and inserts two.
//! Every writer has one under way at a time. Without the variables of `tests/postgres/run` only
//! SQLite is measured. The figures are printed; nothing is asserted about them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tonnage_domain::metadata::{Metadata, MetadataError, Mode};
use tonnage_domain::params;
use tonnage_store::postgres::testing;
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

const WRITERS: [usize; 3] = [1, 8, 64];
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(4);

async fn write(metadata: &dyn Metadata, number: i64) -> Result<(), MetadataError> {
    let mut transaction = metadata.begin(Mode::Write).await?;
    let name = format!("{}", number % 64);
    for _ in 0..3 {
        let sql = "SELECT version FROM versions WHERE name = $1";
        transaction.query(sql, params![&name]).await?;
    }
    let sql = "INSERT INTO versions (name, version) VALUES ($1, 1) \
        ON CONFLICT (name) DO UPDATE SET version = versions.version + 1";
    transaction.execute(sql, params![&name]).await?;
    for kind in ["object", "other"] {
        let sql = "INSERT INTO garbage_objects (object_id, since) VALUES ($1, $2)";
        transaction.execute(sql, params![format!("{kind} {number}"), number]).await?;
    }
    transaction.commit().await
}

/// Writes a second, and the longest write.
async fn measure(metadata: &Arc<dyn Metadata>, writers: usize) -> (f64, Duration) {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let begin = Instant::now() + WARM_UP;
    let end = begin + MEASURED;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let metadata = Arc::clone(metadata);
        tasks.spawn(async move {
            let (mut writes, mut longest) = (0u32, Duration::ZERO);
            while Instant::now() < end {
                let started = Instant::now();
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                write(metadata.as_ref(), number).await.expect("a write");
                if started >= begin {
                    writes += 1;
                    longest = longest.max(started.elapsed());
                }
            }
            (writes, longest)
        });
    }
    let done = tasks.join_all().await;
    let writes: u32 = done.iter().map(|(writes, _)| writes).sum();
    let longest = done.iter().map(|(_, longest)| *longest).max().unwrap_or_default();
    (f64::from(writes) / MEASURED.as_secs_f64(), longest)
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("metadata.db");
    let sqlite = SqliteMetadata::open(path, SqliteOptions::default()).expect("a database");
    let mut engines: Vec<(&str, Arc<dyn Metadata>)> = vec![("sqlite", Arc::new(sqlite))];
    if let Some(server) = testing::server("the measurement of PostgreSQL") {
        let postgres = testing::empty_database(&server).await.expect("a database");
        engines.push(("postgres", Arc::new(postgres)));
    }
    println!("{:<10} {:>8} {:>12} {:>14}", "engine", "writers", "writes/s", "longest in ms");
    for (engine, metadata) in &engines {
        for writers in WRITERS {
            let (rate, longest) = measure(metadata, writers).await;
            println!("{engine:<10} {writers:>8} {rate:>12.0} {:>14}", longest.as_millis());
        }
    }
}
