//! The page of a repository.

use super::listings::{Listing, load};
use super::pulls::DailyPulls;
use super::scans::ScanSummary;
use super::{BROWSE, config, pulls, scans};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::images::ImageStatus;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::public::catalog;
use crate::public::repository_settings::PublicRepositorySettings;
use crate::repositories::{self, Repository, RepositoryAddress};

/// Reads what is shown of a public repository, and lists its tags, the last moved first.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`].
#[derive(Clone, Debug)]
pub struct ViewRepository {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Only tags that begin with this.
    pub tag_prefix: String,
    /// Which page of the tags.
    pub page: PageRequest,
}

/// What the page of a repository shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryView {
    /// As lists show it.
    pub listing: Listing,
    /// Markdown about it.
    pub about_text: Option<String>,
    /// Markdown about its use.
    pub usage_text: Option<String>,
    /// When it was made.
    pub created_at: Millis,
    /// How often it was pulled on each of the last [`pulls::DAYS_SHOWN`] days that have any pulls.
    pub daily: Vec<DailyPulls>,
    /// The day on which it is looked at, counted from 1970 in UTC.
    pub today: i64,
    /// Whether tags may move, and images are scanned.
    pub settings: PublicRepositorySettings,
    /// Its tags.
    pub tags: Page<TagView>,
}

/// A tag in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagView {
    /// Which move of a tag this was, in the order of moves.
    pub version: i64,
    /// The tag.
    pub tag: Tag,
    /// What it names.
    pub digest: Digest,
    /// Its size in bytes; of an index, the largest image's.
    pub size: u64,
    /// When it came to name that.
    pub updated_at: Millis,
    /// For which platforms, as far as known.
    pub platforms: Vec<String>,
    /// How many manifests refer to it: signatures, lists of contents, attestations.
    pub referrers: u64,
    /// Its scan, where the owner has images scanned and there is one.
    pub scan: Option<ScanSummary>,
}

impl Operation for ViewRepository {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ViewRepository" };
    type Output = RepositoryView;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(BROWSE, self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<RepositoryView> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let listing = load(&mut tx, repository.id).await?;
        let listing = listing.ok_or_else(|| repositories::not_found(&self.repository))?;
        let data = catalog::load(&mut tx, repository.id).await?;
        let tags = self.tags(&call, &mut tx, &repository).await?;
        Ok(RepositoryView {
            listing,
            about_text: data.about_text,
            usage_text: data.usage_text,
            created_at: repository.created_at,
            daily: pulls::daily(&mut tx, repository.id, call.now()).await?,
            today: pulls::day_of(call.now()),
            settings: repository.into(),
            tags,
        })
    }
}

impl ViewRepository {
    async fn tags(
        &self,
        call: &Call<'_>,
        tx: &mut Tx,
        repository: &Repository,
    ) -> Result<Page<TagView>> {
        let after = self.page.after.as_deref().map(str::parse::<i64>).transpose();
        let after = after.map_err(|_| Error::invalid_parameter("after", "Invalid page"))?;
        let rows = tx
            .all(
                "SELECT tags.name, tags.version, images.id, images.digest, images.image_size, \
                 tags.updated_at, (SELECT COUNT(*) FROM images AS referrers \
                 WHERE referrers.repository_id = images.repository_id \
                 AND referrers.subject_digest = images.digest) \
                 FROM tags JOIN images ON images.id = tags.image_id \
                 WHERE tags.repository_id = $1 AND tags.version < $2 AND images.status = $3 \
                 AND tags.name >= $4 AND tags.name < $5 \
                 ORDER BY tags.version DESC LIMIT $6",
                params![
                    repository.id,
                    after.unwrap_or(i64::MAX),
                    ImageStatus::Active.as_str(),
                    self.tag_prefix.as_str(),
                    format!("{}{}", self.tag_prefix, char::MAX),
                    self.page.limit_and_one(),
                ],
            )
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let image_id: i64 = row.get(2)?;
            let tag = TagView {
                tag: Tag::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
                version: row.get(1)?,
                digest: Digest::parse(&row.get::<String>(3)?).map_err(Error::internal)?,
                size: row.get(4)?,
                updated_at: row.get(5)?,
                platforms: Vec::new(),
                referrers: row.get(6)?,
                scan: None,
            };
            found.push((image_id, tag));
        }
        let page = self.page.cut(found, |(_, tag)| tag.version.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for (image_id, mut tag) in page.items {
            tag.platforms = platforms(call, tx, repository, image_id).await?;
            let family = scans::of_family(tx, repository, image_id).await?;
            tag.scan = scans::summary(family.into_values());
            items.push(tag);
        }
        Ok(Page { items, next: page.next })
    }
}

/// The platforms of an index, or that of an image. Attestations that builders put beside images
/// have none.
async fn platforms(
    call: &Call<'_>,
    tx: &mut Tx,
    repository: &Repository,
    image_id: i64,
) -> Result<Vec<String>> {
    let rows = tx
        .all(
            "SELECT DISTINCT platform FROM image_children WHERE image_id = $1 \
             AND platform <> '' AND platform <> 'unknown/unknown' ORDER BY platform LIMIT 100",
            params![image_id],
        )
        .await?;
    if !rows.is_empty() {
        return rows.iter().map(|row| Ok(row.get(0)?)).collect();
    }
    let config = config::read(call.app, tx, repository, image_id).await?;
    Ok(config.map(|config| config.platform).filter(|one| !one.is_empty()).into_iter().collect())
}
