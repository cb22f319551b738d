//! One request of AWS JSON to a server, signed.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http_body_util::Full;
use serde::Deserialize;
use tonnage_api::sigv4::{Credentials, Unsigned, sign};

use super::http_client::{Origin, send};

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedCall<'c> {
    /// The name of the service in signatures.
    pub(super) service: &'c str,
    /// The value of `X-Amz-Target`.
    pub(super) target: &'c str,
    /// The region.
    pub(super) region: &'c str,
}

impl SignedCall<'_> {
    /// Signs the request, sends it, and reads the answer.
    ///
    /// # Errors
    /// When it cannot be sent, or the answer does not come.
    pub(super) async fn send(
        self,
        origin: Origin,
        credentials: &Credentials,
        body: Bytes,
    ) -> Result<http::Response<Bytes>> {
        let Self { service, target, region } = self;
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(origin.authority())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        headers.insert("x-amz-target", HeaderValue::from_str(target)?);
        let unsigned =
            Unsigned { method: "POST", path: "/", query: "", body: &body, region, service };
        sign(&unsigned, &mut headers, credentials, jiff::Timestamp::now())
            .context("the access key cannot be sent")?;
        let mut request = http::Request::post("/").body(Full::new(body))?;
        *request.headers_mut() = headers;
        send(origin, request).await
    }
}

/// Why the server refused.
pub(super) fn reason(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(alias = "Message")]
        message: String,
    }
    serde_json::from_slice::<Refusal>(body)
        .map_or_else(|_| "no reason given".to_owned(), |refusal| refusal.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_quoted() {
        for (body, expected) in [
            (r#"{"__type":"X","message":"no"}"#, "no"),
            (r#"{"__type":"X","Message":"no"}"#, "no"),
            ("<html>", "no reason given"),
        ] {
            assert_eq!(reason(body.as_bytes()), expected);
        }
    }
}
