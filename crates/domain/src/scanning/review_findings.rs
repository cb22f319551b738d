//! The job that applies rules over findings to what was found before them.

use serde::{Deserialize, Serialize};

use super::describe_image_scan_findings::ScannedImage;
use super::suppression::Suppressions;
use super::vex::Vex;
use super::{ScanType, findings, rematch, scan_image};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::{Call, Tx};
use crate::jobs::{self, Job, Limits, Named, Next, Run};
use crate::names::AccountId;
use crate::repositories::Repository;
use crate::{params, repositories};

/// Images of one run; other jobs have their turn then.
const IMAGES: usize = 50;

/// Judges the findings of a registry's images anew, image by image in the order of their rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReviewFindings {
    account: String,
    registry_id: i64,
    after: i64,
    /// Only of this image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_id: Option<i64>,
}

impl ReviewFindings {
    /// Has the findings of a registry judged anew.
    pub(crate) async fn enqueue(
        tx: &mut Tx,
        app: &App,
        account: AccountId,
        registry_id: i64,
    ) -> Result<()> {
        let job = Self { account: account.to_string(), registry_id, after: 0, image_id: None };
        jobs::enqueue(tx, app, &job, app.clock.now()).await
    }

    /// Has the findings of an image judged anew.
    pub(super) async fn enqueue_image(
        tx: &mut Tx,
        app: &App,
        repository: &Repository,
        image_id: i64,
    ) -> Result<()> {
        let account = repository.address.account.to_string();
        let registry_id = repository.registry_id;
        let job = Self { account, registry_id, after: 0, image_id: Some(image_id) };
        jobs::enqueue(tx, app, &job, app.clock.now()).await
    }
}

/// Has findings judged anew after a tag of an image has moved, if a rule asks for tags.
pub(crate) async fn note_tags(tx: &mut Tx, call: &Call<'_>, repository: &Repository) -> Result<()> {
    let asks = tx
        .optional(
            "SELECT 1 FROM finding_filters WHERE registry_id = $1 AND action = 'SUPPRESS' \
             AND criteria LIKE '%\"ecrImageTags\"%' LIMIT 1",
            params![repository.registry_id],
        )
        .await?;
    if asks.is_none() {
        return Ok(());
    }
    let account = repository.address.account;
    ReviewFindings::enqueue(tx, call.app, account, repository.registry_id).await
}

impl Job for ReviewFindings {
    const KIND: &'static str = "review-findings";
    const KEY_NAMES: &'static [Named] = &[Named::Registry, Named::Image];

    fn key(&self) -> String {
        match self.image_id {
            None => self.registry_id.to_string(),
            Some(image_id) => format!("{} {image_id}", self.registry_id),
        }
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        // A scan that ends in this moment has either seen the rules of now, or is seen from here on.
        let mut tx = run.write().await?;
        rematch::hold_progress(&mut tx).await?;
        run.commit(tx).await?;
        let mut tx = run.read().await?;
        if let Some(image_id) = self.image_id {
            let row = tx
                .optional("SELECT repository_id FROM images WHERE id = $1", params![image_id])
                .await?;
            drop(tx);
            if let Some(row) = row {
                review(run, self.registry_id, (image_id, row.get(0)?)).await?;
            }
            return Ok(Next::Done);
        }
        let rows = tx
            .all(
                "SELECT DISTINCT images.id, images.repository_id FROM image_findings \
                 JOIN images ON images.id = image_findings.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 WHERE repositories.registry_id = $1 AND images.id > $2 \
                 ORDER BY images.id LIMIT $3",
                params![self.registry_id, self.after, IMAGES],
            )
            .await?;
        drop(tx);
        let mut after = self.after;
        for row in &rows {
            after = row.get(0)?;
            review(run, self.registry_id, (after, row.get(1)?)).await?;
        }
        Ok(if rows.len() == IMAGES { Next::Continue(Self { after, ..self }) } else { Next::Done })
    }
}

/// How often documents are read that change while they are.
const TRIES: u32 = 3;

/// Judges the findings of one image anew.
async fn review(run: &Run<'_>, registry_id: i64, place: (i64, i64)) -> Result<()> {
    for _ in 0..TRIES {
        if try_review(run, registry_id, place).await? {
            return Ok(());
        }
    }
    Err(Error::internal("the documents beside an image changed while they were read"))
}

/// False when the documents beside the image have changed meanwhile.
async fn try_review(
    run: &Run<'_>,
    registry_id: i64,
    (image_id, repository_id): (i64, i64),
) -> Result<bool> {
    let now = run.app.clock.now();
    let mut tx = run.read().await?;
    let repository = repositories::by_id(&mut tx, repository_id).await?;
    drop(tx);
    let Some(repository) = repository else { return Ok(true) };
    let vex = Vex::read(run, &repository, image_id).await?;
    let mut tx = run.write().await?;
    if !vex.is_current(&mut tx, &repository, image_id).await? {
        run.commit(tx).await?;
        return Ok(false);
    }
    let image = ScannedImage::load(&mut tx, &repository.address, image_id).await?;
    let Some(image) = image else {
        run.commit(tx).await?;
        return Ok(true);
    };
    let remark = vex.remark();
    let judge = Suppressions::load(&mut tx, registry_id, now).await?.of(image, vex);
    for scan_type in [ScanType::Basic, ScanType::Enhanced] {
        let scan = super::state::find(&mut tx, image_id, scan_type).await?;
        let Some(scan) = scan.filter(|scan| scan.status.has_findings()) else { continue };
        let kind = (scan_type, scan.platform.as_str());
        let changes = findings::judge_anew(&mut tx, image_id, kind, &judge, now).await?;
        if scan_type == ScanType::Enhanced {
            scan_image::publish_changes(&mut tx, run.app, registry_id, (judge.image(), &changes))
                .await?;
        }
        let description = scan_image::described(scan.status, &remark);
        if description != scan.description {
            tx.execute(
                "UPDATE image_scans SET description = $3 WHERE image_id = $1 AND scan_type = $2",
                params![image_id, scan_type.as_str(), description],
            )
            .await?;
        }
    }
    run.commit(tx).await?;
    Ok(true)
}

/// Has the findings of the registries judged anew of whose rules some have come to their end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ExpireFilters {}

impl Job for ExpireFilters {
    const KIND: &'static str = "expire-finding-filters";
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        String::new()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        /// Rules of one run.
        const RULES: usize = 200;
        let now = run.app.clock.now();
        let mut tx = run.write().await?;
        let rows = tx
            .all(
                "SELECT finding_filters.id, registries.id, registries.account_id \
                 FROM finding_filters JOIN registries ON registries.id = finding_filters.registry_id \
                 WHERE has_expired = 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2",
                params![now, RULES],
            )
            .await?;
        for row in &rows {
            let id: String = row.get(0)?;
            let account = AccountId::parse(&row.get::<String>(2)?).map_err(Error::internal)?;
            tx.execute("UPDATE finding_filters SET has_expired = 1 WHERE id = $1", params![id])
                .await?;
            ReviewFindings::enqueue(&mut tx, run.app, account, row.get(1)?).await?;
        }
        // What images no longer have is told for a few days.
        tx.execute(
            "DELETE FROM closed_findings WHERE closed_at < $1",
            params![Millis(now.0.saturating_sub(findings::CLOSED_SECONDS * 1000))],
        )
        .await?;
        run.commit(tx).await?;
        Ok(if rows.len() == RULES { Next::Continue(self) } else { Next::Done })
    }
}
