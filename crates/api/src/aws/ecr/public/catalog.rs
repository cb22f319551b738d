//! What is shown of public repositories.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::public::catalog::operations::{
    GetRepositoryCatalogData, PutRepositoryCatalogData,
};
use tonnage_domain::public::{aliases, catalog};
use tonnage_domain::repositories::RepositoryAddress;

use crate::aws::Call;
use crate::aws::error::{Refusal, Result};
use crate::logos;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CatalogDataInput {
    description: Option<String>,
    architectures: Option<Vec<String>>,
    operating_systems: Option<Vec<String>>,
    logo_image_blob: Option<String>,
    about_text: Option<String>,
    usage_text: Option<String>,
}

impl CatalogDataInput {
    pub(super) fn decode(self) -> Result<catalog::CatalogDataInput> {
        let decode = |text: String| {
            STANDARD.decode(text).map_err(|_| {
                Refusal::Serialization(Some("Invalid base64 in logoImageBlob".to_owned()))
            })
        };
        Ok(catalog::CatalogDataInput {
            description: self.description,
            architectures: self.architectures.unwrap_or_default(),
            operating_systems: self.operating_systems.unwrap_or_default(),
            logo: self.logo_image_blob.map(decode).transpose()?,
            about_text: self.about_text,
            usage_text: self.usage_text,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CatalogData {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    architectures: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    operating_systems: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_text: Option<String>,
    /// AWS Marketplace certifies what is sold there, and nothing is sold here.
    marketplace_certified: bool,
}

impl CatalogData {
    pub(super) async fn new(
        call: &Call<'_>,
        repository: &RepositoryAddress,
        data: catalog::CatalogData,
    ) -> Result<Self, Error> {
        let logo_url = match &data.logo_id {
            None => None,
            Some(logo_id) => {
                let alias = aliases::primary_of(call.app, &repository.account).await?;
                let name = repository.name.as_str();
                alias.map(|alias| logos::url(call.arrival, alias.as_str(), name, logo_id))
            }
        };
        Ok(Self {
            description: data.description,
            architectures: data.architectures,
            operating_systems: data.operating_systems,
            logo_url,
            about_text: data.about_text,
            usage_text: data.usage_text,
            marketplace_certified: false,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CatalogDataOutput {
    catalog_data: CatalogData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRepositoryCatalogDataInput {
    registry_id: Option<String>,
    repository_name: String,
    catalog_data: CatalogDataInput,
}

pub(super) async fn put_repository_catalog_data(
    call: &Call<'_>,
    input: PutRepositoryCatalogDataInput,
) -> Result<CatalogDataOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let data = input.catalog_data.decode()?;
    let operation = PutRepositoryCatalogData { repository: repository.clone(), data };
    let data = call.execute(operation).await?;
    Ok(CatalogDataOutput { catalog_data: CatalogData::new(call, &repository, data).await? })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRepositoryCatalogDataInput {
    registry_id: Option<String>,
    repository_name: String,
}

pub(super) async fn get_repository_catalog_data(
    call: &Call<'_>,
    input: GetRepositoryCatalogDataInput,
) -> Result<CatalogDataOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let operation = GetRepositoryCatalogData { repository: repository.clone() };
    let data = call.execute(operation).await?;
    Ok(CatalogDataOutput { catalog_data: CatalogData::new(call, &repository, data).await? })
}
