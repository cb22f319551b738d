//! Policies of repositories and registries, and limits of accounts: what is stored, what is
//! refused, who may do what by them, and what a denial tells.

use tonnage_domain::accounts::CreateAccount;
use tonnage_domain::audit;
use tonnage_domain::context::{Endpoint, Principal, RequestContext};
use tonnage_domain::error::{ErrorKind, Result, chain};
use tonnage_domain::identities::access_keys;
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;
use tonnage_domain::identities::get_caller_identity::GetCallerIdentity;
use tonnage_domain::identities::sessions::decode_authorization_message::{
    DecodeAuthorizationMessage, encode,
};
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::batch_get_image::BatchGetImage;
use tonnage_domain::images::list_tag_history::ListTagHistory;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::names::{AccountId, RepositoryName};
use tonnage_domain::params;
use tonnage_domain::policies::account_limit::{
    DeleteAccountLimit, GetAccountLimit, PutAccountLimit,
};
use tonnage_domain::policies::explain::{ExplainPolicy, Explanation};
use tonnage_domain::policies::registry_policy::{
    DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy,
};
use tonnage_domain::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};
use tonnage_domain::registries::account_settings::{AccountSettingValue, PutAccountSetting};
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::resource_tags::TagResource;
use tonnage_domain::uploads::UploadRules;

use crate::content::Blob;
use crate::content::Pushed;
use crate::interposed::Statement;
use crate::registry::{
    ACCOUNT, Registry, address, bump, by_digest, by_tag, check_error, check_kind,
    create_repository, page, put_image, resource_tags,
};

const AWAY: &str = "210987654321";
const NOBODY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#;
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// A resource policy of one statement.
fn policy(effect: &str, principal: &str, action: &str, rest: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"The only one","Effect":"{effect}","Principal":{principal},"Action":{action}{rest}}}]}}"#
    )
}

fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

fn list(name: &str) -> ListTags {
    ListTags { repository: address(name), page: page(None, 10) }
}

fn set(name: &str, text: &str) -> SetRepositoryPolicy {
    SetRepositoryPolicy { repository: address(name), text: text.to_owned(), force: true }
}

async fn away(registry: &Registry) -> Principal {
    let id = AccountId::parse(AWAY).unwrap();
    let create = CreateAccount { management_account: account(), id, name: "away".to_owned() };
    let (_, key) = registry.run(create).await.unwrap();
    access_keys::find_active(&registry.app, &key.id).await.unwrap().unwrap().principal
}

fn refused(subject: &str, reason: &str) -> String {
    format!(
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid {subject} policy \
         provided: {reason}'"
    )
}

#[tokio::test]
async fn a_policy_is_kept_byte_for_byte_and_goes_with_its_repository() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let absent = "Repository policy does not exist for the repository with name 'app' in the \
                  registry with id '123456789012'";
    let get = || GetRepositoryPolicy { repository: address("app") };
    let delete = || DeleteRepositoryPolicy { repository: address("app") };
    check_error(registry.run(get()).await, ErrorKind::RepositoryPolicyNotFound, absent);
    check_error(registry.run(delete()).await, ErrorKind::RepositoryPolicyNotFound, absent);
    // White space, order, escapes and equal Sids stay.
    let text = "{ \"Statement\" : [ {\"Effect\":\"Allow\",\"Sid\":\"a b\",\r\n\t\"Principal\":\"*\",\
                \"Action\":[\"ecr:Get\\u002a\"]},{\"Sid\":\"a b\",\"Effect\":\"Allow\",\
                \"Principal\":{\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"ecr:BatchGetImage\"\
                }],\"Version\":\"2008-10-17\" }  ";
    let stored = registry.run(set("app", text)).await.unwrap();
    assert_eq!((stored.text.as_str(), &stored.repository), (text, &app));
    assert_eq!(registry.run(get()).await.unwrap().text, text);
    let other = policy("Allow", r#""*""#, r#""ecr:*""#, "");
    registry.run(set("app", &other)).await.unwrap();
    assert_eq!(registry.run(delete()).await.unwrap().text, other);
    check_kind(registry.run(get()).await, ErrorKind::RepositoryPolicyNotFound);

    registry.run(set("app", text)).await.unwrap();
    registry.delete("app", false).await.unwrap();
    check_kind(registry.run(get()).await, ErrorKind::RepositoryNotFound);
    registry.create("app").await;
    check_kind(registry.run(get()).await, ErrorKind::RepositoryPolicyNotFound);
    check_kind(registry.run(set("missing", text)).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn texts_that_are_no_policy_are_refused_with_the_reason() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let long = format!("{}{}", policy("Allow", r#""*""#, r#""ecr:*""#, ""), " ".repeat(10_240));
    let allow = |principal: &str, action: &str| policy("Allow", principal, action, "");
    let rows = [
        (long, "$: document is longer than 10240 characters"),
        ("{}".to_owned(), "$: Statement is required"),
        ("[]".to_owned(), "$: expected an object"),
        (
            r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":7}]}"#.to_owned(),
            "$.Statement[0].Action: expected a string or a list of strings",
        ),
        (
            policy(
                "Allow",
                r#""*""#,
                r#""ecr:*""#,
                r#","Condition":{"StringIs":{"aws:UserId":"x"}}"#,
            ),
            "$.Statement[0].Condition.StringIs: unknown condition operator \"StringIs\"",
        ),
        (
            policy("Allow", r#""*""#, r#""ecr:*""#, r#","Resource":"arn:aws:ecr""#),
            "$.Statement[0].Resource: an ARN has six parts separated by colons",
        ),
        (
            allow(r#"{"AWS":"arn:aws:iam::123456789012:user/*"}"#, r#""ecr:*""#),
            "$.Statement[0].Principal.AWS: \"arn:aws:iam::123456789012:user/*\" does not name a \
             principal",
        ),
        (
            allow(r#"{"CanonicalUser":"79a5"}"#, r#""ecr:*""#),
            "$.Statement[0].Principal: CanonicalUser names users of S3",
        ),
        (
            allow(r#""*""#, r#"["ecr:*","s3:GetObject"]"#),
            "$.Statement[0].Action: s3:GetObject is no action of ecr",
        ),
        (
            allow(r#"{"AWS":"arn:aws:iam::123456789012:role/gone"}"#, r#""ecr:*""#),
            "Principal not found: arn:aws:iam::123456789012:role/gone",
        ),
        (allow(r#"{"AWS":"999999999999"}"#, r#""ecr:*""#), "Principal not found: 999999999999"),
        (
            allow(r#"{"AWS":"AROAGONEGONEGONEGONE1"}"#, r#""ecr:*""#),
            "Principal not found: AROAGONEGONEGONEGONE1",
        ),
        (
            allow(r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/gone/me"}"#, r#""ecr:*""#),
            "Principal not found: arn:aws:sts::123456789012:assumed-role/gone/me",
        ),
    ];
    for (text, reason) in rows {
        let answer = registry.run(set("app", &text)).await;
        check_error(answer, ErrorKind::InvalidParameter, &refused("repository", reason));
        let answer = registry.run(PutRegistryPolicy { text }).await;
        check_error(answer, ErrorKind::InvalidParameter, &refused("registry", reason));
    }
    check_kind(
        registry.run(GetRepositoryPolicy { repository: address("app") }).await,
        ErrorKind::RepositoryPolicyNotFound,
    );
}

#[tokio::test]
async fn in_one_account_either_side_allows_and_any_denies() {
    let registry = Registry::new().await;
    registry.create("app").await;
    registry.create("other").await;
    let user = registry.principal("user", NOBODY).await;
    let user_arn = r#"{"AWS":"arn:aws:iam::123456789012:user/user"}"#;
    check_kind(registry.run_as(&user, list("app")).await, ErrorKind::AccessDenied);
    registry.run(set("app", &policy("Allow", user_arn, r#""ecr:ListImages""#, ""))).await.unwrap();
    registry.run_as(&user, list("app")).await.unwrap();
    check_kind(registry.run_as(&user, list("other")).await, ErrorKind::AccessDenied);
    // An allow names some and locks nobody else out.
    registry.run(list("app")).await.unwrap();

    let deny = policy("Deny", r#""*""#, r#""ecr:ListImages""#, "");
    registry.run(set("app", &deny)).await.unwrap();
    let told = "User: arn:aws:iam::123456789012:root is not authorized to perform: ecr:ListImages \
                on resource: arn:aws:ecr:us-east-1:123456789012:repository/app with an explicit \
                deny in a resource-based policy (statement \"The only one\")";
    check_error(registry.run(list("app")).await, ErrorKind::AccessDenied, told);
    // Who would be denied anyway learns nothing of the policy.
    let told = "User: arn:aws:iam::123456789012:user/user is not authorized to perform: \
                ecr:ListImages on resource: arn:aws:ecr:us-east-1:123456789012:repository/app \
                because no identity-based policy allows the ecr:ListImages action";
    let error = registry.run_as(&user, list("app")).await.unwrap_err();
    assert_eq!(error.message(), told);
    let known = chain(&error);
    assert!(
        known.ends_with(
            r#"denied by resource-based policy "repository policy", statement 0 ("The only one")"#
        ),
        "{known}"
    );

    // NotPrincipal leaves out who is listed.
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny",
        "NotPrincipal":{"AWS":["arn:aws:iam::123456789012:user/full"]},
        "Action":"ecr:ListImages"}]}"#;
    let full = registry.principal("full", EVERYTHING).await;
    let extra = registry.principal("extras", EVERYTHING).await;
    registry.run(set("app", deny)).await.unwrap();
    registry.run_as(&full, list("app")).await.unwrap();
    for denied in [&extra, &registry.root] {
        check_kind(registry.run_as(denied, list("app")).await, ErrorKind::AccessDenied);
    }
}

#[tokio::test]
async fn between_accounts_both_sides_must_allow() {
    let registry = Registry::new().await;
    let stranger = away(&registry).await;
    registry.create("app").await;
    let limited = principal_of(&registry, AWAY, "limited", NOBODY).await;
    let told = |who: &str, name: &str, source: &str| {
        format!(
            "User: arn:aws:iam::{AWAY}:{who} is not authorized to perform: ecr:ListImages on \
             resource: arn:aws:ecr:us-east-1:123456789012:repository/{name} because no {source} \
             policy allows the ecr:ListImages action"
        )
    };
    let forms = [
        format!(r#"{{"AWS":"{AWAY}"}}"#),
        format!(r#"{{"AWS":["arn:aws:iam::{AWAY}:root"]}}"#),
        r#""*""#.to_owned(),
        r#"{"AWS":"*"}"#.to_owned(),
    ];
    for principal in forms {
        registry.run(set("app", &policy("Allow", &principal, r#""ecr:List*""#, ""))).await.unwrap();
        registry.run_as(&stranger, list("app")).await.unwrap();
        let error = registry.run_as(&limited, list("app")).await;
        check_error(error, ErrorKind::AccessDenied, &told("user/limited", "app", "identity-based"));
        let delete = DeleteRepositoryPolicy { repository: address("app") };
        check_kind(registry.run_as(&stranger, delete.clone()).await, ErrorKind::AccessDenied);
        registry.run(delete).await.unwrap();
        // From that moment on.
        check_kind(registry.run_as(&stranger, list("app")).await, ErrorKind::AccessDenied);
    }
    // Absent, private, denied and tagged look the same.
    let tags = resource_tags(&[("env", "prod")]);
    registry.run(CreateRepository { tags, ..create_repository("tagged") }).await.unwrap();
    registry.create("denied").await;
    registry.run(set("denied", &policy("Deny", r#""*""#, r#""ecr:*""#, ""))).await.unwrap();
    let by_tag = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"ecr:*","Resource":"*"},
        {"Effect":"Deny","Action":"ecr:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/env":"prod"}}}]}"#;
    let curious = principal_of(&registry, AWAY, "curious1", by_tag).await;
    for name in ["missing", "app", "denied", "tagged"] {
        for (principal, who) in [(&stranger, "root"), (&curious, "user/curious1")] {
            let error = registry.run_as(principal, list(name)).await;
            let expected = told(who, name, "resource-based");
            check_error(error, ErrorKind::AccessDenied, &expected);
        }
        let error = registry.run_as(&limited, list(name)).await;
        check_error(error, ErrorKind::AccessDenied, &told("user/limited", name, "identity-based"));
    }
}

#[tokio::test]
async fn actions_of_our_own_stand_in_policies_of_repositories() {
    let registry = Registry::new().await;
    let stranger = away(&registry).await;
    registry.create("app").await;
    let own = || ListTagHistory { repository: address("app"), tag: None, page: page(None, 10) };
    let to_stranger = format!(r#"{{"AWS":"{AWAY}"}}"#);
    for (action, allowed) in [
        (r#""ecr:*""#, false),
        (r#""tonnage:GetImageSbom""#, false),
        (r#""tonnage:ListTagHistory""#, true),
        (r#"["ecr:*","tonnage:List*"]"#, true),
    ] {
        registry.run(set("app", &policy("Allow", &to_stranger, action, ""))).await.unwrap();
        let answer = registry.run_as(&stranger, own()).await;
        assert_eq!(answer.is_ok(), allowed, "{action}: {:?}", answer.err());
    }
}

/// A principal of any account.
async fn principal_of(registry: &Registry, account: &str, name: &str, document: &str) -> Principal {
    let mut principal = registry.principal(name, document).await;
    let arn = format!("arn:aws:iam::{account}:user/{name}");
    registry
        .write(&[
            (
                "UPDATE principals SET account_id = $2, arn = $3 WHERE id = $1",
                params![principal.id, account, &arn].to_vec(),
            ),
            bump(account),
        ])
        .await;
    principal.account = AccountId::parse(account).unwrap();
    principal.arn = arn;
    principal
}

#[tokio::test]
async fn a_policy_that_would_lock_its_author_out_needs_force() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let deny = policy("Deny", r#""*""#, r#""ecr:SetRepositoryPolicy""#, "");
    let unforced = |text: &str| SetRepositoryPolicy { force: false, ..set("app", text) };
    let error = registry.run(unforced(&deny)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameter);
    assert!(error.message().contains("would deny you a later SetRepositoryPolicy"), "{error}");
    let get = GetRepositoryPolicy { repository: address("app") };
    check_kind(registry.run(get.clone()).await, ErrorKind::RepositoryPolicyNotFound);
    // A policy that was refused is not remembered either.
    let harmless = policy("Deny", r#""*""#, r#""ecr:PutImage""#, "");
    registry.run(unforced(&harmless)).await.unwrap();
    registry.run(SetRepositoryPolicy { force: true, ..unforced(&deny) }).await.unwrap();
    check_kind(registry.run(unforced(&harmless)).await, ErrorKind::AccessDenied);
    assert_eq!(registry.run(get).await.unwrap().text, deny);
    registry.run(DeleteRepositoryPolicy { repository: address("app") }).await.unwrap();
}

#[tokio::test]
async fn a_principal_made_anew_is_not_the_one_a_policy_meant() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let user = registry.principal("user", NOBODY).await;
    let text = policy("Allow", &format!(r#"{{"AWS":"{}"}}"#, user.arn), r#""ecr:*""#, "");
    registry.run(set("app", &text)).await.unwrap();
    registry.run_as(&user, list("app")).await.unwrap();
    let get = || GetRepositoryPolicy { repository: address("app") };
    assert_eq!(registry.run(get()).await.unwrap().text, text);
    let again = "AIDAANEWUSEROFTHENAME";
    registry
        .write(&[
            (
                "UPDATE principals SET unique_id = $2 WHERE id = $1",
                params![user.id, again].to_vec(),
            ),
            bump(ACCOUNT),
        ])
        .await;
    let anew = Principal { unique_id: again.to_owned(), ..user.clone() };
    check_kind(registry.run_as(&anew, list("app")).await, ErrorKind::AccessDenied);
    let shown = registry.run(get()).await.unwrap().text;
    assert_eq!(shown, text.replace(&user.arn, &user.unique_id));
    // Setting the policy again means the new one.
    registry.run(set("app", &text)).await.unwrap();
    registry.run_as(&anew, list("app")).await.unwrap();
}

#[tokio::test]
async fn the_registry_policy_governs_every_repository() {
    let registry = Registry::new().await;
    let stranger = away(&registry).await;
    registry.create("team/app").await;
    registry.create("other").await;
    let absent = "Registry policy does not exist in the registry with id '123456789012'";
    check_error(registry.run(GetRegistryPolicy).await, ErrorKind::RegistryPolicyNotFound, absent);
    check_error(
        registry.run(DeleteRegistryPolicy).await,
        ErrorKind::RegistryPolicyNotFound,
        absent,
    );
    let put = |text: &str| PutRegistryPolicy { text: text.to_owned() };
    let resource = r#","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/team/*""#;
    let pull = policy("Allow", &format!(r#"{{"AWS":"{AWAY}"}}"#), r#""ecr:ListImages""#, resource);
    let stored = registry.run(put(&pull)).await.unwrap();
    assert_eq!((stored.text.as_str(), stored.account), (pull.as_str(), account()));
    registry.run_as(&stranger, list("team/app")).await.unwrap();
    check_kind(registry.run_as(&stranger, list("other")).await, ErrorKind::AccessDenied);

    // Everything but the policy itself and the login, so that nobody is locked out for good.
    let deny = policy("Deny", r#""*""#, r#""*""#, r#","Resource":"*""#);
    registry.run(put(&deny)).await.unwrap();
    check_kind(registry.run(list("team/app")).await, ErrorKind::AccessDenied);
    check_kind(registry.run(create_repository("new")).await, ErrorKind::AccessDenied);
    registry.run(GetAuthorizationToken { registry_ids: Vec::new() }).await.unwrap();
    registry.run(GetCallerIdentity).await.unwrap();
    assert_eq!(registry.run(GetRegistryPolicy).await.unwrap().text, deny);
    // Another region and another account are other registries.
    let mut elsewhere = registry.context();
    elsewhere.region = tonnage_domain::names::Region::parse("eu-west-1").unwrap();
    registry.run_in(&elsewhere, create_repository("new")).await.unwrap();
    registry.run_as(&stranger, create_repository("new")).await.unwrap();
    assert_eq!(registry.run(DeleteRegistryPolicy).await.unwrap().text, deny);
    registry.run(list("team/app")).await.unwrap();
}

#[tokio::test]
async fn the_old_scope_governs_three_actions_only() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let deny = policy("Deny", r#""*""#, r#""*""#, r#","Resource":"*""#);
    registry.run(PutRegistryPolicy { text: deny.clone() }).await.unwrap();
    check_kind(registry.run(list("app")).await, ErrorKind::AccessDenied);

    // The setting is under the policy too.
    registry.run(DeleteRegistryPolicy).await.unwrap();
    let scope = |value: &str| PutAccountSetting {
        setting: AccountSettingValue {
            name: "REGISTRY_POLICY_SCOPE".to_owned(),
            value: value.to_owned(),
        },
    };
    registry.run(scope("V1")).await.unwrap();
    check_kind(registry.run(PutRegistryPolicy { text: deny }).await, ErrorKind::InvalidParameter);
    let create = r#"["ecr:CreateRepository","ecr:ReplicateImage"]"#;
    let deny = policy("Deny", r#""*""#, create, r#","Resource":"*""#);
    registry.run(PutRegistryPolicy { text: deny }).await.unwrap();
    registry.run(list("app")).await.unwrap();
    check_kind(registry.run(create_repository("new")).await, ErrorKind::AccessDenied);
    registry.run(scope("V2")).await.unwrap();
    registry.run(list("app")).await.unwrap();
}

/// As somebody would write it who wants one team alone to make and remove repositories.
#[tokio::test]
async fn only_devops_creates_and_deletes_repositories() {
    let registry = Registry::new().await;
    let devops = registry.principal("devops", EVERYTHING).await;
    let developer = registry.principal("developer", EVERYTHING).await;
    let text = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "OnlyDevops",
      "Effect": "Deny",
      "Principal": "*",
      "Action": ["ecr:CreateRepository", "ecr:DeleteRepository"],
      "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/*",
      "Condition": {
        "ArnNotEquals": { "aws:PrincipalArn": "arn:aws:iam::123456789012:user/devops" }
      }
    }
  ]
}
"#;
    registry.run(PutRegistryPolicy { text: text.to_owned() }).await.unwrap();
    assert_eq!(registry.run(GetRegistryPolicy).await.unwrap().text, text);
    let delete = || {
        let name = RepositoryName::parse("app").unwrap();
        DeleteRepository { registry_id: None, name, force: true }
    };
    for principal in [&developer, &registry.root] {
        let created = registry.run_as(principal, create_repository("app")).await;
        check_kind(created, ErrorKind::AccessDenied);
    }
    registry.run_as(&devops, create_repository("app")).await.unwrap();
    registry.run_as(&developer, list("app")).await.unwrap();
    check_kind(registry.run_as(&developer, delete()).await, ErrorKind::AccessDenied);
    registry.run_as(&devops, delete()).await.unwrap();

    // An allow alone keeps nobody out.
    let allow = text.replace("Deny", "Allow").replace("ArnNotEquals", "ArnEquals");
    registry.run(PutRegistryPolicy { text: allow }).await.unwrap();
    registry.run_as(&developer, create_repository("app")).await.unwrap();
}

#[tokio::test]
async fn a_policy_that_changes_before_the_transaction_counts() {
    let registry = Registry::new().await;
    let stranger = away(&registry).await;
    let app = registry.create("app").await;
    registry.push_image(&app, "one", &["v1"]).await;
    let allow = policy("Allow", &format!(r#"{{"AWS":"{AWAY}"}}"#), r#""ecr:*""#, "");
    registry.run(set("app", &allow)).await.unwrap();
    let revoke = || -> Vec<Statement> {
        vec![
            ("DELETE FROM repository_policies", Vec::new()),
            (
                "UPDATE versions SET version = version + 1 WHERE name = $1",
                params!["repository-policy:123456789012:us-east-1:app"].to_vec(),
            ),
        ]
    };
    let context = registry.context_of(&stranger);
    let delete = BatchDeleteImage { repository: app.clone(), ids: vec![by_tag("v1")] };
    registry.interposed.before(2, revoke());
    check_kind(registry.run_in(&context, delete).await, ErrorKind::AccessDenied);
    assert!(registry.interposed.has_run());
    assert_eq!(registry.tags(&app).await.unwrap(), ["v1"]);
}

async fn check_by_tags(registry: &Registry, principal: &Principal, name: &str, allowed: bool) {
    let result = registry.run_as(principal, list(name)).await;
    assert_eq!(result.is_ok(), allowed, "{name}");
}

#[tokio::test]
async fn conditions_of_resource_policies() {
    let registry = Registry::new().await;
    let stranger = away(&registry).await;
    for (name, env) in [("dev", "dev"), ("prod", "prod")] {
        let tags = resource_tags(&[("env", env)]);
        registry.run(CreateRepository { tags, ..create_repository(name) }).await.unwrap();
    }
    // The key is written with an escape, which must not hide it.
    let rest = r#","Resource":"*","Condition":{"StringEquals":{"aws:\u0052esourceTag/env":"dev"}}"#;
    let principal = format!(r#"{{"AWS":"{AWAY}"}}"#);
    let text = policy("Allow", &principal, r#""ecr:*""#, rest);
    registry.run(PutRegistryPolicy { text }).await.unwrap();
    check_by_tags(&registry, &stranger, "dev", true).await;
    check_by_tags(&registry, &stranger, "prod", false).await;
    let tags = resource_tags(&[("env", "dev")]);
    registry.run(TagResource { resource: address("prod"), tags }).await.unwrap();
    check_by_tags(&registry, &stranger, "prod", true).await;
    registry.run(DeleteRegistryPolicy).await.unwrap();

    let endpoint =
        |name: &str| Endpoint { name: name.to_owned(), network: Some("vpc-1".to_owned()) };
    type Change = fn(&mut RequestContext, Endpoint);
    let rows: [(&str, Change, bool); 6] = [
        (r#""StringEquals":{"aws:SourceVpce":"vpce-build"}"#, |_, _| {}, false),
        (
            r#""StringEquals":{"aws:SourceVpce":"vpce-build","aws:SourceVpc":"vpc-1"}"#,
            |context, endpoint| context.endpoint = Some(endpoint),
            true,
        ),
        (
            r#""IpAddress":{"aws:VpcSourceIp":"127.0.0.0/8"}"#,
            |context, endpoint| context.endpoint = Some(endpoint),
            true,
        ),
        (
            r#""StringLike":{"aws:Referer":"https://builds.example/*"}"#,
            |context, _| context.referer = "https://builds.example/7".to_owned(),
            true,
        ),
        (r#""Bool":{"aws:SecureTransport":"true"}"#, |_, _| {}, false),
        (r#""Null":{"aws:SourceArn":"true"}"#, |_, _| {}, true),
    ];
    for (condition, change, allowed) in rows {
        let rest = format!(r#","Condition":{{{condition}}}"#);
        registry.run(set("dev", &policy("Allow", &principal, r#""ecr:*""#, &rest))).await.unwrap();
        let mut context = registry.context_of(&stranger);
        change(&mut context, endpoint("vpce-build"));
        assert_eq!(registry.run_in(&context, list("dev")).await.is_ok(), allowed, "{condition}");
    }
}

#[tokio::test]
async fn a_statement_about_a_tag_holds_where_the_image_goes_by_its_digest() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let dev = registry.push_image(&app, "dev", &["dev-1", "dev-2"]).await;
    let prod = registry.push_image(&app, "prod", &["dev-3", "prod-1"]).await;
    let rest = r#","Condition":{"StringLike":{"tonnage:ImageTag":"prod-*"}}"#;
    registry
        .run(set(
            "app",
            &policy("Deny", r#""*""#, r#"["ecr:BatchDeleteImage","ecr:PutImage"]"#, rest),
        ))
        .await
        .unwrap();
    let by = |id| BatchDeleteImage { repository: app.clone(), ids: vec![id] };
    check_kind(registry.run(by(by_tag("prod-1"))).await, ErrorKind::AccessDenied);
    check_kind(registry.run(by(by_digest(&prod.digest))).await, ErrorKind::AccessDenied);
    let both = BatchDeleteImage {
        repository: app.clone(),
        ids: vec![by_digest(&dev.digest), by_digest(&prod.digest)],
    };
    check_kind(registry.run(both).await, ErrorKind::AccessDenied);
    assert_eq!(registry.tags(&app).await.unwrap(), ["dev-1", "dev-2", "dev-3", "prod-1"]);
    registry.run(by(by_digest(&dev.digest))).await.unwrap();
    registry.run(by(by_tag("dev-3"))).await.unwrap();
    assert_eq!(registry.tags(&app).await.unwrap(), ["prod-1"]);
    check_kind(registry.put(&app, &prod, Some("prod-2")).await, ErrorKind::AccessDenied);

    // The digest of a push is the manifest's, whatever the client says of it.
    let image = Pushed::image(&Blob::new("third", 100), &[]);
    let rest =
        format!(r#","Condition":{{"StringEquals":{{"tonnage:ImageDigest":"{}"}}}}"#, image.digest);
    let text = policy("Deny", r#""*""#, r#""ecr:PutImage""#, &rest);
    registry.run(set("app", &text)).await.unwrap();
    let put = put_image(&app, &image, Some("v3"), UploadRules::Distribution);
    check_kind(registry.run(put).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn batches_are_decided_for_every_image() {
    let registry = Registry::new().await;
    let stranger = away(&registry).await;
    let app = registry.create("app").await;
    registry.push_image(&app, "one", &["v1", "v2"]).await;
    let rest = r#","Condition":{"StringEquals":{"tonnage:ImageTag":["v1"]}}"#;
    let principal = format!(r#"{{"AWS":"{AWAY}"}}"#);
    let text = policy("Allow", &principal, r#""ecr:BatchGetImage""#, rest);
    registry.run(set("app", &text)).await.unwrap();
    let get = |tags: &[&str]| {
        let ids = tags.iter().map(|tag| by_tag(tag)).collect();
        BatchGetImage { repository: app.clone(), ids }
    };
    registry.run_as(&stranger, get(&["v1"])).await.unwrap();
    check_kind(registry.run_as(&stranger, get(&["v2"])).await, ErrorKind::AccessDenied);
    check_kind(registry.run_as(&stranger, get(&["v1", "v2"])).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn a_limit_holds_for_everybody_of_the_account() {
    let registry = Registry::new().await;
    let root = away(&registry).await;
    let id = root.account;
    let put = |limited, text: &str| PutAccountLimit {
        management_account: account(),
        account: limited,
        text: text.to_owned(),
    };
    let get = GetAccountLimit { management_account: account(), account: id };
    assert_eq!(registry.run(get.clone()).await.unwrap(), None);
    registry.run_as(&root, create_repository("app")).await.unwrap();
    let limit = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"},
        {"Sid":"NoNew","Effect":"Deny","Action":"ecr:CreateRepository","Resource":"*"}]}"#;
    registry.run(put(id, limit)).await.unwrap();
    assert_eq!(registry.run(get.clone()).await.unwrap().as_deref(), Some(limit));
    let told = format!(
        "User: arn:aws:iam::{AWAY}:root is not authorized to perform: ecr:CreateRepository on \
         resource: arn:aws:ecr:us-east-1:{AWAY}:repository/new with an explicit deny in a service \
         control policy (statement \"NoNew\")"
    );
    let error = registry.run_as(&root, create_repository("new")).await;
    check_error(error, ErrorKind::AccessDenied, &told);
    registry.run_as(&root, GetCallerIdentity).await.unwrap();
    // What it does not allow, nobody of the account may do, not even elsewhere.
    let nothing = r#"{"Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}"#;
    registry.run(put(id, nothing)).await.unwrap();
    registry.create("shared").await;
    let principal = format!(r#"{{"AWS":"{AWAY}"}}"#);
    registry.run(set("shared", &policy("Allow", &principal, r#""ecr:*""#, ""))).await.unwrap();
    check_kind(registry.run_as(&root, list("shared")).await, ErrorKind::AccessDenied);
    let delete = DeleteAccountLimit { management_account: account(), account: id };
    registry.run(delete.clone()).await.unwrap();
    registry.run(delete.clone()).await.unwrap();
    registry.run_as(&root, list("shared")).await.unwrap();

    // Only the management account gives limits, and none to itself.
    check_kind(registry.run_as(&root, put(id, limit)).await, ErrorKind::AccessDenied);
    check_kind(registry.run_as(&root, get).await, ErrorKind::AccessDenied);
    check_kind(registry.run_as(&root, delete).await, ErrorKind::AccessDenied);
    check_kind(registry.run(put(account(), limit)).await, ErrorKind::InvalidParameter);
    let unknown = AccountId::parse("999999999999").unwrap();
    check_kind(registry.run(put(unknown, limit)).await, ErrorKind::AccountNotFound);
    let principal =
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
    let long = format!("{limit}{}", " ".repeat(10_240));
    for text in ["", "{}", principal, &long] {
        check_kind(registry.run(put(id, text)).await, ErrorKind::InvalidParameter);
    }
}

async fn explain(
    registry: &Registry,
    asked: [&str; 3],
    keys: &[(&str, &str)],
) -> Result<Explanation> {
    let [principal, action, resource] = asked.map(str::to_owned);
    let keys =
        keys.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect();
    let management_account = account();
    registry.run(ExplainPolicy { management_account, principal, action, resource, keys }).await
}

#[tokio::test]
async fn an_explanation_is_what_the_authorizer_decides() {
    const APP: &str = "arn:aws:ecr:us-east-1:123456789012:repository/app";
    let registry = Registry::new().await;
    let stranger = away(&registry).await;
    registry.create("app").await;
    let rest = r#","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#;
    let principal = format!(r#"{{"AWS":"{AWAY}"}}"#);
    let text = policy("Allow", &principal, r#""ecr:ListImages""#, rest);
    registry.run(set("app", &text)).await.unwrap();
    let asked = [stranger.arn.as_str(), "ecr:ListImages", APP];
    let denied = explain(&registry, asked, &[]).await.unwrap();
    assert!(!denied.allowed);
    assert_eq!(denied.because, ["no resource-based policy allows it"]);
    assert_eq!(denied.told, "because no resource-based policy allows the ecr:ListImages action");
    let kinds: Vec<_> =
        denied.considered.iter().map(|(kind, name)| format!("{kind}: {name}")).collect();
    assert_eq!(kinds, ["identity-based policy: root", "resource-based policy: repository policy"]);
    let allowed = explain(&registry, asked, &[("aws:SourceIp", "192.0.2.9")]).await.unwrap();
    assert!(allowed.allowed);
    assert_eq!(
        allowed.because,
        [
            r#"allowed by identity-based policy "root", statement 0 ("Everything")"#,
            r#"allowed by resource-based policy "repository policy", statement 0 ("The only one")"#,
        ]
    );
    let value = |key: &str| {
        allowed.keys.iter().find(|(known, _)| known == key).map(|(_, values)| values.join(","))
    };
    assert_eq!(value("aws:sourceip").as_deref(), Some("192.0.2.9"));
    assert_eq!(value("aws:principalarn").as_deref(), Some(stranger.arn.as_str()));
    assert_eq!(value("aws:useragent"), None);

    let root = "arn:aws:iam::123456789012:root";
    for (asked, allowed) in [
        ([root, "ecr:GetAuthorizationToken", "*"], true),
        ([root, "tonnage:ListAccounts", "arn:aws:tonnage::123456789012:deployment"], true),
        (
            [
                stranger.arn.as_str(),
                "tonnage:ListAccounts",
                "arn:aws:tonnage::123456789012:deployment",
            ],
            false,
        ),
        (
            [root, "ecr:DescribeRepositories", "arn:aws:ecr:us-east-1:123456789012:repository/*"],
            true,
        ),
    ] {
        assert_eq!(explain(&registry, asked, &[]).await.unwrap().allowed, allowed, "{asked:?}");
    }
    for asked in [
        ["arn:aws:iam::123456789012:user/nobody", "ecr:ListImages", APP],
        [root, "ListImages", APP],
        [root, "ecr:ListImages", "app"],
        [root, "ecr:ListImages", "arn:aws:s3:::bucket"],
        [root, "ecr:ListImages", "arn:aws-cn:ecr:us-east-1:123456789012:repository/app"],
    ] {
        check_kind(explain(&registry, asked, &[]).await, ErrorKind::InvalidParameter);
    }
    let asking = ExplainPolicy {
        management_account: account(),
        principal: root.to_owned(),
        action: "ecr:ListImages".to_owned(),
        resource: APP.to_owned(),
        keys: Vec::new(),
    };
    check_kind(registry.run_as(&stranger, asking).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn reads_of_a_warm_decision() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let text = policy("Allow", r#""*""#, r#""ecr:*""#, "");
    registry.run(set("app", &text)).await.unwrap();
    registry.run(list("app")).await.unwrap();
    // A document that changed behind the registry's back, under the same version, is not read.
    registry.write(&[("UPDATE repository_policies SET document = 'nonsense'", Vec::new())]).await;
    registry.run(list("app")).await.unwrap();
    let bump: Statement = (
        "UPDATE versions SET version = version + 1 WHERE name = $1",
        params!["repository-policy:123456789012:us-east-1:app"].to_vec(),
    );
    registry.write(&[bump]).await;
    check_kind(registry.run(list("app")).await, ErrorKind::Internal);
}

/// Who is denied a listing of `app`, and how it is written down and explained.
async fn check_explained(text: &str, own: &str, explicit: bool, expected: &str) {
    let registry = Registry::new().await;
    registry.create("app").await;
    registry.run(set("app", text)).await.unwrap();
    let user = registry.principal("limited", own).await;
    let denied = registry.run_as(&user, list("app")).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::AccessDenied);
    assert!(chain(&denied).contains(expected), "{}", chain(&denied));

    audit::flush(&registry.app).await.unwrap();
    let rows = registry
        .rows("SELECT operation, principal_arn, resources, denial FROM access_records WHERE denial IS NOT NULL")
        .await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][..2], ["ListTags".to_owned(), user.arn.clone()]);
    assert!(rows[0][2].ends_with("repository/app"), "{rows:?}");
    assert!(rows[0][3].contains(expected), "{rows:?}");

    let message = encode(&registry.app, denied.denied().unwrap()).await.unwrap();
    let decode = |message: &str| DecodeAuthorizationMessage { message: message.to_owned() };
    let told = registry.run(decode(&message)).await.unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["allowed"], &told["explicitDeny"]), (&false.into(), &explicit.into()));
    assert!(told.to_string().contains(expected), "{told}");
    assert_eq!(told["context"]["action"], "ecr:ListImages");
    assert_eq!(told["context"]["principal"]["arn"], user.arn.as_str());
    let keys = told["context"]["conditions"]["items"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["key"] == "aws:sourceip"), "{told}");

    let mut damaged = message.clone().into_bytes();
    *damaged.last_mut().unwrap() ^= 1;
    let damaged = String::from_utf8(damaged).unwrap();
    for wrong in [damaged.as_str(), "", "a.b.c.d", &message[1..]] {
        let result = registry.run(decode(wrong)).await;
        check_kind(result, ErrorKind::InvalidAuthorizationMessage);
    }
    let away = away(&registry).await;
    check_kind(
        registry.run_as(&away, decode(&message)).await,
        ErrorKind::InvalidAuthorizationMessage,
    );
    if own != EVERYTHING {
        let not_theirs = registry.run_as(&user, decode(&message)).await;
        check_kind(not_theirs, ErrorKind::AccessDenied);
    }
    // What others are denied is not explained to them.
    let denied = registry.run_as(&away, list("app")).await.unwrap_err();
    assert_eq!(denied.denied(), None);
}

#[tokio::test]
async fn a_denial_is_written_down_and_explained() {
    let deny = policy("Deny", r#""*""#, r#""ecr:ListImages""#, "");
    let allow = policy("Allow", r#""*""#, r#""ecr:DescribeImages""#, "");
    check_explained(&deny, EVERYTHING, true, "The only one").await;
    let other = NOBODY.replace("sts:*", "ecr:DescribeImages");
    check_explained(&allow, &other, false, "no identity-based policy allows it").await;
}

#[tokio::test]
async fn messages_do_not_tell_by_their_length() {
    let registry = Registry::new().await;
    registry.create("app").await;
    let user = registry.principal("limited", NOBODY).await;
    let mut lengths = Vec::new();
    for name in ["app", "absent/with/a/much/longer/name"] {
        let denied = registry.run_as(&user, list(name)).await.unwrap_err();
        lengths.push(encode(&registry.app, denied.denied().unwrap()).await.unwrap().len());
    }
    assert_eq!(lengths[0], lengths[1]);
}

#[tokio::test]
async fn a_loop_of_denials_is_written_down_once_a_minute() {
    let registry = Registry::new().await;
    let user = registry.principal("limited", NOBODY).await;
    let records = async || {
        audit::flush(&registry.app).await.unwrap();
        registry.rows("SELECT id FROM access_records WHERE denial IS NOT NULL").await.len()
    };
    let ask = async |name: &str| {
        check_kind(registry.run_as(&user, list(name)).await, ErrorKind::AccessDenied);
    };
    for _ in 0..3 {
        ask("app").await;
    }
    assert_eq!(records().await, 1);
    ask("app").await;
    ask("other").await;
    assert_eq!(records().await, 2);
    registry.clock.advance_seconds(60);
    ask("app").await;
    assert_eq!(records().await, 3);
    // Whoever asks for something else every time fills no disk.
    for number in 0..200 {
        ask(&format!("scan/{number}")).await;
    }
    assert_eq!(records().await, 53);
}
