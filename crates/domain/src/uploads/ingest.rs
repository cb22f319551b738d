//! Takes a body in: hashes, seals and stores it span by span while the next span arrives.
//!
//! Memory is bounded by a few spans. Hashing, sealing and writing run off the async threads; a span under way
//! holds the upload's lock, so that a request that is dropped in the middle never writes beside
//! the next one.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{Either, ready};
use futures_util::{FutureExt as _, StreamExt};
use tokio::task::JoinHandle;

use super::pending::Pending;
use super::{BodyStream, Upload, UploadLock};
use crate::app::App;
use crate::encryption::container::{CHUNK_BYTES, Container, SPAN_PLAIN_BYTES};
use crate::error::{Error, ErrorKind, Result};
use crate::names::Hasher;
use crate::objects::{ObjectId, ObjectWriter};

/// How a body ended.
pub(super) enum End {
    /// With its last byte.
    Complete,
    /// Early; what arrived before is stored.
    Broken(Error),
}

/// Appends `body` to `upload` and makes it durable; the caller then saves the row. With `ends` the
/// object, if there is one, is finished: its last chunk is written too.
///
/// # Errors
/// When the store cannot write, or the blob grows past what the registry takes. The row is then as it
/// was, and what was written past it is cut off by the next request.
pub(super) async fn ingest(
    app: &App,
    upload: &mut Upload,
    body: Option<BodyStream>,
    ends: bool,
    lock: &Arc<UploadLock>,
) -> Result<End> {
    ingest_as(app, upload, body, ends, lock, Manner::default()).await
}

/// Is told how many bytes of an upload can be read from its object. They are whole chunks, and the
/// last chunk of the object is never among them.
pub(super) type Watch = Arc<dyn Fn(u64) + Send + Sync>;

/// How bytes are taken in that are not a request's.
#[derive(Default)]
pub(super) struct Manner {
    /// Who watches.
    pub(super) watch: Option<Watch>,
    /// Whether their digest is known by other means. The upload has none then.
    pub(super) is_proven: bool,
}

/// As [`ingest`], of bytes that are not a request's.
///
/// # Errors
/// As [`ingest`].
pub(super) async fn ingest_as(
    app: &App,
    upload: &mut Upload,
    body: Option<BodyStream>,
    ends: bool,
    lock: &Arc<UploadLock>,
    manner: Manner,
) -> Result<End> {
    let received_before = upload.received;
    let chunks_before = upload.chunks();
    let mut spans = Spans { manner, ..Spans::new(app, upload, lock) };
    let taken = match take(upload, body, &mut spans).await {
        Ok(end) => {
            let ends = ends && matches!(end, End::Complete);
            spans.finish(ends).await.map(|()| end)
        }
        Err(error) => Err(error),
    };
    match taken {
        Ok(end) => {
            (upload.hasher, upload.tail) = spans.into_parts()?;
            app.metrics.record_received(upload.received - received_before);
            Ok(end)
        }
        Err(error) => {
            spans.abandon(chunks_before).await;
            Err(error)
        }
    }
}

async fn take(upload: &mut Upload, body: Option<BodyStream>, spans: &mut Spans<'_>) -> Result<End> {
    let Some(mut body) = body else { return Ok(End::Complete) };
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => {
                upload.received += chunk.len() as u64;
                if upload.received > upload.bytes_max {
                    return Err(Error::new(
                        ErrorKind::LimitExceeded,
                        format!("A layer has at most {} bytes.", upload.bytes_max),
                    ));
                }
                spans.push(chunk).await?;
            }
            Err(error) => {
                return Ok(End::Broken(
                    Error::new(
                        ErrorKind::BodyIncomplete,
                        "The request body ended before its last byte; what arrived is kept, ask \
                         for the upload's status and go on from there.",
                    )
                    .caused_by(error),
                ));
            }
        }
    }
    Ok(End::Complete)
}

/// What a span under way gives back.
type AfterSpan = (Hasher, Box<dyn ObjectWriter>);

struct Spans<'a> {
    app: &'a App,
    lock: Arc<UploadLock>,
    object_id: ObjectId,
    container: Arc<Container>,
    /// Absent while a span is under way.
    hasher: Option<Hasher>,
    /// Absent before the first span and while one is under way.
    writer: Option<Box<dyn ObjectWriter>>,
    /// Whole chunks in the object, the span under way included.
    chunks: u64,
    /// What has arrived and is not under way.
    pending: Pending,
    /// What is not in the object at the end.
    tail: Bytes,
    /// How much of `pending` earlier requests have hashed.
    hashed: usize,
    under_way: Option<JoinHandle<Result<AfterSpan>>>,
    manner: Manner,
}

impl<'a> Spans<'a> {
    fn new(app: &'a App, upload: &Upload, lock: &Arc<UploadLock>) -> Self {
        Self {
            app,
            lock: Arc::clone(lock),
            object_id: upload.object_id.clone(),
            container: Arc::clone(&upload.container),
            hasher: Some(upload.hasher.clone()),
            writer: None,
            chunks: upload.chunks(),
            pending: Pending::of(&upload.tail),
            tail: Bytes::new(),
            hashed: upload.tail.len(),
            under_way: None,
            manner: Manner::default(),
        }
    }

    async fn push(&mut self, mut chunk: Bytes) -> Result<()> {
        loop {
            chunk = self.pending.extend(chunk);
            if chunk.is_empty() {
                return Ok(());
            }
            self.send(SPAN_PLAIN_BYTES, false).await?;
        }
    }

    /// Starts hashing and writing the first `length` bytes of what is pending, after the span
    /// before it.
    async fn send(&mut self, length: usize, ends: bool) -> Result<()> {
        self.settle().await?;
        if self.writer.is_none() {
            self.writer = Some(self.open().await?);
        }
        let span = self.pending.take(length);
        let hashed = self.hashed.min(span.len());
        self.hashed -= hashed;
        let first = self.chunks;
        self.chunks += (length / CHUNK_BYTES) as u64;
        let (Some(hasher), Some(mut writer)) = (self.hasher.take(), self.writer.take()) else {
            return Err(Error::internal("an upload's span was sent twice"));
        };
        let lock = Arc::clone(&self.lock);
        let container = Arc::clone(&self.container);
        let watch = self.manner.watch.clone().filter(|_| !ends);
        let is_proven = self.manner.is_proven;
        let readable = self.chunks * CHUNK_BYTES as u64;
        self.under_way = Some(tokio::spawn(async move {
            let _lock = lock;
            let unhashed = if is_proven { Bytes::new() } else { span.slice(hashed..) };
            let hashing = hash(hasher, unhashed);
            let sealing = tokio::task::spawn_blocking(move || container.store(first, &span, ends));
            let stored = sealing.await.map_err(Error::internal)??;
            let written = writer.write(stored).await;
            let hasher = hashing.await?;
            written?;
            if let Some(watch) = watch {
                watch(readable);
            }
            Ok((hasher, writer))
        }));
        Ok(())
    }

    /// The object, where the chunks before end.
    async fn open(&mut self) -> Result<Box<dyn ObjectWriter>> {
        if self.chunks > 0 {
            let length = self.container.stored_bytes_of_chunks(self.chunks);
            return Ok(self.app.objects.resume(&self.object_id, length).await?);
        }
        // An attempt that failed may have left bytes under this id.
        self.app.objects.delete(&self.object_id).await?;
        Ok(self.app.objects.create(&self.object_id).await?)
    }

    async fn settle(&mut self) -> Result<()> {
        if let Some(task) = self.under_way.take() {
            let (hasher, writer) = task.await.map_err(Error::internal)??;
            self.hasher = Some(hasher);
            self.writer = Some(writer);
        }
        Ok(())
    }

    /// Writes whole chunks, and with `ends` the last one, and syncs. What is not in the object
    /// stays pending.
    async fn finish(&mut self, ends: bool) -> Result<()> {
        while self.pending.len() > CHUNK_BYTES {
            let whole = (self.pending.len() - 1) / CHUNK_BYTES * CHUNK_BYTES;
            self.send(whole.min(SPAN_PLAIN_BYTES), false).await?;
        }
        self.tail = Bytes::copy_from_slice(self.pending.bytes());
        if ends && self.chunks > 0 {
            self.send(self.tail.len(), true).await?;
        }
        self.settle().await?;
        if let Some(hasher) = &mut self.hasher
            && !self.manner.is_proven
        {
            hasher.update(self.pending.bytes().get(self.hashed..).unwrap_or_default());
        }
        if let Some(writer) = &mut self.writer {
            writer.sync().await?;
        }
        Ok(())
    }

    /// The digest, and what follows the whole chunks in the object.
    fn into_parts(self) -> Result<(Hasher, Bytes)> {
        let hasher = self.hasher.ok_or_else(|| Error::internal("an upload lost its digest"))?;
        Ok((hasher, self.tail))
    }

    /// Gives back the space of what was not acknowledged: on a full disk it is what others need.
    /// That it fails is no new failure; the next request on the upload, or the sweep, does it.
    async fn abandon(mut self, chunks_before: u64) {
        let _ = self.settle().await;
        drop(self.writer.take());
        let given_back = if chunks_before == 0 {
            self.app.objects.delete(&self.object_id).await
        } else {
            let length = self.container.stored_bytes_of_chunks(chunks_before);
            self.app.objects.resume(&self.object_id, length).await.map(drop)
        };
        if let Err(error) = given_back {
            tracing::warn!(
                error = crate::error::chain(&error),
                "give back the space of a failed upload"
            );
        }
    }
}

/// Begins at once, on a thread of its own, unless there is nothing to hash.
fn hash(mut hasher: Hasher, bytes: Bytes) -> impl Future<Output = Result<Hasher>> + Send {
    if bytes.is_empty() {
        return Either::Left(ready(Ok(hasher)));
    }
    let hashing = tokio::task::spawn_blocking(move || {
        hasher.update(&bytes);
        hasher
    });
    Either::Right(hashing.map(|hashed| hashed.map_err(Error::internal)))
}
