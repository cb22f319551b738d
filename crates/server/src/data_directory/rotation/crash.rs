//! The process ends at every call of a change of the root key and of the start after it, by itself
//! and with the power. There always is a key, and it opens the metadata.
//!
//! The child is this test executable again.

use std::path::Path;
use std::process::Command;

use tonnage_store::crash;

use super::tests::{Stopped, found, metadata, start};
use super::*;

const DIRECTORY: &str = "TONNAGE_ROTATION_DIRECTORY";
const SHADOW: &str = "TONNAGE_ROTATION_SHADOW";
/// The access key that a start has to open; without it the key is changed.
const START: &str = "TONNAGE_ROTATION_START";
const AT: &str = "TONNAGE_ROTATION_AT";
const POINTS_MAX: u64 = 100;

/// Not a test of its own: what the child runs.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let layout = Layout::new(directory.into());
    let shadow = std::env::var_os(SHADOW).unwrap();
    crash::watch(layout.directory(), Path::new(&shadow)).unwrap();
    crash::arm(std::env::var(AT).unwrap().parse().unwrap());
    if let Ok(access_key_id) = std::env::var(START) {
        start(&layout, &access_key_id).await;
    } else {
        let (old, _) = found(&layout);
        rotate(&layout, metadata(&layout).as_ref(), &old).await.unwrap();
    }
}

/// Whether the child ended at its point.
async fn run_child(layout: &Layout, shadow: &Path, start: Option<&str>, at: u64) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["data_directory::rotation::crash::child", "--exact", "--nocapture"])
        .env(DIRECTORY, layout.directory())
        .env(SHADOW, shadow)
        .env(AT, at.to_string());
    if let Some(access_key_id) = start {
        command.env(START, access_key_id);
    }
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ended = said.contains("the process ends before: ");
    assert_ne!(ended, output.status.success(), "at {at}: {said}");
    ended
}

/// A copy of what is there after a power failure starts.
async fn check_after_power_failure(stopped: &Stopped, shadow: &Path) {
    let target = tempfile::tempdir().unwrap();
    let layout = &stopped.layout;
    crash::after_power_failure(layout.directory(), shadow, target.path()).unwrap();
    // The database promises by itself that its commits are there.
    for entry in fs::read_dir(layout.directory()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("metadata.sqlite") {
            fs::copy(entry.path(), target.path().join(entry.file_name())).unwrap();
        }
    }
    for entry in fs::read_dir(target.path()).unwrap() {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(entry.unwrap().path(), mode).unwrap();
    }
    start(&Layout::new(target.path().to_owned()), &stopped.access_key_id).await;
}

#[tokio::test]
async fn the_process_ends_at_every_call() {
    let mut changed = 0;
    for at in crash::points(POINTS_MAX) {
        // The start after it ends as well, at every point that it has.
        for at_start in crash::points(POINTS_MAX) {
            let stopped = Stopped::new().await;
            let old = stopped.text("root.key").unwrap();
            let shadows = tempfile::tempdir().unwrap();
            let shadow = shadows.path().join("shadow");
            if !run_child(&stopped.layout, &shadow, None, at).await {
                assert!(at > 15, "only {at} points");
                assert!(changed > 0, "the key was changed by no start");
                return;
            }
            check_after_power_failure(&stopped, &shadow).await;
            let id = Some(stopped.access_key_id.as_str());
            let ended = run_child(&stopped.layout, &shadow, id, at_start).await;
            check_after_power_failure(&stopped, &shadow).await;
            start(&stopped.layout, &stopped.access_key_id).await;
            changed += u32::from(stopped.text("root.key").unwrap() != old);
            for left in ["root.key.next", "root.key.previous"] {
                assert_eq!(stopped.text(left), None, "{at}, {at_start}: {left}");
            }
            if !ended {
                break;
            }
        }
    }
    panic!("the change of a key has no end");
}
