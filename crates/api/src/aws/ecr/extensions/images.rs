//! What is in images: who has a package, where findings are from, bills of materials.

use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::describe_finding_origins::{
    BaseImage, DescribeFindingOrigins, FindingOrigins, Layer,
};
use tonnage_domain::scanning::find_images::{FindImages, FoundImage, FoundPackage};
use tonnage_domain::scanning::sboms::attach_image_sbom::AttachImageSbom;
use tonnage_domain::scanning::sboms::get_image_sbom::GetImageSbom;
use tonnage_domain::scanning::sboms::{Format, format_of_name};

use super::super::images::{ImageId, parse_tag, required_identifier};
use super::super::listings::Listing;
use crate::aws::Call;
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FindImagesInput {
    package_name: String,
    ecosystem: Option<String>,
    version_at_least: Option<String>,
    version_below: Option<String>,
    repository_prefix: Option<String>,
    image_tag: Option<String>,
    pulled_since: Option<f64>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FindImagesOutput {
    images: Vec<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    repository_name: String,
    image_digest: String,
    index_digests: Vec<String>,
    image_tags: Vec<String>,
    image_pushed_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_pulled_at: Option<f64>,
    image_status: &'static str,
    packages: Vec<Package>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    package_name: String,
    ecosystem: String,
    version: String,
    is_ordered: bool,
}

impl From<FoundPackage> for Package {
    fn from(package: FoundPackage) -> Self {
        let FoundPackage { ecosystem, name, version, is_ordered } = package;
        Self { package_name: name, ecosystem, version, is_ordered }
    }
}

impl From<FoundImage> for Image {
    fn from(image: FoundImage) -> Self {
        Self {
            repository_name: image.repository.to_string(),
            image_digest: image.digest.to_string(),
            index_digests: image.indexes.iter().map(ToString::to_string).collect(),
            image_tags: image.tags,
            image_pushed_at: image.pushed_at.epoch_seconds(),
            last_pulled_at: image.last_pulled_at.map(Millis::epoch_seconds),
            image_status: image.status.as_str(),
            packages: image.packages.into_iter().map(Package::from).collect(),
        }
    }
}

/// Looks through the registry of the caller.
pub(super) async fn find_images(
    call: &Call<'_>,
    input: FindImagesInput,
) -> Result<FindImagesOutput> {
    let pulled_since = super::time("pulledSince", input.pulled_since)?;
    let text = |text: &Option<String>| text.as_ref().map(|it| format!("={it}"));
    let since = pulled_since.map(|at| format!("={}", at.0));
    let filters = [
        Some(input.package_name.clone()),
        text(&input.ecosystem),
        text(&input.version_at_least),
        text(&input.version_below),
        text(&input.repository_prefix),
        text(&input.image_tag),
        since,
    ];
    let filters = filters.map(Option::unwrap_or_default);
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    let listing = Listing::new(call, "FindImages", &call.context.account, &filters);
    let operation = FindImages {
        package: input.package_name,
        ecosystem: input.ecosystem,
        below: input.version_below,
        at_least: input.version_at_least,
        repository_prefix: input.repository_prefix,
        tag: parse_tag(input.image_tag.as_deref())?,
        pulled_since,
        page: listing.request(call, input.next_token.as_deref(), input.max_results).await?,
    };
    let found = call.execute(operation).await?;
    Ok(FindImagesOutput {
        images: found.items.into_iter().map(Image::from).collect(),
        next_token: listing.token(call, found.next.as_deref()).await?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeFindingOriginsInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeFindingOriginsOutput {
    image_digest: String,
    scan_status: &'static str,
    scan_description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_image: Option<Base>,
    layers: Vec<ImageLayer>,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Base {
    known_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_name: Option<String>,
    image_tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_count: Option<usize>,
}

impl From<BaseImage> for Base {
    fn from(base: BaseImage) -> Self {
        Self {
            known_by: base.source.as_str(),
            image_name: base.name,
            image_digest: base.digest,
            repository_name: base.repository.map(|name| name.to_string()),
            image_tags: base.tags.iter().map(ToString::to_string).collect(),
            layer_count: base.layers,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageLayer {
    layer_digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

impl From<Layer> for ImageLayer {
    fn from(layer: Layer) -> Self {
        Self { layer_digest: layer.digest, command: layer.created_by }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    finding_name: String,
    severity: &'static str,
    finding_status: &'static str,
    vulnerable_packages: Vec<VulnerablePackage>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VulnerablePackage {
    package_name: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_base: Option<bool>,
}

fn findings(found: &FindingOrigins) -> Vec<Finding> {
    let items = found.findings.findings.items.iter().map(|stored| Finding {
        finding_name: stored.finding.name.clone(),
        severity: stored.finding.severity.as_str(),
        finding_status: stored.status.as_str(),
        vulnerable_packages: stored
            .finding
            .packages
            .iter()
            .map(|package| {
                let origin = found.of(package.layer_digest.as_deref());
                VulnerablePackage {
                    package_name: package.name.clone(),
                    version: package.version.clone(),
                    fixed_version: package.fixed_version.clone(),
                    layer_digest: package.layer_digest.clone(),
                    layer_index: origin.layer,
                    is_base: origin.is_base,
                }
            })
            .collect(),
    });
    items.collect()
}

pub(super) async fn describe_finding_origins(
    call: &Call<'_>,
    input: DescribeFindingOriginsInput,
) -> Result<DescribeFindingOriginsOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let id = required_identifier(&input.image_id)?;
    let digest = id.digest.as_ref().map(ToString::to_string).unwrap_or_default();
    let tag = id.tag.as_ref().map(ToString::to_string).unwrap_or_default();
    let filters = [repository.name.as_str(), &digest, &tag];
    let listing = Listing::new(call, "DescribeFindingOrigins", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let found = call.execute(DescribeFindingOrigins { repository, id, page }).await?;
    Ok(DescribeFindingOriginsOutput {
        findings: findings(&found),
        image_digest: found.findings.image.digest.to_string(),
        scan_status: found.findings.scan.status.as_str(),
        scan_description: found.findings.scan.description,
        base_image: found.base.map(Base::from),
        layers: found.layers.into_iter().map(ImageLayer::from).collect(),
        next_token: listing.token(call, found.findings.findings.next.as_deref()).await?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SbomInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
    format: String,
}

impl SbomInput {
    fn read(&self, call: &Call<'_>) -> Result<(RepositoryAddress, ImageIdentifier, Format), Error> {
        let repository = call.address(self.registry_id.as_deref(), &self.repository_name)?;
        Ok((repository, required_identifier(&self.image_id)?, format(&self.format)?))
    }
}

pub(super) fn format(text: &str) -> Result<Format, Error> {
    let wanted = "cyclonedx-1.5, cyclonedx-1.6 or spdx-2.3";
    format_of_name(text).ok_or_else(|| Error::invalid_parameter("format", wanted))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetImageSbomOutput {
    image_digest: String,
    document_media_type: &'static str,
    document: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttachImageSbomOutput {
    image_digest: String,
    referrer_digest: String,
    artifact_media_type: &'static str,
    is_new: bool,
}

pub(super) async fn get_image_sbom(
    call: &Call<'_>,
    input: SbomInput,
) -> Result<GetImageSbomOutput> {
    let (repository, id, format) = input.read(call)?;
    let bill = call.execute(GetImageSbom { repository, id, format }).await?;
    Ok(GetImageSbomOutput {
        image_digest: bill.digest.to_string(),
        document_media_type: bill.media_type,
        document: bill.document,
    })
}

pub(super) async fn attach_image_sbom(
    call: &Call<'_>,
    input: SbomInput,
) -> Result<AttachImageSbomOutput> {
    let (repository, id, format) = input.read(call)?;
    let attached = call.execute(AttachImageSbom { repository, id, format }).await?;
    Ok(AttachImageSbomOutput {
        image_digest: attached.subject.to_string(),
        referrer_digest: attached.digest.to_string(),
        artifact_media_type: attached.artifact_type,
        is_new: attached.is_new,
    })
}
