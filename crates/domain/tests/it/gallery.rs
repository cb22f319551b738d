//! The gallery: what everybody finds, and what nobody is shown.

use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::execute::Operation;
use tonnage_domain::gallery::get_pull_statistics::{GetPullStatistics, PullCount, PullGroup};
use tonnage_domain::gallery::listings::BrowseGallery;
use tonnage_domain::gallery::search::{Found, SearchGallery, Sort};
use tonnage_domain::gallery::view_image::ViewImage;
use tonnage_domain::gallery::view_publisher::ViewPublisher;
use tonnage_domain::gallery::view_repository::ViewRepository;
use tonnage_domain::gallery::{Architecture, OperatingSystem};
use tonnage_domain::gallery::{index, pulls};
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::metadata::Mode;
use tonnage_domain::names::{AccountId, Digest, Reference, Region};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::public::aliases::operations::VerifyPublicRegistry;
use tonnage_domain::public::catalog::CatalogDataInput;
use tonnage_domain::public::catalog::operations::PutRepositoryCatalogData;
use tonnage_domain::public::registries::PutRegistryCatalogData;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::uploads::UploadRules::Distribution;

use tonnage_store::faulty::{Call, Fault};

use crate::content::{Blob, Pushed};
use crate::public::{asking, create, public, push, push_blob, run};
use crate::registry::{ACCOUNT, Registry, check_kind, put_image};

fn anonymous(registry: &Registry) -> RequestContext {
    let account = AccountId::parse(ACCOUNT).unwrap();
    asking(registry, &Principal::anonymous(account), ACCOUNT)
}

async fn read<O: Operation>(registry: &Registry, operation: O) -> Result<O::Output> {
    registry.run_in(&anonymous(registry), operation).await
}

async fn describe(registry: &Registry, name: &str, description: &str, architecture: &str) {
    let data = CatalogDataInput {
        description: Some(description.to_owned()),
        architectures: vec![architecture.to_owned()],
        operating_systems: vec!["Linux".to_owned()],
        ..CatalogDataInput::default()
    };
    run(registry, PutRepositoryCatalogData { repository: public(name), data }).await.unwrap();
}

fn blob(bytes: Vec<u8>) -> Blob {
    Blob { digest: Digest::of_sha256(&bytes), bytes: bytes.into() }
}

fn names(found: &Found) -> Vec<&str> {
    found.items.iter().map(|item| item.name.as_str()).collect()
}

fn first_page() -> PageRequest {
    PageRequest { after: None, limit: 10 }
}

#[tokio::test]
async fn search() {
    let registry = Registry::new().await;
    for (name, description, architecture) in [
        ("web/nginx", "A small web server", "x86-64"),
        ("postgres", "A database; talks to nginx", "ARM 64"),
        ("tools/pg-dump", "Copies a postgres database", "x86-64"),
    ] {
        push(&registry, name).await;
        describe(&registry, name, description, architecture).await;
    }
    // Without a tag it is shown in no list.
    run(&registry, create("postgres-empty")).await.unwrap();
    assert_eq!(index::update(&registry.app).await.unwrap(), 4);
    assert_eq!(index::update(&registry.app).await.unwrap(), 0);

    let words =
        |text: &str| SearchGallery { text: text.to_owned(), limit: 10, ..Default::default() };
    let (arm, amd) = (Some(Architecture::Arm64), Some(Architecture::X86_64));
    let (linux, windows) = (Some(OperatingSystem::Linux), Some(OperatingSystem::Windows));
    let rows: Vec<(SearchGallery, &[&str])> = vec![
        (words("nginx"), &["web/nginx", "postgres"]),
        (words("NGI"), &["web/nginx", "postgres"]),
        (words("postgres"), &["postgres", "tools/pg-dump"]),
        (words("pgdump"), &["tools/pg-dump"]),
        (words("database postgres copies"), &["tools/pg-dump"]),
        (words("v1 server"), &["web/nginx"]),
        (words("nothing"), &[]),
        (words("ginx"), &[]),
        (words("os:linux"), &[]),
        (words("'; DROP TABLE x; -- % _"), &[]),
        (SearchGallery { architecture: arm, ..words("") }, &["postgres"]),
        (SearchGallery { architecture: amd, ..words("postgres") }, &["tools/pg-dump"]),
        (SearchGallery { operating_system: linux, ..words("server") }, &["web/nginx"]),
        (SearchGallery { operating_system: windows, ..words("") }, &[]),
        (SearchGallery { verified: true, ..words("") }, &[]),
        (SearchGallery { sort: Sort::Updated, ..words("nginx") }, &["postgres", "web/nginx"]),
        (SearchGallery { offset: 1, ..words("nginx") }, &["postgres"]),
    ];
    for (operation, expected) in rows {
        let found = read(&registry, operation.clone()).await.unwrap();
        assert_eq!(names(&found), expected, "{operation:?}");
    }
    let all = read(&registry, SearchGallery { sort: Sort::Updated, ..words("") }).await.unwrap();
    assert_eq!(names(&all), ["tools/pg-dump", "postgres", "web/nginx"]);
    assert_eq!((all.total, all.more), (None, false));
    let first = read(&registry, SearchGallery { limit: 1, ..words("nginx") }).await.unwrap();
    assert_eq!((first.items.len(), first.total, first.more), (1, Some(2), true));
    let far = read(&registry, SearchGallery { offset: 10_001, ..words("") }).await;
    check_kind(far, ErrorKind::InvalidParameter);

    // Whoever is renamed is found by the new name and not by the old one.
    let display_name = Some("Harbour Works".to_owned());
    run(&registry, PutRegistryCatalogData { display_name }).await.unwrap();
    describe(&registry, "postgres", "A database", "ARM 64").await;
    let account = AccountId::parse(ACCOUNT).unwrap();
    let verify = VerifyPublicRegistry { management_account: account, account, verified: true };
    registry.run(verify).await.unwrap();
    assert_eq!(index::update(&registry.app).await.unwrap(), 4);
    assert_eq!(names(&read(&registry, words("nginx")).await.unwrap()), ["web/nginx"]);
    let found =
        read(&registry, SearchGallery { verified: true, ..words("harbour") }).await.unwrap();
    assert_eq!(found.items.len(), 3);
    assert!(found.items.iter().all(|item| item.publisher.verified));

    let gone = DeleteRepository { registry_id: None, name: public("postgres").name, force: true };
    run(&registry, gone).await.unwrap();
    assert_eq!(names(&read(&registry, words("postgres")).await.unwrap()), ["tools/pg-dump"]);
    index::update(&registry.app).await.unwrap();
    let left = registry
        .rows("SELECT word FROM gallery_words WHERE repository_id NOT IN (SELECT id FROM repositories)")
        .await;
    assert!(left.is_empty());
}

#[tokio::test]
async fn pages_show_what_everybody_may_pull_and_nothing_else() {
    let registry = Registry::new().await;
    let (image, layer) = push(&registry, "app").await;
    let config =
        blob(br#"{"os":"linux","architecture":"arm64","config":{"Labels":{"a":"<b>"}}}"#.to_vec());
    let context = asking(&registry, &registry.root, ACCOUNT);
    push_blob(&registry, &context, "app", &config).await.unwrap();
    let second = Pushed::image(&config, &[&layer]);
    run(&registry, put_image(&public("app"), &second, Some("v2"), Distribution)).await.unwrap();
    run(&registry, create("empty")).await.unwrap();
    index::update(&registry.app).await.unwrap();

    let view = |repository, tag_prefix: &str| ViewRepository {
        repository,
        tag_prefix: tag_prefix.to_owned(),
        page: first_page(),
    };
    let shown = read(&registry, view(public("app"), "")).await.unwrap();
    let tags: Vec<&str> = shown.tags.items.iter().map(|tag| tag.tag.as_str()).collect();
    assert_eq!(tags, ["v2", "v1"]);
    assert_eq!(shown.tags.items[0].platforms, ["linux/arm64"]);
    assert_eq!(shown.listing.tag_count, 2);
    assert_eq!(shown.listing.architectures, ["ARM 64"]);
    let filtered = read(&registry, view(public("app"), "v1")).await.unwrap();
    assert_eq!(filtered.tags.items.len(), 1);
    assert_eq!(filtered.tags.items[0].digest, image.digest);
    let empty = read(&registry, view(public("empty"), "")).await.unwrap();
    assert_eq!((empty.tags.items.len(), empty.listing.tag_count), (0, 0));

    let look = |repository, reference: &str| ViewImage {
        repository,
        reference: Reference::parse(reference).unwrap(),
    };
    let by_tag = read(&registry, look(public("app"), "v2")).await.unwrap();
    assert_eq!(by_tag.config.as_ref().unwrap().labels["a"], "<b>");
    assert_eq!(by_tag.layers.len(), 1);
    let by_digest = read(&registry, look(public("app"), second.digest.as_str())).await.unwrap();
    assert_eq!(by_digest, by_tag);
    check_kind(read(&registry, look(public("app"), "v3")).await, ErrorKind::ImageNotFound);
    check_kind(read(&registry, look(public("none"), "v1")).await, ErrorKind::RepositoryNotFound);

    // A private repository is denied before anybody looks whether it exists.
    for name in ["private", "absent"] {
        let mut private = public(name);
        private.region = Region::parse("eu-west-1").unwrap();
        check_kind(read(&registry, view(private.clone(), "")).await, ErrorKind::AccessDenied);
        check_kind(read(&registry, look(private, "v1")).await, ErrorKind::AccessDenied);
    }

    let publisher = read(&registry, ViewPublisher { page: first_page() }).await.unwrap();
    assert_eq!(publisher.repositories.items.len(), 2);
    let home = read(&registry, BrowseGallery).await.unwrap();
    assert_eq!((home.newest.len(), home.most_pulled.len(), home.publishers.len()), (1, 1, 1));
}

#[tokio::test]
async fn pulls_are_counted_once_by_tag_and_platform() {
    let registry = Registry::new().await;
    let (first, layer) = push(&registry, "app").await;
    let context = asking(&registry, &registry.root, ACCOUNT);
    let config = Blob::new("other config", 50);
    push_blob(&registry, &context, "app", &config).await.unwrap();
    let second = Pushed::image(&config, &[&layer]);
    run(&registry, put_image(&public("app"), &second, None, Distribution)).await.unwrap();
    let index_of_both = Pushed::index(&[&first, &second]);
    let put = put_image(&public("app"), &index_of_both, Some("all"), Distribution);
    run(&registry, put).await.unwrap();
    index::update(&registry.app).await.unwrap();

    let fetch = async |reference: &str, counts_as_pull: bool| {
        let reference = Reference::parse(reference).unwrap();
        let get = GetManifest { repository: public("app"), reference, counts_as_pull };
        read(&registry, get).await.unwrap();
    };
    let (all, one) = (index_of_both.digest.as_str(), first.digest.as_str());
    // As docker pulls: the tag, then what it wants of the index.
    fetch("all", true).await;
    pulls::flush(&registry.app).await.unwrap();
    fetch(one, true).await;
    fetch(second.digest.as_str(), true).await;
    // As containerd pulls: where the tag points, the index, what it wants of it. The five minutes of
    // the first pull are over.
    registry.clock.advance_seconds(301);
    fetch("all", false).await;
    fetch(all, true).await;
    fetch(one, true).await;
    // By a digest that nobody asked the index for.
    registry.clock.advance_seconds(24 * 60 * 60);
    fetch(one, true).await;
    pulls::flush(&registry.app).await.unwrap();
    pulls::flush(&registry.app).await.unwrap();

    let rows = registry
        .rows(
            "SELECT tag, platform, CAST(SUM(pulls) AS BIGINT) FROM public_pulls \
             GROUP BY tag, platform ORDER BY tag, platform",
        )
        .await;
    let total: i64 = rows.iter().map(|row| row[2].parse::<i64>().unwrap()).sum();
    assert_eq!(total, 3, "{rows:?}");
    for expected in [["", "", "1"], ["all", "linux/amd64", "2"]] {
        assert!(rows.contains(&expected.map(str::to_owned).to_vec()), "{rows:?}");
    }
    let view =
        ViewRepository { repository: public("app"), tag_prefix: String::new(), page: first_page() };
    let shown = read(&registry, view.clone()).await.unwrap();
    assert_eq!(shown.listing.pulls, 3);
    assert_eq!(shown.daily.iter().map(|one| one.pulls).collect::<Vec<_>>(), [2, 1]);

    let statistics = |limit, after: Option<&str>| GetPullStatistics {
        repository: public("app"),
        days: 30,
        by: None,
        page: PageRequest { after: after.map(str::to_owned), limit },
    };
    let counts = run(&registry, statistics(10, None)).await.unwrap();
    let shown: Vec<_> = counts
        .items
        .iter()
        .map(|one| (one.tag.as_deref(), one.platform.as_deref(), one.pulls))
        .collect();
    assert_eq!(shown, [(None, None, 1), (Some("all"), Some("linux/amd64"), 2)]);
    let first = run(&registry, statistics(1, None)).await.unwrap();
    let second = run(&registry, statistics(1, first.next.as_deref())).await.unwrap();
    assert_eq!([first.items, second.items].concat(), counts.items);
    check_kind(read(&registry, statistics(10, None)).await, ErrorKind::AccessDenied);

    // Sums, the largest first.
    let network = "127.0.0.0/24";
    for (by, expected) in [
        (PullGroup::Day, vec![(None, 1), (None, 2)]),
        (PullGroup::Tag, vec![(Some("all"), 2), (None, 1)]),
        (PullGroup::Platform, vec![(Some("linux/amd64"), 2), (None, 1)]),
        (PullGroup::Digest, vec![(Some(all), 2), (Some(one), 1)]),
        (PullGroup::Network, vec![(Some(network), 3)]),
    ] {
        let asked = GetPullStatistics { by: Some(by), ..statistics(10, None) };
        let sums = run(&registry, asked).await.unwrap().items;
        let of = |sum: &PullCount| {
            let digest = sum.digest.as_ref().map(ToString::to_string);
            sum.tag.clone().or(sum.platform.clone()).or(digest).or(sum.network.clone())
        };
        let sums: Vec<_> = sums.iter().map(|sum| (of(sum), sum.pulls)).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(name, pulls)| (name.map(str::to_owned), pulls)).collect();
        assert_eq!(sums, expected, "{by:?}");
    }

    // A pull that straddles a restart is one: a client fetches an index and asks where a tag points,
    // and the next process serves the rest.
    let counted = async || read(&registry, view.clone()).await.unwrap().listing.pulls;
    fetch("all", true).await;
    fetch("v1", false).await;
    pulls::flush(&registry.app).await.unwrap();
    pulls::save(&registry.app).await.unwrap();
    pulls::restore(&registry.app).await.unwrap();
    assert_eq!(registry.rows("SELECT id FROM recent_public_pulls").await.len(), 0);
    fetch(one, true).await;
    pulls::flush(&registry.app).await.unwrap();
    assert_eq!(counted().await, 4);
    // Not for longer than otherwise, and not where nobody wrote it down.
    for is_written in [true, false] {
        fetch("all", true).await;
        pulls::flush(&registry.app).await.unwrap();
        pulls::save(&registry.app).await.unwrap();
        match is_written {
            true => registry.clock.advance_seconds(301),
            false => {
                let mut tx = registry.app.metadata.begin(Mode::Write).await.unwrap();
                tx.execute("DELETE FROM recent_public_pulls", &[]).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
        pulls::restore(&registry.app).await.unwrap();
        let before = counted().await;
        fetch(one, true).await;
        pulls::flush(&registry.app).await.unwrap();
        assert_eq!(counted().await, before + 1, "{is_written}");
    }
    let counted = counted().await;

    // What cannot be written is not lost.
    fetch("v1", true).await;
    registry.plan.fail(Call::CommitBefore, 1, Fault::Other);
    pulls::flush(&registry.app).await.unwrap_err();
    pulls::flush(&registry.app).await.unwrap();
    assert_eq!(read(&registry, view).await.unwrap().listing.pulls, counted + 1);
}
