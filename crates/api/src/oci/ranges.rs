//! A blob as a body: whole, or the ranges that a client asked for.

use bytes::Bytes;
use futures_util::stream;
use std::sync::Arc;
use tonnage_domain::app::App;
use tonnage_domain::blobs::BlobReader;
use tonnage_domain::error::Error;

use crate::body::{Body, SpanStream};

/// Bytes read and sent at a time.
const SPAN_BYTES: u64 = 256 * 1024;

/// A stretch of an answer.
pub(super) enum Piece {
    /// Bytes in memory.
    Text(Bytes),
    /// `length` bytes of the blob from `offset`.
    Span { offset: u64, length: u64 },
}

/// A body of pieces, read as the client takes them.
pub(super) fn body(app: &Arc<App>, blob: BlobReader, pieces: Vec<Piece>) -> Body {
    let length = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(bytes) => bytes.len() as u64,
            Piece::Span { length, .. } => *length,
        })
        .sum();
    let state = State { app: Arc::clone(app), blob, pieces: pieces.into_iter(), current: None };
    let spans: SpanStream = Box::pin(stream::try_unfold(state, next));
    Body::spans(spans, length)
}

struct State {
    app: Arc<App>,
    blob: BlobReader,
    pieces: std::vec::IntoIter<Piece>,
    /// Offset and length of what is left of the current span.
    current: Option<(u64, u64)>,
}

async fn next(mut state: State) -> Result<Option<(Bytes, State)>, Error> {
    loop {
        if let Some((offset, left)) = state.current.take() {
            let wanted = usize::try_from(left.min(SPAN_BYTES)).unwrap_or(usize::MAX);
            let bytes = state.blob.read_at(offset, wanted).await?;
            if bytes.is_empty() {
                return Err(Error::internal("a blob is shorter than its row says"));
            }
            let read = bytes.len() as u64;
            state.app.metrics.record_sent(read);
            if read < left {
                state.current = Some((offset + read, left - read));
            }
            return Ok(Some((bytes, state)));
        }
        match state.pieces.next() {
            None => return Ok(None),
            Some(Piece::Text(bytes)) => return Ok(Some((bytes, state))),
            Some(Piece::Span { length: 0, .. }) => {}
            Some(Piece::Span { offset, length }) => state.current = Some((offset, length)),
        }
    }
}
