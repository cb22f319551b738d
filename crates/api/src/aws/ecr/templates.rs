//! Repository creation templates.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::delete::DeleteRepositoryCreationTemplate;
use tonnage_domain::templates::describe::DescribeRepositoryCreationTemplates;
use tonnage_domain::templates::update::{TemplateChanges, UpdateRepositoryCreationTemplate};
use tonnage_domain::templates::{AppliedFor, Template, TemplatePrefix, TemplateSettings};

use super::Call;
use super::listings::{Listing, refuse_page_of_named};
use super::repositories::{
    AES256, Encryption, EncryptionConfiguration, ExclusionFilter, Mutability,
    refuse_other_encryption, tag_mutability,
};
use super::tags::{Tag, tags_from};
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateInput {
    prefix: String,
    description: Option<String>,
    encryption_configuration: Option<EncryptionConfiguration>,
    resource_tags: Option<Vec<Tag>>,
    image_tag_mutability: Option<String>,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
    repository_policy: Option<String>,
    lifecycle_policy: Option<String>,
    applied_for: Option<Vec<String>>,
    custom_role_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateOutput {
    registry_id: String,
    repository_creation_template: TemplateWire,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TemplateWire {
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    encryption_configuration: Encryption,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_tags: Vec<Tag>,
    #[serde(flatten)]
    mutability: Mutability,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_policy: Option<String>,
    applied_for: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_role_arn: Option<String>,
    created_at: f64,
    updated_at: f64,
}

impl From<Template> for TemplateWire {
    fn from(template: Template) -> Self {
        let settings = template.settings;
        Self {
            prefix: template.prefix.as_str().to_owned(),
            description: settings.description,
            encryption_configuration: Encryption { encryption_type: AES256 },
            resource_tags: settings.resource_tags.into_iter().map(Tag::from).collect(),
            mutability: Mutability::from(&settings.tag_mutability),
            repository_policy: settings.repository_policy,
            lifecycle_policy: settings.lifecycle_policy,
            applied_for: settings.applied_for.into_iter().map(AppliedFor::as_str).collect(),
            custom_role_arn: settings.custom_role_arn,
            created_at: template.created_at.epoch_seconds(),
            updated_at: template.updated_at.epoch_seconds(),
        }
    }
}

fn output(call: &Call<'_>, template: Template) -> TemplateOutput {
    TemplateOutput {
        registry_id: call.context.account.to_string(),
        repository_creation_template: template.into(),
    }
}

fn applied_for(texts: &[String]) -> Result<Vec<AppliedFor>, Error> {
    let mut scenarios = Vec::new();
    for text in texts {
        let scenario = AppliedFor::parse(text).ok_or_else(|| {
            Error::invalid_parameter(
                "appliedFor",
                "Member must satisfy enum value set: [REPLICATION, PULL_THROUGH_CACHE, \
                 CREATE_ON_PUSH]",
            )
        })?;
        if !scenarios.contains(&scenario) {
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

pub(super) async fn create_repository_creation_template(
    call: &Call<'_>,
    input: TemplateInput,
) -> Result<TemplateOutput> {
    refuse_other_encryption(input.encryption_configuration.as_ref())?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let settings = TemplateSettings {
        description: given(input.description),
        resource_tags: tags_from(input.resource_tags.unwrap_or_default()),
        tag_mutability: tag_mutability(
            input.image_tag_mutability.as_deref(),
            input.image_tag_mutability_exclusion_filters,
        )?,
        repository_policy: given(input.repository_policy),
        lifecycle_policy: given(input.lifecycle_policy),
        applied_for: applied_for(&input.applied_for.unwrap_or_default())?,
        custom_role_arn: given(input.custom_role_arn),
    };
    let prefix = TemplatePrefix::new(&input.prefix);
    let created = call.execute(CreateRepositoryCreationTemplate { prefix, settings }).await?;
    Ok(output(call, created))
}

pub(super) async fn update_repository_creation_template(
    call: &Call<'_>,
    input: TemplateInput,
) -> Result<TemplateOutput> {
    refuse_other_encryption(input.encryption_configuration.as_ref())?;
    let rule = match (&input.image_tag_mutability, &input.image_tag_mutability_exclusion_filters) {
        (None, None) => None,
        _ => Some(tag_mutability(
            input.image_tag_mutability.as_deref(),
            input.image_tag_mutability_exclusion_filters,
        )?),
    };
    let changes = TemplateChanges {
        description: input.description,
        resource_tags: input.resource_tags.map(tags_from),
        tag_mutability: rule,
        repository_policy: input.repository_policy,
        lifecycle_policy: input.lifecycle_policy,
        applied_for: input.applied_for.as_deref().map(applied_for).transpose()?,
        custom_role_arn: input.custom_role_arn,
    };
    let prefix = TemplatePrefix::new(&input.prefix);
    let updated = call.execute(UpdateRepositoryCreationTemplate { prefix, changes }).await?;
    Ok(output(call, updated))
}

#[derive(Deserialize)]
pub(super) struct DeleteTemplateInput {
    prefix: String,
}

pub(super) async fn delete_repository_creation_template(
    call: &Call<'_>,
    input: DeleteTemplateInput,
) -> Result<TemplateOutput> {
    let prefix = TemplatePrefix::new(&input.prefix);
    let deleted = call.execute(DeleteRepositoryCreationTemplate { prefix }).await?;
    Ok(output(call, deleted))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTemplatesInput {
    prefixes: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTemplatesOutput {
    registry_id: String,
    repository_creation_templates: Vec<TemplateWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Prefixes in one request; a listing has them all.
const PREFIXES_MAX: usize = 100;

pub(super) async fn describe_repository_creation_templates(
    call: &Call<'_>,
    input: DescribeTemplatesInput,
) -> Result<DescribeTemplatesOutput> {
    let prefixes = input.prefixes.unwrap_or_default();
    if !prefixes.is_empty() {
        refuse_page_of_named("prefixes", input.next_token.as_ref(), input.max_results)?;
    }
    if prefixes.len() > PREFIXES_MAX {
        return Err(Error::invalid_parameter(
            "prefixes",
            format_args!("Member must have length less than or equal to {PREFIXES_MAX}"),
        )
        .into());
    }
    let prefixes = prefixes.iter().map(|prefix| TemplatePrefix::new(prefix)).collect();
    let account = &call.context.account;
    let listing = Listing::new(call, "DescribeRepositoryCreationTemplates", account, &[]);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let page = call.execute(DescribeRepositoryCreationTemplates { prefixes, page }).await?;
    Ok(DescribeTemplatesOutput {
        registry_id: account.to_string(),
        next_token: listing.token(call, page.next.as_deref()).await?,
        repository_creation_templates: page.items.into_iter().map(TemplateWire::from).collect(),
    })
}
