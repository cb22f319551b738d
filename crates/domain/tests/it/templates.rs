//! Which template a push gets, and what it gives.

use tonnage_domain::error::ErrorKind;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::policies::repository_policy::GetRepositoryPolicy;
use tonnage_domain::pull_time_exclusions::RegisterPullTimeUpdateExclusion;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::resource_tags::ListTagsForResource;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::{AppliedFor, TemplatePrefix, TemplateSettings};

use crate::registry::{Registry, address, check_kind, resource_tags, rule};

fn template(prefix: &str, applied_for: AppliedFor) -> CreateRepositoryCreationTemplate {
    CreateRepositoryCreationTemplate {
        prefix: TemplatePrefix::new(prefix),
        settings: TemplateSettings {
            description: None,
            resource_tags: resource_tags(&[("template", prefix)]),
            tag_mutability: rule(TagMutability::Immutable, &[]),
            repository_policy: None,
            lifecycle_policy: None,
            applied_for: vec![applied_for],
            custom_role_arn: None,
        },
    }
}

/// A push to `name` makes a repository from the template `expected`, or fails.
async fn check(registry: &Registry, name: &str, expected: Option<&str>) {
    let result = registry.initiate(&address(name)).await;
    let Some(expected) = expected else {
        return check_kind(result, ErrorKind::RepositoryNotFound);
    };
    result.unwrap();
    let tags = registry.run(ListTagsForResource { resource: address(name) }).await.unwrap();
    assert_eq!(tags, resource_tags(&[("template", expected)]), "{name}");
}

#[tokio::test]
async fn the_longest_prefix_that_applies_counts() {
    let registry = Registry::new().await;
    check(&registry, "before/any", None).await;
    for (prefix, applied_for) in [
        ("prod", AppliedFor::CreateOnPush),
        ("prod/web/", AppliedFor::CreateOnPush),
        ("prod/replica", AppliedFor::Replication),
    ] {
        registry.run(template(prefix, applied_for)).await.unwrap();
    }
    check(&registry, "prod/app", Some("prod")).await;
    check(&registry, "prod/web/app", Some("prod/web/")).await;
    check(&registry, "prod/webapp", Some("prod")).await;
    check(&registry, "prod/replica/app", Some("prod")).await;
    check(&registry, "prod", None).await;
    check(&registry, "production/app", None).await;
    registry.run(template("ROOT", AppliedFor::CreateOnPush)).await.unwrap();
    check(&registry, "prod", Some("ROOT")).await;
    check(&registry, "production/app", Some("ROOT")).await;
}

#[tokio::test]
async fn create_repository_does_not_take_a_template() {
    let registry = Registry::new().await;
    registry.run(template("ROOT", AppliedFor::CreateOnPush)).await.unwrap();
    let app = registry.create("app").await;
    let tags = registry.run(ListTagsForResource { resource: app }).await.unwrap();
    assert_eq!(tags, []);
}

#[tokio::test]
async fn the_rule_of_the_template_holds() {
    let registry = Registry::new().await;
    registry.run(template("ROOT", AppliedFor::CreateOnPush)).await.unwrap();
    registry.initiate(&address("app")).await.unwrap();
    let described = registry
        .run(tonnage_domain::repositories::describe::DescribeRepositories {
            registry_id: None,
            names: vec![address("app").name],
            page: crate::registry::page(None, 1),
        })
        .await
        .unwrap();
    let found: &TagMutabilityRule = &described.items[0].tag_mutability;
    assert_eq!(found.setting(), TagMutability::Immutable);
}

#[tokio::test]
async fn the_policy_of_the_template_holds() {
    let registry = Registry::new().await;
    let text = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:ListImages"}}"#;
    let with_policy = |prefix: &str, text: &str| {
        let mut create = template(prefix, AppliedFor::CreateOnPush);
        create.settings.repository_policy = Some(text.to_owned());
        create
    };
    registry.run(with_policy("denied", text)).await.unwrap();
    registry.run(with_policy("wrong", "{}")).await.unwrap();
    let denied = address("denied/app");
    registry.initiate(&denied).await.unwrap();
    let get = GetRepositoryPolicy { repository: denied.clone() };
    assert_eq!(registry.run(get).await.unwrap().text, text);
    check_kind(registry.tags(&denied).await, ErrorKind::AccessDenied);
    // A policy that cannot be given leaves no repository without it.
    let wrong = address("wrong/app");
    check_kind(registry.initiate(&wrong).await, ErrorKind::InvalidParameter);
    check_kind(registry.tags(&wrong).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn an_excluded_principal_leaves_no_pull_time() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.push_image(&app, "image", &["v1"]).await;
    let allow = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
    let scanner = registry.principal("scanner", allow).await;
    let principal_arn = scanner.arn.clone();
    registry.run(RegisterPullTimeUpdateExclusion { principal_arn }).await.unwrap();
    for (principal, counts) in [(&scanner, false), (&registry.root, true)] {
        let get = tonnage_domain::images::get_manifest::GetManifest {
            repository: app.clone(),
            reference: tonnage_domain::names::Reference::parse("v1").unwrap(),
            counts_as_pull: true,
        };
        registry.run_as(principal, get).await.unwrap();
        tonnage_domain::images::pulls::flush(&registry.app).await.unwrap();
        let images = registry.images(&app).await.unwrap();
        assert_eq!(images[0].last_pulled_at.is_some(), counts, "{}", principal.arn);
    }
}

#[tokio::test]
async fn the_lifecycle_policy_of_the_template_is_carried_out() {
    let registry = Registry::new().await;
    let policy = |text: &str| {
        let mut template = template("ROOT", AppliedFor::CreateOnPush);
        template.settings.lifecycle_policy = Some(text.to_owned());
        template
    };
    let refused = registry.run(policy(&"x".repeat(100))).await;
    check_kind(refused, ErrorKind::InvalidParameter);
    let text = r#"{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}"#;
    registry.run(policy(text)).await.unwrap();
    let app = address("app");
    for label in ["one", "two"] {
        registry.push_image(&app, label, &[label]).await;
        registry.clock.advance_seconds(1);
    }
    let get = GetLifecyclePolicy { repository: app.clone() };
    assert_eq!(registry.run(get).await.unwrap().text, text.replace(": ", ":").replace(", ", ","));
    crate::lifecycle::drain(&registry).await;
    assert_eq!(registry.tags(&app).await.unwrap(), ["two"]);
}
