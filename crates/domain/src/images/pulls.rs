//! When images were last pulled, and how often they are pulled and repositories pushed to. A pull or
//! push is noted in memory and written with others within a second or at an orderly stop, so that it
//! costs no write; ECR promises a day.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::{Principal, PrincipalKind};
use crate::error::Result;
use crate::execute::Tx;
use crate::gallery::pulls::day_of;
use crate::metadata::Mode;
use crate::params;

/// How many images, and how many repositories, may be noted between two writes; past that, pulls and
/// pushes go unrecorded.
const NOTED_MAX: usize = 100_000;
/// Days that counts are kept.
pub const DAYS_KEPT: i64 = 30;
/// Old counts that one write removes.
const REMOVED_AT_ONCE: i64 = 500;

/// Pulls and pushes that are not written yet.
#[derive(Debug, Default)]
pub struct Pulls(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// By image and principal.
    pulls: HashMap<(i64, i64), Pull>,
    /// By repository and day.
    pushes: HashMap<(i64, i64), u64>,
}

#[derive(Debug)]
struct Pull {
    principal_arn: String,
    at: Millis,
    count: u64,
}

/// What was counted of a repository on a day.
#[derive(Debug, Default)]
struct Counted {
    pulls: u64,
    pushes: u64,
}

impl Pulls {
    pub(crate) fn note(&self, image_id: i64, principal: &Principal, now: Millis) {
        if principal.kind == PrincipalKind::Service {
            // Nobody uses an image because it is scanned.
            return;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (image_id, principal.id);
        if let Some(pull) = noted.pulls.get_mut(&key) {
            pull.at = now;
            pull.count += 1;
        } else if noted.pulls.len() < NOTED_MAX {
            let pull = Pull { principal_arn: principal.arn.clone(), at: now, count: 1 };
            noted.pulls.insert(key, pull);
        }
    }

    /// Notes that tags of a repository were pushed.
    pub(crate) fn note_push(&self, repository_id: i64, tags: u64, now: Millis) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (repository_id, day_of(now));
        if noted.pushes.len() < NOTED_MAX || noted.pushes.contains_key(&key) {
            *noted.pushes.entry(key).or_default() += tags;
        }
    }

    fn take(&self) -> Noted {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes what was noted so far.
///
/// # Errors
/// When the database fails; what was noted is then lost.
pub async fn flush(app: &App) -> Result<()> {
    let noted = app.pulls.take();
    if noted.pulls.is_empty() && noted.pushes.is_empty() {
        return Ok(());
    }
    let mut repositories: BTreeMap<(i64, i64), Counted> = BTreeMap::new();
    for (key, pushes) in noted.pushes {
        repositories.entry(key).or_default().pushes += pushes;
    }
    // Every process writes rows in the same order, so that none waits for another in a ring.
    let pulls: BTreeMap<(i64, i64), Pull> = noted.pulls.into_iter().collect();
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    for ((image_id, _), pull) in &pulls {
        if let Some((repository_id, is_whole)) = counts(&mut tx, *image_id, pull).await? {
            write_pull(&mut tx, (*image_id, repository_id), pull).await?;
            if is_whole {
                repositories.entry((repository_id, day_of(pull.at))).or_default().pulls +=
                    pull.count;
            }
        }
    }
    for ((repository_id, day), counted) in repositories {
        tx.execute(
            "INSERT INTO repository_activity (repository_id, day, pulls, pushes) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (repository_id, day) DO UPDATE SET \
             pulls = repository_activity.pulls + excluded.pulls, \
             pushes = repository_activity.pushes + excluded.pushes",
            params![repository_id, day, counted.pulls, counted.pushes],
        )
        .await?;
    }
    let oldest = day_of(app.clock.now()) - DAYS_KEPT;
    tx.execute(
        "DELETE FROM image_pulls WHERE (image_id, day) IN (SELECT image_id, day \
         FROM image_pulls WHERE day < $1 ORDER BY day, image_id LIMIT $2)",
        params![oldest, REMOVED_AT_ONCE],
    )
    .await?;
    tx.execute(
        "DELETE FROM repository_activity WHERE (repository_id, day) IN \
         (SELECT repository_id, day FROM repository_activity WHERE day < $1 \
         ORDER BY day, repository_id LIMIT $2)",
        params![oldest, REMOVED_AT_ONCE],
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The repository of an image, and whether the image stands for itself: pulls of a part of an index,
/// or of what refers to another image, are no pulls of the repository beside that. Nothing where the
/// registry does not count who pulled.
async fn counts(tx: &mut Tx, image_id: i64, pull: &Pull) -> Result<Option<(i64, bool)>> {
    let row = tx
        .optional(
            "SELECT repository_id, CASE WHEN subject_digest IS NULL AND NOT EXISTS \
             (SELECT 1 FROM image_children WHERE image_children.child_image_id = images.id) \
             THEN 1 ELSE 0 END FROM images WHERE id = $1 \
             AND NOT EXISTS (SELECT 1 FROM pull_time_exclusions \
             JOIN repositories ON repositories.registry_id = pull_time_exclusions.registry_id \
             WHERE repositories.id = images.repository_id \
             AND pull_time_exclusions.principal_arn = $2)",
            params![image_id, &pull.principal_arn],
        )
        .await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

async fn write_pull(tx: &mut Tx, (image_id, repository_id): (i64, i64), pull: &Pull) -> Result<()> {
    tx.execute(
        "UPDATE images SET last_pulled_at = $2 \
         WHERE id = $1 AND (last_pulled_at IS NULL OR last_pulled_at < $2)",
        params![image_id, pull.at],
    )
    .await?;
    tx.execute(
        "INSERT INTO image_pulls (image_id, day, repository_id, pulls) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (image_id, day) DO UPDATE SET pulls = image_pulls.pulls + excluded.pulls",
        params![image_id, day_of(pull.at), repository_id, pull.count],
    )
    .await?;
    Ok(())
}
