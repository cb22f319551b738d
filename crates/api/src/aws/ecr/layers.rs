//! Layers: uploading them in parts, asking which are there, downloading them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tonnage_domain::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use tonnage_domain::blobs::get_download_url_for_layer::GetDownloadUrlForLayer;
use tonnage_domain::error::Error;
use tonnage_domain::names::Digest;
use tonnage_domain::pull_through::pull;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::uploads::append::UploadLayerPart;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::{self, BodyStream, PART_BYTES, UploadId, UploadRules};

use super::images::is_digest;
use super::{Call, refused};
use crate::aws::error::{Refusal, Result};
use crate::aws::json::off_thread;
use crate::oci::DOWNLOAD_PREFIX;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchCheckLayerAvailabilityInput {
    registry_id: Option<String>,
    repository_name: String,
    layer_digests: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct BatchCheckLayerAvailabilityOutput {
    layers: Vec<Layer>,
    failures: Vec<Failed>,
}

/// The media type of a layer is not known: it is a matter of the images that refer to it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    layer_digest: String,
    layer_availability: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_size: Option<u64>,
}

impl Layer {
    fn new(layer_digest: String, layer_size: Option<u64>, archived: bool) -> Self {
        let layer_availability = match layer_size {
            Some(_) if archived => "ARCHIVED",
            Some(_) => "AVAILABLE",
            None => "UNAVAILABLE",
        };
        Self { layer_digest, layer_availability, layer_size }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    layer_digest: String,
    failure_code: &'static str,
    failure_reason: &'static str,
}

pub(super) async fn batch_check_layer_availability(
    call: &Call<'_>,
    input: BatchCheckLayerAvailabilityInput,
) -> Result<BatchCheckLayerAvailabilityOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let digests = input.layer_digests.iter().filter_map(|text| Digest::parse(text).ok()).collect();
    let found = call.execute(BatchCheckLayerAvailability { repository, digests }).await?;
    // One answer for each readable digest, in order.
    let mut found = found.into_iter().peekable();
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for text in input.layer_digests {
        match found.next_if(|layer| layer.digest.as_str() == text) {
            Some(layer) => layers.push(Layer::new(text, layer.size, layer.archived)),
            // Of another algorithm or spelling: nothing is stored under it.
            None if is_digest(&text) => layers.push(Layer::new(text, None, false)),
            None if text.is_empty() => failures.push(Failed {
                layer_digest: text,
                failure_code: "MissingLayerDigest",
                failure_reason: "Invalid request parameters: layer digest cannot be empty",
            }),
            None => failures.push(Failed {
                layer_digest: text,
                failure_code: "InvalidLayerDigest",
                failure_reason: "Invalid request parameters: layer digest should satisfy the \
                                 regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            }),
        }
    }
    Ok(BatchCheckLayerAvailabilityOutput { layers, failures })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitiateLayerUploadInput {
    registry_id: Option<String>,
    repository_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitiateLayerUploadOutput {
    upload_id: String,
    part_size: u64,
}

pub(super) async fn initiate_layer_upload(
    call: &Call<'_>,
    input: InitiateLayerUploadInput,
) -> Result<InitiateLayerUploadOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let rules = UploadRules::LayerParts;
    let upload_id = call.execute(InitiateLayerUpload { repository, rules }).await?;
    Ok(InitiateLayerUploadOutput {
        upload_id: upload_id.as_str().to_owned(),
        part_size: PART_BYTES,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UploadLayerPartInput {
    registry_id: Option<String>,
    repository_name: String,
    upload_id: String,
    part_first_byte: u64,
    part_last_byte: u64,
    layer_part_blob: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UploadLayerPartOutput {
    registry_id: String,
    repository_name: String,
    upload_id: String,
    last_byte_received: u64,
}

pub(super) async fn upload_layer_part(
    call: &Call<'_>,
    input: UploadLayerPartInput,
) -> Result<UploadLayerPartOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let upload_id = parse_upload_id(&repository, &input.upload_id)?;
    let length = input
        .part_last_byte
        .checked_sub(input.part_first_byte)
        .and_then(|distance| distance.checked_add(1))
        .ok_or_else(|| {
            Error::invalid_parameter(
                "partLastByte",
                "Member must have value greater than or equal to partFirstByte",
            )
        })?;
    let bytes = decode(input.layer_part_blob).await?;
    let progress = call
        .execute(UploadLayerPart {
            repository: repository.clone(),
            upload_id,
            first_byte: Some(input.part_first_byte),
            length: Some(length),
            body: once(bytes),
            rules: UploadRules::LayerParts,
        })
        .await?;
    Ok(UploadLayerPartOutput {
        registry_id: repository.account.to_string(),
        repository_name: repository.name.to_string(),
        upload_id: input.upload_id,
        last_byte_received: progress.received.saturating_sub(1),
    })
}

async fn decode(text: String) -> Result<Bytes> {
    off_thread(text.len(), move || STANDARD.decode(text)).await?.map(Bytes::from).map_err(|_| {
        Refusal::Serialization(Some("Invalid base64 in layerPartBlob".to_owned())).into()
    })
}

fn once(bytes: Bytes) -> BodyStream {
    Box::pin(futures_util::stream::once(std::future::ready(Ok(bytes))))
}

/// An id that we never make is an id that we do not have.
fn parse_upload_id(repository: &RepositoryAddress, text: &str) -> Result<UploadId, Error> {
    UploadId::parse(text).ok_or_else(|| uploads::not_found(repository, text))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteLayerUploadInput {
    registry_id: Option<String>,
    repository_name: String,
    upload_id: String,
    layer_digests: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteLayerUploadOutput {
    registry_id: String,
    repository_name: String,
    upload_id: String,
    layer_digest: String,
}

pub(super) async fn complete_layer_upload(
    call: &Call<'_>,
    input: CompleteLayerUploadInput,
) -> Result<CompleteLayerUploadOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let uploaded = call
        .execute(CompleteLayerUpload {
            repository: repository.clone(),
            upload_id: parse_upload_id(&repository, &input.upload_id)?,
            // One of them must be right; one of another algorithm never is.
            digests: input
                .layer_digests
                .iter()
                .filter_map(|text| Digest::parse(text).ok())
                .collect(),
            first_byte: None,
            body: None,
            rules: UploadRules::LayerParts,
        })
        .await?;
    Ok(CompleteLayerUploadOutput {
        registry_id: repository.account.to_string(),
        repository_name: repository.name.to_string(),
        upload_id: input.upload_id,
        layer_digest: uploaded.digest.to_string(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetDownloadUrlForLayerInput {
    registry_id: Option<String>,
    repository_name: String,
    layer_digest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetDownloadUrlForLayerOutput {
    download_url: String,
    layer_digest: String,
}

pub(super) async fn get_download_url_for_layer(
    call: &Call<'_>,
    input: GetDownloadUrlForLayerInput,
) -> Result<GetDownloadUrlForLayerOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let digest =
        Digest::parse(&input.layer_digest).map_err(|error| refused("layerDigest", &error))?;
    let wanted = GetDownloadUrlForLayer { repository, digest };
    let link = pull::download(call.app, &call.context, wanted).await?;
    Ok(GetDownloadUrlForLayerOutput {
        download_url: format!(
            "{}://{}{DOWNLOAD_PREFIX}{}",
            call.arrival.scheme(),
            call.arrival.host.authority(),
            link.token
        ),
        layer_digest: input.layer_digest,
    })
}
