//! Replays `corpus/*.json`: rows of data, each file naming the pages its rows come from.
//!
//! - `conditions-*.json`: a condition, a context and whether it holds. Each row runs twice, under
//!   `Allow` and under `Deny`; `"unknown"` must deny under `Deny` and not allow under `Allow`.
//! - `statements.json`: one statement, one request and whether the statement matches. Also twice.
//! - `evaluation.json`: whole policy sets, the outcome and the end of the message.
//! - `documents.json`: documents and what the parser says to them.
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a failing test is meant to panic")]

use serde_json::{Value, json};
use tonnage_policy::{
    Context, Decision, Outcome, Policy, PolicyKind, PolicySet, Principal, PrincipalKind, Request,
    evaluate,
};

const HOME: &str = "111122223333";
const AWAY: &str = "444455556666";
const REPOSITORY: &str = "arn:aws:ecr:eu-west-1:111122223333:repository/team/app";

fn principal(name: &str) -> Principal<'static> {
    let base = Principal::anonymous();
    match name {
        "anonymous" => base,
        "root" => Principal {
            kind: PrincipalKind::Root,
            arn: "arn:aws:iam::111122223333:root",
            account: Some(HOME),
            ..base
        },
        "alice" => Principal {
            kind: PrincipalKind::User,
            arn: "arn:aws:iam::111122223333:user/alice",
            account: Some(HOME),
            ids: &["AIDAALICEALICEALICE1"],
            ..base
        },
        "bob" => Principal {
            kind: PrincipalKind::User,
            arn: "arn:aws:iam::111122223333:user/division/bob",
            account: Some(HOME),
            ..base
        },
        "session" => Principal {
            kind: PrincipalKind::RoleSession,
            arn: "arn:aws:sts::111122223333:assumed-role/build/ci",
            account: Some(HOME),
            role_arn: Some("arn:aws:iam::111122223333:role/teams/build"),
            ids: &["AROABUILDBUILDBUILD1"],
        },
        "federated" => Principal {
            kind: PrincipalKind::FederatedUser,
            arn: "arn:aws:sts::111122223333:federated-user/dana",
            account: Some(HOME),
            ..base
        },
        "carol" => Principal {
            kind: PrincipalKind::User,
            arn: "arn:aws:iam::444455556666:user/carol",
            account: Some(AWAY),
            ..base
        },
        "away-session" => Principal {
            kind: PrincipalKind::RoleSession,
            arn: "arn:aws:sts::444455556666:assumed-role/puller/p",
            account: Some(AWAY),
            role_arn: Some("arn:aws:iam::444455556666:role/puller"),
            ..base
        },
        "lambda" => Principal { kind: PrincipalKind::Service, arn: "lambda.amazonaws.com", ..base },
        "google" => {
            Principal { kind: PrincipalKind::FederatedProvider, arn: "accounts.google.com", ..base }
        }
        "evil-google" => Principal {
            kind: PrincipalKind::FederatedProvider,
            arn: "accounts.google.com.evil.example",
            ..base
        },
        other => panic!("no principal {other}"),
    }
}

fn context(row: &Value) -> Context<'_> {
    let mut context = Context::new();
    for (key, value) in row["context"].as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => {
                context.set_all(key.as_str(), values.iter().map(|v| v.as_str().expect("text")));
            }
            value => context.set(key.as_str(), value.as_str().expect("text")),
        }
    }
    context
}

fn text<'r>(row: &'r Value, field: &str, default: &'r str) -> &'r str {
    row[field].as_str().unwrap_or(default)
}

fn rows(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/corpus/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let corpus = std::fs::read_to_string(&path).expect(&path);
    let mut corpus: Value = serde_json::from_str(&corpus).expect(&path);
    assert!(corpus["sources"].as_array().is_some_and(|s| !s.is_empty()), "{file} names no source");
    let Value::Array(rows) = corpus["rows"].take() else { panic!("{file} has no rows") };
    assert!(!rows.is_empty(), "{file} has no rows");
    rows
}

fn document(statements: &Value, version: &str) -> String {
    json!({ "Version": version, "Statement": statements }).to_string()
}

fn parse(row: &str, text: &str, kind: PolicyKind) -> Policy {
    Policy::parse(text, kind).unwrap_or_else(|error| panic!("{row}: {error}\n{text}"))
}

/// Runs one statement under both effects, where nothing else has an opinion.
fn check_statement(name: &str, statement: &Value, row: &Value, holds: &Value) {
    let context = context(row);
    let request = Request {
        action: text(row, "action", "ecr:PutImage"),
        resource: text(row, "resource", REPOSITORY),
        resource_account: HOME,
        principal: principal(text(row, "principal", "alice")),
        context: &context,
    };
    let names_principals =
        statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some();
    let kind = if names_principals { PolicyKind::Resource } else { PolicyKind::Identity };
    let everything = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let everything = parse(name, &document(&everything, "2012-10-17"), PolicyKind::Identity);
    let decide = |effect: &str| -> Decision {
        let mut statement = statement.clone();
        statement["Effect"] = json!(effect);
        let version = text(row, "version", "2012-10-17");
        let policy = parse(name, &document(&statement, version), kind);
        let tested = [("tested", &policy)];
        let mut identity = vec![("everything", &everything)];
        let mut set = PolicySet::default();
        if names_principals {
            set.resource = &tested;
        } else if effect == "Deny" {
            identity.push(("tested", &policy));
        } else {
            identity = tested.to_vec();
        }
        // An account in a Principal only allows together with an identity policy.
        if effect == "Deny" || !names_principals {
            set.identity = &identity;
        }
        evaluate(&request, &set)
    };
    let (allows, denies) = match holds {
        Value::Bool(holds) => (*holds, *holds),
        Value::String(unknown) if unknown == "unknown" => (false, true),
        // The statement's principal is covered through its account alone.
        Value::String(delegated) if delegated == "delegated" => (false, true),
        other => panic!("{name}: {other}"),
    };
    if statement.get("NotPrincipal").is_none() {
        let decision = decide("Allow");
        assert_eq!(decision.is_allowed(), allows, "{name}: as Allow\n{decision:?}");
        let unevaluated = !decision.unevaluated.is_empty();
        assert_eq!(unevaluated, holds == "unknown", "{name}: as Allow\n{decision:?}");
    }
    let decision = decide("Deny");
    let explicit = decision.outcome == Outcome::ExplicitDeny;
    assert_eq!(explicit, denies, "{name}: as Deny\n{decision:?}");
    if !names_principals {
        assert_eq!(decision.is_allowed(), !denies, "{name}: as Deny\n{decision:?}");
    }
}

fn check_conditions(file: &str) {
    for row in rows(file) {
        let name = format!("{file}: {} on {}", row["condition"], row["context"]);
        let statement =
            json!({ "Action": "*", "Resource": "*", "Condition": row["condition"].clone() });
        check_statement(&name, &statement, &row, &row["holds"]);
    }
}

#[test]
fn string_conditions() {
    check_conditions("conditions-strings");
}

#[test]
fn typed_conditions() {
    check_conditions("conditions-typed");
}

#[test]
fn set_conditions() {
    check_conditions("conditions-sets");
}

#[test]
fn variables_in_conditions() {
    check_conditions("conditions-variables");
}

#[test]
fn statements() {
    for row in rows("statements") {
        let name = row["statement"].to_string();
        let mut statement = row["statement"].clone();
        if statement.get("Action").is_none() && statement.get("NotAction").is_none() {
            statement["Action"] = json!("*");
        }
        let names_principals =
            statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some();
        let names_resources =
            statement.get("Resource").is_some() || statement.get("NotResource").is_some();
        if !names_principals && !names_resources {
            statement["Resource"] = json!("*");
        }
        let name = format!("{name} for {} on {}", row["principal"], row["resource"]);
        check_statement(&name, &statement, &row, &row["matches"]);
    }
}

#[test]
fn evaluation() {
    for row in rows("evaluation") {
        let name = row["name"].as_str().expect("every row has a name");
        let read = |field: &str, kind: PolicyKind| -> Vec<Policy> {
            row[field]
                .as_array()
                .into_iter()
                .flatten()
                .map(|statement| {
                    let mut statement = statement.clone();
                    if statement.get("Action").is_none() && statement.get("NotAction").is_none() {
                        statement["Action"] = json!("*");
                    }
                    if kind == PolicyKind::Identity && statement.get("NotResource").is_none() {
                        statement["Resource"] =
                            statement.get("Resource").cloned().unwrap_or(json!("*"));
                    }
                    parse(name, &document(&statement, "2012-10-17"), kind)
                })
                .collect()
        };
        fn named<'p>(name: &'p str, policies: &'p [Policy]) -> Vec<(&'p str, &'p Policy)> {
            policies.iter().map(|policy| (name, policy)).collect()
        }
        let resource_kind =
            if row.get("trust").is_some() { PolicyKind::Trust } else { PolicyKind::Resource };
        let identity = read("identity", PolicyKind::Identity);
        let mut resource = read("resource", PolicyKind::Resource);
        resource.extend(read("trust", resource_kind));
        let boundary = read("boundary", PolicyKind::Identity);
        let session = read("session", PolicyKind::Identity);
        let limits = read("limits", PolicyKind::Identity);
        let endpoint = read("endpoint", PolicyKind::Resource);
        let context = context(&row);
        let request = Request {
            action: text(&row, "action", "ecr:PutImage"),
            resource: text(&row, "on", REPOSITORY),
            resource_account: HOME,
            principal: principal(text(&row, "principal", "alice")),
            context: &context,
        };
        let decision = evaluate(
            &request,
            &PolicySet {
                identity: &named("identity", &identity),
                resource: &named("resource", &resource),
                boundary: boundary.first().map(|policy| ("boundary", policy)),
                session: &named("session", &session),
                limits: &named("limit", &limits),
                endpoint: endpoint.first().map(|policy| ("endpoint", policy)),
            },
        );
        let expected = row["expect"].as_str().expect("every row expects something");
        let denial = decision.denial(request.action);
        assert_eq!(denial.as_deref().unwrap_or("allowed"), expected, "{name}\n{decision:?}");
        assert_eq!(decision.is_allowed(), expected == "allowed", "{name}");
        let explicit = decision.outcome == Outcome::ExplicitDeny;
        assert_eq!(explicit, expected.starts_with("with an explicit deny"), "{name}");
        if let Some(by) = row["by"].as_array() {
            use tonnage_policy::Reason;
            let deciding = match &decision.reason {
                Reason::AllowedBy(statements) => statements.clone(),
                Reason::DeniedBy(statement) => vec![statement.clone()],
                Reason::NotAllowedBy(_) => Vec::new(),
            };
            let deciding: Vec<String> = deciding.iter().map(ToString::to_string).collect();
            assert_eq!(json!(deciding), json!(by), "{name}");
        }
    }
}

#[test]
fn documents() {
    for row in rows("documents") {
        let kind = match text(&row, "kind", "identity") {
            "identity" => PolicyKind::Identity,
            "resource" => PolicyKind::Resource,
            "trust" => PolicyKind::Trust,
            other => panic!("no kind {other}"),
        };
        // Text is for what a JSON tree cannot say: two equal keys, broken syntax.
        let document = match &row["document"] {
            Value::String(text) => text.clone(),
            tree => tree.to_string(),
        };
        let outcome = match Policy::parse(&document, kind) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        let expected = row["says"].as_str().expect("every row expects something");
        assert_eq!(outcome, expected, "{kind:?} {document}");
    }
}
