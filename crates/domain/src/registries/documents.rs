//! Settings of a registry that are read and replaced as a whole.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::params;

/// A setting that is stored as one document. Its default is what a registry has that never set it.
pub(crate) trait Document: Default + Serialize + DeserializeOwned {
    /// Under which name it is stored.
    const NAME: &'static str;
    /// The version of its stored form.
    const VERSION: i64 = 1;

    /// What the registry has; the default where it has no row yet.
    async fn load(tx: &mut Tx, registry_id: Option<i64>) -> Result<Self> {
        Ok(Self::find(tx, registry_id).await?.unwrap_or_default())
    }

    /// What the registry has; nothing where it never was set, or was removed.
    async fn find(tx: &mut Tx, registry_id: Option<i64>) -> Result<Option<Self>> {
        let Some(registry_id) = registry_id else { return Ok(None) };
        let row = tx
            .optional(
                "SELECT version, document FROM registry_documents \
                 WHERE registry_id = $1 AND name = $2",
                params![registry_id, Self::NAME],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let version: i64 = row.get(0)?;
        if version != Self::VERSION {
            return Err(Error::internal(format!("stored {} of version {version}", Self::NAME)));
        }
        serde_json::from_str(&row.get::<String>(1)?).map(Some).map_err(Error::internal)
    }

    /// Removes it.
    async fn remove(tx: &mut Tx, registry_id: Option<i64>) -> Result<()> {
        tx.execute(
            "DELETE FROM registry_documents WHERE registry_id = $1 AND name = $2",
            params![registry_id, Self::NAME],
        )
        .await?;
        Ok(())
    }

    /// Replaces it.
    async fn store(&self, tx: &mut Tx, registry_id: i64) -> Result<()> {
        let document = serde_json::to_string(self).map_err(Error::internal)?;
        tx.execute(
            "INSERT INTO registry_documents (registry_id, name, version, document) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (registry_id, name) \
             DO UPDATE SET version = excluded.version, document = excluded.document",
            params![registry_id, Self::NAME, Self::VERSION, document],
        )
        .await?;
        Ok(())
    }
}
