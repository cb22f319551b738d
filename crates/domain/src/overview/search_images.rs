//! `SearchImages`: the images of a repository as people think of them: an index is one image with
//! its platforms, and what refers to an image is no image beside it.

use super::{containing, offset_of};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, registry_action};
use crate::images::{ImageStatus, tags};
use crate::metadata::Row;
use crate::names::{Digest, Tag};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::registries::Document as _;
use crate::repositories::{self, RepositoryAddress};
use crate::scanning::state::{self, Scan};
use crate::scanning::{RegistryScanningConfiguration, Severity};

/// Images of an index whose scans are looked at.
const SCANS_MAX: usize = 20;
/// Platforms of an index that are told.
const PLATFORMS_MAX: i64 = 50;

/// Which images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Those that are neither part of an index nor refer to another image.
    #[default]
    Whole,
    /// Those among them that have a tag.
    Tagged,
    /// Those among them that have none.
    Untagged,
    /// All.
    All,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// The largest first.
    Largest,
    /// Those first that were pulled last.
    PulledLast,
    /// Those first that nobody has pulled for longest, or ever.
    Unused,
}

/// Finds images of a repository.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`].
#[derive(Clone, Debug)]
pub struct SearchImages {
    /// The repository.
    pub repository: RepositoryAddress,
    /// A part of a tag or of the digest; nothing is part of every one.
    pub text: String,
    /// Which ones.
    pub kind: Kind,
    /// In which state; any when absent.
    pub status: Option<ImageStatus>,
    /// In which order.
    pub sort: Sort,
    /// Which page.
    pub page: PageRequest,
}

/// An image with what people want to see of it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSummary {
    /// Its digest.
    pub digest: Digest,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// Its size in bytes; of an index, the largest image's.
    pub size: u64,
    /// When it was first pushed.
    pub pushed_at: Millis,
    /// When it was last pulled.
    pub last_pulled_at: Option<Millis>,
    /// The manifest's media type.
    pub media_type: String,
    /// The artifact type, or the config's media type.
    pub artifact_type: Option<String>,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// The platforms of an index.
    pub platforms: Vec<String>,
    /// How many manifests refer to it.
    pub referrers: u64,
    /// Its scan, of the kind that the registry has now; of an index, that of the image with the
    /// worst findings.
    pub scan: Option<Scan>,
}

macro_rules! search {
    ($order:literal) => {
        concat!(
            "SELECT id, digest, image_size, pushed_at, last_pulled_at, media_type, \
             artifact_type, status, (SELECT COUNT(*) FROM images AS referring \
             WHERE referring.repository_id = images.repository_id \
             AND referring.subject_digest = images.digest) \
             FROM images WHERE id IN (SELECT id FROM images WHERE repository_id = $1 \
             AND ($2 = 0 OR (subject_digest IS NULL AND NOT EXISTS \
             (SELECT 1 FROM image_children WHERE image_children.child_image_id = images.id))) \
             AND ($3 = 0 OR EXISTS (SELECT 1 FROM tags WHERE tags.image_id = images.id)) \
             AND ($4 = 0 OR NOT EXISTS (SELECT 1 FROM tags WHERE tags.image_id = images.id)) \
             AND ($5 = 0 OR id IN (SELECT found.id FROM images AS found \
             WHERE found.repository_id = $1 AND found.digest LIKE $6 ESCAPE '!' \
             UNION ALL SELECT tags.image_id FROM tags \
             WHERE tags.repository_id = $1 AND LOWER(tags.name) LIKE $6 ESCAPE '!')) \
             AND ($9 = '' OR status = $9) ORDER BY ",
            $order,
            " LIMIT $7 OFFSET $8) ORDER BY ",
            $order
        )
    };
}

impl Operation for SearchImages {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SearchImages" };
    type Output = Page<ImageSummary>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("DescribeImages"))]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<ImageSummary>> {
        let offset = offset_of(&self.page)?;
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let scanning =
            RegistryScanningConfiguration::load(&mut tx, Some(repository.registry_id)).await?;
        let is_narrow = !self.text.trim().is_empty();
        let sql = match self.sort {
            Sort::Newest => search!("id DESC"),
            Sort::Oldest => search!("id"),
            Sort::Largest => search!("image_size DESC, id DESC"),
            Sort::PulledLast => search!("COALESCE(last_pulled_at, 0) DESC, id DESC"),
            Sort::Unused => search!("COALESCE(last_pulled_at, 0), id"),
        };
        let rows = tx
            .all(
                sql,
                params![
                    repository.id,
                    self.kind != Kind::All,
                    self.kind == Kind::Tagged,
                    self.kind == Kind::Untagged,
                    is_narrow,
                    containing(&self.text),
                    self.page.limit_and_one(),
                    offset,
                    self.status.map_or("", ImageStatus::as_str)
                ],
            )
            .await?;
        let next = offset + i64::from(self.page.limit);
        let page = self.page.cut(rows, |_| next.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for row in &page.items {
            items.push(summary(&mut tx, &scanning, row).await?);
        }
        Ok(Page { items, next: page.next })
    }
}

async fn summary(
    tx: &mut Tx,
    scanning: &RegistryScanningConfiguration,
    row: &Row,
) -> Result<ImageSummary> {
    let image_id: i64 = row.get(0)?;
    let children = tx
        .all(
            "SELECT platform, child_image_id FROM image_children WHERE image_id = $1 \
             ORDER BY position LIMIT $2",
            params![image_id, PLATFORMS_MAX],
        )
        .await?;
    let platforms = children.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    let mut scan = state::find(tx, image_id, scanning.scan_type).await?;
    for row in children.iter().take(SCANS_MAX) {
        let Some(child) = row.get::<Option<i64>>(1)? else { continue };
        if let Some(found) = state::find(tx, child, scanning.scan_type).await? {
            scan = Some(match scan {
                Some(known) if rank(&known) >= rank(&found) => known,
                _ => found,
            });
        }
    }
    let is_known = |platform: &String| !platform.is_empty() && platform != "unknown/unknown";
    Ok(ImageSummary {
        digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        tags: tags::of_image(tx, image_id).await?,
        size: row.get(2)?,
        pushed_at: row.get(3)?,
        last_pulled_at: row.get(4)?,
        media_type: row.get(5)?,
        artifact_type: row.get(6)?,
        status: ImageStatus::from_stored(&row.get::<String>(7)?)?,
        platforms: platforms.into_iter().filter(is_known).collect(),
        referrers: row.get(8)?,
        scan,
    })
}

/// What tells more of an index: a scan with findings, and of two such the one with the worse, as
/// whoever pulls the index may get either image.
fn rank(scan: &Scan) -> (bool, Vec<u64>) {
    let worst_first = Severity::ALL.iter().rev();
    let counts = worst_first.map(|severity| scan.counts.get(severity).copied().unwrap_or(0));
    (scan.status.has_findings(), counts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanning::ScanType;
    use crate::scanning::state::{ScanStatus, SeverityCounts};

    fn scan(status: ScanStatus, counts: &[(Severity, u64)]) -> Scan {
        Scan {
            scan_type: ScanType::Basic,
            status,
            description: String::new(),
            requested_at: Millis(0),
            completed_at: None,
            source_updated_at: None,
            counts: counts.iter().copied().collect(),
            fixable: SeverityCounts::new(),
            platform: String::new(),
        }
    }

    #[test]
    fn the_worst_tells_most() {
        use ScanStatus::{Complete, Failed};
        let rows = [
            scan(Failed, &[]),
            scan(Complete, &[]),
            scan(Complete, &[(Severity::Low, 90)]),
            scan(Complete, &[(Severity::High, 1)]),
            scan(Complete, &[(Severity::High, 2), (Severity::Low, 1)]),
            scan(Complete, &[(Severity::Critical, 1)]),
        ];
        assert!(rows.is_sorted_by(|left, right| rank(left) < rank(right)));
    }
}
