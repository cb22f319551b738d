//! Whether the stores answer.

use crate::app::App;
use crate::authorize::Permit;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Mode;

/// Reads metadata and commits a write that changes nothing. Idempotent.
///
/// # Errors
/// When the database cannot be read or written, a full disk included.
pub async fn probe(app: &App) -> Result<()> {
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Read, &Permit::maintenance()).await?;
    tx.optional("SELECT deployment_id FROM deployment WHERE id = 1", &[]).await?;
    drop(tx);
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    tx.execute("UPDATE deployment SET deployment_id = deployment_id WHERE id = 1", &[]).await?;
    tx.commit().await?;
    Ok(())
}
