//! `ListFindingAggregations`: how many findings that count there are, by one thing or another.

use std::collections::BTreeMap;

use super::criteria::Criteria;
use super::walk::{self, Found, Walk};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::pages::{Page, PageRequest};
use crate::scanning;
use crate::scanning::state::SeverityCounts;

/// Groups that are counted at most.
const GROUPS_MAX: usize = 100_000;

/// By what is counted (botocore `inspector2`, shape `AggregationType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregationType {
    /// The registry as a whole.
    Account,
    /// The same: all findings are of packages.
    FindingType,
    /// Each repository.
    Repository,
    /// Each image.
    Image,
    /// Each layer that brought a package.
    Layer,
    /// Each package, by name.
    Package,
    /// Each title.
    Title,
}

impl AggregationType {
    const ALL: [(&'static str, Self); 7] = [
        ("ACCOUNT", Self::Account),
        ("FINDING_TYPE", Self::FindingType),
        ("REPOSITORY", Self::Repository),
        ("AWS_ECR_CONTAINER", Self::Image),
        ("IMAGE_LAYER", Self::Layer),
        ("PACKAGE", Self::Package),
        ("TITLE", Self::Title),
    ];

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, kind)| kind)
    }

    /// The groups that a finding is counted in, each once.
    fn groups(self, found: &Found) -> Vec<String> {
        let finding = &found.stored.finding;
        let mut groups: Vec<String> = match self {
            Self::Account | Self::FindingType => vec![String::new()],
            Self::Repository => vec![found.image.repository.name.to_string()],
            Self::Image => vec![found.image.arn()],
            Self::Layer => {
                let layers = finding.packages.iter().filter_map(|it| it.layer_digest.as_ref());
                layers.map(|layer| format!("{} {layer}", found.image.arn())).collect()
            }
            Self::Package => finding.packages.iter().map(|package| package.name.clone()).collect(),
            Self::Title => vec![scanning::title(finding)],
        };
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Aggregation {
    /// A finding of the group, by which it is named.
    pub example: Found,
    /// The layer, the package or the title; the image or the repository.
    pub group: String,
    /// The findings.
    pub counts: SeverityCounts,
    /// Those whose flaw is known to be exploited.
    pub exploited: u64,
    /// Those that newer versions of all packages would end.
    pub fixable: u64,
    /// Images that have some.
    pub images: u64,
    last_image: i64,
}

/// Counts the findings of the registry, the groups with the most first.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when there would be too many groups.
#[derive(Clone, Debug)]
pub struct ListFindingAggregations {
    /// By what.
    pub kind: AggregationType,
    /// Of which findings.
    pub criteria: Criteria,
    /// Which severity decides about the order: all together where none is named.
    pub by: Option<scanning::Severity>,
    /// Whether those with the fewest come first.
    pub is_ascending: bool,
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListFindingAggregations {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "ListFindingAggregations" };
    type Output = Page<Aggregation>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:ListFindingAggregations", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Aggregation>> {
        let mut tx = call.read().await?;
        let Some(registry_id) = walk::registry(&mut tx, &call).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let mut groups: BTreeMap<String, Aggregation> = BTreeMap::new();
        let mut walk = Walk::new(registry_id, &self.criteria, call.now(), 0);
        while let Some(found) = walk.next(&mut tx, &call).await? {
            for found in &found {
                self.count(&mut groups, found);
            }
            if groups.len() > GROUPS_MAX {
                return Err(Error::new(
                    ErrorKind::InvalidParameter,
                    format!("There are more than {GROUPS_MAX} groups. Name some to be counted."),
                ));
            }
        }
        let key = |item: &Aggregation| {
            let weight = match self.by {
                Some(severity) => item.counts.get(&severity).copied().unwrap_or_default(),
                None => item.counts.values().sum(),
            };
            let weight = if self.is_ascending { weight } else { u64::MAX - weight };
            format!("{weight:020} {}", item.group)
        };
        let mut items: Vec<Aggregation> = groups.into_values().collect();
        items.sort_by_cached_key(key);
        Ok(self.page.cut_all(items, key))
    }
}

impl ListFindingAggregations {
    fn count(&self, groups: &mut BTreeMap<String, Aggregation>, found: &Found) {
        let finding = &found.stored.finding;
        for group in self.kind.groups(found) {
            let item = groups.entry(group.clone()).or_insert_with(|| Aggregation {
                example: found.clone(),
                group,
                counts: SeverityCounts::new(),
                exploited: 0,
                fixable: 0,
                images: 0,
                last_image: 0,
            });
            *item.counts.entry(finding.severity).or_default() += 1;
            item.exploited += u64::from(finding.is_exploited);
            item.fixable += u64::from(finding.fix_available() == "YES");
            // Images come one after another.
            if item.last_image != found.place.0 {
                item.last_image = found.place.0;
                item.images += 1;
            }
        }
    }
}
