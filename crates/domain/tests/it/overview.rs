//! What the console looks at: repositories and images found by a part of their names, sums, and who
//! is signed in.

use secrecy::{ExposeSecret as _, SecretString};
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::clock::Clock as _;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::identities::console_sessions::{self, Credentials};
use tonnage_domain::images::ImageStatus;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_tag_history::ListTagHistory;
use tonnage_domain::images::pulls;
use tonnage_domain::names::{Reference, Tag};
use tonnage_domain::overview::describe_activity::{Activity, DescribeActivity, Of};
use tonnage_domain::overview::describe_image_content::DescribeImageContent;
use tonnage_domain::overview::describe_storage::DescribeStorage;
use tonnage_domain::overview::search_images::{self, Kind, SearchImages};
use tonnage_domain::overview::search_repositories::{Only, SearchRepositories, Sort};
use tonnage_domain::overview::summarize_registry::SummarizeRegistry;
use tonnage_domain::params;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::resource_tags::{ResourceTag, TagResource};
use tonnage_domain::scanning::Severity;

use crate::content::Pushed;
use crate::registry::{Registry, address, by_digest, by_tag, check_kind, page};

#[tokio::test]
async fn what_people_look_for_is_found() {
    let registry = Registry::new().await;
    let empty = registry.run(SummarizeRegistry).await.unwrap();
    assert_eq!((empty.repositories, empty.images, empty.unique_bytes), (0, 0, 0));
    for name in ("team/web team/data_base tools/x").split(' ') {
        registry.create(name).await;
        registry.clock.advance_seconds(1);
    }
    for (name, key, value) in [("team/web", "team", "red"), ("tools/x", "team", "blue")] {
        let tags = vec![ResourceTag { key: key.to_owned(), value: value.to_owned() }];
        registry.run(TagResource { resource: address(name), tags }).await.unwrap();
    }
    let frozen = PutImageTagMutability {
        registry_id: None,
        name: address("team/data_base").name,
        tag_mutability: TagMutabilityRule::new(TagMutability::Immutable, Vec::new()).unwrap(),
    };
    registry.run(frozen).await.unwrap();
    let web = address("team/web");
    registry.push_image(&web, "first", &["v1", "Stable"]).await;
    registry.push_image(&web, "second", &[]).await;

    let search = |text: &str, sort, after: Option<&str>, limit| SearchRepositories {
        text: text.to_owned(),
        resource_tag: String::new(),
        only: Only::All,
        sort,
        page: page(after, limit),
    };
    let find = async |text: &str, sort, after: Option<&str>, limit| {
        let search = search(text, sort, after, limit);
        let found = registry.run(search).await.unwrap();
        let names = found.items.iter().map(|item| item.name.to_string()).collect::<Vec<_>>();
        (names.join(" "), found.next)
    };
    for (text, sort, after, limit, expected, next) in [
        ("", Sort::Name, None, 10, "team/data_base team/web tools/x", None),
        ("", Sort::Newest, None, 10, "tools/x team/data_base team/web", None),
        ("", Sort::Oldest, None, 2, "team/web team/data_base", Some("2")),
        ("", Sort::Oldest, Some("2"), 2, "tools/x", None),
        ("", Sort::Pushed, None, 10, "team/web team/data_base tools/x", None),
        ("TEAM", Sort::Name, None, 10, "team/data_base team/web", None),
        ("a_b", Sort::Name, None, 10, "team/data_base", None),
        ("%", Sort::Name, None, 10, "", None),
    ] {
        let found = find(text, sort, after, limit).await;
        assert_eq!((found.0.as_str(), found.1.as_deref()), (expected, next), "{text} {sort:?}");
    }
    for (tag, only, expected) in [
        ("team", Only::All, "team/web tools/x"),
        ("team = red", Only::All, "team/web"),
        ("team=green", Only::All, ""),
        ("tea", Only::All, ""),
        ("team", Only::Empty, "tools/x"),
        ("", Only::WithImages, "team/web"),
        ("", Only::Empty, "team/data_base tools/x"),
        ("", Only::Caches, ""),
        ("", Only::Immutable, "team/data_base"),
        ("", Only::ScanOnPush, ""),
    ] {
        let search = search("", Sort::Name, None, 10);
        let search = SearchRepositories { resource_tag: tag.to_owned(), only, ..search };
        let found = registry.run(search).await.unwrap().items;
        let names = found.iter().map(|item| item.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names.join(" "), expected, "{tag} {only:?}");
    }
    let found = registry.run(search("web", Sort::Name, None, 1)).await.unwrap().items.remove(0);
    assert_eq!((found.images, found.bytes), (2, 2200));
    assert_eq!(found.pushed_at, Some(registry.clock.now()));

    let images = async |text: &str, kind| {
        let search = SearchImages {
            repository: web.clone(),
            text: text.to_owned(),
            kind,
            status: None,
            sort: search_images::Sort::Newest,
            page: page(None, 10),
        };
        let found = registry.run(search).await.unwrap().items;
        found.iter().map(|image| image.tags.len()).collect::<Vec<_>>()
    };
    for (text, kind, expected) in [
        ("", Kind::Whole, &[0, 2][..]),
        ("", Kind::All, &[0, 2]),
        ("", Kind::Tagged, &[2]),
        ("", Kind::Untagged, &[0]),
        ("stab", Kind::Whole, &[2]),
        ("sha256:", Kind::Whole, &[0, 2]),
        ("_", Kind::Whole, &[]),
    ] {
        assert_eq!(images(text, kind).await, expected, "{text} {kind:?}");
    }
    let content = DescribeImageContent { repository: web.clone(), id: by_tag("v1") };
    let content = registry.run(content).await.unwrap();
    assert_eq!((content.layers.len(), content.tags.len()), (1, 2));
    assert!(content.manifest.contains("schemaVersion"));
    assert_eq!(content.last_pulled_at, None);
    let again = DescribeImageContent { repository: web.clone(), id: by_digest(&content.digest) };
    assert_eq!(registry.run(again).await.unwrap(), content);
    let missing = DescribeImageContent { repository: web, id: by_tag("none") };
    check_kind(registry.run(missing).await, ErrorKind::ImageNotFound);

    // The image is pushed to another repository too: its layers are kept once.
    registry.push_image(&address("tools/x"), "first", &[]).await;
    let storage = registry.run(DescribeStorage).await.unwrap();
    assert_eq!((storage.unique_bytes, storage.logical_bytes), (2200, 4300));
    assert_eq!((storage.unique_archived_bytes, storage.images, storage.unused_images), (0, 3, 0));
    let largest: Vec<_> =
        storage.repositories.iter().map(|it| (it.name.as_str(), it.blobs, it.bytes)).collect();
    assert_eq!(largest, [("team/web", 3, 2200), ("tools/x", 2, 2100)]);
    let today = storage.days.last().unwrap();
    assert_eq!((storage.days.len(), today.pushes, today.new_bytes), (30, 3, 2200));
    assert!(today.begins_at <= registry.clock.now() && !storage.is_partial);

    // Two scans found the same, and one failed.
    let scan = "INSERT INTO image_scans (image_id, scan_type, status, description, requested_at, \
                counts, fixable, platform) SELECT id, 'BASIC', $1, '', 1, $2, '{}', '' \
                FROM images ORDER BY id LIMIT 1 OFFSET $3";
    let found = r#"{"HIGH":2,"LOW":1}"#;
    for (status, counts, place) in
        [("COMPLETE", found, 0_i64), ("COMPLETE", found, 1), ("FAILED", found, 2)]
    {
        registry.write(&[(scan, params![status, counts, place].to_vec())]).await;
    }
    let sums = registry.run(SummarizeRegistry).await.unwrap();
    let found: Vec<_> = sums.findings.iter().map(|(severity, count)| (*severity, *count)).collect();
    assert_eq!((sums.scanned, found), (2, vec![(Severity::Low, 2), (Severity::High, 4)]));
    assert_eq!((sums.repositories, sums.images, sums.tags), (3, 3, 2));
    assert_eq!((sums.unique_bytes, sums.logical_bytes), (2200, 4300));
    assert_eq!(sums.recent.iter().map(|push| push.tags.len()).collect::<Vec<_>>(), [0, 0, 2]);
    let wrong = search("", Sort::Name, Some("100001"), 1);
    check_kind(registry.run(wrong).await, ErrorKind::InvalidParameter);
}

#[tokio::test]
async fn images_are_sorted_and_found_by_their_state() {
    use search_images::Sort;
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let first = registry.push_image(&app, "first", &["v1"]).await;
    let second = registry.push_image(&app, "second", &[]).await;
    let reference = Reference::parse("v1").unwrap();
    let pull = GetManifest { repository: app.clone(), reference, counts_as_pull: true };
    registry.run(pull).await.unwrap();
    pulls::flush(&registry.app).await.unwrap();
    let id = by_digest(&second.digest);
    let target = StorageClass::Archive;
    let archive = UpdateImageStorageClass { repository: app.clone(), id, target };
    registry.run(archive).await.unwrap();
    let (first, second) = (first.digest, second.digest);
    for (status, sort, expected) in [
        (None, Sort::Newest, vec![&second, &first]),
        (None, Sort::Oldest, vec![&first, &second]),
        (None, Sort::Largest, vec![&second, &first]),
        (None, Sort::PulledLast, vec![&first, &second]),
        (None, Sort::Unused, vec![&second, &first]),
        (Some(ImageStatus::Active), Sort::Newest, vec![&first]),
        (Some(ImageStatus::Archived), Sort::Newest, vec![&second]),
        (Some(ImageStatus::Activating), Sort::Newest, vec![]),
    ] {
        let search = SearchImages {
            repository: app.clone(),
            text: String::new(),
            kind: Kind::Whole,
            status,
            sort,
            page: page(None, 10),
        };
        let found = registry.run(search).await.unwrap().items;
        let found: Vec<_> = found.iter().map(|image| &image.digest).collect();
        assert_eq!(found, expected, "{status:?} {sort:?}");
    }
}

#[tokio::test]
async fn use_is_counted_by_day() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let part = registry.push_image(&app, "part", &[]).await;
    let index = Pushed::index(&[&part]);
    registry.put(&app, &index, Some("v1")).await.unwrap();
    registry.put(&app, &index, Some("v1")).await.unwrap();
    registry.push_image(&app, "unused", &["old"]).await;
    let pull = async |reference: &str| {
        let (repository, reference) = (app.clone(), Reference::parse(reference).unwrap());
        registry.run(GetManifest { repository, reference, counts_as_pull: true }).await.unwrap();
    };
    let describe = async |of: Of| registry.run(DescribeActivity { of }).await.unwrap();
    // As docker pulls: the index, then the part of it that fits.
    for reference in ["v1", part.digest.as_str()] {
        pull(reference).await;
    }
    pulls::flush(&registry.app).await.unwrap();
    registry.clock.advance_seconds(24 * 3600);
    for reference in ["v1", part.digest.as_str(), "v1"] {
        pull(reference).await;
    }
    pulls::flush(&registry.app).await.unwrap();
    let days = |activity: &Activity| {
        let first = activity.days.first().map_or(0, |day| day.day);
        let days = activity.days.iter().map(|day| (day.day - first, day.pulls, day.pushes));
        days.collect::<Vec<_>>()
    };
    let image = Of::Image(app.clone(), index.digest.clone());
    for (of, expected) in [
        (Of::Registry, vec![(0, 1, 2), (1, 2, 0)]),
        (Of::Repository(app.clone()), vec![(0, 1, 2), (1, 2, 0)]),
        (image, vec![(0, 1, 0), (1, 2, 0)]),
        (Of::Image(app.clone(), part.digest.clone()), vec![(0, 1, 0), (1, 1, 0)]),
    ] {
        let activity = describe(of.clone()).await;
        assert_eq!(days(&activity), expected, "{of:?}");
    }
    let of_registry = describe(Of::Registry).await;
    assert_eq!(of_registry.repositories, [(app.name.clone(), 3)]);
    assert_eq!((of_registry.ages, of_registry.never_pulled), (vec![0, 3, 0, 0, 0, 0], 1));
    let of_app = describe(Of::Repository(app.clone())).await;
    let most = of_app.pulled_most.iter().map(|image| (&image.digest, image.pulls));
    assert_eq!(most.collect::<Vec<_>>(), [(&index.digest, 3), (&part.digest, 2)]);
    let unused = of_app.unused.iter().map(|image| image.tags[0].as_str()).collect::<Vec<_>>();
    assert_eq!(unused, ["old"]);
    check_kind(
        registry.run(DescribeActivity { of: Of::Repository(address("none")) }).await,
        ErrorKind::RepositoryNotFound,
    );

    // Old counts go with what is written later.
    registry.clock.advance_seconds(40 * 24 * 3600);
    pull("v1").await;
    pulls::flush(&registry.app).await.unwrap();
    assert_eq!(days(&describe(Of::Registry).await), [(0, 1, 0)]);
    for table in ["SELECT day FROM image_pulls", "SELECT day FROM repository_activity"] {
        assert_eq!(registry.rows(table).await.len(), 1, "{table}");
    }
}

#[tokio::test]
async fn where_tags_pointed_is_known() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let one = registry.push_image(&app, "one", &["v1", "latest"]).await;
    registry.clock.advance_seconds(1);
    let two = registry.push_image(&app, "two", &["latest"]).await;
    registry.batch_delete(&app, vec![by_tag("v1")]).await.unwrap();
    let list = async |tag: Option<&str>, after: Option<&str>, limit| {
        let tag = tag.map(|tag| Tag::parse(tag).unwrap());
        let list = ListTagHistory { repository: app.clone(), tag, page: page(after, limit) };
        registry.run(list).await.unwrap()
    };
    let all = list(None, None, 10).await;
    let told: Vec<_> = all
        .items
        .iter()
        .map(|moved| (moved.tag.as_str(), moved.digest.as_ref(), moved.previous.as_ref()))
        .collect();
    let (one, two) = (&one.digest, &two.digest);
    let expected = [
        ("v1", None, Some(one)),
        ("latest", Some(two), Some(one)),
        ("latest", Some(one), None),
        ("v1", Some(one), None),
    ];
    assert_eq!(told, expected);
    // With its last tag the image went.
    assert_eq!((all.items[1].is_there, all.items[1].previous_is_there), (true, false));
    assert!(all.items[0].principal_arn.ends_with(":root"));
    let first = list(Some("latest"), None, 1).await;
    let second = list(Some("latest"), first.next.as_deref(), 1).await;
    assert_eq!([&first.items[..], &second.items[..]].concat(), all.items[1..3]);
    assert_eq!(second.next, None);
    assert_eq!(list(Some("none"), None, 1).await.items, []);
    let wrong = ListTagHistory { repository: app.clone(), tag: None, page: page(Some("x"), 1) };
    check_kind(registry.run(wrong).await, ErrorKind::InvalidParameter);
}

#[tokio::test]
async fn sessions_are_rows_that_end() {
    let registry = Registry::new().await;
    let (app, now) = (&registry.app, || registry.clock.now());
    let key = registry.first_access_key.clone().unwrap();
    let credentials = |secret: SecretString| Credentials::AccessKey { id: key.id.clone(), secret };
    let sign_in = async || {
        console_sessions::sign_in(app, &registry.context(), credentials(key.secret.clone())).await
    };
    let wrong = SecretString::from("wrong");
    let refused = console_sessions::sign_in(app, &registry.context(), credentials(wrong)).await;
    check_kind(refused, ErrorKind::Unauthenticated);

    let first = sign_in().await.unwrap();
    let token = first.token.expose_secret();
    let found = console_sessions::find(app, token, now()).await.unwrap().unwrap();
    assert_eq!(found, first.session);
    assert!(console_sessions::find(app, &found.id, now()).await.unwrap().is_none());
    let rows = registry.rows("SELECT token_hash FROM console_sessions").await;
    assert!(rows.len() == 1 && rows[0][0] != token);

    // More than a principal may have end the oldest.
    for _ in 0..20 {
        registry.clock.advance_seconds(1);
        sign_in().await.unwrap();
    }
    assert!(console_sessions::find(app, token, now()).await.unwrap().is_none());
    let last = sign_in().await.unwrap();
    let list = console_sessions::list(app, &last.session, now()).await.unwrap();
    assert_eq!((list.len(), list[0].id.as_str()), (20, last.session.id.as_str()));

    // A page notes when it was asked for, and what is over goes with the next sign-in.
    registry.clock.advance_seconds(120);
    let token = last.token.expose_secret();
    console_sessions::find(app, token, now()).await.unwrap().unwrap();
    let noted = console_sessions::find(app, token, now()).await.unwrap().unwrap();
    assert_eq!(noted.last_used_at, now());
    registry.clock.advance_seconds(29 * 60);
    let new = sign_in().await.unwrap();
    assert_eq!(registry.rows("SELECT token_hash FROM console_sessions").await.len(), 2);
    console_sessions::end(app, &registry.context(), &new.session).await.unwrap();
    let ended = console_sessions::end_all(app, &registry.context(), &last.session).await;
    assert_eq!(ended.unwrap(), 1);
    assert!(console_sessions::find(app, token, now()).await.unwrap().is_none());
}
