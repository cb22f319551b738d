//! `DescribeActivity`: how often things are pulled and pushed, and how old they are. What is counted
//! is counted up to a bound, so that a registry of a million images answers too.

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx, registry_action};
use crate::gallery::pulls::{DAYS_SHOWN, day_of};
use crate::images::{ImageIdentifier, ImageRecord};
use crate::images::{find_by_digest, not_found, tags};
use crate::metadata::Row;
use crate::names::{Digest, RepositoryName, Tag};
use crate::params;
use crate::registries;
use crate::repositories::{self, RepositoryAddress};

/// Images that are counted of an age, at most.
pub const COUNTED_MAX: i64 = 100_000;
/// Repositories or images that are told of.
const TOP: i64 = 10;
/// The ages that images are counted by: so many days at most. The last has the rest.
pub const AGES: [i64; 6] = [1, 7, 30, 90, 365, i64::MAX];
const DAY_SECONDS: i64 = 24 * 3600;

/// Of what.
#[derive(Clone, Debug)]
pub enum Of {
    /// The registry of the context. It takes what listing all its repositories and images takes.
    Registry,
    /// A repository.
    Repository(RepositoryAddress),
    /// An image.
    Image(RepositoryAddress, Digest),
}

/// Reads pulls and pushes of the last days, and ages.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`], [`crate::error::ErrorKind::ImageNotFound`].
#[derive(Clone, Debug)]
pub struct DescribeActivity {
    /// Of what.
    pub of: Of,
}

/// What was pulled and pushed, and how old it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The last days that have pulls or pushes, oldest first.
    pub days: Vec<Day>,
    /// Images by age, one for each of [`AGES`], each counted up to [`COUNTED_MAX`].
    pub ages: Vec<u64>,
    /// Images that nobody has pulled, counted as far.
    pub never_pulled: u64,
    /// Repositories that were pulled most on these days.
    pub repositories: Vec<(RepositoryName, u64)>,
    /// Images that were pulled most on these days; of a repository only.
    pub pulled_most: Vec<ImageActivity>,
    /// The oldest of those that nobody has pulled; of a repository only. Parts of indexes, and what
    /// refers to other images, are left out.
    pub unused: Vec<ImageActivity>,
}

/// A day with pulls or pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day, counted from 1970 in UTC.
    pub day: i64,
    /// Pulls. Of a repository or registry, those of parts of an index are left out: the pull of the
    /// index is counted.
    pub pulls: u64,
    /// Tags that were pushed.
    pub pushes: u64,
}

/// An image, and how often it was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageActivity {
    /// Its digest.
    pub digest: Digest,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was pushed.
    pub pushed_at: Millis,
    /// How often it was pulled on the days shown.
    pub pulls: u64,
}

impl Operation for DescribeActivity {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeActivity" };
    type Output = Activity;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        match &self.of {
            Of::Registry => {
                let all = || Resource::Repositories {
                    account: context.account,
                    region: context.region.clone(),
                };
                vec![
                    Demand::new("ecr:DescribeRepositories", all()),
                    Demand::new("ecr:DescribeImages", all()),
                ]
            }
            Of::Repository(repository) | Of::Image(repository, _) => {
                vec![repository.demand(registry_action!("DescribeImages"))]
            }
        }
    }

    async fn run(self, call: Call<'_>) -> Result<Activity> {
        let mut tx = call.read().await?;
        match self.of {
            Of::Registry => of_registry(&mut tx, &call).await,
            Of::Repository(address) => {
                let repository = repositories::get(&mut tx, &address).await?;
                of_repository(&mut tx, repository.id, call.now()).await
            }
            Of::Image(address, digest) => {
                let repository = repositories::get(&mut tx, &address).await?;
                let Some(image) = find_by_digest(&mut tx, &repository, &digest).await? else {
                    let id = ImageIdentifier { digest: Some(digest), tag: None };
                    return Err(not_found(&address, &id));
                };
                of_image(&mut tx, &image, call.now()).await
            }
        }
    }
}

fn first_day(now: Millis) -> i64 {
    day_of(now) - DAYS_SHOWN + 1
}

fn day_from(row: &Row) -> Result<Day> {
    Ok(Day { day: row.get(0)?, pulls: row.get(1)?, pushes: row.get(2)? })
}

/// The times between which images of each age were pushed, youngest first.
fn spans(now: Millis) -> impl Iterator<Item = (Millis, Millis)> {
    let limit = move |days: i64| match days {
        i64::MAX => Millis(i64::MIN),
        days => now.plus_seconds(-days * DAY_SECONDS),
    };
    let mut until = Millis(i64::MAX);
    AGES.into_iter().map(move |days| {
        let since = limit(days);
        let span = (since, until);
        until = since;
        span
    })
}

async fn of_registry(tx: &mut Tx, call: &Call<'_>) -> Result<Activity> {
    let Some(registry_id) = registries::find_addressed(tx, call).await? else {
        return Ok(Activity::default());
    };
    let kept = &call.app.sums.activity;
    if let Some(activity) = kept.get(registry_id, call.now()) {
        return Ok(activity);
    }
    let activity = count_registry(tx, registry_id, call.now()).await?;
    let images = activity.ages.iter().sum();
    kept.put(registry_id, call.now(), images, activity.clone());
    Ok(activity)
}

async fn count_registry(tx: &mut Tx, registry_id: i64, now: Millis) -> Result<Activity> {
    let first = first_day(now);
    let days = tx
        .all(
            "SELECT day, CAST(SUM(pulls) AS BIGINT), CAST(SUM(pushes) AS BIGINT) \
             FROM repository_activity \
             JOIN repositories ON repositories.id = repository_activity.repository_id \
             WHERE repositories.registry_id = $1 AND day >= $2 GROUP BY day ORDER BY day",
            params![registry_id, first],
        )
        .await?;
    let top = tx
        .all(
            "SELECT repositories.name, CAST(SUM(pulls) AS BIGINT) FROM repository_activity \
             JOIN repositories ON repositories.id = repository_activity.repository_id \
             WHERE repositories.registry_id = $1 AND day >= $2 AND pulls > 0 \
             GROUP BY repositories.name ORDER BY 2 DESC, 1 LIMIT $3",
            params![registry_id, first, TOP],
        )
        .await?;
    let repositories = top.iter().map(|row| {
        let name = RepositoryName::parse(&row.get::<String>(0)?).map_err(Error::internal)?;
        Ok((name, row.get(1)?))
    });
    let mut ages = Vec::with_capacity(AGES.len());
    for (since, until) in spans(now) {
        let row = tx
            .optional(
                "SELECT COUNT(*) FROM (SELECT 1 FROM repositories \
                 JOIN images ON images.repository_id = repositories.id \
                 WHERE repositories.registry_id = $1 AND images.pushed_at > $2 \
                 AND images.pushed_at <= $3 LIMIT $4) AS counted",
                params![registry_id, since, until, COUNTED_MAX],
            )
            .await?;
        ages.push(count(row.as_ref())?);
    }
    let never = tx
        .optional(
            "SELECT COUNT(*) FROM (SELECT 1 FROM repositories \
             JOIN images ON images.repository_id = repositories.id \
             WHERE repositories.registry_id = $1 AND images.last_pulled_at IS NULL \
             LIMIT $2) AS counted",
            params![registry_id, COUNTED_MAX],
        )
        .await?;
    Ok(Activity {
        days: days.iter().map(day_from).collect::<Result<_>>()?,
        ages,
        never_pulled: count(never.as_ref())?,
        repositories: repositories.collect::<Result<_>>()?,
        ..Activity::default()
    })
}

fn count(row: Option<&Row>) -> Result<u64> {
    row.map_or(Ok(0), |row| Ok(row.get(0)?))
}

async fn of_repository(tx: &mut Tx, repository_id: i64, now: Millis) -> Result<Activity> {
    let first = first_day(now);
    let days = tx
        .all(
            "SELECT day, pulls, pushes FROM repository_activity \
             WHERE repository_id = $1 AND day >= $2 ORDER BY day",
            params![repository_id, first],
        )
        .await?;
    let mut ages = Vec::with_capacity(AGES.len());
    for (since, until) in spans(now) {
        let row = tx
            .optional(
                "SELECT COUNT(*) FROM (SELECT 1 FROM images WHERE repository_id = $1 \
                 AND pushed_at > $2 AND pushed_at <= $3 LIMIT $4) AS counted",
                params![repository_id, since, until, COUNTED_MAX],
            )
            .await?;
        ages.push(count(row.as_ref())?);
    }
    let never = tx
        .optional(
            "SELECT COUNT(*) FROM (SELECT 1 FROM images WHERE repository_id = $1 \
             AND last_pulled_at IS NULL LIMIT $2) AS counted",
            params![repository_id, COUNTED_MAX],
        )
        .await?;
    let top = tx
        .all(
            "SELECT images.id, images.digest, images.image_size, images.pushed_at, counted.pulls \
             FROM (SELECT image_pulls.image_id, CAST(SUM(image_pulls.pulls) AS BIGINT) AS pulls \
             FROM repository_activity JOIN image_pulls \
             ON image_pulls.day = repository_activity.day \
             AND image_pulls.repository_id = repository_activity.repository_id \
             WHERE repository_activity.repository_id = $1 AND repository_activity.day >= $2 \
             GROUP BY image_pulls.image_id ORDER BY 2 DESC LIMIT $3) AS counted JOIN images ON images.id = counted.image_id \
             ORDER BY counted.pulls DESC, images.id",
            params![repository_id, first, TOP],
        )
        .await?;
    let unused = tx
        .all(
            "SELECT id, digest, image_size, pushed_at, 0 FROM images WHERE repository_id = $1 \
             AND last_pulled_at IS NULL AND subject_digest IS NULL AND NOT EXISTS \
             (SELECT 1 FROM image_children WHERE image_children.child_image_id = images.id) \
             ORDER BY pushed_at LIMIT $2",
            params![repository_id, TOP],
        )
        .await?;
    Ok(Activity {
        days: days.iter().map(day_from).collect::<Result<_>>()?,
        ages,
        never_pulled: count(never.as_ref())?,
        pulled_most: images(tx, &top).await?,
        unused: images(tx, &unused).await?,
        ..Activity::default()
    })
}

async fn images(tx: &mut Tx, rows: &[Row]) -> Result<Vec<ImageActivity>> {
    let mut images = Vec::with_capacity(rows.len());
    for row in rows {
        images.push(ImageActivity {
            digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            tags: tags::of_image(tx, row.get(0)?).await?,
            size: row.get(2)?,
            pushed_at: row.get(3)?,
            pulls: row.get(4)?,
        });
    }
    Ok(images)
}

async fn of_image(tx: &mut Tx, image: &ImageRecord, now: Millis) -> Result<Activity> {
    let days = tx
        .all(
            "SELECT day, pulls, 0 FROM image_pulls WHERE image_id = $1 AND day >= $2 ORDER BY day",
            params![image.id, first_day(now)],
        )
        .await?;
    Ok(Activity { days: days.iter().map(day_from).collect::<Result<_>>()?, ..Activity::default() })
}
