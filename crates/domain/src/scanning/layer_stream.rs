//! A stored layer on its way to the indexer, which blocks and so has a thread of its own.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tonnage_scanner::layers::{LayerError, LayerIndex, Limits, TemporaryFiles, index_layer};

use crate::blobs::BlobReader;
use crate::error::{Error, ErrorKind, Result};
use crate::objects::SPAN_BYTES_MAX;

/// Spans that wait for the indexer.
const SPANS: usize = 2;
/// How long one layer may take.
const LAYER_TIME: Duration = Duration::from_secs(15 * 60);
/// Most bytes of files that are read out of order, for one layer.
const SCRATCH_BYTES_MAX: u64 = 3 << 30;

/// Reads a layer and makes its index; the inner error is the layer's, and stays.
///
/// # Errors
/// When the layer could not be read to its end, the scratch space failed, or it took too long:
/// another attempt may help.
pub(super) async fn index(
    reader: &BlobReader,
    media_type: &str,
    scratch: &Path,
) -> Result<Result<LayerIndex, LayerError>> {
    let (sender, receiver) = channel(SPANS);
    let stop = Stop::default();
    let stopped = Arc::clone(&stop.0);
    let scratch = scratch.to_owned();
    let media_type = media_type.to_owned();
    let indexing = tokio::task::spawn_blocking(move || {
        if let Err(error) = std::fs::create_dir_all(&scratch) {
            return Err(LayerError::Scratch(error));
        }
        let scratch = TemporaryFiles::new(scratch, SCRATCH_BYTES_MAX);
        let spans = Spans { receiver, rest: Bytes::new() };
        let mut proceed = || !stopped.load(Ordering::Relaxed);
        index_layer(spans, Some(&media_type), &Limits::default(), &scratch, &mut proceed)
    });
    let both = async { tokio::join!(send(reader, sender), indexing) };
    let both = tokio::time::timeout(LAYER_TIME, both).await;
    let (sent, indexed) = both.map_err(|late| unread().caused_by(late))?;
    drop(stop);
    // What is the store's fault is not the layer's.
    sent?;
    match indexed {
        Ok(Err(
            error @ (LayerError::Interrupted | LayerError::Source(_) | LayerError::Scratch(_)),
        )) => Err(unread().caused_by(error)),
        Ok(indexed) => Ok(indexed),
        // It would panic again.
        Err(error) if error.is_panic() => {
            tracing::error!(%error, "the indexer of layers panicked");
            Ok(Err(LayerError::Unsupported("the scanner has a defect that it meets".to_owned())))
        }
        Err(error) => Err(unread().caused_by(error)),
    }
}

fn unread() -> Error {
    Error::new(ErrorKind::Unavailable, "A layer could not be read; trying again.")
}

/// Ends the indexing when whoever waits for it has gone.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends the layer's bytes until there are no more, or the indexer wants no more.
async fn send(reader: &BlobReader, sender: Sender<Result<Bytes, ()>>) -> Result<()> {
    let mut offset = 0;
    while offset < reader.size() {
        let span = match reader.read_at(offset, SPAN_BYTES_MAX).await {
            Ok(span) if span.is_empty() => {
                Err(Error::internal("a blob is shorter than its row says"))
            }
            read => read,
        };
        match span {
            Ok(span) => {
                offset += span.len() as u64;
                if sender.send(Ok(span)).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) => {
                // The indexer has the layer for whole otherwise.
                let _ = sender.send(Err(())).await;
                return Err(error);
            }
        }
    }
    Ok(())
}

/// What was sent, as the indexer reads it.
struct Spans {
    receiver: Receiver<Result<Bytes, ()>>,
    rest: Bytes,
}

impl Read for Spans {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.rest.has_remaining() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(Ok(span)) => self.rest = span,
                Some(Err(())) => return Err(io::Error::other("the layer could not be read")),
            }
        }
        let length = into.len().min(self.rest.remaining());
        self.rest.copy_to_slice(into.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
