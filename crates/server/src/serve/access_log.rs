//! One line per request, written when the last byte of the answer was handed over or the client
//! went away. Never in it: query strings and download links, which are secrets, and credentials.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tonnage_api::body::Body;
use tonnage_api::request::Response;
use tonnage_domain::error::{Error, chain};

use super::arrival::Origin;

/// Where paths hold a token that opens a layer for whoever has it.
const DOWNLOAD_PREFIX: &str = "/layers/";
/// Bytes of a path that are logged.
const PATH_BYTES_MAX: usize = 1024;

/// What the line says, as far as it is known before the answer.
#[derive(Debug)]
pub(super) struct Line {
    method: Method,
    path: String,
    request_id: String,
    source_address: IpAddr,
    started: Instant,
}

impl Line {
    /// What is known of a request that just arrived.
    pub(super) fn new(
        request: &http::Request<Incoming>,
        origin: &Origin,
        request_id: String,
        started: Instant,
    ) -> Self {
        Self {
            method: request.method().clone(),
            path: printable(request.uri().path()),
            request_id,
            source_address: origin.source_address,
            started,
        }
    }

    /// The method of the request.
    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    fn write(&self, status: StatusCode, bytes: u64, error: Option<&str>) {
        let millis = self.started.elapsed().as_secs_f64() * 1000.0;
        // Probes come every few seconds and say nothing.
        if matches!(self.path.as_str(), "/healthz" | "/readyz" | "/metrics") && status.is_success()
        {
            tracing::debug!(
                target: "tonnage::access", method = %self.method, path = self.path,
                status = status.as_u16(), "request"
            );
            return;
        }
        tracing::info!(
            target: "tonnage::access",
            method = %self.method,
            path = self.path,
            status = status.as_u16(),
            bytes,
            ms = (millis * 10.0).round() / 10.0,
            request_id = self.request_id,
            source = %self.source_address,
            error,
            "request"
        );
    }
}

fn printable(path: &str) -> String {
    if path.starts_with(DOWNLOAD_PREFIX) {
        return format!("{DOWNLOAD_PREFIX}…");
    }
    let mut end = path.len().min(PATH_BYTES_MAX);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    path.get(..end).unwrap_or_default().to_owned()
}

/// The body of an answer that writes its line when it ends.
pub(super) struct Logged {
    inner: Body,
    line: Line,
    status: StatusCode,
    bytes: u64,
    error: Option<String>,
    complete: bool,
}

impl Logged {
    /// Lets a response write `line` when it ends.
    pub(super) fn new(response: Response, line: Line) -> http::Response<Self> {
        let (head, inner) = response.into_parts();
        let complete = inner.is_end_stream();
        let logged = Self { inner, line, status: head.status, bytes: 0, error: None, complete };
        http::Response::from_parts(head, logged)
    }
}

impl hyper::body::Body for Logged {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.complete = self.inner.is_end_stream();
            }
            Poll::Ready(Some(Err(error))) => self.error = Some(chain(error)),
            Poll::Ready(None) => self.complete = true,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // The body of an answer to HEAD is never asked for.
        let broken = !self.complete && self.line.method != Method::HEAD;
        let gone = broken.then_some("the client went away before the end of the answer");
        self.line.write(self.status, self.bytes, self.error.as_deref().or(gone));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(printable(path), expected);
    }

    #[test]
    fn paths_are_logged_without_secrets_and_not_without_end() {
        check("/v2/my-app/manifests/latest", "/v2/my-app/manifests/latest");
        check("/layers/c2VjcmV0", "/layers/…");
        let long = "/é".repeat(PATH_BYTES_MAX);
        assert!(printable(&long).len() <= PATH_BYTES_MAX);
        assert!(long.starts_with(&printable(&long)));
    }
}
