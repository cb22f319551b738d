//! Managed signing: whose images are signed, with whose right, and what is told of it.

mod failures;

use std::collections::BTreeMap;

use tonnage_domain::context::Principal;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::list_image_referrers::{ListImageReferrers, Referrer};
use tonnage_domain::names::Digest;
use tonnage_domain::params;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::signing::configuration::{SigningConfiguration, SigningRule};
use tonnage_domain::signing::delete_signing_configuration::DeleteSigningConfiguration;
use tonnage_domain::signing::describe_image_signing_status::DescribeImageSigningStatus;
use tonnage_domain::signing::envelope::{ARTIFACT_TYPE, ENVELOPE_TYPE};
use tonnage_domain::signing::get_signing_configuration::GetSigningConfiguration;
use tonnage_domain::signing::profiles::PLATFORM;
use tonnage_domain::signing::profiles::get_signing_profile::GetSigningProfile;
use tonnage_domain::signing::profiles::list_signing_profiles::ListSigningProfiles;
use tonnage_domain::signing::profiles::put_signing_profile::PutSigningProfile;
use tonnage_domain::signing::put_signing_configuration::PutSigningConfiguration;
use tonnage_domain::uploads::UploadRules;

use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{
    Registry, address, by_digest, by_tag, check_error, check_kind, page, put_image,
};

const PROFILES: &str = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/";

fn profile(name: &str) -> PutSigningProfile {
    PutSigningProfile {
        name: name.to_owned(),
        platform: PLATFORM.to_owned(),
        tags: BTreeMap::new(),
    }
}

pub(crate) async fn put_profile(registry: &Registry, name: &str) {
    let made = registry.run(profile(name)).await.unwrap();
    assert_eq!(made.arn, format!("{PROFILES}{name}"));
}

/// Has every image signed by these profiles.
pub(crate) async fn put_rules(registry: &Registry, names: &[&str]) {
    let rule =
        |name: &&str| SigningRule { profile_arn: format!("{PROFILES}{name}"), filters: Vec::new() };
    let configuration = SigningConfiguration { rules: names.iter().map(rule).collect() };
    registry.run(PutSigningConfiguration { configuration }).await.unwrap();
}

/// What is told of an image: `profile status code`.
pub(crate) async fn statuses(
    registry: &Registry,
    repository: &RepositoryAddress,
    id: ImageIdentifier,
) -> Vec<String> {
    let describe = DescribeImageSigningStatus { repository: repository.clone(), id };
    let (_, found) = registry.run(describe).await.unwrap();
    found
        .iter()
        .map(|signature| {
            let code = signature.failure.as_ref().map_or("-", |(code, _)| code);
            let profile = signature.profile_arn.strip_prefix(PROFILES).unwrap();
            format!("{profile} {} {code}", signature.status.as_str())
        })
        .collect()
}

/// The signatures that refer to an image.
async fn signatures(
    registry: &Registry,
    repository: &RepositoryAddress,
    subject: &Digest,
) -> Vec<Referrer> {
    let list = ListImageReferrers {
        repository: repository.clone(),
        subject: subject.clone(),
        artifact_types: vec![ARTIFACT_TYPE.to_owned()],
        artifact_status: ImageStatusFilter::default(),
        page: page(None, 100),
    };
    registry.run(list).await.unwrap().items
}

#[tokio::test]
async fn images_are_signed_when_they_are_pushed() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    put_profile(&registry, "release").await;
    put_profile(&registry, "audit").await;
    let before = registry.push_image(&app, "before", &["before"]).await;
    put_rules(&registry, &["release"]).await;
    let image = registry.push_image(&app, "image", &["v1"]).await;
    assert_eq!(statuses(&registry, &app, by_tag("v1")).await, ["release IN_PROGRESS -"]);
    drain(&registry).await;

    assert_eq!(statuses(&registry, &app, by_tag("v1")).await, ["release COMPLETE -"]);
    let made = signatures(&registry, &app, &image.digest).await;
    assert_eq!(made.len(), 1);
    let (_, manifest) = registry.manifest(&app, made[0].digest.as_str()).await.unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["subject"]["digest"], image.digest.as_str());
    assert_eq!(manifest["layers"][0]["mediaType"], ENVELOPE_TYPE);
    let envelope = Digest::parse(manifest["layers"][0]["digest"].as_str().unwrap()).unwrap();
    let envelope: serde_json::Value =
        serde_json::from_slice(&registry.blob(&app, &envelope).await.unwrap()).unwrap();
    assert!(envelope["signature"].is_string());
    registry.check_images(&app).await;

    // Another tag is no other image, and no other signature.
    registry.put(&app, &image, Some("v2")).await.unwrap();
    drain(&registry).await;
    assert_eq!(signatures(&registry, &app, &image.digest).await.len(), 1);
    // A rule that came later signs what is pushed again.
    put_rules(&registry, &["release", "audit"]).await;
    registry.put(&app, &image, Some("v3")).await.unwrap();
    drain(&registry).await;
    let both = ["audit COMPLETE -", "release COMPLETE -"];
    assert_eq!(statuses(&registry, &app, by_digest(&image.digest)).await, both);
    assert_eq!(signatures(&registry, &app, &image.digest).await.len(), 2);
    // What no rule was for is not signed.
    assert!(statuses(&registry, &app, by_tag("before")).await.is_empty());
    assert!(signatures(&registry, &app, &before.digest).await.is_empty());
    registry.check_no_orphans().await;
}

#[tokio::test]
async fn indexes_are_signed_and_artifacts_are_not() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    put_profile(&registry, "release").await;
    let child = registry.push_image(&app, "child", &["child"]).await;
    put_rules(&registry, &["release"]).await;
    let index = Pushed::index(&[&child]);
    registry.put(&app, &index, Some("list")).await.unwrap();
    let config = Blob::new("artifact", 10);
    registry.push_blob(&app, &config).await.unwrap();
    let artifact = Pushed::referrer(&config, &child, "of somebody");
    registry.put(&app, &artifact, None).await.unwrap();
    drain(&registry).await;

    assert_eq!(statuses(&registry, &app, by_tag("list")).await, ["release COMPLETE -"]);
    assert!(statuses(&registry, &app, by_digest(&artifact.digest)).await.is_empty());
    let made = signatures(&registry, &app, &index.digest).await;
    assert_eq!(made.len(), 1);
    assert!(statuses(&registry, &app, by_digest(&made[0].digest)).await.is_empty());
    // The child was not pushed under the rule.
    assert!(signatures(&registry, &app, &child.digest).await.is_empty());
}

#[tokio::test]
async fn signatures_go_with_their_image_and_their_repository() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    put_profile(&registry, "release").await;
    put_rules(&registry, &["release"]).await;
    let gone = registry.push_image(&app, "gone", &["gone"]).await;
    registry.batch_delete(&app, vec![by_digest(&gone.digest)]).await.unwrap();
    drain(&registry).await;
    assert!(signatures(&registry, &app, &gone.digest).await.is_empty());
    // The same image pushed again is another one.
    registry.push_image(&app, "gone", &["again"]).await;
    drain(&registry).await;
    assert_eq!(statuses(&registry, &app, by_tag("again")).await, ["release COMPLETE -"]);

    registry.push_image(&app, "waits", &["waits"]).await;
    registry.delete("app", true).await.unwrap();
    drain(&registry).await;
    assert!(registry.rows("SELECT profile_arn FROM image_signatures").await.is_empty());
    registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);
    registry.sweep().await;
    registry.check_nothing_left().await;
}

/// Pushes as somebody who may push to every repository and what else is said.
async fn push_as(
    registry: &Registry,
    who: &Principal,
    repository: &RepositoryAddress,
    tag: &str,
) -> Pushed {
    let (config, layer) = (Blob::new(tag, 100), Blob::new("layer", 2000));
    for blob in [&config, &layer] {
        registry.push_blob(repository, blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[&layer]);
    let put = put_image(repository, &image, Some(tag), UploadRules::Distribution);
    registry.run_as(who, put).await.unwrap();
    image
}

#[tokio::test]
async fn the_pusher_must_be_allowed_to_sign() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    put_profile(&registry, "release").await;
    put_rules(&registry, &["release"]).await;
    let pusher = |name: &'static str, signs: &str| {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}{signs}]}}"#
        );
        let registry = &registry;
        async move { registry.principal(name, &document).await }
    };
    let of = |resource: &str| {
        format!(r#",{{"Effect":"Allow","Action":"signer:SignPayload","Resource":"{resource}"}}"#)
    };
    for (name, signs, expected) in [
        ("nobody", String::new(), "release FAILED AccessDenied"),
        ("elsewhere", of(&format!("{PROFILES}other")), "release FAILED AccessDenied"),
        ("signer", of(&format!("{PROFILES}release")), "release COMPLETE -"),
    ] {
        let who = pusher(name, &signs).await;
        let image = push_as(&registry, &who, &app, name).await;
        drain(&registry).await;
        assert_eq!(statuses(&registry, &app, by_tag(name)).await, [expected], "{name}");
        let made = signatures(&registry, &app, &image.digest).await.len();
        assert_eq!(made, usize::from(expected.contains("COMPLETE")), "{name}");
    }
    let describe = DescribeImageSigningStatus { repository: app.clone(), id: by_tag("nobody") };
    let (_, told) = registry.run(describe).await.unwrap();
    let (_, reason) = told[0].failure.clone().unwrap();
    assert!(
        reason.contains("signer:SignPayload on resource: arn:aws:signer:us-east-1:"),
        "{reason}"
    );
    // Somebody who may sign pushes the same image.
    let image = push_as(&registry, &registry.root, &app, "nobody").await;
    registry.put(&app, &image, Some("second")).await.unwrap();
    drain(&registry).await;
    assert_eq!(statuses(&registry, &app, by_tag("nobody")).await, ["release COMPLETE -"]);
}

#[tokio::test]
async fn a_profile_that_is_not_there_signs_nothing() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    put_rules(&registry, &["later"]).await;
    let image = registry.push_image(&app, "image", &["v1"]).await;
    drain(&registry).await;
    let told = statuses(&registry, &app, by_tag("v1")).await;
    assert_eq!(told, ["later FAILED SigningProfileNotFound"]);
    put_profile(&registry, "later").await;
    registry.put(&app, &image, Some("v2")).await.unwrap();
    drain(&registry).await;
    assert_eq!(statuses(&registry, &app, by_tag("v1")).await, ["later COMPLETE -"]);
}

#[tokio::test]
async fn rules_of_a_registry() {
    let registry = Registry::new().await;
    let missing = "Signing configuration does not exist in the registry with id '123456789012'";
    let kind = ErrorKind::SigningConfigurationNotFound;
    check_error(registry.run(GetSigningConfiguration).await, kind, missing);
    check_error(registry.run(DeleteSigningConfiguration).await, kind, missing);
    let rule = SigningRule {
        profile_arn: format!("{PROFILES}release"),
        filters: vec!["team/*".to_owned()],
    };
    let configuration = SigningConfiguration { rules: vec![rule] };
    let put = PutSigningConfiguration { configuration: configuration.clone() };
    assert_eq!(registry.run(put).await.unwrap(), configuration);
    assert_eq!(registry.run(GetSigningConfiguration).await.unwrap(), configuration);
    put_profile(&registry, "release").await;
    for name in ["team/app", "app"] {
        let repository = registry.create(name).await;
        registry.push_image(&repository, "image", &["v1"]).await;
    }
    drain(&registry).await;
    let told = statuses(&registry, &address("team/app"), by_tag("v1")).await;
    assert_eq!(told, ["release COMPLETE -"]);
    assert!(statuses(&registry, &address("app"), by_tag("v1")).await.is_empty());
    assert_eq!(registry.run(DeleteSigningConfiguration).await.unwrap(), configuration);
    check_error(registry.run(GetSigningConfiguration).await, kind, missing);
    let absent = DescribeImageSigningStatus { repository: address("app"), id: by_tag("absent") };
    check_kind(registry.run(absent).await, ErrorKind::ImageNotFound);
}

#[tokio::test]
async fn profiles_of_an_account() {
    let registry = Registry::new().await;
    let get = |name: &str| GetSigningProfile { name: name.to_owned() };
    let missing = "Signing profile first does not exist.";
    check_error(registry.run(get("first")).await, ErrorKind::NoSuchEntity, missing);
    let tags = BTreeMap::from([("team".to_owned(), "one".to_owned())]);
    let made = registry.run(PutSigningProfile { tags, ..profile("first") }).await.unwrap();
    put_profile(&registry, "second").await;
    let exists = "Signing profile first exists already.";
    check_error(registry.run(profile("first")).await, ErrorKind::EntityAlreadyExists, exists);
    let platform = "AWSLambda-SHA384-ECDSA".to_owned();
    let other = PutSigningProfile { platform, ..profile("third") };
    check_kind(registry.run(other).await, ErrorKind::InvalidParameter);

    let found = registry.run(get("first")).await.unwrap();
    assert_eq!(found.profile, made);
    let second = registry.run(get("second")).await.unwrap();
    assert_eq!(second.authority, found.authority);
    let names = async |after: Option<&str>, limit: u32| {
        let list = ListSigningProfiles { page: page(after, limit) };
        let listed = registry.run(list).await.unwrap();
        let names: Vec<String> = listed.items.into_iter().map(|profile| profile.name).collect();
        (names.join(" "), listed.next)
    };
    assert_eq!(names(None, 10).await, ("first second".to_owned(), None));
    let (first, next) = names(None, 1).await;
    assert_eq!(first, "first");
    assert_eq!(names(next.as_deref(), 1).await, ("second".to_owned(), None));
}

#[tokio::test]
async fn a_signature_whose_job_was_given_up_has_failed() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    put_profile(&registry, "release").await;
    put_rules(&registry, &["release"]).await;
    registry.push_image(&app, "image", &["v1"]).await;
    // A key that nothing opens.
    registry
        .write(&[("UPDATE signing_profiles SET sealed_key = $1", params![vec![1_u8; 60]].to_vec())])
        .await;
    for _ in 0..8 {
        registry.clock.advance_seconds(2 * 3600);
        drain(&registry).await;
    }
    let told = statuses(&registry, &app, by_tag("v1")).await;
    assert_eq!(told, ["release FAILED InternalFailure"]);
}
