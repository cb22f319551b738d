//! What a cache gets again from its upstream: damaged layers, and tags that somebody wants looked after
//! now. What is told of attempts that failed, and who may pull first.

use tonnage_domain::accounts::CreateAccount;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::identities::access_keys;
use tonnage_domain::names::{AccountId, Reference};
use tonnage_domain::params;
use tonnage_domain::policies::registry_policy::PutRegistryPolicy;
use tonnage_domain::pull_through::import_image::ImportUpstreamImage;
use tonnage_domain::repositories::TagMutabilityRule;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::{AppliedFor, TemplatePrefix, TemplateSettings};

use super::World;
use crate::lifecycle::drain;
use crate::registry::{ACCOUNT, address};

#[tokio::test]
async fn damaged_layers_are_fetched_again() {
    let world = World::new().await;
    let image = world.push("app", "image", 200_000, &["v1"]);
    world.pull("quay/app", "v1").await.unwrap();
    world.upstream.release(usize::MAX);
    drain(&world.registry).await;
    for blob in image.blobs() {
        let damage = "UPDATE blobs SET damaged_at = 1 WHERE digest = $1";
        world.registry.write(&[(damage, params![blob.digest.as_str()].to_vec())]).await;
        assert_eq!(world.size("quay/app", &blob.digest).await.unwrap(), blob.bytes.len() as u64);
        assert_eq!(world.blob("quay/app", &blob.digest).await.unwrap(), blob.bytes);
    }
    let damaged = world.registry.rows("SELECT digest FROM blobs WHERE damaged_at > 0").await;
    assert_eq!(damaged, Vec::<Vec<String>>::new());
    world.registry.sweep().await;
    world.check(&["quay/app"]).await;
}

#[tokio::test]
async fn a_tag_is_looked_after_at_once_where_that_is_wanted() {
    let world = World::new().await;
    world.push("app", "first", 1_000, &["v1"]);
    world.pull("quay/app", "v1").await.unwrap();
    let second = world.push("app", "second", 1_000, &["v1"]);
    let import = |is_forced| ImportUpstreamImage {
        repository: address("quay/app"),
        reference: Reference::parse("v1").unwrap(),
        is_forced,
    };
    for (is_forced, is_second) in [(false, false), (true, true), (true, true)] {
        world.registry.run(import(is_forced)).await.unwrap();
        let found = world.registry.resolve(&address("quay/app"), "v1").await;
        assert_eq!(found == Some(second.manifest.digest.clone()), is_second, "{is_forced}");
    }
    world.check(&["quay/app"]).await;
}

#[tokio::test]
async fn an_attempt_that_failed_is_an_event() {
    let world = World::new().await;
    world.push("app", "image", 1_000, &["v1"]);
    world.pull("quay/app", "v1").await.unwrap();
    for _ in 0..2 {
        // The second time it is remembered, and nobody is asked.
        world.pull("quay/app", "v2").await.unwrap_err();
    }
    let rows = world
        .registry
        .rows("SELECT payload FROM outbox WHERE kind = 'pulled-through' ORDER BY id")
        .await;
    let events: Vec<serde_json::Value> =
        rows.iter().map(|row| serde_json::from_str(&row[0]).unwrap()).collect();
    let statuses: Vec<&str> =
        events.iter().map(|event| event["sync-status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["SUCCESS", "FAILED"]);
    let failed = &events[1];
    assert_eq!(failed["failure-code"], "ImageNotFound");
    assert_eq!(failed["image-tag"], "v2");
    assert_eq!(failed["repository-name"], "quay/app");
    assert_eq!(failed["upstream-registry-url"], "quay.io");
    assert_eq!(failed["ecr-repository-prefix"], "quay");
    assert!(failed["failure-reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert!(failed.get("image-digest").is_none() && events[0].get("failure-code").is_none());
}

#[tokio::test]
async fn another_account_pulls_first_by_the_policy_that_a_template_brings() {
    const AWAY: &str = "210987654321";
    let world = World::new().await;
    let image = world.push("app", "image", 1_000, &["v1"]);
    let (management_account, id) =
        (AccountId::parse(ACCOUNT).unwrap(), AccountId::parse(AWAY).unwrap());
    let create = CreateAccount { management_account, id, name: "away".to_owned() };
    let (_, key) = world.registry.run(create).await.unwrap();
    let away = access_keys::find_active(&world.registry.app, &key.id).await.unwrap();
    let away = away.unwrap().principal;
    let policy = |actions: &str, resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{AWAY}:root"}},"Action":[{actions}]{resource}}}]}}"#
        )
    };
    // Without a policy from a template nothing is made.
    let text = policy(
        r#""ecr:BatchImportUpstreamImage","ecr:CreateRepository""#,
        r#","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/quay/*""#,
    );
    world.registry.run(PutRegistryPolicy { text }).await.unwrap();
    let refused = world.pull_as(&away, "quay/app", "v1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AccessDenied);
    assert_eq!(world.registry.rows("SELECT name FROM repositories").await.len(), 0);
    let settings = TemplateSettings {
        description: None,
        resource_tags: Vec::new(),
        tag_mutability: TagMutabilityRule::default(),
        repository_policy: Some(policy(r#""ecr:BatchGetImage","ecr:GetDownloadUrlForLayer""#, "")),
        lifecycle_policy: None,
        applied_for: vec![AppliedFor::PullThroughCache],
        custom_role_arn: None,
    };
    let prefix = TemplatePrefix::new("quay");
    world.registry.run(CreateRepositoryCreationTemplate { prefix, settings }).await.unwrap();
    let pulled = world.pull_as(&away, "quay/app", "v1").await.unwrap();
    assert_eq!(pulled.manifest.digest, image.manifest.digest);
    // Whoever may not import causes nothing.
    let text = policy(
        r#""ecr:CreateRepository""#,
        r#","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/quay/*""#,
    );
    world.registry.run(PutRegistryPolicy { text }).await.unwrap();
    let refused = world.pull_as(&away, "quay/other", "v1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AccessDenied);
    let names = world.registry.rows("SELECT name FROM repositories").await;
    assert_eq!(names, [["quay/app"]]);
    world.check(&["quay/app"]).await;
}
