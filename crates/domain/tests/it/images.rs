//! Images: putting, tagging, deleting.

use tonnage_domain::error::ErrorKind;
use tonnage_domain::images::ImageFailure;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::names::{Digest, Reference, RepositoryName};
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::uploads::UploadRules::{self, Distribution, LayerParts};

use crate::content::{Blob, Pushed};
use crate::registry::{
    Registry, by_both, by_digest, by_tag, check_error, check_kind, put_image, rule,
};

/// What putting an image comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Stored,
    ImageExists,
    TagExists,
}

/// `first` is tagged `v1`; then the image `second` is put.
async fn check_put(
    registry: &Registry,
    rules: UploadRules,
    setting: TagMutability,
    (second, tag): (&str, Option<&str>),
    expected: Outcome,
) {
    let name = format!("r{}", registry.rows("SELECT id FROM repositories").await.len());
    let app = registry.create_with(&name, rule(setting, &[])).await;
    let first = registry.push_image(&app, "first", &["v1"]).await;
    let other = Pushed::annotated_image(&Blob::new("first", 100), &[], "other");
    let image = if second == "same" { &first } else { &other };
    let result = registry.run(put_image(&app, image, tag, rules)).await;
    let outcome = match result.as_ref().map_err(|error| (error.kind(), error.message())) {
        Ok(_) => Outcome::Stored,
        Err((ErrorKind::ImageAlreadyExists, message)) => {
            let expected = format!(
                "Image with digest '{}' and tag '{}' already exists in the repository with name \
                 '{name}' in registry with id '123456789012'",
                image.digest,
                tag.unwrap_or("null")
            );
            assert_eq!(message, expected);
            Outcome::ImageExists
        }
        Err((ErrorKind::ImageTagAlreadyExists, message)) => {
            let expected = format!(
                "The image tag 'v1' already exists in the '{name}' repository and cannot be \
                 overwritten because the tag is immutable."
            );
            assert_eq!(message, expected);
            Outcome::TagExists
        }
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(outcome, expected, "{rules:?} {setting:?} {second} {tag:?}");

    let stored = outcome == Outcome::Stored;
    let v1 = if stored && tag == Some("v1") { image } else { &first };
    assert_eq!(registry.resolve(&app, "v1").await.as_ref(), Some(&v1.digest));
    let v2 = (stored && tag == Some("v2")).then_some(&image.digest);
    assert_eq!(registry.resolve(&app, "v2").await.as_ref(), v2);
    let images = registry.images(&app).await.unwrap();
    let added = stored && second == "other";
    assert_eq!(images.len(), 1 + usize::from(added), "a refused push leaves no image");
    registry.check_images(&app).await;
}

#[tokio::test]
async fn putting_an_image_again() {
    use TagMutability::{Immutable, Mutable};
    let registry = Registry::new().await;
    let rows = [
        // Rules, mutability, image and tag, what comes of it.
        (Distribution, Mutable, ("same", Some("v1")), Outcome::Stored),
        (Distribution, Mutable, ("same", Some("v2")), Outcome::Stored),
        (Distribution, Mutable, ("same", None), Outcome::Stored),
        (Distribution, Mutable, ("other", Some("v1")), Outcome::Stored),
        (Distribution, Mutable, ("other", Some("v2")), Outcome::Stored),
        (Distribution, Mutable, ("other", None), Outcome::Stored),
        (Distribution, Immutable, ("same", Some("v1")), Outcome::TagExists),
        (Distribution, Immutable, ("same", Some("v2")), Outcome::Stored),
        (Distribution, Immutable, ("same", None), Outcome::Stored),
        (Distribution, Immutable, ("other", Some("v1")), Outcome::TagExists),
        (Distribution, Immutable, ("other", Some("v2")), Outcome::Stored),
        (Distribution, Immutable, ("other", None), Outcome::Stored),
        (LayerParts, Mutable, ("same", Some("v1")), Outcome::ImageExists),
        (LayerParts, Mutable, ("same", Some("v2")), Outcome::Stored),
        (LayerParts, Mutable, ("same", None), Outcome::ImageExists),
        (LayerParts, Mutable, ("other", Some("v1")), Outcome::Stored),
        (LayerParts, Mutable, ("other", Some("v2")), Outcome::Stored),
        (LayerParts, Mutable, ("other", None), Outcome::Stored),
        (LayerParts, Immutable, ("same", Some("v1")), Outcome::TagExists),
        (LayerParts, Immutable, ("same", Some("v2")), Outcome::Stored),
        (LayerParts, Immutable, ("same", None), Outcome::ImageExists),
        (LayerParts, Immutable, ("other", Some("v1")), Outcome::TagExists),
        (LayerParts, Immutable, ("other", Some("v2")), Outcome::Stored),
        (LayerParts, Immutable, ("other", None), Outcome::Stored),
    ];
    for (rules, setting, put, expected) in rows {
        check_put(&registry, rules, setting, put, expected).await;
    }
}

#[tokio::test]
async fn retagging_keeps_the_time_of_the_push() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let image = registry.push_image(&app, "one", &["v1"]).await;
    let pushed_at = registry.images(&app).await.unwrap()[0].pushed_at;
    registry.clock.advance_seconds(60);
    registry.put(&app, &image, Some("v2")).await.unwrap();
    let images = registry.images(&app).await.unwrap();
    let tags: Vec<_> = images[0].tags.iter().map(ToString::to_string).collect();
    assert_eq!((images[0].pushed_at, tags), (pushed_at, vec!["v1".to_owned(), "v2".to_owned()]));
}

#[tokio::test]
async fn an_immutable_tag_moves_in_no_way_but_can_be_deleted() {
    use TagMutability::{Immutable, ImmutableWithExclusion, MutableWithExclusion};
    for (setting, filters, tag, immutable) in [
        (Immutable, vec![], "v1", true),
        (ImmutableWithExclusion, vec!["dev-*"], "v1", true),
        (ImmutableWithExclusion, vec!["dev-*"], "dev-1", false),
        (MutableWithExclusion, vec!["v*"], "v1", true),
        (MutableWithExclusion, vec!["v*"], "nightly", false),
    ] {
        let registry = Registry::new().await;
        let app = registry.create_with("app", rule(setting, &filters)).await;
        let first = registry.push_image(&app, "first", &[tag]).await;
        let second = registry.push_image(&app, "second", &[]).await;
        let moved = registry.put(&app, &second, Some(tag)).await;
        let expected = if immutable {
            check_kind(moved, ErrorKind::ImageTagAlreadyExists);
            &first
        } else {
            moved.unwrap();
            &second
        };
        let names = registry.resolve(&app, tag).await;
        assert_eq!(names.as_ref(), Some(&expected.digest), "{setting:?} {filters:?} {tag}");
        let again = registry.put(&app, expected, Some(tag)).await;
        assert_eq!(again.is_err(), immutable, "{setting:?} {filters:?} {tag}");

        registry.batch_delete(&app, vec![by_tag(tag)]).await.unwrap();
        assert_eq!(registry.resolve(&app, tag).await, None);
        registry.push_image(&app, "third", &[tag]).await;
        registry.check_images(&app).await;
    }
}

#[tokio::test]
async fn a_new_mutability_holds_from_the_next_push_on() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.push_image(&app, "first", &["v1"]).await;
    let second = registry.push_image(&app, "second", &[]).await;
    let set = |tag_mutability: TagMutabilityRule| PutImageTagMutability {
        registry_id: None,
        name: RepositoryName::parse("app").unwrap(),
        tag_mutability,
    };
    let immutable = rule(TagMutability::Immutable, &[]);
    assert_eq!(registry.run(set(immutable.clone())).await.unwrap().tag_mutability, immutable);
    registry.run(set(immutable)).await.unwrap();
    check_kind(registry.put(&app, &second, Some("v1")).await, ErrorKind::ImageTagAlreadyExists);
    registry.run(set(TagMutabilityRule::default())).await.unwrap();
    registry.put(&app, &second, Some("v1")).await.unwrap();
}

#[tokio::test]
async fn a_manifest_needs_what_it_refers_to() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let (config, layer) = (Blob::new("config", 10), Blob::new("layer", 10));
    let image = Pushed::image(&config, &[&layer]);
    let mut missing = [config.digest.as_str(), layer.digest.as_str()];
    missing.sort_unstable();
    let message = |what: &str, digests: &str| {
        format!(
            "{what} with digests '[{digests}]' required for pushing image into repository with \
             name 'app' in the registry with id '123456789012' do not exist"
        )
    };
    let layers = message("Layers", &missing.join(", "));
    check_error(registry.put(&app, &image, Some("v1")).await, ErrorKind::LayersNotFound, &layers);

    // That another repository of the account holds them changes nothing.
    let other = registry.create("other").await;
    for blob in [&config, &layer] {
        registry.push_blob(&other, blob).await.unwrap();
    }
    check_error(registry.put(&app, &image, Some("v1")).await, ErrorKind::LayersNotFound, &layers);
    registry.put(&other, &image, Some("v1")).await.unwrap();
    let index = Pushed::index(&[&image]);
    let images = message("Images", image.digest.as_str());
    let refused = registry.put(&app, &index, None).await;
    check_error(refused, ErrorKind::ReferencedImagesNotFound, &images);
    assert_eq!(registry.images(&app).await.unwrap(), []);
}

#[tokio::test]
async fn a_digest_that_the_client_gives_must_be_right() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let image = registry.push_image(&app, "one", &[]).await;
    let wrong = Digest::of_sha256(b"something else");
    let put = PutImage {
        digest: Some(wrong.clone()),
        ..put_image(&app, &image, Some("v1"), Distribution)
    };
    let message = format!(
        "The image with digest '{wrong}' in repository 'app' and registry ID '123456789012' does \
         not match the image digest that Amazon ECR has calculated."
    );
    check_error(registry.run(put).await, ErrorKind::ImageDigestDoesNotMatch, &message);
    assert_eq!(registry.resolve(&app, "v1").await, None);
}

#[tokio::test]
async fn an_image_has_at_most_a_thousand_tags() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let image = registry.push_image(&app, "one", &[]).await;
    for n in 0..1000 {
        registry.put(&app, &image, Some(&format!("t{n}"))).await.unwrap();
    }
    let one_more = registry.put(&app, &image, Some("one-more")).await;
    check_error(one_more, ErrorKind::LimitExceeded, "An image can have at most 1000 tags.");
    registry.put(&app, &image, Some("t7")).await.unwrap();
    registry.batch_delete(&app, vec![by_tag("t7")]).await.unwrap();
    registry.put(&app, &image, Some("one-more")).await.unwrap();
    let deleted = registry.batch_delete(&app, vec![by_digest(&image.digest)]).await.unwrap();
    assert_eq!(deleted.deleted.len(), 1000);
    assert_eq!(registry.images(&app).await.unwrap(), []);
}

/// What a deletion gave back, as text: `digest tag` for what is gone, the failures beside.
async fn delete(
    registry: &Registry,
    ids: Vec<tonnage_domain::images::ImageIdentifier>,
) -> (Vec<(Digest, Option<String>)>, Vec<ImageFailure>) {
    let output = registry.batch_delete(&crate::registry::address("app"), ids).await.unwrap();
    let mut deleted: Vec<_> = output
        .deleted
        .into_iter()
        .map(|image| (image.digest, image.tag.map(|tag| tag.to_string())))
        .collect();
    deleted.sort_by_key(|(digest, tag)| (digest.to_string(), tag.clone()));
    (deleted, output.failures.into_iter().map(|(_, failure)| failure).collect())
}

#[tokio::test]
async fn deleting_by_tag_removes_the_tag_and_the_image_with_its_last() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let image = registry.push_image(&app, "one", &["a", "b"]).await;
    let gone = |tag: &str| vec![(image.digest.clone(), Some(tag.to_owned()))];
    assert_eq!(delete(&registry, vec![by_tag("a")]).await, (gone("a"), vec![]));
    registry.check_images(&app).await;
    assert_eq!(registry.resolve(&app, "b").await.as_ref(), Some(&image.digest));
    assert_eq!(delete(&registry, vec![by_both(&image.digest, "b")]).await, (gone("b"), vec![]));
    assert_eq!(registry.images(&app).await.unwrap(), []);
}

#[tokio::test]
async fn deleting_by_digest_tells_of_every_tag() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let image = registry.push_image(&app, "one", &["a", "b", "c"]).await;
    let untagged = registry.push_image(&app, "two", &[]).await;
    let ids = vec![by_digest(&image.digest), by_digest(&untagged.digest)];
    let (deleted, failures) = delete(&registry, ids).await;
    let mut expected = vec![(untagged.digest.clone(), None)];
    expected.extend(["a", "b", "c"].map(|tag| (image.digest.clone(), Some(tag.to_owned()))));
    expected.sort_by_key(|(digest, tag)| (digest.to_string(), tag.clone()));
    assert_eq!((deleted, failures), (expected, vec![]));
    assert_eq!(registry.images(&app).await.unwrap(), []);
}

#[tokio::test]
async fn what_cannot_be_deleted_is_a_failure_of_its_own() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let one = registry.push_image(&app, "one", &["a"]).await;
    let two = registry.push_image(&app, "two", &["b"]).await;
    let absent = Digest::of_sha256(b"absent");
    let ids = vec![
        by_tag("missing"),
        by_digest(&absent),
        by_both(&two.digest, "a"),
        tonnage_domain::images::ImageIdentifier { digest: None, tag: None },
        by_tag("b"),
    ];
    let (deleted, failures) = delete(&registry, ids).await;
    assert_eq!(deleted, [(two.digest.clone(), Some("b".to_owned()))]);
    let expected = [
        ImageFailure::ImageNotFound,
        ImageFailure::ImageNotFound,
        ImageFailure::ImageTagDoesNotMatchDigest,
        ImageFailure::MissingDigestAndTag,
    ];
    assert_eq!(failures, expected);
    assert_eq!(registry.resolve(&app, "a").await.as_ref(), Some(&one.digest));
}

#[tokio::test]
async fn a_child_of_an_index_stays_until_the_index_goes() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let one = registry.push_image(&app, "one", &["a", "b"]).await;
    let two = registry.push_image(&app, "two", &[]).await;
    let index = Pushed::index(&[&one, &two]);
    let outer = Pushed::index(&[&index]);
    registry.put(&app, &index, Some("index")).await.unwrap();
    registry.put(&app, &outer, None).await.unwrap();
    let referenced =
        |by: &Pushed| vec![ImageFailure::ImageReferencedByManifestList(vec![by.digest.clone()])];
    let of = |image: &Pushed| vec![by_digest(&image.digest)];
    assert_eq!(delete(&registry, of(&one)).await, (vec![], referenced(&index)));
    assert_eq!(delete(&registry, of(&index)).await, (vec![], referenced(&outer)));
    // A tag may go as long as it is not the last.
    let gone = vec![(one.digest.clone(), Some("a".to_owned()))];
    assert_eq!(delete(&registry, vec![by_tag("a")]).await, (gone, vec![]));
    assert_eq!(delete(&registry, vec![by_tag("b")]).await, (vec![], referenced(&index)));
    registry.check_images(&app).await;

    // In one call the order does not matter.
    let all = [&one, &index, &two, &outer].map(|image| by_digest(&image.digest)).to_vec();
    let (deleted, failures) = delete(&registry, all).await;
    assert_eq!((deleted.len(), failures), (4, vec![]));
    assert_eq!(registry.images(&app).await.unwrap(), []);
}

#[tokio::test]
async fn deleting_a_manifest_names_one_tag_or_one_image() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let child = registry.push_image(&app, "child", &["a", "b"]).await;
    let index = Pushed::index(&[&child]);
    registry.put(&app, &index, Some("index")).await.unwrap();
    let delete = |reference: &str| DeleteManifest {
        repository: app.clone(),
        reference: Reference::parse(reference).unwrap(),
        condition: Precondition::None,
    };
    let message = |digest: &str, tag: &str| {
        format!(
            "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist \
             within the repository with name 'app' in the registry with id '123456789012'"
        )
    };
    let referenced = format!("Requested image referenced by manifest list: [{}]", index.digest);
    let kind = ErrorKind::ImageReferencedByManifestList;
    check_error(registry.run(delete(child.digest.as_str())).await, kind, &referenced);
    // The tags of a child are no part of the index.
    for tag in ["a", "b"] {
        registry.run(delete(tag)).await.unwrap();
        let again = registry.run(delete(tag)).await;
        check_error(again, ErrorKind::ImageNotFound, &message("null", tag));
        registry.check_images(&app).await;
    }
    assert_eq!(registry.images(&app).await.unwrap().len(), 2);
    registry.run(delete("index")).await.unwrap();
    registry.run(delete(child.digest.as_str())).await.unwrap();
    let again = registry.run(delete(child.digest.as_str())).await;
    let gone = message(child.digest.as_str(), "null");
    check_error(again, ErrorKind::ImageNotFound, &gone);
    assert_eq!(registry.images(&app).await.unwrap(), []);
}

#[tokio::test]
async fn an_index_is_as_large_as_its_largest_child() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let config = Blob::new("config", 10);
    let layers = [Blob::new("small", 100), Blob::new("large", 5000)];
    registry.push_blob(&app, &config).await.unwrap();
    let mut images = Vec::new();
    for layer in &layers {
        registry.push_blob(&app, layer).await.unwrap();
        let image = Pushed::image(&config, &[layer]);
        registry.put(&app, &image, None).await.unwrap();
        images.push(image);
    }
    registry.put(&app, &Pushed::index(&[&images[0], &images[1]]), Some("v1")).await.unwrap();
    let sizes: Vec<u64> =
        registry.images(&app).await.unwrap().iter().map(|image| image.size).collect();
    assert_eq!(sizes, [110, 5010, 5010]);
}
