//! `SummarizeRegistry`: the sums of a registry, and what was pushed last.

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::images::tags;
use crate::names::{Digest, RepositoryName, Tag};
use crate::params;
use crate::registries::{self, Document as _};
use crate::scanning::RegistryScanningConfiguration;
use crate::scanning::state::SeverityCounts;

/// Images that are told to be pushed last.
const RECENT: i64 = 10;
/// Different numbers of findings that are added up.
const COUNTS_MAX: i64 = 10_000;

/// Reads the sums of the registry of the context. It takes what listing all its repositories and
/// their images takes.
#[derive(Clone, Copy, Debug)]
pub struct SummarizeRegistry;

/// The sums of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrySummary {
    /// Its repositories.
    pub repositories: u64,
    /// Their images, children of indexes among them.
    pub images: u64,
    /// Their tags.
    pub tags: u64,
    /// The bytes of their layers, each layer counted once in each repository.
    pub logical_bytes: u64,
    /// The bytes of their layers, equal ones counted once: what is stored.
    pub unique_bytes: u64,
    /// What scans found, by severity.
    pub findings: SeverityCounts,
    /// How many images were scanned.
    pub scanned: u64,
    /// Images that were pushed last, the newest first.
    pub recent: Vec<RecentPush>,
    /// When all but these were counted, if that was not just now: the sums of a large registry are
    /// kept for up to two minutes.
    pub counted_at: Option<Millis>,
}

/// An image that was pushed lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentPush {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was pushed.
    pub pushed_at: Millis,
}

impl Operation for SummarizeRegistry {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SummarizeRegistry" };
    type Output = RegistrySummary;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let all =
            || Resource::Repositories { account: context.account, region: context.region.clone() };
        vec![
            Demand::new("ecr:DescribeRepositories", all()),
            Demand::new("ecr:DescribeImages", all()),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistrySummary> {
        let mut tx = call.read().await?;
        let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? else {
            return Ok(RegistrySummary::default());
        };
        let kept = &call.app.sums.summaries;
        let summary = match kept.get(registry_id, call.now()) {
            Some(summary) => summary,
            None => {
                let summary = count(&mut tx, registry_id).await?;
                let counted = RegistrySummary { counted_at: Some(call.now()), ..summary.clone() };
                kept.put(registry_id, call.now(), summary.images, counted);
                summary
            }
        };
        Ok(RegistrySummary { recent: pushed_last(&mut tx, registry_id).await?, ..summary })
    }
}

/// All but what was pushed last.
async fn count(tx: &mut Tx, registry_id: i64) -> Result<RegistrySummary> {
    let sums = tx
        .optional(
            "SELECT (SELECT COUNT(*) FROM repositories WHERE registry_id = $1), \
             (SELECT COUNT(*) FROM images JOIN repositories \
             ON repositories.id = images.repository_id WHERE repositories.registry_id = $1), \
             (SELECT COUNT(*) FROM tags JOIN repositories \
             ON repositories.id = tags.repository_id WHERE repositories.registry_id = $1)",
            params![registry_id],
        )
        .await?
        .ok_or_else(|| Error::internal("sums without a row"))?;
    let bytes = tx
        .optional(
            "SELECT COALESCE(CAST(SUM(blobs.size * held.times) AS BIGINT), 0), \
             COALESCE(CAST(SUM(blobs.size) AS BIGINT), 0) FROM \
             (SELECT repository_blobs.blob_id, COUNT(*) AS times FROM repository_blobs \
             JOIN repositories ON repositories.id = repository_blobs.repository_id \
             WHERE repositories.registry_id = $1 GROUP BY repository_blobs.blob_id) AS held \
             JOIN blobs ON blobs.id = held.blob_id",
            params![registry_id],
        )
        .await?
        .ok_or_else(|| Error::internal("sums without a row"))?;
    let scanning = RegistryScanningConfiguration::load(tx, Some(registry_id)).await?;
    // Most scans find what others found, so there are far fewer texts than scans.
    let scans = tx
        .all(
            "SELECT image_scans.counts, COUNT(*) FROM image_scans \
             JOIN images ON images.id = image_scans.image_id \
             JOIN repositories ON repositories.id = images.repository_id \
             WHERE repositories.registry_id = $1 AND image_scans.scan_type = $2 \
             AND image_scans.status IN ('COMPLETE', 'ACTIVE') \
             GROUP BY image_scans.counts LIMIT $3",
            params![registry_id, scanning.scan_type.as_str(), COUNTS_MAX],
        )
        .await?;
    let (mut findings, mut scanned) = (SeverityCounts::new(), 0_u64);
    for scan in &scans {
        let counts: SeverityCounts =
            serde_json::from_str(&scan.get::<String>(0)?).map_err(Error::internal)?;
        let images: u64 = scan.get(1)?;
        scanned += images;
        for (severity, count) in counts {
            *findings.entry(severity).or_default() += count.saturating_mul(images);
        }
    }
    Ok(RegistrySummary {
        repositories: sums.get(0)?,
        images: sums.get(1)?,
        tags: sums.get(2)?,
        logical_bytes: bytes.get(0)?,
        unique_bytes: bytes.get(1)?,
        findings,
        scanned,
        recent: Vec::new(),
        counted_at: None,
    })
}

async fn pushed_last(tx: &mut Tx, registry_id: i64) -> Result<Vec<RecentPush>> {
    let rows = tx
        .all(
            "SELECT images.id, repositories.name, images.digest, images.image_size, \
             images.pushed_at FROM images \
             JOIN repositories ON repositories.id = images.repository_id \
             WHERE repositories.registry_id = $1 AND images.subject_digest IS NULL \
             AND NOT EXISTS (SELECT 1 FROM image_children \
             WHERE image_children.child_image_id = images.id) \
             ORDER BY images.id DESC LIMIT $2",
            params![registry_id, RECENT],
        )
        .await?;
    let mut recent = Vec::with_capacity(rows.len());
    for row in &rows {
        recent.push(RecentPush {
            repository: RepositoryName::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
            digest: Digest::parse(&row.get::<String>(2)?).map_err(Error::internal)?,
            tags: tags::of_image(tx, row.get(0)?).await?,
            size: row.get(3)?,
            pushed_at: row.get(4)?,
        });
    }
    Ok(recent)
}
