//! `SearchRepositories`: the repositories of a registry by a part of their name.

use super::{containing, offset_of};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::RepositoryName;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::TagMutabilityRule;

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
    /// Those first that an image was pushed to last.
    Pushed,
}

/// Which repositories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// All.
    #[default]
    All,
    /// Those that have an image.
    WithImages,
    /// Those that have none.
    Empty,
    /// Those that the pull-through cache made.
    Caches,
    /// Those whose tags never move, but for exceptions.
    Immutable,
    /// Those whose images are scanned when they are pushed, by the repository's own setting.
    ScanOnPush,
}

impl Only {
    /// As the statement knows it.
    fn number(self) -> i64 {
        match self {
            Self::All => 0,
            Self::WithImages => 1,
            Self::Empty => 2,
            Self::Caches => 3,
            Self::Immutable => 4,
            Self::ScanOnPush => 5,
        }
    }
}

/// Finds repositories of the registry of the context. It takes what a listing of them takes.
#[derive(Clone, Debug)]
pub struct SearchRepositories {
    /// A part of their name; nothing is part of every name.
    pub text: String,
    /// A resource tag that they have: its key, or its key, `=` and its value; nothing is any or none.
    pub resource_tag: String,
    /// Which ones.
    pub only: Only,
    /// In which order.
    pub sort: Sort,
    /// Which page.
    pub page: PageRequest,
}

/// A repository with its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySummary {
    /// Its name.
    pub name: RepositoryName,
    /// Whether its tags may move.
    pub tag_mutability: TagMutabilityRule,
    /// Whether a push is scanned.
    pub scan_on_push: bool,
    /// Whether images come from an upstream registry.
    pub is_cache: bool,
    /// When it was made.
    pub created_at: Millis,
    /// How many images it has, children of indexes among them.
    pub images: u64,
    /// How many bytes its layers have.
    pub bytes: u64,
    /// When an image was last pushed.
    pub pushed_at: Option<Millis>,
}

/// What is told of a repository is looked up for those of the page alone.
macro_rules! search {
    ($key:literal, $order:literal, $same_order:literal) => {
        concat!(
            "SELECT repositories.name, repositories.tag_mutability, \
             repositories.tag_mutability_exclusions, repositories.scan_on_push, \
             repositories.is_cache, repositories.created_at, \
             (SELECT COUNT(*) FROM images WHERE images.repository_id = repositories.id), \
             (SELECT COALESCE(CAST(SUM(blobs.size) AS BIGINT), 0) FROM repository_blobs \
             JOIN blobs ON blobs.id = repository_blobs.blob_id \
             WHERE repository_blobs.repository_id = repositories.id), \
             (SELECT MAX(images.pushed_at) FROM images \
             WHERE images.repository_id = repositories.id) \
             FROM (SELECT repositories.id, repositories.name, ",
            $key,
            " AS sorted_by FROM repositories \
             JOIN registries ON registries.id = repositories.registry_id \
             WHERE registries.account_id = $1 AND registries.region = $2 \
             AND repositories.name LIKE $3 ESCAPE '!' \
             AND ($6 = 0 OR EXISTS (SELECT 1 FROM resource_tags \
             WHERE resource_tags.repository_id = repositories.id \
             AND resource_tags.tag_key = $7 AND ($6 = 1 OR resource_tags.tag_value = $8))) \
             AND ($9 <> 1 OR EXISTS (SELECT 1 FROM images \
             WHERE images.repository_id = repositories.id)) \
             AND ($9 <> 2 OR NOT EXISTS (SELECT 1 FROM images \
             WHERE images.repository_id = repositories.id)) \
             AND ($9 <> 3 OR repositories.is_cache = 1) \
             AND ($9 <> 4 OR repositories.tag_mutability LIKE 'IMMUTABLE%') \
             AND ($9 <> 5 OR repositories.scan_on_push = 1) ORDER BY ",
            $order,
            " LIMIT $4 OFFSET $5) AS found JOIN repositories ON repositories.id = found.id \
             ORDER BY ",
            $same_order
        )
    };
}

impl Operation for SearchRepositories {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SearchRepositories" };
    type Output = Page<RepositorySummary>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let all =
            Resource::Repositories { account: context.account, region: context.region.clone() };
        vec![Demand::new("ecr:DescribeRepositories", all)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<RepositorySummary>> {
        let offset = offset_of(&self.page)?;
        let sql = match self.sort {
            Sort::Name => search!("0", "name", "found.name"),
            Sort::Newest => search!(
                "-repositories.created_at",
                "sorted_by, name",
                "found.sorted_by, found.name"
            ),
            Sort::Oldest => {
                search!("repositories.created_at", "sorted_by, name", "found.sorted_by, found.name")
            }
            Sort::Pushed => search!(
                "-COALESCE((SELECT MAX(images.pushed_at) FROM images \
                 WHERE images.repository_id = repositories.id), 0)",
                "sorted_by, name",
                "found.sorted_by, found.name"
            ),
        };
        let tag = self.resource_tag.trim();
        let (wanted, (key, value)) = match tag.split_once('=') {
            _ if tag.is_empty() => (0_i64, ("", "")),
            Some((key, value)) => (2, (key.trim(), value.trim())),
            None => (1, (tag, "")),
        };
        let mut tx = call.read().await?;
        let rows = tx
            .all(
                sql,
                params![
                    call.context.account.as_str(),
                    call.context.region.as_str(),
                    containing(&self.text),
                    self.page.limit_and_one(),
                    offset,
                    wanted,
                    key,
                    value,
                    self.only.number()
                ],
            )
            .await?;
        let items = rows
            .iter()
            .map(|row| {
                Ok(RepositorySummary {
                    name: RepositoryName::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
                    tag_mutability: TagMutabilityRule::from_stored(
                        &row.get::<String>(1)?,
                        &row.get::<String>(2)?,
                    )?,
                    scan_on_push: row.get(3)?,
                    is_cache: row.get(4)?,
                    created_at: row.get(5)?,
                    images: row.get(6)?,
                    bytes: row.get(7)?,
                    pushed_at: row.get(8)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let next = offset + i64::from(self.page.limit);
        Ok(self.page.cut(items, |_| next.to_string()))
    }
}
