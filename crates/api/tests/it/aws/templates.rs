use serde_json::{Value, json};

use crate::registry::{ACCOUNT, NOW, Registry};

fn with_times(mut template: Value) -> Value {
    let now = json!(NOW.epoch_seconds());
    template["createdAt"] = now.clone();
    template["updatedAt"] = now;
    template
}

fn answer(template: &Value) -> Value {
    json!({"registryId": ACCOUNT, "repositoryCreationTemplate": template})
}

fn everything() -> Value {
    json!({
        "prefix": "prod",
        "description": "for production",
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "resourceTags": [{"Key": "team", "Value": "blue"}],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
        "appliedFor": ["CREATE_ON_PUSH", "REPLICATION"],
        "customRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/ecr-template"),
    })
}

#[tokio::test]
async fn every_member_comes_back() {
    let registry = Registry::open().await;
    let template = with_times(everything());
    registry.check("CreateRepositoryCreationTemplate", everything(), answer(&template)).await;
    let listed = json!({"registryId": ACCOUNT, "repositoryCreationTemplates": [template]});
    registry.check("DescribeRepositoryCreationTemplates", json!({}), listed.clone()).await;
    // The `/` at the end of a prefix is always implied.
    for prefix in ["prod", "prod/"] {
        registry
            .check(
                "DescribeRepositoryCreationTemplates",
                json!({"prefixes": [prefix]}),
                listed.clone(),
            )
            .await;
    }
    let none = json!({"registryId": ACCOUNT, "repositoryCreationTemplates": []});
    registry
        .check("DescribeRepositoryCreationTemplates", json!({"prefixes": ["pro"]}), none.clone())
        .await;
    registry
        .check("DeleteRepositoryCreationTemplate", json!({"prefix": "prod"}), answer(&template))
        .await;
    registry.check("DescribeRepositoryCreationTemplates", json!({}), none).await;
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let registry = Registry::open().await;
    registry.call("CreateRepositoryCreationTemplate", &everything()).await;
    let mut expected = with_times(everything());
    for (changes, members) in [
        (json!({}), json!({})),
        (json!({"description": "other"}), json!({"description": "other"})),
        (
            json!({"imageTagMutability": "MUTABLE"}),
            json!({"imageTagMutability": "MUTABLE", "imageTagMutabilityExclusionFilters": null}),
        ),
        (json!({"resourceTags": []}), json!({"resourceTags": null})),
        (json!({"appliedFor": ["REPLICATION"]}), json!({"appliedFor": ["REPLICATION"]})),
        (json!({"customRoleArn": ""}), json!({"customRoleArn": null})),
    ] {
        let mut input = changes;
        input["prefix"] = json!("prod");
        for (name, value) in members.as_object().unwrap() {
            if value.is_null() {
                expected.as_object_mut().unwrap().remove(name);
            } else {
                expected[name] = value.clone();
            }
        }
        registry.check("UpdateRepositoryCreationTemplate", input, answer(&expected)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let registry = Registry::open().await;
    let check = async |name: &str, input: Value, code: &str, message: &str| {
        registry.check_error(name, input, code, message).await;
    };
    let missing = format!(
        "The Repository Creation Template with prefix 'prod' does not exist in the registry with \
         id '{ACCOUNT}'"
    );
    for name in ["UpdateRepositoryCreationTemplate", "DeleteRepositoryCreationTemplate"] {
        check(name, json!({"prefix": "prod"}), "TemplateNotFoundException", &missing).await;
    }
    registry.call("CreateRepositoryCreationTemplate", &everything()).await;
    check(
        "CreateRepositoryCreationTemplate",
        everything(),
        "TemplateAlreadyExistsException",
        &format!(
            "The Repository Creation Template with prefix 'prod' already exists in the registry \
             with id '{ACCOUNT}'"
        ),
    )
    .await;
    check(
        "CreateRepositoryCreationTemplate",
        json!({"prefix": "ROOT", "appliedFor": []}),
        "InvalidParameterException",
        "Invalid parameter at 'appliedFor' failed to satisfy constraint: 'Member must not be \
         empty'",
    )
    .await;
    check(
        "CreateRepositoryCreationTemplate",
        json!({
            "prefix": "ROOT",
            "appliedFor": ["CREATE_ON_PUSH"],
            "encryptionConfiguration": {"encryptionType": "KMS"},
        }),
        "UnsupportedOperationException",
        "Tonnage has no KMS yet, so encryptionConfiguration.encryptionType must be AES256, not \
         KMS; leave encryptionConfiguration out.",
    )
    .await;
}
