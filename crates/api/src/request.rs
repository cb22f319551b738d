//! Bodies of requests, read whole where a protocol needs them whole, and never past a bound.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tonnage_domain::uploads::BodyStream;

/// A request as the listener hands it over.
pub type Request = http::Request<BodyStream>;
/// An answer.
pub type Response = http::Response<crate::body::Body>;

/// Why a body could not be read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// It has more bytes than allowed.
    TooLarge,
    /// The client broke off.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(mut body: BodyStream, limit: usize) -> Result<Bytes, ReadError> {
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| ReadError::Broken)?;
        let so_far = whole.len() + first.as_ref().map_or(0, Bytes::len);
        if so_far + chunk.len() > limit {
            return Err(ReadError::TooLarge);
        }
        if whole.is_empty() && first.is_none() {
            first = Some(chunk);
        } else {
            if let Some(first) = first.take() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}
