use serde_json::{Value, json};

use crate::registry::{ACCOUNT, NOW, Plain, Registry};

fn repository(name: &str) -> Value {
    json!({
        "repositoryArn": format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"),
        "registryId": ACCOUNT,
        "repositoryName": name,
        "repositoryUri": format!("localhost:4510/{name}"),
        "createdAt": 1_770_091_506.789,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": false},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    })
}

#[tokio::test]
async fn a_repository_is_created_described_and_deleted() {
    let registry = Registry::open().await;
    assert_eq!(NOW.epoch_seconds(), 1_770_091_506.789);
    let created = json!({"repository": repository("team/app")});
    registry
        .check("CreateRepository", json!({"repositoryName": "team/app"}), created.clone())
        .await;
    registry
        .check("DescribeRepositories", json!({}), json!({"repositories": [repository("team/app")]}))
        .await;
    registry
        .check(
            "DescribeRepositories",
            json!({"repositoryNames": ["team/app"], "registryId": ACCOUNT}),
            json!({"repositories": [repository("team/app")]}),
        )
        .await;
    registry.check("DeleteRepository", json!({"repositoryName": "team/app"}), created).await;
    registry.check("DescribeRepositories", json!({}), json!({"repositories": []})).await;
}

#[tokio::test]
async fn every_member_of_create_repository_is_honoured() {
    let registry = Registry::open().await;
    let mut expected = repository("all");
    expected["imageTagMutability"] = json!("IMMUTABLE_WITH_EXCLUSION");
    expected["imageTagMutabilityExclusionFilters"] =
        json!([{"filterType": "WILDCARD", "filter": "dev-*"}]);
    registry
        .check(
            "CreateRepository",
            json!({
                "registryId": ACCOUNT,
                "repositoryName": "all",
                "tags": [{"Key": "team", "Value": "blue"}],
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters":
                    [{"filterType": "WILDCARD", "filter": "dev-*"}],
                "imageScanningConfiguration": {},
                "encryptionConfiguration": {"encryptionType": "AES256"},
            }),
            json!({"repository": expected}),
        )
        .await;
    registry
        .check(
            "ListTagsForResource",
            json!({"resourceArn": expected["repositoryArn"]}),
            json!({"tags": [{"Key": "team", "Value": "blue"}]}),
        )
        .await;
}

#[tokio::test]
async fn what_create_repository_cannot_honour_is_refused() {
    let registry = Registry::open().await;
    let check = async |more: Value, code: &str, message: &str| {
        let mut input = json!({"repositoryName": "refused"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        registry.check_error("CreateRepository", input, code, message).await;
    };
    for kind in ["KMS", "KMS_DSSE"] {
        check(
            json!({"encryptionConfiguration": {"encryptionType": kind}}),
            "UnsupportedOperationException",
            &format!(
                "Tonnage has no KMS yet, so encryptionConfiguration.encryptionType must be AES256, \
                 not {kind}; leave encryptionConfiguration out."
            ),
        )
        .await;
    }
    check(
        json!({"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": "alias/x"}}),
        "InvalidParameterException",
        "Invalid parameter at 'kmsKey' failed to satisfy constraint: 'Member must not be set when \
         encryptionType is AES256'",
    )
    .await;
    check(
        json!({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}),
        "InvalidParameterException",
        "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: \
         'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as \
         IMMUTABLE_WITH_EXCLUSION'",
    )
    .await;
    check(
        json!({"tags": [{"Key": "aws:x", "Value": ""}]}),
        "InvalidTagParameterException",
        "Invalid tag with key 'aws:x': keys that begin with aws: are reserved.",
    )
    .await;
    registry.check("DescribeRepositories", json!({}), json!({"repositories": []})).await;
}

#[tokio::test]
async fn errors_have_the_words_of_ecr() {
    let registry = Registry::open().await;
    registry.call("CreateRepository", &json!({"repositoryName": "app"})).await;
    let check = async |name: &str, input: Value, code: &str, message: &str| {
        registry.check_error(name, input, code, message).await;
    };
    check(
        "CreateRepository",
        json!({"repositoryName": "app"}),
        "RepositoryAlreadyExistsException",
        "The repository with name 'app' already exists in the registry with id '123456789012'",
    )
    .await;
    for (name, input) in [
        ("DescribeRepositories", json!({"repositoryNames": ["app", "absent"]})),
        ("DeleteRepository", json!({"repositoryName": "absent"})),
        ("ListImages", json!({"repositoryName": "absent"})),
        ("DescribeImages", json!({"repositoryName": "absent"})),
        ("InitiateLayerUpload", json!({"repositoryName": "absent"})),
        (
            "PutImageTagMutability",
            json!({"repositoryName": "absent", "imageTagMutability": "MUTABLE"}),
        ),
    ] {
        check(
            name,
            input,
            "RepositoryNotFoundException",
            "The repository with name 'absent' does not exist in the registry with id \
             '123456789012'",
        )
        .await;
    }
    check(
        "CreateRepository",
        json!({"repositoryName": "Upper"}),
        "InvalidParameterException",
        r"Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''",
    )
    .await;
    for (name, more) in
        [("maxResults", json!({"maxResults": 5})), ("nextToken", json!({"nextToken": "x"}))]
    {
        let mut input = json!({"repositoryNames": ["app"]});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check(
            "DescribeRepositories",
            input,
            "InvalidParameterException",
            &format!(
                "Invalid parameter at '{name}' failed to satisfy constraint: 'Member must not be \
                 set together with repositoryNames'"
            ),
        )
        .await;
    }
}

#[tokio::test]
async fn tag_mutability_is_changed() {
    let registry = Registry::open().await;
    registry.call("CreateRepository", &json!({"repositoryName": "app"})).await;
    registry
        .check(
            "PutImageTagMutability",
            json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"}),
            json!({
                "registryId": ACCOUNT,
                "repositoryName": "app",
                "imageTagMutability": "IMMUTABLE",
            }),
        )
        .await;
    let filters = json!([{"filterType": "WILDCARD", "filter": "v*"}]);
    registry
        .check(
            "PutImageTagMutability",
            json!({
                "repositoryName": "app",
                "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filters,
            }),
            json!({
                "registryId": ACCOUNT,
                "repositoryName": "app",
                "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filters,
            }),
        )
        .await;
    let described = registry.call("DescribeRepositories", &json!({})).await;
    assert_eq!(described["repositories"][0]["imageTagMutability"], "MUTABLE_WITH_EXCLUSION");
    assert_eq!(described["repositories"][0]["imageTagMutabilityExclusionFilters"], filters);
}

#[tokio::test]
async fn the_uri_follows_the_host_that_the_client_used() {
    let registry = Registry::open().await;
    let check = async |host: &str, region: &str, expected: &str| {
        let input = json!({"repositoryName": "app"});
        let plain = Plain {
            host: host.to_owned(),
            region: region.to_owned(),
            ..super::operation("CreateRepository", &input)
        };
        let answer = registry.send(&plain).await;
        assert_eq!(super::document(&answer)["repository"]["repositoryUri"], expected, "{host}");
    };
    check("localhost:4510", "eu-west-1", "localhost:4510/app").await;
    check(
        "api.ecr.us-west-2.example.com",
        "us-west-2",
        "123456789012.dkr.ecr.us-west-2.example.com/app",
    )
    .await;
    check(
        "123456789012.dkr.ecr.us-east-2.example.com:8443",
        "us-east-2",
        "123456789012.dkr.ecr.us-east-2.example.com:8443/app",
    )
    .await;
}

#[tokio::test]
async fn registries_of_accounts_and_regions_are_apart() {
    let registry = Registry::open().await;
    let other = registry.create_account("210987654321").await;
    registry.call("CreateRepository", &json!({"repositoryName": "app"})).await;

    let list = super::operation("DescribeRepositories", &json!({}));
    let answer = registry.send_as(&other, &list).await;
    assert_eq!(super::document(&answer), json!({"repositories": []}));
    let elsewhere = Plain { region: "eu-west-1".to_owned(), ..list };
    let answer = registry.send(&elsewhere).await;
    assert_eq!(super::document(&answer), json!({"repositories": []}));

    registry
        .check_error_as(
            &other,
            "CreateRepository",
            json!({"repositoryName": "intruder", "registryId": ACCOUNT}),
            "AccessDeniedException",
            "User: arn:aws:iam::210987654321:root is not authorized to perform: \
             ecr:CreateRepository on resource: \
             arn:aws:ecr:us-east-1:123456789012:repository/intruder because no resource-based \
             policy allows the ecr:CreateRepository action",
        )
        .await;
}
