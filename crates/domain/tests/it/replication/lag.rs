//! How far behind destinations are, and what is queued again.

use tonnage_domain::app::Settings;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::replication::describe_replication::DescribeReplication;
use tonnage_domain::replication::describe_replication_matrix::DescribeReplicationMatrix;
use tonnage_domain::replication::list_replications::ListReplications;
use tonnage_domain::replication::measure::measure;
use tonnage_domain::replication::retry::{Retried, RetryReplication};
use tonnage_domain::repositories::RepositoryAddress;

use super::{AWAY, EAST, WEST, World, at, rule, to};
use crate::registry::{ACCOUNT, START, by_tag, check_kind};

const BOTH: &str = r#""ecr:ReplicateImage","ecr:CreateRepository""#;
const DAY: i64 = 24 * 3600;

/// `region account waiting oldest completed failed`, times in seconds after the start.
async fn described(world: &World) -> Vec<String> {
    let statuses = world.registry.run(DescribeReplication).await.unwrap();
    let seconds = |at: Option<tonnage_domain::clock::Millis>| match at {
        Some(at) => ((at.0 - START.0) / 1000).to_string(),
        None => "-".to_owned(),
    };
    statuses
        .iter()
        .map(|found| {
            format!(
                "{} {} {} {} {} {}{}",
                found.destination.region,
                found.destination.account,
                found.waiting,
                seconds(found.oldest_at),
                seconds(found.last_completed_at),
                found.failed_in_last_day,
                if found.is_configured { "" } else { " left" },
            )
        })
        .collect()
}

#[tokio::test]
async fn destinations_tell_what_waits_and_what_ended() {
    let world = World::new().await;
    let registry = &world.registry;
    assert_eq!(described(&world).await, Vec::<String>::new());
    let (app, other) = (registry.create("app").await, registry.create("other").await);
    world.rules(vec![rule(&[to(ACCOUNT, WEST), to(AWAY, EAST)])]).await;
    let quiet = [format!("{WEST} {ACCOUNT} 0 - - 0"), format!("{EAST} {AWAY} 0 - - 0")];
    assert_eq!(described(&world).await, quiet);
    registry.clock.advance_seconds(10);
    registry.push_image(&app, "one", &["v1"]).await;
    registry.clock.advance_seconds(5);
    registry.push_image(&other, "two", &["a", "b"]).await;
    registry.clock.advance_seconds(5);
    let waiting = [format!("{WEST} {ACCOUNT} 3 10 - 0"), format!("{EAST} {AWAY} 3 10 - 0")];
    assert_eq!(described(&world).await, waiting);
    measure(&registry.app).await.unwrap();
    assert_eq!(world.registry.metric("replication_waiting"), "6");
    assert_eq!(world.registry.metric("replication_oldest_seconds"), "10");
    world.drain().await;
    let ended = [format!("{WEST} {ACCOUNT} 0 - 20 0"), format!("{EAST} {AWAY} 0 - - 2")];
    assert_eq!(described(&world).await, ended);
    measure(&registry.app).await.unwrap();
    assert_eq!(world.registry.metric("replication_waiting"), "0");
    assert_eq!(world.registry.metric("replication_oldest_seconds"), "0");
    // Three copies arrived: after 10 s, and twice after 5 s.
    assert_eq!(world.registry.metric("replication_lag_seconds_count"), "3");
    assert_eq!(world.registry.metric("replication_lag_seconds_sum"), "20.0");
    let matrix = registry.run(DescribeReplicationMatrix).await.unwrap();
    let sources = matrix.sources.iter().map(|(region, all)| (region.as_str(), all.len()));
    let sources: Vec<_> = sources.collect();
    assert_eq!(sources, [(EAST, 2)]);
    let failed: Vec<_> = matrix.failed.iter().map(|copy| copy.repository.as_str()).collect();
    assert_eq!(failed, ["other", "app"]);
    assert!(matrix.failed.iter().all(|copy| copy.destination == to(AWAY, EAST)));
    registry.clock.advance_seconds(DAY + 1);
    let later = [format!("{WEST} {ACCOUNT} 0 - 20 0"), format!("{EAST} {AWAY} 0 - - 0")];
    assert_eq!(described(&world).await, later);
    // What waits for a destination that left the rules is told until it is carried.
    registry.push_image(&app, "three", &["v3"]).await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let told = described(&world).await;
    assert!(told[1].ends_with("left"), "{told:?}");
    world.drain().await;
    assert_eq!(described(&world).await.len(), 1);
    // Others have a registry of their own.
    let theirs = registry.run_as(&world.away, DescribeReplication).await.unwrap();
    assert_eq!(theirs, Vec::new());
}

async fn listed(world: &World, repository: &RepositoryAddress, limit: u32) -> Vec<String> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { after: after.clone(), limit };
        let list = ListReplications { repository: repository.clone(), page };
        let (found, _) = world.registry.run(list).await.unwrap();
        assert!(found.items.len() <= limit as usize);
        rows.extend(found.items.iter().map(|copy| {
            let tags: Vec<_> = copy.tags.iter().map(ToString::to_string).collect();
            let lag = copy.ended_at.map_or(-1, |ended| (ended.0 - copy.queued_at.0) / 1000);
            let code = copy.failure_code.as_deref().unwrap_or("-");
            let destination = &copy.destination;
            format!(
                "{} {} {} {} {code} {lag}",
                tags.join(","),
                destination.region,
                destination.account,
                copy.status.as_str()
            )
        }));
        after = found.next;
        if after.is_none() {
            return rows;
        }
    }
}

#[tokio::test]
async fn the_lag_of_each_image_is_told() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST), to(AWAY, EAST)])]).await;
    registry.push_image(&app, "one", &["v1", "v2"]).await;
    registry.clock.advance_seconds(7);
    world.drain().await;
    registry.push_image(&app, "two", &["w"]).await;
    for limit in [1, 2, 3, 100] {
        let expected = [
            format!("w {WEST} {ACCOUNT} IN_PROGRESS - -1"),
            format!("w {EAST} {AWAY} IN_PROGRESS - -1"),
            format!("v1,v2 {WEST} {ACCOUNT} COMPLETE - 7"),
            format!("v1,v2 {EAST} {AWAY} FAILED AccessDenied 7"),
        ];
        assert_eq!(listed(&world, &app, limit).await, expected, "{limit}");
    }
    let page = PageRequest { after: Some("x".to_owned()), limit: 1 };
    let list = ListReplications { repository: app, page };
    check_kind(registry.run(list).await, ErrorKind::InvalidParameter);
}

async fn retry(world: &World, repository: Option<&str>, destination: Option<&str>) -> Retried {
    let mut all = Retried::default();
    let mut after = None;
    loop {
        let operation = RetryReplication {
            repository: repository.map(|name| crate::registry::address(name).name),
            destination: destination.map(|region| to(ACCOUNT, region)),
            after,
        };
        let retried = world.registry.run(operation).await.unwrap();
        all.images += retried.images;
        all.settings += retried.settings;
        all.jobs += retried.jobs;
        after = retried.next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn what_failed_is_queued_again_and_nothing_else() {
    let world = World::new().await;
    let registry = &world.registry;
    let (app, other) = (registry.create("app").await, registry.create("other").await);
    world.rules(vec![rule(&[to(ACCOUNT, WEST), to(AWAY, EAST)])]).await;
    registry.push_image(&app, "one", &["v1"]).await;
    registry.push_image(&other, "two", &[]).await;
    world.drain().await;
    world.allow(BOTH).await;
    assert_eq!(retry(&world, None, Some(WEST)).await, Retried::default());
    assert_eq!(retry(&world, Some("app"), None).await, Retried { images: 1, ..Retried::default() });
    world.drain().await;
    assert!(world.resolve(&at(AWAY, EAST, "app"), "v1").await.is_some());
    let complete = [format!("{WEST} {ACCOUNT} COMPLETE -"), format!("{EAST} {AWAY} COMPLETE -")];
    assert_eq!(world.statuses(&app, by_tag("v1")).await, complete);
    assert_eq!(retry(&world, Some("app"), None).await, Retried::default());
    // Where no rule has the destination any more, it stays failed.
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    assert_eq!(retry(&world, None, None).await, Retried::default());
    world.rules(vec![rule(&[to(AWAY, EAST)])]).await;
    assert_eq!(retry(&world, None, None).await, Retried { images: 1, ..Retried::default() });
    world.drain().await;
    assert_eq!(registry.rows("SELECT 1 FROM replications WHERE status = 'FAILED'").await.len(), 0);
}

#[tokio::test]
async fn more_than_one_call_queues_again_what_failed() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(AWAY, EAST)])]).await;
    for number in 0..430 {
        registry.push_image(&app, &number.to_string(), &[]).await;
    }
    world.drain().await;
    assert_eq!(retry(&world, None, None).await.images, 430);
    assert_eq!(registry.rows("SELECT id FROM replication_queue").await.len(), 430);
}

#[tokio::test]
async fn jobs_that_gave_up_run_again() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    registry.push_image(&app, "one", &["v1"]).await;
    let dead = "UPDATE jobs SET state = 'DEAD', attempts = 8 WHERE kind = 'replicate'";
    registry.write(&[(dead, Vec::new())]).await;
    let failed = [format!("{WEST} {ACCOUNT} FAILED ReplicationFailed")];
    assert_eq!(world.statuses(&app, by_tag("v1")).await, failed);
    assert_eq!(retry(&world, Some("app"), Some(WEST)).await.jobs, 1);
    world.drain().await;
    assert!(world.resolve(&at(ACCOUNT, WEST, "app"), "v1").await.is_some());
}

#[test]
fn the_defaults_bound_no_bytes() {
    let settings = Settings::default();
    let found = (settings.replication_bytes_per_second, settings.replication_concurrency);
    assert_eq!(found, (0, 4));
}
