//! `DescribeRepositories`.

use super::{Repository, RepositoryAddress, from_row, select_repositories};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{
    Call, Demand, Entry, Operation, RegistryAction, Resource, Service, registry_action,
};
use crate::names::{AccountId, RepositoryName};
use crate::pages::{Page, PageRequest};
use crate::params;

/// Names the repositories asked for, or lists all, by name.
#[derive(Clone, Debug)]
pub struct DescribeRepositories {
    /// The account, if not the one addressed.
    pub registry_id: Option<AccountId>,
    /// These only, at most 100; a missing one fails the whole call.
    pub names: Vec<RepositoryName>,
    /// Which page, when no names are given.
    pub page: PageRequest,
}

impl Operation for DescribeRepositories {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DescribeRepositories" };
    type Output = Page<Repository>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        const ACTION: RegistryAction = registry_action!("DescribeRepositories");
        if self.names.is_empty() {
            // ECR's own denials name this resource when no repository was asked for.
            let account = self.registry_id.unwrap_or(context.account);
            let all = Resource::Repositories { account, region: context.region.clone() };
            return vec![Demand::new(ACTION.at(&context.region), all)];
        }
        self.names
            .iter()
            .map(|name| {
                let address = RepositoryAddress::new(context, self.registry_id, name.clone());
                address.demand(ACTION)
            })
            .collect()
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Repository>> {
        let mut tx = call.read().await?;
        if !self.names.is_empty() {
            let mut items = Vec::with_capacity(self.names.len());
            for name in self.names {
                let address = RepositoryAddress::new(call.context, self.registry_id, name);
                items.push(super::get(&mut tx, &address).await?);
            }
            return Ok(Page { items, next: None });
        }
        let account = self.registry_id.as_ref().unwrap_or(&call.context.account);
        let region = &call.context.region;
        let rows = tx
            .all(
                select_repositories!(
                    "AND repositories.name > $3 ORDER BY repositories.name LIMIT $4"
                ),
                params![
                    account.as_str(),
                    region.as_str(),
                    self.page.after.as_deref().unwrap_or(""),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let items =
            rows.iter().map(|row| from_row(account, region, row)).collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(items, |repository| repository.address.name.to_string()))
    }
}
