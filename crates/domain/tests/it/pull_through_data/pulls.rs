//! Pulling manifests: what is asked of the upstream, and who may have it asked.

use std::sync::Arc;

use tonnage_domain::app::Settings;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::images::batch_get_image::BatchGetImage;
use tonnage_domain::images::describe_images::ImageDetail;
use tonnage_domain::images::list_image_referrers::ListImageReferrers;
use tonnage_domain::images::{ImageFailure, ImageStatusFilter};
use tonnage_domain::names::{Digest, RepositoryName};
use tonnage_domain::pull_through::find_mirror::FindMirror;
use tonnage_domain::pull_through::pull;
use tonnage_domain::pull_through::settings::Validity;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::{AppliedFor, TemplatePrefix, TemplateSettings};

use super::World;
use super::upstream::Fault;
use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::pull_through::rule;
use crate::registry::{Registry, address, by_digest, by_tag, check_kind, page, rule as tag_rule};

const NAME: &str = "quay/team/app";
const UPSTREAM: &str = "team/app";
const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn an_image_is_asked_for_once() {
    for by_digest in [false, true] {
        let world = World::new().await;
        let image = world.push(UPSTREAM, "one", 200_000, &["v1"]);
        let reference = if by_digest { image.manifest.digest.as_str() } else { "v1" };
        let pulled = world.pull(NAME, reference).await.unwrap();
        assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
        assert_eq!(pulled.manifest.digest, image.manifest.digest);
        assert_eq!(world.upstream.asked(), [format!("GET {UPSTREAM}:{reference}")]);
        world.pull(NAME, reference).await.unwrap();
        world.pull(NAME, image.manifest.digest.as_str()).await.unwrap();
        assert_eq!(world.upstream.asked(), Vec::<String>::new());

        // The manifest is there before its layers; a listing says of it what is true.
        let listed = world.registry.images(&address(NAME)).await.unwrap();
        let expected: u64 = image.blobs().iter().map(|blob| blob.bytes.len() as u64).sum();
        assert_eq!(sizes(&listed), [expected]);
        for blob in image.blobs() {
            assert_eq!(world.size(NAME, &blob.digest).await.unwrap(), blob.bytes.len() as u64);
            assert_eq!(world.blob(NAME, &blob.digest).await.unwrap(), blob.bytes);
        }
        let asked = world.upstream.asked();
        assert_eq!(asked.len(), 2, "{asked:?}");
        world.check(&[NAME]).await;
        assert_eq!(world.upstream.asked(), Vec::<String>::new());
    }
}

fn sizes(images: &[ImageDetail]) -> Vec<u64> {
    images.iter().map(|image| image.size).collect()
}

#[tokio::test]
async fn what_no_rule_covers_is_not_asked_for() {
    let world = World::new().await;
    world.push(UPSTREAM, "one", 1000, &["v1"]);
    world.registry.create("app").await;
    for (name, kind) in [
        ("quay", ErrorKind::RepositoryNotFound),
        ("quayside/app", ErrorKind::RepositoryNotFound),
        (UPSTREAM, ErrorKind::RepositoryNotFound),
        ("app", ErrorKind::ImageNotFound),
    ] {
        check_kind(world.pull(name, "v1").await, kind);
    }
    assert_eq!(world.upstream.asked(), Vec::<String>::new());
    // A rule for all names asks for names that are not there, and leaves the others alone.
    world.registry.run(rule("ROOT", "quay.io")).await.unwrap();
    world.upstream.push("app", &Pushed::image(&Blob::new("config", 10), &[]), &["v1"]);
    check_kind(world.pull("app", "v1").await, ErrorKind::ImageNotFound);
    assert_eq!(world.upstream.asked(), Vec::<String>::new());
    world.pull(UPSTREAM, "v1").await.unwrap();
    assert_eq!(world.upstream.asked(), [format!("GET {UPSTREAM}:v1")]);
}

#[tokio::test]
async fn an_import_needs_permissions() {
    const PULL: &str = r#""ecr:BatchGetImage","ecr:GetDownloadUrlForLayer""#;
    let import = format!(r#"{PULL},"ecr:BatchImportUpstreamImage""#);
    let create = format!(r#"{PULL},"ecr:CreateRepository""#);
    let all = format!(r#"{import},"ecr:CreateRepository""#);
    use ErrorKind::{AccessDenied, ImageNotFound, RepositoryNotFound};
    let rows: [(&str, bool, &str, Result<(), ErrorKind>); 8] = [
        ("nothing", false, "\"ecr:DescribeImages\"", Err(AccessDenied)),
        ("pull", false, PULL, Err(RepositoryNotFound)),
        ("import", false, &import, Err(RepositoryNotFound)),
        ("create", false, &create, Err(RepositoryNotFound)),
        ("all", false, &all, Ok(())),
        ("pull-it", true, PULL, Err(ImageNotFound)),
        ("import-it", true, &import, Ok(())),
        ("create-it", true, &create, Err(ImageNotFound)),
    ];
    for (who, exists, actions, expected) in rows {
        let world = World::new().await;
        world.push(UPSTREAM, "one", 1000, &["v0", "v1"]);
        if exists {
            world.pull(NAME, "v0").await.unwrap();
            world.push(UPSTREAM, "two", 1000, &["v1"]);
            world.upstream.asked();
        }
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}]}}"#
        );
        let principal = world.registry.principal(who, &document).await;
        let pulled = world.pull_as(&principal, NAME, "v1").await;
        assert_eq!(pulled.map(drop).map_err(|error| error.kind()), expected, "{who}");
        let asked = world.upstream.asked();
        assert_eq!(asked.is_empty(), expected.is_err(), "{who}: {asked:?}");
    }
}

#[tokio::test]
async fn a_tag_is_looked_after_once_a_day() {
    let world = World::new().await;
    let old = world.push(UPSTREAM, "old", 1000, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    let new = world.push(UPSTREAM, "new", 1000, &["v1"]);
    world.registry.clock.advance_seconds(DAY - 1);
    let pulled = world.pull(NAME, "v1").await.unwrap();
    assert_eq!((pulled.manifest.digest, pulled.is_stale), (old.manifest.digest.clone(), false));
    assert_eq!(world.upstream.asked(), [format!("GET {UPSTREAM}:v1")]);

    // Whatever keeps the upstream from saying, what is stored serves, and it is let alone a while.
    let (head, get) = (format!("HEAD {UPSTREAM}:v1"), format!("GET {UPSTREAM}:v1"));
    for (fault, pause) in [
        (Fault::Down, 30),
        (Fault::TooMany, 120),
        (Fault::Denied, 30),
        (Fault::Forbidden, 30),
        (Fault::Invalid, 30),
        (Fault::NotFound, 30),
    ] {
        world.registry.clock.advance_seconds(DAY);
        world.upstream.fail(fault);
        for _ in 0..3 {
            let pulled = world.pull(NAME, "v1").await.unwrap();
            assert_eq!(pulled.manifest.digest, old.manifest.digest, "{fault:?}");
            assert!(pulled.is_stale, "{fault:?}");
            assert_eq!(pulled.manifest.bytes, old.manifest.bytes);
        }
        assert_eq!(world.upstream.asked(), std::slice::from_ref(&head), "{fault:?}");
        world.registry.clock.advance_seconds(pause - 1);
        assert!(world.pull(NAME, "v1").await.unwrap().is_stale, "{fault:?}");
        assert_eq!(world.upstream.asked(), Vec::<String>::new(), "{fault:?}");
        world.registry.clock.advance_seconds(1);
    }
    let pulled = world.pull(NAME, "v1").await.unwrap();
    assert_eq!((pulled.manifest.digest, pulled.is_stale), (new.manifest.digest.clone(), false));
    assert_eq!(world.upstream.asked(), [head.clone(), get]);
    // The old one can still be had by its digest.
    world.pull(NAME, old.manifest.digest.as_str()).await.unwrap();

    // Where nothing has changed, a HEAD suffices for another day.
    world.registry.clock.advance_seconds(DAY);
    world.pull(NAME, "v1").await.unwrap();
    world.pull(NAME, "v1").await.unwrap();
    assert_eq!(world.upstream.asked(), [head]);
    // What the upstream does not have any more stays.
    world.check(&[NAME]).await;
    world.upstream.remove(UPSTREAM);
    world.registry.clock.advance_seconds(DAY);
    assert!(world.pull(NAME, "v1").await.unwrap().is_stale);
    world.registry.check_images(&address(NAME)).await;
}

#[tokio::test]
async fn a_prefix_has_a_validity_of_its_own() {
    for (seconds, asked_at_once, asked_in_a_year) in
        [(0, 2, 3), (3600, 1, 2), (Validity::FOR_EVER, 1, 1)]
    {
        let by_namespace = [("quay/team".to_owned(), seconds)].into();
        let pull_through_validity = Validity { by_namespace, ..Validity::ECR };
        let world = World::with(Settings { pull_through_validity, ..Settings::default() }).await;
        world.push(UPSTREAM, "one", 1000, &["v1"]);
        let mut asked = 0;
        for (pause, expected) in [(0, 1), (0, asked_at_once), (365 * DAY, asked_in_a_year)] {
            world.registry.clock.advance_seconds(pause);
            assert!(!world.pull(NAME, "v1").await.unwrap().is_stale);
            asked += world.upstream.asked().len();
            assert_eq!(asked, expected, "{seconds} after {pause}");
        }
    }
}

#[tokio::test]
async fn what_an_upstream_still_allows_is_shown() {
    let world = World::new().await;
    world.push("team/app", "one", 1000, &["v1"]);
    world.upstream.say_quota(100, 76);
    world.pull("quay/team/app", "v1").await.unwrap();
    let shown =
        |what: &str| world.registry.metric(&format!("upstream_quota_{what}{{upstream=\"quay\"}}"));
    assert_eq!((shown("limit"), shown("remaining")), ("100".to_owned(), "76".to_owned()));
    // A check of the tag says it too.
    world.registry.clock.advance_seconds(25 * 3600);
    world.upstream.say_quota(100, 75);
    world.pull("quay/team/app", "v1").await.unwrap();
    assert_eq!(shown("remaining"), "75");
}

#[tokio::test]
async fn a_tag_that_may_not_move_stays() {
    let world = World::new().await;
    let settings = TemplateSettings {
        description: None,
        resource_tags: Vec::new(),
        tag_mutability: tag_rule(TagMutability::Immutable, &[]),
        repository_policy: None,
        lifecycle_policy: None,
        applied_for: vec![AppliedFor::PullThroughCache],
        custom_role_arn: None,
    };
    let prefix = TemplatePrefix::new("quay");
    world.registry.run(CreateRepositoryCreationTemplate { prefix, settings }).await.unwrap();
    let old = world.push(UPSTREAM, "old", 1000, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    let new = world.push(UPSTREAM, "new", 1000, &["v1", "v2"]);
    for _ in 0..2 {
        world.registry.clock.advance_seconds(DAY);
        let pulled = world.pull(NAME, "v1").await.unwrap();
        assert_eq!((pulled.manifest.digest, pulled.is_stale), (old.manifest.digest.clone(), false));
    }
    let pulled = world.pull(NAME, "v2").await.unwrap();
    assert_eq!(pulled.manifest.digest, new.manifest.digest);
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn what_the_upstream_refuses_is_told_and_not_asked_again_at_once() {
    use ErrorKind as Kind;
    for (fault, kind) in [
        (Fault::NotFound, Kind::RepositoryNotFound),
        (Fault::Denied, Kind::UpstreamAccessDenied),
        (Fault::TooMany, Kind::UpstreamTooManyRequests),
        (Fault::Down, Kind::UpstreamUnavailable),
        (Fault::Forbidden, Kind::UpstreamUnavailable),
        (Fault::Invalid, Kind::UpstreamUnavailable),
    ] {
        let world = World::new().await;
        world.push(UPSTREAM, "one", 1000, &["v1"]);
        world.upstream.fail(fault);
        for _ in 0..3 {
            check_kind(world.pull(NAME, "v1").await, kind);
        }
        assert_eq!(world.upstream.asked().len(), 1, "{fault:?}");
        check_kind(world.registry.images(&address(NAME)).await, Kind::RepositoryNotFound);
        world.registry.check_nothing_left().await;
        world.registry.clock.advance_seconds(121);
        world.pull(NAME, "v1").await.unwrap();
        world.check(&[NAME]).await;
    }
}

#[tokio::test]
async fn an_index_brings_its_images() {
    let mut world = World::new().await;
    let images: Vec<_> =
        (0..3).map(|n| world.push(UPSTREAM, &format!("arch {n}"), 70_000 * n + 10, &[])).collect();
    let inner = Pushed::index(&[&images[0].manifest, &images[1].manifest]);
    let outer = Pushed::index(&[&inner, &images[2].manifest, &images[2].manifest]);
    for index in [&inner, &outer] {
        world.upstream.push(UPSTREAM, index, &["latest"]);
    }
    let pulled = world.pull(NAME, "latest").await.unwrap();
    assert_eq!(pulled.manifest.digest, outer.digest);

    // Whoever may pull may have what was imported, also before it has come.
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:BatchGetImage"],"Resource":"*"}]}"#;
    let puller = world.registry.principal("puller", document).await;
    world.pull_as(&puller, NAME, inner.digest.as_str()).await.unwrap();
    let elsewhere = world.push(UPSTREAM, "elsewhere", 10, &[]);
    let other = world.pull_as(&puller, NAME, elsewhere.manifest.digest.as_str()).await;
    check_kind(other, ErrorKind::ImageNotFound);

    world.reopen().await;
    world.check(&[NAME]).await;
    let listed = world.registry.images(&address(NAME)).await.unwrap();
    assert_eq!(listed.len(), 5);
    // An index is as large as its largest image, however late that came.
    let largest = images[2].layer.bytes.len() + images[2].config.bytes.len();
    let index = listed.iter().find(|image| image.digest == outer.digest).unwrap();
    assert_eq!(index.size, largest as u64);
    assert_eq!(world.registry.rows("SELECT image_id FROM arriving_images").await.len(), 0);
    world.upstream.set_down(Some(Fault::Down));
    for image in &images {
        world.pull(NAME, image.manifest.digest.as_str()).await.unwrap();
    }
}

#[tokio::test]
async fn indexes_below_indexes_are_followed_a_few_steps() {
    let world = World::new().await;
    let mut index = Pushed::index(&[&world.push(UPSTREAM, "bottom", 10, &[]).manifest]);
    let mut chain = vec![index.clone()];
    for _ in 0..20 {
        index = Pushed::index(&[&index]);
        chain.push(index.clone());
    }
    for index in &chain {
        world.upstream.push(UPSTREAM, index, &[]);
    }
    world.upstream.push(UPSTREAM, &index, &["deep"]);
    world.pull(NAME, "deep").await.unwrap();
    drain(&world.registry).await;
    let count = world.registry.images(&address(NAME)).await.unwrap().len();
    assert_eq!(count, 5);
    // The rest comes when it is asked for.
    for index in &chain {
        world.pull(NAME, index.digest.as_str()).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_comes_unasked_where_that_is_off() {
    let settings = Settings { pull_through_whole_images: false, ..Settings::default() };
    let world = World::with(settings).await;
    let image = world.push(UPSTREAM, "one", 100_000, &["v1"]);
    world.upstream.push(UPSTREAM, &Pushed::index(&[&image.manifest]), &["latest"]);
    // What the clock enqueues has had its turn.
    drain(&world.registry).await;
    world.pull(NAME, "latest").await.unwrap();
    assert_eq!(drain(&world.registry).await, 0);
    assert_eq!(world.upstream.asked().len(), 1);
    world.pull(NAME, image.manifest.digest.as_str()).await.unwrap();
    assert_eq!(world.blob(NAME, &image.layer.digest).await.unwrap(), image.layer.bytes);
}

#[tokio::test]
async fn what_does_not_come_is_tried_again_and_then_left() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 100_000, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    world.upstream.set_down(Some(Fault::Down));
    for _ in 0..30 {
        drain(&world.registry).await;
        world.registry.clock.advance_seconds(DAY);
    }
    let asked = world.upstream.asked().len();
    assert!((5..=12).contains(&asked), "{asked} requests");
    check_kind(world.blob(NAME, &image.layer.digest).await, ErrorKind::UpstreamUnavailable);
    world.upstream.set_down(None);
    world.registry.clock.advance_seconds(60);
    for blob in image.blobs() {
        assert_eq!(world.blob(NAME, &blob.digest).await.unwrap(), blob.bytes);
    }
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn a_batch_says_what_became_of_each() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 1000, &["v1", "v2"]);
    let get = |tags: &[&str]| BatchGetImage {
        repository: address(NAME),
        ids: tags.iter().map(|tag| by_tag(tag)).collect(),
    };
    let (app, context) = (&world.registry.app, world.registry.context());
    for (fault, failure) in [
        (Fault::Denied, ImageFailure::UpstreamAccessDenied),
        (Fault::TooMany, ImageFailure::UpstreamTooManyRequests),
        (Fault::Down, ImageFailure::UpstreamUnavailable),
    ] {
        world.upstream.fail(fault);
        let output = pull::images(app, &context, get(&["v1"])).await.unwrap();
        assert_eq!(output.failures, [(by_tag("v1"), failure)]);
        world.registry.clock.advance_seconds(300);
    }
    let context = world.registry.context();
    let output = pull::images(app, &context, get(&["v1", "v2", "v3"])).await.unwrap();
    assert_eq!(output.failures, [(by_tag("v3"), ImageFailure::ImageNotFound)]);
    assert_eq!(output.images.len(), 2);
    let digest =
        BatchGetImage { repository: address(NAME), ids: vec![by_digest(&image.manifest.digest)] };
    assert_eq!(pull::images(app, &context, digest).await.unwrap().images.len(), 1);
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn referrers_come_with_what_they_refer_to() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 1000, &["v1"]);
    world.pull(NAME, "v1").await.unwrap();
    let config = Blob::new("empty", 2);
    world.upstream.push_blob(UPSTREAM, &config);
    let signature = Pushed::referrer(&config, &image.manifest, "signature");
    let stray = Pushed::image(&config, &[]);
    for manifest in [&signature, &stray] {
        world.upstream.push(UPSTREAM, manifest, &[]);
    }
    let index = Pushed::index(&[&signature, &stray]);
    world.upstream.set_referrers(UPSTREAM, &image.manifest.digest, &index.bytes);
    world.upstream.asked();

    let list = async || {
        let list = ListImageReferrers {
            repository: address(NAME),
            subject: image.manifest.digest.clone(),
            artifact_types: Vec::new(),
            artifact_status: ImageStatusFilter::default(),
            page: page(None, 100),
        };
        let context = world.registry.context();
        let listed = pull::referrers(&world.registry.app, &context, list).await.unwrap();
        listed.items.into_iter().map(|referrer| referrer.digest).collect::<Vec<Digest>>()
    };
    world.upstream.fail(Fault::Down);
    assert_eq!(list().await, []);
    assert_eq!(list().await, []);
    assert_eq!(world.upstream.asked().len(), 1);
    world.registry.clock.advance_seconds(60);
    // What does not refer to it is no referrer, whatever the upstream says.
    assert_eq!(list().await, std::slice::from_ref(&signature.digest));
    assert_eq!(world.upstream.asked().len(), 3);
    assert_eq!(list().await, [signature.digest]);
    assert_eq!(world.upstream.asked(), Vec::<String>::new());
    world.check(&[NAME]).await;
}

#[tokio::test]
async fn names_of_other_registries_find_their_mirror() {
    let registry = Registry::new().await;
    for create in
        [rule("quay", "quay.io"), rule("team", "quay.io/team"), rule("k8s", "registry.k8s.io")]
    {
        registry.run(create).await.unwrap();
    }
    let find = async |host: &str, name: &str| {
        let (host, name) = (host.to_owned(), RepositoryName::parse(name).unwrap());
        let found = registry.run(FindMirror { host, name }).await.unwrap();
        found.map(|found| found.name.to_string())
    };
    for (host, name, expected) in [
        ("quay.io", "app/web", Some("quay/app/web")),
        ("QUAY.io", "app/web", Some("quay/app/web")),
        // The rule that says more about the name.
        ("quay.io", "team/web", Some("team/web")),
        ("registry.k8s.io", "pause", Some("k8s/pause")),
        ("docker.io", "library/ubuntu", None),
        ("ghcr.io", "app", None),
        ("", "app", None),
    ] {
        assert_eq!(find(host, name).await.as_deref(), expected, "{host} {name}");
    }
}

#[tokio::test]
async fn many_ask_at_once_and_the_upstream_is_asked_once() {
    let world = Arc::new(World::new().await);
    let image = world.push(UPSTREAM, "one", 300_000, &["v1"]);
    let pulls = (0..20).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.pull(NAME, "v1").await.unwrap().manifest.digest })
    });
    for pull in pulls.collect::<Vec<_>>() {
        assert_eq!(pull.await.unwrap(), image.manifest.digest);
    }
    assert_eq!(world.upstream.asked(), [format!("GET {UPSTREAM}:v1")]);
}

#[tokio::test]
async fn a_repository_made_by_hand_below_a_prefix_becomes_a_cache() {
    let world = World::new().await;
    let image = world.push(UPSTREAM, "one", 1000, &["v1"]);
    let made = world.registry.create_with(NAME, TagMutabilityRule::default()).await;
    world.pull(NAME, "v1").await.unwrap();
    assert_eq!(world.blob(NAME, &image.layer.digest).await.unwrap(), image.layer.bytes);
    assert_eq!(made, address(NAME));
    world.check(&[NAME]).await;
}
