//! One connection, and the body of an answer that comes over it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::pool::Lease;
use crate::target::Target;

/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What the body of a request may fail with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request.
pub(crate) type Payload = UnsyncBoxBody<Bytes, BoxError>;
/// Where requests go into a connection.
pub(crate) type Sender = http1::SendRequest<Payload>;

pub(crate) async fn handshake<T>(
    target: &Target,
    io: TokioIo<T>,
) -> Result<(Sender, Connection), Error>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(io)
        .await
        .map_err(|error| Error::Http(target.host.clone(), error))?;
    // Its failure shows in the answer or its body.
    let task = tokio::spawn(async move { drop(connection.await) });
    Ok((sender, Connection(task)))
}

/// The task that moves the bytes of a connection; it ends with whoever waits for them.
pub(crate) struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a body keeps alive while it is read.
pub(crate) enum Held {
    /// A connection of its own, which ends with it.
    Alone {
        /// The connection.
        _connection: Connection,
    },
    /// A connection that others may use after it.
    Shared(Lease),
}

/// The body of an answer, as it arrives. Dropping it before its end closes the connection.
pub struct Body {
    incoming: Incoming,
    held: Option<Held>,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, held: Held) -> Self {
        Self { incoming, held: Some(held) }
    }

    fn end(&mut self, complete: bool) {
        if let Some(Held::Shared(lease)) = self.held.take()
            && complete
        {
            lease.give_back();
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let complete = http_body::Body::is_end_stream(&self.incoming);
        self.end(complete);
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.end(true),
            Poll::Ready(Some(Err(_))) => self.end(false),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.incoming.size_hint()
    }
}
