//! Quotas that an operator may change.

use std::sync::Arc;

use tonnage_domain::app::Settings;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::quotas::Quotas;

use crate::content::Pushed;
use crate::pull_through::rule;
use crate::registry::{Registry, by_digest, check_error, create_repository};

async fn registry_with(quotas: Quotas) -> Registry {
    Registry::with_settings(Settings { quotas, ..Settings::default() }).await
}

#[tokio::test]
async fn a_registry_holds_so_many_repositories() {
    let quotas = Quotas { repositories_per_registry: 2, ..Quotas::ECR };
    let registry = Arc::new(registry_with(quotas).await);
    registry.create("one").await;
    let create = |name: &'static str| {
        let registry = Arc::clone(&registry);
        tokio::spawn(async move { registry.run(create_repository(name)).await })
    };
    let (left, right) = (create("two"), create("three"));
    let (left, right) = (left.await.unwrap(), right.await.unwrap());
    assert!(left.is_ok() != right.is_ok(), "both took the last place, or none: {left:?} {right:?}");
    let message = "The registry with id '123456789012' already has the maximum allowed number of \
                   repositories which is '2'";
    check_error(registry.run(create_repository("four")).await, ErrorKind::LimitExceeded, message);
    // What is there already is said first.
    let again = registry.run(create_repository("one")).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::RepositoryAlreadyExists);
}

#[tokio::test]
async fn a_repository_holds_so_many_images() {
    let registry = registry_with(Quotas { images_per_repository: 1, ..Quotas::ECR }).await;
    let app = registry.create("app").await;
    let image = registry.push_image(&app, "one", &[]).await;
    let index = Pushed::index(&[&image]);
    let message = "The repository with name 'app' in registry with id '123456789012' already has \
                   the maximum allowed number of images which is '1'";
    check_error(registry.put(&app, &index, Some("all")).await, ErrorKind::LimitExceeded, message);
    // Neither a tag nor the same image takes a place.
    registry.put(&app, &image, Some("latest")).await.unwrap();
    registry.put(&app, &image, Some("latest")).await.unwrap();
    // Each repository has its own.
    let other = registry.create("other").await;
    registry.push_image(&other, "two", &[]).await;
    registry.batch_delete(&app, vec![by_digest(&image.digest)]).await.unwrap();
    registry.push_image(&app, "three", &[]).await;
}

#[tokio::test]
async fn a_registry_holds_so_many_pull_through_cache_rules() {
    let registry = registry_with(Quotas { pull_through_cache_rules: 2, ..Quotas::ECR }).await;
    for prefix in ["one", "two"] {
        registry.run(rule(prefix, "quay.io")).await.unwrap();
    }
    let message = "The registry with id '123456789012' already has the maximum allowed number of \
                   pull through cache rules which is '2'";
    let third = registry.run(rule("three", "quay.io")).await;
    check_error(third, ErrorKind::LimitExceeded, message);
    let again = registry.run(rule("one", "quay.io")).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::PullThroughCacheRuleAlreadyExists);
}
