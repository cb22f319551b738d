//! What a policy is evaluated from, read in pages.

use super::evaluate::{Evaluation, Image, Verdict};
use super::policy::{LifecyclePolicy, StorageClass};
use crate::clock::Millis;
use crate::error::Result;
use crate::execute::Tx;
use crate::images::ImageStatus;
use crate::metadata::Row;
use crate::params;

/// Rows of one page; an image has one for each of its tags, at least one.
const PAGE: i64 = 2_000;

/// What an evaluation came to, and what it relied on.
pub(super) struct Evaluated {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) ground: Ground,
}

/// The images and tags that an evaluation saw. Rules that count images rely on all of them: if one
/// that was counted has gone, another one has to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// How many images there were.
    pub(super) images: u64,
    /// The greatest of their rows.
    pub(super) last_image: i64,
    /// How many tags there were.
    pub(super) tags: u64,
    /// The greatest of their versions.
    pub(super) last_version: i64,
}

impl Ground {
    /// Whether none of these images has gone and none of these tags has gone or moved.
    pub(super) async fn still_holds(&self, tx: &mut Tx, repository_id: i64) -> Result<bool> {
        let images = tx
            .optional(
                "SELECT COUNT(*) FROM images WHERE repository_id = $1 AND id <= $2",
                params![repository_id, self.last_image],
            )
            .await?;
        let tags = tx
            .optional(
                "SELECT COUNT(*) FROM tags WHERE repository_id = $1 AND version <= $2",
                params![repository_id, self.last_version],
            )
            .await?;
        let (images, tags): (u64, u64) =
            (images.map_or(Ok(0), |row| row.get(0))?, tags.map_or(Ok(0), |row| row.get(0))?);
        Ok(images == self.images && tags == self.tags)
    }
}

/// Evaluates a policy over a repository, as this snapshot shows it.
pub(super) async fn evaluate(
    tx: &mut Tx,
    repository_id: i64,
    policy: &LifecyclePolicy,
    now: Millis,
) -> Result<Evaluated> {
    let mut evaluation = Evaluation::new(policy, now);
    let mut ground = Ground::default();
    let mut current: Option<Facts> = None;
    let (mut after_image, mut after_tag) = (0_i64, String::new());
    loop {
        let rows = page(tx, repository_id, after_image, &after_tag).await?;
        for row in &rows {
            let id: i64 = row.get(0)?;
            let tag: Option<String> = row.get(4)?;
            if current.as_ref().is_none_or(|facts| facts.id != id) {
                if let Some(facts) = current.take() {
                    facts.add_to(&mut evaluation);
                }
                ground.images += 1;
                ground.last_image = id;
                current = Some(Facts::from_row(row)?);
            }
            after_image = id;
            after_tag.clear();
            if let (Some(tag), Some(facts)) = (tag, current.as_mut()) {
                after_tag.push_str(&tag);
                facts.tags.push(tag);
                ground.tags += 1;
                ground.last_version = ground.last_version.max(row.get(5)?);
            }
        }
        if (rows.len() as i64) < PAGE {
            break;
        }
    }
    if let Some(facts) = current {
        facts.add_to(&mut evaluation);
    }
    Ok(Evaluated { verdicts: evaluation.finish(), ground })
}

/// The children of an index stand or fall with it, and so does what refers to a subject that is in
/// the repository. Those of an archived index may follow it into the archive.
async fn page(
    tx: &mut Tx,
    repository_id: i64,
    after_image: i64,
    after_tag: &str,
) -> Result<Vec<Row>> {
    let rows = tx
        .all(
            "SELECT images.id, images.pushed_at, images.last_pulled_at, \
             CASE WHEN EXISTS (SELECT 1 FROM image_children \
             JOIN images AS parents ON parents.id = image_children.image_id \
             WHERE image_children.child_image_id = images.id \
             AND (images.status <> 'ACTIVE' OR parents.status <> 'ARCHIVED')) THEN 1 \
             WHEN images.subject_digest IS NOT NULL AND EXISTS (SELECT 1 FROM images AS subjects \
             WHERE subjects.repository_id = images.repository_id \
             AND subjects.digest = images.subject_digest) THEN 1 ELSE 0 END, \
             tags.name, tags.version, images.status, images.last_archived_at, \
             images.last_activated_at FROM images LEFT JOIN tags ON tags.image_id = images.id \
             WHERE images.repository_id = $1 AND images.id >= $2 \
             AND (images.id > $2 OR tags.name > $3) \
             ORDER BY images.id, tags.name LIMIT $4",
            params![repository_id, after_image, after_tag, PAGE],
        )
        .await?;
    Ok(rows)
}

struct Facts {
    id: i64,
    pushed_at: Millis,
    last_pulled_at: Option<Millis>,
    last_archived_at: Option<Millis>,
    last_activated_at: Option<Millis>,
    /// Where it is stored; on its way out of the archive it is in neither class.
    storage_class: Option<StorageClass>,
    depends: bool,
    tags: Vec<String>,
}

impl Facts {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            pushed_at: row.get(1)?,
            last_pulled_at: row.get(2)?,
            last_archived_at: row.get(7)?,
            last_activated_at: row.get(8)?,
            storage_class: match ImageStatus::from_stored(&row.get::<String>(6)?)? {
                ImageStatus::Active => Some(StorageClass::Standard),
                ImageStatus::Archived => Some(StorageClass::Archive),
                ImageStatus::Activating => None,
            },
            depends: row.get(3)?,
            tags: Vec::new(),
        })
    }

    fn add_to(&self, evaluation: &mut Evaluation<'_>) {
        let Some(storage_class) = self.storage_class.filter(|_| !self.depends) else { return };
        evaluation.add(&Image {
            id: self.id,
            tags: &self.tags,
            storage_class,
            pushed_at: self.pushed_at,
            last_pulled_at: self.last_pulled_at,
            last_archived_at: self.last_archived_at,
            last_activated_at: self.last_activated_at,
        });
    }
}
