//! Repositories: create, describe, delete, in ECR's words.

use tonnage_domain::error::ErrorKind;
use tonnage_domain::names::{AccountId, RepositoryName};
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::resource_tags::ListTagsForResource;

use crate::content::Blob;
use crate::registry::{
    Registry, START, address, by_digest, check_error, check_kind, create_repository, page,
    resource_tags, rule,
};

fn describe(names: &[&str], after: Option<&str>, limit: u32) -> DescribeRepositories {
    let names = names.iter().map(|name| RepositoryName::parse(name).unwrap()).collect();
    DescribeRepositories { registry_id: None, names, page: page(after, limit) }
}

#[tokio::test]
async fn a_repository_is_as_it_was_created() {
    let registry = Registry::new().await;
    let exclusions = rule(TagMutability::ImmutableWithExclusion, &["latest", "dev-*"]);
    let tags = resource_tags(&[("env", "prod")]);
    let created = registry
        .run(CreateRepository {
            tags: tags.clone(),
            tag_mutability: exclusions.clone(),
            ..create_repository("team/app")
        })
        .await
        .unwrap();
    assert_eq!(created.arn_text(), "arn:aws:ecr:us-east-1:123456789012:repository/team/app");
    assert_eq!((created.created_at, &created.tag_mutability), (START, &exclusions));
    let described = registry.run(describe(&["team/app"], None, 100)).await.unwrap();
    assert_eq!((described.items, described.next), (vec![created], None));
    let listed = registry.run(ListTagsForResource { resource: address("team/app") }).await;
    assert_eq!(listed.unwrap(), tags);
}

trait ArnText {
    fn arn_text(&self) -> String;
}

impl ArnText for tonnage_domain::repositories::Repository {
    fn arn_text(&self) -> String {
        self.address.arn()
    }
}

#[tokio::test]
async fn creating_twice_is_refused_and_changes_nothing() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let again = CreateRepository {
        tags: resource_tags(&[("env", "prod")]),
        tag_mutability: rule(TagMutability::Immutable, &[]),
        ..create_repository("app")
    };
    check_error(
        registry.run(again).await,
        ErrorKind::RepositoryAlreadyExists,
        "The repository with name 'app' already exists in the registry with id '123456789012'",
    );
    let described = registry.run(describe(&["app"], None, 100)).await.unwrap();
    assert_eq!(described.items[0].tag_mutability, TagMutabilityRule::default());
    let listed = registry.run(ListTagsForResource { resource: address("app") }).await;
    assert_eq!(listed.unwrap(), []);
}

#[tokio::test]
async fn the_switch_for_scanning_is_kept() {
    let registry = Registry::new().await;
    let scanning = CreateRepository { scan_on_push: true, ..create_repository("app") };
    assert!(registry.run(scanning).await.unwrap().scan_on_push);
    let described = registry.run(describe(&["app"], None, 1)).await.unwrap();
    assert!(described.items[0].scan_on_push);
}

const MISSING: &str =
    "The repository with name 'missing' does not exist in the registry with id '123456789012'";

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let missing = address("missing");
    let kind = ErrorKind::RepositoryNotFound;
    check_error(registry.run(describe(&["missing"], None, 1)).await, kind, MISSING);
    check_error(registry.run(describe(&["app", "missing"], None, 1)).await, kind, MISSING);
    check_error(registry.delete("missing", true).await, kind, MISSING);
    check_error(registry.initiate(&missing).await, kind, MISSING);
    check_error(registry.images(&missing).await, kind, MISSING);
    check_error(registry.tags(&missing).await, kind, MISSING);
    check_error(registry.manifest(&missing, "v1").await, kind, MISSING);
    check_error(registry.batch_delete(&missing, vec![]).await, kind, MISSING);
    check_error(registry.blob(&missing, &Blob::new("a", 1).digest).await, kind, MISSING);
}

#[tokio::test]
async fn a_repository_with_images_goes_by_force_only() {
    let registry = Registry::new().await;
    let app = registry.create("team/app").await;
    let image = registry.push_image(&app, "one", &[]).await;
    check_error(
        registry.delete("team/app", false).await,
        ErrorKind::RepositoryNotEmpty,
        "The repository with name 'team/app' in registry with id '123456789012' cannot be deleted \
         because it still contains images",
    );
    registry.check_images(&app).await;
    registry.delete("team/app", true).await.unwrap();
    check_kind(registry.images(&app).await, ErrorKind::RepositoryNotFound);

    registry.create("team/app").await;
    assert_eq!(registry.images(&app).await.unwrap(), [], "another repository under the name");
    let missing = registry.blob(&app, &Blob::new("one", 100).digest).await;
    check_kind(missing, ErrorKind::BlobNotFound);
    registry.push_image(&app, "one", &["v1"]).await;
    registry.batch_delete(&app, vec![by_digest(&image.digest)]).await.unwrap();
    registry.delete("team/app", false).await.unwrap();
}

#[tokio::test]
async fn an_upload_does_not_outlive_its_repository() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let blob = Blob::new("large", 300_000);
    let upload = registry.initiate(&app).await.unwrap();
    registry.append(&app, &upload, &blob.bytes).await.unwrap();
    registry.delete("app", false).await.unwrap();
    registry.create("app").await;
    let finished = registry.complete(&app, &upload, &blob.digest, None).await;
    check_kind(finished, ErrorKind::UploadNotFound);
    registry.sweep().await;
    assert!(registry.objects_present().is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_by_name() {
    let registry = Registry::new().await;
    let mut names: Vec<String> = (0..25).map(|n| format!("app-{}/part{n}", n % 4)).collect();
    for name in &names {
        registry.create(name).await;
    }
    names.sort();
    for limit in [1, 4, 24, 25, 26, 1000] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = registry.run(describe(&[], after.as_deref(), limit)).await.unwrap();
            assert!(page.items.len() <= limit as usize);
            found.extend(page.items.iter().map(|item| item.address.name.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, names, "{limit} per page");
    }
}

#[tokio::test]
async fn registries_of_other_accounts_and_regions_are_apart() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let mut elsewhere = registry.context();
    elsewhere.region = tonnage_domain::names::Region::parse("eu-west-1").unwrap();
    let found = registry.run_in(&elsewhere, describe(&[], None, 100)).await.unwrap();
    assert_eq!(found.items, []);
    let created = registry.run_in(&elsewhere, create_repository("app")).await.unwrap();
    assert_eq!(created.arn_text(), "arn:aws:ecr:eu-west-1:123456789012:repository/app");
    let registry_id = Some(AccountId::parse("210987654321").unwrap());
    let foreign = CreateRepository { registry_id, ..create_repository("app") };
    check_kind(registry.run(foreign).await, ErrorKind::AccessDenied);
}
