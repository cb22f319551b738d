//! Pull through cache rules on the wire.

use serde_json::{Value, json};
use tonnage_domain::app::Settings;
use tonnage_domain::pull_through::settings::UpstreamSettings;

use super::operation;
use crate::registry::{ACCOUNT, NOW, Registry};

fn settings() -> Settings {
    let upstreams = UpstreamSettings {
        hosts: ["harbor.example.com".to_owned()].into(),
        locations: [(
            "123456789012.dkr.ecr.eu-west-1.registry.example".to_owned(),
            "http://127.0.0.1:4510".to_owned(),
        )]
        .into(),
    };
    Settings { upstreams, ..Settings::default() }
}

/// `members` with the registry and these of the times.
fn answer(members: &Value, times: &[&str]) -> Value {
    let mut answer = members.clone();
    answer["registryId"] = json!(ACCOUNT);
    for time in times {
        answer[*time] = json!(NOW.epoch_seconds());
    }
    answer
}

fn without(members: &Value, names: &[&str]) -> Value {
    let mut members = members.clone();
    for name in names {
        members.as_object_mut().unwrap().remove(*name);
    }
    members
}

#[tokio::test]
async fn every_member_comes_back_as_it_was_given() {
    let registry = Registry::open_with(settings(), |_| {}).await;
    let role = format!("arn:aws:iam::{ACCOUNT}:role/upstream");
    let ecr = "123456789012.dkr.ecr.eu-west-1.registry.example";
    let rows = [
        (
            json!({ "ecrRepositoryPrefix": "ecr-public", "upstreamRegistryUrl": "public.ecr.aws" }),
            json!("ecr-public"),
        ),
        (
            json!({
                "ecrRepositoryPrefix": "library/",
                "upstreamRegistryUrl": "public.ecr.aws/docker/library",
            }),
            json!("ecr-public"),
        ),
        (
            json!({
                "ecrRepositoryPrefix": "team",
                "upstreamRegistryUrl": "quay.io",
                "upstreamRepositoryPrefix": "ROOT",
            }),
            json!("quay"),
        ),
        (
            json!({
                "ecrRepositoryPrefix": "ROOT",
                "upstreamRegistryUrl": ecr,
                "customRoleArn": role,
            }),
            json!("ecr"),
        ),
        (
            json!({ "ecrRepositoryPrefix": "other", "upstreamRegistryUrl": "harbor.example.com" }),
            Value::Null,
        ),
    ];
    for (input, upstream_registry) in rows {
        let prefix = input["ecrRepositoryPrefix"].clone();
        let mut rule = input.clone();
        if !upstream_registry.is_null() {
            rule["upstreamRegistry"] = upstream_registry;
        }
        let created = answer(&rule, &["createdAt"]);
        registry.check("CreatePullThroughCacheRule", input.clone(), created).await;
        let described = answer(&rule, &["createdAt", "updatedAt"]);
        let named = json!({ "ecrRepositoryPrefixes": [prefix], "registryId": ACCOUNT });
        for asked in [json!({}), named] {
            let listed = json!({ "pullThroughCacheRules": [described] });
            registry.check("DescribePullThroughCacheRules", asked, listed).await;
        }
        let one = json!({ "ecrRepositoryPrefix": prefix });
        let mut invalid = without(&answer(&rule, &[]), &["upstreamRegistry"]);
        invalid["isValid"] = json!(false);
        invalid["failure"] = json!("*");
        registry.check("ValidatePullThroughCacheRule", one.clone(), invalid).await;
        if rule.get("customRoleArn").is_some() {
            let other = format!("arn:aws:iam::{ACCOUNT}:role/other");
            let change = json!({ "ecrRepositoryPrefix": prefix, "customRoleArn": other });
            rule["customRoleArn"] = json!(other);
            let updated = without(&rule, &["upstreamRegistry", "upstreamRegistryUrl"]);
            let updated = answer(&updated, &["updatedAt"]);
            registry.check("UpdatePullThroughCacheRule", change, updated).await;
        }
        let deleted = answer(&without(&rule, &["upstreamRegistry"]), &["createdAt"]);
        registry.check("DeletePullThroughCacheRule", one, deleted).await;
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let registry = Registry::open_with(settings(), |_| {}).await;
    let check = async |name: &str, input: Value, code: &str, message: &str| {
        registry.check_error(name, input, code, message).await;
    };
    let create = |url: &str| json!({ "ecrRepositoryPrefix": "mirror", "upstreamRegistryUrl": url });
    let with = |mut input: Value, name: &str, value: &str| {
        input[name] = json!(value);
        input
    };
    let secret = format!(
        "arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/hub-AbCdEf"
    );
    let missing = format!(
        "The pull through cache rule with the prefix 'mirror' does not exist in the registry with \
         id '{ACCOUNT}'. Specify a valid pull through cache rule and try again."
    );
    let one = json!({ "ecrRepositoryPrefix": "mirror" });
    let not_found = "PullThroughCacheRuleNotFoundException";
    for name in ["DeletePullThroughCacheRule", "ValidatePullThroughCacheRule"] {
        check(name, one.clone(), not_found, &missing).await;
    }
    let named = json!({ "ecrRepositoryPrefixes": ["mirror"] });
    check("DescribePullThroughCacheRules", named, not_found, &missing).await;
    check(
        "UpdatePullThroughCacheRule",
        one,
        "InvalidParameterException",
        "Invalid input: Please set either credential arn or role arn to update the credentials",
    )
    .await;
    let create_rows = [
        (
            create("harbor.example.org"),
            "UnsupportedUpstreamRegistryException",
            "The upstream registry URL harbor.example.org is invalid. Specify a valid upstream \
             registry URL and try again",
        ),
        (
            create("registry-1.docker.io"),
            "UnsupportedUpstreamRegistryException",
            "The specified upstream registry requires authentication. Specify a valid Secrets \
             Manager ARN containing the upstream registry credentials.",
        ),
        (
            with(create("registry-1.docker.io"), "credentialArn", &secret),
            "SecretNotFoundException",
            "The ARN of the secret specified in the pull through cache rule was not found. Update \
             the pull through cache rule with a valid secret ARN and try again.",
        ),
        (
            with(
                create("registry-1.docker.io"),
                "credentialArn",
                &secret.replace("us-east-1", "eu-west-1"),
            ),
            "UnableToAccessSecretException",
            "The secret is unable to be accessed. Verify the resource permissions for the secret \
             and try again. The secret must be in the region of the registry.",
        ),
        (
            with(create("quay.io/team"), "upstreamRepositoryPrefix", "team"),
            "InvalidParameterException",
            "Invalid parameter at 'upstreamRepositoryPrefix' failed to satisfy constraint: 'Member \
             must not be set together with a path in upstreamRegistryUrl, which is team'",
        ),
        (
            with(create("quay.io"), "upstreamRegistry", "k8s"),
            "InvalidParameterException",
            "Invalid parameter at 'upstreamRegistry' failed to satisfy constraint: 'Member must be \
             the registry of upstreamRegistryUrl, which is quay'",
        ),
    ];
    for (input, code, message) in create_rows {
        check("CreatePullThroughCacheRule", input, code, message).await;
    }
    registry.call("CreatePullThroughCacheRule", &create("quay.io")).await;
    check(
        "CreatePullThroughCacheRule",
        create("registry.k8s.io"),
        "PullThroughCacheRuleAlreadyExistsException",
        &format!(
            "The pull through cache rule with the prefix 'mirror' already exists in the registry \
             with id '{ACCOUNT}'"
        ),
    )
    .await;
    let page = json!({ "ecrRepositoryPrefixes": ["mirror"], "maxResults": 1 });
    let answer = registry.send(&operation("DescribePullThroughCacheRules", &page)).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}

#[tokio::test]
async fn a_push_into_a_cache_is_refused_in_the_words_of_each_protocol() {
    let registry = Registry::open().await;
    let input = json!({ "ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io" });
    registry.call("CreatePullThroughCacheRule", &input).await;
    registry.call("CreateRepository", &json!({ "repositoryName": "quay/app" })).await;
    let message = format!(
        "The repository with name 'quay/app' in the registry with id '{ACCOUNT}' is a cache of \
         quay.io by the pull through cache rule with the prefix 'quay', and images come to it only \
         by being pulled. Push to another name, or delete the rule."
    );
    registry
        .check_error(
            "InitiateLayerUpload",
            json!({ "repositoryName": "quay/app" }),
            "InvalidParameterException",
            &message,
        )
        .await;
}
