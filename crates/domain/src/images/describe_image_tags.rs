//! `DescribeImageTags` of ECR Public.

use super::ImageStatus;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::metadata::Row;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Lists the tags of a public repository, by name, with the images they name.
#[derive(Clone, Debug)]
pub struct DescribeImageTags {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Which page.
    pub page: PageRequest,
}

/// A tag, and the image that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagDetail {
    /// The tag.
    pub tag: Tag,
    /// When it came to name the image.
    pub created_at: Millis,
    /// The digest of the image.
    pub digest: Digest,
    /// Its size in bytes: config and layers; of an index, the largest child's.
    pub size: u64,
    /// When it was first pushed.
    pub pushed_at: Millis,
    /// The manifest's media type.
    pub manifest_media_type: String,
    /// The artifact type, or the config's media type.
    pub artifact_media_type: Option<String>,
}

impl Operation for DescribeImageTags {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "DescribeImageTags" };
    type Output = Page<TagDetail>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr-public:DescribeImageTags", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<TagDetail>> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let rows = tx
            .all(
                "SELECT tags.name, tags.updated_at, images.digest, images.image_size, \
                 images.pushed_at, images.media_type, images.artifact_type FROM tags \
                 JOIN images ON images.id = tags.image_id \
                 WHERE tags.repository_id = $1 AND tags.name > $2 AND images.status = $3 \
                 ORDER BY tags.name LIMIT $4",
                params![
                    repository.id,
                    self.page.after.as_deref().unwrap_or(""),
                    ImageStatus::Active.as_str(),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let tags = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(tags, |detail| detail.tag.to_string()))
    }
}

fn from_row(row: &Row) -> Result<TagDetail> {
    Ok(TagDetail {
        tag: Tag::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
        created_at: row.get(1)?,
        digest: Digest::parse(&row.get::<String>(2)?).map_err(Error::internal)?,
        size: row.get(3)?,
        pushed_at: row.get(4)?,
        manifest_media_type: row.get(5)?,
        artifact_media_type: row.get(6)?,
    })
}
