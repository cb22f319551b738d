//! The evaluator against a slow, obvious one.
//!
//! The obvious one reads the JSON tree anew for every question, matches wildcards by their
//! definition and knows nothing of compiled patterns. Policies and requests are generated from a
//! vocabulary small enough that statements often match.
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a failing test is meant to panic")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use tonnage_policy::{
    Context, Outcome, Policy, PolicyKind, PolicySet, Principal, PrincipalKind, Reason, Request,
    evaluate,
};

const HOME: &str = "111122223333";

type Values = BTreeMap<String, Vec<String>>;

/// The obvious evaluator. `None` stands for "cannot be evaluated".
mod obvious {
    use super::*;

    pub(super) struct Asked {
        pub(super) action: String,
        pub(super) resource: String,
        pub(super) principal: Principal<'static>,
        pub(super) values: Values,
    }

    fn list(value: &Value) -> Vec<String> {
        match value {
            Value::Array(items) => items.iter().flat_map(list).collect(),
            Value::String(text) => vec![text.clone()],
            other => vec![other.to_string()],
        }
    }

    fn any(items: impl Iterator<Item = Option<bool>>) -> Option<bool> {
        let items: Vec<_> = items.collect();
        if items.contains(&Some(true)) {
            Some(true)
        } else if items.contains(&None) {
            None
        } else {
            Some(false)
        }
    }

    fn all(items: impl Iterator<Item = Option<bool>>) -> Option<bool> {
        not(any(items.map(not)))
    }

    fn not(item: Option<bool>) -> Option<bool> {
        item.map(|holds| !holds)
    }

    /// A character and whether it is literal.
    type Characters = Vec<(char, bool)>;

    enum Substituted {
        Nothing,
        Several,
        One(Characters),
    }

    fn substitute(text: &str, wildcards: bool, values: &Values) -> Substituted {
        let mut result: Characters = Vec::new();
        let mut rest = text.to_owned();
        while !rest.is_empty() {
            if !rest.starts_with("${") {
                let first = rest.remove(0);
                result.push((first, !wildcards || (first != '*' && first != '?')));
                continue;
            }
            let end = rest.find('}').expect("generated variables are closed");
            let body = rest[2..end].to_owned();
            rest = rest[end + 1..].to_owned();
            let value = match body.as_str() {
                "*" | "?" | "$" => body,
                body => {
                    let (key, default) = match body.split_once(", ") {
                        Some((key, default)) => (key, Some(default.trim_matches('\'').to_owned())),
                        None => (body, None),
                    };
                    match (values.get(&key.to_lowercase()).map(Vec::as_slice), default) {
                        (None, None) => return Substituted::Nothing,
                        (None, Some(default)) => default,
                        (Some([one]), _) => one.clone(),
                        (Some(_), _) => return Substituted::Several,
                    }
                }
            };
            result.extend(value.chars().map(|c| (c, true)));
        }
        Substituted::One(result)
    }

    /// `bounded`: a `*` takes colons only before a colon or at the end.
    fn glob(pattern: &[(char, bool)], text: &[char], bounded: bool) -> bool {
        match pattern {
            [] => text.is_empty(),
            [('*', false), rest @ ..] => {
                let across = !bounded || matches!(rest, [] | [(':', _), ..]);
                (0..=text.len())
                    .take_while(|taken| across || !text[..*taken].contains(&':'))
                    .any(|taken| glob(rest, &text[taken..], bounded))
            }
            [('?', false), rest @ ..] => match text {
                [found, left @ ..] => !(bounded && *found == ':') && glob(rest, left, bounded),
                [] => false,
            },
            [(expected, _), rest @ ..] => match text {
                [found, left @ ..] => found == expected && glob(rest, left, bounded),
                [] => false,
            },
        }
    }

    fn like(pattern: &str, text: &str, wildcards: bool, bounded: bool, v: &Values) -> Option<bool> {
        match substitute(pattern, wildcards, v) {
            Substituted::Nothing => Some(false),
            Substituted::Several => None,
            Substituted::One(pattern) => {
                Some(glob(&pattern, &text.chars().collect::<Vec<_>>(), bounded))
            }
        }
    }

    fn arn_like(pattern: &str, text: &str, values: &Values) -> Option<bool> {
        if text.split(':').count() < 6 || !text.starts_with("arn:") {
            return None;
        }
        if pattern == "*" {
            return Some(true);
        }
        // The generated patterns have no colon inside variables.
        let masked = pattern.replace("${aws:", "${aws;");
        let components: Vec<Option<bool>> = masked
            .splitn(6, ':')
            .zip(text.splitn(6, ':'))
            .map(|(pattern, text)| {
                like(&pattern.replace("${aws;", "${aws:"), text, true, false, values)
            })
            .collect();
        if components.contains(&None) { None } else { all(components.into_iter()) }
    }

    fn address(text: &str) -> Option<u32> {
        text.parse::<std::net::Ipv4Addr>().ok().map(u32::from)
    }

    fn compare(base: &str, expected: &str, found: &str, values: &Values) -> Option<bool> {
        let number = |text: &str| text.parse::<f64>().ok();
        let ordered = |holds: fn(f64, f64) -> bool| match (number(found), number(expected)) {
            (Some(found), Some(expected)) => Some(holds(found, expected)),
            _ => None,
        };
        match base {
            "String" => like(expected, found, false, false, values),
            "StringIgnoreCase" => {
                // Keys are matched in any case, so lowering the whole pattern loses nothing, but
                // values must be lowered too.
                let lower = |text: &String| text.to_lowercase();
                let values: Values = values
                    .iter()
                    .map(|(k, v)| (k.clone(), v.iter().map(lower).collect()))
                    .collect();
                like(&expected.to_lowercase(), &found.to_lowercase(), false, false, &values)
            }
            "StringLike" => like(expected, found, true, false, values),
            "Arn" => arn_like(expected, found, values),
            "Bool" => match found {
                "true" | "false" => Some(expected == found),
                _ => None,
            },
            "IpAddress" => {
                let (network, length) = expected.split_once('/').unwrap_or((expected, "32"));
                let shift = 32 - length.parse::<u32>().expect("generated prefix length");
                let cut = |address: u32| u64::from(address) >> shift;
                let network = cut(address(network).expect("generated network"));
                address(found).map(|found| cut(found) == network)
            }
            "Equals" => ordered(|found, expected| found == expected),
            "LessThan" => ordered(|found, expected| found < expected),
            "LessThanEquals" => ordered(|found, expected| found <= expected),
            "GreaterThan" => ordered(|found, expected| found > expected),
            "GreaterThanEquals" => ordered(|found, expected| found >= expected),
            other => panic!("no comparison {other}"),
        }
    }

    fn condition(operator: &str, key: &str, expected: &Value, values: &Values) -> Option<bool> {
        let expected = list(expected);
        let found = values.get(&key.to_lowercase()).cloned().unwrap_or_default();
        if operator == "Null" {
            return Some(expected.iter().any(|text| (text == "true") == found.is_empty()));
        }
        let (set, operator) = match operator.split_once(':') {
            Some((set, operator)) => (set, operator),
            None => ("", operator),
        };
        let if_exists = operator.ends_with("IfExists");
        let operator = operator.trim_end_matches("IfExists");
        let negated = operator.contains("Not");
        let plain = operator.replace("Not", "");
        let base = match plain.as_str() {
            "StringEquals" => "String",
            "StringEqualsIgnoreCase" => "StringIgnoreCase",
            "ArnEquals" | "ArnLike" => "Arn",
            numeric if numeric.starts_with("Numeric") => numeric.trim_start_matches("Numeric"),
            other => other,
        };
        let matches_one = |found: &String| {
            any(expected.iter().map(|expected| compare(base, expected, found, values)))
        };
        let judged = |found: &String| {
            let holds = matches_one(found);
            if negated { not(holds) } else { holds }
        };
        match set {
            "ForAllValues" => {
                if found.iter().all(String::is_empty) {
                    Some(true)
                } else {
                    all(found.iter().map(judged))
                }
            }
            "ForAnyValue" if found.is_empty() => Some(if_exists),
            "ForAnyValue" => any(found.iter().map(judged)),
            _ if found.is_empty() => Some(negated || if_exists),
            // A negated operator must hold for every value, a plain one for some value.
            _ if negated => all(found.iter().map(judged)),
            _ => any(found.iter().map(judged)),
        }
    }

    /// 0: not named. 1: as part of the account. 2: through the role, or as anyone for a session.
    /// 3: itself, or as anyone.
    fn naming(statement: &Value, principal: &Principal<'_>) -> u8 {
        let session = principal.kind == PrincipalKind::RoleSession;
        let everyone = if session { 2 } else { 3 };
        if statement["Principal"] == "*" {
            return everyone;
        }
        let mut best = 0;
        for (kind, names) in statement["Principal"].as_object().expect("an object") {
            for name in list(names) {
                let account_root =
                    format!("arn:aws:iam::{}:root", principal.account.unwrap_or("-"));
                let account = kind == "AWS"
                    && (Some(name.as_str()) == principal.account || name == account_root);
                let strength = if kind == "AWS" && name == "*" {
                    everyone
                } else if account && principal.kind == PrincipalKind::Root {
                    3
                } else if account {
                    1
                } else if kind == "AWS" && principal.role_arn == Some(name.as_str()) {
                    2
                } else if (kind == "Service") == (principal.kind == PrincipalKind::Service)
                    && name == principal.arn
                {
                    3
                } else {
                    0
                };
                best = best.max(strength);
            }
        }
        best
    }

    fn matches(statement: &Value, asked: &Asked) -> Option<bool> {
        let action = asked.action.to_lowercase();
        let action_listed = |list_of: &Value| {
            let none = Values::new();
            list(list_of)
                .iter()
                .any(|p| like(&p.to_lowercase(), &action, true, false, &none) == Some(true))
        };
        let action_matches = match (statement.get("Action"), statement.get("NotAction")) {
            (Some(listed), _) => action_listed(listed),
            (_, Some(listed)) => !action_listed(listed),
            _ => panic!("a statement without actions"),
        };
        let resource_listed = |list_of: &Value| {
            let listed = list(list_of);
            any(listed.iter().map(|p| like(p, &asked.resource, true, true, &asked.values)))
        };
        let resource_matches = match (statement.get("Resource"), statement.get("NotResource")) {
            (Some(listed), _) => resource_listed(listed),
            (_, Some(listed)) => not(resource_listed(listed)),
            _ => Some(true),
        };
        let principal_matches =
            statement.get("Principal").is_none() || naming(statement, &asked.principal) > 0;
        let mut parts = vec![Some(action_matches), resource_matches, Some(principal_matches)];
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            for (key, expected) in keys.as_object().expect("an object") {
                parts.push(condition(operator, key, expected, &asked.values));
            }
        }
        all(parts.into_iter())
    }

    fn statements(policies: &[Value]) -> Vec<&Value> {
        policies.iter().flat_map(|p| p["Statement"].as_array().expect("a list")).collect()
    }

    /// The decision in words.
    pub(super) fn decide(kinds: &[(&str, Vec<Value>)], asked: &Asked) -> String {
        for (kind, policies) in kinds {
            for statement in statements(policies) {
                if statement["Effect"] == "Deny" && matches(statement, asked) != Some(false) {
                    return format!("deny: {kind}");
                }
            }
        }
        let policies = |kind: &str| &kinds.iter().find(|(k, _)| *k == kind).expect("a kind").1;
        let allows = |kind: &str| {
            statements(policies(kind))
                .into_iter()
                .any(|s| s["Effect"] == "Allow" && matches(s, asked) == Some(true))
        };
        let resource = statements(policies("resource"))
            .into_iter()
            .filter(|s| s["Effect"] == "Allow" && matches(s, asked) == Some(true))
            .map(|s| naming(s, &asked.principal))
            .max()
            .unwrap_or(0);
        let limit = |kind: &str| policies(kind).is_empty() || allows(kind);
        let mut needs = vec![("limit", limit("limit"))];
        let same = asked.principal.account == Some(HOME);
        if asked.principal.account.is_none() {
            needs.push(("resource", resource > 0));
        } else {
            if !(same && resource >= 2) {
                needs.push(("identity", allows("identity")));
            }
            if !same {
                needs.push(("resource", resource > 0));
            }
            if !(same && resource == 3) {
                needs.push(("boundary", limit("boundary")));
                needs.push(("session", limit("session")));
            }
        }
        match needs.into_iter().find(|(_, given)| !given) {
            Some((kind, _)) => format!("no allow: {kind}"),
            None => "allow".to_owned(),
        }
    }
}

const PRINCIPALS: [Principal<'static>; 7] = {
    const fn user(
        arn: &'static str,
        account: &'static str,
        kind: PrincipalKind,
    ) -> Principal<'static> {
        Principal { kind, arn, account: Some(account), role_arn: None, ids: &[] }
    }
    [
        user("arn:aws:iam::111122223333:user/alice", HOME, PrincipalKind::User),
        user("arn:aws:iam::111122223333:user/bob", HOME, PrincipalKind::User),
        user("arn:aws:iam::111122223333:root", HOME, PrincipalKind::Root),
        user("arn:aws:iam::444455556666:user/carol", "444455556666", PrincipalKind::User),
        Principal {
            kind: PrincipalKind::RoleSession,
            arn: "arn:aws:sts::111122223333:assumed-role/build/ci",
            account: Some(HOME),
            role_arn: Some("arn:aws:iam::111122223333:role/build"),
            ids: &[],
        },
        Principal {
            kind: PrincipalKind::Service,
            arn: "lambda.amazonaws.com",
            account: None,
            role_arn: None,
            ids: &[],
        },
        Principal {
            kind: PrincipalKind::Anonymous,
            arn: "",
            account: None,
            role_arn: None,
            ids: &[],
        },
    ]
};

const KEYS: [&str; 5] =
    ["aws:username", "aws:TagKeys", "aws:Count", "aws:SourceArn", "aws:Missing"];

/// One or more words, as a JSON string or list.
fn words(from: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let word = || proptest::sample::select(from);
    prop_oneof![
        word().prop_map(|word| json!(word)),
        proptest::collection::vec(word(), 1..3).prop_map(|words| json!(words)),
    ]
}

fn one_condition() -> impl Strategy<Value = (String, Value)> {
    let texts = words(&[
        "alice",
        "Alice",
        "a*",
        "?lice",
        "${aws:username}",
        "x${aws:username}",
        "${aws:TagKeys}",
        "${aws:Missing}",
        "${aws:Missing, 'alice'}",
        "${*}",
        "a${*}",
        "",
        "10",
        "*",
    ]);
    let names = |names: &'static [&'static str]| proptest::sample::select(names);
    let strings = names(&[
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ]);
    let numbers = names(&[
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ]);
    let arns = names(&["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"]);
    let arn_values = words(&[
        "*",
        "arn:aws:s3:::a",
        "arn:aws:s3:::*",
        "arn:*:s3:::?",
        "arn:aws:*:::a",
        "arn:aws:s3:::${aws:username}",
        "arn:aws:s3:::${aws:TagKeys}",
    ]);
    let plain = prop_oneof![
        (strings, texts),
        (numbers, words(&["9", "10", "10.0", "-1", "0.5"])),
        (arns, arn_values),
        (Just("Bool"), words(&["true", "false"])),
        (names(&["IpAddress", "NotIpAddress"]), words(&["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0"])),
    ];
    let decorated = (plain, names(&["", "", "ForAnyValue:", "ForAllValues:"]), any::<bool>())
        .prop_map(|((name, values), set, if_exists)| {
            (format!("{set}{name}{}", if if_exists { "IfExists" } else { "" }), values)
        });
    let operator = prop_oneof![
        8 => decorated,
        1 => words(&["true", "false"]).prop_map(|values| ("Null".to_owned(), values)),
    ];
    (operator, proptest::sample::select(&KEYS[..]))
        .prop_map(|((name, values), key)| (name, json!({ key: values })))
}

fn conditions() -> impl Strategy<Value = Value> {
    proptest::collection::vec(one_condition(), 0..3)
        .prop_map(|conditions| Value::Object(conditions.into_iter().collect()))
}

fn statement(names_principals: bool) -> impl Strategy<Value = Value> {
    let action = (
        proptest::sample::select(&["Action", "Action", "NotAction"][..]),
        words(&["*", "ecr:*", "ECR:put?mage", "ecr:PutImage", "ecr:Get*", "iam:*"]),
    );
    let resource = (
        proptest::sample::select(&["Resource", "Resource", "NotResource"][..]),
        words(&[
            "*",
            "arn:aws:ecr:eu-west-1:111122223333:repository/*",
            "arn:aws:ecr:*:repository/alice/app",
            "arn:aws:ecr:eu*1:*:repository/?lice/*",
            "arn:aws:ecr:eu*3:repository/*",
            "arn:aws:ecr:*",
            "arn:aws:ecr:*:*:repository/${aws:username}/*",
            "arn:aws:ecr:*:*:repository/${aws:Missing, 'alice'}/*",
            "arn:aws:ecr:*:*:repository/${aws:Missing}/*",
            "arn:aws:ecr:*:*:repository/${aws:TagKeys}/*",
        ]),
    );
    let principal = prop_oneof![
        1 => Just(json!("*")),
        4 => words(&[
            "*", "111122223333", "444455556666", "arn:aws:iam::111122223333:root",
            "arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:user/alice",
            "arn:aws:iam::444455556666:user/carol", "arn:aws:iam::111122223333:role/build",
            "arn:aws:sts::111122223333:assumed-role/build/ci",
        ]).prop_map(|names| json!({ "AWS": names })),
        1 => Just(json!({ "Service": "lambda.amazonaws.com", "AWS": "444455556666" })),
    ];
    let effect = proptest::sample::select(&["Allow", "Allow", "Allow", "Deny"][..]);
    (effect, action, resource, principal, conditions(), any::<bool>()).prop_map(
        move |(effect, (action, actions), (resource, resources), principal, condition, bare)| {
            let mut statement =
                json!({ "Effect": effect, action: actions, "Condition": condition });
            if names_principals {
                statement["Principal"] = principal;
            }
            if !names_principals || !bare {
                statement[resource] = resources;
            }
            statement
        },
    )
}

fn policies(names_principals: bool, most: usize) -> impl Strategy<Value = Vec<Value>> {
    let statements = proptest::collection::vec(statement(names_principals), 1..4);
    let policy = statements
        .prop_map(|statements| json!({ "Version": "2012-10-17", "Statement": statements }));
    proptest::collection::vec(policy, 0..=most)
}

fn values() -> impl Strategy<Value = Values> {
    let value = proptest::sample::select(
        &["alice", "Alice", "*", "", "9", "10", "true", "false", "10.1.2.3", "arn:aws:s3:::a", "x"]
            [..],
    );
    let held = proptest::collection::vec(value.prop_map(str::to_owned), 1..3);
    let key = proptest::sample::select(&KEYS[..4]);
    proptest::collection::btree_map(key.prop_map(str::to_lowercase), held, 0..4)
}

fn word(reason: &Reason, outcome: Outcome) -> String {
    use tonnage_policy::PolicySource as Source;
    let name = |source: Source| match source {
        Source::AccountLimit => "limit",
        Source::Identity => "identity",
        Source::Resource => "resource",
        Source::Boundary => "boundary",
        Source::Session => "session",
        Source::Endpoint | Source::Trust => panic!("not asked"),
    };
    match (outcome, reason) {
        (Outcome::Allow, Reason::AllowedBy(_)) => "allow".to_owned(),
        (Outcome::ExplicitDeny, Reason::DeniedBy(s)) => format!("deny: {}", name(s.source)),
        (Outcome::ImplicitDeny, Reason::NotAllowedBy(s)) => format!("no allow: {}", name(*s)),
        mixed => panic!("outcome and reason disagree: {mixed:?}"),
    }
}

fn parsed(policies: &[Value], kind: PolicyKind) -> Vec<Policy> {
    let parse = |policy: &Value| {
        Policy::parse(&policy.to_string(), kind).unwrap_or_else(|e| panic!("{e}\n{policy}"))
    };
    policies.iter().map(parse).collect()
}

fn named(policies: &[Policy]) -> Vec<(&str, &Policy)> {
    policies.iter().map(|policy| ("p", policy)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    #[test]
    fn agrees_with_the_obvious_evaluator(
        who in 0..PRINCIPALS.len(),
        action in proptest::sample::select(&["ecr:PutImage", "ecr:GetImage", "iam:GetUser"][..]),
        resource in proptest::sample::select(&[
            "arn:aws:ecr:eu-west-1:111122223333:repository/alice/app",
            "arn:aws:ecr:eu-west-1:111122223333:repository/x",
            "*",
        ][..]),
        values in values(),
        identity in policies(false, 2),
        resources in policies(true, 2),
        boundary in policies(false, 1),
        session in policies(false, 1),
        limits in policies(false, 1),
    ) {
        let mut context = Context::new();
        for (key, held) in &values {
            context.set_all(key.as_str(), held.iter().map(String::as_str));
        }
        let asked = obvious::Asked {
            action: action.to_owned(),
            resource: resource.to_owned(),
            principal: PRINCIPALS[who],
            values: values.clone(),
        };
        let expected = obvious::decide(
            &[
                ("limit", limits.clone()),
                ("resource", resources.clone()),
                ("identity", identity.clone()),
                ("boundary", boundary.clone()),
                ("session", session.clone()),
            ],
            &asked,
        );
        let identity = parsed(&identity, PolicyKind::Identity);
        let resources = parsed(&resources, PolicyKind::Resource);
        let boundary = parsed(&boundary, PolicyKind::Identity);
        let session = parsed(&session, PolicyKind::Identity);
        let limits = parsed(&limits, PolicyKind::Identity);
        let decision = evaluate(
            &Request {
                action,
                resource,
                resource_account: HOME,
                principal: PRINCIPALS[who],
                context: &context,
            },
            &PolicySet {
                identity: &named(&identity),
                resource: &named(&resources),
                boundary: boundary.first().map(|policy| ("p", policy)),
                session: &named(&session),
                limits: &named(&limits),
                endpoint: None,
            },
        );
        prop_assert_eq!(word(&decision.reason, decision.outcome), expected);
    }
}

#[test]
fn keys_that_are_read_are_found_wherever_they_stand() {
    for (member, expected) in [
        (r#""Resource":"*""#, false),
        (r#""Resource":"arn:aws:ecr:r:1:repository/${aws:ResourceTag/Team}""#, true),
        (r#""NotResource":"arn:aws:ecr:r:1:repository/${aws:ResourceTag/Team, 'x'}*""#, true),
        (r#""Resource":"*","Condition":{"StringEquals":{"AWS:RESOURCETAG/a":"x"}}"#, true),
        (r#""Resource":"*","Condition":{"Null":{"aws:\u0052esourceTag/a":"true"}}"#, true),
        (
            r#""Resource":"*","Condition":{"StringLike":{"aws:userid":"${aws:resourcetag/a}*"}}"#,
            true,
        ),
        (r#""Resource":"*","Condition":{"ArnLike":{"aws:userid":"${aws:resourcetag/a}"}}"#, true),
        (r#""Resource":"*","Condition":{"StringLike":{"aws:userid":"aws:ResourceTag/a"}}"#, false),
        (r#""Resource":"*","Condition":{"StringLike":{"aws:RequestTag/a":"x"}}"#, false),
    ] {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"*",{member}}}]}}"#
        );
        let policy = Policy::parse(&text, PolicyKind::Identity).expect(member);
        assert_eq!(
            policy.reads_key(|key| key.starts_with("aws:resourcetag/")),
            expected,
            "{member}"
        );
    }
}

#[test]
fn a_bound_principal_is_the_one_with_the_id() {
    const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
    const ROLE: &str = "arn:aws:iam::111122223333:role/teams/build";
    let text = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":["{ALICE}","{ROLE}"]}},"Action":"*"}}]}}"#
    );
    let mut policy = Policy::parse(&text, PolicyKind::Resource).expect("a policy");
    policy.bind_principals(|arn| match arn {
        ALICE => Some("AIDAALICE".to_owned()),
        ROLE => Some("AROABUILD".to_owned()),
        _ => None,
    });
    let user = |ids: &'static [&'static str]| Principal {
        kind: PrincipalKind::User,
        arn: ALICE,
        account: Some(HOME),
        role_arn: None,
        ids,
    };
    let session = |ids: &'static [&'static str]| Principal {
        kind: PrincipalKind::RoleSession,
        arn: "arn:aws:sts::111122223333:assumed-role/build/ci",
        role_arn: Some(ROLE),
        ..user(ids)
    };
    let context = Context::new();
    for (principal, allowed) in [
        (user(&["AIDAALICE"]), true),
        (user(&["AIDAANOTHERALICE"]), false),
        (user(&[]), false),
        (session(&["AROABUILD", "AROABUILD:ci"]), true),
        (session(&["AROAANOTHERBUILD"]), false),
    ] {
        let request = Request {
            action: "ecr:PutImage",
            resource: "*",
            resource_account: HOME,
            principal,
            context: &context,
        };
        let set = PolicySet { resource: &[("bound", &policy)], ..PolicySet::default() };
        assert_eq!(evaluate(&request, &set).is_allowed(), allowed, "{principal:?}");
    }
}
