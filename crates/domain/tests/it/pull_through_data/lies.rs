//! Upstreams that answer what is not so: a clear error, and nothing is kept.

use bytes::Bytes;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::images::manifest::MAXIMUM_BYTES;

use super::{Image, World};
use crate::content::{Blob, INDEX, Pushed};
use crate::lifecycle::drain;
use crate::registry::{address, check_kind, on_postgres};

const NAME: &str = "quay/team/app";
const UPSTREAM: &str = "team/app";

#[tokio::test]
async fn manifests() {
    let image = Image::new("one", 1000);
    let other = Image::new("other", 1000);
    let digest = image.manifest.digest.to_string();
    let large = Bytes::from(vec![b' '; MAXIMUM_BYTES + 1]);
    let wrong = |bytes: &Bytes| bytes.clone();
    let rows: Vec<(&str, &str, Bytes, Option<&str>)> = vec![
        ("another digest", &digest, wrong(&other.manifest.bytes), None),
        ("another media type", "v1", image.manifest.bytes.clone(), Some(INDEX)),
        ("no manifest", "v1", Bytes::from_static(b"<html>"), Some("text/html")),
        ("nothing", "v1", Bytes::new(), None),
        ("too large", "v1", large, None),
        ("schema 1", "v1", Bytes::from_static(br#"{"schemaVersion":1,"fsLayers":[]}"#), None),
    ];
    for (what, reference, bytes, media_type) in rows {
        let world = World::new().await;
        world.upstream.set_manifest(UPSTREAM, reference, &bytes, media_type);
        let error = world.pull(NAME, reference).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UpstreamUnavailable, "{what}: {error}");
        assert!(error.message().contains("not valid"), "{what}: {error}");
        check_kind(world.registry.images(&address(NAME)).await, ErrorKind::RepositoryNotFound);
        world.registry.check_nothing_left().await;
        assert_eq!(world.upstream.asked().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn what_an_index_says_of_a_child_must_be_so() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 1000, &[]);
    let document = String::from_utf8(Pushed::index(&[&image.manifest]).bytes.to_vec()).unwrap();
    let size = format!("\"size\": {}", image.manifest.bytes.len());
    assert!(document.contains(&size));
    let index = Bytes::from(document.replace(&size, "\"size\": 7"));
    world.upstream.set_manifest(UPSTREAM, "latest", &index, None);
    world.pull(NAME, "latest").await.unwrap();
    let error = world.pull(NAME, image.manifest.digest.as_str()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UpstreamUnavailable);
    assert!(error.message().contains("an index says other things"), "{error}");
    drain(&world.registry).await;
    assert_eq!(world.registry.images(&address(NAME)).await.unwrap().len(), 1);
}

/// A layer that the upstream sends otherwise than its manifest says.
async fn check_layer(what: &str, size: usize, sent: &Bytes, says_no_sizes: bool) {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", size, &["v1"]);
    world.upstream.set_blob(UPSTREAM, &image.layer.digest, sent);
    if says_no_sizes {
        world.upstream.say_no_sizes();
    }
    world.pull(NAME, "v1").await.unwrap();
    let kind = match world.open(NAME, &image.layer.digest).await {
        Ok(reader) => {
            assert_eq!(reader.size(), size as u64, "{what}");
            super::read(&reader, 0).await.expect_err(what).kind()
        }
        Err(error) => error.kind(),
    };
    assert!(
        matches!(
            kind,
            ErrorKind::InvalidLayer | ErrorKind::UpstreamUnavailable | ErrorKind::Unavailable
        ),
        "{what}: {kind:?}"
    );
    // The job meets the same, and gives it up in the end.
    let waiting = "SELECT id FROM jobs WHERE kind = 'complete-images' AND state = 'WAITING'";
    for _ in 0..100 {
        drain(&world.registry).await;
        if world.registry.rows(waiting).await.is_empty() {
            break;
        }
        world.registry.clock.advance_seconds(3600);
    }
    assert!(world.registry.rows(waiting).await.is_empty(), "{what}: it is never given up");
    // What it left is collected.
    for _ in 0..2 {
        world.registry.clock.advance_seconds(24 * 3600);
        drain(&world.registry).await;
    }
    let blobs = world.registry.rows("SELECT digest FROM blobs ORDER BY digest").await;
    assert_eq!(blobs, [[image.config.digest.to_string()]], "{what}");
    world.registry.check_no_orphans().await;
    assert_eq!(world.registry.objects_present().len(), 0, "{what}");
    // Once it says the truth, the image is whole.
    world.upstream.push_blob(UPSTREAM, &image.layer);
    assert_eq!(world.blob(NAME, &image.layer.digest).await.unwrap(), image.layer.bytes, "{what}");
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn layers() {
    let sizes = [1000, 65_536, 65_537, 200_000, 2_500_000];
    // Which engine it is makes no difference to what is done with the bytes.
    let few = [65_536, 200_000];
    for size in if on_postgres() { few.to_vec() } else { sizes.to_vec() } {
        let right = Blob::new("layer one", size).bytes;
        let other = Blob::new("other", size).bytes;
        let mut last = right.to_vec();
        *last.last_mut().unwrap() ^= 1;
        let endless = Blob::new("endless", size + 5_000_000).bytes;
        for says_no_sizes in [false, true] {
            let at = format!("of {size}, {says_no_sizes}");
            check_layer(&format!("other bytes {at}"), size, &other, says_no_sizes).await;
            check_layer(&format!("another end {at}"), size, &last.clone().into(), says_no_sizes)
                .await;
            check_layer(&format!("too short {at}"), size, &right.slice(..size - 1), says_no_sizes)
                .await;
            check_layer(&format!("too long {at}"), size, &endless, says_no_sizes).await;
            check_layer(&format!("nothing {at}"), size, &Bytes::new(), says_no_sizes).await;
        }
    }
}
