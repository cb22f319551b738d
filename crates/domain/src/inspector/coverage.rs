//! `ListCoverage` and `ListCoverageStatistics`: what of the registry is scanned.

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::images::ImageStatus;
use crate::names::RepositoryName;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::registries::{self, Document as _};
use crate::repositories::RepositoryAddress;
use crate::scanning::describe_image_scan_findings::ScannedImage;
use crate::scanning::state::{self, ScanStatus};
use crate::scanning::{RegistryScanningConfiguration, ScanFrequency, ScanType};

/// Rows that are read together.
const ROWS: usize = 200;
/// Resources that one request looks at.
const EXAMINED_MAX: usize = 200_000;

/// What is scanned: an image, or a repository whose images are.
#[derive(Clone, Debug)]
pub struct Covered {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The image, unless it is the repository itself.
    pub image: Option<ScannedImage>,
    /// When the repository's images are scanned.
    pub frequency: ScanFrequency,
    /// Whether it is watched.
    pub is_active: bool,
    /// Why it is, or is not (botocore `inspector2`, shape `ScanStatusReason`).
    pub reason: &'static str,
    /// When it was last scanned.
    pub last_scanned_at: Option<Millis>,
}

impl Covered {
    /// Its ARN.
    pub fn id(&self) -> String {
        self.image.as_ref().map_or_else(|| self.repository.arn(), ScannedImage::arn)
    }

    /// As AWS spells what it is.
    pub fn resource_type(&self) -> &'static str {
        if self.image.is_some() { "AWS_ECR_CONTAINER_IMAGE" } else { "AWS_ECR_REPOSITORY" }
    }

    /// As AWS spells whether it is watched.
    pub fn status_code(&self) -> &'static str {
        if self.is_active { "ACTIVE" } else { "INACTIVE" }
    }
}

/// A condition on a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCondition {
    /// Whether the text must be another.
    pub is_not: bool,
    /// The text.
    pub value: String,
}

/// A condition on a time; both ends belong to it, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeCondition {
    /// The beginning.
    pub start: Option<f64>,
    /// The end.
    pub end: Option<f64>,
}

/// Which resources are meant (botocore `inspector2`, shape `CoverageFilterCriteria`). Of conditions
/// of one name one must hold, but those that say `NOT_EQUALS` all must.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoverageCriteria {
    /// Texts, by their names.
    pub texts: Vec<(CoverageText, Vec<TextCondition>)>,
    /// When it was last scanned.
    pub last_scanned_at: Vec<TimeCondition>,
    /// When the image was last pulled.
    pub image_pulled_at: Vec<TimeCondition>,
}

/// What of a resource is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoverageText {
    /// `scanStatusCode`
    StatusCode,
    /// `scanStatusReason`
    StatusReason,
    /// `accountId`
    Account,
    /// `resourceId`
    Id,
    /// `resourceType`
    ResourceType,
    /// `scanType`
    ScanType,
    /// `ecrRepositoryName`
    Repository,
    /// `ecrImageTags`
    Tags,
}

impl CoverageText {
    /// By AWS's names.
    pub const ALL: [(&'static str, Self); 8] = [
        ("scanStatusCode", Self::StatusCode),
        ("scanStatusReason", Self::StatusReason),
        ("accountId", Self::Account),
        ("resourceId", Self::Id),
        ("resourceType", Self::ResourceType),
        ("scanType", Self::ScanType),
        ("ecrRepositoryName", Self::Repository),
        ("ecrImageTags", Self::Tags),
    ];

    fn of(self, covered: &Covered) -> Vec<String> {
        match self {
            Self::StatusCode => vec![covered.status_code().to_owned()],
            Self::StatusReason => vec![covered.reason.to_owned()],
            Self::Account => vec![covered.repository.account.to_string()],
            Self::Id => vec![covered.id()],
            Self::ResourceType => vec![covered.resource_type().to_owned()],
            Self::ScanType => vec!["PACKAGE".to_owned()],
            Self::Repository => vec![covered.repository.name.to_string()],
            Self::Tags => {
                let tags = covered.image.iter().flat_map(|image| &image.tags);
                tags.map(ToString::to_string).collect()
            }
        }
    }
}

impl CoverageCriteria {
    fn mean(&self, covered: &Covered) -> bool {
        let pulled = covered.image.as_ref().and_then(|image| image.last_pulled_at);
        let within = |conditions: &[TimeCondition], time: Option<Millis>| {
            conditions.is_empty()
                || time.map(Millis::epoch_seconds).is_some_and(|time| {
                    conditions.iter().any(|condition| {
                        condition.start.is_none_or(|start| start <= time)
                            && condition.end.is_none_or(|end| time <= end)
                    })
                })
        };
        within(&self.last_scanned_at, covered.last_scanned_at)
            && within(&self.image_pulled_at, pulled)
            && self.texts.iter().all(|(field, conditions)| {
                let texts = field.of(covered);
                let has = |condition: &TextCondition| texts.contains(&condition.value);
                let mut wanted = conditions.iter().filter(|condition| !condition.is_not).peekable();
                conditions.iter().filter(|condition| condition.is_not).all(|it| !has(it))
                    && (wanted.peek().is_none() || wanted.any(has))
            })
    }
}

/// The rows of a registry, repositories first.
struct Rows {
    registry_id: i64,
    configuration: RegistryScanningConfiguration,
    is_over: [bool; 2],
    after: (i64, i64),
}

impl Rows {
    async fn new(tx: &mut Tx, call: &Call<'_>, after: (i64, i64)) -> Result<Option<Self>> {
        let Some(registry_id) = registries::find_addressed(tx, call).await? else {
            return Ok(None);
        };
        let configuration = RegistryScanningConfiguration::load(tx, Some(registry_id)).await?;
        let is_enhanced = configuration.scan_type == ScanType::Enhanced;
        let is_over = [after.0 > 0, false];
        Ok(is_enhanced.then_some(Self { registry_id, configuration, is_over, after }))
    }

    /// The next ones with their places, empty at the end.
    async fn next(&mut self, tx: &mut Tx, call: &Call<'_>) -> Result<Vec<((i64, i64), Covered)>> {
        if !self.is_over[0] {
            let found = self.repositories(tx, call).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            self.is_over[0] = true;
            self.after = (1, 0);
        }
        if self.is_over[1] {
            return Ok(Vec::new());
        }
        self.images(tx, call).await
    }

    async fn repositories(
        &mut self,
        tx: &mut Tx,
        call: &Call<'_>,
    ) -> Result<Vec<((i64, i64), Covered)>> {
        let rows = tx
            .all(
                "SELECT id, name FROM repositories WHERE registry_id = $1 AND id > $2 \
                 ORDER BY id LIMIT $3",
                params![self.registry_id, self.after.1, ROWS],
            )
            .await?;
        let mut found = Vec::new();
        for row in &rows {
            let (repository, frequency) = self.repository(call, &row.get::<String>(1)?)?;
            self.after = (0, row.get(0)?);
            let (is_active, reason) = match frequency {
                ScanFrequency::ContinuousScan => (true, "SUCCESSFUL"),
                ScanFrequency::ScanOnPush => (false, "SCAN_FREQUENCY_SCAN_ON_PUSH"),
                ScanFrequency::Manual => (false, "SCAN_FREQUENCY_MANUAL"),
            };
            let (image, last_scanned_at) = (None, None);
            let covered =
                Covered { repository, image, frequency, is_active, reason, last_scanned_at };
            found.push((self.after, covered));
        }
        Ok(found)
    }

    fn repository(
        &self,
        call: &Call<'_>,
        name: &str,
    ) -> Result<(RepositoryAddress, ScanFrequency)> {
        let repository = RepositoryAddress {
            account: call.context.account,
            region: call.context.region.clone(),
            name: RepositoryName::parse(name).map_err(Error::internal)?,
        };
        // The switch of a repository does not count under enhanced scanning.
        let frequency = self.configuration.effective(name, false).frequency;
        Ok((repository, frequency))
    }

    async fn images(&mut self, tx: &mut Tx, call: &Call<'_>) -> Result<Vec<((i64, i64), Covered)>> {
        let rows = tx
            .all(
                "SELECT images.id, repositories.name, images.status FROM image_scans \
                 JOIN images ON images.id = image_scans.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 WHERE repositories.registry_id = $1 AND images.id > $2 \
                 AND image_scans.scan_type = 'ENHANCED' ORDER BY images.id LIMIT $3",
                params![self.registry_id, self.after.1, ROWS],
            )
            .await?;
        self.is_over[1] = rows.len() < ROWS;
        let mut found = Vec::new();
        for row in &rows {
            let id = row.get(0)?;
            self.after = (1, id);
            let (repository, frequency) = self.repository(call, &row.get::<String>(1)?)?;
            let image = ScannedImage::load(tx, &repository, id).await?;
            let scan = state::find(tx, id, ScanType::Enhanced).await?;
            let (Some(image), Some(scan)) = (image, scan) else { continue };
            let status = match ImageStatus::from_stored(&row.get::<String>(2)?)? {
                ImageStatus::Active => scan.status,
                _ => ScanStatus::ImageArchived,
            };
            let (is_active, reason) = match status {
                ScanStatus::Active => (true, "SUCCESSFUL"),
                ScanStatus::Complete => (false, "SCAN_FREQUENCY_SCAN_ON_PUSH"),
                ScanStatus::Pending | ScanStatus::InProgress => (false, "PENDING_INITIAL_SCAN"),
                ScanStatus::UnsupportedImage => (false, "UNSUPPORTED_OS"),
                ScanStatus::ImageArchived => (false, "IMAGE_ARCHIVED"),
                ScanStatus::Failed => (false, "INTERNAL_ERROR"),
            };
            let (image, last_scanned_at) = (Some(image), scan.completed_at);
            let covered =
                Covered { repository, image, frequency, is_active, reason, last_scanned_at };
            found.push((self.after, covered));
        }
        Ok(found)
    }
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::InvalidParameter,
        format!("There are more than {EXAMINED_MAX} resources. Name repositories in a filter."),
    )
}

/// Lists what is scanned, repositories before images. While the registry scans in the basic way
/// there is nothing.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when too many resources must be looked at.
#[derive(Clone, Debug)]
pub struct ListCoverage {
    /// Which resources.
    pub criteria: CoverageCriteria,
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListCoverage {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "ListCoverage" };
    type Output = Page<Covered>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:ListCoverage", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Covered>> {
        let after = match self.page.after.as_deref() {
            None => (0, 0),
            Some(text) => text
                .split_once(' ')
                .and_then(|(kind, id)| Some((kind.parse().ok()?, id.parse().ok()?)))
                .ok_or_else(|| Error::invalid_parameter("nextToken", "Invalid token"))?,
        };
        let mut tx = call.read().await?;
        let mut items = Vec::new();
        let limit = usize::try_from(self.page.limit).unwrap_or(usize::MAX);
        if let Some(mut rows) = Rows::new(&mut tx, &call, after).await? {
            let mut examined = 0_usize;
            while items.len() <= limit {
                let found = rows.next(&mut tx, &call).await?;
                if found.is_empty() {
                    break;
                }
                examined = examined.saturating_add(found.len());
                if examined > EXAMINED_MAX {
                    return Err(too_many());
                }
                items.extend(found.into_iter().filter(|(_, it)| self.criteria.mean(it)));
            }
        }
        let page = self.page.cut(items, |((kind, id), _)| format!("{kind} {id}"));
        let items = page.items.into_iter().map(|(_, covered)| covered).collect();
        Ok(Page { items, next: page.next })
    }
}

/// By what resources are counted (botocore `inspector2`, shape `GroupKey`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupKey(pub CoverageText);

/// Counts what is scanned: of all, and by a group where one is named.
///
/// # Errors
/// As [`ListCoverage`].
#[derive(Clone, Debug)]
pub struct ListCoverageStatistics {
    /// Which resources.
    pub criteria: CoverageCriteria,
    /// By what.
    pub group: Option<GroupKey>,
}

impl Operation for ListCoverageStatistics {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "ListCoverageStatistics" };
    /// How many there are, and how many of each group.
    type Output = (u64, BTreeMap<String, u64>);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:ListCoverageStatistics", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<(u64, BTreeMap<String, u64>)> {
        let mut tx = call.read().await?;
        let (mut total, mut groups) = (0, BTreeMap::new());
        let Some(mut rows) = Rows::new(&mut tx, &call, (0, 0)).await? else {
            return Ok((total, groups));
        };
        let mut examined = 0_usize;
        loop {
            let found = rows.next(&mut tx, &call).await?;
            if found.is_empty() {
                return Ok((total, groups));
            }
            examined = examined.saturating_add(found.len());
            if examined > EXAMINED_MAX {
                return Err(too_many());
            }
            for (_, covered) in found.iter().filter(|(_, it)| self.criteria.mean(it)) {
                total += 1;
                let group = self.group.map(|GroupKey(text)| text.of(covered));
                for group in group.into_iter().flatten() {
                    *groups.entry(group).or_default() += 1;
                }
            }
        }
    }
}
