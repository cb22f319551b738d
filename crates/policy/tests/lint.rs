//! Findings of the linter, one row each: what is found, and what is not.
#![allow(clippy::panic, reason = "a failing test is meant to panic")]

use tonnage_policy::lint::{KnownAction, lint};
use tonnage_policy::{Limits, PolicyKind};

const fn action(service: &'static str, name: &'static str, without_resource: bool) -> KnownAction {
    KnownAction { service, name, without_resource }
}

const KNOWN: &[KnownAction] = &[
    action("ecr", "BatchGetImage", false),
    action("ecr", "PutImage", false),
    action("ecr", "GetAuthorizationToken", true),
    action("sts", "AssumeRole", false),
];

#[track_caller]
fn check_as(kind: PolicyKind, text: &str, expected: &[&str]) {
    let found: Vec<String> = match lint(text, kind, &Limits::default(), KNOWN) {
        Ok(findings) => findings
            .iter()
            .map(|finding| format!("{} {}: {}", finding.severity, finding.path, finding.message))
            .collect(),
        Err(error) => vec![format!("parse {error}")],
    };
    assert_eq!(found, expected, "{text}");
}

/// One statement of an identity policy; what it does not say is harmless.
#[track_caller]
fn check(members: &str, expected: &[&str]) {
    let defaults = [
        (r#""Effect""#, r#""Effect":"Allow""#),
        (r#"Action""#, r#""Action":"ecr:PutImage""#),
        (r#"Resource""#, r#""Resource":"arn:aws:ecr:r:111122223333:repository/a""#),
    ];
    let mut members = members.to_owned();
    for (name, member) in defaults {
        if !members.contains(name) {
            members =
                if members.is_empty() { member.to_owned() } else { format!("{members},{member}") };
        }
    }
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#);
    check_as(PolicyKind::Identity, &text, expected);
}

#[test]
fn actions_exist() {
    check("", &[]);
    check(r#""Action":["ecr:putimage","ECR:Batch*"]"#, &[]);
    check(
        r#""Action":["ecr:PutImages","ecr:PutImage"]"#,
        &["error $.Statement[0].Action: ecr:PutImages matches no action of ecr"],
    );
    check(
        r#""NotAction":"ecr:Nothing*","Effect":"Deny""#,
        &["error $.Statement[0].NotAction: ecr:Nothing* matches no action of ecr"],
    );
    check(
        r#""Action":"s3:GetObject""#,
        &[
            "warning $.Statement[0].Action: s3:GetObject: s3 is no service that policies here decide",
        ],
    );
}

#[test]
fn grants_are_not_wider_than_meant() {
    check(
        r#""Action":"*","Resource":"*""#,
        &["warning $.Statement[0].Action: * on every resource: list the actions or the resources"],
    );
    check(
        r#""Action":"ecr:*","Resource":["a","*"]"#,
        &["parse $.Statement[0].Resource[0]: a resource is an ARN or *"],
    );
    check(
        r#""Action":"ecr:*","Resource":"*""#,
        &[
            "warning $.Statement[0].Action: ecr:* on every resource: list the actions or the resources",
        ],
    );
    check(r#""Action":"*","Resource":"*","Effect":"Deny""#, &[]);
    check(r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:UserId":"x"}}"#, &[]);
    check(
        r#""NotAction":"ecr:PutImage""#,
        &["warning $.Statement[0].NotAction: allows every other action, also those that do not \
           exist yet; list what is allowed"],
    );
    check(
        r#""NotResource":"arn:aws:ecr:r:111122223333:repository/a""#,
        &[
            "warning $.Statement[0].NotResource: allows on every other resource, also those that do \
           not exist yet",
        ],
    );
    let everyone =
        r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"ecr:PutImage"}}"#;
    check_as(
        PolicyKind::Resource,
        everyone,
        &[
            "warning $.Statement[0].Principal: allows everyone, other accounts too; name principals \
           or add a condition",
        ],
    );
    check_as(PolicyKind::Resource, &everyone.replace("Allow", "Deny"), &[]);
    check_as(PolicyKind::Identity, everyone, &["parse $.Statement: Principal is not allowed here"]);
}

#[test]
fn resources_can_match() {
    check(
        r#""Action":"ecr:GetAuthorizationToken""#,
        &["error $.Statement[0].Resource: ecr:GetAuthorizationToken acts on no resource: only \
           \"*\" matches it"],
    );
    check(r#""Action":"ecr:GetAuthorizationToken","Resource":"*""#, &[]);
    check(r#""Action":"ecr:Get*""#, &[]);
}

#[test]
fn conditions_can_hold() {
    let condition =
        |text: &str, expected: &[&str]| check(&format!(r#""Condition":{text}"#), expected);
    let never = "error $.Statement[0].Condition[\"aws:sourceip\"]: the operator cannot compare \
                 this key's values, so the statement never allows";
    condition(r#"{"Bool":{"aws:SourceIp":"true"}}"#, &[never]);
    condition(r#"{"NumericEquals":{"aws:SourceIp":"1"}}"#, &[never]);
    condition(r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, &[]);
    condition(r#"{"DateLessThan":{"aws:EpochTime":"2030-01-01T00:00:00Z"}}"#, &[]);
    condition(r#"{"NumericLessThan":{"aws:EpochTime":"1"}}"#, &[]);
    condition(r#"{"NumericLessThan":{"tonnage:Anything":"1"}}"#, &[]);
    check(
        r#""Effect":"Deny","Condition":{"IpAddress":{"aws:UserAgent":"10.0.0.0/8"}}"#,
        &["error $.Statement[0].Condition[\"aws:useragent\"]: the operator cannot compare this \
           key's values, so the statement denies whatever else it says"],
    );
    condition(
        r#"{"StringLike":{"aws:SourceIp":"10.*"}}"#,
        &["warning $.Statement[0].Condition[\"aws:sourceip\"]: compares addresses as text; \
           IpAddress takes networks"],
    );
    condition(
        r#"{"StringEquals":{"aws:SourceVpcs":"x"}}"#,
        &["warning $.Statement[0].Condition[\"aws:sourcevpcs\"]: no such global condition key"],
    );
    condition(r#"{"StringEquals":{"aws:RequestTag/Team":"x"}}"#, &[]);
    condition(
        r#"{"Null":{"aws:UserId":"true"},"StringEquals":{"aws:userid":"x"}}"#,
        &[
            "error $.Statement[0].Condition[\"aws:userid\"]: never holds: the key must be absent and \
           have a value",
        ],
    );
    condition(r#"{"Null":{"aws:UserId":"true"},"StringEqualsIfExists":{"aws:userid":"x"}}"#, &[]);
    condition(
        r#"{"StringEquals":{"aws:UserId":["a","b"]},"StringNotEquals":{"aws:UserId":["b","a","c"]}}"#,
        &["error $.Statement[0].Condition[\"aws:userid\"]: never holds: every value is also \
           excluded"],
    );
    condition(
        r#"{"StringEquals":{"aws:UserId":["a","b"]},"StringNotEquals":{"aws:UserId":"b"}}"#,
        &[],
    );
    condition(
        r#"{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}"#,
        &[
            "warning $.Statement[0].Condition[\"aws:tagkeys\"]: ForAllValues also holds when the key \
           is absent; add a Null condition with \"false\"",
        ],
    );
    condition(
        r#"{"ForAllValues:StringEquals":{"aws:TagKeys":"a"},"Null":{"aws:TagKeys":"false"}}"#,
        &[],
    );
}

#[test]
fn variables_need_the_version_that_has_them() {
    let text = r#"{"Statement":[{"Effect":"Allow","Action":"ecr:PutImage","Resource":"arn:aws:ecr:r:111122223333:repository/${aws:username}"}]}"#;
    check_as(
        PolicyKind::Identity,
        text,
        &["warning $.Version: policy variables are plain text in this version; use \"2012-10-17\""],
    );
}
