//! Layers on their way: who fetches them, who reads them meanwhile, and who goes away.

use std::sync::Arc;

use tonnage_domain::blobs::get_blob::GetBlob;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::execute::execute;
use tonnage_domain::names::Digest;
use tonnage_domain::pull_through::import_layer::ImportUpstreamLayer;
use tonnage_domain::pull_through::pull;
use tonnage_domain::services;

use super::{World, read};
use crate::lifecycle::drain;
use crate::registry::{Registry, address, check_kind, empty_database_twice};
use tonnage_domain::app::Settings;
use tonnage_domain::pull_through::upstream::Upstreams;

const NAME: &str = "quay/team/app";
const UPSTREAM: &str = "team/app";
const MIB: usize = 1024 * 1024;

fn fetches(asked: &[String], digest: &Digest) -> usize {
    asked.iter().filter(|asked| asked.ends_with(digest.as_str())).count()
}

#[tokio::test]
async fn every_size_arrives() {
    for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 983_040, 1_048_576, 1_048_577, 3 * MIB] {
        let world = World::new().await;
        let image = world.push(UPSTREAM, "one", size, &["v1"]);
        world.pull(NAME, "v1").await.unwrap();
        let bytes = world.blob(NAME, &image.layer.digest).await.unwrap();
        assert!(bytes == image.layer.bytes, "{size}");
        world.check(&[NAME]).await;
    }
}

#[tokio::test]
async fn the_first_bytes_do_not_wait_for_the_last() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 4 * MIB, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    // All but one byte of it is there, and all but the last chunk is read.
    world.upstream.release(4 * MIB - 1);
    let reader = world.open(NAME, &image.layer.digest).await.unwrap();
    assert_eq!(reader.size(), 4 * MIB as u64);
    let readable = 3 * 983_040;
    let mut got = Vec::new();
    while got.len() < readable {
        let span = reader.read_at(got.len() as u64, 100_000).await.unwrap();
        got.extend_from_slice(&span);
    }
    assert!(got[..] == image.layer.bytes[..got.len()]);
    // Whoever comes later, for any range, reads what is there.
    let later = world.open(NAME, &image.layer.digest).await.unwrap();
    let span = later.read_at(1_000_000, 5000).await.unwrap();
    assert!(span[..] == image.layer.bytes[1_000_000..1_000_000 + span.len()]);
    assert_eq!(fetches(&world.upstream.asked(), &image.layer.digest), 1);
    assert_eq!(world.registry.rows("SELECT digest FROM blobs").await.len(), 0);

    world.upstream.release(usize::MAX);
    got.extend_from_slice(&read(&reader, got.len() as u64).await.unwrap());
    assert!(got[..] == image.layer.bytes[..]);
    assert!(read(&later, 0).await.unwrap() == image.layer.bytes);
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn a_blob_is_fetched_once_however_many_ask() {
    let world = Arc::new(World::new().await);
    let image = world.push(UPSTREAM, "one", 2 * MIB, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    world.upstream.asked();
    world.upstream.release(MIB);
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let (world, digest) = (Arc::clone(&world), image.layer.digest.clone());
            tokio::spawn(async move { world.blob(NAME, &digest).await.unwrap() })
        })
        .collect();
    // One of them is the job.
    let job = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { drain(&world.registry).await })
    };
    tokio::task::yield_now().await;
    world.upstream.release(usize::MAX);
    for client in clients {
        assert!(client.await.unwrap() == image.layer.bytes);
    }
    job.await.unwrap();
    assert_eq!(fetches(&world.upstream.asked(), &image.layer.digest), 1);
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn storing_goes_on_when_the_client_goes_away() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 3 * MIB, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    world.upstream.release(2 * MIB);
    let reader = world.open(NAME, &image.layer.digest).await.unwrap();
    reader.read_at(0, 10).await.unwrap();
    drop(reader);
    world.upstream.release(usize::MAX);
    // The job finds it on its way, or there.
    drain(&world.registry).await;
    assert_eq!(fetches(&world.upstream.asked(), &image.layer.digest), 1);
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn only_what_an_image_refers_to_is_fetched() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 1000, &["v1"]);
    let stray = crate::content::Blob::new("stray", 1000);
    world.upstream.push_blob(UPSTREAM, &stray);
    check_kind(world.blob(NAME, &image.layer.digest).await, ErrorKind::RepositoryNotFound);
    world.pull(NAME, "v1").await.unwrap();
    world.upstream.asked();
    check_kind(world.blob(NAME, &stray.digest).await, ErrorKind::BlobNotFound);
    check_kind(world.size(NAME, &stray.digest).await, ErrorKind::BlobNotFound);
    assert_eq!(world.upstream.asked(), Vec::<String>::new());
    // Nor is it what another repository of the upstream has.
    world.push("other/app", "two", 1000, &["v1"]);
    world.pull("quay/other/app", "v1").await.unwrap();
    check_kind(world.blob("quay/other/app", &image.layer.digest).await, ErrorKind::BlobNotFound);
}

#[tokio::test]
async fn one_process_of_several_fetches() {
    let [database, other] = empty_database_twice().await;
    let mut first = Registry::on(database, Settings::default()).await;
    let upstream = super::fake();
    first.app_mut().set_upstreams(Arc::clone(&upstream) as Arc<dyn Upstreams>);
    first.run(crate::pull_through::rule("quay", "quay.io")).await.unwrap();
    let mut second = first.beside(other).await;
    second.app_mut().set_upstreams(Arc::clone(&upstream) as Arc<dyn Upstreams>);
    let world = World { registry: first, upstream };
    let image = world.push(UPSTREAM, "one", 2 * MIB, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    world.upstream.asked();
    world.upstream.release(MIB);
    let reader = world.open(NAME, &image.layer.digest).await.unwrap();
    let get = GetBlob { repository: address(NAME), digest: image.layer.digest.clone() };
    let waiting = {
        let (app, context) = (Arc::clone(&second.app), second.context());
        tokio::spawn(async move {
            let reader = pull::blob(&app, &context, get).await.unwrap();
            read(&reader, 0).await.unwrap()
        })
    };
    tokio::task::yield_now().await;
    world.upstream.release(usize::MAX);
    assert!(read(&reader, 0).await.unwrap() == image.layer.bytes);
    assert!(waiting.await.unwrap() == image.layer.bytes);
    assert_eq!(fetches(&world.upstream.asked(), &image.layer.digest), 1);
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn whoever_lost_the_lease_publishes_nothing() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 2 * MIB, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    world.upstream.release(MIB + 200_000);
    let reader = world.open(NAME, &image.layer.digest).await.unwrap();
    reader.read_at(0, 10).await.unwrap();
    let taken = "UPDATE upstream_transfers SET fence = 1";
    world.registry.write(&[(taken, Vec::new())]).await;
    world.upstream.release(usize::MAX);
    check_kind(read(&reader, 0).await, ErrorKind::Unavailable);
    assert_eq!(world.registry.rows("SELECT digest FROM blobs").await.len(), 0);
    // When the time of the other one is over, anybody may go on.
    world.registry.clock.advance_seconds(61);
    assert!(world.blob(NAME, &image.layer.digest).await.unwrap() == image.layer.bytes);
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn a_fetch_that_is_broken_off_tells_who_waits() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 2 * MIB, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    world.upstream.asked();
    world.upstream.release(MIB + 200_000);
    let (account, region) = (address(NAME).account, address(NAME).region);
    let context = tonnage_domain::context::RequestContext {
        principal: tonnage_domain::context::Principal {
            arn: services::PULL_THROUGH_CACHE.name.to_owned(),
            kind: tonnage_domain::context::PrincipalKind::Service,
            ..world.registry.root.clone()
        },
        account,
        region,
        ..world.registry.context()
    };
    let import = ImportUpstreamLayer::new(address(NAME), image.layer.digest.clone());
    let app = Arc::clone(&world.registry.app);
    let fetching = tokio::spawn(async move { execute(&app, &context, import).await });
    // Whoever comes first fetches; the task does, because nobody has opened the layer before.
    while world.upstream.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let reader = world.open(NAME, &image.layer.digest).await.unwrap();
    fetching.abort();
    assert!(fetching.await.unwrap_err().is_cancelled());
    check_kind(read(&reader, 0).await, ErrorKind::Unavailable);
    world.registry.clock.advance_seconds(61);
    world.upstream.release(usize::MAX);
    assert!(world.blob(NAME, &image.layer.digest).await.unwrap() == image.layer.bytes);
    world.check(&[NAME]).await;
}
