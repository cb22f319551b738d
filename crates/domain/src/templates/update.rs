//! `UpdateRepositoryCreationTemplate`.

use super::{
    AppliedFor, Template, TemplatePrefix, TemplateSettings, policy_demands, registry_demand, rows,
};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::registries;
use crate::repositories::TagMutabilityRule;
use crate::resource_tags::ResourceTag;

/// Changes members of a template; what is absent stays. An empty text clears a policy.
#[derive(Clone, Debug, Default)]
pub struct TemplateChanges {
    /// The new description.
    pub description: Option<String>,
    /// The new tags, all of them.
    pub resource_tags: Option<Vec<ResourceTag>>,
    /// The new rule.
    pub tag_mutability: Option<TagMutabilityRule>,
    /// The new repository policy; empty for none.
    pub repository_policy: Option<String>,
    /// The new lifecycle policy; empty for none.
    pub lifecycle_policy: Option<String>,
    /// The new scenarios, all of them.
    pub applied_for: Option<Vec<AppliedFor>>,
    /// The new role.
    pub custom_role_arn: Option<String>,
}

/// Updates a template. Idempotent.
#[derive(Clone, Debug)]
pub struct UpdateRepositoryCreationTemplate {
    /// Which one.
    pub prefix: TemplatePrefix,
    /// What changes.
    pub changes: TemplateChanges,
}

impl Operation for UpdateRepositoryCreationTemplate {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "UpdateRepositoryCreationTemplate" };
    type Output = Template;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let mut demands = vec![registry_demand("ecr:UpdateRepositoryCreationTemplate")];
        let changes = &self.changes;
        demands.extend(policy_demands(
            changes.repository_policy.as_deref(),
            changes.lifecycle_policy.as_deref(),
        ));
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<Template> {
        let mut tx = call.write().await?;
        let found = match registries::find_addressed(&mut tx, &call).await? {
            None => None,
            Some(registry_id) => rows::find(&mut tx, registry_id, self.prefix.as_str())
                .await?
                .map(|template| (registry_id, template)),
        };
        let Some((registry_id, mut template)) = found else {
            let missing = super::not_found(&self.prefix, &call.context.account);
            return call.refuse(tx, missing).await;
        };
        self.changes.apply(&mut template.settings);
        template.settings.validate()?;
        template.updated_at = call.now();
        rows::put(&mut tx, registry_id, &template).await?;
        call.commit(tx).await?;
        Ok(template)
    }
}

impl TemplateChanges {
    fn apply(self, settings: &mut TemplateSettings) {
        let text = |old: &mut Option<String>, new: Option<String>| {
            if let Some(new) = new {
                *old = Some(new).filter(|text| !text.is_empty());
            }
        };
        text(&mut settings.description, self.description);
        text(&mut settings.repository_policy, self.repository_policy);
        text(&mut settings.lifecycle_policy, self.lifecycle_policy);
        text(&mut settings.custom_role_arn, self.custom_role_arn);
        if let Some(tags) = self.resource_tags {
            settings.resource_tags = tags;
        }
        if let Some(rule) = self.tag_mutability {
            settings.tag_mutability = rule;
        }
        if let Some(applied_for) = self.applied_for {
            settings.applied_for = applied_for;
        }
    }
}
