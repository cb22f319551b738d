//! The job that restores an image, and the operation that ends it.

use serde::{Deserialize, Serialize};

use super::activate;
use super::moving::{self, Moved};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, execute};
use crate::images::{ImageStatus, find_by_digest, tags};
use crate::jobs::{Job, Lease, Limits, Named, Next, Run};
use crate::names::{AccountId, Digest};
use crate::objects::Tier;
use crate::replication::{self, Change};
use crate::repositories::{self, RepositoryAddress};
use crate::{params, services};

/// Blobs of one run; other jobs have their turn then.
const BATCH: usize = 20;

/// Copies the blobs of an image that lie in the archive to the standard tier, then makes the image
/// active.
#[derive(Debug, Serialize, Deserialize)]
pub struct RestoreImage {
    account: String,
    image_id: i64,
}

impl RestoreImage {
    pub(super) fn new(account: AccountId, image_id: i64) -> Self {
        Self { account: account.to_string(), image_id }
    }
}

impl Job for RestoreImage {
    const KIND: &'static str = "restore-image";
    const KEY_NAMES: &'static [Named] = &[Named::Image];
    // Somebody waits for it.
    const LIMITS: Limits =
        Limits { concurrency: 4, attempts: 12, pause_seconds: 2, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.image_id.to_string()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.read().await?;
        let Some((repository, digest)) = activating(&mut tx, self.image_id).await? else {
            return Ok(Next::Done);
        };
        let waiting = archived_blobs(&mut tx, self.image_id).await?;
        drop(tx);
        let mut done = 0;
        for blob_id in waiting.iter().take(BATCH) {
            if moving::move_blob(run, *blob_id, Tier::Standard).await? == Moved::Damaged {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "A blob of the image is damaged in the archive; push the image again.",
                ));
            }
            done += 1;
            run.progress(done, Some(waiting.len() as u64));
        }
        if waiting.len() > BATCH {
            return Ok(Next::Continue(self));
        }
        let operation = ActivateImage {
            repository: repository.clone(),
            image_id: self.image_id,
            digest,
            lease: run.lease(),
        };
        let context = run.context(services::ECR, repository.account, repository.region);
        match execute(run.app, &context, operation).await {
            Ok(true) => Ok(Next::Done),
            Ok(false) => Ok(Next::Continue(self)),
            // Whoever asks again when the account is active again has it restored.
            Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(Next::Done),
            Err(error) => Err(error),
        }
    }
}

/// The repository and digest of the image, if it is to be restored.
async fn activating(tx: &mut Tx, image_id: i64) -> Result<Option<(RepositoryAddress, Digest)>> {
    let row = tx
        .optional(
            "SELECT repository_id, digest FROM images WHERE id = $1 AND status = 'ACTIVATING'",
            params![image_id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let digest = Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
    let address = repositories::address_of(tx, row.get(0)?).await?;
    Ok(address.map(|address| (address, digest)))
}

async fn archived_blobs(tx: &mut Tx, image_id: i64) -> Result<Vec<i64>> {
    let rows = tx
        .all(
            "SELECT DISTINCT blobs.id FROM image_blobs JOIN blobs ON blobs.id = image_blobs.blob_id \
             WHERE image_blobs.image_id = $1 AND blobs.tier = 'ARCHIVE' ORDER BY blobs.id",
            params![image_id],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// Makes an image active whose blobs are all in the standard tier.
#[derive(Clone, Debug)]
pub struct ActivateImage {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image's row: one pushed again under the digest is another image.
    pub image_id: i64,
    /// Its digest.
    pub digest: Digest,
    /// The job's right to go on.
    pub lease: Lease,
}

impl Operation for ActivateImage {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ActivateImage" };
    /// Whether it is done; otherwise a blob has gone to the archive meanwhile, or the repository has
    /// another name.
    type Output = bool;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new("ecr:UpdateImageStorageClass", self.repository.resource())
                .with_key("tonnage:ImageDigest", vec![self.digest.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<bool> {
        let mut tx = call.write().await?;
        self.lease.hold(&mut tx, call.app.clock.now()).await?;
        let repository = repositories::find(&mut tx, &self.repository).await?;
        let image = match &repository {
            Some(repository) => find_by_digest(&mut tx, repository, &self.digest).await?,
            None => None,
        };
        let image = image
            .filter(|image| image.id == self.image_id && image.status == ImageStatus::Activating);
        let (Some(repository), Some(image)) = (repository, image) else {
            // One whose repository got another name meanwhile is still to be restored.
            let is_done = activating(&mut tx, self.image_id).await?.is_none();
            tx.commit().await?;
            return Ok(is_done);
        };
        if !archived_blobs(&mut tx, image.id).await?.is_empty() {
            tx.commit().await?;
            return Ok(false);
        }
        activate(&mut tx, &call, &repository, &image).await?;
        // A restored image is copied like a new one.
        let tags = tags::of_image(&mut tx, image.id).await?;
        let mut changes: Vec<_> = tags.into_iter().map(Some).collect();
        if changes.is_empty() {
            changes.push(None);
        }
        replication::note(&mut tx, &call, &repository, Change::Push, &image.digest, &changes)
            .await?;
        call.commit(tx).await?;
        Ok(true)
    }
}
