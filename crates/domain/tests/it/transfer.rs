//! Metadata moved from one database to another.

use tonnage_domain::metadata::{Metadata, Mode};
use tonnage_domain::params;
use tonnage_domain::transfer::{self, TransferError};
use tonnage_store::sqlite::SqliteMetadata;

use crate::content::{Blob, Pushed};
use crate::registry::{Registry, empty_database};

/// A registry with rows in most tables.
async fn populated() -> Registry {
    let registry = Registry::new().await;
    for name in ["app", "other"] {
        let repository = registry.create(name).await;
        for number in 0..20 {
            let (image, tag) = (format!("{name} {number}"), format!("v{number}"));
            registry.push_image(&repository, &image, &[&tag, "latest"]).await;
        }
        let child = registry.push_image(&repository, "child", &[]).await;
        registry.put(&repository, &Pushed::index(&[&child]), Some("index")).await.unwrap();
        let upload = registry.initiate(&repository).await.unwrap();
        let part = Blob::new("part", 200_000).bytes;
        registry.append(&repository, &upload, &part).await.unwrap();
        registry.push_blob(&repository, &Blob::new("unused", 100_000)).await.unwrap();
        registry.run(crate::secrets::create(name, "hidden")).await.unwrap();
    }
    registry
}

async fn change(metadata: &dyn Metadata, sql: &'static str) {
    let mut transaction = metadata.begin(Mode::Write).await.unwrap();
    assert!(transaction.execute(sql, params![]).await.unwrap() > 0, "{sql}");
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_copy_is_equal_and_any_difference_is_found() {
    let registry = populated().await;
    let source = registry.metadata.as_ref();
    // From either engine to SQLite and on to the engine of this run.
    let between = SqliteMetadata::open_in_memory().unwrap();
    let copied = transfer::copy(source, &between).await.unwrap();
    assert!(copied.rows > 300 && copied.tables > 20, "{copied:?}");
    assert_eq!(transfer::verify(source, &between).await.unwrap(), copied);
    let back = empty_database().await;
    assert_eq!(transfer::copy(&between, back.as_ref()).await.unwrap(), copied);
    assert_eq!(transfer::verify(source, back.as_ref()).await.unwrap(), copied);
    assert_eq!(transfer::copy(source, back.as_ref()).await.unwrap().rows, 0, "it is there");

    for (sql, expected) in [
        ("DELETE FROM tags WHERE name = 'v7'", "tags"),
        (
            "UPDATE images SET media_type = 'x' WHERE digest = (SELECT MAX(digest) FROM images)",
            "images",
        ),
        ("INSERT INTO versions (name, version) VALUES ('one more', 1)", "versions"),
    ] {
        let copy = SqliteMetadata::open_in_memory().unwrap();
        transfer::copy(source, &copy).await.unwrap();
        change(&copy, sql).await;
        let error = transfer::verify(source, &copy).await.unwrap_err();
        assert!(
            matches!(&error, TransferError::Different { table } if table == expected),
            "{sql}: {error}"
        );
    }
}

#[tokio::test]
async fn only_a_registry_moves_and_only_into_an_empty_database() {
    let registry = populated().await;
    let empty = SqliteMetadata::open_in_memory().unwrap();
    let refused = transfer::copy(&empty, registry.metadata.as_ref()).await.unwrap_err();
    assert!(matches!(refused, TransferError::NothingToMove), "{refused}");
    let other = Registry::new().await;
    let refused =
        transfer::copy(registry.metadata.as_ref(), other.metadata.as_ref()).await.unwrap_err();
    assert!(matches!(refused, TransferError::TargetInUse), "{refused}");

    let mut registry = registry;
    transfer::copy(registry.metadata.as_ref(), &empty).await.unwrap();
    transfer::retire(registry.metadata.as_ref()).await.unwrap();
    let target = SqliteMetadata::open_in_memory().unwrap();
    let refused = transfer::copy(registry.metadata.as_ref(), &target).await.unwrap_err();
    assert!(matches!(refused, TransferError::MovedBefore), "{refused}");
    let root_key = crate::registry::root_key(crate::registry::ROOT_KEY);
    assert!(registry.reopen_with(&root_key).await.is_err(), "it is retired");
}
