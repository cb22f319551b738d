//! The process ends at every call of a backup, by itself and with the power. What was a backup is
//! whole, and the next one that is made is whole after a power failure too, whatever the one that
//! broke off has left.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tonnage_domain::backup::{self, Progress, Snapshot};
use tonnage_store::crash;
use tonnage_store::postgres::testing;
use tonnage_store::vault::{FileVault, VaultOpenError};

use super::steps::Step::{Create, Push, Put};
use super::{AT, Failure, Place};
use crate::registry::{on_postgres, temporary_directory};

const REGISTRY: &str = "TONNAGE_CRASH_BACKUP_OF";
const URL: &str = "TONNAGE_CRASH_BACKUP_POSTGRES_URL";
const DIRECTORY: &str = "TONNAGE_CRASH_BACKUP_DIRECTORY";
const POINTS_MAX: u64 = 400;
const OPEN_TRIES: u32 = 10_000;

async fn back_up(place: &Place, backups: &Path, at: Option<u64>) {
    let registry = place.open().await;
    if let Some(at) = at {
        crash::arm(at);
    }
    let vault = vault(backups).await;
    backup::create(&registry.app, &vault, None, &Progress::default()).await.unwrap();
}

/// Not a test of its own: what the child runs.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let registry = std::env::var_os(REGISTRY).unwrap().into();
    let place = Place { directory: registry, url: std::env::var(URL).ok() };
    let (watched, shadow) =
        (Path::new(&directory).join("watched"), Path::new(&directory).join("shadow"));
    crash::watch(&watched, &shadow).unwrap();
    let at = std::env::var(AT).ok().map(|at| at.parse().unwrap());
    back_up(&place, &watched.join("deep/backups"), at).await;
}

/// Whether the child ended at its point.
async fn run_child(place: &Place, directory: &Path, at: Option<u64>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["crash::backups::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(REGISTRY, &place.directory)
        .env(DIRECTORY, directory);
    for (name, value) in [(URL, place.url.clone()), (AT, at.map(|at| at.to_string()))] {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    super::ended(command, &format!("a backup at {at:?}")).await
}

/// The directory of backups, once nobody has it. Another test that starts a child at this moment holds
/// a copy of every open file until the child runs.
async fn vault(backups: &Path) -> FileVault {
    for _ in 0..OPEN_TRIES {
        match FileVault::create(backups) {
            Err(VaultOpenError::InUse(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays in use", backups.display());
}

/// Every backup that is there is whole; how many there are.
async fn whole(backups: &Path, at: &str) -> usize {
    if !backups.join("tonnage-backup").exists() {
        return 0;
    }
    let vault = vault(backups).await;
    let verified = backup::verify(&vault, &Progress::default()).await.unwrap();
    assert_eq!(verified.damages, Vec::<String>::new(), "{at}");
    let found = backup::snapshots(&vault).await.unwrap();
    found.iter().filter(|snapshot| matches!(snapshot, Snapshot::Finished(_))).count()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_backup() {
    let home = temporary_directory();
    let url = if on_postgres() { testing::empty_schema_text().await } else { None };
    let place = Place { directory: home.path().to_owned(), url };
    let earlier = temporary_directory();
    {
        let registry = place.open().await;
        for step in [Create("app"), Push("app", 0), Push("app", 1), Put("app", 1, "v1")] {
            step.run(&registry).await;
        }
    }
    back_up(&place, earlier.path(), None).await;
    {
        let registry = place.open().await;
        Push("app", 2).run(&registry).await;
        Put("app", 2, "v2").run(&registry).await;
    }
    for has_earlier in [false, true] {
        let points = end_at_every_point(&place, has_earlier.then_some(earlier.path())).await;
        assert!(points > 40, "only {points} points");
    }
}

async fn end_at_every_point(place: &Place, earlier: Option<&Path>) -> u64 {
    let before = usize::from(earlier.is_some());
    for point in crash::points(POINTS_MAX) {
        for failure in [Failure::Process, Failure::Power, Failure::ProcessThenPower] {
            let (directory, target) = (temporary_directory(), temporary_directory());
            let watched = directory.path().join("watched");
            fs::create_dir(&watched).unwrap();
            if let Some(earlier) = earlier {
                copy_tree(earlier, &watched.join("deep/backups"));
            }
            let at = format!("a backup beside {before}, point {point}, {failure:?}");
            let mut made = before;
            let ended = run_child(place, directory.path(), Some(point)).await;
            if !ended {
                made += 1;
            } else if failure == Failure::ProcessThenPower {
                assert!(!run_child(place, directory.path(), None).await);
                made += 1;
            }
            let left = if failure == Failure::Process {
                watched
            } else {
                let shadow = directory.path().join("shadow");
                crash::after_power_failure(&watched, &shadow, target.path()).unwrap();
                target.path().to_owned()
            };
            let backups = left.join("deep/backups");
            let found = whole(&backups, &at).await;
            // One that broke off after its manifest counts.
            assert!(found == made || (ended && found == made + 1), "{at}: {found} of {made}");
            // The next one needs nobody's help.
            back_up(place, &backups, None).await;
            assert_eq!(whole(&backups, &at).await, found + 1, "{at}");
            if !ended {
                return point;
            }
        }
    }
    panic!("a backup has no end");
}
