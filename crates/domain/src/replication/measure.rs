//! How much waits to be copied, for whoever watches the registry.

use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::params;

/// As far as is counted.
pub(super) const COUNTED_MAX: i64 = 100_000;

/// Counts the changes of the whole deployment that wait, and says so in the metrics.
///
/// # Errors
/// When metadata cannot be read.
pub async fn measure(app: &App) -> Result<()> {
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Read, &Permit::maintenance()).await?;
    let counted = tx
        .optional(
            "SELECT COUNT(*) FROM (SELECT id FROM replication_queue LIMIT $1) AS waiting",
            params![COUNTED_MAX],
        )
        .await?;
    let oldest = tx
        .optional("SELECT queued_at FROM replication_queue ORDER BY id LIMIT 1", params![])
        .await?;
    let waiting = counted.map_or(Ok(0), |row| row.get(0))?;
    let now = app.clock.now();
    let oldest_seconds = match oldest {
        Some(row) => now.0.saturating_sub(row.get::<Millis>(0)?.0) / 1000,
        None => 0,
    };
    app.metrics.set_replication(waiting, u64::try_from(oldest_seconds).unwrap_or(0));
    Ok(())
}
