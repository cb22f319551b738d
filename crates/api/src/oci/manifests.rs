//! Manifests: `GET` and `HEAD` (end-3), `PUT` (end-7), `DELETE` (end-9).

use std::sync::Arc;

use http::StatusCode;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION,
    WARNING,
};
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use tonnage_domain::audit::parameters::RequestInput;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::execute;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::manifest::MAXIMUM_BYTES;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::names::{Digest, NameKind, Reference, Tag};
use tonnage_domain::pull_through::pull::{self, Pulled};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::uploads::UploadRules;

use super::error::OciError;
use super::mirror::Asked;
use super::{CONTENT_DIGEST, Call, Refusal, header};
use crate::body::Body;
use crate::request::{ReadError, Response, read};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// Said of what an upstream registry should have been asked for again (RFC 7234, section 5.5.1).
const STALE: &str = "110 - \"Response is Stale\"";

/// Tags of one push at most.
const TAGS_MAX: usize = 100;

pub(super) async fn get(call: Call<'_>, name: &str, reference: &str) -> Result<Response, Refusal> {
    let asked = Asked::of(&call, name)?;
    let is_get = call.request.method() == Method::GET;
    // What is not a tag and not a digest names nothing, as an unknown tag does.
    let reference = Reference::parse(reference).map_err(|error| match error.kind() {
        NameKind::Digest => invalid_digest(&error.to_string()),
        _ => unknown(),
    })?;
    let (app, context) = (call.app, &call.context);
    let named = asked.named(app, context).await?;
    let repository = named.repository.clone();
    let operation = GetManifest { repository, reference, counts_as_pull: is_get };
    let pulled = match pull::manifest(app, context, operation.clone()).await {
        Err(error) => match named.of_docker_hub(app, context, &error).await? {
            None => Err(error),
            Some(repository) => {
                let operation = GetManifest { repository, ..operation };
                Box::pin(pull::manifest(app, context, operation)).await
            }
        },
        pulled => pulled,
    };
    let pulled = pulled.map_err(requested)?;
    let Pulled { manifest, is_stale } = pulled;
    let etag = format!("\"{}\"", manifest.digest);
    let unchanged = none_match(call.request.headers(), &etag);
    let mut response = http::Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, header(&manifest.media_type)?);
    headers.insert(CONTENT_DIGEST, header(manifest.digest.as_str())?);
    headers.insert(ETAG, header(&etag)?);
    if is_stale {
        headers.append(WARNING, HeaderValue::from_static(STALE));
    }
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

/// What access records tell of a request for an image, in the words of ECR's API.
fn asked_for(
    repository: &RepositoryAddress,
    tags: &[Tag],
    digest: Option<&Digest>,
) -> RequestInput {
    let mut document = Map::from_iter([
        ("registryId".to_owned(), repository.account.as_str().into()),
        ("repositoryName".to_owned(), repository.name.as_str().into()),
    ]);
    match tags {
        [] => {}
        [tag] => {
            document.insert("imageTag".to_owned(), tag.as_str().into());
        }
        tags => {
            let tags = tags.iter().map(|tag| tag.as_str().into()).collect();
            document.insert("imageTags".to_owned(), Value::Array(tags));
        }
    }
    if let Some(digest) = digest {
        document.insert("imageDigest".to_owned(), digest.as_str().into());
    }
    RequestInput::document(Value::Object(document))
}

pub(super) async fn put(
    mut call: Call<'_>,
    name: &str,
    reference: &str,
) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let reference = Reference::parse(reference).map_err(|error| match error.kind() {
        NameKind::Digest => invalid_digest(&error.to_string()),
        _ => invalid_tag(&call, &error.to_string()),
    })?;
    let tags = tags(&call, &reference)?;
    let input = asked_for(&repository, &tags, reference.digest());
    call.context.input = Some(Arc::new(input));
    let condition = condition(call.request.headers())?;
    let media_type = call
        .request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let origin = call.origin();
    let is_told = reference.digest().is_some() || call.query("tag").is_some();
    let reported = if is_told { tags.clone() } else { Vec::new() };
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
        tags,
        digest: reference.digest().cloned(),
        condition,
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
    for tag in reported {
        headers.append(TAG, header(tag.as_str())?);
    }
    for warning in stored.warnings {
        headers.append(WARNING, header(&format!("299 - \"{warning}\""))?);
    }
    Ok(response)
}

/// The tags of a push: of the path, and of `tag` in the query (end-7b), each once.
fn tags(call: &Call<'_>, reference: &Reference) -> Result<Vec<Tag>, OciError> {
    let mut tags: Vec<Tag> = reference.tag().cloned().into_iter().collect();
    for text in call.queries("tag") {
        let tag = Tag::parse(&text).map_err(|error| invalid_tag(call, &error.to_string()))?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > TAGS_MAX {
            return Err(OciError::new(
                StatusCode::URI_TOO_LONG,
                "UNSUPPORTED",
                format!("A manifest is pushed under at most {TAGS_MAX} tags at a time."),
            ));
        }
    }
    Ok(tags)
}

fn invalid_tag(call: &Call<'_>, message: &str) -> OciError {
    match call.rules.manifest_invalid {
        (StatusCode::METHOD_NOT_ALLOWED, code) => {
            OciError::new(StatusCode::METHOD_NOT_ALLOWED, code, message)
        }
        _ => OciError::new(StatusCode::BAD_REQUEST, "TAG_INVALID", message),
    }
}

/// What `If-Match` and `If-None-Match` of a push or a deletion say (RFC 9110, sections 13.1.1 and 13.1.2). The
/// entity tags are those that a `GET` of the tag answers: digests.
fn condition(headers: &HeaderMap) -> Result<Precondition, OciError> {
    let invalid = || {
        OciError::new(
            StatusCode::BAD_REQUEST,
            "UNSUPPORTED",
            "A change takes `If-None-Match: *`, or `If-Match` with what ETag said or `*`.",
        )
    };
    if let Some(value) = headers.get(IF_NONE_MATCH) {
        return if value == "*" { Ok(Precondition::Absent) } else { Err(invalid()) };
    }
    let mut expected = Vec::new();
    let mut is_conditional = false;
    for value in headers.get_all(IF_MATCH) {
        is_conditional = true;
        for entity in value.to_str().map_err(|_| invalid())?.split(',').map(str::trim) {
            if entity == "*" {
                return Ok(Precondition::Present(Vec::new()));
            }
            let digest = entity.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let digest = digest.and_then(|text| Digest::parse(text).ok()).ok_or_else(invalid)?;
            expected.push(digest);
        }
    }
    match is_conditional {
        true => Ok(Precondition::Present(expected)),
        false => Ok(Precondition::None),
    }
}

pub(super) async fn delete(
    mut call: Call<'_>,
    name: &str,
    reference: &str,
) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let reference = Reference::parse(reference).map_err(|error| match error.kind() {
        NameKind::Digest => invalid_digest(&error.to_string()),
        _ => unknown(),
    })?;
    let input = asked_for(&repository, reference.tag().cloned().as_slice(), reference.digest());
    call.context.input = Some(Arc::new(input));
    let condition = condition(call.request.headers())?;
    execute(call.app, &call.context, DeleteManifest { repository, reference, condition })
        .await
        .map_err(requested)?;
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
