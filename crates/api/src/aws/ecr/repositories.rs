//! Repositories: create, describe, delete, tag mutability.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{self, TagMutability, TagMutabilityRule};

use super::listings::{Listing, refuse_page_of_named};
use super::tags::{Tag, tags_from};
use super::{Call, parse_registry_id, parse_repository_name};
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRepositoryInput {
    registry_id: Option<String>,
    repository_name: String,
    tags: Option<Vec<Tag>>,
    image_tag_mutability: Option<String>,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
    image_scanning_configuration: Option<ImageScanningConfiguration>,
    encryption_configuration: Option<EncryptionConfiguration>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExclusionFilter {
    filter_type: String,
    filter: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageScanningConfiguration {
    scan_on_push: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EncryptionConfiguration {
    encryption_type: String,
    kms_key: Option<String>,
}

#[derive(Serialize)]
pub(super) struct RepositoryOutput {
    repository: Repository,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    repository_arn: String,
    registry_id: String,
    repository_name: String,
    repository_uri: String,
    created_at: f64,
    #[serde(flatten)]
    mutability: Mutability,
    image_scanning_configuration: ScanOnPush,
    encryption_configuration: Encryption,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mutability {
    image_tag_mutability: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScanOnPush {
    scan_on_push: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encryption {
    pub(super) encryption_type: &'static str,
}

const WILDCARD: &str = "WILDCARD";
pub(super) const AES256: &str = "AES256";

impl From<&TagMutabilityRule> for Mutability {
    fn from(rule: &TagMutabilityRule) -> Self {
        let filter = |filter: &String| ExclusionFilter {
            filter_type: WILDCARD.to_owned(),
            filter: filter.clone(),
        };
        Self {
            image_tag_mutability: rule.setting().as_str(),
            image_tag_mutability_exclusion_filters: rule.filters().iter().map(filter).collect(),
        }
    }
}

fn repository(call: &Call<'_>, repository: &repositories::Repository) -> Repository {
    let address = &repository.address;
    let host = call.arrival.host.registry_authority(&address.account, &address.region);
    Repository {
        repository_arn: address.arn(),
        registry_id: address.account.to_string(),
        repository_name: address.name.to_string(),
        repository_uri: format!("{host}/{}", address.name),
        created_at: repository.created_at.epoch_seconds(),
        mutability: Mutability::from(&repository.tag_mutability),
        image_scanning_configuration: ScanOnPush { scan_on_push: repository.scan_on_push },
        encryption_configuration: Encryption { encryption_type: AES256 },
    }
}

pub(super) fn tag_mutability(
    setting: Option<&str>,
    filters: Option<Vec<ExclusionFilter>>,
) -> Result<TagMutabilityRule, Error> {
    let setting = match setting {
        None => TagMutability::Mutable,
        Some(text) => TagMutability::parse(text).ok_or_else(|| {
            let values = TagMutability::ALL.map(TagMutability::as_str).join(", ");
            Error::invalid_parameter(
                "imageTagMutability",
                format_args!("Member must satisfy enum value set: [{values}]"),
            )
        })?,
    };
    let mut patterns = Vec::new();
    for filter in filters.unwrap_or_default() {
        if filter.filter_type != WILDCARD {
            return Err(Error::invalid_parameter(
                "filterType",
                format_args!("Member must satisfy enum value set: [{WILDCARD}]"),
            ));
        }
        patterns.push(filter.filter);
    }
    TagMutabilityRule::new(setting, patterns)
}

/// Whoever asks for a key of their own must not get another kind of encryption without knowing.
pub(super) fn refuse_other_encryption(
    configuration: Option<&EncryptionConfiguration>,
) -> Result<(), Error> {
    let Some(configuration) = configuration else { return Ok(()) };
    if configuration.encryption_type != AES256 {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "Tonnage has no KMS yet, so encryptionConfiguration.encryptionType must be AES256, \
                 not {}; leave encryptionConfiguration out.",
                configuration.encryption_type
            ),
        ));
    }
    if configuration.kms_key.as_deref().is_some_and(|key| !key.is_empty()) {
        return Err(Error::invalid_parameter(
            "kmsKey",
            "Member must not be set when encryptionType is AES256",
        ));
    }
    Ok(())
}

pub(super) async fn create_repository(
    call: &Call<'_>,
    input: CreateRepositoryInput,
) -> Result<RepositoryOutput> {
    refuse_other_encryption(input.encryption_configuration.as_ref())?;
    let scanning = input.image_scanning_configuration;
    let created = call
        .execute(CreateRepository {
            registry_id: parse_registry_id(input.registry_id.as_deref())?,
            name: parse_repository_name(&input.repository_name)?,
            tags: tags_from(input.tags.unwrap_or_default()),
            tag_mutability: tag_mutability(
                input.image_tag_mutability.as_deref(),
                input.image_tag_mutability_exclusion_filters,
            )?,
            scan_on_push: scanning.and_then(|scanning| scanning.scan_on_push).unwrap_or(false),
        })
        .await?;
    Ok(RepositoryOutput { repository: repository(call, &created) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRepositoryInput {
    registry_id: Option<String>,
    repository_name: String,
    force: Option<bool>,
}

pub(super) async fn delete_repository(
    call: &Call<'_>,
    input: DeleteRepositoryInput,
) -> Result<RepositoryOutput> {
    let deleted = call
        .execute(DeleteRepository {
            registry_id: parse_registry_id(input.registry_id.as_deref())?,
            name: parse_repository_name(&input.repository_name)?,
            force: input.force.unwrap_or(false),
        })
        .await?;
    Ok(RepositoryOutput { repository: repository(call, &deleted) })
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
    let account = registry_id.as_ref().unwrap_or(&call.context.account);
    let listing = Listing::new(call, "DescribeRepositories", account, &[]);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let page = call.execute(DescribeRepositories { registry_id, names, page }).await?;
    Ok(DescribeRepositoriesOutput {
        repositories: page.items.iter().map(|item| repository(call, item)).collect(),
        next_token: listing.token(call, page.next.as_deref()).await?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImageTagMutabilityInput {
    registry_id: Option<String>,
    repository_name: String,
    image_tag_mutability: String,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImageTagMutabilityOutput {
    registry_id: String,
    repository_name: String,
    #[serde(flatten)]
    mutability: Mutability,
}

pub(super) async fn put_image_tag_mutability(
    call: &Call<'_>,
    input: PutImageTagMutabilityInput,
) -> Result<PutImageTagMutabilityOutput> {
    let repository = call
        .execute(PutImageTagMutability {
            registry_id: parse_registry_id(input.registry_id.as_deref())?,
            name: parse_repository_name(&input.repository_name)?,
            tag_mutability: tag_mutability(
                Some(&input.image_tag_mutability),
                input.image_tag_mutability_exclusion_filters,
            )?,
        })
        .await?;
    Ok(PutImageTagMutabilityOutput {
        registry_id: repository.address.account.to_string(),
        repository_name: repository.address.name.to_string(),
        mutability: Mutability::from(&repository.tag_mutability),
    })
}
