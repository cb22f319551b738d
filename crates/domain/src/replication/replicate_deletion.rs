//! Carrying a deletion over.

use super::carry::{Source, To};
use super::queue::{self, Outcome, QueuedChange};
use super::replicate_image::ACTION;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::batch_delete_image::{OfChild, delete};
use crate::images::{self, ImageIdentifier, tags};
use crate::repositories::{self, Repository};

/// Removes at the destination what the source lost, and no more: a tag only where it names the
/// image that it named there, an image only when it has no tag. Idempotent; nothing happens, and the
/// change stays queued, where the repository has another name by now.
#[derive(Clone, Debug)]
pub struct ReplicateDeletion {
    /// From where to where.
    pub to: To,
    /// What was deleted.
    pub queued: QueuedChange,
}

impl Operation for ReplicateDeletion {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ReplicateDeletion" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        // Whoever may bring images into a registry may not for that reason remove some.
        let resource = self.to.destination.resource();
        vec![Demand::new(ACTION, resource.clone()), Demand::new("ecr:BatchDeleteImage", resource)]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        self.to.lease.hold(&mut tx, call.app.clock.now()).await?;
        let from = match self.to.source(&mut tx).await? {
            Source::There(from) => Some(from),
            Source::Gone => None,
            Source::Renamed => {
                drop(tx);
                return Ok(());
            }
        };
        let to = repositories::find(&mut tx, &self.to.destination).await?;
        if let (Some(from), Some(to)) = (from, to) {
            self.remove(&mut tx, &call, &from, &to).await?;
        }
        let between = (self.to.repository_id, &self.to.registry());
        queue::settle(&mut tx, call.app, between, &self.queued, &Outcome::Complete).await?;
        call.commit(tx).await?;
        call.app.garbage.wake();
        Ok(())
    }
}

impl ReplicateDeletion {
    async fn remove(
        &self,
        tx: &mut Tx,
        call: &Call<'_>,
        from: &Repository,
        to: &Repository,
    ) -> Result<()> {
        let digest = &self.queued.digest;
        let is_kept = images::find_by_digest(tx, from, digest).await?.is_some();
        let Some(image) = images::find_by_digest(tx, to, digest).await? else { return Ok(()) };
        let id = match &self.queued.tag {
            Some(tag) => {
                // Made again since: its push comes later.
                let made_again = images::find_by_tag(tx, from, tag).await?.is_some();
                let named = images::find_by_tag(tx, to, tag).await?;
                if made_again || named.is_none_or(|named| named.id != image.id) {
                    return Ok(());
                }
                if is_kept {
                    return tags::remove(tx, call, to, tag, &image).await;
                }
                ImageIdentifier { digest: None, tag: Some(tag.clone()) }
            }
            None if is_kept || !tags::of_image(tx, image.id).await?.is_empty() => return Ok(()),
            None => ImageIdentifier { digest: Some(digest.clone()), tag: None },
        };
        // A child of an index stays while the index does.
        delete(tx, call, to, &id, OfChild::RemoveTag).await.map(drop)
    }
}
