//! What a cache gets again from its upstream: damaged layers, and tags that somebody wants looked after
//! now. And what is told of attempts that failed.

use tonnage_domain::names::Reference;
use tonnage_domain::params;
use tonnage_domain::pull_through::import_image::ImportUpstreamImage;

use super::World;
use crate::lifecycle::drain;
use crate::registry::address;

#[tokio::test]
async fn damaged_layers_are_fetched_again() {
    let world = World::new().await;
    let image = world.push("app", "image", 200_000, &["v1"]);
    world.pull("quay/app", "v1").await.unwrap();
    world.upstream.release(usize::MAX);
    drain(&world.registry).await;
    for blob in image.blobs() {
        let damage = "UPDATE blobs SET damaged_at = 1 WHERE digest = $1";
        world.registry.write(&[(damage, params![blob.digest.as_str()].to_vec())]).await;
        assert_eq!(world.size("quay/app", &blob.digest).await.unwrap(), blob.bytes.len() as u64);
        assert_eq!(world.blob("quay/app", &blob.digest).await.unwrap(), blob.bytes);
    }
    let damaged = world.registry.rows("SELECT digest FROM blobs WHERE damaged_at > 0").await;
    assert_eq!(damaged, Vec::<Vec<String>>::new());
    world.registry.sweep().await;
    world.check(&["quay/app"]).await;
}

#[tokio::test]
async fn a_tag_is_looked_after_at_once_where_that_is_wanted() {
    let world = World::new().await;
    world.push("app", "first", 1_000, &["v1"]);
    world.pull("quay/app", "v1").await.unwrap();
    let second = world.push("app", "second", 1_000, &["v1"]);
    let import = |is_forced| ImportUpstreamImage {
        repository: address("quay/app"),
        reference: Reference::parse("v1").unwrap(),
        is_forced,
    };
    for (is_forced, is_second) in [(false, false), (true, true), (true, true)] {
        world.registry.run(import(is_forced)).await.unwrap();
        let found = world.registry.resolve(&address("quay/app"), "v1").await;
        assert_eq!(found == Some(second.manifest.digest.clone()), is_second, "{is_forced}");
    }
    world.check(&["quay/app"]).await;
}

#[tokio::test]
async fn an_attempt_that_failed_is_an_event() {
    let world = World::new().await;
    world.push("app", "image", 1_000, &["v1"]);
    world.pull("quay/app", "v1").await.unwrap();
    for _ in 0..2 {
        // The second time it is remembered, and nobody is asked.
        world.pull("quay/app", "v2").await.unwrap_err();
    }
    let rows = world
        .registry
        .rows("SELECT payload FROM outbox WHERE kind = 'pulled-through' ORDER BY id")
        .await;
    let events: Vec<serde_json::Value> =
        rows.iter().map(|row| serde_json::from_str(&row[0]).unwrap()).collect();
    let statuses: Vec<&str> =
        events.iter().map(|event| event["sync-status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["SUCCESS", "FAILED"]);
    let failed = &events[1];
    assert_eq!(failed["failure-code"], "ImageNotFound");
    assert_eq!(failed["image-tag"], "v2");
    assert_eq!(failed["repository-name"], "quay/app");
    assert_eq!(failed["upstream-registry-url"], "quay.io");
    assert_eq!(failed["ecr-repository-prefix"], "quay");
    assert!(failed["failure-reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert!(failed.get("image-digest").is_none() && events[0].get("failure-code").is_none());
}
