//! Making a registry from a snapshot.

use super::lines::LineReader;
use super::manifest::Manifest;
use super::rows::{self, Line};
use super::union::{List, Listed};
use super::vault::Vault;
use super::{BackupError, LEFT_OUT, Progress, SPAN_BYTES, damaged, object_path, snapshot_path};
use crate::authorize::Permit;
use crate::error::Error;
use crate::execute::Tx;
use crate::metadata::{Metadata, Mode, Value};
use crate::names::{Algorithm, Hasher};
use crate::objects::{ObjectErrorKind, Objects};
use crate::transfer::{self, TABLES, Table};

/// Where a registry is made.
pub struct Target<'a> {
    /// An empty database, migrated.
    pub metadata: &'a dyn Metadata,
    /// An object store in which nothing else is.
    pub objects: &'a dyn Objects,
    /// What the new deployment is called: another name than the old one's, and the same one when a
    /// restore that broke off is repeated.
    pub deployment_id: &'a str,
}

/// What was restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rows.
    pub rows: u64,
    /// Objects.
    pub objects: u64,
}

/// Copies the objects, then every row in one transaction. The new registry remembers the object
/// store of the target and a deployment id of its own, so that neither its metadata nor its objects
/// can be mixed with those of the registry that the backup is of. Checks everything it reads.
/// Idempotent: a restore that broke off can be repeated with the same target.
///
/// # Errors
/// [`BackupError`]; the target is then to be restored again, or thrown away.
pub async fn restore(
    vault: &dyn Vault,
    snapshot: &Manifest,
    target: &Target<'_>,
    progress: &Progress,
) -> Result<Restored, BackupError> {
    snapshot.check_schema()?;
    let permit = Permit::maintenance();
    let mut tx = Tx::begin(target.metadata, Mode::Read, &permit).await?;
    let found = transfer::deployment(&mut tx).await?;
    drop(tx);
    let is_done = match found {
        None => false,
        Some((deployment, _)) if deployment == target.deployment_id => true,
        Some(_) => return Err(in_use()),
    };
    let mut restored = Restored { rows: snapshot.rows, objects: 0 };
    Progress::add(&progress.objects, snapshot.objects);
    let mut list = List::open(vault, &snapshot.id).await?;
    while let Some(object) = list.take().await? {
        // Rows are written after the last object, so they are all there.
        if !is_done {
            copy(vault, &object, target.objects, progress).await?;
        }
        restored.objects += 1;
        Progress::add(&progress.objects_done, 1);
    }
    list.check(&snapshot.list)?;
    if !is_done {
        insert(vault, snapshot, target, progress).await?;
    }
    Ok(restored)
}

fn in_use() -> BackupError {
    let sentence = "the database to restore into holds another registry; name an empty one";
    BackupError::Refused(sentence.to_owned())
}

async fn copy(
    vault: &dyn Vault,
    object: &Listed,
    objects: &dyn Objects,
    progress: &Progress,
) -> Result<(), BackupError> {
    match objects.open(&object.id).await {
        // A restore that broke off has left it, whole or not.
        Ok(_) => objects.delete(&object.id).await?,
        Err(error) if error.kind() == ObjectErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let path = object_path(&object.id);
    let mut reader = vault.open(&path).await?;
    let mut writer = objects.create(&object.id).await?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    loop {
        let bytes = reader.read(SPAN_BYTES).await?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(&bytes);
        Progress::add(&progress.bytes, bytes.len() as u64);
        if hasher.length() > object.sum.size {
            break;
        }
        writer.write(bytes).await?;
    }
    if hasher.length() != object.sum.size || hasher.finish().hex() != object.sum.sha256 {
        return Err(damaged(&path, "its size or checksum is another than the snapshot says"));
    }
    writer.sync().await?;
    Ok(())
}

async fn insert(
    vault: &dyn Vault,
    snapshot: &Manifest,
    target: &Target<'_>,
    progress: &Progress,
) -> Result<(), BackupError> {
    let path = snapshot_path(&snapshot.id, "metadata");
    let mut reader = LineReader::open(vault, &path).await?;
    let mut tx = Tx::begin(target.metadata, Mode::Write, &Permit::maintenance()).await?;
    // A server may have made its first start there meanwhile.
    if transfer::deployment(&mut tx).await?.is_some() {
        return Err(in_use());
    }
    // What the migrations themselves put there.
    for table in TABLES.iter().rev() {
        tx.execute(table.clear, &[]).await?;
    }
    let mut tables = TABLES.iter().filter(|table| !LEFT_OUT.contains(&table.name.as_str()));
    let mut table: Option<&Table> = None;
    let mut page: Vec<Vec<Value>> = Vec::new();
    let mut found = 0;
    while let Some(line) = reader.line().await? {
        match (rows::decode(&line), table) {
            (Some(Line::Heading(heading)), _) => {
                flush(&mut tx, table, &mut page).await?;
                table = tables.next().filter(|table| {
                    table.name == heading.table && table.columns == heading.columns
                });
                if table.is_none() {
                    return Err(damaged(&path, "it has other tables than this release"));
                }
            }
            (Some(Line::Row(mut row)), Some(of)) if row.len() == of.columns.len() => {
                if of.name == "deployment" {
                    rename(of, &mut row, target);
                }
                page.push(row);
                found += 1;
                Progress::add(&progress.rows, 1);
                if page.len() >= of.rows_of_insert {
                    flush(&mut tx, table, &mut page).await?;
                }
            }
            _ => return Err(damaged(&path, "a line cannot be read")),
        }
    }
    flush(&mut tx, table, &mut page).await?;
    reader.check(&snapshot.metadata)?;
    if tables.next().is_some() || found != snapshot.rows {
        return Err(damaged(&path, "rows are missing"));
    }
    // The objects are all in the standard tier; what belongs into the archive is moved there again.
    for statement in [
        "INSERT INTO archive_candidates (blob_id, since) SELECT id, created_at FROM blobs \
         WHERE tier = 'ARCHIVE' ON CONFLICT (blob_id) DO NOTHING",
        "UPDATE blobs SET tier = 'STANDARD' WHERE tier = 'ARCHIVE'",
    ] {
        tx.execute(statement, &[]).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn flush(
    tx: &mut Tx,
    table: Option<&Table>,
    page: &mut Vec<Vec<Value>>,
) -> Result<(), Error> {
    match table {
        Some(table) if !page.is_empty() => transfer::insert(tx, table, std::mem::take(page)).await,
        _ => Ok(()),
    }
}

fn rename(table: &Table, row: &mut [Value], target: &Target<'_>) {
    for (column, value) in table.columns.iter().zip(row) {
        match column.as_str() {
            "deployment_id" => *value = target.deployment_id.into(),
            "object_store_id" => *value = target.objects.identity().into(),
            _ => {}
        }
    }
}
