//! Reading a backup again.

use super::lines::{LineReader, check_file};
use super::manifest::{Manifest, Snapshot, snapshots};
use super::union::Union;
use super::vault::Vault;
use super::{BackupError, Progress, damaged, object_path, rows, snapshot_path};

/// Most damages that are told; the others are counted.
pub const DAMAGES_MAX: usize = 1000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Finished snapshots.
    pub snapshots: u64,
    /// Backups that broke off; they count for nothing.
    pub unfinished: u64,
    /// Objects read.
    pub objects: u64,
    /// What is damaged, one sentence each, at most [`DAMAGES_MAX`].
    pub damages: Vec<String>,
    /// Further damages.
    pub damages_omitted: u64,
}

impl Verified {
    fn add(&mut self, sentence: String) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(sentence);
        } else {
            self.damages_omitted += 1;
        }
    }
}

/// Reads every file of every finished snapshot, each object once, and compares it with what was
/// written.
///
/// # Errors
/// When the directory cannot be read at all; what is wrong with a file is a damage.
pub async fn verify(vault: &dyn Vault, progress: &Progress) -> Result<Verified, BackupError> {
    let mut verified = Verified::default();
    let mut listed = Vec::new();
    for snapshot in snapshots(vault).await? {
        match snapshot {
            Snapshot::Unfinished(_) => verified.unfinished += 1,
            Snapshot::Damaged(_, why) => verified.add(why),
            Snapshot::Finished(manifest) => {
                verified.snapshots += 1;
                if let Err(error) = rows_are_whole(vault, &manifest).await {
                    verified.add(error.to_string());
                }
                let path = snapshot_path(&manifest.id, "objects");
                match check_file(vault, &path, &manifest.list).await {
                    Ok(()) => listed.push(manifest),
                    Err(error) => verified.add(error.to_string()),
                }
            }
        }
    }
    let mut union = Union::open(vault, &listed).await?;
    while let Some(object) = union.take().await? {
        if let Err(error) = check_file(vault, &object_path(&object.id), &object.sum).await {
            verified.add(error.to_string());
        }
        verified.objects += 1;
        Progress::add(&progress.objects_done, 1);
        Progress::add(&progress.bytes, object.sum.size);
    }
    Ok(verified)
}

async fn rows_are_whole(vault: &dyn Vault, manifest: &Manifest) -> Result<(), BackupError> {
    let path = snapshot_path(&manifest.id, "metadata");
    let mut reader = LineReader::open(vault, &path).await?;
    let mut found = 0;
    while let Some(line) = reader.line().await? {
        match rows::decode(&line) {
            Some(rows::Line::Heading(_)) => {}
            Some(rows::Line::Row(_)) => found += 1,
            None => return Err(damaged(&path, "a line cannot be read")),
        }
    }
    reader.check(&manifest.metadata)?;
    if found != manifest.rows {
        return Err(damaged(&path, "it has another number of rows than its manifest says"));
    }
    Ok(())
}
