//! Repositories: create, describe, delete.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::names::AccountId;
use tonnage_domain::public::aliases;
use tonnage_domain::public::create_repository::CreatePublicRepository;
use tonnage_domain::repositories;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;

use super::super::listings::{Listing, refuse_page_of_named};
use super::super::tags::{Tag, tags_from};
use super::super::{parse_registry_id, parse_repository_name};
use super::catalog::{CatalogData, CatalogDataInput};
use crate::aws::Call;
use crate::aws::error::Result;

/// `{host}/{alias}`: what URIs of repositories begin with.
pub(super) async fn registry_uri(call: &Call<'_>, account: &AccountId) -> Result<String, Error> {
    let host = call.arrival.host.public_authority();
    let alias = aliases::primary_of(call.app, account).await?;
    Ok(alias.map_or_else(|| host.clone(), |alias| format!("{host}/{alias}")))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    repository_arn: String,
    registry_id: String,
    repository_name: String,
    repository_uri: String,
    created_at: f64,
}

impl Repository {
    fn new(registry_uri: &str, repository: &repositories::Repository) -> Self {
        let address = &repository.address;
        Self {
            repository_arn: address.arn(),
            registry_id: address.account.to_string(),
            repository_name: address.name.to_string(),
            repository_uri: format!("{registry_uri}/{}", address.name),
            created_at: repository.created_at.epoch_seconds(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRepositoryInput {
    repository_name: String,
    catalog_data: Option<CatalogDataInput>,
    tags: Option<Vec<Tag>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRepositoryOutput {
    repository: Repository,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_data: Option<CatalogData>,
}

pub(super) async fn create_repository(
    call: &Call<'_>,
    input: CreateRepositoryInput,
) -> Result<CreateRepositoryOutput> {
    let operation = CreatePublicRepository {
        name: parse_repository_name(&input.repository_name)?,
        data: input.catalog_data.map(CatalogDataInput::decode).transpose()?,
        tags: tags_from(input.tags.unwrap_or_default()),
    };
    let (repository, data) = call.execute(operation).await?;
    let uri = registry_uri(call, &repository.address.account).await?;
    let catalog_data = match data {
        Some(data) => Some(CatalogData::new(call, &repository.address, data).await?),
        None => None,
    };
    Ok(CreateRepositoryOutput { repository: Repository::new(&uri, &repository), catalog_data })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRepositoryInput {
    registry_id: Option<String>,
    repository_name: String,
    force: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct DeleteRepositoryOutput {
    repository: Repository,
}

pub(super) async fn delete_repository(
    call: &Call<'_>,
    input: DeleteRepositoryInput,
) -> Result<DeleteRepositoryOutput> {
    let operation = DeleteRepository {
        registry_id: parse_registry_id(input.registry_id.as_deref())?,
        name: parse_repository_name(&input.repository_name)?,
        force: input.force.unwrap_or(false),
    };
    let deleted = call.execute(operation).await?;
    let uri = registry_uri(call, &deleted.address.account).await?;
    Ok(DeleteRepositoryOutput { repository: Repository::new(&uri, &deleted) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeRepositoriesInput {
    registry_id: Option<String>,
    repository_names: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeRepositoriesOutput {
    repositories: Vec<Repository>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn describe_repositories(
    call: &Call<'_>,
    input: DescribeRepositoriesInput,
) -> Result<DescribeRepositoriesOutput> {
    let registry_id = parse_registry_id(input.registry_id.as_deref())?;
    let names = input.repository_names.unwrap_or_default();
    if !names.is_empty() {
        refuse_page_of_named("repositoryNames", input.next_token.as_ref(), input.max_results)?;
    }
    let names =
        names.iter().map(|name| parse_repository_name(name)).collect::<Result<_, Error>>()?;
    let account = registry_id.unwrap_or(call.context.account);
    let listing = Listing::new(call, "DescribeRepositories", &account, &[]);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let page = call.execute(DescribeRepositories { registry_id, names, page }).await?;
    let uri = registry_uri(call, &account).await?;
    Ok(DescribeRepositoriesOutput {
        repositories: page.items.iter().map(|item| Repository::new(&uri, item)).collect(),
        next_token: listing.token(call, page.next.as_deref()).await?,
    })
}
