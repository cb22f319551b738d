//! How long decisions take, and how long it takes to read a policy. `cargo bench -p tonnage-policy`
//! prints a table; nothing here passes or fails.
#![allow(clippy::expect_used, reason = "a benchmark without its input is worth nothing")]

use divan::{Bencher, black_box};
use tonnage_policy::{
    Context, Policy, PolicyKind, PolicySet, Principal, PrincipalKind, Request, evaluate,
};

const ROOT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// A policy as teams write them: `statements` of them, each with names, resources and conditions.
fn team_policy(statements: usize, principal: &str) -> String {
    let statements: Vec<String> = (0..statements)
        .map(|number| {
            format!(
                r#"{{"Sid":"Team{number}","Effect":"{}",{principal}
                "Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:Describe*"],
                "Resource":"arn:aws:ecr:eu-west-1:111122223333:repository/team{number}/*",
                "Condition":{{"StringLike":{{"aws:PrincipalArn":"arn:aws:iam::*:role/team{number}-*"}},
                "IpAddress":{{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}}}}}"#,
                if number % 5 == 4 { "Deny" } else { "Allow" },
            )
        })
        .collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn context() -> Context<'static> {
    let mut context = Context::new();
    context.set("aws:principalarn", "arn:aws:iam::444455556666:role/team7-puller");
    context.set("aws:principalaccount", "444455556666");
    context.set("aws:sourceip", "192.0.2.7");
    context.set("aws:securetransport", "true");
    context.set("aws:currenttime", "2026-02-03T04:05:06Z");
    context.set("aws:requestedregion", "eu-west-1");
    context.set("aws:useragent", "docker/29.0.0");
    context.set("tonnage:imagetag", "v1");
    context
}

fn request<'a>(account: &'static str, context: &'a Context<'a>) -> Request<'a> {
    Request {
        action: "ecr:BatchGetImage",
        resource: "arn:aws:ecr:eu-west-1:111122223333:repository/team7/app",
        resource_account: "111122223333",
        principal: Principal {
            kind: PrincipalKind::Root,
            arn: "arn:aws:iam::444455556666:root",
            account: Some(account),
            role_arn: None,
            ids: &[],
        },
        context,
    }
}

/// The owner of a registry pulls: one allow-all policy.
#[divan::bench]
fn owner_pulls(bencher: Bencher<'_, '_>) {
    let root = Policy::parse(ROOT, PolicyKind::Identity).expect("a policy");
    let context = context();
    let request = request("111122223333", &context);
    let set = PolicySet { identity: &[("root", &root)], ..PolicySet::default() };
    bencher.bench_local(|| evaluate(black_box(&request), &set));
}

/// Another account pulls: both sides, with as many statements in the repository's policy.
#[divan::bench(args = [1, 10, 40])]
fn another_account_pulls(bencher: Bencher<'_, '_>, statements: usize) {
    let root = Policy::parse(ROOT, PolicyKind::Identity).expect("a policy");
    let text = team_policy(statements, r#""Principal":{"AWS":"444455556666"},"#);
    let shared = Policy::parse(&text, PolicyKind::Resource).expect("a policy");
    let context = context();
    let request = request("444455556666", &context);
    let set = PolicySet {
        identity: &[("root", &root)],
        resource: &[("repository policy", &shared)],
        ..PolicySet::default()
    };
    bencher.bench_local(|| evaluate(black_box(&request), &set));
}

/// A pattern made to be slow, on the longest name of a repository.
#[divan::bench]
fn hostile_pattern(bencher: Bencher<'_, '_>) {
    let resource = format!("arn:aws:ecr:eu-west-1:111122223333:repository/{}", "*a".repeat(100));
    let text =
        format!(r#"{{"Statement":{{"Effect":"Allow","Action":"*","Resource":"{resource}b"}}}}"#);
    let hostile = Policy::parse(&text, PolicyKind::Identity).expect("a policy");
    let context = context();
    let name = format!("arn:aws:ecr:eu-west-1:111122223333:repository/{}", "a".repeat(256));
    let request = Request { resource: &name, ..request("111122223333", &context) };
    let set = PolicySet { identity: &[("hostile", &hostile)], ..PolicySet::default() };
    bencher.bench_local(|| evaluate(black_box(&request), &set));
}

/// Reading a policy, which happens once for each version of it.
#[divan::bench(args = [1, 10, 40])]
fn parse(bencher: Bencher<'_, '_>, statements: usize) {
    let text = team_policy(statements, r#""Principal":{"AWS":"444455556666"},"#);
    bencher.bench_local(|| Policy::parse(black_box(&text), PolicyKind::Resource));
}

fn main() {
    divan::main();
}
