//! Blobs: `GET` and `HEAD` (end-2), whole or in ranges, `DELETE` (end-10), and downloads by link.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
    IF_RANGE, RANGE,
};
use http::{HeaderMap, Method, StatusCode};
use tonnage_domain::app::App;
use tonnage_domain::blobs::BlobReader;
use tonnage_domain::blobs::delete_blob::DeleteBlob;
use tonnage_domain::blobs::get_blob::{GetBlob, HeadBlob};
use tonnage_domain::execute::execute;
use tonnage_domain::identities::download_link::DownloadLink;
use tonnage_domain::names::{ByteRange, Digest, RangeOutcome};
use tonnage_domain::pull_through::pull;

use super::error::OciError;
use super::manifests::none_match;
use super::mirror::Asked;
use super::ranges::{self, Piece};
use super::{CONTENT_DIGEST, Call, Refusal, header, parse_digest};
use crate::Arrival;
use crate::body::Body;
use crate::request::Response;

const OCTET_STREAM: &str = "application/octet-stream";

pub(super) async fn get(call: Call<'_>, name: &str, digest: &str) -> Result<Response, Refusal> {
    let asked = Asked::of(&call, name)?;
    let digest = parse_digest(digest)?;
    let (app, context) = (call.app, &call.context);
    let named = asked.named(app, context).await?;
    let repository = named.repository.clone();
    if call.request.method() == Method::HEAD {
        let operation = HeadBlob { repository, digest: digest.clone() };
        let size = match pull::blob_size(app, context, operation.clone()).await {
            Err(error) => match named.of_docker_hub(app, context, &error).await? {
                None => Err(error),
                Some(repository) => {
                    let operation = HeadBlob { repository, ..operation };
                    Box::pin(pull::blob_size(app, context, operation)).await
                }
            },
            sized => sized,
        }?;
        let mut response = http::Response::new(Body::empty());
        describe(response.headers_mut(), &digest)?;
        if none_match(call.request.headers(), &format!("\"{digest}\"")) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
        }
        return Ok(response);
    }
    let operation = GetBlob { repository, digest: digest.clone() };
    let blob = match pull::blob(app, context, operation.clone()).await {
        Err(error) => match named.of_docker_hub(app, context, &error).await? {
            None => Err(error),
            Some(repository) => {
                let operation = GetBlob { repository, ..operation };
                Box::pin(pull::blob(app, context, operation)).await
            }
        },
        opened => opened,
    }?;
    serve(app, call.request.method(), call.request.headers(), &digest, blob)
}

/// Serves a layer to whoever has a link to it. The principal of the link must still be allowed.
pub(super) async fn download(
    app: &Arc<App>,
    method: &Method,
    headers: &HeaderMap,
    arrival: &Arrival,
    token: &str,
) -> Result<Response, Refusal> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Refusal::MethodNotAllowed("GET, HEAD"));
    }
    let (link, principal) = DownloadLink::open(app, token, arrival.now).await?;
    let context = arrival.context(
        headers,
        principal,
        link.repository.account,
        link.repository.region.clone(),
    );
    let operation = GetBlob { repository: link.repository, digest: link.digest.clone() };
    let blob = pull::blob(app, &context, operation).await?;
    serve(app, method, headers, &link.digest, blob)
}

/// Takes a blob out of the repository (end-10).
pub(super) async fn delete(call: Call<'_>, name: &str, digest: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let digest = parse_digest(digest)?;
    execute(call.app, &call.context, DeleteBlob { repository, digest }).await?;
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn describe(headers: &mut HeaderMap, digest: &Digest) -> Result<(), OciError> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCTET_STREAM));
    headers.insert(CONTENT_DIGEST, header(digest.as_str())?);
    headers.insert(ETAG, header(&format!("\"{digest}\""))?);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The bytes of a digest never change, but who may have them does.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    Ok(())
}

fn serve(
    app: &Arc<App>,
    method: &Method,
    request: &HeaderMap,
    digest: &Digest,
    blob: BlobReader,
) -> Result<Response, Refusal> {
    let size = blob.size();
    let mut response = http::Response::new(Body::empty());
    describe(response.headers_mut(), digest)?;
    let etag = format!("\"{digest}\"");
    if none_match(request, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let pieces = match wanted(method, request, &etag, size) {
        RangeOutcome::Ignore => vec![Piece::Span { offset: 0, length: size }],
        RangeOutcome::Unsatisfiable => {
            let mut response = OciError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "SIZE_INVALID",
                format!("The range is outside of the blob, which has {size} bytes."),
            )
            .into_response();
            response.headers_mut().insert(CONTENT_RANGE, header(&format!("bytes */{size}"))?);
            return Ok(response);
        }
        RangeOutcome::Ranges(found) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            match found.as_slice() {
                [one] => {
                    response
                        .headers_mut()
                        .insert(CONTENT_RANGE, header(&content_range(*one, size))?);
                    vec![Piece::Span { offset: one.first(), length: one.len() }]
                }
                several => {
                    let boundary = uuid::Uuid::new_v4().simple().to_string();
                    let kind = format!("multipart/byteranges; boundary={boundary}");
                    response.headers_mut().insert(CONTENT_TYPE, header(&kind)?);
                    multipart(several, size, &boundary)
                }
            }
        }
    };
    let body = ranges::body(app, blob, pieces);
    let length = http_body::Body::size_hint(&body).exact().unwrap_or(size);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    *response.body_mut() = body;
    Ok(response)
}

/// Which bytes the client wants (RFC 9110, section 14). Only `GET` has ranges, and one that is
/// conditional on another entity is none.
fn wanted(method: &Method, request: &HeaderMap, etag: &str, size: u64) -> RangeOutcome {
    if *method != Method::GET {
        return RangeOutcome::Ignore;
    }
    if request.get(IF_RANGE).is_some_and(|value| value.as_bytes() != etag.as_bytes()) {
        return RangeOutcome::Ignore;
    }
    match request.get(RANGE).and_then(|value| value.to_str().ok()) {
        Some(range) => ByteRange::resolve(range, size),
        None => RangeOutcome::Ignore,
    }
}

fn content_range(range: ByteRange, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.first(), range.last())
}

/// Several ranges in one answer (RFC 9110, section 14.6).
fn multipart(ranges: &[ByteRange], size: u64, boundary: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(ranges.len() * 2 + 1);
    for (position, range) in ranges.iter().enumerate() {
        let before = if position == 0 { "" } else { "\r\n" };
        let head = format!(
            "{before}--{boundary}\r\nContent-Type: {OCTET_STREAM}\r\nContent-Range: {}\r\n\r\n",
            content_range(*range, size)
        );
        pieces.push(Piece::Text(Bytes::from(head)));
        pieces.push(Piece::Span { offset: range.first(), length: range.len() });
    }
    pieces.push(Piece::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    pieces
}
