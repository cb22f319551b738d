//! Managed signing: its configuration, and what came of it.

use serde::{Deserialize, Serialize};
use tonnage_domain::signing::configuration;
use tonnage_domain::signing::delete_signing_configuration::DeleteSigningConfiguration;
use tonnage_domain::signing::describe_image_signing_status::DescribeImageSigningStatus;
use tonnage_domain::signing::get_signing_configuration::GetSigningConfiguration;
use tonnage_domain::signing::put_signing_configuration::PutSigningConfiguration;

use super::Call;
use super::images::{ImageId, required_identifier};
use super::registry_settings::NoInput;
use crate::aws::error::Result;

const WILDCARD_MATCH: &str = "WILDCARD_MATCH";

#[derive(Deserialize, Serialize)]
struct Configuration {
    rules: Vec<Rule>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    signing_profile_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_filters: Option<Vec<Filter>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    filter: String,
    filter_type: String,
}

impl From<Configuration> for configuration::SigningConfiguration {
    fn from(configuration: Configuration) -> Self {
        let rule = |rule: Rule| configuration::SigningRule {
            profile_arn: rule.signing_profile_arn,
            filters: rule
                .repository_filters
                .unwrap_or_default()
                .into_iter()
                .map(|filter| filter.filter)
                .collect(),
        };
        Self { rules: configuration.rules.into_iter().map(rule).collect() }
    }
}

impl From<configuration::SigningConfiguration> for Configuration {
    fn from(configuration: configuration::SigningConfiguration) -> Self {
        let filter = |filter: String| Filter { filter, filter_type: WILDCARD_MATCH.to_owned() };
        let rule = |rule: configuration::SigningRule| Rule {
            signing_profile_arn: rule.profile_arn,
            repository_filters: (!rule.filters.is_empty())
                .then(|| rule.filters.into_iter().map(filter).collect()),
        };
        Self { rules: configuration.rules.into_iter().map(rule).collect() }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutInput {
    signing_configuration: Configuration,
}

pub(super) async fn put_signing_configuration(
    call: &Call<'_>,
    input: PutInput,
) -> Result<PutInput> {
    let configuration = input.signing_configuration.into();
    let stored = call.execute(PutSigningConfiguration { configuration }).await?;
    Ok(PutInput { signing_configuration: stored.into() })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigurationOutput {
    registry_id: String,
    signing_configuration: Configuration,
}

pub(super) async fn get_signing_configuration(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<ConfigurationOutput> {
    let configuration = call.execute(GetSigningConfiguration).await?;
    Ok(ConfigurationOutput {
        registry_id: call.context.account.to_string(),
        signing_configuration: configuration.into(),
    })
}

pub(super) async fn delete_signing_configuration(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<ConfigurationOutput> {
    let configuration = call.execute(DeleteSigningConfiguration).await?;
    Ok(ConfigurationOutput {
        registry_id: call.context.account.to_string(),
        signing_configuration: configuration.into(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusOutput {
    repository_name: String,
    image_id: ImageId,
    registry_id: String,
    signing_statuses: Vec<Status>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    signing_profile_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    status: &'static str,
}

pub(super) async fn describe_image_signing_status(
    call: &Call<'_>,
    input: StatusInput,
) -> Result<StatusOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let mut id = required_identifier(&input.image_id)?;
    let registry_id = repository.account.to_string();
    let operation = DescribeImageSigningStatus { repository, id: id.clone() };
    let (digest, statuses) = call.execute(operation).await?;
    id.digest = Some(digest);
    let signing_statuses = statuses
        .into_iter()
        .map(|signature| {
            let (failure_code, failure_reason) = signature.failure.unzip();
            Status {
                signing_profile_arn: signature.profile_arn,
                failure_code,
                failure_reason,
                status: signature.status.as_str(),
            }
        })
        .collect();
    Ok(StatusOutput {
        repository_name: input.repository_name,
        image_id: ImageId::from(&id),
        registry_id,
        signing_statuses,
    })
}
