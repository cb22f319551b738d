//! The page of a publisher.

use super::browse;
use super::listings::{Listing, Publisher, load_all, publisher};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::Region;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::public::aliases;
use crate::registries;

/// Reads who has the public registry that the request addressed, and lists its repositories by name.
///
/// # Errors
/// [`crate::error::ErrorKind::RegistryNotFound`] when it has no repository yet.
#[derive(Clone, Debug)]
pub struct ViewPublisher {
    /// Which page of the repositories.
    pub page: PageRequest,
}

/// What the page of a publisher shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherView {
    /// The publisher.
    pub publisher: Publisher,
    /// Its repositories, those without a tag too.
    pub repositories: Page<Listing>,
}

impl Operation for ViewPublisher {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ViewPublisher" };
    type Output = PublisherView;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![browse(context.account)]
    }

    async fn run(self, call: Call<'_>) -> Result<PublisherView> {
        let mut tx = call.read().await?;
        let account = call.context.account;
        let missing = || aliases::not_found(account.as_str());
        let registry_id = registries::find(&mut tx, &account, &Region::global()).await?;
        let registry_id = registry_id.ok_or_else(missing)?;
        let publisher = publisher(&mut tx, registry_id).await?.ok_or_else(missing)?;
        let rows = tx
            .all(
                "SELECT id, name FROM repositories WHERE registry_id = $1 AND name > $2 \
                 ORDER BY name LIMIT $3",
                params![
                    registry_id,
                    self.page.after.as_deref().unwrap_or_default(),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let rows = rows
            .iter()
            .map(|row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))
            .collect::<Result<Vec<_>>>()?;
        let page = self.page.cut(rows, |(_, name)| name.clone());
        let ids: Vec<i64> = page.items.into_iter().map(|(id, _)| id).collect();
        let items = load_all(&mut tx, &ids).await?;
        Ok(PublisherView { publisher, repositories: Page { items, next: page.next } })
    }
}
