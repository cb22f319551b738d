//! `DescribeRepositoryCreationTemplates`.

use super::{Template, TemplatePrefix, registry_demand, rows};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::pages::{Page, PageRequest};
use crate::registries;

/// The templates asked for, or all, by prefix. A prefix names exactly its own template, as
/// Terraform expects it; one without a template is left out.
#[derive(Clone, Debug)]
pub struct DescribeRepositoryCreationTemplates {
    /// These only.
    pub prefixes: Vec<TemplatePrefix>,
    /// Which page, when no prefixes are given.
    pub page: PageRequest,
}

impl Operation for DescribeRepositoryCreationTemplates {
    const ENTRY: Entry =
        Entry { service: Service::Ecr, name: "DescribeRepositoryCreationTemplates" };
    type Output = Page<Template>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![registry_demand("ecr:DescribeRepositoryCreationTemplates")]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Template>> {
        let mut tx = call.read().await?;
        let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        if !self.prefixes.is_empty() {
            let mut items = Vec::new();
            for prefix in &self.prefixes {
                items.extend(rows::find(&mut tx, registry_id, prefix.as_str()).await?);
            }
            return Ok(Page { items, next: None });
        }
        let after = self.page.after.as_deref().unwrap_or("");
        let items = rows::list(&mut tx, registry_id, after, self.page.limit_and_one()).await?;
        Ok(self.page.cut(items, |template| template.prefix.as_str().to_owned()))
    }
}
