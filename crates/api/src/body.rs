//! Bodies of answers: in memory, or a stream of spans with a known length.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::Stream;
use http_body::{Frame, SizeHint};
use tonnage_domain::error::Error;

/// The spans of a large answer.
pub type SpanStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// The body of an answer.
pub struct Body(Content);

enum Content {
    Full(Option<Bytes>),
    Spans { spans: SpanStream, left: u64 },
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self(Content::Full(None))
    }

    /// Bytes in memory.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Content::Full(Some(bytes.into()).filter(|bytes| !bytes.is_empty())))
    }

    /// Exactly `length` bytes from a stream. A stream that fails or ends early breaks the
    /// connection, so that the client never takes a part for the whole.
    pub fn spans(spans: SpanStream, length: u64) -> Self {
        Self(Content::Spans { spans, left: length })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            Content::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Spans { left: 0, .. } => Poll::Ready(None),
            Content::Spans { spans, left } => match spans.as_mut().poll_next(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(span))) => {
                    *left = left.saturating_sub(span.len() as u64);
                    Poll::Ready(Some(Ok(Frame::data(span))))
                }
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    Poll::Ready(Some(Err(Error::internal("an answer ended before its length"))))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Full(None) | Content::Spans { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Spans { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
