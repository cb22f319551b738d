//! One push in miniature, for the tests that break something in the middle of it.

use bytes::Bytes;
use tonnage_domain::metadata::{Metadata, Mode};
use tonnage_domain::objects::{ObjectId, Objects};
use tonnage_domain::params;

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

const INSERT: &str = "INSERT INTO garbage_objects (object_id, since) VALUES ($1, $2)";

/// The bytes that belong to an id: more than a page, and different for each.
pub(crate) fn content(id: &ObjectId) -> Bytes {
    id.as_str().repeat(300).into()
}

/// Bytes durable, then the row committed; whoever sees `Ok` may acknowledge.
pub(crate) async fn push(
    metadata: &dyn Metadata,
    objects: &dyn Objects,
    id: &ObjectId,
) -> Result<(), AnyError> {
    let mut writer = objects.create(id).await?;
    let content = content(id);
    writer.write(content.slice(..5000)).await?;
    writer.write(content.slice(5000..)).await?;
    writer.sync().await?;
    let mut transaction = metadata.begin(Mode::Write).await?;
    transaction.execute(INSERT, params![id.as_str(), 1i64]).await?;
    let own = transaction.query("SELECT count(*) FROM garbage_objects", &[]).await?;
    assert!(own[0].get::<i64>(0)? > 0);
    transaction.commit().await?;
    Ok(())
}

/// The ids of all rows.
pub(crate) async fn rows(metadata: &dyn Metadata) -> Result<Vec<ObjectId>, AnyError> {
    let mut transaction = metadata.begin(Mode::Read).await?;
    let rows = transaction.query("SELECT object_id FROM garbage_objects", &[]).await?;
    let parse = |text: String| ObjectId::parse(&text).ok_or_else(|| AnyError::from(text));
    rows.iter().map(|row| parse(row.get(0)?)).collect()
}

/// Reads an object as a pull does.
pub(crate) async fn pull(objects: &dyn Objects, id: &ObjectId) -> Result<Vec<u8>, AnyError> {
    let reader = objects.open(id).await?;
    let mut bytes = reader.read_at(0, 3000).await?.to_vec();
    bytes.extend(reader.read_at(3000, usize::MAX).await?);
    Ok(bytes)
}

/// Every row names a whole object, and the database is sound.
pub(crate) async fn check_sound(metadata: &dyn Metadata, objects: &dyn Objects) -> Vec<ObjectId> {
    let ids = rows(metadata).await.unwrap();
    for id in &ids {
        assert!(pull(objects, id).await.unwrap() == content(id), "{id} is damaged");
    }
    let mut transaction = metadata.begin(Mode::Read).await.unwrap();
    let answer = transaction.query("PRAGMA integrity_check", &[]).await.unwrap();
    assert_eq!(answer[0].get::<String>(0).unwrap(), "ok");
    ids
}
