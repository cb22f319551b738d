use serde_json::{Value, json};

use crate::registry::Registry;

const ARN: &str = "arn:aws:ecr:us-east-1:123456789012:repository/team/app";

#[tokio::test]
async fn resource_tags_are_added_changed_and_removed() {
    let registry = Registry::open().await;
    registry.call("CreateRepository", &json!({"repositoryName": "team/app"})).await;
    let list = json!({"resourceArn": ARN});
    registry.check("ListTagsForResource", list.clone(), json!({"tags": []})).await;
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]);
    let input = json!({"resourceArn": ARN, "tags": tags});
    registry.check("TagResource", input.clone(), json!({})).await;
    registry.check("TagResource", input, json!({})).await;
    registry.check("ListTagsForResource", list.clone(), json!({"tags": tags})).await;
    let input = json!({"resourceArn": ARN, "tags": [{"Key": "a", "Value": "2"}]});
    registry.check("TagResource", input, json!({})).await;
    let input = json!({"resourceArn": ARN, "tagKeys": ["b", "absent"]});
    registry.check("UntagResource", input, json!({})).await;
    registry
        .check("ListTagsForResource", list, json!({"tags": [{"Key": "a", "Value": "2"}]}))
        .await;
}

#[tokio::test]
async fn arns_of_other_things_are_refused() {
    let registry = Registry::open().await;
    let check = async |arn: &str, code: &str, message: &str| {
        for (name, input) in [
            ("ListTagsForResource", json!({"resourceArn": arn})),
            ("TagResource", json!({"resourceArn": arn, "tags": []})),
            ("UntagResource", json!({"resourceArn": arn, "tagKeys": []})),
        ] {
            registry.check_error(name, input, code, message).await;
        }
    };
    for arn in [
        "",
        "team/app",
        "arn:aws:ecr:eu-west-1:123456789012:repository/team/app",
        "arn:aws:s3:us-east-1:123456789012:repository/team/app",
        "arn:aws:ecr:us-east-1:123456789012:registry/team/app",
        "arn:aws:ecr:us-east-1:123456789012:repository/Team",
    ] {
        check(
            arn,
            "InvalidParameterException",
            "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
        )
        .await;
    }
    check(
        ARN,
        "RepositoryNotFoundException",
        "The repository with name 'team/app' does not exist in the registry with id '123456789012'",
    )
    .await;
}

#[tokio::test]
async fn a_repository_has_at_most_50_tags() {
    let registry = Registry::open().await;
    let tags = |from: usize, to: usize| -> Vec<Value> {
        (from..to).map(|number| json!({"Key": format!("k{number}"), "Value": "v"})).collect()
    };
    let input = json!({"repositoryName": "team/app", "tags": tags(0, 50)});
    registry.call("CreateRepository", &input).await;
    const MESSAGE: &str = "A repository can have at most 50 tags.";
    let input = json!({"resourceArn": ARN, "tags": tags(50, 51)});
    registry.check_error("TagResource", input, "TooManyTagsException", MESSAGE).await;
    let input = json!({"repositoryName": "other", "tags": tags(0, 51)});
    registry.check_error("CreateRepository", input, "TooManyTagsException", MESSAGE).await;
}
