//! `DeleteRepositoryCreationTemplate`.

use super::{Template, TemplatePrefix, registry_demand, rows};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::registries;

/// Deletes a template and returns it; repositories that were made from it stay as they are.
#[derive(Clone, Debug)]
pub struct DeleteRepositoryCreationTemplate {
    /// Which one.
    pub prefix: TemplatePrefix,
}

impl Operation for DeleteRepositoryCreationTemplate {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeleteRepositoryCreationTemplate" };
    type Output = Template;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![registry_demand("ecr:DeleteRepositoryCreationTemplate")]
    }

    async fn run(self, call: Call<'_>) -> Result<Template> {
        let mut tx = call.write().await?;
        if let Some(registry_id) = registries::find_addressed(&mut tx, &call).await?
            && let Some(template) = rows::find(&mut tx, registry_id, self.prefix.as_str()).await?
        {
            rows::delete(&mut tx, registry_id, &self.prefix).await?;
            call.commit(tx).await?;
            return Ok(template);
        }
        let missing = super::not_found(&self.prefix, &call.context.account);
        call.refuse(tx, missing).await
    }
}
