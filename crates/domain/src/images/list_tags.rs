//! `GET /v2/{name}/tags/list`.

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::names::Tag;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Lists the tags of a repository whose images can be pulled, in lexical order, as the distribution
/// specification says.
#[derive(Clone, Debug)]
pub struct ListTags {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which page; the sort key is the tag itself.
    pub page: PageRequest,
}

impl Operation for ListTags {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListTags" };
    type Output = Page<Tag>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("ListImages"))]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Tag>> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let rows = tx
            .all(
                "SELECT tags.name FROM tags JOIN images ON images.id = tags.image_id \
                 WHERE tags.repository_id = $1 AND tags.name > $2 AND images.status = 'ACTIVE' \
                 ORDER BY tags.name LIMIT $3",
                params![
                    repository.id,
                    self.page.after.as_deref().unwrap_or(""),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let tags = rows
            .iter()
            .map(|row| Tag::parse(&row.get::<String>(0)?).map_err(Error::internal))
            .collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(tags, ToString::to_string))
    }
}
