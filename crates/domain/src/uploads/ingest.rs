//! Takes a body in: hashes and stores it span by span while the next span arrives.
//!
//! Memory is bounded by two spans. Hashing and writing run off the async threads; a span under way
//! holds the upload's lock, so that a request that is dropped in the middle never writes beside
//! the next one.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::{BLOB_BYTES_MAX, BodyStream, Upload, UploadLock};
use crate::app::App;
use crate::blobs::INLINE_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};
use crate::names::Hasher;
use crate::objects::{ObjectWriter, SPAN_BYTES_MAX};

/// How a body ended.
pub(super) enum End {
    /// With its last byte.
    Complete,
    /// Early; what arrived before is stored.
    Broken(Error),
}

/// Appends `body` to `upload` and makes it durable; the caller then saves the row.
///
/// # Errors
/// When the store cannot write, or the blob grows past [`BLOB_BYTES_MAX`]. The row is then as it
/// was, and what was written past it is cut off by the next request.
pub(super) async fn ingest(
    app: &App,
    upload: &mut Upload,
    mut body: BodyStream,
    lock: &Arc<UploadLock>,
) -> Result<End> {
    let received_before = upload.received;
    let mut spans = Spans::open(app, upload, lock).await?;
    let mut end = End::Complete;
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => {
                upload.received += chunk.len() as u64;
                if upload.received > BLOB_BYTES_MAX {
                    return Err(Error::new(
                        ErrorKind::LimitExceeded,
                        format!("A layer has at most {BLOB_BYTES_MAX} bytes."),
                    ));
                }
                spans.push(&chunk).await?;
            }
            Err(error) => {
                end = End::Broken(
                    Error::new(
                        ErrorKind::BodyIncomplete,
                        "The request body ended before its last byte; what arrived is kept, ask \
                         for the upload's status and go on from there.",
                    )
                    .caused_by(error),
                );
                break;
            }
        }
    }
    spans.finish(upload).await?;
    app.metrics.record_received(upload.received - received_before);
    Ok(end)
}

/// What a span under way gives back.
type AfterSpan = (Hasher, Box<dyn ObjectWriter>);

struct Spans<'a> {
    app: &'a App,
    lock: Arc<UploadLock>,
    object_id: crate::objects::ObjectId,
    /// Absent while a span is under way.
    hasher: Option<Hasher>,
    /// Absent before the object is made and while a span is under way.
    writer: Option<Box<dyn ObjectWriter>>,
    has_object: bool,
    /// What has arrived and is not under way; before there is an object, everything so far.
    pending: BytesMut,
    /// How much of `pending` was hashed by earlier requests.
    hashed: usize,
    under_way: Option<JoinHandle<Result<AfterSpan>>>,
}

impl<'a> Spans<'a> {
    async fn open(app: &'a App, upload: &mut Upload, lock: &Arc<UploadLock>) -> Result<Self> {
        let has_object = upload.received > INLINE_BYTES_MAX as u64;
        let writer = if has_object {
            Some(app.objects.resume(&upload.object_id, upload.received).await?)
        } else {
            None
        };
        let pending = BytesMut::from(upload.tail.as_slice());
        Ok(Self {
            app,
            lock: Arc::clone(lock),
            object_id: upload.object_id.clone(),
            hasher: Some(upload.hasher.clone()),
            writer,
            has_object,
            hashed: pending.len(),
            pending,
            under_way: None,
        })
    }

    async fn push(&mut self, mut chunk: &[u8]) -> Result<()> {
        while !chunk.is_empty() {
            let room = SPAN_BYTES_MAX - self.pending.len();
            let (now, later) = chunk.split_at(room.min(chunk.len()));
            self.pending.extend_from_slice(now);
            chunk = later;
            if self.pending.len() == SPAN_BYTES_MAX {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Starts hashing and writing what is pending, after the span before it.
    async fn send(&mut self) -> Result<()> {
        self.settle().await?;
        if !self.has_object {
            // A crash after an earlier attempt may have left bytes under this id.
            self.app.objects.delete(&self.object_id).await?;
            self.writer = Some(self.app.objects.create(&self.object_id).await?);
            self.has_object = true;
        }
        let span = self.pending.split().freeze();
        let unhashed = span.slice(std::mem::take(&mut self.hashed)..);
        let (Some(hasher), Some(mut writer)) = (self.hasher.take(), self.writer.take()) else {
            return Err(Error::internal("an upload's span was sent twice"));
        };
        let lock = Arc::clone(&self.lock);
        self.under_way = Some(tokio::spawn(async move {
            let _lock = lock;
            let hashing = tokio::task::spawn_blocking(move || hash(hasher, &unhashed));
            let written = writer.write(span).await;
            let hasher = hashing.await.map_err(Error::internal)?;
            written?;
            Ok((hasher, writer))
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        if let Some(task) = self.under_way.take() {
            let (hasher, writer) = task.await.map_err(Error::internal)??;
            self.hasher = Some(hasher);
            self.writer = Some(writer);
        }
        Ok(())
    }

    async fn finish(mut self, upload: &mut Upload) -> Result<()> {
        let stays_inline = !self.has_object && self.pending.len() <= INLINE_BYTES_MAX;
        if stays_inline {
            let unhashed = self.pending.get(self.hashed..).unwrap_or_default();
            if let Some(hasher) = &mut self.hasher {
                hasher.update(unhashed);
            }
            upload.tail = self.pending.to_vec();
        } else {
            if !self.pending.is_empty() {
                self.send().await?;
            }
            self.settle().await?;
            if let Some(writer) = &mut self.writer {
                writer.sync().await?;
            }
            upload.tail = Vec::new();
        }
        upload.hasher =
            self.hasher.take().ok_or_else(|| Error::internal("an upload lost its hash"))?;
        Ok(())
    }
}

fn hash(mut hasher: Hasher, bytes: &Bytes) -> Hasher {
    hasher.update(bytes);
    hasher
}
