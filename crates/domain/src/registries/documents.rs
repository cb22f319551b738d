//! Settings of a registry that are read and replaced as a whole.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Value;
use crate::params;
use crate::some::{self, some_ids};

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
        row.map(|row| Self::read(row.get(0)?, &row.get::<String>(1)?)).transpose()
    }

    /// What several registries have; those without a row are left out.
    async fn of_all(tx: &mut Tx, registries: &[i64]) -> Result<HashMap<i64, Self>> {
        let mut documents = HashMap::new();
        for mut params in some::chunks(registries) {
            params.push(Value::from(Self::NAME));
            let rows = tx
                .all(
                    some_ids!(
                        "SELECT registry_id, version, document FROM registry_documents \
                         WHERE registry_id IN " " AND name = $26"
                    ),
                    &params,
                )
                .await?;
            for row in rows {
                let document = Self::read(row.get(1)?, &row.get::<String>(2)?)?;
                documents.insert(row.get(0)?, document);
            }
        }
        Ok(documents)
    }

    /// Reads its stored form.
    fn read(version: i64, text: &str) -> Result<Self> {
        if version != Self::VERSION {
            return Err(Error::internal(format!("stored {} of version {version}", Self::NAME)));
        }
        serde_json::from_str(text).map_err(Error::internal)
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
