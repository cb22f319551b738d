//! Every repository with a policy has a turn a day, at a time of its own, so that they do not all
//! come together.

use serde::{Deserialize, Serialize};

use super::expire::ExpireImagesOfRepository;
use super::preview;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::jobs::{self, Job, Next, Run};
use crate::names::AccountId;
use crate::params;

const DAY_MILLIS: i64 = 24 * 3600 * 1000;
/// Repositories of one transaction.
const BATCH: i64 = 200;

/// The next turn of a repository after `now`.
pub(super) fn after(repository_id: i64, now: Millis) -> Millis {
    // Rows made together have ids that differ in their low bits.
    let spread = repository_id.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    let offset = (spread >> 16).rem_euclid(DAY_MILLIS);
    let day = now.0.div_euclid(DAY_MILLIS) * DAY_MILLIS;
    let today = day.saturating_add(offset);
    Millis(if today > now.0 { today } else { today.saturating_add(DAY_MILLIS) })
}

/// Enqueues the repositories whose turn has come, and lets old previews go.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct GiveTurns {}

impl Job for GiveTurns {
    const KIND: &'static str = "lifecycle-turns";

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let now = run.app.clock.now();
        let mut tx = run.write().await?;
        let rows = tx
            .all(
                "SELECT lifecycle_policies.repository_id, registries.account_id \
                 FROM lifecycle_policies \
                 JOIN repositories ON repositories.id = lifecycle_policies.repository_id \
                 JOIN registries ON registries.id = repositories.registry_id \
                 WHERE lifecycle_policies.next_run_at <= $1 \
                 ORDER BY lifecycle_policies.next_run_at LIMIT $2",
                params![now, BATCH],
            )
            .await?;
        for row in &rows {
            let repository_id: i64 = row.get(0)?;
            let account = AccountId::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            tx.execute(
                "UPDATE lifecycle_policies SET next_run_at = $2 WHERE repository_id = $1",
                params![repository_id, after(repository_id, now)],
            )
            .await?;
            let job = ExpireImagesOfRepository::new(account, repository_id);
            jobs::enqueue(&mut tx, run.app, &job, now).await?;
        }
        let expired = preview::expire_old(&mut tx, now).await?;
        run.commit(tx).await?;
        Ok(if rows.is_empty() && !expired { Next::Done } else { Next::Continue(self) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_once_a_day_and_not_together() {
        let now = Millis(1_790_000_000_000);
        let mut hours = [0; 24];
        for number in 0..2400 {
            let id = 7_000_000_000_000_000 + number;
            let first = after(id, now);
            assert!(first > now && first.0 <= now.0 + DAY_MILLIS, "{first:?}");
            assert_eq!(after(id, first), Millis(first.0 + DAY_MILLIS));
            hours[usize::try_from((first.0 - now.0) * 24 / (DAY_MILLIS + 1)).unwrap()] += 1;
        }
        assert!(hours.iter().all(|&count| (50..200).contains(&count)), "{hours:?}");
    }
}
