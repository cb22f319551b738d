//! AWS Secrets Manager on the wire: shapes, errors, pages, and members that are not built.

use serde_json::{Value, json};
use tonnage_api::aws::shapes::secretsmanager;

use super::{document, matches, model};
use crate::registry::{ACCOUNT, Plain, REQUEST_ID, Registry};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";
const TOKEN: &str = "00000000-0000-0000-0000-000000000001";
const OTHER: &str = "00000000-0000-0000-0000-000000000002";
/// [`crate::registry::NOW`], and the beginning of its day.
const NOW: f64 = 1_770_091_506.789;
const TODAY: f64 = 1_770_076_800.0;

fn operation(name: &str, input: &Value) -> Plain {
    let target = format!("secretsmanager.{name}");
    Plain { service: "secretsmanager".to_owned(), ..Plain::json(&target, input.to_string()) }
}

impl Registry {
    /// Calls an operation that succeeds; its output fits the model.
    async fn secrets(&self, name: &str, input: Value) -> Value {
        let answer = self.send(&operation(name, &input)).await;
        assert_eq!(answer.status, 200, "{name} {input}: {}", answer.body);
        let output = document(&answer);
        model::assert_output_of(&secretsmanager::SERVICE, name, &output);
        output
    }

    /// Calls an operation that gives exactly this; `"*"` stands for any text.
    async fn check_secrets(&self, name: &str, input: Value, expected: Value) {
        let output = self.secrets(name, input.clone()).await;
        assert!(matches(&expected, &output), "{name} {input}\n {expected}\n {output}");
    }

    /// Calls an operation that fails in this way.
    async fn check_secrets_error(&self, name: &str, input: Value, code: &str, message: &str) {
        let answer = self.send(&operation(name, &input)).await;
        let document = document(&answer);
        assert_eq!(answer.headers["x-amzn-errortype"], code, "{name} {input} {document}");
        let told = document["Message"].as_str().or_else(|| document["message"].as_str());
        assert_eq!(
            (document["__type"].as_str(), told),
            (Some(code), Some(message)),
            "{name} {input}"
        );
        assert!(!answer.body.contains("hidden"), "{name} {input}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_secret_from_the_first_to_the_last() {
    let registry = Registry::open().await;
    let create = json!({
        "Name": "team/app", "Description": "of the team", "SecretString": "one",
        "ClientRequestToken": TOKEN, "Tags": [{"Key": "team", "Value": "build"}],
    });
    let made = registry.secrets("CreateSecret", create).await;
    let arn = made["ARN"].as_str().unwrap();
    assert!(arn.starts_with(&format!("{ARN}team/app-")) && arn.len() == ARN.len() + 15, "{arn}");
    assert_eq!(made, json!({"ARN": arn, "Name": "team/app", "VersionId": TOKEN}));
    let named = json!({"ARN": arn, "Name": "team/app"});
    let by_name = json!({"SecretId": "team/app"});

    let put = json!({
        "SecretId": arn, "SecretBinary": "AP8=", "ClientRequestToken": OTHER,
        "VersionStages": ["AWSCURRENT", "blue"],
    });
    let stored = json!({
        "ARN": arn, "Name": "team/app", "VersionId": OTHER,
        "VersionStages": ["AWSCURRENT", "blue"],
    });
    registry.check_secrets("PutSecretValue", put, stored).await;
    let binary = json!({
        "ARN": arn, "Name": "team/app", "VersionId": OTHER, "SecretBinary": "AP8=",
        "VersionStages": ["AWSCURRENT", "blue"], "CreatedDate": NOW,
    });
    registry.check_secrets("GetSecretValue", by_name.clone(), binary).await;
    let previous = json!({"SecretId": arn, "VersionStage": "AWSPREVIOUS"});
    let text = json!({
        "ARN": arn, "Name": "team/app", "VersionId": TOKEN, "SecretString": "one",
        "VersionStages": ["AWSPREVIOUS"], "CreatedDate": NOW,
    });
    registry.check_secrets("GetSecretValue", previous, text).await;

    let relabel = json!({
        "SecretId": arn, "VersionStage": "blue", "RemoveFromVersionId": OTHER,
        "MoveToVersionId": TOKEN,
    });
    registry.check_secrets("UpdateSecretVersionStage", relabel, named.clone()).await;
    let tag = json!({"SecretId": arn, "Tags": [{"Key": "a", "Value": ""}]});
    registry.check_secrets("TagResource", tag, json!({})).await;
    let untag = json!({"SecretId": arn, "TagKeys": ["team"]});
    registry.check_secrets("UntagResource", untag, json!({})).await;
    let update = json!({"SecretId": arn, "Description": "changed"});
    registry.check_secrets("UpdateSecret", update, named.clone()).await;
    let stages = json!({TOKEN: ["AWSPREVIOUS", "blue"], OTHER: ["AWSCURRENT"]});
    let mut described = json!({
        "ARN": arn, "Name": "team/app", "Description": "changed", "CreatedDate": NOW,
        "LastChangedDate": NOW, "LastAccessedDate": TODAY, "Tags": [{"Key": "a", "Value": ""}],
        "VersionIdsToStages": stages,
    });
    registry.check_secrets("DescribeSecret", by_name.clone(), described.clone()).await;
    let versions = json!({
        "ARN": arn, "Name": "team/app", "Versions": [
            {"VersionId": TOKEN, "VersionStages": ["AWSPREVIOUS", "blue"], "CreatedDate": NOW,
             "LastAccessedDate": TODAY, "KmsKeyIds": ["DefaultEncryptionKey"]},
            {"VersionId": OTHER, "VersionStages": ["AWSCURRENT"], "CreatedDate": NOW,
             "LastAccessedDate": TODAY, "KmsKeyIds": ["DefaultEncryptionKey"]},
        ],
    });
    registry.check_secrets("ListSecretVersionIds", by_name.clone(), versions).await;
    let policy = named.clone();
    registry.check_secrets("GetResourcePolicy", by_name.clone(), policy.clone()).await;
    registry.check_secrets("DeleteResourcePolicy", by_name.clone(), policy).await;

    let delete = json!({"SecretId": arn, "RecoveryWindowInDays": 7});
    let deleted = json!({"ARN": arn, "Name": "team/app", "DeletionDate": NOW + 604_800.0});
    registry.check_secrets("DeleteSecret", delete, deleted).await;
    described["DeletedDate"] = NOW.into();
    registry.check_secrets("DescribeSecret", by_name.clone(), described).await;
    registry.check_secrets("RestoreSecret", by_name.clone(), named).await;
    let force = json!({"SecretId": "team/app", "ForceDeleteWithoutRecovery": true});
    let gone = json!({"ARN": arn, "Name": "team/app", "DeletionDate": NOW});
    registry.check_secrets("DeleteSecret", force.clone(), gone).await;
    let nothing = json!({"Name": "team/app", "DeletionDate": NOW});
    registry.check_secrets("DeleteSecret", force, nothing).await;
    let message = "Secrets Manager can't find the specified secret.";
    registry
        .check_secrets_error("GetSecretValue", by_name, "ResourceNotFoundException", message)
        .await;
}

#[tokio::test]
async fn a_secret_without_a_value_tells_of_none() {
    let registry = Registry::open().await;
    let made = registry.secrets("CreateSecret", json!({"Name": "app"})).await;
    let arn = &made["ARN"];
    assert_eq!(made, json!({"ARN": arn, "Name": "app"}));
    let described = json!({
        "ARN": arn, "Name": "app", "CreatedDate": NOW, "LastChangedDate": NOW, "Tags": [],
    });
    registry.check_secrets("DescribeSecret", json!({"SecretId": "app"}), described.clone()).await;
    registry.check_secrets("ListSecrets", json!({}), json!({"SecretList": [described]})).await;
}

#[tokio::test]
async fn pages_are_followed_by_their_tokens() {
    let registry = Registry::open().await;
    for name in ["a", "b", "c"] {
        registry.secrets("CreateSecret", json!({"Name": name})).await;
    }
    let mut names = Vec::new();
    let mut input = json!({"MaxResults": 2, "SortBy": "name", "SortOrder": "asc"});
    loop {
        let page = registry.secrets("ListSecrets", input.clone()).await;
        let listed = page["SecretList"].as_array().unwrap();
        names.extend(listed.iter().map(|it| it["Name"].as_str().unwrap().to_owned()));
        match page.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
    let (code, message) = ("InvalidNextTokenException", "The NextToken value is invalid.");
    for changed in [json!({"SortOrder": "desc"}), json!({"NextToken": "nonsense"})] {
        let mut input = input.clone();
        input.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        registry.check_secrets_error("ListSecrets", input, code, message).await;
    }
    let filters = json!({"Filters": [{"Key": "name", "Values": ["b"]}]});
    let found = registry.secrets("ListSecrets", filters).await;
    assert_eq!(found["SecretList"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn errors_have_the_words_of_the_service() {
    let registry = Registry::open().await;
    let app = json!({"Name": "app", "SecretString": "hidden", "ClientRequestToken": TOKEN});
    registry.secrets("CreateSecret", app).await;
    let with = |more: Value| {
        let mut input = json!({"SecretId": "app", "ClientRequestToken": OTHER});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let check = async |name: &str, input: Value, code: &str, message: &str| {
        registry.check_secrets_error(name, input, code, message).await;
    };
    let both = "You can't specify both a binary secret value and a string secret value in the \
                same secret.";
    let values = json!({"SecretString": "hidden", "SecretBinary": "aGlkZGVu"});
    check("PutSecretValue", with(values.clone()), "InvalidParameterException", both).await;
    check("UpdateSecret", with(values), "InvalidParameterException", both).await;
    check(
        "PutSecretValue",
        with(json!({})),
        "InvalidRequestException",
        "You must provide either SecretString or SecretBinary.",
    )
    .await;
    check(
        "PutSecretValue",
        with(json!({"SecretBinary": "hidden!"})),
        "SerializationException",
        "Base64 encoded length is expected a multiple of 4 bytes but found: 7",
    )
    .await;
    check(
        "CreateSecret",
        json!({"Name": "a b"}),
        "ValidationException",
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
         following: -/_+=.@",
    )
    .await;
    check(
        "CreateSecret",
        json!({"Name": "app"}),
        "ResourceExistsException",
        "The operation failed because the secret app already exists.",
    )
    .await;
    check(
        "GetSecretValue",
        json!({"SecretId": ""}),
        "ValidationException",
        "1 validation error detected: Value '' at 'secretId' failed to satisfy constraint: Member \
         must have length greater than or equal to 1",
    )
    .await;
    check(
        "PutSecretValue",
        with(json!({"SecretString": "hidden".repeat(11_000)})),
        "ValidationException",
        "1 validation error detected: Value at 'secretString' failed to satisfy constraint: \
         Member must have length less than or equal to 65536",
    )
    .await;
    check(
        "TagResource",
        with(json!({"Tags": [{"Key": "aws:x", "Value": ""}]})),
        "InvalidParameterException",
        "Invalid tag with key 'aws:x': keys that begin with aws: are reserved.",
    )
    .await;
    check(
        "ListSecrets",
        json!({"Filters": [{"Values": ["a"]}]}),
        "InvalidParameterException",
        "Invalid filter key.",
    )
    .await;
    check(
        "ListSecrets",
        json!({"Filters": [{"Key": "name"}]}),
        "InvalidParameterException",
        "Invalid filter values for key: name.",
    )
    .await;
}

#[tokio::test]
async fn what_is_not_built_is_named() {
    let registry = Registry::open().await;
    registry.secrets("CreateSecret", json!({"Name": "app"})).await;
    let check = async |name: &str, input: Value, message: &str| {
        registry.check_secrets_error(name, input, "UnsupportedOperationException", message).await;
    };
    let replication = "Tonnage does not have replication of secrets; leave";
    for (member, value, message) in [
        (
            "KmsKeyId",
            json!("alias/mine"),
            "Tonnage does not have keys other than alias/aws/secretsmanager; leave KmsKeyId out."
                .to_owned(),
        ),
        (
            "AddReplicaRegions",
            json!([{"Region": "eu-west-1"}]),
            format!("{replication} AddReplicaRegions out."),
        ),
        (
            "ForceOverwriteReplicaSecret",
            json!(true),
            format!("{replication} ForceOverwriteReplicaSecret out."),
        ),
        (
            "Type",
            json!("partner"),
            "Tonnage does not have secrets that others manage; leave Type out.".to_owned(),
        ),
    ] {
        check("CreateSecret", json!({"Name": "new", member: value}), &message).await;
    }
    let put = json!({
        "SecretId": "app", "SecretString": "hidden", "ClientRequestToken": TOKEN,
        "RotationToken": TOKEN,
    });
    let message = "Tonnage does not have rotation of secrets; leave RotationToken out.";
    check("PutSecretValue", put, message).await;
    let named = json!({"SecretId": "app", "PolicyName": "mine"});
    let message = "Tonnage does not have policies of secrets; leave PolicyName out.";
    check("GetResourcePolicy", named.clone(), message).await;
    check("DeleteResourcePolicy", named, message).await;
    for name in ["PutResourcePolicy", "RotateSecret", "GetRandomPassword"] {
        let message = format!(
            "Tonnage does not serve secretsmanager:{name} yet; the compatibility page lists what \
             it serves."
        );
        let input = json!({"SecretId": "app", "ResourcePolicy": "{}"});
        check(name, input, &message).await;
    }
    let default = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/secretsmanager");
    for (name, key) in [("a", "alias/aws/secretsmanager"), ("b", ""), ("c", default.as_str())] {
        registry.secrets("CreateSecret", json!({"Name": name, "KmsKeyId": key})).await;
    }
}

#[tokio::test]
async fn requests_that_never_become_an_operation() {
    let registry = Registry::open().await;
    let unknown = registry.send(&operation("Nonsense", &json!({}))).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.headers["x-amzn-requestid"]),
        (404, &REQUEST_ID.parse().unwrap())
    );
    assert_eq!(document(&unknown)["__type"], "UnknownOperationException");
    let plain = operation("ListSecrets", &json!({}));
    let wrong = registry.send(&Plain { service: "ecr".to_owned(), ..plain }).await;
    assert_eq!(document(&wrong)["__type"], "InvalidSignatureException");
}
