//! Repositories that get another name, alone and while what they hold is copied.

use std::sync::Arc;
use std::time::Duration;

use tonnage_domain::error::ErrorKind;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::names::RepositoryName;
use tonnage_domain::policies::repository_policy::{GetRepositoryPolicy, SetRepositoryPolicy};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::repositories::rename::RenameRepository;
use tonnage_domain::resource_tags::{ListTagsForResource, TagResource};

use super::{AWAY, EAST, WEST, World, at, rule, to};
use crate::content::{Blob, Pushed};
use crate::registry::{ACCOUNT, address, by_digest, check_kind, resource_tags};

const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":7},"action":{"type":"expire"}}]}"#;

/// How often it is looked whether both stand still.
const LOOK_AGAIN: Duration = Duration::from_micros(200);
/// Far above what a copy takes.
const LONGEST: Duration = Duration::from_secs(60);

fn rename(name: &str, new_name: &str) -> RenameRepository {
    let new_name = RepositoryName::parse(new_name).unwrap();
    RenameRepository { repository: address(name), new_name }
}

#[tokio::test]
async fn everything_stays_with_the_repository() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("team/app").await;
    let image = registry.push_image(&app, "one", &["v1", "v2"]).await;
    let text = LIFECYCLE.to_owned();
    registry.run(PutLifecyclePolicy { repository: app.clone(), text }).await.unwrap();
    // The second account may pull by the policy.
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{AWAY}"}},"Action":"ecr:BatchGetImage"}}]}}"#
    );
    let set = SetRepositoryPolicy { repository: app.clone(), text, force: true };
    registry.run(set).await.unwrap();
    let tags = resource_tags(&[("env", "prod")]);
    registry.run(TagResource { resource: app.clone(), tags: tags.clone() }).await.unwrap();
    let upload = registry.initiate(&app).await.unwrap();
    let blob = Blob::new("late", 300);
    registry.append(&app, &upload, &blob.bytes).await.unwrap();
    // Decisions of both names are remembered.
    let pull = |repository: &RepositoryAddress| tonnage_domain::images::get_manifest::GetManifest {
        repository: repository.clone(),
        reference: tonnage_domain::names::Reference::parse("v1").unwrap(),
        counts_as_pull: false,
    };
    let new = address("platform/app");
    assert!(registry.run_as(&world.away, pull(&app)).await.is_ok());
    check_kind(registry.run_as(&world.away, pull(&new)).await, ErrorKind::AccessDenied);
    check_kind(registry.run(pull(&new)).await, ErrorKind::RepositoryNotFound);
    assert!(registry.run(pull(&app)).await.is_ok());

    let renamed = registry.run(rename("team/app", "platform/app")).await.unwrap();
    assert_eq!(renamed.address, new);
    assert_eq!(registry.run_as(&world.away, pull(&new)).await.unwrap().digest, image.digest);
    check_kind(registry.run_as(&world.away, pull(&app)).await, ErrorKind::AccessDenied);
    check_kind(registry.run(pull(&app)).await, ErrorKind::RepositoryNotFound);
    assert_eq!(world.tags(&new).await, ["v1", "v2"]);
    let policy = GetLifecyclePolicy { repository: new.clone() };
    assert!(registry.run(policy).await.is_ok());
    assert!(registry.run(GetRepositoryPolicy { repository: new.clone() }).await.is_ok());
    let listed = registry.run(ListTagsForResource { resource: new.clone() }).await.unwrap();
    assert_eq!(listed, tags);
    // An upload goes on under the new name, and only there.
    let complete = registry.complete(&app, &upload, &blob.digest, None).await;
    check_kind(complete, ErrorKind::RepositoryNotFound);
    registry.complete(&new, &upload, &blob.digest, None).await.unwrap();
    registry.check_images(&new).await;
    // A new repository under the old name has nothing of it.
    let again = registry.create("team/app").await;
    assert_eq!(world.tags(&again).await, Vec::<String>::new());
    check_kind(registry.run_as(&world.away, pull(&again)).await, ErrorKind::AccessDenied);
    let told = registry.rows("SELECT payload FROM outbox WHERE kind = 'repository-renamed'").await;
    assert_eq!(told.len(), 1);
    assert!(told[0][0].contains(r#""previous-repository-name":"team/app""#), "{told:?}");
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn names_that_are_taken_or_gone_are_refused() {
    let world = World::new().await;
    let registry = &world.registry;
    registry.create("app").await;
    registry.create("other").await;
    for (name, new_name, expected) in [
        ("app", "other", ErrorKind::RepositoryAlreadyExists),
        ("app", "app", ErrorKind::RepositoryAlreadyExists),
        ("missing", "new", ErrorKind::RepositoryNotFound),
        ("missing", "app", ErrorKind::RepositoryNotFound),
    ] {
        check_kind(registry.run(rename(name, new_name)).await, expected);
    }
    // Both demands are decided, each for its own name.
    for (document, expected) in [
        (r#""Action":["tonnage:RenameRepository","ecr:CreateRepository"],"Resource":"*""#, true),
        (r#""Action":"tonnage:RenameRepository","Resource":"*""#, false),
        (r#""Action":"ecr:CreateRepository","Resource":"*""#, false),
        (r#""Action":["tonnage:*","ecr:*"],"Resource":"arn:aws:ecr:*:*:repository/app""#, false),
    ] {
        let world = World::new().await;
        world.registry.create("app").await;
        let document = format!(r#"{{"Statement":{{"Effect":"Allow",{document}}}}}"#);
        let principal = world.registry.principal("renames", &document).await;
        let renamed = world.registry.run_as(&principal, rename("app", "new")).await;
        match expected {
            true => assert!(renamed.is_ok(), "{document}"),
            false => check_kind(renamed, ErrorKind::AccessDenied),
        }
    }
}

#[tokio::test]
async fn what_is_queued_arrives_under_the_new_name() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("prod/app").await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let before = registry.push_image(&app, "before", &["v1"]).await;
    world.drain().await;
    let queued = registry.push_image(&app, "queued", &["v2"]).await;
    registry.run(rename("prod/app", "prod/api")).await.unwrap();
    world.drain().await;
    let (old, new) = (at(ACCOUNT, WEST, "prod/app"), at(ACCOUNT, WEST, "prod/api"));
    assert_eq!(world.resolve(&old, "v1").await, Some(before.digest.clone()));
    assert_eq!(world.resolve(&old, "v2").await, None);
    assert_eq!(world.resolve(&new, "v2").await, Some(queued.digest.clone()));
    assert_eq!(world.resolve(&new, "v1").await, None);
    let complete = [format!("{WEST} {ACCOUNT} COMPLETE -")];
    let api = address("prod/api");
    assert_eq!(world.statuses(&api, by_digest(&queued.digest)).await, complete);
}

/// Renames while a copy is held at each of its points: it arrives once more under the new name, or
/// had arrived under the old one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_changes_during_a_copy_loses_nothing() {
    let mut point = 1;
    loop {
        let world = World::new().await;
        let registry = &world.registry;
        world.allow(r#""ecr:ReplicateImage","ecr:CreateRepository""#).await;
        world.rules(vec![rule(&[to(AWAY, EAST)])]).await;
        // What schedules begin with.
        world.drain().await;
        let app = registry.create("app").await;
        let (config, layer) = (Blob::new("config", 100), Blob::new("layer", 300_000));
        for blob in [&config, &layer] {
            registry.push_blob(&app, blob).await.unwrap();
        }
        let image = Pushed::image(&config, &[&layer]);
        registry.put(&app, &image, Some("v1")).await.unwrap();
        let beside = Arc::new(registry.beside(Arc::clone(&registry.metadata)).await);
        let before = registry.interposed.points();
        let pause = registry.interposed.hold_at(point);
        let renamed = async {
            pause.reached().await;
            let other = Arc::clone(&beside);
            let renaming = tokio::spawn(async move { other.run(rename("app", "api")).await });
            // It ends, or it waits for the turn of the copy that is held.
            while !(renaming.is_finished()
                || registry.interposed.writes() && beside.interposed.waits_to_write())
            {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            pause.resume();
            renaming.await.unwrap().unwrap();
        };
        let both = async { tokio::join!(world.drain(), renamed) };
        let ended = tokio::time::timeout(LONGEST, both).await;
        assert!(ended.is_ok(), "held at point {point}: the copy or the new name never ends");
        let points = registry.interposed.points() - before;
        world.registry.clock.advance_seconds(3600);
        world.drain().await;
        let mut arrived = false;
        for name in ["app", "api"] {
            let found = world.resolve(&at(AWAY, EAST, name), "v1").await;
            arrived |= found.as_ref() == Some(&image.digest);
        }
        assert!(arrived, "{point}");
        let told = world.statuses(&address("api"), by_digest(&image.digest)).await;
        assert_eq!(told, [format!("{EAST} {AWAY} COMPLETE -")], "{point}");
        assert_eq!(registry.rows("SELECT id FROM replication_queue").await.len(), 0, "{point}");
        if point + 3 >= points {
            return;
        }
        point += 1;
    }
}
