//! The job that has the images scanned that a public repository has when its owner asks for scans.

use serde::{Deserialize, Serialize};

use super::ScanType;
use super::scan_image::ScanImage;
use super::state::{self, ScanStatus};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::images::ImageStatus;
use crate::jobs::{self, Job, Limits, Named, Next, Run};
use crate::names::AccountId;
use crate::{params, repositories};

/// Images of one transaction.
const IMAGES: usize = 200;

/// Enqueues a basic scan of each image of a repository that was not scanned for a while.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScanPublicImages {
    account: String,
    repository_id: i64,
    after: i64,
}

impl ScanPublicImages {
    pub(crate) fn new(account: AccountId, repository_id: i64) -> Self {
        Self { account: account.to_string(), repository_id, after: 0 }
    }
}

impl Job for ScanPublicImages {
    const KIND: &'static str = "scan-public-images";
    const KEY_NAMES: &'static [Named] = &[Named::Repository];
    const LIMITS: Limits = Limits { concurrency: 1, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.repository_id.to_string()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let account = AccountId::parse(&self.account).map_err(Error::internal)?;
        let mut tx = run.write().await?;
        let repository = repositories::by_id(&mut tx, self.repository_id).await?;
        if !repository.is_some_and(|repository| repository.scan_on_push) {
            run.commit(tx).await?;
            return Ok(Next::Done);
        }
        let images = images(&mut tx, self.repository_id, self.after).await?;
        let now = run.app.clock.now();
        let interval = run.app.settings.scan_interval_seconds;
        for &id in &images {
            if !state::is_container_image(&mut tx, id).await? {
                continue;
            }
            let last = state::find(&mut tx, id, ScanType::Basic).await?;
            let is_fresh = last.is_some_and(|scan| {
                scan.status == ScanStatus::Complete
                    && scan.requested_at.plus_seconds(interval) > now
            });
            if is_fresh {
                continue;
            }
            state::put(&mut tx, id, ScanType::Basic, (ScanStatus::InProgress, ""), now).await?;
            let job = ScanImage::new(account, id, ScanType::Basic);
            jobs::enqueue(&mut tx, run.app, &job, now).await?;
        }
        run.commit(tx).await?;
        Ok(match images.last() {
            Some(&after) if images.len() == IMAGES => Next::Continue(Self { after, ..self }),
            _ => Next::Done,
        })
    }
}

async fn images(tx: &mut Tx, repository_id: i64, after: i64) -> Result<Vec<i64>> {
    let rows = tx
        .all(
            "SELECT id FROM images WHERE repository_id = $1 AND id > $2 AND status = $3 \
             ORDER BY id LIMIT $4",
            params![repository_id, after, ImageStatus::Active.as_str(), IMAGES],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}
