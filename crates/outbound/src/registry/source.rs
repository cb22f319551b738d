//! The body of a request that comes from somewhere else and whose length is known.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream as _};
use http_body::{Frame, SizeHint};

use crate::connection::BoxError;

/// A stream that must have as many bytes as was said. What comes after them is not asked for.
pub(super) struct Source {
    stream: BoxStream<'static, Result<Bytes, BoxError>>,
    left: u64,
}

/// The stream has another length.
#[derive(Debug, thiserror::Error)]
enum LengthError {
    #[error("it ended {0} bytes early")]
    Short(u64),
    #[error("it has more bytes than was said")]
    Long,
}

impl Source {
    pub(super) fn new(stream: BoxStream<'static, Result<Bytes, BoxError>>, size: u64) -> Self {
        Self { stream, left: size }
    }
}

impl http_body::Body for Source {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let chunk = match Pin::new(&mut self.stream).poll_next(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(chunk))) => chunk,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
            Poll::Ready(None) if self.left == 0 => return Poll::Ready(None),
            Poll::Ready(None) => {
                return Poll::Ready(Some(Err(LengthError::Short(self.left).into())));
            }
        };
        match self.left.checked_sub(chunk.len() as u64) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Some(Err(LengthError::Long.into()))),
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
