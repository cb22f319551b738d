//! Hostile input: every file of `seeds/`, documents built here because they are large, and
//! mutations of good ones. Parsing ends without a panic, errors stay short, and whatever parses
//! can be evaluated.

use proptest::prelude::*;
use tonnage_policy::{Limits, Policy, PolicyKind, Problem};

/// The fuzz target itself: one function for both.
#[path = "../../../fuzz/src/policies.rs"]
#[allow(unreachable_pub, reason = "public to the fuzzer")]
mod policies;
use policies::{replay, target};

#[test]
fn seeds() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seeds");
    let mut replayed = 0;
    for entry in std::fs::read_dir(directory).expect(directory) {
        let path = entry.expect("a directory entry").path();
        let bytes = std::fs::read(&path).expect("a readable seed");
        target(&bytes);
        replayed += 1;
    }
    assert!(replayed >= 20, "only {replayed} seeds found in {directory}");
}

fn statement(action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}","Condition":{{{condition}}}}}}}"#
    )
}

#[test]
fn large_documents() {
    let prefix = "arn:aws:ecr:eu-west-1:111122223333:repository/";
    for (name, text, accepted) in [
        ("arrays in arrays", "[".repeat(100_000), 0),
        ("objects in objects", r#"{"Statement":"#.repeat(8_000), 0),
        ("closed arrays", format!("{}{}", "[".repeat(120), "]".repeat(120)), 0),
        ("nested conditions", format!("{}1{}", r#"{"a":"#.repeat(126), "}".repeat(126)), 0),
        ("stars", statement("*", &format!("{prefix}{}b", "*a".repeat(50_000)), ""), 1),
        ("question marks", statement("*", &format!("{prefix}{}", "?".repeat(100_000)), ""), 1),
        ("stars and colons", statement("*", &format!("{prefix}{}b", "a*:".repeat(30_000)), ""), 1),
        ("action stars", statement(&format!("ecr:{}", "*a".repeat(50_000)), "*", ""), 1),
        (
            "variables",
            statement("*", &format!("{prefix}{}", "${aws:username}".repeat(8_000)), ""),
            1,
        ),
        (
            "digits",
            statement("*", "*", &format!(r#""NumericEquals":{{"aws:n":{}}}"#, "9".repeat(300))),
            1,
        ),
        ("huge number", statement("*", "*", r#""NumericEquals":{"aws:n":1e999}"#), 0),
        ("long key", format!(r#"{{"{}":1}}"#, "k".repeat(100_000)), 0),
    ] {
        assert_eq!(replay(&text), accepted, "{name}");
    }
}

#[test]
fn length_is_checked_before_anything_else() {
    let limits = Limits { max_bytes: 10 };
    let error = Policy::parse_within("not JSON at all", PolicyKind::Identity, &limits);
    let error = error.expect_err("too long");
    assert_eq!(error.problem(), &Problem::TooLong { max_bytes: 10 });
    let text = " ".repeat(Limits::default().max_bytes + 1);
    assert!(Policy::parse(&text, PolicyKind::Identity).is_err());
}

const GOOD: &str = r#"{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"S","Effect":"Deny",
"Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:role/r"],"Service":"a.b"},
"NotAction":["ecr:Get*"],"Resource":"arn:aws:ecr:*:*:repository/${aws:username, 'x'}/*",
"Condition":{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["a*","${*}"]},
"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2026-01-01"},
"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"},"Null":{"aws:x":true}}}]}"#;

#[test]
fn the_mutated_document_is_good() {
    assert_eq!(replay(GOOD), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        replay(&text);
    }

    #[test]
    fn mutations(
        cuts in proptest::collection::vec((0..GOOD.len(), 0..12_usize, "[\\PC\"{}\\[\\]:,$*?]{0,4}"), 1..6),
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (start, length, insert) in cuts {
            let start = start.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, insert.into_bytes());
        }
        target(&bytes);
    }
}
