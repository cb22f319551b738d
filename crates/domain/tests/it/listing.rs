//! Listings of images: filters, and pages without gaps or duplicates while pushes go on.

use std::collections::BTreeSet;

use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::describe_images::{DescribeImages, ImageDetail};
use tonnage_domain::images::list_images::{ListImages, TagStatus};
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::names::Digest;
use tonnage_domain::pages::Page;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::repositories::list_catalog::ListCatalog;

use crate::content::{Blob, Pushed};
use crate::registry::{
    Registry, address, by_both, by_digest, by_tag, check_error, check_kind, page,
};

/// Makes `count` images: the first untagged, then with one tag, then with two, and so on.
async fn push_many(registry: &Registry, app: &RepositoryAddress, label: &str, count: usize) {
    let config = Blob::new("config", 10);
    registry.push_blob(app, &config).await.unwrap();
    for n in 0..count {
        let image = Pushed::annotated_image(&config, &[], &format!("{label}{n}"));
        registry.put(app, &image, None).await.unwrap();
        for tag in 0..n % 3 {
            registry.put(app, &image, Some(&format!("{label}{n}-{tag}"))).await.unwrap();
        }
    }
}

fn describe(status: TagStatus, after: Option<&str>, limit: u32) -> DescribeImages {
    DescribeImages {
        repository: address("app"),
        ids: vec![],
        tag_status: status,
        image_status: ImageStatusFilter::default(),
        page: page(after, limit),
    }
}

async fn identifiers(
    registry: &Registry,
    status: TagStatus,
    after: Option<&str>,
    limit: u32,
) -> Page<String> {
    let listing = ListImages {
        repository: address("app"),
        tag_status: status,
        image_status: ImageStatusFilter::default(),
        page: page(after, limit),
    };
    let page = registry.run(listing).await.unwrap();
    let text = |id: &tonnage_domain::images::ImageIdentifier| {
        let tag = id.tag.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {tag}", id.digest.as_ref().unwrap())
    };
    Page { items: page.items.iter().map(text).collect(), next: page.next }
}

/// The same listing made from the details of all images.
fn expected(images: &[ImageDetail], status: TagStatus) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for image in images {
        let digest = &image.digest;
        if image.tags.is_empty() && status != TagStatus::Tagged {
            expected.insert(format!("{digest} "));
        }
        if status != TagStatus::Untagged {
            expected.extend(image.tags.iter().map(|tag| format!("{digest} {tag}")));
        }
    }
    expected
}

#[tokio::test]
async fn filters_and_pages_agree() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push_many(&registry, &app, "image", 200).await;
    let images = registry.images(&app).await.unwrap();
    assert_eq!(images.len(), 200);
    for status in [TagStatus::Any, TagStatus::Tagged, TagStatus::Untagged] {
        let wanted: Vec<_> = images
            .iter()
            .filter(|image| match status {
                TagStatus::Any => true,
                TagStatus::Tagged => !image.tags.is_empty(),
                TagStatus::Untagged => image.tags.is_empty(),
            })
            .cloned()
            .collect();
        for limit in [1, 7, 100, 1000] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = registry.run(describe(status, after.as_deref(), limit)).await.unwrap();
                assert!(page.items.len() <= limit as usize);
                found.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, wanted, "{status:?} {limit}");

            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = identifiers(&registry, status, after.as_deref(), limit).await;
                assert!(page.items.len() <= limit as usize);
                found.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let count = found.len();
            let found: BTreeSet<_> = found.into_iter().collect();
            assert_eq!(found.len(), count, "{status:?} {limit}: duplicates");
            assert_eq!(found, expected(&images, status), "{status:?} {limit}");
        }
    }
}

#[tokio::test]
async fn a_listing_beside_pushes_misses_nothing_and_repeats_nothing() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push_many(&registry, &app, "image", 150).await;
    let before = registry.images(&app).await.unwrap();
    let (mut described, mut listed) = (Vec::new(), Vec::new());
    let (mut after, mut after_id) = (Some(None), Some(None));
    for round in 0.. {
        if let Some(position) = after {
            let page = describe(TagStatus::Any, position.as_deref(), 10);
            let page = registry.run(page).await.unwrap();
            described.extend(page.items.into_iter().map(|image| image.digest.to_string()));
            after = page.next.map(Some);
        }
        if let Some(position) = after_id {
            let ids = identifiers(&registry, TagStatus::Any, position.as_deref(), 10).await;
            listed.extend(ids.items);
            after_id = ids.next.map(Some);
        }
        if after.is_none() && after_id.is_none() {
            break;
        }
        assert!(round < 100);
        push_many(&registry, &app, &format!("round{round}-"), 2).await;
    }
    for (found, wanted) in [
        (described, before.iter().map(|image| image.digest.to_string()).collect()),
        (listed, expected(&before, TagStatus::Any)),
    ] {
        let distinct: BTreeSet<_> = found.iter().cloned().collect();
        assert_eq!(distinct.len(), found.len(), "something was listed twice");
        let missed: Vec<_> = wanted.difference(&distinct).collect();
        assert_eq!(missed, Vec::<&String>::new());
        assert!(found.len() > wanted.len(), "what was pushed meanwhile is newer");
    }
}

#[tokio::test]
async fn tags_are_listed_in_lexical_order() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push_many(&registry, &app, "image", 60).await;
    registry.push_image(&app, "case", &["Z", "a", "B", "_", "0"]).await;
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().cloned();
        let listing = ListTags { repository: app.clone(), page: page(after.as_deref(), 9) };
        let page = registry.run(listing).await.unwrap();
        found.extend(page.items.iter().map(ToString::to_string));
        assert_eq!(page.next.is_some(), page.items.len() == 9 && found.len() < 65);
        if page.next.is_none() {
            break;
        }
    }
    let mut sorted = found.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(found, sorted);
    assert_eq!(found.len(), 65);
}

#[tokio::test]
async fn images_are_described_by_name_once_each_or_not_at_all() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let one = registry.push_image(&app, "one", &["a", "b"]).await;
    let two = registry.push_image(&app, "two", &[]).await;
    let described = async |ids| -> Result<Vec<Digest>> {
        let page =
            registry.run(DescribeImages { ids, ..describe(TagStatus::Any, None, 10) }).await?;
        assert_eq!(page.next, None);
        Ok(page.items.into_iter().map(|image| image.digest).collect())
    };
    let found = described(vec![by_digest(&two.digest), by_tag("b"), by_tag("a")]).await.unwrap();
    assert_eq!(found, [two.digest.clone(), one.digest.clone()]);
    let found = described(vec![by_both(&one.digest, "a")]).await.unwrap();
    assert_eq!(found, [one.digest]);
    let message = |digest: &str, tag: &str| {
        format!(
            "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist \
             within the repository with name 'app' in the registry with id '123456789012'"
        )
    };
    let missing = described(vec![by_tag("a"), by_tag("x"), by_tag("y")]).await;
    check_error(missing, ErrorKind::ImageNotFound, &message("null", "x"));
    let wrong = described(vec![by_both(&two.digest, "a")]).await;
    check_error(wrong, ErrorKind::ImageNotFound, &message(two.digest.as_str(), "a"));
}

#[tokio::test]
async fn a_position_that_no_page_ended_at_is_refused() {
    let registry = Registry::new().await;
    registry.create("app").await;
    for after in ["x", "", "1.5", "99999999999999999999"] {
        let described = registry.run(describe(TagStatus::Any, Some(after), 10)).await;
        check_kind(described, ErrorKind::InvalidParameter);
        let tag_status = TagStatus::Any;
        let listing = ListImages {
            repository: address("app"),
            tag_status,
            image_status: ImageStatusFilter::default(),
            page: page(Some(after), 10),
        };
        check_kind(registry.run(listing).await, ErrorKind::InvalidParameter);
    }
}

#[tokio::test]
async fn the_catalog_has_what_a_principal_may_describe() {
    let registry = Registry::new().await;
    for number in 0..250 {
        registry.create(&format!("team/{number:03}")).await;
        registry.create(&format!("other/{number:03}")).await;
    }
    let allow = |resource: &str| {
        format!(
            r#"{{"Statement": [{{"Effect": "Allow", "Action": "ecr:DescribeRepositories",
                "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/{resource}"}}]}}"#
        )
    };
    for (name, resource, prefix, count) in [
        ("everything", "*", "", 500),
        ("team", "team/*", "team/", 250),
        ("one", "team/249", "team/249", 1),
        ("none", "elsewhere/*", "elsewhere/", 0),
    ] {
        let principal = registry.principal(name, &allow(resource)).await;
        for limit in [1, 7, 100, 1000] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let list = ListCatalog { page: page(after.as_deref(), limit) };
                let listed = registry.run_as(&principal, list).await.unwrap();
                assert!(listed.items.len() <= limit as usize);
                found.extend(listed.items.iter().map(ToString::to_string));
                assert!(listed.next.is_none() || listed.next == found.last().cloned());
                after = listed.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found.len(), count, "{name} in pages of {limit}");
            assert!(found.iter().all(|name| name.starts_with(prefix)) && found.is_sorted());
        }
    }
}
