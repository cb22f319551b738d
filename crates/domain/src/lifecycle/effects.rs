//! What a policy would free: the bytes of blobs that nothing but images that go refers to.
//!
//! A blob leaves the repository with the last image that refers to it, and leaves the store if no
//! other repository has it. With an image goes what refers to it as its subject, so that counts too.
//! The images of an index that goes stay; how many these are is told beside.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::evaluate::Verdict;
use super::policy::LifecyclePolicy;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Value;
use crate::params;

/// Rows looked for in one statement.
const BATCH: usize = 500;

/// What a policy would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// By priority, the rules that would act.
    pub rules: Vec<RuleEffect>,
    /// Images of indexes that would go, which no other index has. They stay, and from then on rules
    /// see them like others.
    pub left_behind: u64,
}

/// What a rule would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleEffect {
    /// The number of the rule.
    pub rule_priority: u64,
    /// Images that it would expire.
    pub expiring: u64,
    /// Images that it would archive.
    pub transitioning: u64,
    /// What would go with these images because it refers to them.
    pub attached: u64,
    /// Bytes that the store would have less. What rules need together is freed by the last of them.
    pub freed_bytes: u64,
    /// Bytes that the repository would have less, and another repository still has.
    pub shared_bytes: u64,
}

impl Effects {
    /// The bytes that the store would have less.
    pub fn freed_bytes(&self) -> u64 {
        self.rules.iter().map(|rule| rule.freed_bytes).sum()
    }

    /// The bytes that would stay only because other repositories have them.
    pub fn shared_bytes(&self) -> u64 {
        self.rules.iter().map(|rule| rule.shared_bytes).sum()
    }
}

/// Sums up what was decided, as this snapshot shows it.
pub(super) async fn sum_up(
    tx: &mut Tx,
    repository_id: i64,
    policy: &LifecyclePolicy,
    verdicts: &[Verdict],
) -> Result<Effects> {
    let mut by_rule: BTreeMap<usize, RuleEffect> = BTreeMap::new();
    let mut gone: HashMap<i64, usize> = HashMap::new();
    for verdict in verdicts {
        let Some(rule) = policy.rules.get(verdict.rule) else { continue };
        let effect = by_rule.entry(verdict.rule).or_default();
        effect.rule_priority = rule.rule_priority;
        if rule.action.archives() {
            effect.transitioning += 1;
        } else {
            effect.expiring += 1;
            gone.insert(verdict.image, verdict.rule);
        }
    }
    add_referrers(tx, &mut gone, &mut by_rule).await?;
    let left_behind = left_behind(tx, &gone).await?;
    let mut blobs: Vec<(i64, Need)> = needs(tx, &gone).await?.into_iter().collect();
    blobs.sort_unstable_by_key(|(blob, _)| *blob);
    for batch in blobs.chunks(BATCH) {
        let ids = || Value::list(batch.iter().map(|(blob, _)| *blob));
        let all = tx
            .all(
                "SELECT blob_id, COUNT(*) FROM image_blobs \
                 WHERE repository_id = $1 AND blob_id IN_LIST($2) GROUP BY blob_id",
                params![repository_id, ids()],
            )
            .await?;
        let all = all.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
        let all = all.collect::<Result<HashMap<i64, u64>>>()?;
        let known = tx
            .all(
                "SELECT id, size, CASE WHEN EXISTS (SELECT 1 FROM repository_blobs \
                 WHERE repository_blobs.blob_id = blobs.id \
                 AND repository_blobs.repository_id <> $1) THEN 1 ELSE 0 END \
                 FROM blobs WHERE id IN_LIST($2)",
                params![repository_id, ids()],
            )
            .await?;
        let known = known.iter().map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
        let known = known.collect::<Result<HashMap<i64, (u64, bool)>>>()?;
        for (blob, need) in batch {
            let is_free = all.get(blob).is_none_or(|all| *all <= need.edges);
            let (Some((size, elsewhere)), true) = (known.get(blob), is_free) else { continue };
            let effect = by_rule.entry(need.rule).or_default();
            match elsewhere {
                true => effect.shared_bytes += size,
                false => effect.freed_bytes += size,
            }
        }
    }
    Ok(Effects { rules: by_rule.into_values().collect(), left_behind })
}

/// How images that go need a blob.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    /// By how many edges.
    edges: u64,
    /// The last rule that takes one of them.
    rule: usize,
}

fn sorted(gone: &HashMap<i64, usize>) -> Vec<i64> {
    let mut images: Vec<i64> = gone.keys().copied().collect();
    images.sort_unstable();
    images
}

/// Adds what refers to images that go, and what refers to that. Children of an index stay with it.
async fn add_referrers(
    tx: &mut Tx,
    gone: &mut HashMap<i64, usize>,
    by_rule: &mut BTreeMap<usize, RuleEffect>,
) -> Result<()> {
    let mut subjects = sorted(gone);
    while !subjects.is_empty() {
        let mut found = Vec::new();
        for batch in subjects.chunks(BATCH) {
            let rows = tx
                .all(
                    "SELECT referrers.id, subjects.id FROM images AS subjects \
                     JOIN images AS referrers ON referrers.repository_id = subjects.repository_id \
                     AND referrers.subject_digest = subjects.digest \
                     WHERE subjects.id IN_LIST($1) AND NOT EXISTS (SELECT 1 FROM image_children \
                     WHERE image_children.child_image_id = referrers.id)",
                    params![Value::list(batch)],
                )
                .await?;
            for row in &rows {
                let (referrer, subject): (i64, i64) = (row.get(0)?, row.get(1)?);
                let Some(rule) = gone.get(&subject).copied() else { continue };
                if gone.insert(referrer, rule).is_none() {
                    by_rule.entry(rule).or_default().attached += 1;
                    found.push(referrer);
                }
            }
        }
        subjects = found;
    }
    Ok(())
}

/// Images of indexes that go, which no index has then.
async fn left_behind(tx: &mut Tx, gone: &HashMap<i64, usize>) -> Result<u64> {
    let mut children = HashSet::new();
    for batch in sorted(gone).chunks(BATCH) {
        let rows = tx
            .all(
                "SELECT child_image_id FROM image_children \
                 WHERE image_id IN_LIST($1) AND child_image_id IS NOT NULL",
                params![Value::list(batch)],
            )
            .await?;
        for row in &rows {
            let child: i64 = row.get(0)?;
            if !gone.contains_key(&child) {
                children.insert(child);
            }
        }
    }
    let all: Vec<i64> = children.iter().copied().collect();
    for batch in all.chunks(BATCH) {
        let rows = tx
            .all(
                "SELECT child_image_id, image_id FROM image_children \
                 WHERE child_image_id IN_LIST($1)",
                params![Value::list(batch)],
            )
            .await?;
        for row in &rows {
            let (child, parent): (i64, i64) = (row.get(0)?, row.get(1)?);
            if !gone.contains_key(&parent) {
                children.remove(&child);
            }
        }
    }
    Ok(children.len() as u64)
}

async fn needs(tx: &mut Tx, gone: &HashMap<i64, usize>) -> Result<HashMap<i64, Need>> {
    let mut needs: HashMap<i64, Need> = HashMap::new();
    for batch in sorted(gone).chunks(BATCH) {
        let rows = tx
            .all(
                "SELECT image_id, blob_id FROM image_blobs \
                 WHERE image_id IN_LIST($1) AND blob_id IS NOT NULL",
                params![Value::list(batch)],
            )
            .await?;
        for row in &rows {
            let (image, blob): (i64, i64) = (row.get(0)?, row.get(1)?);
            let rule = gone.get(&image).copied().unwrap_or_default();
            let need = needs.entry(blob).or_default();
            need.edges += 1;
            need.rule = need.rule.max(rule);
        }
    }
    Ok(needs)
}
