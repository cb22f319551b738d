//! Tags of repositories: limits, merging, messages, and the ARNs that name a repository.

use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::resource_tags::{
    ListTagsForResource, ResourceTag, TagResource, UntagResource, parse_resource_arn,
};

use crate::registry::{
    Registry, address, check_error, check_kind, create_repository, resource_tags,
};

async fn tag(registry: &Registry, tags: Vec<ResourceTag>) -> Result<()> {
    registry.run(TagResource { resource: address("app"), tags }).await
}

async fn listed(registry: &Registry) -> Vec<ResourceTag> {
    registry.run(ListTagsForResource { resource: address("app") }).await.unwrap()
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<ResourceTag> {
    let tag = |n| ResourceTag { key: format!("key{n:03}"), value: String::new() };
    numbers.map(tag).collect()
}

#[tokio::test]
async fn tags_are_merged_and_removed() {
    let registry = Registry::new().await;
    registry.create("app").await;
    tag(&registry, resource_tags(&[("b", "1"), ("a", "")])).await.unwrap();
    tag(&registry, resource_tags(&[("b", "2"), ("c", "3")])).await.unwrap();
    assert_eq!(listed(&registry).await, resource_tags(&[("a", ""), ("b", "2"), ("c", "3")]));
    let keys = vec!["a".to_owned(), "unknown".to_owned()];
    for _ in 0..2 {
        let untag = UntagResource { resource: address("app"), keys: keys.clone() };
        registry.run(untag).await.unwrap();
    }
    assert_eq!(listed(&registry).await, resource_tags(&[("b", "2"), ("c", "3")]));
}

#[tokio::test]
async fn a_repository_has_at_most_fifty_tags() {
    const MESSAGE: &str = "A repository can have at most 50 tags.";
    let registry = Registry::new().await;
    registry.create("app").await;
    tag(&registry, numbered(0..49)).await.unwrap();
    check_error(tag(&registry, numbered(48..51)).await, ErrorKind::TooManyTags, MESSAGE);
    assert_eq!(listed(&registry).await, numbered(0..49), "a refused call adds nothing");
    tag(&registry, numbered(48..50)).await.unwrap();
    check_error(tag(&registry, numbered(50..51)).await, ErrorKind::TooManyTags, MESSAGE);
    tag(&registry, numbered(0..50)).await.unwrap();
    let create = CreateRepository { tags: numbered(0..51), ..create_repository("other") };
    check_error(registry.run(create).await, ErrorKind::TooManyTags, MESSAGE);
    let missing = ListTagsForResource { resource: address("other") };
    check_kind(registry.run(missing).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn a_tag_that_aws_would_refuse_is_refused() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let (key, value) = ("k".repeat(128), "v".repeat(256));
    tag(&registry, resource_tags(&[(&key, &value), ("ключ 1", "_.:/=+-@")])).await.unwrap();
    let stored = listed(&registry).await;

    let long_key = "k".repeat(129);
    let long_value = "v".repeat(257);
    let check = async |tags: &[(&str, &str)], key: &str, problem: &str| {
        let message = format!("Invalid tag with key '{key}': {problem}.");
        let tags = resource_tags(tags);
        let kind = ErrorKind::InvalidTagParameter;
        check_error(tag(&registry, tags.clone()).await, kind, &message);
        let create = CreateRepository { tags, ..create_repository("other") };
        check_error(registry.run(create).await, kind, &message);
    };
    let characters = "keys and values have letters, digits, spaces and _ . : / = + - @";
    let reserved = "keys that begin with aws: are reserved";
    check(&[("", "x")], "", "a key has 1 to 128 characters").await;
    check(&[(&long_key, "x")], &long_key, "a key has 1 to 128 characters").await;
    check(&[("k", &long_value)], "k", "a value has at most 256 characters").await;
    check(&[("aws:cost", "x")], "aws:cost", reserved).await;
    check(&[("AWS:cost", "x")], "AWS:cost", reserved).await;
    check(&[("a", "1"), ("a", "2")], "a", "every key appears once").await;
    check(&[("ok", "1"), ("a*", "2")], "a*", characters).await;
    check(&[("a", "new\nline")], "a", characters).await;
    check(&[("a", "nul\0")], "a", characters).await;
    assert_eq!(listed(&registry).await, stored);
}

#[tokio::test]
async fn a_resource_is_a_repository_of_the_addressed_region() {
    let registry = Registry::new().await;
    let context = registry.context();
    let named =
        parse_resource_arn(&context, "arn:aws:ecr:us-east-1:123456789012:repository/team/app");
    assert_eq!(named.unwrap(), address("team/app"));
    for arn in [
        "",
        "app",
        "arn:aws:ecr:us-east-1:123456789012:repository/",
        "arn:aws:ecr:us-east-1:123456789012:repository/App",
        "arn:aws:ecr:us-east-1:123456789012:app",
        "arn:aws:ecr:eu-west-1:123456789012:repository/app",
        "arn:aws:ecr:us-east-1:12345678901:repository/app",
        "arn:aws:ecr:us-east-1::repository/app",
        "arn:aws-cn:ecr:us-east-1:123456789012:repository/app",
        "arn:aws:ecr-public:us-east-1:123456789012:repository/app",
        "arn:aws:s3:us-east-1:123456789012:repository/app",
    ] {
        check_error(
            parse_resource_arn(&context, arn),
            ErrorKind::InvalidParameter,
            "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
        );
    }
}
