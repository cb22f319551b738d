//! A client of one request, and what every answer must fulfil.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use tonnage_api::Arrival;
use tonnage_api::host::Host;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::uploads::{BodyError, BodyStream};

use crate::registry::Registry;

/// A request under construction; awaiting it sends it.
pub(crate) struct Call<'r> {
    registry: &'r Registry,
    request: String,
    headers: Vec<(&'static str, String)>,
    host: &'static str,
    secure: bool,
    body: BodyStream,
}

impl<'r> Call<'r> {
    pub(crate) fn new(registry: &'r Registry, request: String) -> Self {
        let headers = vec![("authorization", format!("Basic {}", registry.token))];
        let body: BodyStream = Box::pin(stream::empty());
        Self { registry, request, headers, host: "localhost:4510", secure: false, body }
    }

    /// Adds a header; an empty value removes it.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if name == "authorization" || value.is_empty() {
            self.headers.retain(|(present, _)| *present != name);
        }
        if !value.is_empty() {
            self.headers.push((name, value));
        }
        self
    }

    /// The host that the client uses.
    pub(crate) fn at(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    /// Over TLS.
    pub(crate) fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// A body of known length.
    pub(crate) fn body(self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len().to_string();
        self.with("content-length", length).stream(stream::iter([Ok(bytes)]))
    }

    /// A body without a length, in these chunks.
    pub(crate) fn chunked(self, chunks: Vec<Bytes>) -> Self {
        self.with("transfer-encoding", "chunked").stream(stream::iter(chunks.into_iter().map(Ok)))
    }

    /// A body that breaks off after these bytes.
    pub(crate) fn broken(self, bytes: impl Into<Bytes>, announced: usize) -> Self {
        let end = Err(BodyError("connection reset".to_owned()));
        self.with("content-length", announced.to_string())
            .stream(stream::iter([Ok(bytes.into()), end]))
    }

    /// Any body; headers are the caller's.
    pub(crate) fn stream(
        mut self,
        body: impl stream::Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    ) -> Self {
        self.body = Box::pin(body);
        self
    }

    async fn send(self) -> Answer {
        let (method, target) = self.request.split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let arrival = Arrival {
            source_address: [127, 0, 0, 1].into(),
            secure_transport: self.secure,
            endpoint: None,
            host: Host::parse(self.host).unwrap(),
            request_id: "test".to_owned(),
            now: self.registry.clock.now(),
        };
        let response = self.registry.api.handle(request.body(self.body).unwrap(), &arrival).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer =
            Answer { request: self.request, status: parts.status, headers: parts.headers, body };
        answer.is_well_formed();
        answer
    }
}

impl<'r> IntoFuture for Call<'r> {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send + 'r>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    request: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Holds the answer against `STATUS` or `STATUS CODE`, and headers: a value, `*` for any value,
    /// `-` for none.
    #[track_caller]
    pub(crate) fn check(self, expected: &str, headers: &[(&str, &str)]) -> Self {
        let found = match self.code() {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        };
        assert_eq!(found, expected, "{}: {}", self.request, self.text());
        for (name, value) in headers {
            let found = self.header(name);
            match *value {
                "*" => assert!(found.is_some(), "{}: no {name}", self.request),
                "-" => assert_eq!(found, None, "{}: {name}", self.request),
                value => assert_eq!(found, Some(value), "{}: {name}", self.request),
            }
        }
        self
    }

    /// Holds the text of the error, or of the whole body, against `expected`.
    #[track_caller]
    pub(crate) fn says(self, expected: &str) -> Self {
        let message = self.error().and_then(|error| Some(error["message"].as_str()?.to_owned()));
        let found = message.unwrap_or_else(|| self.text());
        assert_eq!(found, expected, "{}", self.request);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no json: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The path of `Location`, which is on the host that was asked.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        let location = self.header("location").expect("a Location");
        location.strip_prefix("http://localhost:4510").expect(location).to_owned()
    }

    /// The target of the `Link` to the next page.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        Some(target.expect(link).to_owned())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.body.get(..1000).unwrap_or(&self.body)).into_owned()
    }

    fn error(&self) -> Option<serde_json::Value> {
        if self.status.as_u16() < 400 || self.header("content-type")?.starts_with("text/") {
            return None;
        }
        serde_json::from_slice::<serde_json::Value>(&self.body).ok()?["errors"].get(0).cloned()
    }

    fn code(&self) -> Option<String> {
        Some(self.error()?["code"].as_str()?.to_owned())
    }

    /// What holds for every answer: RFC 9110, and the section "Error Codes" of the specification.
    fn is_well_formed(&self) {
        let request = &self.request;
        assert_eq!(
            self.header("docker-distribution-api-version"),
            Some("registry/2.0"),
            "{request}"
        );
        let length = self.header("content-length").map(|text| text.parse::<usize>().unwrap());
        let is_head = request.starts_with("HEAD ");
        if is_head || matches!(self.status.as_u16(), 204 | 304) {
            assert!(self.body.is_empty(), "{request}: a body");
        } else if let Some(length) = length {
            assert_eq!(length, self.body.len(), "{request}: Content-Length");
        }
        if self.status == StatusCode::NO_CONTENT {
            assert_eq!(length, None, "{request}: RFC 9110, 8.6");
        }
        if is_head && self.status == StatusCode::OK {
            assert!(length.is_some(), "{request}: no Content-Length");
        }
        if self.status == StatusCode::UNAUTHORIZED {
            assert!(self.header("www-authenticate").is_some(), "{request}: RFC 9110, 15.5.2");
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            assert!(self.header("allow").is_some(), "{request}: RFC 9110, 15.5.6");
        }
        if !self.body.is_empty() {
            assert!(self.header("content-type").is_some(), "{request}: no Content-Type");
        }
        assert!(self.status != StatusCode::INTERNAL_SERVER_ERROR, "{request}: {}", self.text());
        if self.status.is_client_error()
            && self.header("content-type").is_some_and(|kind| kind.starts_with("application/json"))
            && !is_head
        {
            let code = self.code().expect("an error envelope");
            assert!(
                !code.is_empty()
                    && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
                "{request}: {code}"
            );
        }
    }
}
