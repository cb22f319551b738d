//! What a destination gets of what the rules send to it.

use tonnage_domain::error::ErrorKind;
use tonnage_domain::replication::backfills::start_replication_backfill::StartReplicationBackfill;
use tonnage_domain::replication::refinements::{
    DestinationRefinement, GetReplicationRefinements, Patterns, PutReplicationRefinements,
};
use tonnage_domain::replication::{ReplicationDestination, ReplicationRule};
use tonnage_domain::repositories::RepositoryAddress;

use super::{AWAY, EAST, WEST, World, at, rule, to};
use crate::content::{Blob, Pushed};
use crate::registry::{ACCOUNT, by_digest, by_tag, check_kind};

fn list(patterns: &[&str]) -> Patterns {
    Patterns(patterns.iter().map(ToString::to_string).collect())
}

pub(super) fn refine(
    destination: &ReplicationDestination,
    repositories: &[&str],
    tags: &[&str],
) -> PutReplicationRefinements {
    let refinement = DestinationRefinement {
        repositories: list(repositories),
        tags: list(tags),
        ..DestinationRefinement::none(destination.clone())
    };
    PutReplicationRefinements { refinement }
}

async fn arrived(world: &World, repository: &RepositoryAddress, image: &Pushed) -> bool {
    world.resolve(repository, image.digest.as_str()).await.is_some()
}

#[tokio::test]
async fn repositories_and_tags_are_chosen_for_each_destination() {
    let world = World::new().await;
    let registry = &world.registry;
    let (west, other) = (to(ACCOUNT, WEST), to(ACCOUNT, "eu-west-2"));
    world.rules(vec![rule(&[west.clone(), other])]).await;
    let put = refine(&west, &["prod/*", "!prod/tmp*"], &["v*", "!*-rc"]);
    registry.run(put).await.unwrap();
    let rows: [(&str, &[&str], &[&str]); 5] = [
        ("prod/app", &["v1", "latest", "v2-rc"], &["v1"]),
        ("prod/tmp/app", &["v1"], &[]),
        ("production", &["v1"], &[]),
        ("prod/web", &["latest"], &[]),
        ("prod/api", &["v1", "v2"], &["v1", "v2"]),
    ];
    for (name, tags, expected) in rows {
        let repository = registry.create(name).await;
        let image = registry.push_image(&repository, name, tags).await;
        world.drain().await;
        let copy = at(ACCOUNT, WEST, name);
        assert_eq!(arrived(&world, &copy, &image).await, !expected.is_empty(), "{name}");
        if !expected.is_empty() {
            assert_eq!(world.tags(&copy).await, expected, "{name}");
        }
        // The other destination is not refined.
        let all = world.tags(&at(ACCOUNT, "eu-west-2", name)).await;
        assert_eq!(all.len(), tags.len(), "{name}");
    }
}

#[tokio::test]
async fn what_has_no_tag_goes_with_what_it_belongs_to() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let west = to(ACCOUNT, WEST);
    world.rules(vec![rule(std::slice::from_ref(&west))]).await;
    registry.run(refine(&west, &[], &["v*"])).await.unwrap();
    let copy = at(ACCOUNT, WEST, "app");
    let config = Blob::new("one", 100);

    // Untagged, and nothing with such a tag has to do with it.
    let alone = registry.push_image(&app, "alone", &[]).await;
    let dev = registry.push_image(&app, "dev", &["dev"]).await;
    let of_dev = Pushed::referrer(&Blob::new("dev", 100), &dev, "signature");
    registry.put(&app, &of_dev, None).await.unwrap();
    // Children of an index come with it, and what refers to them.
    let one = registry.push_image(&app, "one", &[]).await;
    let of_child = Pushed::referrer(&config, &one, "sbom");
    registry.put(&app, &of_child, None).await.unwrap();
    let index = Pushed::index(&[&one]);
    registry.put(&app, &index, None).await.unwrap();
    let signature = Pushed::referrer(&config, &index, "signature");
    registry.put(&app, &signature, None).await.unwrap();
    world.drain().await;
    for image in [&alone, &dev, &of_dev, &one, &index, &signature, &of_child] {
        assert!(!arrived(&world, &copy, image).await, "{}", image.digest);
    }
    assert_eq!(world.statuses(&app, by_digest(&alone.digest)).await, Vec::<String>::new());

    registry.put(&app, &index, Some("v1")).await.unwrap();
    // Signed afterwards, and the signature signed.
    let late = Pushed::referrer(&config, &index, "late");
    registry.put(&app, &late, None).await.unwrap();
    let of_late = Pushed::referrer(&config, &late, "timestamp");
    registry.put(&app, &of_late, None).await.unwrap();
    world.drain().await;
    for image in [&one, &index, &signature, &of_child, &late, &of_late] {
        assert!(arrived(&world, &copy, image).await, "{}", image.digest);
    }
    for image in [&alone, &dev, &of_dev] {
        assert!(!arrived(&world, &copy, image).await, "{}", image.digest);
    }
    assert_eq!(world.tags(&copy).await, ["v1"]);
}

#[tokio::test]
async fn exclusions_alone_take_what_has_no_tag() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let west = to(ACCOUNT, WEST);
    world.rules(vec![rule(std::slice::from_ref(&west))]).await;
    registry.run(refine(&west, &[], &["!dev*"])).await.unwrap();
    let alone = registry.push_image(&app, "alone", &[]).await;
    let dev = registry.push_image(&app, "dev", &["dev1"]).await;
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    assert!(arrived(&world, &copy, &alone).await);
    assert!(!arrived(&world, &copy, &dev).await);
}

#[tokio::test]
async fn deletions_of_tags_that_are_not_taken_stay_here() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let west = to(ACCOUNT, WEST);
    let deleting =
        ReplicationRule { delete_replication: Some(true), ..rule(std::slice::from_ref(&west)) };
    world.rules(vec![deleting]).await;
    registry.run(refine(&west, &[], &["v*"])).await.unwrap();
    registry.push_image(&app, "one", &["v1", "v2", "dev"]).await;
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    assert_eq!(world.tags(&copy).await, ["v1", "v2"]);
    // The destination's own.
    registry.push_image(&copy, "one", &["dev"]).await;
    registry.batch_delete(&app, vec![by_tag("dev"), by_tag("v1")]).await.unwrap();
    world.drain().await;
    assert_eq!(world.tags(&copy).await, ["dev", "v2"]);
}

#[tokio::test]
async fn what_is_queued_is_held_against_younger_refinements() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let west = to(ACCOUNT, WEST);
    world.rules(vec![rule(std::slice::from_ref(&west))]).await;
    let kept = registry.push_image(&app, "kept", &["v1"]).await;
    let dropped = registry.push_image(&app, "dropped", &["dev"]).await;
    registry.run(refine(&west, &[], &["v*"])).await.unwrap();
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    assert!(arrived(&world, &copy, &kept).await);
    assert!(!arrived(&world, &copy, &dropped).await);
    assert_eq!(world.statuses(&app, by_tag("dev")).await, Vec::<String>::new());
    assert_eq!(registry.rows("SELECT id FROM replication_queue").await.len(), 0);
    // Without refinements again, a push of the tag carries it.
    registry.run(refine(&west, &[], &[])).await.unwrap();
    let moved = registry.push_image(&app, "moved", &["dev"]).await;
    world.drain().await;
    assert!(arrived(&world, &copy, &moved).await);
}

#[tokio::test]
async fn backfills_take_what_pushes_take() {
    let world = World::new().await;
    let registry = &world.registry;
    let (app, tmp) = (registry.create("prod/app").await, registry.create("tmp").await);
    let one = registry.push_image(&app, "one", &["v1", "dev"]).await;
    let child = registry.push_image(&app, "child", &[]).await;
    let alone = registry.push_image(&app, "alone", &[]).await;
    let index = Pushed::index(&[&child]);
    registry.put(&app, &index, Some("v2")).await.unwrap();
    let signature = Pushed::referrer(&Blob::new("one", 100), &one, "signature");
    registry.put(&app, &signature, None).await.unwrap();
    let other = registry.push_image(&tmp, "tmp", &["v1"]).await;
    let west = to(ACCOUNT, WEST);
    world.rules(vec![rule(std::slice::from_ref(&west))]).await;
    registry.run(refine(&west, &["prod/*"], &["v*"])).await.unwrap();
    registry.run(StartReplicationBackfill { destination: west }).await.unwrap();
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "prod/app");
    assert_eq!(world.tags(&copy).await, ["v1", "v2"]);
    for (image, expected) in
        [(&one, true), (&child, true), (&index, true), (&signature, true), (&alone, false)]
    {
        assert_eq!(arrived(&world, &copy, image).await, expected, "{}", image.digest);
    }
    assert!(!arrived(&world, &at(ACCOUNT, WEST, "tmp"), &other).await);
    // One row for each that was taken: v1, the child, v2, the signature.
    let row = "SELECT total, completed, failed FROM replication_backfills";
    assert_eq!(registry.rows(row).await, [["4", "4", "0"]]);
}

#[tokio::test]
async fn refinements_are_kept_by_destination() {
    let world = World::new().await;
    let registry = &world.registry;
    let (west, away) = (to(ACCOUNT, WEST), to(AWAY, EAST));
    world.rules(vec![rule(&[west.clone(), away.clone()])]).await;
    registry.run(refine(&west, &["a"], &[])).await.unwrap();
    registry.run(refine(&away, &[], &["b"])).await.unwrap();
    let kept = registry.run(refine(&west, &["c"], &[])).await.unwrap();
    let (_, read) = registry.run(GetReplicationRefinements).await.unwrap();
    assert_eq!(kept, read);
    let shown: Vec<_> = read
        .destinations
        .iter()
        .map(|found| (&found.destination, found.repositories.0.clone(), found.tags.0.clone()))
        .collect();
    let expected =
        [(&west, vec!["c".to_owned()], Vec::new()), (&away, Vec::new(), vec!["b".to_owned()])];
    assert_eq!(shown, expected);
    let removed = registry.run(refine(&west, &[], &[])).await.unwrap();
    assert_eq!(removed.destinations.len(), 1);
    let unknown = to(ACCOUNT, "eu-west-2");
    check_kind(registry.run(refine(&unknown, &["a"], &[])).await, ErrorKind::InvalidParameter);
    check_kind(registry.run(refine(&west, &["A"], &[])).await, ErrorKind::InvalidParameter);
    // Of a destination that left the rules, a refinement can be removed.
    world.rules(vec![rule(&[west])]).await;
    assert!(registry.run(refine(&away, &[], &[])).await.unwrap().destinations.is_empty());
}
