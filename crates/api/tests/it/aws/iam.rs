//! IAM and STS on the wire.

use secrecy::SecretString;
use tonnage_api::sigv4::Credentials;

use super::{error_of, operation};
use crate::registry::{Answer, Plain, Registry};

const ECR: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;

fn form(service: &str, action: &str, parameters: &[(&str, &str)]) -> Plain {
    let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", version);
    form.extend_pairs(parameters);
    Plain::form(service, form.finish())
}

/// The text of the first element of this name.
#[track_caller]
fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let after = answer.body.split_once(&format!("<{name}>"));
    let (_, after) = after.unwrap_or_else(|| panic!("no {name} in {}", answer.body));
    after.split_once('<').unwrap().0
}

impl Registry {
    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let answer = self.send(&form("iam", action, parameters)).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.body);
        let root =
            format!("<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">");
        assert!(answer.body.contains(&root), "{}", answer.body);
        answer
    }

    async fn iam_error(&self, action: &str, parameters: &[(&str, &str)]) -> (u16, String, String) {
        let answer = self.send(&form("iam", action, parameters)).await;
        let code = text(&answer, "Code").to_owned();
        (answer.status.as_u16(), code, text(&answer, "Message").to_owned())
    }

    async fn user(&self, name: &str) -> Credentials {
        self.iam("CreateUser", &[("UserName", name)]).await;
        let key = self.iam("CreateAccessKey", &[("UserName", name)]).await;
        Credentials {
            access_key_id: text(&key, "AccessKeyId").to_owned(),
            secret: SecretString::from(text(&key, "SecretAccessKey").to_owned()),
            session_token: None,
        }
    }
}

fn temporary(answer: &Answer) -> Credentials {
    Credentials {
        access_key_id: text(answer, "AccessKeyId").to_owned(),
        secret: SecretString::from(text(answer, "SecretAccessKey").to_owned()),
        session_token: Some(SecretString::from(text(answer, "SessionToken").to_owned())),
    }
}

fn describe() -> Plain {
    operation("DescribeRepositories", &serde_json::json!({}))
}

#[tokio::test]
async fn users_are_made_and_use_their_keys() {
    let registry = Registry::open().await;
    let tags = [
        ("UserName", "alice"),
        ("Path", "/team/"),
        ("Tags.member.1.Key", "env"),
        ("Tags.member.1.Value", "prod"),
    ];
    let made = registry.iam("CreateUser", &tags).await;
    assert_eq!(text(&made, "Arn"), "arn:aws:iam::123456789012:user/team/alice");
    assert_eq!(text(&made, "CreateDate"), "2026-02-03T04:05:06Z");
    assert!(
        made.body.contains("<Tags><member><Key>env</Key><Value>prod</Value></member></Tags>"),
        "{}",
        made.body
    );
    let bob = registry.user("bob").await;
    let untagged = registry.iam("GetUser", &[("UserName", "bob")]).await;
    assert!(!untagged.body.contains("Tags"), "{}", untagged.body);
    let refused = registry.send_as(&bob, &describe()).await;
    let (code, _, message) = error_of(&refused);
    assert_eq!(code, "AccessDeniedException");
    assert_eq!(
        message,
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: \
         ecr:DescribeRepositories on resource: \
         arn:aws:ecr:us-east-1:123456789012:repository/* because no identity-based policy allows \
         the ecr:DescribeRepositories action"
    );
    let policy = [("UserName", "bob"), ("PolicyName", "ecr"), ("PolicyDocument", ECR)];
    let put = registry.iam("PutUserPolicy", &policy).await;
    assert!(!put.body.contains("Result"), "{}", put.body);
    assert_eq!(registry.send_as(&bob, &describe()).await.status, 200);
    let get = registry.iam("GetUserPolicy", &policy[..2]).await;
    assert!(text(&get, "PolicyDocument").starts_with("%7B%22Version%22%3A%222012-10-17%22"));

    let page = registry.iam("ListUsers", &[("MaxItems", "1")]).await;
    assert_eq!((text(&page, "UserName"), text(&page, "IsTruncated")), ("alice", "true"));
    let marker = text(&page, "Marker").to_owned();
    let page = registry.iam("ListUsers", &[("Marker", &marker)]).await;
    assert_eq!((text(&page, "UserName"), text(&page, "IsTruncated")), ("bob", "false"));
    let (_, code, _) = registry.iam_error("ListGroups", &[("Marker", &marker)]).await;
    assert_eq!(code, "ValidationError");
}

#[tokio::test]
async fn refusals_have_the_codes_of_iam() {
    let registry = Registry::open().await;
    registry.user("alice").await;
    let check = async |action, parameters: &[(&str, &str)], status, code: &str, message: &str| {
        let found = registry.iam_error(action, parameters).await;
        assert_eq!(found, (status, code.to_owned(), message.to_owned()), "{action}");
    };
    check(
        "CreateUser",
        &[("UserName", "ALICE")],
        409,
        "EntityAlreadyExists",
        "User with name ALICE already exists.",
    )
    .await;
    check(
        "GetUser",
        &[("UserName", "bob")],
        404,
        "NoSuchEntity",
        "The user with name bob cannot be found.",
    )
    .await;
    check(
        "DeleteUser",
        &[("UserName", "alice")],
        409,
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    )
    .await;
    check(
        "AttachUserPolicy",
        &[("UserName", "alice"), ("PolicyArn", "arn:aws:iam::123456789012:policy/none")],
        404,
        "NoSuchEntity",
        "Policy arn:aws:iam::123456789012:policy/none does not exist or is not attachable.",
    )
    .await;
    for second in ["env", "ENV"] {
        check(
            "TagUser",
            &[
                ("UserName", "alice"),
                ("Tags.member.1.Key", "env"),
                ("Tags.member.1.Value", "1"),
                ("Tags.member.2.Key", second),
                ("Tags.member.2.Value", "2"),
            ],
            400,
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
        .await;
    }
    check(
        "CreateUser",
        &[("UserName", "a/b")],
        400,
        "ValidationError",
        "1 validation error detected: Value &apos;a/b&apos; at &apos;userName&apos; failed to \
         satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+",
    )
    .await;
    check(
        "CreateUser",
        &[],
        400,
        "ValidationError",
        "1 validation error detected: Value null at &apos;userName&apos; failed to satisfy \
         constraint: Member must not be null",
    )
    .await;
    let policy = [("UserName", "alice"), ("PolicyName", "p"), ("PolicyDocument", "{}")];
    let (status, code, _) = registry.iam_error("PutUserPolicy", &policy).await;
    assert_eq!((status, code.as_str()), (400, "MalformedPolicyDocument"));
    check(
        "CreateSAMLProvider",
        &[("Name", "x"), ("SAMLMetadataDocument", &"x".repeat(1000))],
        400,
        "UnsupportedOperation",
        "Tonnage does not serve iam:CreateSAMLProvider yet; the compatibility page lists what it \
         serves.",
    )
    .await;
    check(
        "Nonsense",
        &[],
        400,
        "InvalidAction",
        "Could not find operation Nonsense for version 2010-05-08",
    )
    .await;
}

#[tokio::test]
async fn sessions_sign_with_their_token() {
    let registry = Registry::open().await;
    let alice = registry.user("alice").await;
    let policy = [("UserName", "alice"), ("PolicyName", "p"), ("PolicyDocument", ECR)];
    registry.iam("PutUserPolicy", &policy).await;
    let answer = registry.send_as(&alice, &form("sts", "GetSessionToken", &[])).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(text(&answer, "Expiration"), "2026-02-03T16:05:06Z");
    let session = temporary(&answer);
    assert_eq!(registry.send_as(&session, &describe()).await.status, 200);
    let identity = registry.send_as(&session, &form("sts", "GetCallerIdentity", &[])).await;
    assert_eq!(text(&identity, "Arn"), "arn:aws:iam::123456789012:user/alice");

    let without = Credentials { session_token: None, ..session.clone() };
    let (code, ..) = error_of(&registry.send_as(&without, &describe()).await);
    assert_eq!(code, "UnrecognizedClientException");
    let other = Credentials { session_token: session.session_token.clone(), ..alice.clone() };
    let (code, ..) = error_of(&registry.send_as(&other, &describe()).await);
    assert_eq!(code, "UnrecognizedClientException");
    let refused = registry.send_as(&without, &form("sts", "GetCallerIdentity", &[])).await;
    assert_eq!(text(&refused, "Code"), "InvalidClientTokenId");

    let id = alice.access_key_id.as_str();
    let status = |status| [("UserName", "alice"), ("AccessKeyId", id), ("Status", status)];
    registry.iam("UpdateAccessKey", &status("Inactive")).await;
    let (code, ..) = error_of(&registry.send_as(&session, &describe()).await);
    assert_eq!(code, "UnrecognizedClientException");
    registry.iam("UpdateAccessKey", &status("Active")).await;
    registry.clock.advance_seconds(12 * 3600 + 1);
    let (code, ..) = error_of(&registry.send_as(&session, &describe()).await);
    assert_eq!(code, "ExpiredTokenException");
    let refused = registry.send_as(&session, &form("sts", "GetCallerIdentity", &[])).await;
    assert_eq!((refused.status.as_u16(), text(&refused, "Code")), (403, "ExpiredToken"));
}

#[tokio::test]
async fn a_role_of_another_account_is_assumed() {
    let registry = Registry::open().await;
    let other = registry.create_account("210987654321").await;
    let alice = registry.user("alice").await;
    let sts = ECR.replace("ecr:*", "sts:AssumeRole");
    let policy = [("UserName", "alice"), ("PolicyName", "p"), ("PolicyDocument", sts.as_str())];
    registry.iam("PutUserPolicy", &policy).await;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/alice"},"Action":"sts:AssumeRole"}}"#;
    let create = [("RoleName", "deploy"), ("AssumeRolePolicyDocument", trust)];
    let made = registry.send_as(&other, &form("iam", "CreateRole", &create)).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let read_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    let attach = [("RoleName", "deploy"), ("PolicyArn", read_only)];
    let attached = registry.send_as(&other, &form("iam", "AttachRolePolicy", &attach)).await;
    assert_eq!(attached.status, 200, "{}", attached.body);
    let role = text(&made, "Arn");
    let assume = [("RoleArn", role), ("RoleSessionName", "build")];
    let answer = registry.send_as(&alice, &form("sts", "AssumeRole", &assume)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(text(&answer, "Arn"), "arn:aws:sts::210987654321:assumed-role/deploy/build");
    let session = temporary(&answer);
    assert_eq!(registry.send_as(&session, &describe()).await.status, 200);
    let create = operation("CreateRepository", &serde_json::json!({"repositoryName": "app"}));
    let (code, ..) = error_of(&registry.send_as(&session, &create).await);
    assert_eq!(code, "AccessDeniedException");
    let bob = registry.user("bob").await;
    let refused = registry.send_as(&bob, &form("sts", "AssumeRole", &assume)).await;
    assert_eq!((refused.status.as_u16(), text(&refused, "Code")), (403, "AccessDenied"));
}

#[tokio::test]
async fn everything_in_an_account_is_told() {
    let registry = Registry::open().await;
    registry.user("alice").await;
    registry.iam("CreateGroup", &[("GroupName", "staff")]).await;
    registry.iam("AddUserToGroup", &[("GroupName", "staff"), ("UserName", "alice")]).await;
    let policy = [("PolicyName", "own"), ("PolicyDocument", ECR)];
    let own = registry.iam("CreatePolicy", &policy).await;
    let arn = text(&own, "Arn");
    registry.iam("AttachGroupPolicy", &[("GroupName", "staff"), ("PolicyArn", arn)]).await;
    let entities = registry.iam("ListEntitiesForPolicy", &[("PolicyArn", arn)]).await;
    assert_eq!(text(&entities, "GroupName"), "staff");
    let summary = registry.iam("GetAccountSummary", &[]).await;
    assert!(summary.body.contains("<entry><key>Users</key><value>1</value></entry>"));
    let mut all = String::new();
    let mut marker = None::<String>;
    loop {
        let mut parameters = vec![("MaxItems", "2")];
        if let Some(marker) = &marker {
            parameters.push(("Marker", marker.as_str()));
        }
        let page = registry.iam("GetAccountAuthorizationDetails", &parameters).await;
        all.push_str(&page.body);
        if text(&page, "IsTruncated") == "false" {
            break;
        }
        marker = Some(text(&page, "Marker").to_owned());
    }
    for expected in ["<UserName>alice<", "<GroupName>staff<", "<PolicyName>own<", "ReadOnlyAccess<"]
    {
        assert!(all.contains(expected), "{expected}");
    }
    assert_eq!(all.matches("<UserId>").count(), 1);
    for action in ["ListMFADevices", "ListSigningCertificates", "ListSSHPublicKeys"] {
        registry.iam(action, &[("UserName", "alice")]).await;
    }
    for action in [
        "ListAccountAliases",
        "ListOpenIDConnectProviders",
        "ListVirtualMFADevices",
        "ListPolicies",
        "ListRoles",
        "ListInstanceProfiles",
    ] {
        registry.iam(action, &[]).await;
    }
}
