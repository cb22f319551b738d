//! Carrying a change to a registry of another deployment, in the protocols that clients speak.
//!
//! Every step may be repeated: what is there is asked first. No transaction is open while the peer is
//! asked. What the peer took is written down afterwards; where that is lost, the peer is asked again
//! and has it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::carry::{Carrier, Source, side_by_side};
use super::peer::{PeerError, TagCondition};
use super::peers::{self, Session, error_of};
use super::queue::{self, Outcome, QueuedChange};
use super::replicate_layer::spans;
use super::replicate_setting::Plan;
use super::settings::{self, SettingChange};
use crate::blobs::{self, BlobReader};
use crate::error::{Error, ErrorKind, Result};
use crate::images::manifest::Manifest;
use crate::images::{self, ImageRecord};
use crate::names::{Digest, Reference, Tag};
use crate::params;
use crate::pull_through::upstream::{ManifestHead, UpstreamError};
use crate::repositories::Repository;

/// An image as it is here.
struct Held {
    repository: Repository,
    image: ImageRecord,
    bytes: bytes::Bytes,
    manifest: Manifest,
}

/// Why a request to a peer, or what was done for it here, came to nothing.
enum Stopped {
    Here(Error),
    There(PeerError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

impl From<PeerError> for Stopped {
    fn from(error: PeerError) -> Self {
        Self::There(error)
    }
}

impl Stopped {
    fn into_error(self) -> Error {
        match self {
            Self::Here(error) => error,
            Self::There(error) => error_of(error),
        }
    }
}

impl Carrier<'_> {
    /// As [`Carrier::copy`].
    pub(super) async fn copy_to_peer(
        &self,
        digest: &Digest,
        item: Option<&QueuedChange>,
    ) -> Result<bool> {
        let mut tx = self.run.read().await?;
        let repository = match self.to().source(&mut tx).await? {
            Source::There(found) => Some(found),
            Source::Renamed => return Ok(false),
            Source::Gone => None,
        };
        let image = match &repository {
            Some(repository) => images::find_by_digest(&mut tx, repository, digest).await?,
            None => None,
        };
        let (Some(repository), Some(image)) = (repository, image) else {
            drop(tx);
            self.settle(item, &Outcome::Moot).await?;
            return Ok(true);
        };
        let bytes = images::manifest_bytes(self.run.app, &mut tx, &repository, &image).await?;
        drop(tx);
        let manifest = Manifest::parse(&bytes, Some(&image.media_type)).map_err(Error::internal)?;
        let held = Held { repository, image, bytes, manifest };
        self.bring(&held, item.and_then(|item| item.tag.as_ref())).await?;
        self.settle(item, &Outcome::Complete).await?;
        if let Some(item) = item {
            let waited = self.run.app.clock.now().0.saturating_sub(item.queued_at.0);
            let waited = Duration::from_millis(u64::try_from(waited).unwrap_or(0));
            self.run.app.metrics.record_replicated(waited);
        }
        Ok(true)
    }

    async fn settle(&self, item: Option<&QueuedChange>, outcome: &Outcome) -> Result<()> {
        let Some(item) = item else { return Ok(()) };
        let mut tx = self.run.write().await?;
        queue::settle(&mut tx, self.run.app, (self.repository_id, self.to), item, outcome).await?;
        self.run.commit(tx).await
    }

    /// Sends an image. Logs in anew where the peer does not take what it gave before, and makes the
    /// repository where it is not there.
    async fn bring(&self, held: &Held, tag: Option<&Tag>) -> Result<()> {
        let (mut is_made, mut is_new) = (false, false);
        loop {
            let session = self.enter().await?;
            let stopped = match self.send(&session, held, tag).await {
                Ok(()) => return Ok(()),
                Err(stopped) => stopped,
            };
            match stopped {
                Stopped::There(PeerError::Peer(UpstreamError::Denied(_))) if !is_new => {
                    self.forget();
                    is_new = true;
                }
                Stopped::There(PeerError::Peer(UpstreamError::NotFound(_))) if !is_made => {
                    self.make_repository(&session, held).await?;
                    is_made = true;
                }
                // The repository is there, so it is what the manifest refers to that is not.
                Stopped::There(PeerError::Peer(UpstreamError::NotFound(_)))
                    if !self.is_whole(held).await? =>
                {
                    let message = "The repository does not hold all that the manifest names.";
                    return Err(Error::new(ErrorKind::LayersNotFound, message));
                }
                stopped => return Err(stopped.into_error()),
            }
        }
    }

    async fn enter(&self) -> Result<Arc<Session>> {
        let peer = self.peer.ok_or_else(|| Error::internal("the destination is of no peer"))?;
        peers::enter(self.run, (&self.source, self.to), peer).await
    }

    fn forget(&self) {
        self.run.app.peer_sessions.forget(&self.source, self.to);
    }

    async fn make_repository(&self, session: &Session, held: &Held) -> Result<()> {
        let name = self.destination.name.as_str();
        let made = peers::writer(self.run)?.create_repository(&session.access, name).await;
        made.map_err(error_of)?;
        if let Some(refinement) = self.refinement {
            let mut tx = self.run.write().await?;
            settings::note_all(&mut tx, self.run.app, &held.repository, refinement).await?;
            self.run.commit(tx).await?;
        }
        Ok(())
    }

    async fn is_whole(&self, held: &Held) -> Result<bool> {
        let mut tx = self.run.read().await?;
        for descriptor in held.manifest.required_blobs() {
            let found = blobs::find_whole(&mut tx, &held.repository, &descriptor.digest).await?;
            if found.is_none() {
                return Ok(false);
            }
        }
        for child in &held.manifest.children {
            let found =
                images::find_by_digest(&mut tx, &held.repository, &child.descriptor.digest).await?;
            if found.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn send(&self, session: &Session, held: &Held, tag: Option<&Tag>) -> Result<(), Stopped> {
        let (peers, origin) = (peers::writer(self.run)?, &session.origin);
        let name = self.destination.name.as_str();
        let digest = Reference::Digest(held.image.digest.clone());
        let mut is_there = peers.head_manifest(origin, name, &digest).await?.is_some();
        if !is_there {
            let layers: BTreeSet<&Digest> =
                held.manifest.required_blobs().map(|layer| &layer.digest).collect();
            side_by_side(layers, |digest| self.send_blob(session, held, digest)).await?;
        }
        let put = |reference: Reference, condition: TagCondition| async move {
            let (media_type, bytes) = (held.image.media_type.as_str(), held.bytes.clone());
            peers.put_manifest(origin, name, &reference, media_type, bytes, &condition).await
        };
        if let Some(tag) = tag {
            let reference = Reference::Tag(tag.clone());
            let named = peers.head_manifest(origin, name, &reference).await?;
            if named.as_ref().and_then(|head| head.digest.as_ref()) == Some(&held.image.digest) {
                return Ok(());
            }
            let (is_taken, condition) = (named.is_some(), condition_on(named));
            // Only after the peer was asked: what a younger job sends there breaks the condition.
            if self.is_tagged_still(held, tag).await? {
                match put(reference, condition).await {
                    Ok(()) => return Ok(()),
                    // Where the tag may not move, the image comes without it, as in ECR.
                    Err(PeerError::Peer(UpstreamError::Invalid(_))) if is_taken => {
                        is_there = peers.head_manifest(origin, name, &digest).await?.is_some();
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if !is_there {
            put(digest, TagCondition::None).await?;
        }
        Ok(())
    }

    /// Whether the tag names the image. Where it went it arrives with what it names now.
    ///
    /// # Errors
    /// Where another job carries by now: it may have sent a younger image.
    async fn is_tagged_still(&self, held: &Held, tag: &Tag) -> Result<bool> {
        let mut tx = self.run.write().await?;
        let named = images::find_by_tag(&mut tx, &held.repository, tag).await?;
        Ok(named.is_some_and(|named| named.id == held.image.id))
    }

    /// A layer, unless it is there. What is not held here either is not for this to judge.
    async fn send_blob(
        &self,
        session: &Session,
        held: &Held,
        digest: &Digest,
    ) -> Result<(), Stopped> {
        let (peers, origin) = (peers::writer(self.run)?, &session.origin);
        let name = self.destination.name.as_str();
        if peers.has_blob(origin, name, digest).await? {
            return Ok(());
        }
        if let Some(other) = self.also_in(held, digest).await?
            && peers.mount_blob(origin, name, digest, &other).await?
        {
            return Ok(());
        }
        let mut tx = self.run.read().await?;
        let Some(blob) = blobs::find_whole(&mut tx, &held.repository, digest).await? else {
            return Ok(());
        };
        let app = self.run.app;
        let reader = BlobReader::open(app, &mut tx, &held.repository, digest, &blob).await?;
        drop(tx);
        let size = reader.size();
        let body = spans(reader, Arc::clone(&app.replication_pace)).boxed();
        peers.push_blob(origin, name, digest, size, body).await?;
        Ok(())
    }

    /// Another repository that has brought the layer to the destination.
    async fn also_in(&self, held: &Held, digest: &Digest) -> Result<Option<String>> {
        let mut tx = self.run.read().await?;
        let row = tx
            .optional(
                "SELECT repositories.name FROM repository_blobs AS own \
                 JOIN image_blobs ON image_blobs.blob_id = own.blob_id \
                 JOIN replications ON replications.image_id = image_blobs.image_id \
                 JOIN repositories ON repositories.id = image_blobs.repository_id \
                 WHERE own.repository_id = $1 AND image_blobs.digest = $2 \
                 AND repositories.registry_id = $3 AND repositories.id <> $1 \
                 AND replications.account_id = $4 AND replications.region = $5 \
                 AND replications.status = 'COMPLETE' LIMIT 1",
                params![
                    held.repository.id,
                    digest.as_str(),
                    held.repository.registry_id,
                    &self.to.account,
                    &self.to.region,
                ],
            )
            .await?;
        Ok(row.map(|row| row.get(0)).transpose()?)
    }

    /// Removes at a peer what the source lost, and no more: a tag only where it names the image that
    /// it named there, an image only when it has no tag.
    ///
    /// # Errors
    /// As [`Carrier::carry`].
    pub(super) async fn remove_from_peer(&self, item: &QueuedChange) -> Result<()> {
        let mut tx = self.run.write().await?;
        let repository = match self.to().source(&mut tx).await? {
            Source::There(found) => found,
            Source::Renamed => return Ok(()),
            Source::Gone => {
                drop(tx);
                return self.settle(Some(item), &Outcome::Complete).await;
            }
        };
        let is_kept = images::find_by_digest(&mut tx, &repository, &item.digest).await?.is_some();
        // Made again since: its push comes later.
        let is_again = match &item.tag {
            Some(tag) => images::find_by_tag(&mut tx, &repository, tag).await?.is_some(),
            None => is_kept,
        };
        drop(tx);
        if !is_again {
            let session = self.enter().await?;
            let removed = self.remove(&session, item).await;
            if let Err(PeerError::Peer(UpstreamError::Denied(_))) = &removed {
                self.forget();
            }
            // The peer removes an image with its last tag; here it may be left without.
            if removed.map_err(error_of)? && is_kept {
                self.copy_to_peer(&item.digest, None).await?;
            }
        }
        self.settle(Some(item), &Outcome::Complete).await
    }

    /// Whether anything was removed.
    async fn remove(&self, session: &Session, item: &QueuedChange) -> Result<bool, PeerError> {
        let Some(peers) = self.run.app.peers.as_ref() else { return Ok(false) };
        let (origin, name) = (&session.origin, self.destination.name.as_str());
        let reference = match &item.tag {
            Some(tag) => {
                let reference = Reference::Tag(tag.clone());
                let named = peers.head_manifest(origin, name, &reference).await?;
                if named.and_then(|head| head.digest).as_ref() != Some(&item.digest) {
                    return Ok(false);
                }
                reference
            }
            None => match peers.tags_of(&session.access, name, &item.digest).await? {
                Some(tags) if tags.is_empty() => Reference::Digest(item.digest.clone()),
                _ => return Ok(false),
            },
        };
        let condition = match &item.tag {
            Some(_) => TagCondition::Names(item.digest.clone()),
            None => TagCondition::None,
        };
        match peers.delete_manifest(origin, name, &reference, &condition).await {
            // A child of an index stays while the index does.
            Err(PeerError::Peer(UpstreamError::Invalid(_))) if item.tag.is_none() => Ok(false),
            removed => removed,
        }
    }

    /// Sets at a peer what is planned, and says what came of it.
    ///
    /// # Errors
    /// As [`Carrier::carry`].
    pub(super) async fn set_at_peer(
        &self,
        change: &SettingChange,
        plan: &Plan,
        carried: Option<String>,
    ) -> Result<settings::Outcome> {
        let session = self.enter().await?;
        let name = self.destination.name.as_str();
        let was = change.carried.as_deref();
        let set = peers::writer(self.run)?.set(&session.access, name, plan, was).await;
        if let Err(PeerError::Peer(UpstreamError::Denied(_))) = &set {
            self.forget();
        }
        Ok(match set.map_err(error_of)? {
            true => settings::Outcome::Complete { carried },
            false => settings::Outcome::Dropped,
        })
    }
}

/// That a tag still names what it named when the peer was asked.
fn condition_on(named: Option<ManifestHead>) -> TagCondition {
    match named {
        None => TagCondition::Absent,
        Some(ManifestHead { digest: Some(digest), .. }) => TagCondition::Names(digest),
        // Only some registries say it with a head.
        Some(ManifestHead { digest: None, .. }) => TagCondition::None,
    }
}
