//! `ListImages`.

use super::{ImageIdentifier, ImageStatusFilter};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::metadata::Row;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Which images a listing shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagStatus {
    /// All.
    #[default]
    Any,
    /// Those with a tag.
    Tagged,
    /// Those without.
    Untagged,
}

impl TagStatus {
    /// As AWS spells it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "ANY" => Some(Self::Any),
            "TAGGED" => Some(Self::Tagged),
            "UNTAGGED" => Some(Self::Untagged),
            _ => None,
        }
    }

    pub(crate) fn wants_tagged(self) -> bool {
        matches!(self, Self::Any | Self::Tagged)
    }

    pub(crate) fn wants_untagged(self) -> bool {
        matches!(self, Self::Any | Self::Untagged)
    }
}

/// Lists the identifiers of images: one for each tag, and one for each untagged image, oldest
/// image first.
#[derive(Clone, Debug)]
pub struct ListImages {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which ones.
    pub tag_status: TagStatus,
    /// Of which status.
    pub image_status: ImageStatusFilter,
    /// Which page.
    pub page: PageRequest,
}

struct Listed {
    image_id: i64,
    id: ImageIdentifier,
}

impl Operation for ListImages {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "ListImages" };
    type Output = Page<ImageIdentifier>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:ListImages", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<ImageIdentifier>> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let (after_image, after_tag) = position(self.page.after.as_deref())?;
        let rows = tx
            .all(
                "SELECT images.id, images.digest, tags.name FROM images \
                 LEFT JOIN tags ON tags.image_id = images.id \
                 WHERE images.repository_id = $1 AND images.id >= $2 \
                 AND (images.id > $2 OR COALESCE(tags.name, '') > $3) \
                 AND ((tags.name IS NOT NULL AND $4 = 1) OR (tags.name IS NULL AND $5 = 1)) \
                 AND (CAST($7 AS TEXT) IS NULL OR images.status = CAST($7 AS TEXT)) \
                 ORDER BY images.id, tags.name LIMIT $6",
                params![
                    repository.id,
                    after_image,
                    after_tag,
                    self.tag_status.wants_tagged(),
                    self.tag_status.wants_untagged(),
                    self.page.limit_and_one(),
                    self.image_status.wanted(),
                ],
            )
            .await?;
        let entries = rows.iter().map(entry_from).collect::<Result<Vec<_>>>()?;
        let page = self.page.cut(entries, |entry| {
            let tag = entry.id.tag.as_ref().map_or("", Tag::as_str);
            format!("{} {tag}", entry.image_id)
        });
        Ok(Page { items: page.items.into_iter().map(|entry| entry.id).collect(), next: page.next })
    }
}

fn entry_from(row: &Row) -> Result<Listed> {
    let digest = Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?;
    let tag = row
        .get::<Option<String>>(2)?
        .map(|tag| Tag::parse(&tag).map_err(Error::internal))
        .transpose()?;
    Ok(Listed { image_id: row.get(0)?, id: ImageIdentifier { digest: Some(digest), tag } })
}

/// Where a page begins: after this tag (empty: no tag) of this image.
fn position(after: Option<&str>) -> Result<(i64, String)> {
    let Some(after) = after else { return Ok((0, String::new())) };
    after
        .split_once(' ')
        .and_then(|(image, tag)| Some((image.parse().ok()?, tag.to_owned())))
        .ok_or_else(|| Error::invalid_parameter("nextToken", "Invalid token"))
}
