//! Removing snapshots, and objects that no snapshot names any more.

use super::lines::check_file;
use super::manifest::{Manifest, Snapshot, snapshots};
use super::union::Union;
use super::vault::Vault;
use super::{BackupError, snapshot_path};
use crate::objects::ObjectId;

/// Removes all but the `keep` latest snapshots (at least `newest`) and whatever backups that broke
/// off have left. A snapshot loses its manifest first and its files last, so that whatever breaks
/// off here is found and finished by the next backup.
pub(super) async fn prune(
    vault: &dyn Vault,
    keep: Option<usize>,
    newest: &Manifest,
) -> Result<u64, BackupError> {
    let mut finished = Vec::new();
    let mut unfinished = Vec::new();
    for snapshot in snapshots(vault).await? {
        match snapshot {
            Snapshot::Finished(manifest) => finished.push(manifest),
            Snapshot::Unfinished(id) => unfinished.push(id),
            Snapshot::Damaged(id, why) => {
                return Err(BackupError::Refused(format!(
                    "nothing was removed, since nobody knows what the snapshot {id} needs ({why}); \
                     remove the directory snapshots/{id} if it is worth nothing"
                )));
            }
        }
    }
    let surplus = keep.map_or(0, |keep| finished.len().saturating_sub(keep.max(1)));
    if surplus == 0 && unfinished.is_empty() {
        return Ok(0);
    }
    if newest.lost > 0 && surplus > 0 {
        return Err(BackupError::Refused(format!(
            "older snapshots stay: {} objects are lost in the registry, and they may have them",
            newest.lost
        )));
    }
    let (old, kept): (Vec<Manifest>, Vec<Manifest>) = {
        // By time, but never the one that was just made: a clock may have been set back.
        let mut others: Vec<Manifest> =
            finished.into_iter().filter(|manifest| manifest.id != newest.id).collect();
        let kept = others.split_off(surplus.min(others.len()));
        (others, kept.into_iter().chain([newest.clone()]).collect())
    };
    // Objects are removed by what these lists do not say, so they must be whole.
    for snapshot in &kept {
        check_file(vault, &snapshot_path(&snapshot.id, "objects"), &snapshot.list).await?;
    }
    for snapshot in &old {
        vault.remove(&snapshot_path(&snapshot.id, "manifest")).await?;
        unfinished.push(snapshot.id.clone());
    }
    remove_unnamed(vault, &kept).await?;
    for id in unfinished {
        for name in vault.names(&format!("snapshots/{id}")).await? {
            vault.remove(&snapshot_path(&id, &name)).await?;
        }
        vault.remove(&format!("snapshots/{id}")).await?;
    }
    Ok(old.len() as u64)
}

async fn remove_unnamed(vault: &dyn Vault, kept: &[Manifest]) -> Result<(), BackupError> {
    let mut union = Union::open(vault, kept).await?;
    for shard in vault.names("objects").await? {
        for name in vault.names(&format!("objects/{shard}")).await? {
            // What has another form is a copy that broke off.
            let named = match ObjectId::parse(&name) {
                Some(id) => union.names(&id).await?,
                None => false,
            };
            if !named {
                vault.remove(&format!("objects/{shard}/{name}")).await?;
            }
        }
    }
    Ok(())
}
