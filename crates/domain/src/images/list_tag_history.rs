//! `ListTagHistory`: which images the tags of a repository named, since when, and who moved them.

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::metadata::Row;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Lists every move of the tags of a repository, the last one first.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`].
#[derive(Clone, Debug)]
pub struct ListTagHistory {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Of one tag only; it may be gone.
    pub tag: Option<Tag>,
    /// Which page.
    pub page: PageRequest,
}

/// A move of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagMove {
    id: i64,
    /// The tag.
    pub tag: Tag,
    /// What it names from then on; nothing when it was removed.
    pub digest: Option<Digest>,
    /// What it named before.
    pub previous: Option<Digest>,
    /// Whether the repository still has what it names, and what it named.
    pub is_there: bool,
    /// See above.
    pub previous_is_there: bool,
    /// Who moved it.
    pub principal_arn: String,
    /// When.
    pub at: Millis,
}

impl Operation for ListTagHistory {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListTagHistory" };
    type Output = Page<TagMove>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:ListTagHistory", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<TagMove>> {
        let before: i64 = match self.page.after.as_deref() {
            None => i64::MAX,
            Some(after) => {
                after.parse().map_err(|_| Error::invalid_parameter("after", "Invalid token"))?
            }
        };
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let rows = match &self.tag {
            Some(tag) => {
                tx.all(
                    "SELECT id, tag, digest, previous_digest, principal_arn, changed_at, \
                     CASE WHEN EXISTS (SELECT 1 FROM images \
                     WHERE images.repository_id = tag_history.repository_id \
                     AND images.digest = tag_history.digest) THEN 1 ELSE 0 END, \
                     CASE WHEN EXISTS (SELECT 1 FROM images \
                     WHERE images.repository_id = tag_history.repository_id \
                     AND images.digest = tag_history.previous_digest) THEN 1 ELSE 0 END \
                     FROM tag_history WHERE repository_id = $1 AND tag = $2 AND id < $3 \
                     ORDER BY id DESC LIMIT $4",
                    params![repository.id, tag.as_str(), before, self.page.limit_and_one()],
                )
                .await?
            }
            None => {
                tx.all(
                    "SELECT id, tag, digest, previous_digest, principal_arn, changed_at, \
                     CASE WHEN EXISTS (SELECT 1 FROM images \
                     WHERE images.repository_id = tag_history.repository_id \
                     AND images.digest = tag_history.digest) THEN 1 ELSE 0 END, \
                     CASE WHEN EXISTS (SELECT 1 FROM images \
                     WHERE images.repository_id = tag_history.repository_id \
                     AND images.digest = tag_history.previous_digest) THEN 1 ELSE 0 END \
                     FROM tag_history WHERE repository_id = $1 AND id < $2 \
                     ORDER BY id DESC LIMIT $3",
                    params![repository.id, before, self.page.limit_and_one()],
                )
                .await?
            }
        };
        let moves = rows.iter().map(move_from).collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(moves, |moved| moved.id.to_string()))
    }
}

fn move_from(row: &Row) -> Result<TagMove> {
    let digest = |text: Option<String>| {
        text.map(|text| Digest::parse(&text).map_err(Error::internal)).transpose()
    };
    Ok(TagMove {
        id: row.get(0)?,
        tag: Tag::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        digest: digest(row.get(2)?)?,
        previous: digest(row.get(3)?)?,
        principal_arn: row.get(4)?,
        at: row.get(5)?,
        is_there: row.get(6)?,
        previous_is_there: row.get(7)?,
    })
}
