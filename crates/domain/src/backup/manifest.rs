//! What a snapshot says of itself.

use serde::{Deserialize, Serialize};

use super::lines::{LineReader, LineWriter};
use super::vault::Vault;
use super::{BackupError, damaged, snapshot_path};
use crate::clock::Millis;
use crate::names::Digest;
use crate::root_key::RootKey;
use crate::schema::MIGRATIONS;

/// The form of the files. A reader refuses others.
const FORMAT: u32 = 1;

/// Size and checksum of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Bytes.
    pub size: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A finished snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    format: u32,
    /// Its name: the time of its metadata, and something random.
    pub id: String,
    /// When its metadata were read, in milliseconds since 1970.
    pub created_at: i64,
    /// The release that made it.
    pub release: String,
    /// The migrations that made the schema of its rows.
    pub schema: Vec<i64>,
    /// The deployment that it is of.
    pub deployment_id: String,
    /// The proof of the root key, in hexadecimal.
    root_key_check: String,
    /// How many rows it has.
    pub rows: u64,
    /// How many objects it has.
    pub objects: u64,
    /// Their bytes.
    pub object_bytes: u64,
    /// Objects that the registry itself had lost.
    pub lost: u64,
    pub(super) metadata: FileSum,
    pub(super) list: FileSum,
}

/// What is only known of a snapshot when it is done.
pub(super) struct Contents {
    pub(super) rows: u64,
    pub(super) objects: u64,
    pub(super) object_bytes: u64,
    pub(super) lost: u64,
    pub(super) metadata: FileSum,
    pub(super) list: FileSum,
}

/// A snapshot as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// Whole, as far as its manifest says.
    Finished(Manifest),
    /// It broke off.
    Unfinished(String),
    /// Its manifest cannot be read; the sentence says why.
    Damaged(String, String),
}

/// The schema of this release.
fn schema() -> Vec<i64> {
    MIGRATIONS.iter().map(|migration| migration.version).collect()
}

impl Manifest {
    pub(super) fn new(
        id: String,
        at: Millis,
        deployment_id: String,
        root_key_check: &[u8],
        contents: Contents,
    ) -> Self {
        Self {
            format: FORMAT,
            id,
            created_at: at.0,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            schema: schema(),
            deployment_id,
            root_key_check: hex::encode(root_key_check),
            rows: contents.rows,
            objects: contents.objects,
            object_bytes: contents.object_bytes,
            lost: contents.lost,
            metadata: contents.metadata,
            list: contents.list,
        }
    }

    /// When its metadata were read.
    pub fn at(&self) -> Millis {
        Millis(self.created_at)
    }

    /// Whether this root key opens what is sealed in it.
    pub fn fits(&self, root_key: &RootKey) -> bool {
        hex::decode(&self.root_key_check).is_ok_and(|check| root_key.matches(&check))
    }

    /// Whether this release can restore it.
    ///
    /// # Errors
    /// A sentence that names the release that can.
    pub fn check_schema(&self) -> Result<(), BackupError> {
        if self.schema == schema() {
            return Ok(());
        }
        Err(BackupError::Refused(format!(
            "the snapshot was made by release {}, which has another schema than this one; restore \
             it with that release, then start this one on it",
            self.release
        )))
    }

    pub(super) async fn write(&self, vault: &dyn Vault) -> Result<(), BackupError> {
        let text = serde_json::to_vec(self).map_err(crate::error::Error::internal)?;
        let path = snapshot_path(&self.id, "manifest");
        let mut writer = LineWriter::create(vault, &path).await?;
        writer.line(&text).await?;
        writer.line(Digest::of_sha256(&text).as_str().as_bytes()).await?;
        writer.finish().await?;
        Ok(())
    }

    async fn read(vault: &dyn Vault, id: &str) -> Result<Self, BackupError> {
        let path = snapshot_path(id, "manifest");
        let mut reader = LineReader::open(vault, &path).await?;
        let text = reader.line().await?.unwrap_or_default();
        let sum = reader.line().await?.unwrap_or_default();
        if Digest::of_sha256(&text).as_str().as_bytes() != sum || reader.line().await?.is_some() {
            return Err(damaged(&path, "its checksum is not its own"));
        }
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| damaged(&path, error.to_string()))?;
        if manifest.format != FORMAT || manifest.id != id {
            return Err(damaged(&path, "it was made by another release, or is another's"));
        }
        Ok(manifest)
    }
}

/// What there is, oldest first.
///
/// # Errors
/// When the directory cannot be read; what is wrong with one snapshot is said in its place.
pub async fn snapshots(vault: &dyn Vault) -> Result<Vec<Snapshot>, BackupError> {
    let mut found = Vec::new();
    for id in vault.names("snapshots").await? {
        found.push(match vault.size(&snapshot_path(&id, "manifest")).await? {
            None => Snapshot::Unfinished(id),
            Some(_) => match Manifest::read(vault, &id).await {
                Ok(manifest) => Snapshot::Finished(manifest),
                Err(error) => Snapshot::Damaged(id, error.to_string()),
            },
        });
    }
    found.sort_by_key(|snapshot| match snapshot {
        Snapshot::Finished(manifest) => (manifest.created_at, manifest.id.clone()),
        Snapshot::Unfinished(id) | Snapshot::Damaged(id, _) => (0, id.clone()),
    });
    Ok(found)
}
