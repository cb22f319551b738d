use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

static NAME_PATTERN: Pattern = Pattern::new(r"[a-z]+(\/[a-z]+)*");
static KEY_PATTERN: Pattern = Pattern::new("[a-z]+");

static NAME: Shape = Shape::String(Text::ANY.min(2).max(8).pattern(&NAME_PATTERN));
static COLOUR: Shape = Shape::String(Text::ANY.values(&["RED", "BLUE"]));
static SECRET: Shape = Shape::String(Text::ANY.min(4).sensitive());
static FREE: Shape = Shape::String(Text::ANY);
static COUNT: Shape = Shape::Integer(Range::ANY.min(1).max(1000));
static WIDE: Shape = Shape::Integer(Range::ANY);
static SIZE: Shape = Shape::Long(Range::ANY.min(0));
static WEIGHT: Shape = Shape::Float(FloatRange::ANY.min(0.0).max(1.0));
static FLAG: Shape = Shape::Boolean;
static WHEN: Shape = Shape::Timestamp;
static PART: Shape = Shape::Blob(Length::ANY.min(1).max(4));
static NAMES: Shape = Shape::List { member: &NAME, length: Length::ANY.min(1).max(3) };
static SECRETS: Shape = Shape::List { member: &SECRET, length: Length::ANY };
static COUNTS: Shape = Shape::List { member: &COUNT, length: Length::ANY };
static PAIRS: Shape = Shape::List { member: &PAIR, length: Length::ANY.max(2) };
static LABELS: Shape = Shape::Map { key: &KEY, value: &NAME, length: Length::ANY.max(2) };
static GROUPS: Shape = Shape::Map { key: &KEY, value: &PAIRS, length: Length::ANY };
static KEY: Shape = Shape::String(Text::ANY.max(8).pattern(&KEY_PATTERN));
static PAIR: Shape = Shape::Structure(&[
    Member::required("Key", &FREE),
    Member::optional("Value", &NAME),
    Member::optional("Secret", &SECRET),
]);
static TREE: Shape = Shape::Structure(&[
    Member::optional("name", &NAME),
    Member::optional("child", &TREE),
    Member::optional("children", &TREES),
]);
static TREES: Shape = Shape::List { member: &TREE, length: Length::ANY };

/// One member of every kind; none is required.
static EVERYTHING: Shape = Shape::Structure(&[
    Member::optional("name", &NAME),
    Member::optional("colour", &COLOUR),
    Member::optional("secret", &SECRET),
    Member::optional("count", &COUNT),
    Member::optional("wide", &WIDE),
    Member::optional("size", &SIZE),
    Member::optional("weight", &WEIGHT),
    Member::optional("flag", &FLAG),
    Member::optional("when", &WHEN),
    Member::optional("part", &PART),
    Member::optional("names", &NAMES),
    Member::optional("secrets", &SECRETS),
    Member::optional("counts", &COUNTS),
    Member::optional("pair", &PAIR),
    Member::optional("pairs", &PAIRS),
    Member::optional("labels", &LABELS),
    Member::optional("groups", &GROUPS),
    Member::optional("tree", &TREE),
]);

const NAME_RULES: &str = "Member must have length less than or equal to 8, \
     Member must have length greater than or equal to 2, \
     Member must satisfy regular expression pattern: [a-z]+(/[a-z]+)*";

/// The aggregated text, which must report a single violation; empty means valid.
fn one(document: &Value) -> String {
    match validate(&EVERYTHING, document) {
        Ok(()) => String::new(),
        Err(failure) => {
            assert_eq!(failure.code(Style::Aggregated), "ValidationException", "{document}");
            let message = failure.message(Style::Aggregated).unwrap();
            let text = message.strip_prefix("1 validation error detected: ");
            text.unwrap_or_else(|| panic!("{document}: {message}")).to_owned()
        }
    }
}

#[test]
fn each_constraint_has_the_text_of_aws() {
    let check = |document: Value, at: &str, constraint: &str| {
        let expected = format!("{at} failed to satisfy constraint: {constraint}");
        assert_eq!(one(&document), expected, "{document}");
    };
    check(json!({"pair": {}}), "Value null at 'pair.key'", "Member must not be null");
    check(json!({"pair": {"Key": null}}), "Value null at 'pair.key'", "Member must not be null");
    check(
        json!({"name": "a"}),
        "Value 'a' at 'name'",
        "Member must have length greater than or equal to 2",
    );
    check(
        json!({"name": "abcdefghi"}),
        "Value 'abcdefghi' at 'name'",
        "Member must have length less than or equal to 8",
    );
    check(
        json!({"name": "a/B"}),
        "Value 'a/B' at 'name'",
        "Member must satisfy regular expression pattern: [a-z]+(/[a-z]+)*",
    );
    check(
        json!({"colour": "GREEN"}),
        "Value 'GREEN' at 'colour'",
        "Member must satisfy enum value set: [RED, BLUE]",
    );
    check(
        json!({"count": 1001}),
        "Value '1001' at 'count'",
        "Member must have value less than or equal to 1000",
    );
    check(
        json!({"count": 0}),
        "Value '0' at 'count'",
        "Member must have value greater than or equal to 1",
    );
    check(
        json!({"count": 99_999_999_999_i64}),
        "Value '99999999999' at 'count'",
        "Member must have value less than or equal to 1000",
    );
    check(
        json!({"wide": -2_147_483_649_i64}),
        "Value '-2147483649' at 'wide'",
        "Member must have value greater than or equal to -2147483648",
    );
    check(
        json!({"size": u64::MAX}),
        "Value '18446744073709551615' at 'size'",
        "Member must have value less than or equal to 9223372036854775807",
    );
    check(
        json!({"weight": 1.5}),
        "Value '1.5' at 'weight'",
        "Member must have value less than or equal to 1.0",
    );
    check(
        json!({"weight": -1}),
        "Value '-1' at 'weight'",
        "Member must have value greater than or equal to 0.0",
    );
    check(
        json!({"part": ""}),
        "Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'part'",
        "Member must have length greater than or equal to 1",
    );
    check(
        json!({"part": "MTIzNDU="}),
        "Value 'java.nio.HeapByteBuffer[pos=0 lim=5 cap=5]' at 'part'",
        "Member must have length less than or equal to 4",
    );
    check(
        json!({"secret": "abc"}),
        "Value at 'secret'",
        "Member must have length greater than or equal to 4",
    );
    check(
        json!({"names": []}),
        "Value '[]' at 'names'",
        "Member must have length greater than or equal to 1",
    );
    check(
        json!({"names": ["aa", "bb", "cc", "D"]}),
        "Value '[aa, bb, cc, D]' at 'names'",
        "Member must have length less than or equal to 3",
    );
    check(
        json!({"names": ["ok", "B", "C"]}),
        "Value '[ok, B, C]' at 'names'",
        &format!("Member must satisfy constraint: [{NAME_RULES}]"),
    );
    check(
        json!({"secrets": ["abcd", "abc"]}),
        "Value at 'secrets'",
        "Member must satisfy constraint: [Member must have length greater than or equal to 4]",
    );
    check(
        json!({"counts": [1, 0]}),
        "Value '[1, 0]' at 'counts'",
        "Member must satisfy constraint: [Member must have value less than or equal to 1000, \
         Member must have value greater than or equal to 1]",
    );
    check(
        json!({"names": ["ok", null]}),
        "Value null at 'names.2.member'",
        "Member must not be null",
    );
    check(
        json!({"pairs": [{"Key": "k"}, {"Value": "ok"}]}),
        "Value null at 'pairs.2.member.key'",
        "Member must not be null",
    );
    check(
        json!({"pairs": [
            {"Value": "ok", "Key": "k", "Secret": "hidden"}, {"Other": 1, "Key": "k"}, {}]}),
        "Value '[{key=k, value=ok, secret=***Sensitive Data Redacted***}, {key=k}, {}]' at 'pairs'",
        "Member must have length less than or equal to 2",
    );
    check(
        json!({"labels": {"A": "ok"}}),
        "Value '{A=ok}' at 'labels'",
        "Map keys must satisfy constraint: [Member must have length less than or equal to 8, \
         Member must satisfy regular expression pattern: [a-z]+]",
    );
    check(
        json!({"labels": {"a": "ok", "b": "X"}}),
        "Value '{a=ok, b=X}' at 'labels'",
        &format!("Map value must satisfy constraint: [{NAME_RULES}]"),
    );
    check(
        json!({"labels": {"a": "ok", "b": "ok", "c": "ok"}}),
        "Value '{a=ok, b=ok, c=ok}' at 'labels'",
        "Member must have length less than or equal to 2",
    );
    check(
        json!({"labels": {"a": null}}),
        "Value null at 'labels.a.member'",
        "Member must not be null",
    );
    check(
        json!({"groups": {"g": [{}]}}),
        "Value null at 'groups.g.member.1.member.key'",
        "Member must not be null",
    );
    check(
        json!({"tree": {"child": {"children": [{}, {"name": "A1"}]}}}),
        "Value 'A1' at 'tree.child.children.2.member.name'",
        "Member must satisfy regular expression pattern: [a-z]+(/[a-z]+)*",
    );
}

#[test]
fn valid_documents_pass() {
    let check = |document: Value| assert_eq!(validate(&EVERYTHING, &document), Ok(()));
    check(json!({}));
    check(json!({"name": null, "names": null, "unknown": {"deep": [1]}}));
    check(json!({"name": "ab", "colour": "RED", "secret": "abcd", "count": 1, "wide": -1}));
    check(json!({"count": 1000, "size": i64::MAX, "weight": 1, "flag": false, "when": 1.5e9}));
    check(json!({"part": "MTIzNA==", "names": ["ab", "abcdefgh"], "pairs": [], "labels": {}}));
    check(json!({"groups": {"g": [{"Key": ""}]}, "tree": {"child": {"child": {}}}}));
    // Lengths count characters, not bytes.
    check(json!({"secret": "äöüß"}));
}

#[test]
fn wrong_types_have_the_messages_of_aws_json_1_1() {
    let check = |document: Value, expected: &str| {
        let failure = validate(&EVERYTHING, &document).unwrap_err();
        for style in [Style::Aggregated, Style::EcrInvalidParameter] {
            assert_eq!(failure.code(style), "SerializationException", "{document}");
            assert_eq!(failure.message(style).as_deref(), Some(expected), "{document}");
        }
    };
    let structure = "Start of structure or map found where not expected.";
    let list = "Start of list found where not expected";
    check(json!([]), list);
    check(json!({"name": 1}), "NUMBER_VALUE can not be converted to a String");
    check(json!({"name": 1.5}), "DECIMAL_VALUE can not be converted to a String");
    check(json!({"name": true}), "TRUE_VALUE can not be converted to a String");
    check(json!({"name": false}), "FALSE_VALUE can not be converted to a String");
    check(json!({"name": {}}), structure);
    check(json!({"name": ["x"]}), list);
    check(json!({"count": "1"}), "STRING_VALUE can not be converted to an Integer");
    check(json!({"count": 1.5}), "DECIMAL_VALUE can not be converted to an Integer");
    check(json!({"count": 1e300}), "DECIMAL_VALUE can not be converted to an Integer");
    check(json!({"count": true}), "TRUE_VALUE can not be converted to an Integer");
    check(json!({"count": [1]}), list);
    check(json!({"size": "1"}), "STRING_VALUE can not be converted to a Long");
    check(json!({"weight": "1"}), "STRING_VALUE can not be converted to a Double");
    check(json!({"flag": "true"}), "STRING_VALUE can not be converted to an Boolean");
    check(json!({"flag": 1}), "NUMBER_VALUE can not be converted to an Boolean");
    check(json!({"when": "now"}), "STRING_VALUE can not be converted to milliseconds since epoch");
    check(json!({"part": 1}), "only base-64-encoded strings are convertible to bytes");
    check(
        json!({"part": "MTI"}),
        "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
    );
    check(json!({"part": {}}), structure);
    check(json!({"names": "x"}), "Expected list or null");
    check(json!({"names": {}}), structure);
    check(json!({"names": [1]}), "NUMBER_VALUE can not be converted to a String");
    check(json!({"pair": "x"}), "Expected null");
    check(json!({"pair": []}), list);
    check(json!({"pairs": ["x"]}), "Expected null");
    check(json!({"labels": 1}), "Expected map or null");
    check(json!({"labels": []}), list);
    check(json!({"labels": {"a": 1}}), "NUMBER_VALUE can not be converted to a String");
    // A wrong type anywhere comes before any broken constraint.
    check(
        json!({"name": "", "pair": {}, "flag": 1}),
        "NUMBER_VALUE can not be converted to an Boolean",
    );
}

#[test]
fn a_document_that_is_no_object_has_no_message() {
    for document in [json!(null), json!("x"), json!(1), json!(true)] {
        let failure = validate(&EVERYTHING, &document).unwrap_err();
        assert_eq!(
            failure,
            ValidationFailure::Serialization(SerializationFailure { message: None }),
            "{document}"
        );
    }
}

#[test]
fn violations_are_aggregated_in_document_order_and_missing_members_come_last() {
    let document = json!({
        "pairs": [{"Value": "A"}],
        "count": 0,
        "name": "",
    });
    let failure = validate(&EVERYTHING, &document).unwrap_err();
    assert_eq!(
        failure.message(Style::Aggregated).unwrap(),
        "6 validation errors detected: \
         Value 'A' at 'pairs.1.member.value' failed to satisfy constraint: \
         Member must have length greater than or equal to 2; \
         Value 'A' at 'pairs.1.member.value' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-z]+(/[a-z]+)*; \
         Value null at 'pairs.1.member.key' failed to satisfy constraint: \
         Member must not be null; \
         Value '0' at 'count' failed to satisfy constraint: \
         Member must have value greater than or equal to 1; \
         Value '' at 'name' failed to satisfy constraint: \
         Member must have length greater than or equal to 2; \
         Value '' at 'name' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-z]+(/[a-z]+)*"
    );
}

#[test]
fn replies_do_not_grow_with_the_request() {
    let long = "A".repeat(100_000);
    let documents = [
        json!({"name": long}),
        json!({"labels": {&long: "ok"}}),
        json!({"labels": {"a": &long}}),
        json!({"groups": {"g": [{}, {}]}, "names": [&long, &long, &long, &long]}),
        json!({"counts": vec![0; 100_000]}),
        json!({"secrets": vec![Value::Null; 100_000]}),
        json!({"groups": {&long: [{}]}}),
    ];
    for document in documents {
        let failure = validate(&EVERYTHING, &document).unwrap_err();
        let ValidationFailure::Constraints(violations) = &failure else {
            panic!("{failure:?}");
        };
        assert!(violations.len() <= ValidationFailure::VIOLATIONS_MAX);
        for violation in violations {
            assert!(violation.path.chars().count() <= Violation::ECHO_CHARS_MAX);
            if let Echo::Text(text) = &violation.value {
                assert!(text.chars().count() <= Violation::ECHO_CHARS_MAX);
            }
        }
        let message = failure.message(Style::Aggregated).unwrap();
        assert!(message.chars().count() < 60_000, "{}", message.len());
    }
}

#[test]
fn documents_too_deep_are_refused() {
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "child": inner }));
    assert_eq!(validate(&TREE, &nested(128)), Ok(()));
    let failure = validate(&TREE, &nested(129)).unwrap_err();
    assert_eq!(
        failure.message(Style::Aggregated).as_deref(),
        Some("Start of structure or map found where not expected.")
    );
}

#[test]
fn recursive_shapes_can_be_printed() {
    assert!(format!("{TREE:?}").contains(r#"optional("children")"#));
}

#[test]
fn ecr_words_violations_its_own_way() {
    let check = |operation: &str, document: Value, expected: &str| {
        let operation = Operation::find(&ecr::SERVICE, operation).unwrap();
        let failure = validate(operation.input, &document).unwrap_err();
        assert_eq!(failure.code(ecr::SERVICE.style), "InvalidParameterException");
        let message = failure.message(ecr::SERVICE.style).unwrap();
        let expected = expected.replace(
            "{name}",
            r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*",
        );
        assert_eq!(message, format!("Invalid parameter at {expected}"), "{document}");
    };
    check(
        "CreateRepository",
        json!({"repositoryName": "Bad_Name!"}),
        "'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '{name}''",
    );
    check(
        "CreateRepository",
        json!({}),
        "'repositoryName' failed to satisfy constraint: 'must not be null'",
    );
    check(
        "CreateRepository",
        json!({"repositoryName": "a"}),
        "'repositoryName' failed to satisfy constraint: \
         'must have length greater than or equal to 2'",
    );
    check(
        "CreateRepository",
        json!({"repositoryName": "a".repeat(257)}),
        "'repositoryName' failed to satisfy constraint: \
         'must have length less than or equal to 256'",
    );
    check(
        "CreateRepository",
        json!({"repositoryName": "a/b", "tags": [{"Key": "a", "Value": "b"}, {"Value": "b"}]}),
        "'tags.2.member.key' failed to satisfy constraint: 'Member must not be null'",
    );
    check(
        "DescribeRepositories",
        json!({"repositoryNames": ["ok", "Bad"]}),
        "'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '{name}''",
    );
    check(
        "DescribeRepositories",
        json!({"registryId": "12"}),
        "'registryId' failed to satisfy constraint: 'must satisfy regular expression [0-9]{12}'",
    );
    check(
        "DescribeRepositories",
        json!({"maxResults": 1001}),
        "'maxResults' failed to satisfy constraint: \
         'Member must have value less than or equal to 1000'",
    );
    check(
        "GetAuthorizationToken",
        json!({"registryIds": ["12"]}),
        "'registryIds' failed to satisfy constraint: 'Member must satisfy constraint: \
         [Member must satisfy regular expression pattern: [0-9]{12}]'",
    );
    check(
        "BatchGetImage",
        json!({"repositoryName": "ok", "imageIds": []}),
        "'imageIds' failed to satisfy constraint: \
         'Member must have length greater than or equal to 1'",
    );
    check(
        "PutImageTagMutability",
        json!({"repositoryName": "ok", "imageTagMutability": "SOMETIMES"}),
        "'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: \
         [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'",
    );
    check(
        "PutLifecyclePolicy",
        json!({"repositoryName": "ok", "lifecyclePolicyText": ""}),
        "'lifecyclePolicyText' failed to satisfy constraint: \
         'Member must have length greater than or equal to 100'",
    );
}

#[test]
fn operations_are_found_by_their_exact_name() {
    for service in [&ecr::SERVICE, &ecr_public::SERVICE] {
        for name in service.operation_names() {
            assert_eq!(service.find(name).map(|operation| operation.name), Some(name));
        }
        assert!(service.operation_names().is_sorted());
        assert!(service.find("createrepository").is_none());
        assert!(service.find("").is_none());
    }
    let put_image = ecr::SERVICE.find("PutImage").unwrap();
    assert_eq!(put_image.error("KmsException").map(|error| error.status), Some(400));
    assert_eq!(put_image.error("ServerException").map(|error| error.status), Some(500));
    assert!(put_image.error("ScanNotFoundException").is_none());
}

/// Every pattern within `shape`, each shape entered once.
fn patterns(shape: &'static Shape, seen: &mut Vec<*const Shape>, out: &mut Vec<&'static Pattern>) {
    if seen.contains(&std::ptr::from_ref(shape)) {
        return;
    }
    seen.push(shape);
    match shape {
        Shape::Structure(members) => {
            members.iter().for_each(|member| patterns(member.shape, seen, out));
        }
        Shape::List { member, .. } => patterns(member, seen, out),
        Shape::Map { key, value, .. } => {
            patterns(key, seen, out);
            patterns(value, seen, out);
        }
        Shape::String(text) => {
            if let (Some(pattern), Some(max)) = (text.pattern, text.length.max) {
                let bytes_max = usize::try_from(max).unwrap() * 4;
                assert!(bytes_max <= Pattern::SUBJECT_BYTES_MAX, "{}", pattern.text());
            }
            out.extend(text.pattern);
        }
        _ => {}
    }
}

fn generated_patterns() -> Vec<&'static Pattern> {
    let (mut seen, mut found) = (Vec::new(), Vec::new());
    for operation in ecr::SERVICE.operations.iter().chain(ecr_public::SERVICE.operations) {
        patterns(operation.input, &mut seen, &mut found);
        operation.output.iter().for_each(|output| patterns(output, &mut seen, &mut found));
    }
    found
}

#[test]
fn every_generated_pattern_compiles_and_none_is_javas_alone() {
    let found = generated_patterns();
    assert!(found.len() > 20, "{}", found.len());
    for pattern in &found {
        assert!(pattern.compiles(), "{}", pattern.text());
    }
    // A pattern that enters this list needs a rule of its own: the generator refuses it.
    let java_only = ["*+", "++", "?+", "}+", "(?=", "(?!", "(?<", "(?>", "&&", r"\p", r"\Q"];
    let listed: Vec<&str> = found
        .iter()
        .map(|pattern| pattern.text())
        .filter(|text| java_only.iter().any(|construct| text.contains(construct)))
        .collect();
    assert_eq!(listed, Vec::<&str>::new());
}

#[test]
fn patterns_match_the_whole_string() {
    let check = |shape: &'static Shape, value: &str, expected: bool| {
        let Shape::String(Text { pattern: Some(pattern), .. }) = shape else {
            panic!("{shape:?} has no pattern");
        };
        assert_eq!(pattern.is_match(value), expected, "{} against {value:?}", pattern.text());
    };
    let input = |operation: &str, member: &str| {
        let Shape::Structure(members) = ecr::SERVICE.find(operation).unwrap().input else {
            panic!("{operation} takes no structure");
        };
        members.iter().find(|candidate| candidate.name == member).unwrap().shape
    };
    let name = input("CreateRepository", "repositoryName");
    for good in ["a", "a/b", "a-b", "a---b", "a__b", "a.b/c_d", "0"] {
        check(name, good, true);
    }
    for bad in ["", "A", "a/", "/a", "a..b", "a_-b", "a___b", "a\n", "xa b"] {
        check(name, bad, false);
    }
    let registry = input("CreateRepository", "registryId");
    check(registry, "123456789012", true);
    check(registry, "1234567890123", false);
    let digest = input("GetDownloadUrlForLayer", "layerDigest");
    check(digest, "sha256:00ff", true);
    check(digest, "a-b_c+d.e:0", true);
    check(digest, "sha256:xyz", false);
    check(digest, &format!("sha256:{}", "0".repeat(Pattern::SUBJECT_BYTES_MAX)), false);
}

/// JSON of any shape, bounded in depth and width, with the names that the tables know among the
/// keys so that the walk gets somewhere.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[a-z=]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "name",
            "colour",
            "count",
            "part",
            "names",
            "pair",
            "pairs",
            "labels",
            "groups",
            "tree",
            "child",
            "children",
            "Key",
            "Value",
            "repositoryName",
            "imageIds",
            "replicationConfiguration",
            "rules",
            "destinations",
            "tags",
            "layerPartBlob",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_gets_an_answer_that_can_be_rendered(
        document in any_json(),
        operation in (0..ecr::SERVICE.operations.len()).prop_map(|i| &ecr::SERVICE.operations[i]),
    ) {
        for shape in [&EVERYTHING, &TREE, operation.input].into_iter().chain(operation.output) {
            if let Err(failure) = validate(shape, &document) {
                for style in [Style::Aggregated, Style::EcrInvalidParameter] {
                    let is_silent = !document.is_object() && !document.is_array();
                    prop_assert_eq!(failure.message(style).is_none(), is_silent);
                }
                if let ValidationFailure::Constraints(violations) = &failure {
                    prop_assert!(!violations.is_empty());
                    prop_assert!(violations.len() <= ValidationFailure::VIOLATIONS_MAX);
                }
            }
        }
    }

    #[test]
    fn the_order_of_keys_does_not_change_what_is_found(document in any_json()) {
        let reversed = reverse_keys(&document);
        let texts = |document: &Value| match validate(&EVERYTHING, document) {
            Err(ValidationFailure::Constraints(violations)) => {
                let mut found: Vec<_> = violations
                    .iter()
                    .map(|violation| (violation.path.clone(), violation.constraint.to_string()))
                    .collect();
                found.sort();
                Some(found)
            }
            Err(ValidationFailure::Serialization(_)) => None,
            Ok(()) => Some(Vec::new()),
        };
        let (forward, backward) = (texts(&document), texts(&reversed));
        let full = ValidationFailure::VIOLATIONS_MAX;
        if forward.as_ref().is_none_or(|found| found.len() < full) {
            prop_assert_eq!(forward, backward);
        }
    }
}

fn reverse_keys(value: &Value) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries.iter().rev().map(|(key, value)| (key.clone(), reverse_keys(value))).collect(),
        ),
        Value::Array(elements) => elements.iter().map(reverse_keys).collect(),
        other => other.clone(),
    }
}
