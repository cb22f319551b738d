use std::collections::BTreeMap;

use super::model::Model;
use super::{Options, differences, parse, patterns, render};

fn arguments(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn options_are_read_and_mistakes_named() {
    let check = |text: &str, expected: Result<Options, &str>| {
        let actual = parse(&arguments(text));
        match expected {
            Ok(options) => assert_eq!(actual.unwrap(), options, "{text}"),
            Err(message) => {
                let actual = actual.unwrap_err().to_string();
                assert!(actual.starts_with(message), "{text}: {actual}");
            }
        }
    };
    let model = || Options { model: "m.json".into(), ..Options::default() };
    check("--model m.json", Ok(model()));
    check("--check --model m.json", Ok(Options { check: true, ..model() }));
    check(
        "--model m.json --service ecr --out d --botocore-version 1.2.3",
        Ok(Options {
            service: Some("ecr".into()),
            out: Some("d".into()),
            botocore_version: Some("1.2.3".into()),
            ..model()
        }),
    );
    check("", Err("--model is needed"));
    check("--model", Err("--model needs a value"));
    check("--modle m.json", Err("unknown option `--modle`"));
}

#[test]
fn java_only_constructs_are_found() {
    let check = |pattern: &str, expected: Option<&str>| {
        assert_eq!(patterns::java_only(pattern), expected, "{pattern}");
    };
    check(r"a*+b", Some("a possessive repetition"));
    check(r"a++", Some("a possessive repetition"));
    check(r"a?+", Some("a possessive repetition"));
    check(r"a{2}+", Some("a possessive repetition"));
    check(r"(?=a)a", Some("a lookahead"));
    check(r"(?!a)b", Some("a lookahead"));
    check(r"(?<=a)b", Some("a lookbehind or a named group"));
    check(r"(?<!a)b", Some("a lookbehind or a named group"));
    check(r"(?>a)", Some("an atomic group"));
    check(r"(?i)a", Some("inline flags"));
    check(r"[a-z&&[^b]]", Some("a class intersection"));
    check(r"[a[b]]", Some("a nested class"));
    check(r"[]a]", Some("an empty class"));
    check(r"[\p{L}]+", Some("a Unicode property"));
    check(r"\Qa\E", Some("a quotation"));
    check(r"(a)\1", Some("a back reference"));
    check(r"\bword", Some("a word boundary"));
    check(r"\h", Some("an escape of Java"));
    check(r".*", Some("an unescaped dot"));
    check(r"a+?b*?", None);
    check(r"[*+]+(?:\.|[.+*?]+)+", None);
    check(r"\(\?=a\+\+\)", None);
    check(r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+", None);
}

#[test]
fn patterns_that_do_not_compile_are_refused() {
    assert!(patterns::check("[a-z]{2,256}").is_ok());
    assert!(patterns::check("(a").is_err());
    assert!(patterns::check("[z-a]").is_err());
    assert!(patterns::check("a*+").is_err());
}

#[test]
fn identifiers_split_words_and_abbreviations() {
    let check = |name: &str, expected: &str| assert_eq!(render::identifier(name), expected);
    check("RepositoryName", "REPOSITORY_NAME");
    check("RCTAppliedForList", "RCT_APPLIED_FOR_LIST");
    check("IsPTCRuleValid", "IS_PTC_RULE_VALID");
    check("Base64", "BASE64");
    check("tagKey", "TAG_KEY");
}

/// A model with the given shapes beside an operation `Get` whose input is `In`.
fn model(shapes: &str) -> String {
    format!(
        r#"{{"metadata": {{"protocol": "json", "signingName": "x", "targetPrefix": "X",
              "apiVersion": "2020-01-01"}},
            "operations": {{"Get": {{"name": "Get", "input": {{"shape": "In"}},
                                     "errors": [{{"shape": "Bad"}}, {{"shape": "Fault"}}]}}}},
            "shapes": {{"Bad": {{"type": "structure", "members": {{}}, "exception": true,
                                 "error": {{"code": "BadThing", "httpStatusCode": 409}}}},
                        "Fault": {{"type": "structure", "members": {{}}, "exception": true,
                                   "fault": true}},
                        {shapes}}}}}"#
    )
}

fn rendered(shapes: &str) -> anyhow::Result<BTreeMap<String, String>> {
    render::render(&Model::parse(&model(shapes))?)
}

#[test]
fn tables_hold_what_operations_reach() {
    let files = rendered(
        r#""In": {"type": "structure", "required": ["a"], "members": {
               "a": {"shape": "A", "locationName": "wireA"}, "self": {"shape": "Ins"}}},
           "Ins": {"type": "list", "member": {"shape": "In"}, "max": 3},
           "A": {"type": "string", "min": 1, "pattern": "^\"x\"$", "sensitive": true},
           "Unreached": {"type": "string"}"#,
    )
    .unwrap();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["collections.rs", "errors.rs", "mod.rs", "operations.rs", "requests.rs", "scalars.rs"]
    );
    let contains = |file: &str, text: &str| {
        assert!(files[file].contains(text), "{file} lacks {text}:\n{}", files[file]);
    };
    contains("requests.rs", r#"Member::required("wireA", &scalars::A)"#);
    contains("requests.rs", r#"Member::optional("self", &collections::INS)"#);
    contains("collections.rs", "member: &requests::IN, length: Length::ANY.max(3)");
    contains("scalars.rs", r###"Pattern::new(r#"^"x"$"#)"###);
    contains("scalars.rs", "Text::ANY.min(1).pattern(&A_PATTERN).sensitive()");
    contains("errors.rs", r#"code: "BadThing", status: 409"#);
    contains("errors.rs", r#"code: "Fault", status: 500"#);
    contains("operations.rs", "output: None");
    contains("mod.rs", "Style::Aggregated");
    assert!(!files["scalars.rs"].contains("UNREACHED"));
}

#[test]
fn what_tables_cannot_express_is_refused() {
    let check = |shapes: &str, expected: &str| {
        let error = format!("{:#}", rendered(shapes).unwrap_err());
        assert!(error.contains(expected), "{error}");
    };
    let member = |shape: &str| {
        format!(
            r#""In": {{"type": "structure", "members": {{"a": {{"shape": "A"}}}}}}, "A": {shape}"#
        )
    };
    check(&member(r#"{"type": "structure", "members": {}, "union": true}"#), "trait `union`");
    check(&member(r#"{"type": "bignum"}"#), "unknown type `bignum`");
    check(&member(r#"{"type": "string", "pattern": "(?=a)a"}"#), "a lookahead");
    check(&member(r#"{"type": "list", "member": {"shape": "None"}}"#), "no shape None");
    check(
        r#""In": {"type": "structure", "members": {"a": {"shape": "In", "jsonvalue": true}}}"#,
        "unknown trait `jsonvalue` of member a",
    );
    check(
        r#""In": {"type": "structure", "members": {"a": {"shape": "AB"}, "b": {"shape": "Ab"}}},
           "AB": {"type": "string"}, "Ab": {"type": "string"}"#,
        "would both be called AB",
    );
}

#[test]
fn drift_is_named_and_a_newer_version_alone_is_none() {
    let files = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let check = |present: &[(&str, &str)], wanted: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(differences(&files(present), &files(wanted)), expected);
    };
    check(
        &[("a.rs", "//! Model: botocore 1.0\nx\n")],
        &[("a.rs", "//! Model: botocore 2.0\nx\n")],
        &[],
    );
    check(&[], &[("a.rs", "x")], &["  a.rs: missing"]);
    check(&[("a.rs", "x")], &[], &["  a.rs: left over"]);
    check(
        &[("a.rs", "same\n  old\n")],
        &[("a.rs", "same\n  new\n")],
        &["  a.rs: the tree has `old`, the model gives `new`"],
    );
    check(
        &[("a.rs", "same\n")],
        &[("a.rs", "same\nmore\n")],
        &["  a.rs: the tree has `(nothing)`, the model gives `more`"],
    );
}
