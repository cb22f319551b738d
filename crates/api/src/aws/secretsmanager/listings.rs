//! Listings of secrets and of their versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::page_token;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::secrets::StagedSecret;
use tonnage_domain::secrets::filter::{Filter, FilterKey};
use tonnage_domain::secrets::list_secret_version_ids::ListSecretVersionIds;
use tonnage_domain::secrets::list_secrets::{ListSecrets, SortBy};

use super::Call;
use super::secrets::Described;
use crate::aws::error::{Failure, Refusal, Result};

/// Items on a page (botocore `secretsmanager`, shape `MaxResultsType`).
const PAGE_MAX: u32 = 100;

/// The page that a request asks for.
async fn page(
    call: &Call<'_>,
    listing: &str,
    limit: Option<u32>,
    token: Option<&str>,
) -> Result<PageRequest> {
    let after = match token {
        None => None,
        Some(token) => {
            Some(page_token::open(call.app, listing, token).await.map_err(invalid_token)?)
        }
    };
    Ok(PageRequest { after, limit: limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX) })
}

fn invalid_token(error: Error) -> Failure {
    if error.kind() != ErrorKind::InvalidParameter {
        return error.into();
    }
    let message = "The NextToken value is invalid.".to_owned();
    Refusal::Constraint("InvalidNextTokenException", Some(message)).into()
}

async fn token(call: &Call<'_>, listing: &str, next: Option<String>) -> Result<Option<String>> {
    match next {
        Some(next) => Ok(Some(page_token::seal(call.app, listing, &next).await?)),
        None => Ok(None),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecretsInput {
    include_planned_deletion: Option<bool>,
    max_results: Option<u32>,
    next_token: Option<String>,
    filters: Option<Vec<FilterInput>>,
    sort_order: Option<String>,
    sort_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterInput {
    key: Option<String>,
    values: Option<Vec<String>>,
}

impl FilterInput {
    fn read(self) -> Result<Filter, Error> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidParameter, message);
        let key = self.key.as_deref().and_then(FilterKey::parse);
        let key = key.ok_or_else(|| invalid("Invalid filter key.".to_owned()))?;
        let name = self.key.unwrap_or_default();
        let values = self
            .values
            .filter(|values| !values.is_empty())
            .ok_or_else(|| invalid(format!("Invalid filter values for key: {name}.")))?;
        Ok(Filter { key, values })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecretsOutput {
    secret_list: Vec<Listed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    described: Described,
    #[serde(rename = "SecretVersionsToStages", skip_serializing_if = "BTreeMap::is_empty")]
    stages: BTreeMap<String, Vec<String>>,
}

impl From<StagedSecret> for Listed {
    fn from(StagedSecret { secret, stages }: StagedSecret) -> Self {
        Self { described: Described::of(secret), stages }
    }
}

pub(super) async fn list_secrets(
    call: &Call<'_>,
    input: ListSecretsInput,
) -> Result<ListSecretsOutput> {
    let sort_by = input.sort_by.as_deref().and_then(SortBy::parse).unwrap_or_default();
    let descending = input.sort_order.as_deref() != Some("asc");
    let listing = format!(
        "secretsmanager:ListSecrets {} {} {} {descending}",
        call.context.account,
        call.context.region,
        sort_by.as_str(),
    );
    let filters = input.filters.unwrap_or_default();
    let operation = ListSecrets {
        include_deleted: input.include_planned_deletion == Some(true),
        filters: filters.into_iter().map(FilterInput::read).collect::<Result<_, Error>>()?,
        sort_by,
        descending,
        page: page(call, &listing, input.max_results, input.next_token.as_deref()).await?,
    };
    let found = call.execute(operation).await?;
    Ok(ListSecretsOutput {
        secret_list: found.items.into_iter().map(Listed::from).collect(),
        next_token: token(call, &listing, found.next).await?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecretVersionIdsInput {
    secret_id: String,
    max_results: Option<u32>,
    next_token: Option<String>,
    include_deprecated: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecretVersionIdsOutput {
    versions: Vec<ListedVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedVersion {
    version_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    version_stages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_accessed_date: Option<f64>,
    created_date: f64,
    kms_key_ids: [&'static str; 1],
}

pub(super) async fn list_secret_version_ids(
    call: &Call<'_>,
    input: ListSecretVersionIdsInput,
) -> Result<ListSecretVersionIdsOutput> {
    let id = call.secret(&input.secret_id)?;
    let listing = format!(
        "secretsmanager:ListSecretVersionIds {} {} {}",
        call.context.account, call.context.region, input.secret_id
    );
    let operation = ListSecretVersionIds {
        id,
        include_deprecated: input.include_deprecated == Some(true),
        page: page(call, &listing, input.max_results, input.next_token.as_deref()).await?,
    };
    let (secret, found) = call.execute(operation).await?;
    let versions = found.items.into_iter().map(|version| ListedVersion {
        version_id: version.id,
        version_stages: version.stages,
        last_accessed_date: version.accessed_at.map(Millis::epoch_seconds),
        created_date: version.created_at.epoch_seconds(),
        // As AWS names the key of whoever names none.
        kms_key_ids: ["DefaultEncryptionKey"],
    });
    Ok(ListSecretVersionIdsOutput {
        versions: versions.collect(),
        next_token: token(call, &listing, found.next).await?,
        arn: secret.arn,
        name: secret.name,
    })
}
