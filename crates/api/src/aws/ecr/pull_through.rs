//! Pull through cache rules.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;
use tonnage_domain::pull_through::delete::DeletePullThroughCacheRule;
use tonnage_domain::pull_through::describe::DescribePullThroughCacheRules;
use tonnage_domain::pull_through::registries::UpstreamRegistry;
use tonnage_domain::pull_through::rules::Rule;
use tonnage_domain::pull_through::update::UpdatePullThroughCacheRule;
use tonnage_domain::pull_through::validate::ValidatePullThroughCacheRule;

use super::listings::{Listing, refuse_page_of_named};
use super::{Call, parse_registry_id};
use crate::aws::error::Result;

/// What every answer has of a rule. Which other members there are differs by operation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleWire {
    ecr_repository_prefix: String,
    registry_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_registry_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_registry: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_repository_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<f64>,
}

impl From<Rule> for RuleWire {
    /// A rule as it is described, with everything.
    fn from(rule: Rule) -> Self {
        Self {
            ecr_repository_prefix: rule.given_prefix,
            registry_id: rule.account.to_string(),
            upstream_registry_url: Some(rule.upstream_url),
            upstream_registry: rule.upstream_registry.as_str(),
            upstream_repository_prefix: rule.given_upstream_prefix,
            credential_arn: rule.credential_arn,
            custom_role_arn: rule.custom_role_arn,
            created_at: Some(rule.created_at.epoch_seconds()),
            updated_at: Some(rule.updated_at.epoch_seconds()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateInput {
    registry_id: Option<String>,
    ecr_repository_prefix: String,
    upstream_registry_url: String,
    upstream_registry: Option<String>,
    upstream_repository_prefix: Option<String>,
    credential_arn: Option<String>,
    custom_role_arn: Option<String>,
}

pub(super) async fn create_pull_through_cache_rule(
    call: &Call<'_>,
    input: CreateInput,
) -> Result<RuleWire> {
    let upstream_registry = input
        .upstream_registry
        .as_deref()
        .map(|text| {
            UpstreamRegistry::parse(text).ok_or_else(|| {
                Error::invalid_parameter("upstreamRegistry", "Member must satisfy enum value set")
            })
        })
        .transpose()?;
    let operation = CreatePullThroughCacheRule {
        registry_id: parse_registry_id(input.registry_id.as_deref())?,
        prefix: input.ecr_repository_prefix,
        upstream_url: input.upstream_registry_url,
        upstream_registry,
        upstream_prefix: input.upstream_repository_prefix,
        credential_arn: input.credential_arn,
        custom_role_arn: input.custom_role_arn.filter(|arn| !arn.is_empty()),
    };
    let created = RuleWire::from(call.execute(operation).await?);
    Ok(RuleWire { updated_at: None, ..created })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneInput {
    registry_id: Option<String>,
    ecr_repository_prefix: String,
}

pub(super) async fn delete_pull_through_cache_rule(
    call: &Call<'_>,
    input: OneInput,
) -> Result<RuleWire> {
    let operation = DeletePullThroughCacheRule {
        registry_id: parse_registry_id(input.registry_id.as_deref())?,
        prefix: input.ecr_repository_prefix,
    };
    let deleted = RuleWire::from(call.execute(operation).await?);
    Ok(RuleWire { updated_at: None, upstream_registry: None, ..deleted })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateInput {
    registry_id: Option<String>,
    ecr_repository_prefix: String,
    credential_arn: Option<String>,
    custom_role_arn: Option<String>,
}

pub(super) async fn update_pull_through_cache_rule(
    call: &Call<'_>,
    input: UpdateInput,
) -> Result<RuleWire> {
    let operation = UpdatePullThroughCacheRule {
        registry_id: parse_registry_id(input.registry_id.as_deref())?,
        prefix: input.ecr_repository_prefix,
        credential_arn: input.credential_arn,
        custom_role_arn: input.custom_role_arn.filter(|arn| !arn.is_empty()),
    };
    let updated = RuleWire::from(call.execute(operation).await?);
    Ok(RuleWire {
        created_at: None,
        upstream_registry: None,
        upstream_registry_url: None,
        ..updated
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValidateOutput {
    #[serde(flatten)]
    rule: RuleWire,
    is_valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

pub(super) async fn validate_pull_through_cache_rule(
    call: &Call<'_>,
    input: OneInput,
) -> Result<ValidateOutput> {
    let operation = ValidatePullThroughCacheRule {
        registry_id: parse_registry_id(input.registry_id.as_deref())?,
        prefix: input.ecr_repository_prefix,
    };
    let validation = call.execute(operation).await?;
    let rule = RuleWire::from(validation.rule);
    Ok(ValidateOutput {
        rule: RuleWire { created_at: None, updated_at: None, upstream_registry: None, ..rule },
        is_valid: validation.failure.is_none(),
        failure: validation.failure,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeInput {
    registry_id: Option<String>,
    ecr_repository_prefixes: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    pull_through_cache_rules: Vec<RuleWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn describe_pull_through_cache_rules(
    call: &Call<'_>,
    input: DescribeInput,
) -> Result<DescribeOutput> {
    let prefixes = input.ecr_repository_prefixes.unwrap_or_default();
    if !prefixes.is_empty() {
        let names = "ecrRepositoryPrefixes";
        refuse_page_of_named(names, input.next_token.as_ref(), input.max_results)?;
    }
    let registry_id = parse_registry_id(input.registry_id.as_deref())?;
    let account = registry_id.unwrap_or(call.context.account);
    let listing = Listing::new(call, "DescribePullThroughCacheRules", &account, &[]);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let page = call.execute(DescribePullThroughCacheRules { registry_id, prefixes, page }).await?;
    Ok(DescribeOutput {
        next_token: listing.token(call, page.next.as_deref()).await?,
        pull_through_cache_rules: page.items.into_iter().map(RuleWire::from).collect(),
    })
}
