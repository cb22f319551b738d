//! `GET /v2/_catalog`: the names of the repositories that somebody may know of.

use std::sync::Arc;

use super::RepositoryAddress;
use crate::authorize;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::RepositoryName;
use crate::pages::{Page, PageRequest};
use crate::params;

const ACTION: &str = "ecr:DescribeRepositories";

/// Names decided at a time, where each is decided by itself.
const BATCH: i64 = 500;
/// Batches of one request: more names than a registry has by its quota.
const BATCHES_MAX: usize = 400;

/// Lists the repositories of the addressed registry that the principal may describe, by name. The
/// page after the last item may be empty.
#[derive(Clone, Debug)]
pub struct ListCatalog {
    /// Which page.
    pub page: PageRequest,
}

fn all(context: &RequestContext) -> Resource {
    Resource::Repositories { account: context.account, region: context.region.clone() }
}

impl Operation for ListCatalog {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListCatalog" };
    type Output = Page<RepositoryName>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        // Whoever may not list them all gets those that it may describe one by one.
        vec![Demand::new(ACTION, all(context)).optional()]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<RepositoryName>> {
        let after = self.page.after.clone().unwrap_or_default();
        if call.permit().require(call.context, ACTION, &all(call.context)).is_ok() {
            let names = names(&call, &after, self.page.limit_and_one()).await?;
            return Ok(self.page.cut(names, ToString::to_string));
        }
        self.allowed(&call, after).await
    }
}

impl ListCatalog {
    /// Where the next page goes on is the name of an item: another name would tell of a repository
    /// that the principal may not know of.
    async fn allowed(&self, call: &Call<'_>, mut after: String) -> Result<Page<RepositoryName>> {
        let limit = usize::try_from(self.page.limit).unwrap_or(usize::MAX);
        let mut items: Vec<RepositoryName> = Vec::new();
        for _ in 0..BATCHES_MAX {
            if items.len() >= limit {
                break;
            }
            let batch = names(call, &after, BATCH).await?;
            let Some(last) = batch.last() else { return Ok(Page { items, next: None }) };
            after = last.to_string();
            let demands: Arc<[Demand]> = batch
                .iter()
                .map(|name| Demand::new(ACTION, resource(call.context, name)).optional())
                .collect();
            let permit = authorize::authorize(call.app, call.context, &demands).await?;
            let may = |name: &RepositoryName| {
                permit.require(call.context, ACTION, &resource(call.context, name)).is_ok()
            };
            items.extend(batch.into_iter().filter(may));
        }
        let more = items.len() >= limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(ToString::to_string);
        Ok(Page { items, next })
    }
}

fn resource(context: &RequestContext, name: &RepositoryName) -> Resource {
    RepositoryAddress::new(context, None, name.clone()).resource()
}

async fn names(call: &Call<'_>, after: &str, limit: i64) -> Result<Vec<RepositoryName>> {
    let mut tx = call.read().await?;
    let (account, region) = (&call.context.account, &call.context.region);
    let rows = tx
        .all(
            "SELECT repositories.name FROM repositories \
             JOIN registries ON registries.id = repositories.registry_id \
             WHERE registries.kind = 'private' AND registries.account_id = $1 \
             AND registries.region = $2 AND repositories.name > $3 \
             ORDER BY repositories.name LIMIT $4",
            params![account.as_str(), region.as_str(), after, limit],
        )
        .await?;
    rows.iter()
        .map(|row| RepositoryName::parse(&row.get::<String>(0)?).map_err(Error::internal))
        .collect()
}
