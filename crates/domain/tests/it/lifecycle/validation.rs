//! Which texts are policies, and what is said of the others.

use proptest::prelude::*;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::lifecycle::validate;

use super::policy;

const COUNT: &str = r#""countType":"imageCountMoreThan","countNumber":1"#;

fn any() -> String {
    format!(r#""tagStatus":"any",{COUNT}"#)
}

#[track_caller]
fn check_text(text: &str, details: &[&str]) {
    // White space is no part of a policy, and ECR wants 100 characters.
    let text = format!("{text}{}", " ".repeat(100));
    match validate::parse(&text) {
        Ok(_) => assert_eq!(details, <[&str; 0]>::default(), "{text}"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidParameter);
            let expected = format!(
                "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
                 'Lifecycle policy validation failure: {}\n'",
                details.join("\n")
            );
            assert_eq!(error.message(), expected, "{text}");
        }
    }
}

#[track_caller]
fn check(selections: &[&str], details: &[&str]) {
    check_text(&policy(selections), details);
}

const NO_ALTERNATIVE: &str = "instance failed to match exactly one schema (matched 0 out of 4)";
const NO_ACTION: &str = "instance failed to match exactly one schema (matched 0 out of 2)";
const TOO_SHORT: &str =
    "array is too short: must have at least 1 elements but instance has 0 elements";

#[test]
fn selections() {
    let days = r#""countType":"sinceImagePushed","countUnit":"days","countNumber":14"#;
    let tagged = |list: &str| format!(r#""tagStatus":"tagged",{list},{COUNT}"#);
    check(&[&any()], &[]);
    check(&[&format!(r#""tagStatus":"untagged",{days}"#)], &[]);
    check(&[&format!(r#""tagStatus":"untagged","storageClass":"standard",{days}"#)], &[]);
    check(&[&tagged(r#""tagPrefixList":["v"]"#), &tagged(r#""tagPatternList":["v*"]"#)], &[]);

    check(
        &[&format!(r#""tagStatus":"tagged",{COUNT}"#)],
        &["Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."],
    );
    check(&[&tagged(r#""tagPrefixList":["v"],"tagPatternList":["v*"]"#)], &[NO_ALTERNATIVE]);
    check(&[&format!(r#""tagStatus":"any","tagPrefixList":["v"],{COUNT}"#)], &[NO_ALTERNATIVE]);
    check(&[&tagged(r#""tagPrefixList":[]"#)], &[TOO_SHORT]);
    check(
        &[&tagged(r#""tagPrefixList":null"#)],
        &[r#"instance type (null) does not match any allowed primitive type (allowed: ["array"])"#],
    );
    check(
        &[&tagged(r#""tagPatternList":["*a*b*c*d*"]"#)],
        &[r#"A tag pattern can have at most 4 wildcards, found: "*a*b*c*d*""#],
    );
    check(
        &[r#""tagStatus":"any","countType":"sinceImagePushed","countNumber":1"#],
        &[NO_ALTERNATIVE],
    );
    check(&[&format!(r#""tagStatus":"any","countUnit":"days",{COUNT}"#)], &[NO_ALTERNATIVE]);
    check(
        &[r#""tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":1"#],
        &[NO_ALTERNATIVE],
    );
    check(
        &[r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":0"#],
        &["numeric instance is lower than the required minimum (minimum: 1, found: 0)"],
    );
    check(
        &[r#""tagStatus":"all","countType":"imageCountMoreThan","countNumber":1"#],
        &[
            r#"instance value ("all") not found in enum (possible values: ["any","tagged","untagged"])"#,
        ],
    );
    check(
        &[r#""tagStatus":"any","countType":"imageCountMoreThan""#],
        &[r#"object has missing required properties (["countNumber"])"#],
    );
    check(
        &[&format!(r#""tagStatus":"any","days":3,{COUNT}"#)],
        &[r#"object instance has properties which are not allowed by the schema: (["days"])"#],
    );
}

#[test]
fn archive_rules_are_of_the_language() {
    let rule = |selection: &str, action: &str| {
        format!(
            r#"{{"rules":[{{"rulePriority":1,"selection":{{{selection}}},"action":{{{action}}}}}]}}"#
        )
    };
    let transitioned = |days: u32| {
        format!(
            r#""tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":{days}"#
        )
    };
    let archive = r#""type":"transition","targetStorageClass":"archive""#;
    let expire = r#""type":"expire""#;
    check_text(&rule(&any(), archive), &[]);
    check_text(
        &rule(
            r#""tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":9"#,
            archive,
        ),
        &[],
    );
    check_text(&rule(&transitioned(90), expire), &[]);
    check_text(
        &rule(&transitioned(89), expire),
        &["numeric instance is lower than the required minimum (minimum: 90, found: 89)"],
    );
    check_text(&rule(&transitioned(90), archive), &[NO_ALTERNATIVE]);
    check_text(&rule(&any(), r#""type":"transition""#), &[NO_ACTION]);
    check_text(&rule(&any(), r#""type":"expire","targetStorageClass":"archive""#), &[NO_ACTION]);
    check_text(
        &rule(&any(), r#""type":"delete""#),
        &[
            r#"instance value ("delete") not found in enum (possible values: ["expire","transition"])"#,
            NO_ACTION,
        ],
    );
}

#[test]
fn rules_against_each_other() {
    let untagged = format!(r#""tagStatus":"untagged",{COUNT}"#);
    let tagged = |list: &str| format!(r#""tagStatus":"tagged",{list},{COUNT}"#);
    check(&[&untagged, &untagged], &["Only one rule can select Untagged images per storage class"]);
    check(
        &[&any(), &untagged],
        &["Rule for tagStatus=ANY must have the lowest priority per storage class"],
    );
    check(
        &[&tagged(r#""tagPrefixList":["a","b"]"#), &tagged(r#""tagPrefixList":["b","a"]"#)],
        &["Tag prefix or pattern lists must be unique per storage class"],
    );
    let twice = policy(&[&untagged, &any()]).replace(r#""rulePriority":2"#, r#""rulePriority":1"#);
    check_text(&twice, &["Rule priorities must be unique."]);
    let rules: Vec<String> =
        (0..51).map(|number| tagged(&format!(r#""tagPrefixList":["v{number}"]"#))).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    check(&rules[..50], &[]);
    check(
        &rules,
        &["array is too long: must have at most 50 elements but instance has 51 elements"],
    );
}

#[test]
fn documents() {
    const UNMAPPED: &str = "Could not map policyString into LifecyclePolicy.";
    for text in ["", "[]", "\"rules\"", "{\"rules\":", "{} {}"] {
        check_text(text, &[UNMAPPED]);
    }
    check_text("{}", &[r#"object has missing required properties (["rules"])"#]);
    check_text(r#"{"rules":[]}"#, &[TOO_SHORT]);
    check_text(
        r#"{"rules":{},"Version":1}"#,
        &[
            r#"object instance has properties which are not allowed by the schema: (["Version"])"#,
            r#"instance type (object) does not match any allowed primitive type (allowed: ["array"])"#,
        ],
    );
    check_text(
        r#"{"rules":[{}]}"#,
        &[r#"object has missing required properties (["action","rulePriority","selection"])"#],
    );
}

#[test]
fn too_short_and_too_long_texts_are_told_apart_before_they_are_read() {
    for (length, constraint) in [
        (99, "Member must have length greater than or equal to 100"),
        (30_721, "Member must have length less than or equal to 30720"),
    ] {
        let error = validate::parse(&" ".repeat(length)).unwrap_err();
        let message = format!(
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: '{constraint}'"
        );
        assert_eq!(error.message(), message);
    }
}

#[test]
fn answers_are_minified_and_by_priority() {
    let text = r#"{ "rules": [
        {"action":{"type":"expire"}, "selection":{"countNumber":5,"countType":"imageCountMoreThan","tagStatus":"any"},"rulePriority":20},
        {"rulePriority":3, "selection":{"tagPatternList":["a*"],"countUnit":"days","countNumber":1,"countType":"sinceImagePushed","tagStatus":"tagged"},
         "description":"ümlaut","action":{"type":"expire"}} ] }"#;
    assert_eq!(
        validate::parse(text).unwrap().minified().unwrap(),
        r#"{"rules":[{"rulePriority":3,"description":"ümlaut","selection":{"tagStatus":"tagged","tagPatternList":["a*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}},{"rulePriority":20,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":5},"action":{"type":"expire"}}]}"#
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "[ -~ü]{100,200}") {
        let _ = validate::parse(&text);
    }

    #[test]
    fn no_json_panics(words in prop::collection::vec(
        prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"rules\"", "\"rulePriority\"", "\"selection\"",
            "\"action\"", "\"tagStatus\"", "\"any\"", "1", "-3", "null", "1e300",
        ]),
        0..40,
    )) {
        let _ = validate::parse(&format!("{}{}", words.concat(), " ".repeat(100)));
    }

    #[test]
    fn what_is_given_back_is_read_as_the_same(number in 1..1_000_000_u64, prefix in "[a-z\"\\\\]{1,5}") {
        let prefix = serde_json::to_string(&prefix).unwrap();
        let text = policy(&[&format!(
            r#""tagStatus":"tagged","tagPrefixList":[{prefix}],"countType":"imageCountMoreThan","countNumber":{number}"#
        )]);
        let parsed = validate::parse(&text).unwrap();
        prop_assert_eq!(&validate::parse(&parsed.minified().unwrap()).unwrap(), &parsed);
    }
}
