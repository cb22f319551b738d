//! The job that fetches what images on their way wait for, without being asked.

use serde::{Deserialize, Serialize};

use super::IMPORT;
use super::arriving::{self, Missing, Waiting};
use super::import_image::ImportUpstreamImage;
use super::import_layer::ImportUpstreamLayer;
use crate::context::RequestContext;
use crate::error::{Error, Result, chain};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, execute};
use crate::images::manifest::Manifest;
use crate::images::{self, ImageStatus};
use crate::jobs::{Job, Lease, Limits, Named, Next, Run, enqueue};
use crate::names::{AccountId, Digest, Reference};
use crate::params;
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::services;

/// Images looked at in one run; other jobs have their turn between two.
const BATCH: usize = 20;

/// Fetches what images of a repository wait for.
#[derive(Debug, Serialize, Deserialize)]
pub struct CompleteImages {
    account: String,
    repository_id: i64,
}

impl CompleteImages {
    pub(super) fn new(account: &AccountId, repository_id: i64) -> Self {
        Self { account: account.to_string(), repository_id }
    }
}

impl Job for CompleteImages {
    const KIND: &'static str = "complete-images";
    const KEY_NAMES: &'static [Named] = &[Named::Repository];
    const LIMITS: Limits = Limits { concurrency: 4, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.repository_id.to_string()
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(self, run: &Run<'_>) -> Result<Next<Self>> {
        for _ in 0..BATCH {
            let mut tx = run.read().await?;
            let address = repositories::address_of(&mut tx, self.repository_id).await?;
            let waiting = arriving::next(&mut tx, self.repository_id, run.app.clock.now()).await?;
            drop(tx);
            let Some(address) = address else { return Ok(Next::Done) };
            let Some(waiting) = waiting else { return self.rest(run).await };
            let completer = Completer::new(run, address);
            if let Err(error) = completer.complete(&waiting).await {
                tracing::warn!(
                    repository = completer.address.arn(), digest = %waiting.digest,
                    error = chain(&error), "an image from an upstream registry is still incomplete"
                );
                let mut tx = run.write().await?;
                arriving::put_off(&mut tx, run.app, &waiting).await?;
                run.commit(tx).await?;
            }
        }
        Ok(Next::Continue(self))
    }
}

impl CompleteImages {
    /// Nothing is due; what was put off is looked at when its time comes.
    async fn rest(self, run: &Run<'_>) -> Result<Next<Self>> {
        let mut tx = run.write().await?;
        if let Some(at) = arriving::next_turn(&mut tx, self.repository_id).await? {
            enqueue(&mut tx, run.app, &self, at).await?;
        }
        run.commit(tx).await?;
        Ok(Next::Done)
    }
}

struct Completer<'a> {
    run: &'a Run<'a>,
    address: RepositoryAddress,
    context: RequestContext,
}

impl<'a> Completer<'a> {
    fn new(run: &'a Run<'a>, address: RepositoryAddress) -> Self {
        let (account, region) = (address.account, address.region.clone());
        let context = run.context(services::PULL_THROUGH_CACHE, account, region);
        Self { run, address, context }
    }

    async fn complete(&self, waiting: &Waiting) -> Result<()> {
        let mark = || MarkImageComplete {
            repository: self.address.clone(),
            digest: waiting.digest.clone(),
            lease: self.run.lease(),
        };
        let missing = self.execute(mark()).await?;
        for digest in missing.children {
            let (repository, reference) = (self.address.clone(), Reference::Digest(digest));
            self.execute(ImportUpstreamImage { repository, reference, is_forced: false }).await?;
        }
        for digest in missing.blobs {
            self.execute(ImportUpstreamLayer::new(self.address.clone(), digest)).await?;
        }
        let missing = self.execute(mark()).await?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::internal(format!("{missing:?} of {} came and is not there", waiting.digest)))
    }

    async fn execute<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let context = RequestContext { now: self.run.app.clock.now(), ..self.context.clone() };
        execute(self.run.app, &context, operation).await
    }
}

/// What an image on its way waits for; one that waits for nothing any more has arrived, and is
/// copied on. Idempotent.
#[derive(Clone, Debug)]
pub struct MarkImageComplete {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image.
    pub digest: Digest,
    /// The job's right to go on.
    pub lease: Lease,
}

impl Operation for MarkImageComplete {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "MarkImageComplete" };
    type Output = Missing;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new(IMPORT, self.repository.resource())
                .with_key("tonnage:ImageDigest", vec![self.digest.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<Missing> {
        let mut tx = call.read().await?;
        let Some(repository) = repositories::find(&mut tx, &self.repository).await? else {
            return Ok(Missing::default());
        };
        let manifest = self.manifest(&call, &mut tx, &repository).await?;
        drop(tx);

        let mut tx = call.write().await?;
        self.lease.hold(&mut tx, call.app.clock.now()).await?;
        let image = images::find_by_digest(&mut tx, &repository, &self.digest).await?;
        let (Some(image), Some(manifest)) = (image, manifest) else {
            tx.commit().await?;
            return Ok(Missing::default());
        };
        if image.status != ImageStatus::Active {
            // Whoever restores it restores what it had.
            tx.execute("DELETE FROM arriving_images WHERE image_id = $1", params![image.id])
                .await?;
            tx.commit().await?;
            return Ok(Missing::default());
        }
        let missing = Missing::of(&mut tx, image.id, &manifest).await?;
        if !missing.is_empty() {
            tx.commit().await?;
            return Ok(missing);
        }
        arriving::arrived(&mut tx, &call, &repository, image.id, &self.digest, &[]).await?;
        call.commit(tx).await?;
        Ok(missing)
    }
}

impl MarkImageComplete {
    async fn manifest(
        &self,
        call: &Call<'_>,
        tx: &mut Tx,
        repository: &Repository,
    ) -> Result<Option<Manifest>> {
        let image = images::find_by_digest(tx, repository, &self.digest).await?;
        let Some(image) = image else { return Ok(None) };
        let bytes = images::manifest_bytes(call.app, tx, repository, &image).await?;
        Manifest::parse(&bytes, Some(&image.media_type)).map(Some).map_err(Error::internal)
    }
}
