//! The job that carries the changes of one repository to one destination, oldest first.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use super::queue::{self, Change, Outcome, QueuedChange};
use super::refinements::{DestinationRefinement, ReplicationRefinements};
use super::replicate_deletion::ReplicateDeletion;
use super::replicate_image::{ReplicateImage, Replicated};
use super::replicate_layer::ReplicateLayer;
use super::replicate_setting::{self, Planned, ReplicateSetting, SettingReplicated};
use super::settings::{self, SettingChange};
use super::{ReplicationDestination, TREE_MAX};
use crate::app::Settings;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::{Operation, Tx, execute};
use crate::jobs::{Job, Lease, Limits, Named, Next, Run};
use crate::names::{AccountId, Digest, Region, Tag};
use crate::params;
use crate::registries::Document as _;
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::services;

/// Changes carried in one run; other jobs have their turn between two.
const BATCH: usize = 50;
/// What refers to one image and has no tag, as far as it is carried with the image.
const REFERRERS_MAX: i64 = 1_000;
/// How often what is missing at the destination is sent, should it vanish again meanwhile.
const SENDINGS_MAX: u32 = 3;
/// Layers of one image that are copied at a time: while one is synced, the next one is read.
const LAYERS_AT_ONCE: usize = 2;

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

    /// The repository and the destination of a job's key.
    pub(super) fn parse_key(key: &str) -> Option<(i64, ReplicationDestination)> {
        let mut parts = key.split(' ');
        let repository_id = parts.next()?.parse().ok()?;
        let (account, region) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some((repository_id, ReplicationDestination { region, account }))
    }
}

impl Job for CarryOver {
    const KIND: &'static str = "replicate";
    const KEY_NAMES: &'static [Named] = &[Named::Repository];
    /// Another deployment may be away for most of a day before somebody has to look, and is tried
    /// within a quarter of an hour of its return.
    const LIMITS: Limits =
        Limits { concurrency: 4, attempts: 100, pause_seconds_max: 900, ..Limits::DEFAULT };

    fn concurrency(settings: &Settings) -> u32 {
        settings.replication_concurrency
    }

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
            let Some(source) = repositories::by_id(&mut tx, self.repository_id).await? else {
                return Ok(Next::Done);
            };
            let item = queue::first(&mut tx, self.repository_id, &to).await?;
            let change = settings::first(&mut tx, self.repository_id, &to).await?;
            let registry_id = Some(source.registry_id);
            let refinements = ReplicationRefinements::load(&mut tx, registry_id).await?;
            drop(tx);
            let refinement = refinements.of(&to);
            let carrier = Carrier::new(run, source, &to, refinement)?;
            match (item, change) {
                (None, None) => return Ok(Next::Done),
                (Some(item), change) if change.as_ref().is_none_or(|c| item.id < c.id) => {
                    carrier.carry(&item).await?;
                }
                (_, Some(change)) => carrier.carry_setting(&change).await?,
                (Some(_), None) => {}
            }
            self.done += 1;
            run.progress(self.done, None);
        }
        Ok(Next::Continue(self))
    }
}

/// Carries one change.
pub(super) struct Carrier<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) repository_id: i64,
    pub(super) source: RepositoryAddress,
    pub(super) to: &'a ReplicationDestination,
    /// What narrows down what this destination gets.
    pub(super) refinement: Option<&'a DestinationRefinement>,
    pub(super) destination: RepositoryAddress,
    /// The name and the URL of the deployment that has the destination, if it is another one.
    pub(super) peer: Option<(&'a str, &'a str)>,
    context: RequestContext,
}

impl<'a> Carrier<'a> {
    fn new(
        run: &'a Run<'a>,
        repository: Repository,
        to: &'a ReplicationDestination,
        refinement: Option<&'a DestinationRefinement>,
    ) -> Result<Self> {
        let (repository_id, source) = (repository.id, repository.address);
        let account = AccountId::parse(&to.account).map_err(Error::internal)?;
        let region = Region::parse(&to.region).map_err(Error::internal)?;
        let context =
            run.linked_context(services::REPLICATION, source.account, (account, region.clone()));
        let destination = RepositoryAddress { account, region, name: source.name.clone() };
        let peer = run.app.settings.peers.of(to);
        Ok(Self { run, repository_id, source, to, refinement, destination, peer, context })
    }

    /// # Errors
    /// What may go by itself: the change stays where it is. So it does when the repository has got
    /// another name meanwhile; its next turn is under that.
    async fn carry(&self, item: &QueuedChange) -> Result<()> {
        if !self.takes(item).await? {
            let mut tx = self.run.write().await?;
            let of = (self.repository_id, self.to);
            queue::settle(&mut tx, self.run.app, of, item, &Outcome::Excluded).await?;
            return self.run.commit(tx).await;
        }
        let carried = match item.change {
            Change::Push => self.push(item).await,
            Change::Delete if self.peer.is_some() => {
                self.remove_from_peer(item).await.map(|()| None)
            }
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
        if self.peer.is_none() {
            queue::publish(&mut tx, self.run.app, between, item, "FAILED").await?;
        }
        self.run.commit(tx).await
    }

    /// Whether the destination still gets the change: refinements may be younger than it.
    async fn takes(&self, item: &QueuedChange) -> Result<bool> {
        let Some(refinement) = self.refinement else { return Ok(true) };
        let tag = item.tag.as_ref().map(Tag::as_str);
        match (refinement.takes_repository(&self.source.name), item.change, tag) {
            (false, _, _) => Ok(false),
            (true, Change::Delete, None) => Ok(true),
            _ => {
                let mut tx = self.run.read().await?;
                refinement.takes(&mut tx, self.repository_id, &item.digest, tag).await
            }
        }
    }

    /// A setting of the repository.
    ///
    /// # Errors
    /// As [`Carrier::carry`].
    async fn carry_setting(&self, change: &SettingChange) -> Result<()> {
        let outcome = match self.set(change).await {
            Ok(None) => return Ok(()),
            Ok(Some(outcome)) => outcome,
            Err(error) => {
                let Some(code) = failure_code(error.kind()) else { return Err(error) };
                tracing::warn!(
                    repository = self.source.arn(),
                    destination = self.destination.arn(),
                    setting = change.setting.as_str(),
                    code,
                    error = chain(&error),
                    "a setting is not replicated"
                );
                settings::Outcome::Failed(code)
            }
        };
        let mut tx = self.run.write().await?;
        let of = (self.repository_id, self.to);
        settings::settle(&mut tx, self.run.app, of, change, outcome).await?;
        self.run.commit(tx).await
    }

    /// What came of it, unless that is written down already or the change has to be read anew.
    async fn set(&self, change: &SettingChange) -> Result<Option<settings::Outcome>> {
        let is_wanted = self.refinement.is_some_and(|refinement| {
            refinement.settings.contains(&change.setting)
                && refinement.takes_repository(&self.source.name)
        });
        if !is_wanted {
            return Ok(Some(settings::Outcome::Dropped));
        }
        let mut tx = self.run.read().await?;
        let planned = match self.to().source(&mut tx).await? {
            Source::There(from) => replicate_setting::plan(&mut tx, change, &from).await?,
            Source::Renamed | Source::Gone => return Ok(None),
        };
        drop(tx);
        let Some(Planned { plan, carried }) = planned else {
            return Ok(Some(settings::Outcome::Complete { carried: None }));
        };
        if self.peer.is_some() {
            return self.set_at_peer(change, &plan, carried).await.map(Some);
        }
        let operation = ReplicateSetting { to: self.to(), change: change.clone(), plan };
        Ok(match self.execute(operation).await? {
            SettingReplicated::Done | SettingReplicated::Changed => None,
            SettingReplicated::NoRepository => Some(settings::Outcome::Dropped),
        })
    }

    /// An image with what it refers to, children first; where only certain tags are taken, also with
    /// what refers to it and has none.
    async fn push(&self, item: &QueuedChange) -> Result<Option<Failed>> {
        let mut tx = self.run.read().await?;
        let mut before = descendants(&mut tx, self.repository_id, &item.digest).await?;
        let is_by_tag = self.refinement.is_some_and(DestinationRefinement::is_by_tag);
        if is_by_tag && item.tag.is_some() {
            before = with_referrers(&mut tx, self.repository_id, before, &item.digest).await?;
        }
        drop(tx);
        for child in before {
            match self.copy(&child, None).await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Ok(Some(Failed { error, of_child: true })),
            }
        }
        match self.copy(&item.digest, Some(item)).await {
            Ok(_) => Ok(None),
            Err(error) => Ok(Some(Failed { error, of_child: false })),
        }
    }

    /// One image; what is missing at the destination goes before it. Whether it is done, as far as
    /// it can be: otherwise the repository has got another name.
    async fn copy(&self, digest: &Digest, item: Option<&QueuedChange>) -> Result<bool> {
        if self.peer.is_some() {
            return self.copy_to_peer(digest, item).await;
        }
        for _ in 0..SENDINGS_MAX {
            let operation =
                ReplicateImage { to: self.to(), digest: digest.clone(), queued: item.cloned() };
            match self.execute(operation).await? {
                Replicated::Done => return Ok(true),
                Replicated::Renamed => return Ok(false),
                Replicated::Missing(layers) => {
                    side_by_side(layers, |digest| self.copy_layer(digest)).await?;
                }
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "Layers vanish from the destination while their image is copied.",
        ))
    }

    /// As a task of its own: whatever transactions it has are begun and ended beside those of others.
    async fn copy_layer(&self, digest: Digest) -> Result<()> {
        let operation = ReplicateLayer { to: self.to(), digest };
        let (app, context) = (Arc::clone(self.run.app), self.context_now());
        let copying = tokio::spawn(async move { execute(&app, &context, operation).await });
        AbortOnDropHandle::new(copying).await.map_err(Error::internal)?
    }

    pub(super) fn to(&self) -> To {
        To {
            source: self.source.clone(),
            repository_id: self.repository_id,
            destination: self.destination.clone(),
            lease: self.run.lease(),
        }
    }

    async fn execute<O: Operation>(&self, operation: O) -> Result<O::Output> {
        execute(self.run.app, &self.context_now(), operation).await
    }

    fn context_now(&self) -> RequestContext {
        RequestContext { now: self.run.app.clock.now(), ..self.context.clone() }
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

/// The repository that is copied, by its row.
pub(super) enum Source {
    /// It is where it was.
    There(Repository),
    /// It has another name by now.
    Renamed,
    /// It was deleted.
    Gone,
}

struct Failed {
    error: Error,
    of_child: bool,
}

/// Copies layers, some at a time. After a failure no other is begun, and those under way come to
/// their end: a copy that is dropped leaves an upload behind.
pub(super) async fn side_by_side<L, F, E>(
    layers: impl IntoIterator<Item = L>,
    copy: impl Fn(L) -> F,
) -> std::result::Result<(), E>
where
    F: Future<Output = std::result::Result<(), E>>,
{
    let (mut waiting, mut under_way) = (layers.into_iter(), FuturesUnordered::new());
    let mut copied = Ok(());
    loop {
        while copied.is_ok() && under_way.len() < LAYERS_AT_ONCE {
            let Some(layer) = waiting.next() else { break };
            under_way.push(copy(layer));
        }
        match under_way.next().await {
            Some(done) => copied = copied.and(done),
            None => return copied,
        }
    }
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
        ErrorKind::AccessDenied
        | ErrorKind::CredentialNotFound
        | ErrorKind::CredentialInaccessible
        | ErrorKind::CredentialUnreadable => "AccessDenied",
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
        if seen.len() > TREE_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("More than {TREE_MAX} images are below one index."),
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

/// What is below an image, and before the image itself what refers to any of it and has no tag, each
/// after what is below it.
async fn with_referrers(
    tx: &mut Tx,
    repository_id: i64,
    below: Vec<Digest>,
    digest: &Digest,
) -> Result<Vec<Digest>> {
    let mut seen: HashSet<Digest> = below.iter().cloned().collect();
    let mut all = below;
    let mut subjects = all.clone();
    subjects.push(digest.clone());
    while let Some(subject) = subjects.pop() {
        let referrers = tx
            .all(
                "SELECT digest FROM images WHERE repository_id = $1 AND subject_digest = $2 \
                 AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.image_id = images.id) \
                 ORDER BY id LIMIT $3",
                params![repository_id, subject.as_str(), REFERRERS_MAX],
            )
            .await?;
        for row in &referrers {
            let referrer = Digest::parse(&row.get::<String>(0)?).map_err(Error::internal)?;
            if referrer == *digest || seen.contains(&referrer) {
                continue;
            }
            let mut more = descendants(tx, repository_id, &referrer).await?;
            more.push(referrer);
            for digest in more {
                if seen.insert(digest.clone()) {
                    subjects.push(digest.clone());
                    all.push(digest);
                }
            }
            if all.len() > TREE_MAX {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    format!("More than {TREE_MAX} images belong to one image."),
                ));
            }
        }
    }
    Ok(all)
}
