//! The file that says that a restore is under way, or broke off: written before anything else of
//! it, removed after everything else.

use std::fs;
use std::io;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Layout, remove, sync_directory, write_durably};

/// A restore that has not ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The snapshot that is restored.
    pub(crate) snapshot: String,
    /// What the new deployment is called.
    pub(crate) deployment_id: String,
}

impl Pending {
    /// What broke off in a data directory, if anything did.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(layout: &Layout) -> Result<Option<Self>> {
        let path = layout.pending_restore();
        let cannot = || format!("{} cannot be read", path.display());
        match fs::read(&path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(cannot)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(cannot),
        }
    }

    /// Begins a restore.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(layout: &Layout, snapshot: &str) -> Result<Self> {
        let deployment_id = uuid::Uuid::new_v4().to_string();
        let pending = Self { snapshot: snapshot.to_owned(), deployment_id };
        let path = layout.pending_restore();
        write_durably(&path, &serde_json::to_vec(&pending)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(pending)
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(crate) fn remove(layout: &Layout) -> Result<()> {
        let path = layout.pending_restore();
        remove(&path)
            .and_then(|()| sync_directory(layout.directory()))
            .with_context(|| format!("{} cannot be removed", path.display()))
    }

    /// Refuses a directory in which a restore has not ended.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub(crate) fn refuse(layout: &Layout) -> Result<()> {
        if layout.pending_restore().exists() {
            bail!(
                "a restore into {} has not ended, so there is only half a registry in it; repeat \
                 it with `tonnage restore`",
                layout.directory().display()
            );
        }
        Ok(())
    }
}
