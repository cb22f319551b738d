//! Settings of repositories, where a destination is said to get them.

use tonnage_domain::error::ErrorKind;
use tonnage_domain::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};
use tonnage_domain::registries::account_settings::{AccountSettingValue, PutAccountSetting};
use tonnage_domain::replication::backfills::start_replication_backfill::StartReplicationBackfill;
use tonnage_domain::replication::list_replications::ListReplications;
use tonnage_domain::replication::refinements::{DestinationRefinement, PutReplicationRefinements};
use tonnage_domain::replication::settings::ReplicatedSetting;
use tonnage_domain::replication::{ReplicationDestination, retry::RetryReplication};
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{RepositoryAddress, TagMutability};
use tonnage_domain::resource_tags::{ListTagsForResource, TagResource, UntagResource};

use super::{AWAY, EAST, WEST, World, at, rule, to};
use crate::registry::{ACCOUNT, page, resource_tags, rule as mutability};

const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":7},"action":{"type":"expire"}}]}"#;
const OTHER_LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}"#;

fn settings(
    destination: &ReplicationDestination,
    settings: &[ReplicatedSetting],
) -> PutReplicationRefinements {
    let refinement = DestinationRefinement {
        settings: settings.iter().copied().collect(),
        ..DestinationRefinement::none(destination.clone())
    };
    PutReplicationRefinements { refinement }
}

/// What a repository is set to: lifecycle policy, policy, tags, mutability.
async fn shown(world: &World, repository: &RepositoryAddress) -> String {
    let owner = world.owner(repository);
    let mut context = world.registry.context_of(owner);
    context.region = repository.region.clone();
    let registry = &world.registry;
    let lifecycle = GetLifecyclePolicy { repository: repository.clone() };
    let lifecycle = match registry.run_in(&context, lifecycle).await {
        Ok(policy) if policy.text.contains(":7}") => "7",
        Ok(policy) if policy.text.contains(":9}") => "9",
        Ok(_) => "other",
        Err(error) if error.kind() == ErrorKind::RepositoryNotFound => return "none".to_owned(),
        Err(_) => "-",
    };
    let policy = GetRepositoryPolicy { repository: repository.clone() };
    let policy = if registry.run_in(&context, policy).await.is_ok() { "policy" } else { "-" };
    let tags = ListTagsForResource { resource: repository.clone() };
    let tags = registry.run_in(&context, tags).await.unwrap();
    let tags: Vec<_> = tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
    let describe = DescribeRepositories {
        registry_id: None,
        names: vec![repository.name.clone()],
        page: page(None, 1),
    };
    let described = registry.run_in(&context, describe).await.unwrap();
    let mutability = described.items[0].tag_mutability.setting().as_str();
    format!("{lifecycle} {policy} {} {mutability}", tags.join(","))
}

async fn set_all(world: &World, repository: &RepositoryAddress) {
    let registry = &world.registry;
    let (repository, text) = (repository.clone(), LIFECYCLE.to_owned());
    registry.run(PutLifecyclePolicy { repository: repository.clone(), text }).await.unwrap();
    let text = POLICY.to_owned();
    let set = SetRepositoryPolicy { repository: repository.clone(), text, force: true };
    registry.run(set).await.unwrap();
    let tags = resource_tags(&[("env", "prod"), ("team", "one")]);
    registry.run(TagResource { resource: repository.clone(), tags }).await.unwrap();
    let put = PutImageTagMutability {
        registry_id: None,
        name: repository.name,
        tag_mutability: mutability(TagMutability::Immutable, &[]),
    };
    registry.run(put).await.unwrap();
}

#[tokio::test]
async fn only_what_is_asked_for_is_carried() {
    for (asked, expected) in [
        (&[][..], "- -  MUTABLE"),
        (&[ReplicatedSetting::LifecyclePolicy], "7 -  MUTABLE"),
        (&[ReplicatedSetting::RepositoryPolicy], "- policy  MUTABLE"),
        (&[ReplicatedSetting::ResourceTags], "- - env=prod,team=one MUTABLE"),
        (&[ReplicatedSetting::TagMutability], "- -  IMMUTABLE"),
        (&ReplicatedSetting::ALL, "7 policy env=prod,team=one IMMUTABLE"),
    ] {
        let world = World::new().await;
        let registry = &world.registry;
        let west = to(ACCOUNT, WEST);
        world.rules(vec![rule(std::slice::from_ref(&west))]).await;
        registry.run(settings(&west, asked)).await.unwrap();
        let (app, copy) = (registry.create("app").await, at(ACCOUNT, WEST, "app"));
        // Before there is a repository nothing can be set there; its first image brings all.
        set_all(&world, &app).await;
        world.drain().await;
        assert_eq!(shown(&world, &copy).await, "none", "{asked:?}");
        registry.push_image(&app, "one", &["v1"]).await;
        world.drain().await;
        assert_eq!(shown(&world, &copy).await, expected, "{asked:?}");
        registry.delete("app", true).await.unwrap();
        let left = registry.rows("SELECT setting FROM replicated_settings").await;
        assert_eq!(left.len(), 0, "{asked:?}");
    }
}

#[tokio::test]
async fn changes_follow_and_losses_take_only_what_was_carried() {
    let world = World::new().await;
    let registry = &world.registry;
    let west = to(ACCOUNT, WEST);
    world.rules(vec![rule(std::slice::from_ref(&west))]).await;
    registry.run(settings(&west, &ReplicatedSetting::ALL)).await.unwrap();
    let (app, copy) = (registry.create("app").await, at(ACCOUNT, WEST, "app"));
    registry.push_image(&app, "one", &["v1"]).await;
    world.drain().await;
    assert_eq!(shown(&world, &copy).await, "- -  MUTABLE");
    set_all(&world, &app).await;
    world.drain().await;
    assert_eq!(shown(&world, &copy).await, "7 policy env=prod,team=one IMMUTABLE");

    // What the destination set itself stays: a tag, a policy in place of the carried one.
    let mut in_west = registry.context();
    in_west.region = copy.region.clone();
    let tags = resource_tags(&[("own", "yes"), ("team", "two")]);
    registry.run_in(&in_west, TagResource { resource: copy.clone(), tags }).await.unwrap();
    let text = OTHER_LIFECYCLE.to_owned();
    let put = PutLifecyclePolicy { repository: copy.clone(), text };
    registry.run_in(&in_west, put).await.unwrap();
    let keys = vec!["env".to_owned(), "team".to_owned()];
    registry.run(UntagResource { resource: app.clone(), keys }).await.unwrap();
    registry.run(DeleteLifecyclePolicy { repository: app.clone() }).await.unwrap();
    registry.run(DeleteRepositoryPolicy { repository: app.clone() }).await.unwrap();
    world.drain().await;
    assert_eq!(shown(&world, &copy).await, "9 - own=yes,team=two IMMUTABLE");
    // Nothing is carried on from there, and every change stands as complete.
    let statuses = "SELECT DISTINCT status FROM replicated_settings";
    assert_eq!(registry.rows(statuses).await, [["COMPLETE"]]);
}

#[tokio::test]
async fn settings_keep_their_place_among_pushes() {
    let world = World::new().await;
    let registry = &world.registry;
    let west = to(ACCOUNT, WEST);
    world.rules(vec![rule(std::slice::from_ref(&west))]).await;
    registry.run(settings(&west, &[ReplicatedSetting::TagMutability])).await.unwrap();
    let app = registry.create("app").await;
    registry.push_image(&app, "one", &["v1"]).await;
    world.drain().await;
    // The tag moves, and then tags may not move any more: both arrive.
    let two = registry.push_image(&app, "two", &["v1"]).await;
    let put = PutImageTagMutability {
        registry_id: None,
        name: app.name.clone(),
        tag_mutability: mutability(TagMutability::Immutable, &[]),
    };
    registry.run(put).await.unwrap();
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    assert_eq!(world.resolve(&copy, "v1").await, Some(two.digest));
    assert_eq!(shown(&world, &copy).await, "- -  IMMUTABLE");
}

#[tokio::test]
async fn a_backfill_brings_settings_too() {
    let world = World::new().await;
    let registry = &world.registry;
    let west = to(ACCOUNT, WEST);
    world.rules(vec![rule(std::slice::from_ref(&west))]).await;
    let app = registry.create("app").await;
    registry.push_image(&app, "one", &["v1"]).await;
    set_all(&world, &app).await;
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    assert_eq!(shown(&world, &copy).await, "- -  MUTABLE");
    registry.run(settings(&west, &[ReplicatedSetting::LifecyclePolicy])).await.unwrap();
    world.drain().await;
    assert_eq!(shown(&world, &copy).await, "- -  MUTABLE");
    registry.run(StartReplicationBackfill { destination: west }).await.unwrap();
    world.drain().await;
    assert_eq!(shown(&world, &copy).await, "7 -  MUTABLE");
}

/// What the second account's registry policy allows, and which settings arrive there.
async fn check_permission(actions: &str, expected: &str, failed: &[&str]) {
    let world = World::new().await;
    let registry = &world.registry;
    let (name, value) = ("REGISTRY_POLICY_SCOPE".to_owned(), "V2".to_owned());
    let scope = PutAccountSetting { setting: AccountSettingValue { name, value } };
    registry.run_as(&world.away, scope).await.unwrap();
    world.allow(&format!(r#""ecr:ReplicateImage","ecr:CreateRepository"{actions}"#)).await;
    let away = to(AWAY, EAST);
    world.rules(vec![rule(std::slice::from_ref(&away))]).await;
    registry.run(settings(&away, &ReplicatedSetting::ALL)).await.unwrap();
    let app = registry.create("app").await;
    set_all(&world, &app).await;
    world.drain().await;
    registry.push_image(&app, "one", &["v1"]).await;
    world.drain().await;
    let copy = at(AWAY, EAST, "app");
    assert_eq!(shown(&world, &copy).await, expected, "{actions}");
    let list = || ListReplications {
        repository: app.clone(),
        page: PageRequest { after: None, limit: 10 },
    };
    let (_, found) = registry.run(list()).await.unwrap();
    let refused: Vec<_> = found
        .iter()
        .filter(|status| status.failure_code.as_deref() == Some("AccessDenied"))
        .map(|status| status.setting.as_str())
        .collect();
    assert_eq!(refused, failed, "{actions}");
    // Once it is allowed, what failed can be queued again.
    world.allow(r#""ecr:*""#).await;
    let retry = RetryReplication { repository: None, destination: None, after: None };
    let retried = registry.run(retry).await.unwrap();
    assert_eq!((retried.settings, retried.next), (failed.len() as u64, None), "{actions}");
    world.drain().await;
    let all = "7 policy env=prod,team=one IMMUTABLE";
    assert_eq!(shown(&world, &copy).await, all, "{actions}");
}

#[tokio::test]
async fn another_account_decides_about_each_setting() {
    let all = ["lifecycle-policy", "repository-policy", "resource-tags", "tag-mutability"];
    check_permission("", "- -  MUTABLE", &all).await;
    check_permission(r#","ecr:PutLifecyclePolicy""#, "7 -  MUTABLE", &all[1..]).await;
    let tags = [all[0], all[1], all[3]];
    check_permission(r#","ecr:TagResource""#, "- - env=prod,team=one MUTABLE", &tags).await;
    let policy = [all[0], all[2], all[3]];
    check_permission(r#","ecr:SetRepositoryPolicy""#, "- policy  MUTABLE", &policy).await;
    check_permission(r#","ecr:PutImageTagMutability""#, "- -  IMMUTABLE", &all[..3]).await;
    check_permission(r#","ecr:*""#, "7 policy env=prod,team=one IMMUTABLE", &[]).await;
}

/// A source learns nothing of a repository in an account that permits nothing.
#[tokio::test]
async fn a_refusal_does_not_tell_whether_the_repository_exists() {
    for exists in [true, false] {
        let world = World::new().await;
        let registry = &world.registry;
        if exists {
            registry.run_as(&world.away, crate::registry::create_repository("app")).await.unwrap();
        }
        let away = to(AWAY, EAST);
        world.rules(vec![rule(std::slice::from_ref(&away))]).await;
        registry.run(settings(&away, &ReplicatedSetting::ALL)).await.unwrap();
        let app = registry.create("app").await;
        set_all(&world, &app).await;
        world.drain().await;
        let told = registry.rows("SELECT setting, status, failure_code FROM replicated_settings");
        let mut told = told.await;
        told.sort();
        let expected: Vec<Vec<String>> = ReplicatedSetting::ALL
            .iter()
            .map(|setting| [setting.as_str(), "FAILED", "AccessDenied"].map(str::to_owned).to_vec())
            .collect();
        assert_eq!(told, expected, "{exists}");
    }
}
