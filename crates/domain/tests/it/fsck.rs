//! Examining and repairing a registry: each kind of damage is made by hand, found, and repaired or
//! healed by a push; a healthy registry is clean.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tonnage_domain::app::Settings;
use tonnage_domain::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use tonnage_domain::blobs::get_blob::HeadBlob;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::fsck::{self, Finding, Problem, Report, references};
use tonnage_domain::names::Digest;
use tonnage_domain::objects::{ObjectId, Objects as _};
use tonnage_domain::params;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::uploads::UploadRules;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

use crate::content::{Blob, Pushed};
use crate::registry::{Registry, check_kind, temporary_directory};

const LARGE: usize = 200_000;

/// A registry with an image of a small config and a large layer.
pub(crate) struct Damaged {
    pub(crate) registry: Registry,
    pub(crate) app: RepositoryAddress,
    pub(crate) config: Blob,
    pub(crate) layer: Blob,
    pub(crate) image: Pushed,
}

impl Damaged {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let registry = Registry::with_settings(settings).await;
        let app = registry.create("app").await;
        let (config, layer) = (Blob::new("config", 300), Blob::new("layer", LARGE));
        for blob in [&config, &layer] {
            registry.push_blob(&app, blob).await.unwrap();
        }
        let image = Pushed::image(&config, &[&layer]);
        registry.put(&app, &image, Some("v1")).await.unwrap();
        Self { registry, app, config, layer, image }
    }

    pub(crate) fn image_name(&self) -> String {
        format!("123456789012/us-east-1/app@{}", self.image.digest)
    }

    pub(crate) async fn object_of_layer(&self) -> String {
        let rows = self.registry.rows("SELECT object_id FROM blobs WHERE object_id > ''").await;
        assert_eq!(rows.len(), 1);
        rows[0][0].clone()
    }

    pub(crate) async fn examine(&self, contents: bool) -> Report {
        examine(&self.registry, contents).await
    }

    /// The damaged layer is not served and clients are told to upload it; then a push heals it.
    pub(crate) async fn check_fails_closed_and_heals(&self, lost: &Blob) {
        let (registry, app) = (&self.registry, &self.app);
        check_kind(registry.blob(app, &lost.digest).await, ErrorKind::Internal);
        let head = HeadBlob { repository: app.clone(), digest: lost.digest.clone() };
        check_kind(registry.run(head).await, ErrorKind::BlobNotFound);
        let digests = vec![lost.digest.clone()];
        let availability = BatchCheckLayerAvailability { repository: app.clone(), digests };
        assert_eq!(registry.run(availability).await.unwrap()[0].size, None);
        let other = Pushed::annotated_image(&self.config, &[&self.layer], "other");
        check_kind(registry.put(app, &other, None).await, ErrorKind::LayersNotFound);

        // ECR's rules would call a layer that is there already an error.
        let upload_id = registry.initiate(app).await.unwrap();
        registry.append(app, &upload_id, &lost.bytes).await.unwrap();
        let complete = CompleteLayerUpload {
            repository: app.clone(),
            upload_id,
            digests: vec![lost.digest.clone()],
            first_byte: None,
            body: None,
            rules: UploadRules::LayerParts,
        };
        registry.run(complete).await.unwrap();
        registry.put(app, &other, None).await.unwrap();
        self.check_healed().await;
    }

    pub(crate) async fn check_healed(&self) {
        self.registry.check_images(&self.app).await;
        let report = self.examine(true).await;
        assert_eq!(report.findings, [], "healed");
        self.registry.check_no_orphans().await;
    }
}

async fn examine(registry: &Registry, contents: bool) -> Report {
    fsck::examine(&registry.app, registry.inventory.as_ref(), contents).await.unwrap()
}

async fn repair(registry: &Registry, report: &Report) -> u64 {
    fsck::repair(&registry.app, &report.findings).await.unwrap()
}

#[track_caller]
fn only(report: &Report) -> &Finding {
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    &report.findings[0]
}

fn set_age(registry: &Registry, object: &str, seconds: u64) {
    let now = u64::try_from(registry.clock.now().0).unwrap() / 1000;
    let modified = UNIX_EPOCH + Duration::from_secs(now - seconds);
    let file = fs::OpenOptions::new().write(true).open(registry.object_file(object)).unwrap();
    file.set_modified(modified).unwrap();
}

async fn make_object(registry: &Registry, seconds: u64) -> ObjectId {
    let id = ObjectId::random();
    let mut writer = registry.inventory.create(&id).await.unwrap();
    writer.write(bytes::Bytes::from_static(b"whatever")).await.unwrap();
    writer.sync().await.unwrap();
    drop(writer);
    set_age(registry, id.as_str(), seconds);
    id
}

#[tokio::test]
async fn a_healthy_registry_of_hundreds_of_images_is_clean() {
    let registry = Registry::new().await;
    let mut images = 0;
    for number in 0..4_usize {
        let repository = registry.create(&format!("app/{number}")).await;
        let mut children = Vec::new();
        for image in 0..75_usize {
            let config = Blob::new(&format!("config {number} {image}"), 200 + image);
            // Some layers are shared, some small, some just beside the size of a chunk.
            let size = [0, 1, 5000, 65_535, 65_536, 65_537, 131_072, 150_000][image % 8];
            let layers = [
                Blob::new(&format!("layer {}", image % 20), size),
                Blob::new(&format!("own {number} {image}"), 66_000 + image),
            ];
            for blob in layers.iter().chain([&config]) {
                registry.push_blob(&repository, blob).await.unwrap();
            }
            let manifest = Pushed::image(&config, &[&layers[0], &layers[1]]);
            registry.put(&repository, &manifest, Some(&format!("v{image}"))).await.unwrap();
            children.push(manifest);
            images += 1;
        }
        let index = Pushed::index(&children.iter().collect::<Vec<_>>());
        registry.put(&repository, &index, Some("index")).await.unwrap();
        images += 1;
        let upload = registry.initiate(&repository).await.unwrap();
        let unfinished = Blob::new("unfinished", 300_000);
        registry.append(&repository, &upload, &unfinished.bytes).await.unwrap();
        registry.delete("app/0", true).await.map(drop).ok();
    }
    for contents in [false, true] {
        let report = examine(&registry, contents).await;
        assert!(report.is_clean(), "{:?}", report.findings);
        assert_eq!(report.images, images - 76);
        assert_eq!(report.objects, registry.objects_present().len() as u64);
        assert!(report.objects > 225);
        let blobs = registry.rows("SELECT id FROM blobs").await.len();
        assert_eq!(report.blobs, blobs as u64);
    }
}

#[tokio::test]
async fn an_object_that_is_gone_damages_its_image_until_it_is_pushed_again() {
    let damaged = Damaged::new().await;
    let object = damaged.object_of_layer().await;
    fs::remove_file(damaged.registry.object_file(&object)).unwrap();
    for contents in [false, true] {
        let report = damaged.examine(contents).await;
        let finding = only(&report);
        assert_eq!(finding.problem, Problem::MissingObject);
        assert!(finding.subject.contains(damaged.layer.digest.as_str()), "{}", finding.subject);
        assert_eq!(finding.images, [damaged.image_name()]);
        assert_eq!(finding.repair.as_ref().unwrap().as_str(), "mark-damaged");
    }
    let report = damaged.examine(false).await;
    assert_eq!(repair(&damaged.registry, &report).await, 1);
    assert_eq!(repair(&damaged.registry, &report).await, 0, "a second time changes nothing");
    let report = damaged.examine(false).await;
    assert_eq!((only(&report).problem, &only(&report).repair), (Problem::MissingObject, &None));
    damaged.check_fails_closed_and_heals(&damaged.layer).await;
}

/// Nobody has to run fsck for a push to heal what it brings.
#[tokio::test]
async fn a_push_heals_what_nobody_marked() {
    for cut in [None, Some(1000)] {
        let damaged = Damaged::new().await;
        let file = damaged.registry.object_file(&damaged.object_of_layer().await);
        match cut {
            None => fs::remove_file(&file).unwrap(),
            Some(size) => {
                fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(size).unwrap();
            }
        }
        let read = damaged.registry.blob(&damaged.app, &damaged.layer.digest).await;
        check_kind(read, ErrorKind::Internal);
        damaged.registry.push_blob(&damaged.app, &damaged.layer).await.unwrap();
        damaged.check_healed().await;
    }
}

#[tokio::test]
async fn a_push_from_another_repository_of_the_account_heals_all() {
    let damaged = Damaged::new().await;
    fs::remove_file(damaged.registry.object_file(&damaged.object_of_layer().await)).unwrap();
    let report = damaged.examine(false).await;
    repair(&damaged.registry, &report).await;
    let other = damaged.registry.create("other").await;
    damaged.registry.push_blob(&other, &damaged.layer).await.unwrap();
    assert_eq!(
        damaged.registry.blob(&other, &damaged.layer.digest).await.unwrap(),
        damaged.layer.bytes
    );
    damaged.check_healed().await;
}

#[tokio::test]
async fn a_whole_blob_that_is_pushed_again_keeps_its_object() {
    let damaged = Damaged::new().await;
    let object = damaged.object_of_layer().await;
    damaged.registry.push_blob(&damaged.app, &damaged.layer).await.unwrap();
    assert_eq!(damaged.object_of_layer().await, object);
    damaged.check_healed().await;
}

#[tokio::test]
async fn an_object_of_another_size_is_found_without_reading() {
    let damaged = Damaged::new().await;
    let object = damaged.object_of_layer().await;
    let file = damaged.registry.object_file(&object);
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    let report = damaged.examine(false).await;
    assert_eq!(only(&report).problem, Problem::ObjectSize);
    assert_eq!(only(&report).images, [damaged.image_name()]);
    assert_eq!(repair(&damaged.registry, &report).await, 1);
    damaged.check_fails_closed_and_heals(&damaged.layer).await;
}

/// With and without encryption: a plain object would be served with wrong bytes before it is
/// marked, a sealed one never.
#[tokio::test]
async fn changed_bytes_are_found_by_reading() {
    for encrypt_at_rest in [true, false] {
        let damaged = Damaged::with(Settings { encrypt_at_rest, ..Settings::default() }).await;
        let file = damaged.registry.object_file(&damaged.object_of_layer().await);
        let mut bytes = fs::read(&file).unwrap();
        bytes[LARGE / 2] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(damaged.examine(false).await.is_clean());
        let report = damaged.examine(true).await;
        assert_eq!(only(&report).problem, Problem::Content);
        assert_eq!(only(&report).images, [damaged.image_name()]);
        assert_eq!(repair(&damaged.registry, &report).await, 1);
        assert_eq!(only(&damaged.examine(false).await).problem, Problem::MarkedDamaged);
        damaged.check_fails_closed_and_heals(&damaged.layer).await;
    }
}

#[tokio::test]
async fn a_small_blob_is_damaged_and_healed_in_metadata() {
    for encrypt_at_rest in [true, false] {
        let damaged = Damaged::with(Settings { encrypt_at_rest, ..Settings::default() }).await;
        let bytes = vec![7_u8; if encrypt_at_rest { 329 } else { 300 }];
        let change = "UPDATE blobs SET inline_bytes = $1 WHERE inline_bytes IS NOT NULL";
        damaged.registry.write(&[(change, params![bytes].to_vec())]).await;
        assert!(damaged.examine(false).await.is_clean());
        let report = damaged.examine(true).await;
        assert_eq!(only(&report).problem, Problem::Content);
        assert_eq!(repair(&damaged.registry, &report).await, 1);
        assert_eq!(only(&damaged.examine(false).await).problem, Problem::MarkedDamaged);
        damaged.check_fails_closed_and_heals(&damaged.config).await;
    }
}

#[tokio::test]
async fn an_object_that_was_put_back_takes_the_mark_away() {
    let damaged = Damaged::new().await;
    let file = damaged.registry.object_file(&damaged.object_of_layer().await);
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    repair(&damaged.registry, &damaged.examine(false).await).await;
    fs::write(&file, bytes).unwrap();
    // Only its content proves that it is whole.
    assert_eq!(only(&damaged.examine(false).await).problem, Problem::MarkedDamaged);
    let report = damaged.examine(true).await;
    assert_eq!(only(&report).problem, Problem::WholeButMarked);
    assert_eq!(repair(&damaged.registry, &report).await, 1);
    damaged.check_healed().await;
}

#[tokio::test]
async fn a_lost_blob_that_no_image_refers_to_is_forgotten() {
    let damaged = Damaged::new().await;
    let spare = Blob::new("spare", LARGE);
    let before = damaged.object_of_layer().await;
    damaged.registry.push_blob(&damaged.app, &spare).await.unwrap();
    let objects = damaged.registry.objects_present();
    let object = objects.iter().find(|object| **object != before).unwrap();
    fs::remove_file(damaged.registry.object_file(object)).unwrap();
    let report = damaged.examine(false).await;
    let finding = only(&report);
    assert_eq!(finding.images, Vec::<String>::new());
    assert_eq!(finding.repair.as_ref().unwrap().as_str(), "forget-blob");
    assert_eq!(repair(&damaged.registry, &report).await, 1);
    assert!(damaged.examine(true).await.is_clean());
    let read = damaged.registry.blob(&damaged.app, &spare.digest).await;
    check_kind(read, ErrorKind::BlobNotFound);
    damaged.registry.push_blob(&damaged.app, &spare).await.unwrap();
    assert_eq!(damaged.registry.blob(&damaged.app, &spare.digest).await.unwrap(), spare.bytes);
    damaged.check_healed().await;
}

#[tokio::test]
async fn objects_that_no_row_names_are_removed_once_they_are_old() {
    let damaged = Damaged::new().await;
    let registry = &damaged.registry;
    let old = make_object(registry, 3700).await;
    let young = make_object(registry, 3500).await;
    let report = damaged.examine(false).await;
    assert_eq!(report.findings.len(), 2);
    for finding in &report.findings {
        assert_eq!(finding.problem, Problem::UnnamedObject);
        let is_old = finding.subject.contains(old.as_str());
        assert_eq!(finding.repair.is_some(), is_old, "{finding:?}");
    }
    assert_eq!(repair(registry, &report).await, 1);
    assert!(!registry.object_file(old.as_str()).exists());
    assert!(registry.object_file(young.as_str()).exists());
    // What was named since the plan was made stays.
    set_age(registry, young.as_str(), 4000);
    let report = damaged.examine(false).await;
    let name = "INSERT INTO garbage_objects (object_id, since) VALUES ($1, 0)";
    registry.write(&[(name, params![young.as_str()].to_vec())]).await;
    assert_eq!(repair(registry, &report).await, 0);
    assert!(registry.object_file(young.as_str()).exists());
    damaged.check_healed().await;
}

#[tokio::test]
async fn a_blob_whose_object_is_queued_for_removal_keeps_it() {
    let damaged = Damaged::new().await;
    let object = damaged.object_of_layer().await;
    let queue = "INSERT INTO garbage_objects (object_id, since) VALUES ($1, 0)";
    damaged.registry.write(&[(queue, params![&object].to_vec())]).await;
    let report = damaged.examine(false).await;
    assert_eq!(only(&report).problem, Problem::QueuedForRemoval);
    assert_eq!(repair(&damaged.registry, &report).await, 1);
    damaged.registry.sweep().await;
    damaged.check_healed().await;
}

#[tokio::test]
async fn manifests_that_say_something_else_than_their_rows() {
    let check = async |statement: &'static str, word: &str| {
        let damaged = Damaged::new().await;
        let index = Pushed::index(&[&damaged.image]);
        damaged.registry.put(&damaged.app, &index, Some("index")).await.unwrap();
        damaged.registry.write(&[(statement, Vec::new())]).await;
        let report = damaged.examine(false).await;
        let found = report.findings.iter().find(|finding| finding.problem == Problem::Manifest);
        let found = found.unwrap_or_else(|| panic!("{statement}: {:?}", report.findings));
        assert!(found.detail.contains(word), "{statement}: {}", found.detail);
        assert_eq!(found.repair, None);
    };
    check("UPDATE images SET manifest_size = 1 WHERE kind = 'image'", "its row").await;
    check("UPDATE images SET annotations = '{}' WHERE kind = 'image'", "its row").await;
    check("UPDATE images SET subject_digest = 'x'", "its row").await;
    check("UPDATE images SET media_type = 'text/plain'", "not valid").await;
    check("DELETE FROM image_blobs WHERE position = 0", "edges to blobs").await;
    check("UPDATE image_blobs SET size = 1", "edges to blobs").await;
    check("UPDATE image_blobs SET blob_id = NULL WHERE position = 0", "edges to blobs").await;
    check("DELETE FROM image_children", "edges to images").await;
    check("UPDATE image_children SET platform = 'plan9/vax'", "edges to images").await;
    check("UPDATE images SET manifest = CAST('x' AS BYTEA)", "cannot be read").await;
    let plain = "UPDATE images SET manifest = CAST('{}' AS BYTEA), container_version = 0";
    check(plain, "cannot be read").await;
}

#[tokio::test]
async fn rows_that_hold_what_no_release_writes() {
    let check = async |statement: &'static str, problem: Problem| {
        let damaged = Damaged::new().await;
        damaged.registry.write(&[(statement, Vec::new())]).await;
        for contents in [false, true] {
            let report = damaged.examine(contents).await;
            let found = report.findings.iter().find(|finding| finding.problem == problem);
            assert!(found.is_some(), "{statement}: {:?}", report.findings);
        }
    };
    check("UPDATE blobs SET digest = 'sha256:x' WHERE object_id IS NULL", Problem::Unreadable)
        .await;
    check("UPDATE blobs SET container_version = 9", Problem::Unreadable).await;
    check("UPDATE blobs SET object_id = 'x' WHERE object_id > ''", Problem::Unreadable).await;
    check("UPDATE images SET digest = 'x'", Problem::Manifest).await;
}

/// A registry whose database the test can also open without foreign keys.
async fn with_database(damage: &[&str]) -> (Report, tempfile::TempDir) {
    let directory = temporary_directory();
    let path = directory.path().join("metadata.db");
    let options = SqliteOptions { durable: false, ..SqliteOptions::default() };
    let metadata = Arc::new(SqliteMetadata::open(&path, options).unwrap());
    let registry = Registry::on(metadata, Settings::default()).await;
    for name in ["app", "other"] {
        let repository = registry.create(name).await;
        let image = registry.push_image(&repository, name, &["v1"]).await;
        registry.put(&repository, &Pushed::index(&[&image]), Some("index")).await.unwrap();
        registry.initiate(&repository).await.unwrap();
    }
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    for statement in damage {
        assert!(connection.execute(statement, []).unwrap() > 0, "{statement} changes nothing");
    }
    drop(connection);
    let report = examine(&registry, true).await;
    (report, directory)
}

#[tokio::test]
async fn rows_that_refer_to_nothing() {
    let check = async |damage: &[&str], subjects: &[&str]| {
        let (report, _directory) = with_database(damage).await;
        let found: Vec<&str> = report
            .findings
            .iter()
            .filter(|finding| matches!(finding.problem, Problem::Reference | Problem::Disagreement))
            .map(|finding| finding.subject.as_str())
            .collect();
        for subject in subjects {
            assert!(found.contains(subject), "{damage:?}: {found:?}");
        }
        assert!(report.findings.iter().all(|finding| finding.repair.is_none()), "{damage:?}");
    };
    check(
        &["DELETE FROM images WHERE kind = 'image'"],
        &["image_blobs.image_id", "image_children.child_image_id", "tags.image_id"],
    )
    .await;
    check(&["DELETE FROM images WHERE kind = 'index'"], &["image_children.image_id"]).await;
    check(&["DELETE FROM blobs"], &["repository_blobs.blob_id"]).await;
    check(&["DELETE FROM repository_blobs"], &["image_blobs.blob_id"]).await;
    check(
        &["DELETE FROM repositories WHERE name = 'app'"],
        &[
            "images.repository_id",
            "tags.repository_id",
            "uploads.repository_id",
            "repository_blobs.repository_id",
        ],
    )
    .await;
    check(&["DELETE FROM registries"], &["repositories.registry_id"]).await;
    check(&["UPDATE encryption_domains SET id = 1"], &["blobs.encryption_domain_id"]).await;
    check(&["DELETE FROM principals"], &["access_keys.principal_id"]).await;
    check(
        &["UPDATE tags SET image_id = (SELECT MAX(image_id) FROM tags) \
           WHERE repository_id = (SELECT MIN(id) FROM repositories)"],
        &["a tag names an image of its own repository"],
    )
    .await;
    check(
        &["UPDATE image_children SET child_image_id = (SELECT MAX(id) FROM images)"],
        &["an index refers to images of its own repository, by their digests"],
    )
    .await;
    check(
        &["UPDATE image_blobs SET repository_id = (SELECT MAX(id) FROM repositories)"],
        &["an image refers to blobs of its own repository, by their digests"],
    )
    .await;
    check(
        &[
            "INSERT INTO accounts (id, name, state, created_at) VALUES ('000000000007', '', 'ACTIVE', 0)",
            "UPDATE encryption_domains SET account_id = '000000000007'",
        ],
        &["a repository holds blobs of its own account"],
    )
    .await;
}

/// Whoever adds a foreign key to the schema adds it to fsck.
#[tokio::test]
async fn every_foreign_key_is_examined() {
    let (report, directory) = with_database(&[]).await;
    assert!(report.is_clean(), "{:?}", report.findings);
    let connection = rusqlite::Connection::open(directory.path().join("metadata.db")).unwrap();
    // Of a key of several columns, the last one tells.
    let mut statement = connection
        .prepare(
            "SELECT tables.name, keys.\"from\", keys.\"table\" FROM sqlite_schema AS tables \
             JOIN pragma_foreign_key_list(tables.name) AS keys \
             WHERE tables.type = 'table' AND keys.seq = (SELECT MAX(seq) FROM \
             pragma_foreign_key_list(tables.name) AS others WHERE others.id = keys.id)",
        )
        .unwrap();
    let keys = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<Vec<(String, String, String)>, _>>()
        .unwrap();
    let mut in_schema: Vec<_> =
        keys.iter().map(|(table, column, to)| (&table[..], &column[..], &to[..])).collect();
    let mut examined: Vec<_> =
        references().map(|reference| (reference.table, reference.column, reference.to)).collect();
    in_schema.sort_unstable();
    examined.sort_unstable();
    assert_eq!(examined, in_schema);
}

#[tokio::test]
async fn a_digest_that_was_guessed_heals_nothing() {
    let damaged = Damaged::new().await;
    fs::remove_file(damaged.registry.object_file(&damaged.object_of_layer().await)).unwrap();
    let wrong = Blob { digest: damaged.layer.digest.clone(), bytes: Blob::new("x", LARGE).bytes };
    let pushed = damaged.registry.push_blob(&damaged.app, &wrong).await;
    check_kind(pushed, ErrorKind::InvalidLayer);
    assert_eq!(only(&damaged.examine(false).await).problem, Problem::MissingObject);
    assert_ne!(Digest::of_sha256(&wrong.bytes), damaged.layer.digest);
}
