//! Uploads: start (end-4a, end-4b, end-4c, end-11), append (end-5), finish (end-6), status (end-13),
//! cancel (end-14).

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::execute;
use tonnage_domain::names::{ContentRange, Digest, RepositoryName};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::uploads::append::UploadLayerPart;
use tonnage_domain::uploads::cancel::CancelUpload;
use tonnage_domain::uploads::describe::DescribeUpload;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::mount::{MountLayer, Mounted};
use tonnage_domain::uploads::{BodyStream, UploadId, UploadRules, not_found};

use super::error::{OciError, range_text};
use super::{CONTENT_DIGEST, Call, Refusal, header, parse_digest};
use crate::body::Body;
use crate::request::Response;

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// Starts an upload. With `digest` the body is the whole blob; with `mount` it may be that another
/// repository has the blob already.
pub(super) async fn start(call: Call<'_>, name: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    if let Some(algorithm) = call.query("digest-algorithm")
        && !matches!(&*algorithm, "sha256" | "sha512")
    {
        let message = "The digest algorithm is not known; it is sha256 or sha512.";
        return Err(OciError::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message).into());
    }
    if let Some(digest) = call.query("mount") {
        return mount(call, name, repository, &digest).await;
    }
    let digest = call.query("digest").map(|digest| parse_digest(&digest)).transpose()?;
    let operation =
        InitiateLayerUpload { repository: repository.clone(), rules: UploadRules::Distribution };
    let id = execute(call.app, &call.context, operation).await?;
    match digest {
        None => progress(&call, name, &id, 0, StatusCode::ACCEPTED),
        Some(digest) => complete(call, name, repository, id, digest).await,
    }
}

/// Mounts a blob (end-11), or starts an upload. A source that cannot be one is none.
async fn mount(
    call: Call<'_>,
    name: &str,
    repository: RepositoryAddress,
    digest: &str,
) -> Result<Response, Refusal> {
    let digest = parse_digest(digest)?;
    let from = call.query("from").filter(|from| !from.is_empty());
    let from = from.map(|from| match &call.alias {
        None => RepositoryName::parse(&from).ok(),
        // Another alias may be one of the same registry, but need not: nothing is mounted then.
        Some(alias) => {
            let name = from.strip_prefix(alias.as_str()).and_then(|rest| rest.strip_prefix('/'));
            name.and_then(|name| RepositoryName::parse_public(name).ok())
        }
    });
    let mounted = match from {
        Some(None) => {
            let rules = UploadRules::Distribution;
            let operation = InitiateLayerUpload { repository, rules };
            Mounted::Upload(execute(call.app, &call.context, operation).await?)
        }
        from => {
            let from = from.flatten();
            let operation = MountLayer { repository, digest: digest.clone(), from };
            execute(call.app, &call.context, operation).await?
        }
    };
    match mounted {
        Mounted::Blob => Ok(created(&call, name, &digest)?),
        Mounted::Upload(id) => progress(&call, name, &id, 0, StatusCode::ACCEPTED),
    }
}

pub(super) async fn status(call: Call<'_>, name: &str, id: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let upload_id = parse_id(&repository, id)?;
    let operation = DescribeUpload { repository, upload_id: upload_id.clone() };
    let upload = execute(call.app, &call.context, operation).await?;
    progress(&call, name, &upload_id, upload.received, StatusCode::NO_CONTENT)
}

pub(super) async fn append(mut call: Call<'_>, name: &str, id: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let upload_id = parse_id(&repository, id)?;
    let range = content_range(&call)?;
    let operation = UploadLayerPart {
        repository,
        upload_id: upload_id.clone(),
        first_byte: range.map(|range| range.range().first()),
        length: range.map(|range| range.range().len()),
        body: take_body(&mut call),
        rules: UploadRules::Distribution,
    };
    let upload = execute(call.app, &call.context, operation).await?;
    progress(&call, name, &upload_id, upload.received, call.rules.patched)
}

pub(super) async fn finish(call: Call<'_>, name: &str, id: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let upload_id = parse_id(&repository, id)?;
    let digest = call.query("digest").ok_or_else(|| {
        OciError::new(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "The query parameter digest is missing.",
        )
    })?;
    let digest = parse_digest(&digest)?;
    complete(call, name, repository, upload_id, digest).await
}

async fn complete(
    mut call: Call<'_>,
    name: &str,
    repository: RepositoryAddress,
    upload_id: UploadId,
    digest: Digest,
) -> Result<Response, Refusal> {
    let range = content_range(&call)?;
    if let (Some(range), Some(length)) = (range.map(|range| range.range().len()), length(&call))
        && range != length
    {
        return Err(Error::new(
            ErrorKind::InvalidLayerPart,
            format!("The part has {length} bytes, but its range says {range}."),
        )
        .into());
    }
    let body = has_body(&call).then(|| take_body(&mut call));
    let operation = CompleteLayerUpload {
        repository,
        upload_id,
        digests: vec![digest],
        first_byte: range.map(|range| range.range().first()),
        body,
        rules: UploadRules::Distribution,
    };
    let blob = execute(call.app, &call.context, operation).await?;
    Ok(created(&call, name, &blob.digest)?)
}

fn created(call: &Call<'_>, name: &str, digest: &Digest) -> Result<Response, OciError> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let location = format!("{}/v2/{name}/blobs/{digest}", call.origin());
    response.headers_mut().insert(LOCATION, header(&location)?);
    response.headers_mut().insert(CONTENT_DIGEST, header(digest.as_str())?);
    Ok(response)
}

pub(super) async fn cancel(call: Call<'_>, name: &str, id: &str) -> Result<Response, Refusal> {
    let repository = call.repository(name)?;
    let upload_id = parse_id(&repository, id)?;
    execute(call.app, &call.context, CancelUpload { repository, upload_id }).await?;
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn parse_id(repository: &RepositoryAddress, id: &str) -> Result<UploadId, Refusal> {
    UploadId::parse(id).ok_or_else(|| not_found(repository, id).into())
}

fn take_body(call: &mut Call<'_>) -> BodyStream {
    let empty: BodyStream = Box::pin(futures_util::stream::empty());
    std::mem::replace(call.request.body_mut(), empty)
}

/// Whether bytes come with the request; a body of unknown length counts.
fn has_body(call: &Call<'_>) -> bool {
    let headers = call.request.headers();
    match length(call) {
        Some(length) => length > 0,
        None => {
            headers.contains_key(http::header::TRANSFER_ENCODING)
                || call.request.version() == http::Version::HTTP_2
        }
    }
}

/// How many bytes come with the request, if the client says so.
fn length(call: &Call<'_>) -> Option<u64> {
    call.request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn content_range(call: &Call<'_>) -> Result<Option<ContentRange>, OciError> {
    let Some(value) = call.request.headers().get(CONTENT_RANGE) else { return Ok(None) };
    let range = value.to_str().ok().and_then(|text| ContentRange::parse(text).ok());
    range.map(Some).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidLayerPart,
            "The Content-Range cannot be read; it is {first}-{last}, both inclusive.",
        )
        .into()
    })
}

fn progress(
    call: &Call<'_>,
    name: &str,
    id: &UploadId,
    received: u64,
    status: StatusCode,
) -> Result<Response, Refusal> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = status;
    let location = format!("{}/v2/{name}/blobs/uploads/{}", call.origin(), id.as_str());
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(&location)?);
    headers.insert(RANGE, header(&range_text(received))?);
    if call.rules.upload_uuid {
        headers.insert(UPLOAD_UUID, header(id.as_str())?);
    }
    Ok(response)
}
