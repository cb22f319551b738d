//! Manifests: `GET` and `HEAD` (end-3), `PUT` (end-7), `DELETE` (end-9).

use http::StatusCode;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use http::{HeaderMap, Method};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::execute;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::manifest::MAXIMUM_BYTES;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::names::{NameKind, Reference};
use tonnage_domain::uploads::UploadRules;

use super::error::OciError;
use super::{CONTENT_DIGEST, Call, Refusal, header};
use crate::body::Body;
use crate::request::{ReadError, Response, read};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

pub(super) async fn get(call: Call<'_>, name: &str, reference: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let is_get = call.request.method() == Method::GET;
    // What is not a tag and not a digest names nothing, as an unknown tag does.
    let reference = Reference::parse(reference).map_err(|error| match error.kind() {
        NameKind::Digest => invalid_digest(&error.to_string()),
        _ => unknown(),
    })?;
    let operation = GetManifest { repository, reference, counts_as_pull: is_get };
    let manifest = execute(call.app, &call.context, operation).await.map_err(requested)?;
    let etag = format!("\"{}\"", manifest.digest);
    let unchanged = none_match(call.request.headers(), &etag);
    let mut response = http::Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, header(&manifest.media_type)?);
    headers.insert(CONTENT_DIGEST, header(manifest.digest.as_str())?);
    headers.insert(ETAG, header(&etag)?);
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(manifest.bytes.len()));
    if is_get {
        *response.body_mut() = Body::full(manifest.bytes);
    }
    Ok(response)
}

/// Whether `If-None-Match` names the entity (RFC 9110, section 13.1.2).
pub(super) fn none_match(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|candidate| {
            candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == etag
        })
    })
}

/// The endpoint's words for an image that is not there; the API has others.
fn unknown() -> OciError {
    OciError::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Requested image not found")
}

fn requested(error: Error) -> OciError {
    if error.kind() == ErrorKind::ImageNotFound { unknown() } else { error.into() }
}

fn invalid_digest(message: &str) -> OciError {
    OciError::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
}

pub(super) async fn put(call: Call<'_>, name: &str, reference: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let reference = Reference::parse(reference).map_err(|error| match error.kind() {
        NameKind::Digest => invalid_digest(&error.to_string()),
        _ => OciError::new(StatusCode::BAD_REQUEST, "TAG_INVALID", error.to_string()),
    })?;
    let media_type = call
        .request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let origin = call.origin();
    let manifest =
        read(call.request.into_body(), MAXIMUM_BYTES).await.map_err(|error| match error {
            ReadError::TooLarge => Error::new(
                ErrorKind::ManifestTooLarge,
                format!("A manifest has at most {MAXIMUM_BYTES} bytes."),
            ),
            ReadError::Broken => {
                Error::new(ErrorKind::BodyIncomplete, "The manifest ended before its last byte.")
            }
        })?;
    let operation = PutImage {
        repository,
        manifest,
        media_type,
        tag: reference.tag().cloned(),
        digest: reference.digest().cloned(),
        rules: UploadRules::Distribution,
    };
    let stored = execute(call.app, &call.context, operation).await?;
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(&format!("{origin}/v2/{name}/manifests/{}", stored.digest))?);
    headers.insert(CONTENT_DIGEST, header(stored.digest.as_str())?);
    if let Some(subject) = stored.subject {
        headers.insert(SUBJECT, header(subject.as_str())?);
    }
    Ok(response)
}

pub(super) async fn delete(
    call: Call<'_>,
    name: &str,
    reference: &str,
) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let reference = Reference::parse(reference).map_err(|error| match error.kind() {
        NameKind::Digest => invalid_digest(&error.to_string()),
        _ => unknown(),
    })?;
    execute(call.app, &call.context, DeleteManifest { repository, reference })
        .await
        .map_err(requested)?;
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
