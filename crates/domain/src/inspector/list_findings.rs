//! `ListFindings`.

use super::criteria::Criteria;
use super::walk::{self, Found, Walk};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::pages::{Page, PageRequest};
use crate::scanning;

/// Findings that a request without an order looks at; then it ends, and the next page goes on.
const EXAMINED_MAX: usize = 50_000;
/// Findings that a request with an order looks at.
const SORTED_MAX: usize = 500_000;

/// By what findings are in order (botocore `inspector2`, shape `SortField`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// The same for all of a registry: `AWS_ACCOUNT_ID`, `ECR_IMAGE_REGISTRY`, `FINDING_TYPE`,
    /// `RESOURCE_TYPE`.
    Same,
    /// The severity, `INFORMATIONAL` the least.
    Severity,
    /// When it was first found.
    FirstObservedAt,
    /// When it was last found.
    LastObservedAt,
    /// Where it stands.
    FindingStatus,
    /// When its image was pushed.
    EcrImagePushedAt,
    /// The repository.
    EcrImageRepositoryName,
    /// The flaw.
    VulnerabilityId,
    /// Who tells of the flaw.
    VulnerabilitySource,
    /// The CVSS score.
    InspectorScore,
    /// The word of who tells of the flaw.
    VendorSeverity,
    /// The EPSS score.
    EpssScore,
}

impl SortField {
    const ALL: [(&'static str, Self); 17] = [
        ("AWS_ACCOUNT_ID", Self::Same),
        ("ECR_IMAGE_REGISTRY", Self::Same),
        ("FINDING_TYPE", Self::Same),
        ("RESOURCE_TYPE", Self::Same),
        // Container images have neither.
        ("NETWORK_PROTOCOL", Self::Same),
        ("COMPONENT_TYPE", Self::Same),
        ("SEVERITY", Self::Severity),
        ("FIRST_OBSERVED_AT", Self::FirstObservedAt),
        ("LAST_OBSERVED_AT", Self::LastObservedAt),
        ("FINDING_STATUS", Self::FindingStatus),
        ("ECR_IMAGE_PUSHED_AT", Self::EcrImagePushedAt),
        ("ECR_IMAGE_REPOSITORY_NAME", Self::EcrImageRepositoryName),
        ("VULNERABILITY_ID", Self::VulnerabilityId),
        ("VULNERABILITY_SOURCE", Self::VulnerabilitySource),
        ("INSPECTOR_SCORE", Self::InspectorScore),
        ("VENDOR_SEVERITY", Self::VendorSeverity),
        ("EPSS_SCORE", Self::EpssScore),
    ];

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, field)| field)
    }

    /// What findings are compared by: texts whose order is that of the values.
    fn key(self, found: &Found) -> String {
        let finding = &found.stored.finding;
        let time = |time: crate::clock::Millis| format!("{:020}", time.0.max(0));
        let score = |score: Option<f64>| format!("{:012.6}", score.unwrap_or(0.0));
        match self {
            Self::Same => String::new(),
            Self::Severity => rank(Some(finding.severity)),
            Self::VendorSeverity => rank(finding.vendor_severity),
            Self::FirstObservedAt => time(found.stored.first_observed_at),
            Self::LastObservedAt => time(found.stored.last_observed_at),
            Self::FindingStatus => found.stored.status.as_str().to_owned(),
            Self::EcrImagePushedAt => time(found.image.pushed_at),
            Self::EcrImageRepositoryName => found.image.repository.name.to_string(),
            Self::VulnerabilityId => finding.name.clone(),
            Self::VulnerabilitySource => scanning::source(finding, &found.platform).to_owned(),
            Self::InspectorScore => score(finding.score()),
            Self::EpssScore => score(finding.epss_score()),
        }
    }
}

/// How bad a severity is, as a digit.
fn rank(severity: Option<scanning::Severity>) -> String {
    let order = ["UNDEFINED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"];
    let word = severity.map_or("UNDEFINED", scanning::Severity::as_str);
    order.iter().position(|known| *known == word).unwrap_or_default().to_string()
}

/// Lists the findings of the registry's images: those that count, those that are suppressed, and for
/// a few days those that are no more. While the registry scans in the basic way there are none.
///
/// A page may have fewer findings than asked for although there are more.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when so many are to be sorted that it would take too long.
#[derive(Clone, Debug)]
pub struct ListFindings {
    /// Which findings.
    pub criteria: Criteria,
    /// Their order, and whether it begins at the end; by image where there is none.
    pub sort: Option<(SortField, bool)>,
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListFindings {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "ListFindings" };
    type Output = Page<Found>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:ListFindings", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Found>> {
        let mut tx = call.read().await?;
        let Some(registry_id) = walk::registry(&mut tx, &call).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let after = self.page.after.as_deref().map(Cursor::parse).transpose()?;
        match self.sort {
            None => self.by_image(tx, &call, registry_id, after).await,
            Some(sort) => self.sorted(tx, &call, registry_id, (sort, after)).await,
        }
    }
}

impl ListFindings {
    fn limit(&self) -> usize {
        usize::try_from(self.page.limit).unwrap_or(usize::MAX)
    }

    async fn by_image(
        &self,
        mut tx: crate::execute::Tx,
        call: &Call<'_>,
        registry_id: i64,
        after: Option<Cursor>,
    ) -> Result<Page<Found>> {
        let place = after.map_or((0, -1), |cursor| cursor.place);
        // The image of the last finding may have more.
        let mut walk = Walk::new(registry_id, &self.criteria, call.now(), place.0 - 1);
        let mut items: Vec<Found> = Vec::new();
        while let Some(found) = walk.next(&mut tx, call).await? {
            items.extend(found.into_iter().filter(|found| found.place > place));
            if items.len() > self.limit() {
                break;
            }
            if walk.examined >= EXAMINED_MAX && walk.last_image().is_some() {
                let last = (walk.last_image().unwrap_or_default(), i64::MAX);
                let next = Some(Cursor { key: String::new(), place: last }.print());
                return Ok(Page { items, next });
            }
        }
        Ok(self.cut(items, |_| String::new()))
    }

    async fn sorted(
        &self,
        mut tx: crate::execute::Tx,
        call: &Call<'_>,
        registry_id: i64,
        ((field, is_descending), after): ((SortField, bool), Option<Cursor>),
    ) -> Result<Page<Found>> {
        let mut walk = Walk::new(registry_id, &self.criteria, call.now(), 0);
        let mut best: Vec<(String, Found)> = Vec::new();
        let keep = self.limit().saturating_add(1);
        let order = |a: (&str, (i64, i64)), b: (&str, (i64, i64))| {
            let keys = a.0.cmp(b.0);
            let keys = if is_descending { keys.reverse() } else { keys };
            keys.then(a.1.cmp(&b.1))
        };
        while let Some(found) = walk.next(&mut tx, call).await? {
            if walk.examined > SORTED_MAX {
                return Err(Error::new(
                    ErrorKind::InvalidParameter,
                    format!(
                        "There are more than {SORTED_MAX} findings to be sorted. Leave out \
                         sortCriteria, or name repositories or flaws in filterCriteria."
                    ),
                ));
            }
            let keyed = found.into_iter().map(|found| (field.key(&found), found));
            best.extend(keyed.filter(|(key, found)| {
                after.as_ref().is_none_or(|after| {
                    order((key, found.place), (&after.key, after.place)).is_gt()
                })
            }));
            best.sort_by(|a, b| order((&a.0, a.1.place), (&b.0, b.1.place)));
            best.truncate(keep);
        }
        let items = best.into_iter().map(|(_, found)| found).collect();
        Ok(self.cut(items, |found| field.key(found)))
    }

    fn cut(&self, items: Vec<Found>, key: impl Fn(&Found) -> String) -> Page<Found> {
        self.page.cut(items, |found| Cursor { key: key(found), place: found.place }.print())
    }
}

/// Where a page ended.
struct Cursor {
    key: String,
    place: (i64, i64),
}

impl Cursor {
    fn print(&self) -> String {
        format!("{} {} {}", self.place.0, self.place.1, self.key)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, ' ');
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        match (number(), number()) {
            (Some(image), Some(position)) => {
                let key = parts.next().unwrap_or_default().to_owned();
                Ok(Self { key, place: (image, position) })
            }
            _ => Err(Error::invalid_parameter("nextToken", "Invalid token")),
        }
    }
}
