//! What arrives, and what does not.

use tonnage_domain::app::Settings;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::list_image_referrers::ListImageReferrers;
use tonnage_domain::registries::account_settings::{AccountSettingValue, PutAccountSetting};
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::{
    ReplicationConfiguration, ReplicationDestination, ReplicationRule,
};
use tonnage_domain::repositories::TagMutability;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::{AppliedFor, TemplatePrefix, TemplateSettings};

use super::{AWAY, EAST, WEST, World, at, rule, to};
use crate::content::{Blob, Pushed};
use crate::registry::{ACCOUNT, by_digest, by_tag, create_repository, rule as mutability};

const BOTH: &str = r#""ecr:ReplicateImage","ecr:CreateRepository""#;

#[tokio::test]
async fn an_image_arrives_in_other_regions_and_accounts() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)]), rule(&[to(AWAY, EAST)])]).await;
    world.allow(BOTH).await;
    let (config, large) = (Blob::new("config", 100), Blob::new("large", 2_500_000));
    for blob in [&config, &large] {
        registry.push_blob(&app, blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[&large]);
    registry.put(&app, &image, Some("v1")).await.unwrap();
    let in_progress =
        [format!("{WEST} {ACCOUNT} IN_PROGRESS -"), format!("{EAST} {AWAY} IN_PROGRESS -")];
    assert_eq!(world.statuses(&app, by_tag("v1")).await, in_progress);
    world.drain().await;
    for copy in [at(ACCOUNT, WEST, "app"), at(AWAY, EAST, "app")] {
        assert_eq!(world.resolve(&copy, "v1").await.as_ref(), Some(&image.digest), "{copy:?}");
    }
    let complete = [format!("{WEST} {ACCOUNT} COMPLETE -"), format!("{EAST} {AWAY} COMPLETE -")];
    assert_eq!(world.statuses(&app, by_digest(&image.digest)).await, complete);
    // One object for each account, whatever the number of repositories.
    assert_eq!(registry.objects_present().len(), 2);
    let told = registry.rows("SELECT payload FROM outbox WHERE kind = 'image-replicated'").await;
    assert_eq!(told.len(), 2);
    for payload in told.iter().flatten() {
        let detail: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert_eq!(detail["result"], "SUCCESS");
        assert_eq!(detail["action-type"], "REPLICATE");
        assert_eq!(detail["repository-name"], "app");
        assert_eq!(detail["image-digest"], image.digest.as_str());
        assert_eq!(detail["image-tag"], "v1");
        assert_eq!(
            (&detail["source-account"], &detail["source-region"]),
            (&ACCOUNT.into(), &EAST.into())
        );
    }
    assert_eq!(registry.rows("SELECT id FROM replication_queue").await.len(), 0);
}

#[tokio::test]
async fn rules_choose_by_prefixes_of_text() {
    let world = World::new().await;
    let prefixed = |prefixes: &[&str], region: &str| ReplicationRule {
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        ..rule(&[to(ACCOUNT, region)])
    };
    world
        .rules(vec![prefixed(&["prod", "base/"], WEST), prefixed(&["prod/web"], "eu-west-2")])
        .await;
    let rows: [(&str, &[&str]); 6] = [
        ("prod", &[WEST]),
        ("production/app", &[WEST]),
        ("prod/web", &[WEST, "eu-west-2"]),
        ("base/os", &[WEST]),
        ("base", &[]),
        ("my/prod", &[]),
    ];
    for (name, expected) in rows {
        let repository = world.registry.create(name).await;
        world.registry.push_image(&repository, name, &["v1"]).await;
        world.drain().await;
        for region in [WEST, "eu-west-2"] {
            let found = world.resolve(&at(ACCOUNT, region, name), "v1").await;
            assert_eq!(found.is_some(), expected.contains(&region), "{name} in {region}");
        }
    }
}

#[tokio::test]
async fn indexes_come_with_their_children_and_referrers_like_images() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.allow(BOTH).await;
    // The children are there before the rules, so they come only because the index needs them.
    let one = registry.push_image(&app, "one", &[]).await;
    let two = registry.push_image(&app, "two", &["child"]).await;
    let inner = Pushed::index(&[&one, &two]);
    registry.put(&app, &inner, None).await.unwrap();
    world.rules(vec![rule(&[to(ACCOUNT, WEST), to(AWAY, EAST)])]).await;
    let index = Pushed::index(&[&inner, &two]);
    registry.put(&app, &index, Some("all")).await.unwrap();
    let signature = Pushed::referrer(&Blob::new("one", 100), &index, "signature");
    registry.put(&app, &signature, None).await.unwrap();
    world.drain().await;
    for copy in [at(ACCOUNT, WEST, "app"), at(AWAY, EAST, "app")] {
        assert_eq!(world.resolve(&copy, "all").await.as_ref(), Some(&index.digest));
        for image in [&one, &two, &inner] {
            let found = world.resolve(&copy, image.digest.as_str()).await;
            assert_eq!(found.as_ref(), Some(&image.digest));
        }
        // A child is carried without its tags.
        assert_eq!(world.tags(&copy).await, ["all"]);
        let referrers = ListImageReferrers {
            repository: copy.clone(),
            subject: index.digest.clone(),
            artifact_types: Vec::new(),
            artifact_status: ImageStatusFilter::default(),
            page: crate::registry::page(None, 10),
        };
        let found = registry.run_as(world.owner(&copy), referrers).await.unwrap();
        assert_eq!(found.items.len(), 1);
        assert_eq!(found.items[0].digest, signature.digest);
    }
}

#[tokio::test]
async fn the_newest_tag_wins_whatever_the_order_of_the_copies() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let old = registry.push_image(&app, "old", &["latest"]).await;
    let new = registry.push_image(&app, "new", &["latest"]).await;
    let copy = at(ACCOUNT, WEST, "app");
    world.drain().await;
    assert_eq!(world.resolve(&copy, "latest").await.as_ref(), Some(&new.digest));
    assert!(world.resolve(&copy, old.digest.as_str()).await.is_some());
    let moved = registry.rows(
        "SELECT tag FROM tag_history JOIN repositories ON repositories.id = tag_history.repository_id \
         JOIN registries ON registries.id = repositories.registry_id WHERE registries.region = 'eu-west-1'",
    );
    assert_eq!(moved.await.len(), 1, "the tag never named the old image there");
    registry.put(&app, &old, Some("latest")).await.unwrap();
    world.drain().await;
    assert_eq!(world.resolve(&copy, "latest").await.as_ref(), Some(&old.digest));
}

#[tokio::test]
async fn a_tag_that_may_not_move_stays_and_the_image_comes_without() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let template = CreateRepositoryCreationTemplate {
        prefix: TemplatePrefix::new("ROOT"),
        settings: TemplateSettings {
            description: None,
            resource_tags: Vec::new(),
            tag_mutability: mutability(TagMutability::Immutable, &[]),
            repository_policy: None,
            lifecycle_policy: None,
            applied_for: vec![AppliedFor::Replication],
            custom_role_arn: None,
        },
    };
    let mut in_west = registry.context();
    in_west.region = at(ACCOUNT, WEST, "app").region;
    registry.run_in(&in_west, template).await.unwrap();
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let first = registry.push_image(&app, "first", &["v1"]).await;
    world.drain().await;
    let second = registry.push_image(&app, "second", &["v1"]).await;
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    assert_eq!(world.resolve(&copy, "v1").await.as_ref(), Some(&first.digest));
    assert!(world.resolve(&copy, second.digest.as_str()).await.is_some());
    let complete = [format!("{WEST} {ACCOUNT} COMPLETE -")];
    assert_eq!(world.statuses(&app, by_tag("v1")).await, complete);
}

#[tokio::test]
async fn nothing_goes_on_from_a_copy_or_comes_from_before_the_rules() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    registry.push_image(&app, "before", &["before"]).await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let mut in_west = registry.context();
    in_west.region = at(ACCOUNT, WEST, "app").region;
    let rules = vec![rule(&[to(ACCOUNT, EAST), to(ACCOUNT, "eu-west-2")])];
    let configuration = ReplicationConfiguration { rules };
    registry.run_in(&in_west, PutReplicationConfiguration { configuration }).await.unwrap();
    registry.push_image(&app, "after", &["after"]).await;
    world.drain().await;
    assert_eq!(world.tags(&at(ACCOUNT, WEST, "app")).await, ["after"]);
    assert_eq!(world.resolve(&at(ACCOUNT, "eu-west-2", "app"), "after").await, None);
    assert_eq!(world.statuses(&app, by_tag("before")).await, Vec::<String>::new());
}

/// Deletes these of `a`, `b` (one image) and `c` (another), and what the copy has then.
async fn check_deletion(
    deletions: Option<bool>,
    deleted: &[&str],
    images: bool,
    expected: &[&str],
) {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let destination: ReplicationDestination = to(ACCOUNT, WEST);
    world
        .rules(vec![ReplicationRule { delete_replication: deletions, ..rule(&[destination]) }])
        .await;
    let first = registry.push_image(&app, "first", &["a", "b"]).await;
    let second = registry.push_image(&app, "second", &["c"]).await;
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    assert_eq!(world.tags(&copy).await, ["a", "b", "c"]);
    let id = |tag: &str| match (images, tag) {
        (false, tag) => by_tag(tag),
        (true, "c") => by_digest(&second.digest),
        (true, _) => by_digest(&first.digest),
    };
    registry.batch_delete(&app, deleted.iter().map(|tag| id(tag)).collect()).await.unwrap();
    world.drain().await;
    let at = format!("{deletions:?} {deleted:?} {images}");
    assert_eq!(world.tags(&copy).await, expected, "{at}");
    for (image, tags) in [(&first, ["a", "b"].as_slice()), (&second, &["c"])] {
        let is_kept = world.resolve(&copy, image.digest.as_str()).await.is_some();
        assert_eq!(is_kept, tags.iter().any(|tag| expected.contains(tag)), "{at}");
    }
}

#[tokio::test]
async fn deletions_are_carried_where_a_rule_says_so() {
    check_deletion(None, &["a", "c"], true, &["a", "b", "c"]).await;
    check_deletion(Some(false), &["a"], false, &["a", "b", "c"]).await;
    check_deletion(Some(true), &["a"], false, &["b", "c"]).await;
    check_deletion(Some(true), &["a", "b"], false, &["c"]).await;
    check_deletion(Some(true), &["a"], true, &["c"]).await;
    check_deletion(Some(true), &["a", "c"], true, &[]).await;
}

#[tokio::test]
async fn a_deletion_takes_only_what_came_from_there() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    let deleting = ReplicationRule { delete_replication: Some(true), ..rule(&[to(ACCOUNT, WEST)]) };
    world.rules(vec![deleting]).await;
    registry.push_image(&app, "first", &["v1"]).await;
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    // The destination's own use of the tag.
    let own = registry.push_image(&copy, "own", &["v1"]).await;
    registry.batch_delete(&app, vec![by_tag("v1")]).await.unwrap();
    world.drain().await;
    assert_eq!(world.resolve(&copy, "v1").await.as_ref(), Some(&own.digest));
    // Pushed again before the deletion arrives.
    let again = registry.push_image(&app, "again", &["v2"]).await;
    world.drain().await;
    registry.batch_delete(&app, vec![by_tag("v2")]).await.unwrap();
    registry.push_image(&app, "again", &["v2"]).await;
    world.drain().await;
    assert_eq!(world.resolve(&copy, "v2").await.as_ref(), Some(&again.digest));
}

#[tokio::test]
async fn what_is_gone_before_it_is_copied_is_no_failure() {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    registry.push_image(&app, "first", &["v1"]).await;
    registry.batch_delete(&app, vec![by_tag("v1")]).await.unwrap();
    world.drain().await;
    assert_eq!(registry.rows("SELECT id FROM replication_queue").await.len(), 0);
    registry.push_image(&app, "second", &["v2"]).await;
    registry.delete("app", true).await.unwrap();
    world.drain().await;
    assert_eq!(registry.rows("SELECT id FROM replication_queue").await.len(), 0);
    assert_eq!(world.resolve(&at(ACCOUNT, WEST, "app"), "v2").await, None);
}

/// An image in the second account, with what its registry policy allows.
async fn check_permission(actions: Option<&str>, exists: bool, expected: &str) {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(AWAY, EAST)])]).await;
    if let Some(actions) = actions {
        world.allow(actions).await;
    }
    if exists {
        let create: CreateRepository = create_repository("app");
        registry.run_as(&world.away, create).await.unwrap();
    }
    registry.push_image(&app, "first", &["v1"]).await;
    world.drain().await;
    let told = world.statuses(&app, by_tag("v1")).await;
    assert_eq!(told, [format!("{EAST} {AWAY} {expected}")], "{actions:?} {exists}");
    let arrived = world.resolve(&at(AWAY, EAST, "app"), "v1").await.is_some();
    assert_eq!(arrived, expected.starts_with("COMPLETE"), "{actions:?} {exists}");
    let failed = registry.rows(
        "SELECT payload FROM outbox WHERE kind = 'image-replicated' AND payload LIKE '%FAILED%'",
    );
    let has_registry = exists || actions.is_some();
    let expected = usize::from(!arrived && has_registry);
    assert_eq!(failed.await.len(), expected, "{actions:?} {exists}");
}

#[tokio::test]
async fn the_destination_decides_what_comes_from_other_accounts() {
    let only_images = Some(r#""ecr:ReplicateImage""#);
    check_permission(None, true, "FAILED AccessDenied").await;
    check_permission(None, false, "FAILED AccessDenied").await;
    check_permission(only_images, false, "FAILED AccessDenied").await;
    check_permission(only_images, true, "COMPLETE -").await;
    check_permission(Some(BOTH), false, "COMPLETE -").await;
    check_permission(Some(r#""ecr:CreateRepository""#), true, "FAILED AccessDenied").await;
}

#[tokio::test]
async fn an_account_that_is_not_there_is_told() {
    let world = World::new().await;
    let app = world.registry.create("app").await;
    world.rules(vec![rule(&[to("333333333333", EAST)])]).await;
    world.registry.push_image(&app, "first", &["v1"]).await;
    world.drain().await;
    let expected = [format!("{EAST} 333333333333 FAILED RegistryNotFound")];
    assert_eq!(world.statuses(&app, by_tag("v1")).await, expected);
}

#[tokio::test]
async fn deletions_in_another_account_need_its_permission_for_them() {
    for (actions, expected) in [
        (BOTH.to_owned(), vec!["v1".to_owned()]),
        (format!(r#"{BOTH},"ecr:BatchDeleteImage""#), Vec::new()),
    ] {
        let world = World::new().await;
        let registry = &world.registry;
        let app = registry.create("app").await;
        let (name, value) = ("REGISTRY_POLICY_SCOPE".to_owned(), "V2".to_owned());
        let scope = PutAccountSetting { setting: AccountSettingValue { name, value } };
        registry.run_as(&world.away, scope).await.unwrap();
        world.allow(&actions).await;
        let deleting =
            ReplicationRule { delete_replication: Some(true), ..rule(&[to(AWAY, EAST)]) };
        world.rules(vec![deleting]).await;
        registry.push_image(&app, "first", &["v1"]).await;
        world.drain().await;
        let delete = BatchDeleteImage { repository: app, ids: vec![by_tag("v1")] };
        registry.run(delete).await.unwrap();
        world.drain().await;
        assert_eq!(world.tags(&at(AWAY, EAST, "app")).await, expected, "{actions}");
    }
}

/// Sealed layers are not hashed on their way, plain ones are; neither is passed on with a wrong byte.
#[tokio::test]
async fn a_damaged_layer_is_not_copied() {
    for encrypt_at_rest in [true, false] {
        let world = World::with_settings(Settings { encrypt_at_rest, ..Settings::default() }).await;
        let registry = &world.registry;
        let app = registry.create("app").await;
        world.rules(vec![rule(&[to(AWAY, EAST)])]).await;
        world.allow(BOTH).await;
        let (config, large) = (Blob::new("config", 100), Blob::new("large", 2_500_000));
        for blob in [&config, &large] {
            registry.push_blob(&app, blob).await.unwrap();
        }
        let object = registry.object_file(registry.objects_present().first().unwrap());
        let mut bytes = std::fs::read(&object).unwrap();
        bytes[2_000_000] ^= 1;
        std::fs::write(&object, &bytes).unwrap();
        let image = Pushed::image(&config, &[&large]);
        registry.put(&app, &image, Some("v1")).await.unwrap();
        world.drain().await;
        let copy = at(AWAY, EAST, "app");
        assert_eq!(world.resolve(&copy, "v1").await, None, "sealed: {encrypt_at_rest}");

        bytes[2_000_000] ^= 1;
        std::fs::write(&object, &bytes).unwrap();
        registry.clock.advance_seconds(3_600);
        world.drain().await;
        let arrived = world.resolve(&copy, "v1").await;
        assert_eq!(arrived.as_ref(), Some(&image.digest), "sealed: {encrypt_at_rest}");
        registry.check_no_orphans().await;
    }
}
