//! A process that pushes as fast as it can is killed; whatever it acknowledged is there.
//!
//! The child is this test binary again, told by its environment to be one. It prints an id when the
//! push of it is acknowledged; the parent kills it after a number of lines that a seed decides.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tonnage_domain::objects::ObjectId;
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

use super::support::{check_sound, push};

const DIRECTORY: &str = "TONNAGE_STORE_CRASH_DIRECTORY";
const ROUNDS: u64 = 8;
/// Sets how many rounds there are.
const ROUNDS_VARIABLE: &str = "TONNAGE_TEST_CRASH_ROUNDS";

fn open(directory: &Path) -> (Arc<SqliteMetadata>, Arc<FileObjects>) {
    // Short intervals, so that some kills fall into a checkpoint.
    let options = SqliteOptions { checkpoint_frames: 20, ..SqliteOptions::default() };
    let metadata = SqliteMetadata::open(directory.join("metadata.db"), options).unwrap();
    let objects = FileObjects::open(directory.join("objects")).unwrap();
    (Arc::new(metadata), Arc::new(objects))
}

/// Not a test of its own: what the child runs, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let (metadata, objects) = open(Path::new(&directory));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (metadata, objects) = (Arc::clone(&metadata), Arc::clone(&objects));
        tasks.spawn(async move {
            loop {
                let id = ObjectId::random();
                push(&*metadata, &*objects, &id).await.unwrap();
                // One write, so that a line is printed in whole or not at all.
                std::io::stdout().lock().write_all(format!("ack {id} \n").as_bytes()).unwrap();
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    let rounds = std::env::var(ROUNDS_VARIABLE);
    for seed in 0..rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap()) {
        // A few dozen to a few hundred acknowledged pushes a round.
        let lines = 1 + (seed * 7919 + 13) % 301;
        let before = acknowledged.len();
        run_and_kill(directory.path(), usize::try_from(lines).unwrap(), &mut acknowledged);
        assert!(acknowledged.len() > before, "the child did something");

        let (metadata, objects) = open(directory.path());
        let present: BTreeSet<ObjectId> =
            check_sound(&*metadata, &*objects).await.into_iter().collect();
        let lost: Vec<_> = acknowledged.difference(&present).collect();
        assert!(lost.is_empty(), "round {seed}: {lost:?} were acknowledged and are gone");
    }
}

fn run_and_kill(directory: &Path, lines: usize, acknowledged: &mut BTreeSet<ObjectId>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = 0;
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        // The harness prints before the first line, and the last may be cut; a whole one ends in
        // a space.
        let Some(id) = line.rsplit_once("ack ").and_then(|(_, id)| id.strip_suffix(' ')) else {
            continue;
        };
        acknowledged.insert(ObjectId::parse(id).unwrap());
        seen += 1;
        if seen >= lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed && !status.success(), "the child ended by itself: {status}");
}
