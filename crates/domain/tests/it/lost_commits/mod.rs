//! The answer of a commit never comes, with and without the commit having been made. The client is
//! told of an error, what it wanted is done or not done, and trying again succeeds.
//!
//! On SQLite the commit is reported failed; on PostgreSQL the connection is cut besides.

mod proxy;

use std::sync::Arc;

use tonnage_domain::app::Settings;
use tonnage_domain::error::{ErrorKind, chain};
use tonnage_store::crash;
use tonnage_store::faulty::{Call, Fault};
use tonnage_store::postgres::{PostgresMetadata, PostgresOptions, testing};

use self::proxy::{Cut, Proxy};
use crate::crash::steps::Step::{Create, Delete, DeleteRepository, Push, PushInParts, Put};
use crate::crash::steps::{self, Known, Step};
use crate::registry::Registry;

const STEPS: [Step; 9] = [
    Create("app"),
    Push("app", 0),
    Push("app", 1),
    PushInParts("app", 2),
    Put("app", 1, "v1"),
    Put("app", 2, "v2"),
    Put("app", 2, "v2"),
    Delete("app", "v1"),
    DeleteRepository("app"),
];
const CUTS: [Cut; 2] = [Cut::BeforeCommit, Cut::AfterCommit];
/// The steps commit less often.
const COMMITS_MAX: u64 = 60;

/// Does the steps; whether one of them failed.
async fn run(registry: &Registry, at: &str) -> bool {
    let mut failed = false;
    for (number, step) in STEPS.into_iter().enumerate() {
        if let Err(error) = step.try_run(registry).await {
            assert!(!failed, "{at}, {step:?} tried later: {}", chain(&error));
            failed = true;
            let expected = [ErrorKind::Unavailable, ErrorKind::Internal].contains(&error.kind());
            assert!(expected, "{at}, {step:?}: {}", chain(&error));
            let found = Known::found(registry).await;
            let (before, after) = (Known::after(&STEPS[..number]), Known::after(&STEPS[..=number]));
            assert!(found == before || found == after, "{at}, {step:?}: {found:#?}");
            step.run(registry).await;
        }
        assert_eq!(Known::found(registry).await, Known::after(&STEPS[..=number]), "{at} {step:?}");
    }
    failed
}

async fn check_nothing_is_left_in_the_end(registry: &Registry) {
    registry.check_no_orphans().await;
    steps::delete_everything(registry).await;
    registry.clock.advance_seconds(30 * 24 * 3600);
    registry.sweep().await;
    registry.check_nothing_left().await;
}

#[tokio::test]
async fn a_commit_is_reported_failed() {
    for cut in CUTS {
        let call = match cut {
            Cut::BeforeCommit => Call::CommitBefore,
            Cut::AfterCommit => Call::CommitAfterDurable,
        };
        for nth in crash::points(COMMITS_MAX) {
            let registry = Registry::new().await;
            registry.plan.fail(call, nth, Fault::Unavailable);
            let failed = run(&registry, &format!("{call:?} {nth}")).await;
            registry.plan.heal();
            check_nothing_is_left_in_the_end(&registry).await;
            if !failed {
                assert!(nth > 10, "only {nth} commits");
                break;
            }
        }
    }
}

#[tokio::test]
async fn the_connection_breaks_at_a_commit() {
    let Some(url) = std::env::var(testing::URL_VARIABLE).ok() else {
        drop(testing::server("a connection that breaks at a commit"));
        return;
    };
    for cut in CUTS {
        for nth in crash::points(COMMITS_MAX) {
            let schema = testing::empty_schema_text().await.unwrap();
            let proxy = Proxy::start(&url).await;
            let schema = proxy.instead_of_server(&schema).parse().unwrap();
            let metadata = PostgresMetadata::open(&schema, PostgresOptions::default()).await;
            let registry = Registry::on(Arc::new(metadata.unwrap()), Settings::default()).await;
            proxy.cut(cut, nth);
            let failed = run(&registry, &format!("{cut:?} {nth}")).await;
            assert_eq!(proxy.has_cut(), failed, "{cut:?} {nth}: a cut was not noticed");
            proxy.heal();
            check_nothing_is_left_in_the_end(&registry).await;
            if !failed {
                assert!(nth > 10, "only {nth} commits");
                break;
            }
        }
    }
}
