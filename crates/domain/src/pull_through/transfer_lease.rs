//! The right to fetch a blob, so that of several processes on one database only one does at a time.
//!
//! It belongs to a repository and a digest, not to an upstream and a digest: that one repository of
//! an upstream has a blob gives nobody a right to it who may read another one.

use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::names::Digest;
use crate::params;

/// How long a lease holds without a sign of life, in seconds.
pub(super) const SECONDS: i64 = 60;
/// How long the row of a process that is gone stays, in seconds.
const FORGOTTEN_SECONDS: i64 = 3600;

/// The right to fetch a blob until somebody takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransferLease {
    repository_id: i64,
    digest: Digest,
    /// Ids are never used twice.
    fence: i64,
}

impl TransferLease {
    /// Takes the lease, if nobody has it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn take(
        call: &Call<'_>,
        repository_id: i64,
        digest: &Digest,
    ) -> Result<Option<Self>> {
        let now = call.app.clock.now();
        let fence = call.next_id();
        let mut tx = call.write().await?;
        tx.execute(
            "DELETE FROM upstream_transfers WHERE expires_at < $1",
            params![now.plus_seconds(-FORGOTTEN_SECONDS)],
        )
        .await?;
        let taken = tx
            .execute(
                "INSERT INTO upstream_transfers (repository_id, digest, fence, expires_at) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT (repository_id, digest) DO UPDATE SET \
                 fence = excluded.fence, expires_at = excluded.expires_at \
                 WHERE upstream_transfers.expires_at <= $5",
                params![repository_id, digest.as_str(), fence, now.plus_seconds(SECONDS), now],
            )
            .await?;
        let lease = Self { repository_id, digest: digest.clone(), fence };
        if let Err(error) = tx.commit().await {
            // It may be there all the same, and nobody would fetch the blob until it expires.
            lease.give_up(call).await;
            return Err(error.into());
        }
        Ok((taken == 1).then_some(lease))
    }

    /// Lets the lease begin anew; whether it still held.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn renew(&self, call: &Call<'_>) -> Result<bool> {
        let mut tx = call.write().await?;
        let renewed = tx
            .execute(
                "UPDATE upstream_transfers SET expires_at = $4 \
                 WHERE repository_id = $1 AND digest = $2 AND fence = $3",
                params![
                    self.repository_id,
                    self.digest.as_str(),
                    self.fence,
                    call.app.clock.now().plus_seconds(SECONDS),
                ],
            )
            .await?;
        tx.commit().await?;
        Ok(renewed == 1)
    }

    /// Gives the lease back in the transaction that publishes the blob.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when somebody else has taken it over.
    pub(crate) async fn end(&self, tx: &mut Tx) -> Result<()> {
        if self.remove(tx).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "Somebody else fetches this layer; try again."))
    }

    /// Gives the lease back after a failure. That this fails is no new failure: it expires.
    pub(super) async fn give_up(&self, call: &Call<'_>) {
        let given_back = async {
            let mut tx = call.write().await?;
            self.remove(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, Error>(())
        };
        if let Err(error) = given_back.await {
            tracing::warn!(
                error = crate::error::chain(&error),
                "the lease of a layer is not given back; it expires"
            );
        }
    }

    async fn remove(&self, tx: &mut Tx) -> Result<bool> {
        let removed = tx
            .execute(
                "DELETE FROM upstream_transfers \
                 WHERE repository_id = $1 AND digest = $2 AND fence = $3",
                params![self.repository_id, self.digest.as_str(), self.fence],
            )
            .await?;
        Ok(removed == 1)
    }
}

/// Lets the leases of the process before end: an object store belongs to one process, so whoever
/// has one when this process begins is gone.
pub(crate) async fn end_all(tx: &mut Tx, now: Millis) -> Result<()> {
    tx.execute("UPDATE upstream_transfers SET expires_at = $1 WHERE expires_at > $1", params![now])
        .await?;
    Ok(())
}
