use serde_json::{Value, json};

use crate::registry::{ACCOUNT, NOW, Registry};

#[tokio::test]
async fn replication_rules_are_replaced_as_a_whole() {
    let registry = Registry::open().await;
    let described = |rules: &Value| json!({"registryId": ACCOUNT, "replicationConfiguration": {"rules": rules}});
    registry.check("DescribeRegistry", json!({}), described(&json!([]))).await;
    for rules in [
        json!([{
            "destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}],
            "repositoryFilters": [{"filter": "prod", "filterType": "PREFIX_MATCH"}],
            "deleteReplication": {"enabled": true},
        }]),
        json!([{"destinations": [{"region": "us-east-1", "registryId": "210987654321"}]}]),
        json!([]),
    ] {
        let configuration = json!({"replicationConfiguration": {"rules": rules}});
        registry.check("PutReplicationConfiguration", configuration.clone(), configuration).await;
        registry.check("DescribeRegistry", json!({}), described(&rules)).await;
    }
}

#[tokio::test]
async fn replication_that_makes_no_sense_is_refused() {
    let registry = Registry::open().await;
    let to = |region: &str| json!({"region": region, "registryId": ACCOUNT});
    let many: Vec<Value> =
        (0..26).map(|n| json!({"region": "eu-west-1", "registryId": format!("{n:012}")})).collect();
    let rule = json!({"destinations": [to("eu-west-1")]});
    for (rules, constraint) in [
        (
            json!([{"destinations": [to("us-east-1")]}]),
            "Replication destination cannot be the same as the source registry",
        ),
        (
            json!([{"destinations": [to("cn-north-1")]}]),
            "Replication destination must be in the partition of the source",
        ),
        (json!([{"destinations": []}]), "A replication rule must have at least one destination"),
        (
            json!([{"destinations": many}]),
            "A replication configuration can have at most 25 unique destinations",
        ),
        (Value::Array(vec![rule; 11]), "A replication configuration can have at most 10 rules"),
    ] {
        registry
            .check_error(
                "PutReplicationConfiguration",
                json!({"replicationConfiguration": {"rules": rules}}),
                "InvalidParameterException",
                &format!(
                    "Invalid parameter at 'replicationConfiguration' failed to satisfy constraint: \
                     '{constraint}'"
                ),
            )
            .await;
    }
}

#[tokio::test]
async fn scanning_rules_and_what_they_mean_for_a_repository() {
    let registry = Registry::open().await;
    let wildcard = |filter: &str| json!({"filter": filter, "filterType": "WILDCARD"});
    let stored = json!({"scanType": "BASIC", "rules": []});
    registry
        .check(
            "GetRegistryScanningConfiguration",
            json!({}),
            json!({"registryId": ACCOUNT, "scanningConfiguration": stored}),
        )
        .await;
    registry.call("CreateRepository", &json!({"repositoryName": "prod/app"})).await;
    registry.call("CreateRepository", &json!({"repositoryName": "own"})).await;
    registry
        .check(
            "PutImageScanningConfiguration",
            json!({"repositoryName": "own", "imageScanningConfiguration": {"scanOnPush": true}}),
            json!({
                "registryId": ACCOUNT,
                "repositoryName": "own",
                "imageScanningConfiguration": {"scanOnPush": true},
            }),
        )
        .await;
    let configuration = json!({
        "scanType": "BASIC",
        "rules": [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [wildcard("prod*")]}],
    });
    registry
        .check(
            "PutRegistryScanningConfiguration",
            configuration.clone(),
            json!({"registryScanningConfiguration": configuration}),
        )
        .await;
    let scanning = |name: &str, filters: Value| {
        json!({
            "repositoryArn": format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"),
            "repositoryName": name,
            "scanOnPush": true,
            "scanFrequency": "SCAN_ON_PUSH",
            "appliedScanFilters": filters,
        })
    };
    registry
        .check(
            "BatchGetRepositoryScanningConfiguration",
            json!({"repositoryNames": ["prod/app", "missing", "own"]}),
            json!({
                "scanningConfigurations": [
                    scanning("prod/app", json!([wildcard("prod*")])),
                    scanning("own", json!([])),
                ],
                "failures": [{
                    "repositoryName": "missing",
                    "failureCode": "REPOSITORY_NOT_FOUND",
                    "failureReason": format!(
                        "The repository with name 'missing' does not exist in the registry with \
                         id '{ACCOUNT}'"
                    ),
                }],
            }),
        )
        .await;
    registry
        .check_error(
            "PutRegistryScanningConfiguration",
            json!({
                "rules": [{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": []}],
            }),
            "InvalidParameterException",
            "Invalid parameter at 'rules' failed to satisfy constraint: 'scanFrequency \
             CONTINUOUS_SCAN is not supported for scanType BASIC'",
        )
        .await;
}

#[tokio::test]
async fn exclusions_are_registered_listed_and_deregistered() {
    let registry = Registry::open().await;
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let one = json!({"principalArn": arn("one")});
    registry
        .check_error(
            "DeregisterPullTimeUpdateExclusion",
            one.clone(),
            "ExclusionNotFoundException",
            &format!(
                "There is no pull time update exclusion for '{}' in the registry with id \
                 '{ACCOUNT}'",
                arn("one")
            ),
        )
        .await;
    for name in ["one", "two"] {
        registry
            .check(
                "RegisterPullTimeUpdateExclusion",
                json!({"principalArn": arn(name)}),
                json!({"principalArn": arn(name), "createdAt": NOW.epoch_seconds()}),
            )
            .await;
    }
    registry
        .check_error(
            "RegisterPullTimeUpdateExclusion",
            one.clone(),
            "ExclusionAlreadyExistsException",
            &format!(
                "A pull time update exclusion for '{}' already exists in the registry with id \
                 '{ACCOUNT}'",
                arn("one")
            ),
        )
        .await;
    let first = registry.call("ListPullTimeUpdateExclusions", &json!({"maxResults": 1})).await;
    assert_eq!(first["pullTimeUpdateExclusions"], json!([arn("one")]));
    let rest = json!({"maxResults": 1, "nextToken": first["nextToken"]});
    let rest_page = json!({"pullTimeUpdateExclusions": [arn("two")]});
    registry.check("ListPullTimeUpdateExclusions", rest, rest_page.clone()).await;
    registry.check("DeregisterPullTimeUpdateExclusion", one.clone(), one).await;
    registry.check("ListPullTimeUpdateExclusions", json!({}), rest_page).await;
}
