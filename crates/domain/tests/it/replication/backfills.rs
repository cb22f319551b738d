//! Copies of what was there before the rules.

use tonnage_domain::error::ErrorKind;
use tonnage_domain::replication::ReplicationRule;
use tonnage_domain::replication::backfills::describe_replication_backfill_results::DescribeReplicationBackfillResults;
use tonnage_domain::replication::backfills::list_replication_backfills::ListReplicationBackfills;
use tonnage_domain::replication::backfills::start_replication_backfill::StartReplicationBackfill;
use tonnage_domain::replication::backfills::stop_replication_backfill::StopReplicationBackfill;
use tonnage_domain::replication::backfills::{Backfill, BackfillStatus};

use super::{AWAY, EAST, WEST, World, at, rule, to};
use crate::content::Pushed;
use crate::registry::{ACCOUNT, by_tag, check_kind, page};

const DAY: i64 = 24 * 3600;

fn start(account: &str, region: &str) -> StartReplicationBackfill {
    StartReplicationBackfill { destination: to(account, region) }
}

/// Results as `repository tag code`, and what is told of the backfill.
async fn results(world: &World, id: &str, failed: Option<bool>) -> (Backfill, Vec<String>) {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let describe = DescribeReplicationBackfillResults {
            id: id.to_owned(),
            failed,
            page: page(after.as_deref(), 2),
        };
        let (backfill, found) = world.registry.run(describe).await.unwrap();
        rows.extend(found.items.iter().map(|result| {
            let tag = result.tag.as_deref().unwrap_or("-");
            let code = result.failure_code.as_deref().unwrap_or("-");
            format!("{} {tag} {code}", result.repository_name)
        }));
        after = found.next;
        if after.is_none() {
            return (backfill, rows);
        }
    }
}

#[tokio::test]
async fn a_backfill_copies_what_the_rules_match() {
    let world = World::new().await;
    let registry = &world.registry;
    let (app, tools) = (registry.create("prod/app").await, registry.create("tools").await);
    let one = registry.push_image(&app, "one", &["a", "b"]).await;
    let two = registry.push_image(&app, "two", &[]).await;
    let index = Pushed::index(&[&one, &two]);
    registry.put(&app, &index, Some("all")).await.unwrap();
    registry.push_image(&tools, "tool", &["t"]).await;
    let prefixes = vec!["prod/".to_owned()];
    world.rules(vec![ReplicationRule { prefixes, ..rule(&[to(ACCOUNT, WEST)]) }]).await;

    let started = registry.run(start(ACCOUNT, WEST)).await.unwrap();
    assert_eq!((started.status, started.progress), (BackfillStatus::Preparing, None));
    check_kind(registry.run(start(ACCOUNT, WEST)).await, ErrorKind::BackfillInProgress);
    check_kind(registry.run(start(AWAY, EAST)).await, ErrorKind::InvalidParameter);
    assert_eq!(results(&world, &started.id, None).await.1, Vec::<String>::new());
    world.drain().await;

    let (ended, found) = results(&world, &started.id, None).await;
    assert_eq!(ended.status, BackfillStatus::Complete);
    let progress = ended.progress.unwrap();
    assert_eq!((progress.total, progress.completed, progress.failed), (4, 4, 0));
    let rows = ["prod/app a -", "prod/app b -", "prod/app - -", "prod/app all -"];
    assert_eq!(found, rows);
    let copy = at(ACCOUNT, WEST, "prod/app");
    assert_eq!(world.tags(&copy).await, ["a", "all", "b"]);
    assert!(world.resolve(&copy, two.digest.as_str()).await.is_some());
    assert_eq!(world.resolve(&at(ACCOUNT, WEST, "tools"), "t").await, None);
    let complete = [format!("{WEST} {ACCOUNT} COMPLETE -")];
    assert_eq!(world.statuses(&app, by_tag("a")).await, complete);

    let again = registry.run(start(ACCOUNT, WEST)).await.unwrap();
    world.drain().await;
    let list = ListReplicationBackfills { page: page(None, 50) };
    let mut ids: Vec<_> =
        registry.run(list).await.unwrap().items.into_iter().map(|found| found.id).collect();
    ids.sort();
    let mut expected = vec![started.id.clone(), again.id];
    expected.sort();
    assert_eq!(ids, expected);
    registry.clock.advance_seconds(91 * DAY);
    world.drain().await;
    let describe =
        DescribeReplicationBackfillResults { id: started.id, failed: None, page: page(None, 1) };
    check_kind(registry.run(describe).await, ErrorKind::BackfillNotFound);
}

#[tokio::test]
async fn failures_are_told_by_image() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    registry.push_image(&app, "one", &["a"]).await;
    world.rules(vec![rule(&[to(AWAY, EAST)])]).await;
    let started = registry.run(start(AWAY, EAST)).await.unwrap();
    world.drain().await;
    let (ended, found) = results(&world, &started.id, Some(true)).await;
    assert_eq!(ended.status, BackfillStatus::Complete);
    let progress = ended.progress.unwrap();
    assert_eq!((progress.total, progress.completed, progress.failed), (1, 0, 1));
    assert_eq!(progress.failure_codes, ["AccessDenied"]);
    assert_eq!(found, ["app a AccessDenied"]);
    assert_eq!(results(&world, &started.id, Some(false)).await.1, Vec::<String>::new());
}

#[tokio::test]
async fn a_backfill_that_is_stopped_copies_no_more() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    registry.push_image(&app, "one", &["a"]).await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let started = registry.run(start(ACCOUNT, WEST)).await.unwrap();
    let stop = || StopReplicationBackfill { id: started.id.clone() };
    assert_eq!(registry.run(stop()).await.unwrap().status, BackfillStatus::Stopped);
    world.drain().await;
    assert_eq!(world.resolve(&at(ACCOUNT, WEST, "app"), "a").await, None);
    check_kind(registry.run(stop()).await, ErrorKind::BackfillInvalidStatus);
    check_kind(
        registry.run(StopReplicationBackfill { id: "none".to_owned() }).await,
        ErrorKind::BackfillNotFound,
    );
    // Others do not see it.
    check_kind(registry.run_as(&world.away, stop()).await, ErrorKind::BackfillNotFound);
}

#[tokio::test]
async fn a_destination_that_left_the_rules_fails_its_backfill() {
    let world = World::new().await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let started = world.registry.run(start(ACCOUNT, WEST)).await.unwrap();
    world.rules(Vec::new()).await;
    world.drain().await;
    let (ended, _) = results(&world, &started.id, None).await;
    assert_eq!(ended.status, BackfillStatus::Failed);
    assert_eq!(ended.failure_code.as_deref(), Some("DestinationNotConfigured"));
}

#[tokio::test]
async fn many_images_are_queued_in_parts() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let tags: Vec<String> = (0..600).map(|number| format!("t{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    registry.push_image(&app, "one", &tags).await;
    registry.push_image(&app, "two", &["u"]).await;
    let tools = registry.create("tools").await;
    registry.push_image(&tools, "three", &["v"]).await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let started = registry.run(start(ACCOUNT, WEST)).await.unwrap();
    world.drain().await;
    let (ended, _) = results(&world, &started.id, None).await;
    let progress = ended.progress.unwrap();
    assert_eq!((progress.total, progress.completed, progress.failed), (602, 602, 0));
    assert_eq!(world.tags(&at(ACCOUNT, WEST, "app")).await.len(), 601);
    assert_eq!(world.tags(&at(ACCOUNT, WEST, "tools")).await, ["v"]);
}
