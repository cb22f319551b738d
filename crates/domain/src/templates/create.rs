//! `CreateRepositoryCreationTemplate`.

use super::{Template, TemplatePrefix, TemplateSettings, rows};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::registries;

/// Creates a template. Not idempotent, as in ECR.
#[derive(Clone, Debug)]
pub struct CreateRepositoryCreationTemplate {
    /// Which repositories it is for.
    pub prefix: TemplatePrefix,
    /// What they get.
    pub settings: TemplateSettings,
}

impl Operation for CreateRepositoryCreationTemplate {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "CreateRepositoryCreationTemplate" };
    type Output = Template;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        super::demands("ecr:CreateRepositoryCreationTemplate", &self.settings)
    }

    async fn run(self, call: Call<'_>) -> Result<Template> {
        self.settings.validate()?;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        if rows::find(&mut tx, registry_id, self.prefix.as_str()).await?.is_some() {
            let exists = Error::new(
                ErrorKind::TemplateAlreadyExists,
                format!(
                    "The Repository Creation Template with prefix '{}' already exists in the \
                     registry with id '{}'",
                    self.prefix.as_str(),
                    call.context.account
                ),
            );
            return call.refuse(tx, exists).await;
        }
        let template = Template {
            prefix: self.prefix,
            settings: self.settings,
            created_at: call.now(),
            updated_at: call.now(),
        };
        rows::put(&mut tx, registry_id, &template).await?;
        call.commit(tx).await?;
        Ok(template)
    }
}
