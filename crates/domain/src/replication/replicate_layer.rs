//! Copying the bytes of a layer to another account, where they are sealed under its own keys.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::{self, Stream};

use super::carry::To;
use super::pace::Pace;
use super::replicate_image::ACTION;
use crate::blobs::{self, BlobReader};
use crate::context::RequestContext;
use crate::encryption::container::SPAN_PLAIN_BYTES;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::Digest;
use crate::repositories;
use crate::uploads::receive::{Origin, receive};
use crate::uploads::{BodyError, BodyStream};

/// Copies a layer. Idempotent; nothing becomes visible that does not have the digest.
///
/// # Errors
/// [`ErrorKind::BlobNotFound`] where the source does not hold it any more.
#[derive(Clone, Debug)]
pub struct ReplicateLayer {
    /// From where to where.
    pub to: To,
    /// Which layer.
    pub digest: Digest,
}

impl Operation for ReplicateLayer {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ReplicateLayer" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(ACTION, self.to.destination.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.read().await?;
        let gone =
            || Error::new(ErrorKind::BlobNotFound, format!("The layer {} is gone.", self.digest));
        // Whatever its name is now: its image says whether it is still copied.
        let from = repositories::by_id(&mut tx, self.to.repository_id).await?.ok_or_else(gone)?;
        let blob = blobs::find_whole(&mut tx, &from, &self.digest).await?.ok_or_else(gone)?;
        let reader = BlobReader::open(call.app, &mut tx, &from, &self.digest, &blob).await?;
        let to = repositories::get(&mut tx, &self.to.destination).await?;
        drop(tx);
        let origin = match reader.is_sealed() {
            true => Origin::Sealed(reader.size()),
            false => Origin::Stored,
        };
        let body = body(reader, Arc::clone(&call.app.replication_pace));
        receive(&call, &to, body, &self.digest, origin).await
    }
}

fn body(reader: BlobReader, pace: Arc<Pace>) -> BodyStream {
    Box::pin(spans(reader, pace).map_err(|error| BodyError(error.to_string())))
}

/// The bytes, as fast as the operator lets all copies together be.
pub(super) fn spans(
    reader: BlobReader,
    pace: Arc<Pace>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let read = |(reader, pace, offset): (BlobReader, Arc<Pace>, u64)| async move {
        if offset >= reader.size() {
            return Ok(None);
        }
        let wanted = (reader.size() - offset).min(SPAN_PLAIN_BYTES as u64);
        pace.spend(wanted).await;
        let span = reader.read_at(offset, SPAN_PLAIN_BYTES).await?;
        if span.is_empty() {
            return Err(Error::internal("a layer ends early"));
        }
        let next = offset + span.len() as u64;
        Ok(Some((span, (reader, pace, next))))
    };
    stream::try_unfold((reader, pace, 0), read)
}
