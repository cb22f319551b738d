//! `DescribeStorage`: what a registry takes up, which repositories take the most, and how it grows.

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::ids;
use crate::names::RepositoryName;
use crate::params;
use crate::registries;

/// Layers that are looked at, each in each repository that has it.
const EDGES_MAX: i64 = 500_000;
/// Images that are looked at.
const IMAGES_MAX: i64 = 500_000;
/// Repositories that are told, those that take the most.
const REPOSITORIES: i64 = 50;
/// Days that are told, today among them.
pub const DAYS: i64 = 30;
const DAY_MILLIS: i64 = 24 * 3600 * 1000;

/// Reads what the registry of the context takes up. It takes what listing all its repositories and
/// their images takes. It looks at so many layers and images at most, and says when there are more.
#[derive(Clone, Copy, Debug)]
pub struct DescribeStorage;

/// What a registry takes up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageUsage {
    /// Layers and configurations, equal ones once.
    pub blobs: u64,
    /// Their bytes.
    pub unique_bytes: u64,
    /// Those of them that only archived images need.
    pub unique_archived_bytes: u64,
    /// Bytes with equal layers counted in each repository that has them.
    pub logical_bytes: u64,
    /// Those of them that only archived images of their repository need.
    pub logical_archived_bytes: u64,
    /// Images.
    pub images: u64,
    /// Images that nobody pulled for [`DAYS`], and that were not pushed since.
    pub unused_images: u64,
    /// The repositories that take the most, the largest first.
    pub repositories: Vec<RepositoryUsage>,
    /// Each of the last [`DAYS`], the oldest first.
    pub days: Vec<DayUsage>,
    /// Whether there is more than was looked at.
    pub is_partial: bool,
    /// When that was, if it was not just now: the sums of a large registry are kept for up to two
    /// minutes.
    pub counted_at: Option<Millis>,
}

/// What a repository takes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryUsage {
    /// Its name.
    pub name: RepositoryName,
    /// Its layers and configurations.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that only archived images need.
    pub archived_bytes: u64,
}

/// What was pushed on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUsage {
    /// Its first moment, in UTC.
    pub begins_at: Millis,
    /// Images that were pushed and are still there.
    pub pushes: u64,
    /// Bytes of layers that were not there before.
    pub new_bytes: u64,
}

impl Operation for DescribeStorage {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeStorage" };
    type Output = StorageUsage;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let all =
            || Resource::Repositories { account: context.account, region: context.region.clone() };
        vec![
            Demand::new("ecr:DescribeRepositories", all()),
            Demand::new("ecr:DescribeImages", all()),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<StorageUsage> {
        let now = call.now();
        let mut tx = call.read().await?;
        let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? else {
            return Ok(StorageUsage {
                days: days(now, &BTreeMap::new()),
                ..StorageUsage::default()
            });
        };
        let kept = &call.app.sums.storage;
        if let Some(usage) = kept.get(registry_id, now) {
            return Ok(usage);
        }
        let mut usage = sums(&mut tx, registry_id, now).await?;
        usage.repositories = largest(&mut tx, registry_id).await?;
        usage.days = days(now, &growth(&mut tx, registry_id, now).await?);
        let counted = StorageUsage { counted_at: Some(now), ..usage.clone() };
        kept.put(registry_id, now, usage.blobs + usage.images, counted);
        Ok(usage)
    }
}

async fn sums(tx: &mut Tx, registry_id: i64, now: Millis) -> Result<StorageUsage> {
    let none = || Error::internal("sums without a row");
    // A blob lies in the archive where every repository of the registry needs it for archived
    // images only.
    let row = tx
        .optional(
            "SELECT COUNT(*), COALESCE(CAST(SUM(blobs.size) AS BIGINT), 0), \
             COALESCE(CAST(SUM(CASE WHEN held.archived = 1 THEN blobs.size ELSE 0 END) AS BIGINT), 0), \
             COALESCE(CAST(SUM(blobs.size * held.times) AS BIGINT), 0), \
             COALESCE(CAST(SUM(blobs.size * held.archived_times) AS BIGINT), 0), \
             COALESCE(CAST(SUM(held.times) AS BIGINT), 0) \
             FROM (SELECT blob_id, MIN(archived) AS archived, COUNT(*) AS times, \
             SUM(archived) AS archived_times FROM (SELECT repository_blobs.blob_id, \
             repository_blobs.archived FROM repository_blobs \
             JOIN repositories ON repositories.id = repository_blobs.repository_id \
             WHERE repositories.registry_id = $1 LIMIT $2) AS edges GROUP BY blob_id) AS held \
             JOIN blobs ON blobs.id = held.blob_id",
            params![registry_id, EDGES_MAX],
        )
        .await?
        .ok_or_else(none)?;
    let images = tx
        .optional(
            "SELECT COUNT(*), \
             COALESCE(CAST(SUM(CASE WHEN seen_at < $3 THEN 1 ELSE 0 END) AS BIGINT), 0) FROM \
             (SELECT COALESCE(images.last_pulled_at, images.pushed_at) AS seen_at FROM images \
             JOIN repositories ON repositories.id = images.repository_id \
             WHERE repositories.registry_id = $1 LIMIT $2) AS seen",
            params![registry_id, IMAGES_MAX, now.plus_seconds(-DAYS * 24 * 3600)],
        )
        .await?
        .ok_or_else(none)?;
    Ok(StorageUsage {
        blobs: row.get(0)?,
        unique_bytes: row.get(1)?,
        unique_archived_bytes: row.get(2)?,
        logical_bytes: row.get(3)?,
        logical_archived_bytes: row.get(4)?,
        images: images.get(0)?,
        unused_images: images.get(1)?,
        is_partial: row.get::<i64>(5)? >= EDGES_MAX || images.get::<i64>(0)? >= IMAGES_MAX,
        ..StorageUsage::default()
    })
}

async fn largest(tx: &mut Tx, registry_id: i64) -> Result<Vec<RepositoryUsage>> {
    let rows = tx
        .all(
            "SELECT edges.name, COUNT(*), CAST(SUM(blobs.size) AS BIGINT) AS bytes, \
             CAST(SUM(blobs.size * edges.archived) AS BIGINT) \
             FROM (SELECT repositories.name, repository_blobs.blob_id, repository_blobs.archived \
             FROM repository_blobs \
             JOIN repositories ON repositories.id = repository_blobs.repository_id \
             WHERE repositories.registry_id = $1 LIMIT $2) AS edges \
             JOIN blobs ON blobs.id = edges.blob_id GROUP BY edges.name \
             ORDER BY bytes DESC, edges.name LIMIT $3",
            params![registry_id, EDGES_MAX, REPOSITORIES],
        )
        .await?;
    let mut repositories = Vec::with_capacity(rows.len());
    for row in &rows {
        repositories.push(RepositoryUsage {
            name: RepositoryName::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
            blobs: row.get(1)?,
            bytes: row.get(2)?,
            archived_bytes: row.get(3)?,
        });
    }
    Ok(repositories)
}

/// Pushes and new bytes by day since 1970. Rows have the ids of their time, so only those of these
/// days are read.
async fn growth(tx: &mut Tx, registry_id: i64, now: Millis) -> Result<BTreeMap<i64, (u64, u64)>> {
    let first = (now.0.div_euclid(DAY_MILLIS) - DAYS + 1) * DAY_MILLIS;
    let low = ids::least_at(Millis(first));
    let mut found: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    let pushes = tx
        .all(
            "SELECT recent.pushed_at / 86400000, COUNT(*) FROM (SELECT images.pushed_at \
             FROM images JOIN repositories ON repositories.id = images.repository_id \
             WHERE images.id >= $1 AND repositories.registry_id = $2 LIMIT $3) AS recent \
             GROUP BY recent.pushed_at / 86400000",
            params![low, registry_id, IMAGES_MAX],
        )
        .await?;
    for row in &pushes {
        found.entry(row.get(0)?).or_default().0 = row.get(1)?;
    }
    let bytes = tx
        .all(
            "SELECT recent.created_at / 86400000, CAST(SUM(recent.size) AS BIGINT) FROM \
             (SELECT blobs.created_at, blobs.size FROM blobs WHERE blobs.id >= $1 \
             AND EXISTS (SELECT 1 FROM repository_blobs WHERE repository_blobs.blob_id = blobs.id \
             AND (SELECT repositories.registry_id FROM repositories \
             WHERE repositories.id = repository_blobs.repository_id) = $2) \
             LIMIT $3) AS recent GROUP BY recent.created_at / 86400000",
            params![low, registry_id, EDGES_MAX],
        )
        .await?;
    for row in &bytes {
        found.entry(row.get(0)?).or_default().1 = row.get(1)?;
    }
    Ok(found)
}

fn days(now: Millis, found: &BTreeMap<i64, (u64, u64)>) -> Vec<DayUsage> {
    let today = now.0.div_euclid(DAY_MILLIS);
    (today - DAYS + 1..=today)
        .map(|day| {
            let (pushes, new_bytes) = found.get(&day).copied().unwrap_or_default();
            DayUsage { begins_at: Millis(day * DAY_MILLIS), pushes, new_bytes }
        })
        .collect()
}
