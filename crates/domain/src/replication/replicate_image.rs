//! Writing the copy of an image.

use std::time::Duration;

use super::carry::{Source, To};
use super::queue::{self, Outcome, QueuedChange};
use super::refinements::ReplicationRefinements;
use super::settings;
use crate::blobs;
use crate::context::RequestContext;
use crate::encryption;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::manifest::Manifest;
use crate::images::precondition::Precondition;
use crate::images::put_image::{self, NewImage};
use crate::images::{self, ImageRecord, tags};
use crate::names::{Digest, Tag};
use crate::objects::Tier;
use crate::registries::Document as _;
use crate::repositories::create::NewRepository;
use crate::repositories::{self, Repository};
use crate::templates::{self, AppliedFor};

/// What brings images into a registry (Amazon ECR user guide, "Private registry permissions").
pub(super) const ACTION: &str = "ecr:ReplicateImage";
const CREATE: &str = "ecr:CreateRepository";

/// Copies an image of one repository to another one, as far as the layers are there; makes the
/// repository if need be. Idempotent.
#[derive(Clone, Debug)]
pub struct ReplicateImage {
    /// From where to where.
    pub to: To,
    /// Which image.
    pub digest: Digest,
    /// What is carried with it; a child of an index comes without.
    pub queued: Option<QueuedChange>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replicated {
    /// It is there, or is gone from where it was.
    Done,
    /// These layers must be there first; the repository is.
    Missing(Vec<Digest>),
    /// The repository that is copied has another name by now, and nothing was done.
    Renamed,
}

impl Operation for ReplicateImage {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ReplicateImage" };
    type Output = Replicated;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let resource = self.to.destination.resource();
        vec![Demand::new(ACTION, resource.clone()), Demand::new(CREATE, resource).optional()]
    }

    async fn run(self, call: Call<'_>) -> Result<Replicated> {
        let To { source, repository_id, destination, lease } = &self.to;
        let mut tx = call.read().await?;
        let found = match self.to.source(&mut tx).await? {
            Source::There(found) => Some(found),
            Source::Gone => None,
            Source::Renamed => return Ok(Replicated::Renamed),
        };
        let image = match &found {
            Some(repository) => images::find_by_digest(&mut tx, repository, &self.digest).await?,
            None => None,
        };
        let bytes = match (&found, &image) {
            (Some(repository), Some(image)) => {
                Some(images::manifest_bytes(call.app, &mut tx, repository, image).await?)
            }
            _ => None,
        };
        drop(tx);
        let domain = encryption::ensure_account_domain(&call, destination).await?;

        let mut tx = call.write().await?;
        lease.hold(&mut tx, call.app.clock.now()).await?;
        if matches!(self.to.source(&mut tx).await?, Source::Renamed) {
            drop(tx);
            return Ok(Replicated::Renamed);
        }
        let between = (*repository_id, &self.to.registry());
        let (Some(from), Some(image), Some(bytes)) = (found, image, bytes) else {
            if let Some(queued) = &self.queued {
                queue::settle(&mut tx, call.app, between, queued, &Outcome::Moot).await?;
            }
            call.commit(tx).await?;
            return Ok(Replicated::Done);
        };
        let manifest = Manifest::parse(&bytes, Some(&image.media_type)).map_err(Error::internal)?;
        let repository = self.repository(&mut tx, &call, &from).await?;
        let missing = provide(&mut tx, &call, (&from, &repository), &manifest).await?;
        if !missing.is_empty() {
            call.commit(tx).await?;
            return Ok(Replicated::Missing(missing));
        }
        let tag = self.tag(&mut tx, &from, &image).await?;
        let mut movable = Vec::new();
        if let Some(tag) = &tag {
            // Where the tag is taken and may not move, the image comes without it, as in ECR.
            match tags::movable(&mut tx, &repository, tag, &Precondition::default()).await? {
                Ok(tag) => movable.push(tag),
                Err(refusal) if refusal.kind() == ErrorKind::ImageTagAlreadyExists => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let new = NewImage { manifest: &manifest, bytes: &bytes, digest: &self.digest };
        put_image::store(&mut tx, &call, (&repository, &domain), new, movable).await?;
        if let Some(queued) = &self.queued {
            queue::settle(&mut tx, call.app, between, queued, &Outcome::Complete).await?;
            queue::publish(&mut tx, call.app, (source, destination), queued, "SUCCESS").await?;
        }
        call.commit(tx).await?;
        if let Some(queued) = &self.queued {
            let waited = call.app.clock.now().0.saturating_sub(queued.queued_at.0);
            let waited = Duration::from_millis(u64::try_from(waited).unwrap_or(0));
            call.app.metrics.record_replicated(waited);
        }
        Ok(Replicated::Done)
    }
}

impl ReplicateImage {
    /// The repository at the destination. A template for replication shapes it when it is made.
    async fn repository(
        &self,
        tx: &mut Tx,
        call: &Call<'_>,
        from: &Repository,
    ) -> Result<Repository> {
        let address = &self.to.destination;
        if let Some(found) = repositories::find(tx, address).await? {
            return Ok(found);
        }
        call.permit().require(call.context, CREATE, &address.resource())?;
        let made = match templates::applies(tx, address, AppliedFor::Replication).await? {
            Some(template) => templates::create_repository(tx, call, address, template).await?,
            None => {
                repositories::create::insert(tx, call, address, NewRepository::default()).await?
            }
        };
        let refinements = ReplicationRefinements::load(tx, Some(from.registry_id)).await?;
        if let Some(refinement) = refinements.of(&self.to.registry()) {
            settings::note_all(tx, call.app, from, refinement).await?;
        }
        Ok(made)
    }

    /// The tag, while it still names the image. Where it went it arrives with what it names now.
    async fn tag(
        &self,
        tx: &mut Tx,
        from: &Repository,
        image: &ImageRecord,
    ) -> Result<Option<Tag>> {
        let tag = self.queued.as_ref().and_then(|queued| queued.tag.as_ref());
        let Some(tag) = tag else { return Ok(None) };
        let named = images::find_by_tag(tx, from, tag).await?;
        Ok(named.is_some_and(|named| named.id == image.id).then(|| tag.clone()))
    }
}

impl To {
    /// The repository that is copied, if it is still the same and where it was.
    pub(super) async fn source(&self, tx: &mut Tx) -> Result<Source> {
        Ok(match repositories::by_id(tx, self.repository_id).await? {
            Some(found) if found.address == self.source => Source::There(found),
            Some(_) => Source::Renamed,
            None => Source::Gone,
        })
    }
}

/// Lets the destination hold what its account has already; the layers that it lacks. What the
/// source does not hold either is not for this to judge.
async fn provide(
    tx: &mut Tx,
    call: &Call<'_>,
    (from, to): (&Repository, &Repository),
    manifest: &Manifest,
) -> Result<Vec<Digest>> {
    let mut missing = Vec::new();
    for descriptor in manifest.required_blobs() {
        let digest = &descriptor.digest;
        let there = blobs::find_whole(tx, to, digest).await?;
        let is_served = there.is_some_and(|blob| !blob.archived && blob.tier == Tier::Standard);
        if is_served || missing.contains(digest) {
            continue;
        }
        let Some(held) = blobs::find_whole(tx, from, digest).await? else { continue };
        // Whoever brings the copy has the bytes, so nothing becomes known by this.
        match blobs::find_in_account(tx, &to.address.account, digest).await? {
            Some(blob_id) => {
                blobs::hold(tx, call, to, blob_id, digest, held.size).await?;
            }
            None => missing.push(digest.clone()),
        }
    }
    Ok(missing)
}
