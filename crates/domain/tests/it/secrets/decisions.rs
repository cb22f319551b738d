//! Who may do what with a secret, and what a refusal tells.

use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::policies::explain::ExplainPolicy;
use tonnage_domain::secrets::create_secret::CreateSecret;
use tonnage_domain::secrets::describe_secret::DescribeSecret;
use tonnage_domain::secrets::list_secrets::{ListSecrets, SortBy};
use tonnage_domain::secrets::tags::TagSecret;

use super::{create, delete, get, id};
use crate::registry::{ACCOUNT, Registry, check_kind, page, resource_tags};

fn allow(action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"{condition}}}}}"#
    )
}

/// Whether somebody with this one statement may read the secret.
async fn reads(registry: &Registry, document: &str, secret: &str) -> &'static str {
    let somebody = registry.principal("somebody", document).await;
    let result = registry.run_as(&somebody, get(secret)).await;
    registry
        .write(&[
            (
                "DELETE FROM principal_policies WHERE principal_id = \
                 (SELECT id FROM principals WHERE name = 'somebody')",
                Vec::new(),
            ),
            ("DELETE FROM principals WHERE name = 'somebody'", Vec::new()),
            crate::registry::bump(ACCOUNT),
        ])
        .await;
    match result {
        Ok(_) => "read",
        Err(error) if error.kind() == ErrorKind::NoSuchEntity => "not found",
        Err(error) if error.kind() == ErrorKind::AccessDenied => "denied",
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn policies_match_the_whole_arn_however_the_secret_is_named() {
    let registry = Registry::new().await;
    let tags = resource_tags(&[("team", "build")]);
    let make = CreateSecret { tags, ..create("app/db", "one") };
    let arn = registry.run(make).await.unwrap().secret.arn;
    let prefix = format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:");
    let check = async |resource: &str, condition: &str, expected: &str| {
        let document = allow("secretsmanager:GetSecretValue", resource, condition);
        for name in ["app/db", &arn, &arn[..arn.len() - 7]] {
            let found = reads(&registry, &document, name).await;
            assert_eq!(found, expected, "{resource} {condition} {name}");
        }
    };
    check("*", "", "read").await;
    check(&arn, "", "read").await;
    check(&format!("{prefix}app/*"), "", "read").await;
    check(&format!("{prefix}app/db-??????"), "", "read").await;
    check(&format!("{prefix}app/db"), "", "denied").await;
    check(&format!("{prefix}app/db-XXXXXX"), "", "denied").await;
    check(&format!("{prefix}web/*"), "", "denied").await;
    let when = |key: &str, value: &str| {
        format!(r#","Condition":{{"StringEquals":{{"{key}":"{value}"}}}}"#)
    };
    check("*", &when("aws:ResourceTag/team", "build"), "read").await;
    check("*", &when("aws:ResourceTag/team", "other"), "denied").await;
    check("*", &when("secretsmanager:ResourceTag/team", "build"), "read").await;
    check("*", &when("ecr:ResourceTag/team", "build"), "denied").await;
    check("*", &when("secretsmanager:VersionStage", "AWSCURRENT"), "read").await;
    check("*", &when("secretsmanager:VersionStage", "AWSPENDING"), "denied").await;
}

#[tokio::test]
async fn a_refusal_does_not_tell_whether_there_is_such_a_secret() {
    let registry = Registry::new().await;
    let arn = registry.run(create("there", "one")).await.unwrap().secret.arn;
    let allowed = allow("secretsmanager:ListSecrets", "*", "");
    let somebody = registry.principal("another", &allowed).await;
    let told = async |name: &str| {
        let error = registry.run_as(&somebody, get(name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccessDenied);
        error.message().replace("missing", "there")
    };
    let expected = format!(
        "User: {} is not authorized to perform: secretsmanager:GetSecretValue on resource: \
         arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:there-?????? because no \
         identity-based policy allows the secretsmanager:GetSecretValue action",
        somebody.arn
    );
    assert_eq!(told("there").await, expected);
    assert_eq!(told("missing").await, expected);
    assert_eq!(told(&arn[..arn.len() - 7]).await, expected);
    // Whoever may read every secret of a path learns that one is not there.
    let path = format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:team/*");
    let document = allow("secretsmanager:GetSecretValue", &path, "");
    assert_eq!(reads(&registry, &document, "team/missing").await, "not found");
    assert_eq!(reads(&registry, &document, "missing").await, "denied");
}

#[tokio::test]
async fn making_one_takes_the_right_for_its_name_and_its_tags() {
    let registry = Registry::new().await;
    let prefix = format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:");
    let mut number = 0;
    let mut check = async |document: &str, name: &str, tagged: bool, allowed: bool| {
        number += 1;
        let somebody = registry.principal(&"x".repeat(number), document).await;
        let tags = if tagged { resource_tags(&[("team", "build")]) } else { Vec::new() };
        let result = registry.run_as(&somebody, CreateSecret { tags, ..create(name, "one") }).await;
        match allowed {
            true => assert_eq!(result.unwrap().secret.name, name),
            false => check_kind(result, ErrorKind::AccessDenied),
        }
    };
    let create = "secretsmanager:CreateSecret";
    check(&allow(create, &format!("{prefix}app/*"), ""), "app/a", false, true).await;
    check(&allow(create, &format!("{prefix}app/*"), ""), "web/a", false, false).await;
    check(&allow(create, &format!("{prefix}app/b-??????"), ""), "app/b", false, true).await;
    check(&allow(create, "*", ""), "app/c", true, false).await;
    let both = r#"secretsmanager:CreateSecret","secretsmanager:TagResource"#;
    let both = allow(both, "*", "").replace(r#""Action":"#, r#""Action":["#);
    let both = both.replace(r#","Resource""#, r#"],"Resource""#);
    check(&both, "app/d", true, true).await;
    let named = r#","Condition":{"StringLike":{"secretsmanager:Name":"app/*"}}"#;
    check(&allow(create, "*", named), "app/e", false, true).await;
    check(&allow(create, "*", named), "web/e", false, false).await;
}

#[tokio::test]
async fn a_tag_and_a_new_secret_of_the_name_change_decisions() {
    let registry = Registry::new().await;
    let first = registry.run(create("app", "one")).await.unwrap().secret.arn;
    let of_first = registry.principal("first", &allow("secretsmanager:*", &first, "")).await;
    let tagged = r#","Condition":{"StringEquals":{"aws:ResourceTag/open":"yes"}}"#;
    let of_tag = registry.principal("tag", &allow("secretsmanager:*", "*", tagged)).await;
    let sees = async |principal| -> Result<String> {
        let found = registry.run_as(principal, DescribeSecret { id: id("app") }).await?;
        Ok(found.secret.arn)
    };
    assert_eq!(sees(&of_first).await.unwrap(), first);
    check_kind(sees(&of_tag).await, ErrorKind::AccessDenied);
    let tags = resource_tags(&[("open", "yes")]);
    registry.run(TagSecret { id: id("app"), tags }).await.unwrap();
    assert_eq!(sees(&of_tag).await.unwrap(), first);
    registry.run(delete("app", None, true)).await.unwrap();
    registry.run(create("app", "one")).await.unwrap();
    check_kind(sees(&of_first).await, ErrorKind::AccessDenied);
    check_kind(sees(&of_tag).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn no_other_account_has_a_part_in_it() {
    let registry = Registry::new().await;
    let arn = registry.run(create("app", "one")).await.unwrap().secret.arn;
    let theirs = arn.replace(ACCOUNT, "210987654321");
    check_kind(registry.run(get(&theirs)).await, ErrorKind::AccessDenied);
    let list = ListSecrets {
        include_deleted: true,
        filters: Vec::new(),
        sort_by: SortBy::Created,
        descending: true,
        page: page(None, 100),
    };
    let somebody = registry.principal("somebody", &allow("ecr:*", "*", "")).await;
    check_kind(registry.run_as(&somebody, list).await, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn a_decision_about_a_secret_is_explained() {
    let registry = Registry::new().await;
    let arn = registry.run(create("app", "one")).await.unwrap().secret.arn;
    let somebody =
        registry.principal("somebody", &allow("secretsmanager:GetSecretValue", &arn, "")).await;
    let explain = |resource: &str| ExplainPolicy {
        management_account: registry.app.management_account,
        principal: somebody.arn.clone(),
        action: "secretsmanager:GetSecretValue".to_owned(),
        resource: resource.to_owned(),
        keys: Vec::new(),
    };
    for (resource, allowed) in
        [(arn.as_str(), true), (&arn[..arn.len() - 7], true), (&arn.replace("app", "web"), false)]
    {
        let explained = registry.run(explain(resource)).await.unwrap();
        assert_eq!(explained.allowed, allowed, "{resource}");
    }
    let wrong = arn.replace(":secret:", ":other:");
    check_kind(registry.run(explain(&wrong)).await, ErrorKind::InvalidParameter);
}
