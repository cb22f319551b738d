//! AWS JSON: requests are one JSON object, answers too.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;

use super::error::{Failure, Refusal, Result, Wire};
use super::shapes;
use crate::body::Body;
use crate::request::Response;

const CONTENT_TYPE_1_0: &str = "application/x-amz-json-1.0";
const CONTENT_TYPE_1_1: &str = "application/x-amz-json-1.1";

/// Larger documents are read on a thread that may block.
const INLINE_BYTES_MAX: usize = 256 * 1024;

/// The last second of the year 9999.
const LATEST_SECONDS: f64 = 253_402_300_799.0;

/// The table of operations of a service: the name on the wire and the function that serves it. The
/// service's `SERVICE` is in scope.
macro_rules! operations {
    ($visibility:vis async fn $run:ident; $($name:literal => $function:path,)*) => {
        /// Runs the operation called `name`; its input was validated.
        $visibility async fn $run(
            name: &str,
            call: &$crate::aws::Call<'_>,
            input: serde_json::Value,
        ) -> $crate::aws::error::Result<bytes::Bytes> {
            use $crate::aws::json;
            match name {
                $($name => {
                    // Boxed, so that the largest operation does not size every request.
                    let output = Box::pin($function(call, json::input(input)?)).await?;
                    json::output(&output)
                })*
                other => Err(tonnage_domain::execute::not_served(SERVICE.signing_name, other).into()),
            }
        }

        #[cfg(test)]
        const SERVED: &[&str] = &[$($name),*];
    };
}
pub(super) use operations;

/// Reads a request document and checks it against the operation's shape.
pub(super) async fn decode(
    service: &'static shapes::Service,
    operation: &'static shapes::Operation,
    body: Bytes,
) -> Result<Value> {
    off_thread(body.len(), move || {
        let document = parse(&body)?;
        // A layer part is large enough not to be kept twice.
        drop(body);
        shapes::validate(operation.input, &document)
            .map_err(|failure| Failure::from((service.style, failure)))?;
        Ok(document)
    })
    .await?
}

fn parse(body: &[u8]) -> Result<Value> {
    // Some clients send nothing where every member is optional.
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|_| Refusal::Serialization(None).into())
}

/// Runs work on many bytes where it does not hold other requests up.
pub(super) async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    if bytes <= INLINE_BYTES_MAX {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(error).into())
}

/// The typed input. Everything the types can refuse was refused by the shapes before, so a failure
/// here is a difference between the two.
pub(super) fn input<T: DeserializeOwned>(document: Value) -> Result<T> {
    serde_json::from_value(document)
        .map_err(|error| Refusal::Serialization(Some(error.to_string())).into())
}

/// The time of a member, or nothing where there is no such time.
pub(super) fn time(seconds: f64) -> Option<Millis> {
    if !(0.0..=LATEST_SECONDS).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is within the years that were checked")]
    let millis = (seconds * 1000.0).round() as i64;
    Some(Millis(millis))
}

/// The document of an answer.
pub(super) fn output(output: &impl Serialize) -> Result<Bytes> {
    let bytes = serde_json::to_vec(output).map_err(Error::internal)?;
    Ok(Bytes::from(bytes))
}

/// A successful answer.
pub(super) fn answer(document: Bytes) -> Response {
    let mut response = Response::new(Body::full(document));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_1_1));
    response
}

/// The content type to answer a request of this content type with.
pub(super) fn content_type(request: Option<&HeaderValue>) -> HeaderValue {
    let text = request.and_then(|value| value.to_str().ok()).unwrap_or_default();
    HeaderValue::from_static(if text.starts_with(CONTENT_TYPE_1_0) {
        CONTENT_TYPE_1_0
    } else {
        CONTENT_TYPE_1_1
    })
}

/// An error, with its code in the body and in the header, where clients of REST-JSON look.
pub(super) fn error(wire: &Wire, content_type: HeaderValue) -> Response {
    let mut document = Map::new();
    document.insert("__type".to_owned(), wire.code.into());
    if let Some(message) = &wire.message {
        document.insert("message".to_owned(), message.as_str().into());
    }
    document.extend(wire.members.clone());
    let mut response = Response::new(Body::full(Value::Object(document).to_string()));
    *response.status_mut() =
        StatusCode::from_u16(wire.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert("x-amzn-errortype", HeaderValue::from_static(wire.code));
    if wire.code == "ThrottlingException" {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (given, expected) in [
            (0.0, Some(Millis(0))),
            (1_770_000_000.25, Some(Millis(1_770_000_000_250))),
            (-1.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (1e30, None),
        ] {
            assert_eq!(time(given), expected, "{given:?}");
        }
    }
}
