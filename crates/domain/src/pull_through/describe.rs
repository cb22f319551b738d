//! `DescribePullThroughCacheRules`.

use super::namespace::Namespace;
use super::rules::{self, Rule};
use super::{not_found, refuse_foreign, registry_demand};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::AccountId;
use crate::pages::{Page, PageRequest};

/// The rules asked for, in that order, or all, by prefix. As in ECR, all that are asked for must be
/// there.
#[derive(Clone, Debug)]
pub struct DescribePullThroughCacheRules {
    /// The account of the registry; the addressed one when absent.
    pub registry_id: Option<AccountId>,
    /// These only.
    pub prefixes: Vec<String>,
    /// Which page, when no prefixes are given.
    pub page: PageRequest,
}

const ACTION: &str = "ecr:DescribePullThroughCacheRules";

impl Operation for DescribePullThroughCacheRules {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DescribePullThroughCacheRules" };
    type Output = Page<Rule>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![registry_demand(ACTION)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Rule>> {
        let RequestContext { account, region, .. } = call.context;
        refuse_foreign(call.context, self.registry_id.as_ref(), ACTION)?;
        let mut tx = call.read().await?;
        if !self.prefixes.is_empty() {
            let mut items = Vec::with_capacity(self.prefixes.len());
            for given in &self.prefixes {
                let found = rules::find(&mut tx, *account, region, &Namespace::new(given)).await?;
                items.push(found.ok_or_else(|| not_found(call.context, given))?);
            }
            return Ok(Page { items, next: None });
        }
        let after = self.page.after.as_deref().unwrap_or("");
        let limit = self.page.limit_and_one();
        let items = rules::list(&mut tx, *account, region, after, limit).await?;
        Ok(self.page.cut(items, |rule| rule.prefix.as_str().to_owned()))
    }
}
