use tonnage_domain::metadata::{Metadata, Mode};
use tonnage_domain::params;
use tonnage_store::sqlite::SqliteMetadata;

#[tokio::test]
async fn smoke() {
    let db = SqliteMetadata::open_in_memory().unwrap();
    let mut tx = db.begin(Mode::Write).await.unwrap();
    tx.execute("INSERT INTO versions (name, version) VALUES ($2, $1)", params![7i64, "a"])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin(Mode::Read).await.unwrap();
    let rows = tx
        .query(
            "SELECT version FROM versions WHERE name IN_LIST($1)",
            params![tonnage_domain::metadata::Value::list(["a"])],
        )
        .await
        .unwrap();
    assert_eq!(rows[0].get::<i64>(0).unwrap(), 7);
    drop(tx);
    db.close().await.unwrap();
}
