//! The job that follows the advisories: what they say anew of packages has the images scanned
//! again that have those packages.

use serde::{Deserialize, Serialize};
use tonnage_scanner::advisories::{Ecosystem, Subject};

use super::scan_image::ScanImage;
use super::state::ScanStatus;
use super::{ScanType, matching};
use crate::advisories::{self, Sequence};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::jobs::{self, Job, Limits, Next, Run};
use crate::names::AccountId;
use crate::params;

/// Packages of one run; other jobs have their turn then.
const PACKAGES: u32 = 200;
/// Images that are enqueued in one transaction.
const IMAGES: usize = 200;
/// Versions of one package that are looked at together.
const VERSIONS: usize = 1_000;

/// Looks at the packages that advisories say something else of, and has images that have them and
/// are scanned continuously scanned again. Layers are not read for that.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RematchPackages;

impl Job for RematchPackages {
    const KIND: &'static str = "rematch-packages";
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let seen = seen(&mut tx).await?;
        let changes = advisories::changes(&mut tx, seen, PACKAGES).await?;
        drop(tx);
        if changes.next == seen {
            return Ok(Next::Done);
        }
        // A scan that ends in this moment has either seen these changes, or is seen from here on.
        let mut tx = run.write().await?;
        hold_progress(&mut tx).await?;
        run.commit(tx).await?;
        for (ecosystem, names) in &changes.packages {
            let Some(ecosystem) = Ecosystem::of_advisory(ecosystem) else { continue };
            for name in names {
                look_at(run, &ecosystem, name).await?;
            }
        }
        let mut tx = run.write().await?;
        tx.execute(
            "UPDATE scanning_progress SET advisories_seen = $1 WHERE id = 1",
            params![changes.next],
        )
        .await?;
        run.commit(tx).await?;
        Ok(if changes.more { Next::Continue(self) } else { Next::Done })
    }
}

async fn seen(tx: &mut Tx) -> Result<Sequence> {
    let row =
        tx.optional("SELECT advisories_seen FROM scanning_progress WHERE id = 1", &[]).await?;
    row.map_or(Ok(Sequence::default()), |row| Ok(row.get(0)?))
}

/// Waits for whoever else holds the row, and holds it until the end of the transaction: scans while
/// they note which packages an image has, and this job before it looks for images.
pub(super) async fn hold_progress(tx: &mut Tx) -> Result<()> {
    tx.execute("UPDATE scanning_progress SET advisories_seen = advisories_seen WHERE id = 1", &[])
        .await?;
    Ok(())
}

/// Whether something was said of packages of an image after `seen`.
pub(super) async fn is_behind(tx: &mut Tx, image_id: i64, seen: Sequence) -> Result<bool> {
    let changed = tx
        .optional(
            "SELECT 1 FROM image_packages JOIN package_versions \
             ON package_versions.id = image_packages.package_version_id \
             JOIN advisory_changes ON advisory_changes.ecosystem = package_versions.ecosystem \
             AND advisory_changes.name = package_versions.name \
             WHERE image_packages.image_id = $1 AND advisory_changes.sequence > $2 LIMIT 1",
            params![image_id, seen],
        )
        .await?;
    Ok(changed.is_some())
}

/// A version of a package that images have.
struct Known {
    id: i64,
    subject: Subject<'static>,
    matches: String,
}

async fn look_at(run: &Run<'_>, ecosystem: &Ecosystem, name: &str) -> Result<()> {
    let mut after = 0;
    loop {
        let mut tx = run.read().await?;
        let versions = versions(&mut tx, ecosystem, name, after).await?;
        let Some(last) = versions.last() else { return Ok(()) };
        after = last.id;
        let subjects: Vec<Subject<'static>> =
            versions.iter().map(|known| known.subject.clone()).collect();
        let now = matching::fingerprints(&mut tx, &subjects).await?;
        drop(tx);
        for (known, matches) in versions.iter().zip(now) {
            if known.matches == matches {
                continue;
            }
            enqueue_images(run, known.id).await?;
            let mut tx = run.write().await?;
            tx.execute(
                "UPDATE package_versions SET matches = $2 WHERE id = $1",
                params![known.id, matches],
            )
            .await?;
            run.commit(tx).await?;
        }
    }
}

async fn versions(
    tx: &mut Tx,
    ecosystem: &Ecosystem,
    name: &str,
    after: i64,
) -> Result<Vec<Known>> {
    let rows = tx
        .all(
            "SELECT id, version, module, architecture, matches FROM package_versions \
             WHERE ecosystem = $1 AND name = $2 AND id > $3 ORDER BY id LIMIT $4",
            params![ecosystem.as_str(), name, after, VERSIONS],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let some = |text: String| (!text.is_empty()).then(|| text.into());
            Ok(Known {
                id: row.get(0)?,
                subject: Subject {
                    ecosystem: ecosystem.clone(),
                    name: name.to_owned().into(),
                    version: row.get::<String>(1)?.into(),
                    module: some(row.get(2)?),
                    architecture: some(row.get(3)?),
                },
                matches: row.get(4)?,
            })
        })
        .collect()
}

/// Has the images scanned again that have a package and follow the advisories.
async fn enqueue_images(run: &Run<'_>, package_version_id: i64) -> Result<()> {
    let mut after = 0;
    loop {
        let mut tx = run.write().await?;
        let rows = tx
            .all(
                "SELECT image_packages.image_id, registries.account_id FROM image_packages \
                 JOIN image_scans ON image_scans.image_id = image_packages.image_id \
                 JOIN images ON images.id = image_packages.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 JOIN registries ON registries.id = repositories.registry_id \
                 WHERE image_packages.package_version_id = $1 AND image_packages.image_id > $2 \
                 AND image_scans.scan_type = $3 AND image_scans.status IN ($4, $5) \
                 ORDER BY image_packages.image_id LIMIT $6",
                params![
                    package_version_id,
                    after,
                    ScanType::Enhanced.as_str(),
                    ScanStatus::Active.as_str(),
                    ScanStatus::Failed.as_str(),
                    IMAGES,
                ],
            )
            .await?;
        for row in &rows {
            let account = AccountId::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            after = row.get(0)?;
            let job = ScanImage::new(account, after, ScanType::Enhanced);
            jobs::enqueue(&mut tx, run.app, &job, run.app.clock.now()).await?;
        }
        run.commit(tx).await?;
        if rows.len() < IMAGES {
            return Ok(());
        }
    }
}
