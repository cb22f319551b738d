//! `DeletePullThroughCacheRule`.

use super::namespace::Namespace;
use super::rules::{self, Rule};
use super::{not_found, refuse_foreign, registry_demand};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::AccountId;
use crate::registries;

/// Deletes a rule and returns it. Repositories that it filled stay, and are pushed to and pulled
/// from like any other.
#[derive(Clone, Debug)]
pub struct DeletePullThroughCacheRule {
    /// The account of the registry; the addressed one when absent.
    pub registry_id: Option<AccountId>,
    /// Which one.
    pub prefix: String,
}

const ACTION: &str = "ecr:DeletePullThroughCacheRule";

impl Operation for DeletePullThroughCacheRule {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeletePullThroughCacheRule" };
    type Output = Rule;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![registry_demand(ACTION)]
    }

    async fn run(self, call: Call<'_>) -> Result<Rule> {
        let context = call.context;
        refuse_foreign(context, self.registry_id.as_ref(), ACTION)?;
        let prefix = Namespace::new(&self.prefix);
        let mut tx = call.write().await?;
        if let Some(registry_id) = registries::find_addressed(&mut tx, &call).await?
            && let Some(rule) =
                rules::find(&mut tx, context.account, &context.region, &prefix).await?
        {
            rules::delete(&mut tx, registry_id, &prefix).await?;
            call.commit(tx).await?;
            return Ok(rule);
        }
        let missing = not_found(context, &self.prefix);
        call.refuse(tx, missing).await
    }
}
