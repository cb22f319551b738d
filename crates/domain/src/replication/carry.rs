//! The job that carries the changes of one repository to one destination, oldest first.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::ReplicationDestination;
use super::queue::{self, Change, Outcome, QueuedChange};
use super::replicate_deletion::ReplicateDeletion;
use super::replicate_image::{ReplicateImage, Replicated};
use super::replicate_layer::ReplicateLayer;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::{Operation, Tx, execute};
use crate::jobs::{Job, Lease, Limits, Next, Run};
use crate::names::{AccountId, Digest, Region};
use crate::params;
use crate::repositories::{self, RepositoryAddress};
use crate::services;

/// Changes carried in one run; other jobs have their turn between two.
const BATCH: usize = 50;
/// Images that one index may have below it.
const DESCENDANTS_MAX: usize = 50_000;
/// How often what is missing at the destination is sent, should it vanish again meanwhile.
const SENDINGS_MAX: u32 = 3;

/// Carries what is queued.
#[derive(Debug, Serialize, Deserialize)]
pub struct CarryOver {
    account: String,
    repository_id: i64,
    to_account: String,
    to_region: String,
    /// How many changes earlier runs carried.
    done: u64,
}

impl CarryOver {
    pub(super) fn new(
        account: &AccountId,
        repository_id: i64,
        destination: &ReplicationDestination,
    ) -> Self {
        Self {
            account: account.to_string(),
            repository_id,
            to_account: destination.account.clone(),
            to_region: destination.region.clone(),
            done: 0,
        }
    }
}

impl Job for CarryOver {
    const KIND: &'static str = "replicate";
    const LIMITS: Limits = Limits { concurrency: 4, ..Limits::DEFAULT };

    fn key(&self) -> String {
        format!("{} {} {}", self.repository_id, self.to_account, self.to_region)
    }

    fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account).ok()
    }

    async fn run(mut self, run: &Run<'_>) -> Result<Next<Self>> {
        let to = ReplicationDestination {
            region: self.to_region.clone(),
            account: self.to_account.clone(),
        };
        for _ in 0..BATCH {
            let mut tx = run.read().await?;
            let source = repositories::address_of(&mut tx, self.repository_id).await?;
            let item = queue::first(&mut tx, self.repository_id, &to).await?;
            drop(tx);
            let (Some(source), Some(item)) = (source, item) else { return Ok(Next::Done) };
            let carrier = Carrier::new(run, self.repository_id, source, &to)?;
            carrier.carry(&item).await?;
            self.done += 1;
            run.progress(self.done, None);
        }
        Ok(Next::Continue(self))
    }
}

/// Carries one change.
struct Carrier<'a> {
    run: &'a Run<'a>,
    repository_id: i64,
    source: RepositoryAddress,
    to: &'a ReplicationDestination,
    destination: RepositoryAddress,
    context: RequestContext,
}

impl<'a> Carrier<'a> {
    fn new(
        run: &'a Run<'a>,
        repository_id: i64,
        source: RepositoryAddress,
        to: &'a ReplicationDestination,
    ) -> Result<Self> {
        let account = AccountId::parse(&to.account).map_err(Error::internal)?;
        let region = Region::parse(&to.region).map_err(Error::internal)?;
        let context =
            run.linked_context(services::REPLICATION, source.account, (account, region.clone()));
        let destination = RepositoryAddress { account, region, name: source.name.clone() };
        Ok(Self { run, repository_id, source, to, destination, context })
    }

    /// # Errors
    /// What may go by itself: the change stays where it is.
    async fn carry(&self, item: &QueuedChange) -> Result<()> {
        let carried = match item.change {
            Change::Push => self.push(item).await,
            Change::Delete => {
                let operation = ReplicateDeletion { to: self.to(), queued: item.clone() };
                self.execute(operation).await.map(|()| None)
            }
        };
        let failed = match carried {
            Ok(failed) => failed,
            Err(error) => Some(Failed { error, of_child: false }),
        };
        let Some(Failed { error, of_child }) = failed else { return Ok(()) };
        let Some(code) = failure_code(error.kind()) else { return Err(error) };
        tracing::warn!(
            repository = self.source.arn(), destination = self.destination.arn(), digest = %item.digest,
            code, error = chain(&error), "an image is not replicated"
        );
        let children = if of_child { vec![code] } else { Vec::new() };
        let mut tx = self.run.write().await?;
        let outcome = Outcome::Failed { code, children };
        let of = (self.repository_id, self.to);
        queue::settle(&mut tx, self.run.app, of, item, &outcome).await?;
        let between = (&self.source, &self.destination);
        queue::publish(&mut tx, self.run.app, between, item, "FAILED").await?;
        self.run.commit(tx).await
    }

    /// An image with what it refers to, children first.
    async fn push(&self, item: &QueuedChange) -> Result<Option<Failed>> {
        let mut tx = self.run.read().await?;
        let children = descendants(&mut tx, self.repository_id, &item.digest).await?;
        drop(tx);
        for child in children {
            if let Err(error) = self.copy(&child, None).await {
                return Ok(Some(Failed { error, of_child: true }));
            }
        }
        match self.copy(&item.digest, Some(item)).await {
            Ok(()) => Ok(None),
            Err(error) => Ok(Some(Failed { error, of_child: false })),
        }
    }

    /// One image; what is missing at the destination goes before it.
    async fn copy(&self, digest: &Digest, item: Option<&QueuedChange>) -> Result<()> {
        for _ in 0..SENDINGS_MAX {
            let operation =
                ReplicateImage { to: self.to(), digest: digest.clone(), queued: item.cloned() };
            match self.execute(operation).await? {
                Replicated::Done => return Ok(()),
                Replicated::Missing(layers) => {
                    for digest in layers {
                        self.execute(ReplicateLayer { to: self.to(), digest }).await?;
                    }
                }
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "Layers vanish from the destination while their image is copied.",
        ))
    }

    fn to(&self) -> To {
        To {
            source: self.source.clone(),
            repository_id: self.repository_id,
            destination: self.destination.clone(),
            lease: self.run.lease(),
        }
    }

    async fn execute<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let context = RequestContext { now: self.run.app.clock.now(), ..self.context.clone() };
        execute(self.run.app, &context, operation).await
    }
}

/// From where, to where, and by what right.
#[derive(Clone, Debug)]
pub struct To {
    /// The repository that is copied.
    pub source: RepositoryAddress,
    /// Its row: a repository that was made again under the name is another one.
    pub repository_id: i64,
    /// The repository that gets the copy.
    pub destination: RepositoryAddress,
    /// The job's right to go on.
    pub lease: Lease,
}

impl To {
    pub(super) fn registry(&self) -> ReplicationDestination {
        ReplicationDestination {
            region: self.destination.region.to_string(),
            account: self.destination.account.to_string(),
        }
    }
}

struct Failed {
    error: Error,
    of_child: bool,
}

/// How clients are told that a copy failed for good; `None` for what goes by itself. ECR does not
/// publish its codes.
fn failure_code(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Unavailable
        | ErrorKind::Internal
        | ErrorKind::StorageFull
        | ErrorKind::Throttled
        | ErrorKind::UploadBusy => return None,
        ErrorKind::AccessDenied => "AccessDenied",
        ErrorKind::Unauthenticated | ErrorKind::AccountNotFound => "RegistryNotFound",
        ErrorKind::LimitExceeded => "LimitExceeded",
        ErrorKind::LayersNotFound | ErrorKind::ReferencedImagesNotFound => "ImageIncomplete",
        _ => "ReplicationFailed",
    })
}

/// The images below an index that the repository holds, each after what is below it.
async fn descendants(tx: &mut Tx, repository_id: i64, digest: &Digest) -> Result<Vec<Digest>> {
    let root = tx
        .optional(
            "SELECT id FROM images WHERE repository_id = $1 AND digest = $2",
            params![repository_id, digest.as_str()],
        )
        .await?;
    let Some(root) = root else { return Ok(Vec::new()) };
    let root: i64 = root.get(0)?;
    let (mut seen, mut below) = (HashSet::new(), Vec::new());
    // What is below an image lies above it on the stack, so it comes first.
    let mut stack = vec![(root, digest.clone(), false)];
    while let Some((id, digest, is_walked)) = stack.pop() {
        if is_walked {
            below.push(digest);
            continue;
        }
        if !seen.insert(id) {
            continue;
        }
        if seen.len() > DESCENDANTS_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("More than {DESCENDANTS_MAX} images are below one index."),
            ));
        }
        stack.push((id, digest, true));
        let children = tx
            .all(
                "SELECT images.id, images.digest FROM image_children \
                 JOIN images ON images.id = image_children.child_image_id \
                 WHERE image_children.image_id = $1 ORDER BY image_children.position",
                params![id],
            )
            .await?;
        for row in &children {
            let digest = Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
            stack.push((row.get(0)?, digest, false));
        }
    }
    // The index itself.
    below.pop();
    Ok(below)
}
