//! The process ends at every call that changes something on disk or commits: by itself, and with
//! the power. Whatever was acknowledged is there, whatever was under way is done or not done, and
//! the next process goes on without anybody's help.
//!
//! The child is this test executable again. It does the steps of a scenario, notes each that was
//! acknowledged, and ends at the point it was told; the parent counts points up until the child
//! reaches the end of the scenario.

mod backups;
pub(crate) mod steps;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tonnage_domain::app::Settings;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::fsck;
use tonnage_domain::metadata::Metadata;
use tonnage_store::crash;
use tonnage_store::postgres::{PostgresMetadata, PostgresOptions, testing};
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

use self::steps::{Known, Scenario};
use crate::registry::{Registry, START, on_postgres, temporary_directory};

const DIRECTORY: &str = "TONNAGE_CRASH_DIRECTORY";
const SCENARIO: &str = "TONNAGE_CRASH_SCENARIO";
const URL: &str = "TONNAGE_CRASH_POSTGRES_URL";
/// The point at which the child ends; without it, it goes on to the end.
const AT: &str = "TONNAGE_CRASH_AT";
/// No scenario has so many.
const POINTS_MAX: u64 = 500;
/// What a sweep waits for: the grace period and the rest of an upload.
const LONG_SECONDS: i64 = 30 * 24 * 3600;

/// What one child after the other works on.
struct Place {
    directory: PathBuf,
    url: Option<String>,
}

impl Place {
    fn objects(&self) -> PathBuf {
        self.directory.join("watched/objects")
    }

    async fn metadata(&self) -> Arc<dyn Metadata> {
        match &self.url {
            None => {
                let path = self.directory.join("metadata.db");
                Arc::new(SqliteMetadata::open(path, SqliteOptions::default()).unwrap())
            }
            Some(url) => {
                let url = url.parse().unwrap();
                Arc::new(PostgresMetadata::open(&url, PostgresOptions::default()).await.unwrap())
            }
        }
    }

    async fn open(&self) -> Registry {
        Registry::at(&self.objects(), self.metadata().await, Settings::default()).await
    }

    /// How many steps were acknowledged.
    fn acknowledged(&self) -> usize {
        fs::read(self.directory.join("acknowledged")).map_or(0, |bytes| bytes.len())
    }

    fn acknowledge(&self, count: usize) {
        fs::write(self.directory.join("acknowledged"), vec![b'.'; count]).unwrap();
    }

    /// What a power failure would leave, beside this one. The database promises by itself that its
    /// commits are there.
    fn after_power_failure(&self, target: &Path) -> Self {
        let watched = self.directory.join("watched");
        let shadow = self.directory.join("shadow");
        crash::after_power_failure(&watched, &shadow, &target.join("watched")).unwrap();
        for entry in fs::read_dir(&self.directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
            }
        }
        Self { directory: target.to_owned(), url: self.url.clone() }
    }
}

/// Not a test of its own: what the child runs.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let place = Place { directory: directory.into(), url: std::env::var(URL).ok() };
    let scenario = Scenario::named(&std::env::var(SCENARIO).unwrap());
    let at = std::env::var(AT).ok().map(|at| at.parse().unwrap());
    let watched = place.directory.join("watched");
    fs::create_dir_all(&watched).unwrap();
    crash::watch(&watched, &place.directory.join("shadow")).unwrap();
    if let Some(at) = at.filter(|_| scenario.prepared.is_empty()) {
        crash::arm(at);
    }
    let registry = place.open().await;
    let steps = scenario.steps();
    for (number, step) in steps.iter().enumerate() {
        if number == scenario.prepared.len()
            && number > 0
            && let Some(at) = at
        {
            crash::arm(at);
        }
        // Those of an earlier child only move the clock.
        step.move_clock(&registry);
        if number >= place.acknowledged() {
            step.run(&registry).await;
            place.acknowledge(number + 1);
        }
    }
}

/// Runs the child; whether it ended at its point.
async fn run_child(place: &Place, scenario: &'static str, at: Option<u64>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["crash::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, &place.directory)
        .env(SCENARIO, scenario);
    for (name, value) in [(URL, place.url.clone()), (AT, at.map(|at| at.to_string()))] {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    ended(command, &format!("{scenario} at {at:?}")).await
}

/// Runs a child; whether it ended at its point, and not at the end of what it does.
async fn ended(mut command: Command, what: &str) -> bool {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ended = said.contains("the process ends before: ");
    assert_ne!(ended, output.status.success(), "{what}: {said}");
    ended
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The process ends, the machine goes on.
    Process,
    /// All that was not synced is lost.
    Power,
    /// The process ends, the next one ends the scenario, then all that was not synced is lost.
    ProcessThenPower,
}

/// Lets the child end at the points of a scenario; the last one.
async fn end_at_the_points(name: &'static str) -> u64 {
    let all = [Failure::Process, Failure::Power, Failure::ProcessThenPower];
    let mut failures = all.to_vec();
    let mut last = 0;
    for (number, point) in crash::points(POINTS_MAX).enumerate() {
        // On PostgreSQL each failure needs a database of its own, so they take turns.
        if on_postgres() {
            failures = vec![all[number % 3]];
        }
        for &failure in &failures {
            let (directory, target) = (temporary_directory(), temporary_directory());
            let url = if on_postgres() { testing::empty_schema_text().await } else { None };
            let place = Place { directory: directory.path().to_owned(), url };
            let ended = run_child(&place, name, Some(point)).await;
            if ended && failure == Failure::ProcessThenPower {
                assert!(!run_child(&place, name, None).await);
            }
            let at = format!("{name}, point {point}, {failure:?}");
            if failure == Failure::Process {
                check(&place, name, &at).await;
            } else {
                check(&place.after_power_failure(target.path()), name, &at).await;
            }
            if !ended {
                return last;
            }
        }
        last = point;
    }
    panic!("{name} has no end");
}

/// What the next process finds, and what it makes of it.
async fn check(place: &Place, name: &str, at: &str) {
    println!("{at}");
    let scenario = Scenario::named(name);
    let steps = scenario.steps();
    let acknowledged = place.acknowledged();
    let registry = place.open().await;
    let passed = &steps[..steps.len().min(acknowledged + 1)];
    passed.iter().for_each(|step| step.move_clock(&registry));

    let before = Known::after(&steps[..acknowledged]);
    let after = Known::after(passed);
    let found = Known::found(&registry).await;
    assert!(
        found == before || found == after,
        "{at}: {found:#?} is neither\n{before:#?}\nnor\n{after:#?}"
    );
    let report = fsck::examine(&registry.app, registry.inventory.as_ref(), true).await.unwrap();
    assert_eq!(report.findings, [], "{at}");

    // The client tries again what was not acknowledged.
    for (number, step) in steps.iter().enumerate().skip(acknowledged) {
        if number > acknowledged {
            step.move_clock(&registry);
        }
        step.run(&registry).await;
    }
    assert_eq!(Known::found(&registry).await, Known::after(&steps), "{at}, tried again");
    registry.check_no_orphans().await;
    steps::delete_everything(&registry).await;
    registry.clock.advance_seconds(LONG_SECONDS);
    registry.sweep().await;
    registry.check_nothing_left().await;
    assert!(registry.clock.now() > START);
}

/// One test for each scenario, so that they run beside each other.
macro_rules! scenarios {
    ($($name:ident: $least:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let points = end_at_the_points(stringify!($name)).await;
                assert!(points + 8 > $least, "the last point is {points}");
            }
        )*

        #[test]
        fn every_scenario_is_run() {
            let run: Vec<&str> = vec![$(stringify!($name)),*];
            let all: Vec<&str> = steps::SCENARIOS.iter().map(|scenario| scenario.name).collect();
            assert_eq!(run, all);
        }
    };
}

scenarios! {
    first_start: 8;
    small_blob: 4;
    large_blob: 12;
    blob_in_parts: 12;
    blob_that_is_there: 6;
    manifest: 2;
    tag_moves: 2;
    image_deleted: 2;
    repository_deleted: 2;
    sweep: 6;
    image_archived: 12;
    image_restored: 12;
    sweep_of_an_upload: 4;
}
