//! Bodies of requests as the domain reads them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tonnage_domain::uploads::{BodyError, BodyStream};

/// How long a client may send nothing of a body.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// How much of a body that nobody wants is read, so that the client reads our answer rather than
/// see a reset connection.
const UNWANTED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long that may take.
const UNWANTED_TIME: Duration = Duration::from_secs(10);

/// The request with its body as the domain reads it.
pub(super) fn convert(request: http::Request<Incoming>) -> http::Request<BodyStream> {
    let waits_for_continue = request.headers().contains_key(EXPECT);
    request.map(|incoming| {
        if incoming.is_end_stream() {
            Box::pin(stream::empty()) as BodyStream
        } else {
            Box::pin(RequestBody {
                incoming: Some(incoming),
                idle: None,
                waiting: false,
                waits_for_continue,
            })
        }
    })
}

struct RequestBody {
    /// Absent once it ended.
    incoming: Option<Incoming>,
    /// Made when the client first sends nothing.
    idle: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    /// The client sends nothing until somebody asks for it.
    waits_for_continue: bool,
}

impl RequestBody {
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(IDLE_TIME)));
        if !self.waiting {
            self.waiting = true;
            idle.as_mut().reset(Instant::now() + IDLE_TIME);
        }
        match idle.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.incoming = None;
                let seconds = IDLE_TIME.as_secs();
                Poll::Ready(Some(Err(BodyError(format!("no byte came for {seconds} seconds")))))
            }
        }
    }
}

impl Stream for RequestBody {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.waits_for_continue = false;
        loop {
            let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
            match Pin::new(incoming).poll_frame(context) {
                Poll::Pending => return self.wait(context),
                Poll::Ready(None) => {
                    self.incoming = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.incoming = None;
                    return Poll::Ready(Some(Err(BodyError(describe(&error)))));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = false;
                    // Trailers mean nothing in any protocol here.
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

fn describe(error: &hyper::Error) -> String {
    tonnage_domain::error::chain(error)
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take()
            && !incoming.is_end_stream()
            && !self.waits_for_continue
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(timeout(UNWANTED_TIME, discard(incoming)));
        }
    }
}

async fn discard(mut incoming: Incoming) {
    let mut left = UNWANTED_BYTES_MAX;
    while let Some(Ok(frame)) = incoming.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
