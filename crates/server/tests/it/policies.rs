//! `tonnage account limit` and `tonnage policy`, and endpoints with a name.

use std::fs;

use crate::support::{Place, complaint, printed, run};

const APP: &str = "arn:aws:ecr:us-east-1:123456789012:repository/app";

#[test]
fn the_limit_of_an_account_is_set_printed_explained_and_taken_away() {
    let place = Place::new();
    let server = place.start();
    printed(&mut place.command(&["account", "create", "111122223333"]));
    let limit = |words: &[&str]| {
        let mut all = vec!["account", "limit"];
        all.extend(words);
        place.command(&all)
    };
    assert_eq!(printed(&mut limit(&["get", "111122223333"])), "");
    // Byte for byte, without a line end.
    let text = "{ \"Statement\":{\"Sid\":\"Pull\",\"Effect\":\"Allow\",\r\n \"Action\":\"ecr:Get*\",\"Resource\":\"*\"}}";
    let file = place.home().join("limit.json");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    printed(&mut limit(&["put", "111122223333", file]));
    assert_eq!(printed(&mut limit(&["get", "111122223333"])), text);

    let explain = |principal: &str, action: &str, resource: &str, more: &[&str]| {
        let mut words = vec!["policy", "explain", "--principal", principal];
        words.extend(["--action", action, "--resource", resource]);
        words.extend(more);
        let output = run(&mut place.command(&words));
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let limited = "arn:aws:iam::111122223333:root";
    let (status, told) = explain(limited, "ecr:PutImage", APP, &[]);
    assert_eq!(status, Some(1), "{told}");
    for line in [
        "Denied\n  no service control policy allows it\n",
        "  because no service control policy allows the ecr:PutImage action\n",
        "  identity-based policy \"root\"\n",
        "  service control policy \"account limit\"\n",
        "  aws:principalaccount = 111122223333\n",
    ] {
        assert!(told.contains(line), "{line:?} is not in {told}");
    }
    printed(&mut limit(&["delete", "111122223333"]));
    let own = "arn:aws:ecr:us-east-1:111122223333:repository/app";
    let (status, told) =
        explain(limited, "ecr:PutImage", own, &["--context", "tonnage:ImageTag=v1"]);
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("  allowed by identity-based policy \"root\""), "{told}");
    assert!(told.contains("  tonnage:imagetag = v1\n"), "{told}");
    let (status, told) = explain(limited, "ecr:PutImage", APP, &["--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, told["allowed"].as_bool()), (Some(1), Some(false)));

    for (words, expected) in [
        (&["put", "123456789012", file][..], "management account cannot be limited"),
        (&["put", "999999999999", file], "There is no account 999999999999"),
        (&["put", "1", file], "12 digits"),
        (&["put", "111122223333", "/nowhere"], "/nowhere cannot be read"),
        (&["get", "999999999999"], "There is no account 999999999999"),
    ] {
        let told = complaint(&mut limit(words));
        assert!(told.contains(expected), "{words:?}: {told}");
    }
    fs::write(file, r#"{"Statement":{"Effect":"Allow","Action":"*"}}"#).unwrap();
    let told = complaint(&mut limit(&["put", "111122223333", file]));
    assert!(told.contains("$.Statement: Resource is required"), "{told}");
    let nobody = complaint(&mut place.command(&[
        "policy",
        "explain",
        "--principal",
        "arn:aws:iam::123456789012:user/nobody",
        "--action",
        "ecr:PutImage",
        "--resource",
        APP,
    ]));
    assert!(
        nobody.contains("There is no principal arn:aws:iam::123456789012:user/nobody"),
        "{nobody}"
    );
    server.stop();
}

#[test]
fn mistakes_are_found_without_a_server() {
    let place = Place::new();
    let file = place.home().join("policy.json");
    let lint = |text: &str, kind: &[&str]| {
        fs::write(&file, text).unwrap();
        let mut words = vec!["policy", "lint", file.to_str().unwrap()];
        words.extend(kind);
        let output = run(&mut place.command(&words));
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let good = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":{"Service":"lambda.amazonaws.com"},
        "Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}"#;
    let found = |findings: &str| (Some(1), format!("{findings}\n"));
    assert_eq!(lint(good, &[]), (Some(0), "No mistake was found.\n".to_owned()));
    assert_eq!(
        lint(good, &["--kind", "identity"]),
        found("error: $.Statement[0]: Principal is not allowed here")
    );
    assert_eq!(
        lint(&good.replace("BatchGetImage", "BatchPullImage"), &["--kind", "repository"]),
        found("error: $.Statement[0].Action: ecr:BatchPullImage matches no action of ecr")
    );
    assert_eq!(lint("{", &["--kind", "limit"]).0, Some(1));
    for action in [
        "ecr-public:DescribeImageTags",
        "iam:PassRole",
        "sts:TagSession",
        "tonnage:PutAccountLimit",
    ] {
        let text =
            format!(r#"{{"Statement":{{"Effect":"Deny","Action":"{action}","Resource":"*"}}}}"#);
        assert_eq!(lint(&text, &[]).0, Some(0), "{action}");
    }
    let output = run(&mut place.command(&["policy", "lint", "/nowhere"]));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_endpoint_is_one_of_the_listeners() {
    let place = Place::new();
    let mut serve = place.serve();
    serve.args(["--endpoint", "vpce-build/vpc-office=127.0.0.1:0"]);
    let server = crate::support::Server::start(&place, serve);
    server.stop();
    let mut serve = place.serve();
    serve.args(["--endpoint", "vpce-build=127.0.0.1:1"]);
    let told = complaint(&mut serve);
    assert!(told.contains("`endpoint` names 127.0.0.1:1, which `listen` does not"), "{told}");
}
