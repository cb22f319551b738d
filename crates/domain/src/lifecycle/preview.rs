//! Previews: a job that evaluates a policy and writes down what it would do, and does nothing.

use serde::{Deserialize, Serialize};

use super::effects;
use super::facts::evaluate;
use super::policy::Rule;
use super::validate;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::jobs::{Job, Limits, Named, Next, Run};
use crate::names::AccountId;
use crate::params;
use crate::repositories::address_of;

/// How long the results of a preview can be read, in seconds.
pub(super) const RESULT_SECONDS: i64 = 24 * 3600;
/// Results written or removed in one transaction.
const BATCH: usize = 200;

/// Makes a preview.
#[derive(Debug, Serialize, Deserialize)]
pub struct MakePreview {
    account: String,
    repository_id: i64,
    preview_id: i64,
}

impl MakePreview {
    pub(super) fn new(account: AccountId, repository_id: i64, preview_id: i64) -> Self {
        Self { account: account.to_string(), repository_id, preview_id }
    }
}

impl Job for MakePreview {
    const KIND: &'static str = "preview-lifecycle-policy";
    const KEY_NAMES: &'static [Named] = &[Named::Repository];
    // Somebody waits for it.
    const LIMITS: Limits =
        Limits { concurrency: 2, attempts: 4, pause_seconds: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.repository_id.to_string()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let text = text_of(&mut tx, self.repository_id, self.preview_id).await?;
        let (Some(text), Some(_)) = (text, address_of(&mut tx, self.repository_id).await?) else {
            return Ok(Next::Done);
        };
        let policy = validate::parse(&text).map_err(Error::internal)?;
        let evaluated = evaluate(&mut tx, self.repository_id, &policy, run.app.clock.now()).await?;
        let effects =
            effects::sum_up(&mut tx, self.repository_id, &policy, &evaluated.verdicts).await?;
        let effects = serde_json::to_string(&effects).map_err(Error::internal)?;
        drop(tx);
        // What an earlier run wrote, which saw other images.
        loop {
            let mut tx = run.write().await?;
            let removed = remove_results(&mut tx, self.preview_id).await?;
            run.commit(tx).await?;
            if removed == 0 {
                break;
            }
        }
        let total = evaluated.verdicts.len() as u64;
        let (mut position, mut transitioning) = (0_u64, 0_u64);
        for batch in evaluated.verdicts.chunks(BATCH) {
            let mut tx = run.write().await?;
            for verdict in batch {
                let Some(rule) = policy.rules.get(verdict.rule) else { continue };
                if put_result(&mut tx, &self, position, verdict.image, rule).await? {
                    position += 1;
                    transitioning += u64::from(rule.action.archives());
                }
            }
            run.commit(tx).await?;
            run.progress(position, Some(total));
        }
        let mut tx = run.write().await?;
        tx.execute(
            "UPDATE lifecycle_previews SET state = 'COMPLETE', expiring = $3, transitioning = $5, \
             completed_at = $4, effects = $6 WHERE repository_id = $1 AND preview_id = $2",
            params![
                self.repository_id,
                self.preview_id,
                position - transitioning,
                run.app.clock.now(),
                transitioning,
                effects,
            ],
        )
        .await?;
        run.commit(tx).await?;
        Ok(Next::Done)
    }
}

async fn text_of(tx: &mut Tx, repository_id: i64, preview_id: i64) -> Result<Option<String>> {
    let row = tx
        .optional(
            "SELECT policy_text FROM lifecycle_previews \
             WHERE repository_id = $1 AND preview_id = $2 AND state = 'IN_PROGRESS'",
            params![repository_id, preview_id],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Writes down an image; an image that has gone meanwhile has no place.
async fn put_result(
    tx: &mut Tx,
    preview: &MakePreview,
    position: u64,
    image: i64,
    rule: &Rule,
) -> Result<bool> {
    let tags = tx
        .all("SELECT name FROM tags WHERE image_id = $1 ORDER BY name LIMIT 1000", params![image])
        .await?;
    let tags = tags.iter().map(|row| Ok(row.get(0)?)).collect::<Result<Vec<String>>>()?;
    let put = tx
        .execute(
            "INSERT INTO lifecycle_preview_images (preview_id, position, digest, tags, pushed_at, \
             rule_priority, storage_class, transitions) SELECT CAST($1 AS BIGINT), \
             CAST($2 AS BIGINT), digest, CAST($3 AS TEXT), pushed_at, CAST($4 AS BIGINT), \
             CAST($7 AS TEXT), CAST($8 AS BIGINT) FROM images \
             WHERE id = $5 AND repository_id = $6 AND EXISTS (SELECT 1 FROM lifecycle_previews \
             WHERE preview_id = $1)",
            params![
                preview.preview_id,
                position,
                serde_json::to_string(&tags).map_err(Error::internal)?,
                rule.rule_priority,
                image,
                preview.repository_id,
                rule.selection.storage_class().as_str(),
                rule.action.archives(),
            ],
        )
        .await?;
    Ok(put == 1)
}

/// Removes some results of a preview; how many.
async fn remove_results(tx: &mut Tx, preview_id: i64) -> Result<u64> {
    let removed = tx
        .execute(
            "DELETE FROM lifecycle_preview_images WHERE preview_id = $1 AND position IN \
             (SELECT position FROM lifecycle_preview_images WHERE preview_id = $1 LIMIT $2)",
            params![preview_id, BATCH],
        )
        .await?;
    Ok(removed)
}

/// Lets previews go whose time is over, and removes some results of those; whether there may be
/// more.
pub(super) async fn expire_old(tx: &mut Tx, now: Millis) -> Result<bool> {
    let over = tx
        .all(
            "SELECT preview_id FROM lifecycle_previews \
             WHERE state = 'COMPLETE' AND completed_at <= $1 ORDER BY completed_at LIMIT $2",
            params![now.plus_seconds(-RESULT_SECONDS), BATCH],
        )
        .await?;
    for row in &over {
        let preview_id: i64 = row.get(0)?;
        for statement in [
            "UPDATE lifecycle_previews SET state = 'EXPIRED' WHERE preview_id = $1",
            "INSERT INTO lifecycle_old_previews (preview_id) VALUES ($1) \
             ON CONFLICT (preview_id) DO NOTHING",
        ] {
            tx.execute(statement, params![preview_id]).await?;
        }
    }
    let old = tx.optional("SELECT preview_id FROM lifecycle_old_previews LIMIT 1", &[]).await?;
    let Some(row) = old else { return Ok(false) };
    let preview_id: i64 = row.get(0)?;
    if remove_results(tx, preview_id).await? == 0 {
        tx.execute("DELETE FROM lifecycle_old_previews WHERE preview_id = $1", params![preview_id])
            .await?;
    }
    Ok(true)
}
