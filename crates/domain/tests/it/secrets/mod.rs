//! Secrets: versions and their labels, deletion, and what other parts of the registry read.

mod decisions;
mod listing;

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tonnage_domain::error::{Error, ErrorKind, Result};
use tonnage_domain::execute::Operation;
use tonnage_domain::metadata::Mode;
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::secrets::create_secret::{CreateSecret, Stored};
use tonnage_domain::secrets::delete_secret::DeleteSecret;
use tonnage_domain::secrets::describe_secret::DescribeSecret;
use tonnage_domain::secrets::get_secret_value::GetSecretValue;
use tonnage_domain::secrets::put_secret_value::PutSecretValue;
use tonnage_domain::secrets::resource_policy::{DeleteSecretPolicy, GetSecretPolicy};
use tonnage_domain::secrets::restore_secret::RestoreSecret;
use tonnage_domain::secrets::tags::{TagSecret, UntagSecret};
use tonnage_domain::secrets::update_secret::UpdateSecret;
use tonnage_domain::secrets::update_secret_version_stage::UpdateSecretVersionStage;
use tonnage_domain::secrets::{SecretId, SecretName, Value};
use tonnage_store::faulty::{Call, Fault};

use crate::lifecycle::drain;
use crate::registry::{ACCOUNT, Registry, check_error, check_kind, resource_tags};

const DAY: i64 = 24 * 3600;
const MARKED: &str =
    "You can't perform this operation on the secret because it was marked for deletion.";
const NOT_FOUND: &str = "Secrets Manager can't find the specified secret.";

/// A token that begins with a word.
pub(crate) fn token(label: &str) -> String {
    format!("{label:-<32}")
}

pub(crate) fn id(text: &str) -> SecretId {
    let account = AccountId::parse(ACCOUNT).unwrap();
    SecretId::parse(text, &account, &Region::parse("us-east-1").unwrap()).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(SecretString::from(text))
}

/// A secret whose first version is named by what it holds.
pub(crate) fn create(name: &str, value: &str) -> CreateSecret {
    CreateSecret {
        name: SecretName::parse(name).unwrap(),
        description: None,
        tags: Vec::new(),
        value: Some(text(value)),
        token: Some(token(value)),
    }
}

fn put(name: &str, label: &str, value: &str, stages: &[&str]) -> PutSecretValue {
    PutSecretValue {
        id: id(name),
        value: text(value),
        token: Some(token(label)),
        stages: stages.iter().map(|&stage| stage.to_owned()).collect(),
    }
}

fn get(name: &str) -> GetSecretValue {
    GetSecretValue { id: id(name), version_id: None, stage: None }
}

fn delete(name: &str, days: Option<i64>, force: bool) -> DeleteSecret {
    DeleteSecret { id: id(name), days, force }
}

/// The current value: its kind and what it is.
pub(crate) async fn value(registry: &Registry, name: &str) -> Result<String> {
    registry.run(get(name)).await.map(|opened| shown(&opened.value))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("text {}", text.expose_secret()),
        Value::Binary(bytes) => format!("binary {:?}", bytes.expose_secret()),
    }
}

/// The labels by the first word of each version's id.
async fn labels(registry: &Registry, name: &str) -> Vec<String> {
    let described = registry.run(DescribeSecret { id: id(name) }).await.unwrap();
    let shown = |(version, stages): (&String, &Vec<String>)| {
        format!("{} {}", version.trim_end_matches('-'), stages.join(","))
    };
    described.stages.iter().map(shown).collect()
}

#[tokio::test]
async fn labels_follow_the_current_version() {
    let registry = Registry::new().await;
    registry.run(create("app", "one")).await.unwrap();
    assert_eq!(labels(&registry, "app").await, ["one AWSCURRENT"]);
    let check = async |put: PutSecretValue, value_now: &str, expected: &[&str]| {
        registry.run(put).await.unwrap();
        assert_eq!(value(&registry, "app").await.unwrap(), value_now);
        assert_eq!(labels(&registry, "app").await, expected);
    };
    check(put("app", "two", "2", &[]), "text 2", &["one AWSPREVIOUS", "two AWSCURRENT"]).await;
    check(
        put("app", "three", "3", &["AWSPENDING"]),
        "text 2",
        &["one AWSPREVIOUS", "three AWSPENDING", "two AWSCURRENT"],
    )
    .await;
    check(
        put("app", "four", "4", &["AWSCURRENT", "blue"]),
        "text 4",
        &["four AWSCURRENT,blue", "three AWSPENDING", "two AWSPREVIOUS"],
    )
    .await;
    let update =
        UpdateSecret { id: id("app"), description: None, value: Some(text("5")), token: None };
    check_kind(registry.run(update.clone()).await, ErrorKind::InvalidState);
    registry.run(UpdateSecret { token: Some(token("five")), ..update }).await.unwrap();
    assert_eq!(
        labels(&registry, "app").await,
        ["five AWSCURRENT", "four AWSPREVIOUS,blue", "three AWSPENDING"]
    );
}

#[tokio::test]
async fn the_first_version_is_the_current_one_whatever_its_labels() {
    let registry = Registry::new().await;
    registry.run(CreateSecret { value: None, ..create("app", "-") }).await.unwrap();
    check_error(
        value(&registry, "app").await,
        ErrorKind::NoSuchEntity,
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    );
    registry.run(put("app", "one", "1", &["AWSPENDING"])).await.unwrap();
    assert_eq!(labels(&registry, "app").await, ["one AWSCURRENT,AWSPENDING"]);
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_the_same_request() {
    let registry = Registry::new().await;
    let made = registry.run(create("app", "one")).await.unwrap();
    let again = registry.run(create("app", "one")).await.unwrap();
    assert_eq!(again, made);
    let check = async |create: CreateSecret| {
        check_error(
            registry.run(create).await,
            ErrorKind::EntityAlreadyExists,
            "The operation failed because the secret app already exists.",
        );
    };
    check(create("app", "two")).await;
    check(CreateSecret { value: Some(text("two")), ..create("app", "one") }).await;
    check(CreateSecret { value: None, ..create("app", "one") }).await;

    let two = put("app", "two", "2", &[]);
    let stored = registry.run(two.clone()).await.unwrap().version;
    registry.run(put("app", "three", "3", &[])).await.unwrap();
    let again = registry.run(two.clone()).await.unwrap().version;
    assert_eq!(stored.unwrap().stages, ["AWSCURRENT"]);
    assert_eq!(again.unwrap().stages, ["AWSPREVIOUS"], "nothing moves");
    let message = format!(
        "You can't use ClientRequestToken {} because that value is already in use for a version \
         of secret {}.",
        token("two"),
        made.secret.arn
    );
    let bytes = Value::Binary(SecretSlice::from(b"2".to_vec()));
    for value in [text("other"), bytes] {
        let other = PutSecretValue { value: value.clone(), ..two.clone() };
        check_error(registry.run(other).await, ErrorKind::EntityAlreadyExists, &message);
        let update = UpdateSecret {
            id: id("app"),
            description: Some("not stored".to_owned()),
            value: Some(value),
            token: Some(token("two")),
        };
        check_error(registry.run(update).await, ErrorKind::EntityAlreadyExists, &message);
    }
    let described = registry.run(DescribeSecret { id: id("app") }).await.unwrap();
    assert_eq!(described.secret.description, None);
    check_error(
        registry.run(PutSecretValue { token: None, ..two }).await,
        ErrorKind::InvalidState,
        "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
    );
}

#[tokio::test]
async fn values_are_bounded_and_of_either_kind() {
    let registry = Registry::new().await;
    let check = async |name: &str, value: Value, fits: bool| {
        let expected = shown(&value);
        let made = registry.run(CreateSecret { value: Some(value), ..create(name, "-") }).await;
        if !fits {
            return check_kind(made, ErrorKind::InvalidParameter);
        }
        made.unwrap();
        assert_eq!(self::value(&registry, name).await.unwrap(), expected);
    };
    check("empty", text(""), false).await;
    check("largest", text(&"x".repeat(65_536)), true).await;
    check("larger", text(&"x".repeat(65_537)), false).await;
    check("bytes-count", text(&"é".repeat(32_769)), false).await;
    check("binary", Value::Binary(SecretSlice::from(vec![0, 255])), true).await;
    check("no-bytes", Value::Binary(SecretSlice::from(Vec::new())), false).await;
}

#[tokio::test]
async fn a_version_is_found_by_id_by_label_and_by_both() {
    let registry = Registry::new().await;
    registry.run(create("app", "one")).await.unwrap();
    registry.run(put("app", "two", "2", &[])).await.unwrap();
    let found = async |version: Option<&str>, stage: Option<&str>| {
        let get = GetSecretValue {
            version_id: version.map(token),
            stage: stage.map(str::to_owned),
            ..get("app")
        };
        registry.run(get).await.map(|opened| opened.version_id)
    };
    let check = async |version: Option<&str>, stage: Option<&str>, expected: &str| {
        assert_eq!(found(version, stage).await.unwrap(), token(expected));
    };
    check(None, None, "two").await;
    check(None, Some("AWSPREVIOUS"), "one").await;
    check(Some("one"), None, "one").await;
    check(Some("one"), Some("AWSPREVIOUS"), "one").await;
    check_error(
        found(Some("one"), Some("AWSCURRENT")).await,
        ErrorKind::InvalidState,
        "You provided a VersionStage that is not associated to the provided VersionId.",
    );
    let message = format!(
        "Secrets Manager can't find the specified secret value for VersionId: {}",
        token("none")
    );
    check_error(found(Some("none"), None).await, ErrorKind::NoSuchEntity, &message);
    check_kind(found(None, Some("AWSPENDING")).await, ErrorKind::NoSuchEntity);
}

#[tokio::test]
async fn labels_are_moved_and_taken_off() {
    let registry = Registry::new().await;
    registry.run(create("app", "one")).await.unwrap();
    registry.run(put("app", "two", "2", &["AWSPENDING"])).await.unwrap();
    let check = async |stage: &str,
                       from: Option<&str>,
                       to: Option<&str>,
                       expected: Result<&[&str], ErrorKind>| {
        let relabel = UpdateSecretVersionStage {
            id: id("app"),
            stage: stage.to_owned(),
            remove_from: from.map(token),
            move_to: to.map(token),
        };
        let result = registry.run(relabel).await;
        match expected {
            Ok(expected) => {
                result.unwrap();
                assert_eq!(labels(&registry, "app").await, expected);
            }
            Err(kind) => check_kind(result, kind),
        }
    };
    let invalid = Err(ErrorKind::InvalidParameter);
    check("AWSCURRENT", None, Some("two"), invalid).await;
    check("AWSCURRENT", Some("two"), Some("two"), invalid).await;
    check("AWSCURRENT", Some("one"), None, invalid).await;
    check("blue", None, None, invalid).await;
    check("blue", Some("one"), None, invalid).await;
    check("AWSCURRENT", Some("one"), Some("none"), Err(ErrorKind::NoSuchEntity)).await;
    let moved: &[&str] = &["one AWSPREVIOUS", "two AWSCURRENT,AWSPENDING"];
    check("AWSCURRENT", Some("one"), Some("two"), Ok(moved)).await;
    check("AWSCURRENT", None, Some("two"), Ok(moved)).await;
    check("AWSPENDING", Some("two"), None, Ok(&["one AWSPREVIOUS", "two AWSCURRENT"])).await;
    check("blue", None, Some("one"), Ok(&["one AWSPREVIOUS,blue", "two AWSCURRENT"])).await;
}

#[tokio::test]
async fn old_versions_without_labels_make_room() {
    let registry = Registry::new().await;
    registry.run(create("app", "v0")).await.unwrap();
    for number in 1..100 {
        registry.run(put("app", &format!("v{number}"), "x", &[])).await.unwrap();
    }
    let one_more = put("app", "more", "x", &[]);
    check_kind(registry.run(one_more.clone()).await, ErrorKind::LimitExceeded);
    assert_eq!(labels(&registry, "app").await, ["v98 AWSPREVIOUS", "v99 AWSCURRENT"]);
    registry.clock.advance_seconds(DAY + 1);
    registry.run(one_more).await.unwrap();
    assert_eq!(registry.rows("SELECT version_id FROM secret_versions").await.len(), 100);
    let oldest = GetSecretValue { version_id: Some(token("v0")), ..get("app") };
    check_kind(registry.run(oldest).await, ErrorKind::NoSuchEntity);
    assert_eq!(value(&registry, "app").await.unwrap(), "text x");
}

#[tokio::test]
async fn a_secret_has_at_most_twenty_labels() {
    let registry = Registry::new().await;
    registry.run(create("app", "one")).await.unwrap();
    let names: Vec<String> = (0..19).map(|number| format!("label{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    registry.run(put("app", "two", "2", &names)).await.unwrap();
    let result = registry.run(put("app", "three", "3", &["one-more"])).await;
    check_error(result, ErrorKind::LimitExceeded, "A secret can have at most 20 staging labels.");
    assert_eq!(labels(&registry, "app").await.len(), 2, "nothing was stored");
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_window_is_over() {
    let registry = Registry::new().await;
    let made = registry.run(create("app", "one")).await.unwrap().secret;
    for days in [-1, 0, 6, 31] {
        let result = registry.run(delete("app", Some(days), false)).await;
        check_kind(result, ErrorKind::InvalidParameter);
    }
    check_kind(registry.run(delete("app", Some(7), true)).await, ErrorKind::InvalidParameter);
    let deleted = registry.run(delete("app", None, false)).await.unwrap();
    assert_eq!(deleted.arn.as_deref(), Some(made.arn.as_str()));
    assert_eq!(deleted.at, made.created_at.plus_seconds(30 * DAY));
    refused_while_deleted(&registry).await;
    check_error(
        registry.run(create("app", "two")).await,
        ErrorKind::InvalidState,
        "You can't create this secret because a secret with this name is already scheduled for \
         deletion.",
    );
    let described = registry.run(DescribeSecret { id: id("app") }).await.unwrap();
    assert_eq!(described.secret.deleted_at, Some(made.created_at));

    registry.clock.advance_seconds(30 * DAY - 1);
    drain(&registry).await;
    for _ in 0..2 {
        registry.run(RestoreSecret { id: id("app") }).await.unwrap();
    }
    assert_eq!(value(&registry, "app").await.unwrap(), "text one");
    registry.run(delete("app", Some(7), false)).await.unwrap();
    registry.clock.advance_seconds(7 * DAY);
    // Gone at once, before the job comes to it.
    check_error(
        registry.run(RestoreSecret { id: id("app") }).await,
        ErrorKind::NoSuchEntity,
        NOT_FOUND,
    );
    check_kind(registry.run(DescribeSecret { id: id("app") }).await, ErrorKind::NoSuchEntity);
}

async fn refused_while_deleted(registry: &Registry) {
    async fn check<O: Operation>(registry: &Registry, operation: O) {
        let result = registry.run(operation).await;
        check_error(result.map(|_| ()), ErrorKind::InvalidState, MARKED);
    }
    check(registry, get("app")).await;
    check(registry, put("app", "two", "2", &[])).await;
    let update = UpdateSecret { id: id("app"), description: None, value: None, token: None };
    check(registry, update).await;
    check(registry, delete("app", None, false)).await;
    check(registry, TagSecret { id: id("app"), tags: resource_tags(&[("a", "b")]) }).await;
    check(registry, UntagSecret { id: id("app"), keys: Vec::new() }).await;
    check(registry, GetSecretPolicy { id: id("app") }).await;
    check(registry, DeleteSecretPolicy { id: id("app") }).await;
}

#[tokio::test]
async fn what_is_over_is_removed_by_a_job_or_by_whoever_takes_the_name() {
    let registry = Registry::new().await;
    for number in 0..45 {
        registry.run(create(&format!("old{number}"), "one")).await.unwrap();
        registry.run(delete(&format!("old{number}"), Some(7), false)).await.unwrap();
    }
    registry.run(create("kept", "one")).await.unwrap();
    registry.clock.advance_seconds(7 * DAY);
    let again = registry.run(create("old0", "one")).await.unwrap();
    assert_eq!(value(&registry, &again.secret.arn).await.unwrap(), "text one");
    drain(&registry).await;
    let names = registry.rows("SELECT name FROM secrets ORDER BY name").await;
    assert_eq!(names, [["kept"], ["old0"]]);
    assert_eq!(registry.rows("SELECT stage FROM secret_stages").await.len(), 2);
    assert_eq!(registry.rows("SELECT version_id FROM secret_versions").await.len(), 2);
}

#[tokio::test]
async fn force_leaves_nothing_and_needs_nothing() {
    let registry = Registry::new().await;
    let made = registry.run(create("app", "one")).await.unwrap().secret;
    registry.run(delete("app", None, false)).await.unwrap();
    let deleted = registry.run(delete("app", None, true)).await.unwrap();
    assert_eq!((deleted.arn, deleted.at), (Some(made.arn.clone()), made.created_at));
    for table in ["SELECT name FROM secrets", "SELECT version_id FROM secret_versions"] {
        assert_eq!(registry.rows(table).await.len(), 0, "{table}");
    }
    check_error(registry.run(delete("app", None, false)).await, ErrorKind::NoSuchEntity, NOT_FOUND);
    let again = registry.run(delete("app", None, true)).await.unwrap();
    assert_eq!((again.arn, again.name.as_deref()), (None, Some("app")));
    let again = registry.run(delete(&made.arn, None, true)).await.unwrap();
    assert_eq!((again.arn.as_deref(), again.name), (Some(made.arn.as_str()), None));
    let new = registry.run(create("app", "two")).await.unwrap().secret;
    assert_ne!(new.arn, made.arn);
    check_kind(registry.run(get(&made.arn)).await, ErrorKind::NoSuchEntity);
}

#[tokio::test]
async fn a_secret_is_found_by_name_and_by_arn_with_and_without_its_end() {
    let registry = Registry::new().await;
    let one = registry.run(create("app", "one")).await.unwrap().secret.arn;
    // Its ARN without the end looks like a whole one.
    let two = registry.run(create("app-AbCd12", "two")).await.unwrap().secret.arn;
    let without_end = |arn: &str| arn[..arn.len() - 7].to_owned();
    let check = async |text: &str, expected: Option<&str>| {
        let found = value(&registry, text).await;
        match expected {
            Some(expected) => assert_eq!(found.unwrap(), expected, "{text}"),
            None => check_error(found, ErrorKind::NoSuchEntity, NOT_FOUND),
        }
    };
    check("app", Some("text one")).await;
    check(&one, Some("text one")).await;
    check(&without_end(&one), Some("text one")).await;
    check(&two, Some("text two")).await;
    check(&without_end(&two), Some("text two")).await;
    check("ap", None).await;
    check("App", None).await;
    check(&format!("{}-XXXXXX", without_end(&one)), None).await;
    check(&one.replace("us-east-1", "eu-west-1"), None).await;
    let mut elsewhere = registry.context();
    elsewhere.region = Region::parse("eu-west-1").unwrap();
    check_kind(registry.run_in(&elsewhere, get(&one)).await, ErrorKind::NoSuchEntity);
    let same_name = registry.run_in(&elsewhere, create("app", "there")).await.unwrap();
    assert!(same_name.secret.arn.contains(":eu-west-1:"));
    check("app", Some("text one")).await;
}

#[tokio::test]
async fn descriptions_and_tags_change() {
    let registry = Registry::new().await;
    let create = CreateSecret {
        description: Some("first".to_owned()),
        tags: resource_tags(&[("a", "1"), ("b", "2")]),
        ..create("app", "one")
    };
    registry.run(create).await.unwrap();
    registry.clock.advance_seconds(60);
    registry
        .run(TagSecret { id: id("app"), tags: resource_tags(&[("b", "3"), ("c", "")]) })
        .await
        .unwrap();
    let keys = vec!["a".to_owned(), "unknown".to_owned()];
    registry.run(UntagSecret { id: id("app"), keys }).await.unwrap();
    let described = registry.run(DescribeSecret { id: id("app") }).await.unwrap().secret;
    let tags: Vec<_> = described.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(tags, ["b=3", "c="]);
    assert_eq!(described.changed_at, described.created_at.plus_seconds(60));
    for (text, expected) in [("second", Some("second")), ("", None)] {
        let description = Some(text.to_owned());
        let update = UpdateSecret { id: id("app"), description, value: None, token: None };
        assert_eq!(registry.run(update).await.unwrap().version, None);
        let described = registry.run(DescribeSecret { id: id("app") }).await.unwrap().secret;
        assert_eq!(described.description.as_deref(), expected);
    }
    let many: Vec<String> = (0..49).map(|number| format!("key{number}")).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "")).collect();
    let result = registry.run(TagSecret { id: id("app"), tags: resource_tags(&many) }).await;
    check_error(result, ErrorKind::TooManyTags, "A secret can have at most 50 tags.");
    let reserved = resource_tags(&[("aws:x", "")]);
    let result = registry.run(TagSecret { id: id("app"), tags: reserved }).await;
    check_kind(result, ErrorKind::InvalidTagParameter);
}

#[tokio::test]
async fn a_secret_has_no_policy() {
    let registry = Registry::new().await;
    let made = registry.run(create("app", "one")).await.unwrap().secret;
    assert_eq!(registry.run(GetSecretPolicy { id: id("app") }).await.unwrap().arn, made.arn);
    assert_eq!(registry.run(DeleteSecretPolicy { id: id("app") }).await.unwrap().arn, made.arn);
    let missing = GetSecretPolicy { id: id("none") };
    check_error(registry.run(missing).await, ErrorKind::NoSuchEntity, NOT_FOUND);
}

#[tokio::test]
async fn the_first_access_of_a_day_is_noted_where_it_can_be() {
    let registry = Registry::new().await;
    registry.run(create("app", "one")).await.unwrap();
    let accessed = async || {
        let described = registry.run(DescribeSecret { id: id("app") }).await.unwrap();
        described.secret.accessed_at.map(|at| at.0)
    };
    assert_eq!(accessed().await, None);
    value(&registry, "app").await.unwrap();
    let first = accessed().await.unwrap();
    assert_eq!(first % (DAY * 1000), 0);
    registry.clock.advance_seconds(DAY);
    registry.plan.fail(Call::BeginWrite, 1, Fault::Full);
    assert_eq!(value(&registry, "app").await.unwrap(), "text one", "a full disk hides no secret");
    assert_eq!(accessed().await, Some(first));
    value(&registry, "app").await.unwrap();
    assert_eq!(accessed().await, Some(first + DAY * 1000));
}

/// What is stored, logged in access records and told in errors never has the value.
#[tokio::test]
async fn a_value_is_only_stored_sealed() {
    const HIDDEN: &str = "correct-horse-battery-staple";
    let registry = Registry::new().await;
    let made = registry.run(CreateSecret { token: Some(token("one")), ..create("app", HIDDEN) });
    let made: Stored = made.await.unwrap();
    let refused: Error = registry.run(put("app", "one", "other", &[])).await.unwrap_err();
    let sealed = "SELECT sealed_value FROM secret_versions";
    let mut tx = registry.metadata.begin(Mode::Read).await.unwrap();
    let bytes: Vec<u8> = tx.query(sealed, &[]).await.unwrap()[0].get(0).unwrap();
    assert!(!bytes.windows(HIDDEN.len()).any(|window| window == HIDDEN.as_bytes()));
    let records = registry.rows("SELECT operation, resources FROM access_records").await;
    let input = CreateSecret { token: None, ..create("app", HIDDEN) };
    assert!(!format!("{made:?} {refused:?} {records:?} {input:?}").contains(HIDDEN));
    assert!(records.contains(&vec![
        "CreateSecret".to_owned(),
        made.secret.arn[..made.secret.arn.len() - 6].to_owned() + "??????"
    ]));
}

/// A sealed value opens only as the version of the secret that it was sealed for.
#[tokio::test]
async fn a_value_moved_to_another_secret_does_not_open() {
    let registry = Registry::new().await;
    for name in ["app", "other"] {
        registry.run(create(name, "hidden")).await.unwrap();
    }
    let moved = "UPDATE secret_versions SET sealed_value = (SELECT sealed_value FROM \
                 secret_versions AS other WHERE other.secret_id <> secret_versions.secret_id) \
                 WHERE secret_id = (SELECT id FROM secrets WHERE name = 'app')";
    registry.write(&[(moved, Vec::new())]).await;
    check_kind(value(&registry, "app").await, ErrorKind::Internal);
    assert_eq!(value(&registry, "other").await.unwrap(), "text hidden");
}
