//! Templates as rows.

use super::{AppliedFor, Template, TemplatePrefix, TemplateSettings};
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::Row;
use crate::params;
use crate::repositories::TagMutabilityRule;
use crate::resource_tags::ResourceTag;

macro_rules! select_templates {
    ($rest:literal) => {
        concat!(
            "SELECT prefix, description, resource_tags, tag_mutability, \
             tag_mutability_exclusions, repository_policy, lifecycle_policy, applied_for, \
             custom_role_arn, created_at, updated_at FROM repository_creation_templates \
             WHERE registry_id = $1 ",
            $rest
        )
    };
}

fn from_row(row: &Row) -> Result<Template> {
    let tags: Vec<(String, String)> =
        serde_json::from_str(&row.get::<String>(2)?).map_err(Error::internal)?;
    let applied_for: Vec<AppliedFor> =
        serde_json::from_str(&row.get::<String>(7)?).map_err(Error::internal)?;
    Ok(Template {
        prefix: TemplatePrefix(row.get(0)?),
        settings: TemplateSettings {
            description: row.get(1)?,
            resource_tags: tags
                .into_iter()
                .map(|(key, value)| ResourceTag { key, value })
                .collect(),
            tag_mutability: TagMutabilityRule::from_stored(
                &row.get::<String>(3)?,
                &row.get::<String>(4)?,
            )?,
            repository_policy: row.get(5)?,
            lifecycle_policy: row.get(6)?,
            applied_for,
            custom_role_arn: row.get(8)?,
        },
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
    })
}

pub(super) async fn find(tx: &mut Tx, registry_id: i64, prefix: &str) -> Result<Option<Template>> {
    let row =
        tx.optional(select_templates!("AND prefix = $2"), params![registry_id, prefix]).await?;
    row.as_ref().map(from_row).transpose()
}

/// Up to `limit` templates whose prefixes follow `after`.
pub(super) async fn list(
    tx: &mut Tx,
    registry_id: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<Template>> {
    let rows = tx
        .all(
            select_templates!("AND prefix > $2 ORDER BY prefix LIMIT $3"),
            params![registry_id, after, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// Adds a template or replaces the one with its prefix.
pub(super) async fn put(tx: &mut Tx, registry_id: i64, template: &Template) -> Result<()> {
    let settings = &template.settings;
    let tags: Vec<(&str, &str)> =
        settings.resource_tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    delete(tx, registry_id, &template.prefix).await?;
    tx.execute(
        "INSERT INTO repository_creation_templates (registry_id, prefix, description, \
         encryption_type, resource_tags, tag_mutability, tag_mutability_exclusions, \
         repository_policy, lifecycle_policy, applied_for, custom_role_arn, created_at, updated_at) \
         VALUES ($1, $2, $3, 'AES256', $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            registry_id,
            template.prefix.as_str(),
            settings.description.as_deref(),
            serde_json::to_string(&tags).map_err(Error::internal)?,
            settings.tag_mutability.setting().as_str(),
            settings.tag_mutability.stored_filters()?,
            settings.repository_policy.as_deref(),
            settings.lifecycle_policy.as_deref(),
            serde_json::to_string(&settings.applied_for).map_err(Error::internal)?,
            settings.custom_role_arn.as_deref(),
            template.created_at,
            template.updated_at,
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, registry_id: i64, prefix: &TemplatePrefix) -> Result<()> {
    tx.execute(
        "DELETE FROM repository_creation_templates WHERE registry_id = $1 AND prefix = $2",
        params![registry_id, prefix.as_str()],
    )
    .await?;
    Ok(())
}
