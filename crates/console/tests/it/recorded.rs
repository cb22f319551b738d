//! What access records tell of changes made in the console: what the same request of AWS's API asks
//! for.

use serde_json::{Value, json};
use tonnage_domain::audit::lookup_events::{Attribute, Criteria, LookupEvents};
use tonnage_domain::names::RepositoryName;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;

use crate::browser::{Browser, Registry};
use crate::pages::push_all;
use crate::sessions::PASSWORD;

const HERE: &str = "/console/us-east-1";
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#;
const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;
const OWN_POLICY: &str = "arn:aws:iam::123456789012:policy/pull";

/// What a form says.
type Fields = &'static [(&'static str, &'static str)];
/// Where a form is sent, what it says, and the action with its parameters that is recorded.
type Row = (&'static str, Fields, &'static str, Value);

/// The parameters of the newest record of an action; nothing where it has none.
async fn recorded(registry: &Registry, action: &str) -> Option<Value> {
    let criteria = Criteria {
        attributes: vec![(Attribute::EventName, action.to_owned())],
        ..Criteria::default()
    };
    let page = PageRequest { after: None, limit: 1 };
    let found = registry.run(LookupEvents { criteria, page }).await.items;
    found
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("{action} is not recorded"))
        .details
        .request_parameters
}

#[tokio::test]
async fn changes_are_recorded_with_what_was_asked_for() {
    let registry = Registry::open().await;
    let mut browser = Browser::new(&registry);
    browser.sign_in().await;
    let rows: &[Row] = &[
        (
            "create-repository",
            &[
                ("name", "team/app"),
                ("mutability", "IMMUTABLE_WITH_EXCLUSION"),
                ("filters", "latest"),
                ("scan", "yes"),
                ("tags", "team=web"),
            ],
            "ecr:CreateRepository",
            json!({
                "repositoryName": "team/app",
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters":
                    [{"filter": "latest", "filterType": "WILDCARD"}],
                "imageScanningConfiguration": {"scanOnPush": true},
                "tags": [{"key": "team", "value": "web"}],
            }),
        ),
        (
            "repositories/team/app/-/lifecycle",
            &[("do", "put"), ("policy", LIFECYCLE)],
            "ecr:PutLifecyclePolicy",
            json!({"repositoryName": "team/app", "lifecyclePolicyText": LIFECYCLE}),
        ),
        ("iam/users/-/create", &[("name", "ada")], "iam:CreateUser", json!({"userName": "ada"})),
        (
            "iam/users/ada/password",
            &[("do", "set"), ("password", PASSWORD), ("reset", "yes")],
            "iam:CreateLoginProfile",
            json!({"userName": "ada", "password": HIDDEN, "passwordResetRequired": true}),
        ),
        (
            "iam/users/ada/keys",
            &[("do", "create")],
            "iam:CreateAccessKey",
            json!({"userName": "ada"}),
        ),
        (
            "iam/users/ada/inline",
            &[("do", "save"), ("name", "look"), ("document", POLICY)],
            "iam:PutUserPolicy",
            json!({"userName": "ada", "policyName": "look", "policyDocument": POLICY}),
        ),
        (
            "iam/policies/-/create",
            &[("do", "save"), ("name", "pull"), ("document", POLICY)],
            "iam:CreatePolicy",
            json!({"policyName": "pull", "policyDocument": POLICY}),
        ),
        (
            "iam/users/ada/attached",
            &[("do", "attach"), ("arn", OWN_POLICY)],
            "iam:AttachUserPolicy",
            json!({"userName": "ada", "policyArn": OWN_POLICY}),
        ),
        (
            "registry/pull-through/-/create",
            &[
                ("prefix", "hub"),
                ("kind", "docker-hub"),
                ("url", "registry-1.docker.io"),
                ("user", "ada"),
                ("token", "very-secret"),
            ],
            "secretsmanager:CreateSecret",
            Value::Null,
        ),
        (
            "registry/replication",
            &[
                ("do", "save-json"),
                (
                    "json",
                    r#"{"rules":[{"destinations":[{"region":"eu-west-1","registryId":"123456789012"}],"repositoryFilters":[{"filter":"team","filterType":"PREFIX_MATCH"}]}]}"#,
                ),
            ],
            "ecr:PutReplicationConfiguration",
            json!({"replicationConfiguration": {"rules": [{
                "destinations": [{"region": "eu-west-1", "registryId": "123456789012"}],
                "repositoryFilters": [{"filter": "team", "filterType": "PREFIX_MATCH"}],
            }]}}),
        ),
        (
            "registry/signing",
            &[("do", "profile"), ("name", "release")],
            "signer:PutSigningProfile",
            json!({"profileName": "release", "platformId": "Notation-OCI-SHA384-ECDSA"}),
        ),
        (
            "public/-/create",
            &[("name", "shown/server"), ("description", "Serves files")],
            "ecr-public:CreateRepository",
            json!({"repositoryName": "shown/server", "catalogData": {
                "description": "Serves files", "architectures": [], "operatingSystems": [],
            }}),
        ),
    ];
    for (path, fields, action, expected) in rows {
        let made = browser.submit("/console/account", &format!("{HERE}/{path}"), fields).await;
        assert!(matches!(made.status.as_u16(), 200 | 303), "{path}: {}", made.body);
        let mut found = recorded(&registry, action).await.unwrap_or_default();
        // The secret's name and its token are of chance; its value is what matters.
        if *action == "secretsmanager:CreateSecret" {
            assert_eq!(found["secretString"], HIDDEN, "{found}");
            found = Value::Null;
        }
        assert_eq!(found, *expected, "{action}");
    }

    let name = RepositoryName::parse("team/app").unwrap();
    let repository = RepositoryAddress::new(&registry.context(), None, name);
    let (index, _) = push_all(&registry, &repository).await;
    let image = format!("{HERE}/repositories/team/app/-/images/{index}");
    browser.submit(&image, &image, &[("do", "delete"), ("sure", "yes")]).await.check(303, &[]);
    assert_eq!(
        recorded(&registry, "ecr:BatchDeleteImage").await,
        Some(json!({
            "repositoryName": "team/app",
            "imageIds": [{"imageDigest": index.to_string()}],
        }))
    );
    // What reads leaves nothing for the next change.
    browser.get(&format!("{HERE}/activity")).await.check(200, &["team/app"]);
    let end = [("confirm", "team/app"), ("force", "yes")];
    let path = format!("{HERE}/repositories/team/app/-/delete");
    browser.submit("/console/account", &path, &end).await.check(303, &[]);
    let expected = json!({"repositoryName": "team/app", "force": true});
    assert_eq!(recorded(&registry, "ecr:DeleteRepository").await, Some(expected));
}
