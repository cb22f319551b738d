//! Answers of registries, and their bodies under limits.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout};

use super::error::Error;
use super::headers;
use crate::connection::Body;

/// Bytes that must come within the time of a stall, if there is no end before.
const PACE_BYTES: usize = 16 * 1024;
/// Bytes of a body that nobody wants which are read so that the connection can be used again.
const DRAIN_BYTES_MAX: usize = 64 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The head of an answer, and a body that was not read yet.
pub(super) struct Answer {
    /// Who answered, for texts.
    pub(super) host: String,
    response: Response<Body>,
}

impl Answer {
    pub(super) fn new(response: Response<Body>, host: String) -> Self {
        Self { host, response }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(super) fn invalid(&self, what: &str) -> Error {
        Error::Invalid(format!("{} {what}", self.host))
    }

    /// Reads what is left of a short body, so that the next request needs no new connection.
    pub(super) async fn drain(self) {
        let mut body = self.response.into_body();
        let whole = async {
            let mut left = DRAIN_BYTES_MAX;
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                let Some(rest) = left.checked_sub(length) else { return };
                left = rest;
            }
        };
        let _ = timeout(DRAIN_TIME, whole).await;
    }

    /// Why the answer is none that was hoped for.
    pub(super) async fn refuse(self) -> Error {
        let host = self.host.clone();
        let status = self.status();
        let error = match status {
            StatusCode::NOT_FOUND => Error::NotFound(host),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Denied(host),
            StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = headers::retry_after(self.headers(), SystemTime::now());
                Error::TooManyRequests { host, retry_after }
            }
            StatusCode::PRECONDITION_FAILED => Error::Changed(host),
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Error::Unavailable(format!("{host} answered with status {}", status.as_u16()))
            }
            _ => Error::Invalid(format!("{host} answered with status {}", status.as_u16())),
        };
        self.drain().await;
        error
    }

    /// The whole body.
    pub(super) async fn collect(self, bytes_max: usize, stall: Duration) -> Result<Bytes, Error> {
        let large = || {
            Error::Invalid(format!("the answer of {} is larger than {bytes_max} bytes", self.host))
        };
        if headers::is_encoded(self.headers()) {
            return Err(self.invalid("compressed what was not to be compressed"));
        }
        let said = self.response.body().size_hint().lower();
        let too_large = large();
        if said > bytes_max as u64 {
            return Err(too_large);
        }
        let mut paced = Paced::new(self.response.into_body(), self.host, stall);
        let mut whole = BytesMut::new();
        while let Some(chunk) = paced.next().await? {
            if chunk.len() > bytes_max - whole.len() {
                return Err(too_large);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The body as it arrives, with its size if that was said.
    pub(super) fn stream(self, stall: Duration) -> Result<Blob, Error> {
        if headers::is_encoded(self.headers()) {
            return Err(self.invalid("compressed what was not to be compressed"));
        }
        let size = self.response.body().size_hint().exact();
        let paced = Paced::new(self.response.into_body(), self.host, stall);
        let body = stream::unfold(Some(paced), |paced| async {
            let mut paced = paced?;
            match paced.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(paced))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Blob { size, body: body.boxed() })
    }
}

/// A blob as it arrives. Its digest is not verified, and without a size it may be endless: whoever
/// reads it does that and counts.
pub struct Blob {
    /// `Content-Length`, if the registry says it.
    pub size: Option<u64>,
    /// The bytes; the stream ends early with an error if the connection breaks or stalls.
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

/// A body that must keep a pace, however slow. Time during which nobody asks for more of it does
/// not count.
struct Paced {
    body: Body,
    host: String,
    stall: Duration,
    /// How long the bytes that are still missing may be waited for.
    patience: Duration,
    missing: usize,
}

impl Paced {
    fn new(body: Body, host: String, stall: Duration) -> Self {
        Self { body, host, stall, patience: stall, missing: PACE_BYTES }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let since = Instant::now();
            let Ok(frame) = timeout(self.patience, self.body.frame()).await else {
                return Err(Error::Unavailable(format!("{} stopped in the middle", self.host)));
            };
            let frame = frame.transpose().map_err(|error| {
                Error::Unavailable(format!("{} broke off in the middle: {error}", self.host))
            })?;
            let Some(frame) = frame else { return Ok(None) };
            // Whatever else a frame may be says nothing about the bytes.
            let Ok(chunk) = frame.into_data() else { continue };
            match self.missing.checked_sub(chunk.len()) {
                Some(missing @ 1..) => {
                    self.missing = missing;
                    self.patience = self.patience.saturating_sub(since.elapsed());
                }
                Some(0) | None => {
                    self.missing = PACE_BYTES;
                    self.patience = self.stall;
                }
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }
}
