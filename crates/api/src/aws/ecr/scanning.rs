//! What registries and repositories want scanned.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::scanning::batch_get_repository_scanning_configuration::BatchGetRepositoryScanningConfiguration;
use tonnage_domain::scanning::put_image_scanning_configuration::PutImageScanningConfiguration;
use tonnage_domain::scanning::registry_scanning_configuration::{
    GetRegistryScanningConfiguration, PutRegistryScanningConfiguration,
};
use tonnage_domain::scanning::{self, ScanFrequency, ScanType};

use super::registry_settings::NoInput;
use super::{Call, parse_registry_id, parse_repository_name};
use crate::aws::error::Result;

const WILDCARD: &str = "WILDCARD";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    filter: String,
    filter_type: String,
}

impl Filter {
    fn wildcard(filter: String) -> Self {
        Self { filter, filter_type: WILDCARD.to_owned() }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    scan_frequency: String,
    repository_filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRegistryScanningConfigurationInput {
    scan_type: Option<String>,
    rules: Option<Vec<Rule>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    scan_type: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRegistryScanningConfigurationOutput {
    registry_scanning_configuration: Configuration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRegistryScanningConfigurationOutput {
    registry_id: String,
    scanning_configuration: Configuration,
}

impl From<scanning::RegistryScanningConfiguration> for Configuration {
    fn from(configuration: scanning::RegistryScanningConfiguration) -> Self {
        let rule = |rule: scanning::ScanningRule| Rule {
            scan_frequency: rule.frequency.as_str().to_owned(),
            repository_filters: rule.filters.into_iter().map(Filter::wildcard).collect(),
        };
        Self {
            scan_type: configuration.scan_type.as_str(),
            rules: configuration.rules.into_iter().map(rule).collect(),
        }
    }
}

/// An enumerated value that the shape has let through.
fn parse<T>(field: &str, text: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| Error::invalid_parameter(field, format_args!("unknown value {text}")))
}

fn rule(rule: Rule) -> Result<scanning::ScanningRule, Error> {
    let frequency = ScanFrequency::parse(&rule.scan_frequency);
    Ok(scanning::ScanningRule {
        frequency: parse("scanFrequency", &rule.scan_frequency, frequency)?,
        filters: rule.repository_filters.into_iter().map(|filter| filter.filter).collect(),
    })
}

pub(super) async fn put_registry_scanning_configuration(
    call: &Call<'_>,
    input: PutRegistryScanningConfigurationInput,
) -> Result<PutRegistryScanningConfigurationOutput> {
    let scan_type = match input.scan_type {
        None => ScanType::default(),
        Some(text) => parse("scanType", &text, ScanType::parse(&text))?,
    };
    let rules = input.rules.unwrap_or_default();
    let rules = rules.into_iter().map(rule).collect::<Result<_, Error>>()?;
    let configuration = scanning::RegistryScanningConfiguration { scan_type, rules };
    let stored = call.execute(PutRegistryScanningConfiguration { configuration }).await?;
    Ok(PutRegistryScanningConfigurationOutput { registry_scanning_configuration: stored.into() })
}

pub(super) async fn get_registry_scanning_configuration(
    call: &Call<'_>,
    _input: NoInput,
) -> Result<GetRegistryScanningConfigurationOutput> {
    let configuration = call.execute(GetRegistryScanningConfiguration).await?;
    Ok(GetRegistryScanningConfigurationOutput {
        registry_id: call.context.account.to_string(),
        scanning_configuration: configuration.into(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImageScanningConfigurationInput {
    registry_id: Option<String>,
    repository_name: String,
    image_scanning_configuration: ImageScanningConfiguration,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageScanningConfiguration {
    scan_on_push: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImageScanningConfigurationOutput {
    registry_id: String,
    repository_name: String,
    image_scanning_configuration: ImageScanningConfiguration,
}

pub(super) async fn put_image_scanning_configuration(
    call: &Call<'_>,
    input: PutImageScanningConfigurationInput,
) -> Result<PutImageScanningConfigurationOutput> {
    let repository = call
        .execute(PutImageScanningConfiguration {
            registry_id: parse_registry_id(input.registry_id.as_deref())?,
            name: parse_repository_name(&input.repository_name)?,
            scan_on_push: input.image_scanning_configuration.scan_on_push.unwrap_or(false),
        })
        .await?;
    Ok(PutImageScanningConfigurationOutput {
        registry_id: repository.address.account.to_string(),
        repository_name: repository.address.name.to_string(),
        image_scanning_configuration: ImageScanningConfiguration {
            scan_on_push: Some(repository.scan_on_push),
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetRepositoryScanningConfigurationInput {
    repository_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetRepositoryScanningConfigurationOutput {
    scanning_configurations: Vec<RepositoryScanning>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryScanning {
    repository_arn: String,
    repository_name: String,
    scan_on_push: bool,
    scan_frequency: &'static str,
    applied_scan_filters: Vec<Filter>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    repository_name: String,
    failure_code: &'static str,
    failure_reason: String,
}

pub(super) async fn batch_get_repository_scanning_configuration(
    call: &Call<'_>,
    input: BatchGetRepositoryScanningConfigurationInput,
) -> Result<BatchGetRepositoryScanningConfigurationOutput> {
    let names = input
        .repository_names
        .iter()
        .map(|name| parse_repository_name(name))
        .collect::<Result<_, Error>>()?;
    let answers = call.execute(BatchGetRepositoryScanningConfiguration { names }).await?;
    let (mut scanning_configurations, mut failures) = (Vec::new(), Vec::new());
    for answer in answers {
        let repository_name = answer.repository.name.to_string();
        match answer.scanning {
            Some(scanning) => scanning_configurations.push(RepositoryScanning {
                repository_arn: answer.repository.arn(),
                repository_name,
                scan_on_push: scanning.scan_on_push,
                scan_frequency: scanning.frequency.as_str(),
                applied_scan_filters: scanning
                    .applied_filters
                    .into_iter()
                    .map(Filter::wildcard)
                    .collect(),
            }),
            None => failures.push(Failure {
                failure_code: "REPOSITORY_NOT_FOUND",
                failure_reason: tonnage_domain::repositories::not_found(&answer.repository)
                    .message()
                    .to_owned(),
                repository_name,
            }),
        }
    }
    Ok(BatchGetRepositoryScanningConfigurationOutput { scanning_configurations, failures })
}
