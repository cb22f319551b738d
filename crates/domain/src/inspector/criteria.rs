//! Criteria that choose findings: the document, and what it says of a finding.
//!
//! Criteria of different names must all hold. Of several conditions of one name one must hold, but
//! those that say `NOT_EQUALS` all must.
//!
//! Source: botocore `inspector2`, shape `FilterCriteria`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::scanning::describe_image_scan_findings::ScannedImage;
use crate::scanning::findings::{StoredFinding, VulnerablePackage};
use crate::scanning::{self, Severity};

/// Conditions of one name.
const CONDITIONS_MAX: usize = 10;
/// The longest text of a condition, in characters.
const TEXT_CHARS_MAX: usize = 1_024;

/// A finding, and the image that has it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) image: &'a ScannedImage,
    /// As the scan has it: `DEBIAN_12`.
    pub(crate) platform: &'a str,
    pub(crate) found: &'a StoredFinding,
}

/// Criteria, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Criteria {
    document: Map<String, Value>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Text(TextField, Vec<TextFilter>),
    Time(TimeField, Vec<Range>),
    Number(NumberField, Vec<Range>),
    Package(Vec<PackageFilter>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextField {
    FindingArn,
    AwsAccountId,
    FindingType,
    Severity,
    FindingStatus,
    Title,
    ResourceType,
    ResourceId,
    EcrImageArchitecture,
    EcrImageRegistry,
    EcrImageRepositoryName,
    EcrImageTags,
    EcrImageHash,
    VulnerabilityId,
    VulnerabilitySource,
    VendorSeverity,
    RelatedVulnerabilities,
    FixAvailable,
    ExploitAvailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeField {
    FirstObserved,
    LastObserved,
    Updated,
    EcrImagePushed,
    EcrImageLastInUse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberField {
    InspectorScore,
    EpssScore,
}

const TEXT_FIELDS: [(&str, TextField); 19] = [
    ("findingArn", TextField::FindingArn),
    ("awsAccountId", TextField::AwsAccountId),
    ("findingType", TextField::FindingType),
    ("severity", TextField::Severity),
    ("findingStatus", TextField::FindingStatus),
    ("title", TextField::Title),
    ("resourceType", TextField::ResourceType),
    ("resourceId", TextField::ResourceId),
    ("ecrImageArchitecture", TextField::EcrImageArchitecture),
    ("ecrImageRegistry", TextField::EcrImageRegistry),
    ("ecrImageRepositoryName", TextField::EcrImageRepositoryName),
    ("ecrImageTags", TextField::EcrImageTags),
    ("ecrImageHash", TextField::EcrImageHash),
    ("vulnerabilityId", TextField::VulnerabilityId),
    ("vulnerabilitySource", TextField::VulnerabilitySource),
    ("vendorSeverity", TextField::VendorSeverity),
    ("relatedVulnerabilities", TextField::RelatedVulnerabilities),
    ("fixAvailable", TextField::FixAvailable),
    ("exploitAvailable", TextField::ExploitAvailable),
];

const TIME_FIELDS: [(&str, TimeField); 5] = [
    ("firstObservedAt", TimeField::FirstObserved),
    ("lastObservedAt", TimeField::LastObserved),
    ("updatedAt", TimeField::Updated),
    ("ecrImagePushedAt", TimeField::EcrImagePushed),
    ("ecrImageLastInUseAt", TimeField::EcrImageLastInUse),
];

const NUMBER_FIELDS: [(&str, NumberField); 2] =
    [("inspectorScore", NumberField::InspectorScore), ("epssScore", NumberField::EpssScore)];

#[derive(Clone, Debug, PartialEq)]
struct TextFilter {
    comparison: Comparison,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equals,
    Prefix,
    NotEquals,
}

/// Both ends belong to it; an end that is absent is open.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    lower: Option<f64>,
    upper: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct PackageFilter {
    texts: Vec<(PackageField, TextFilter)>,
    epoch: Option<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PackageField {
    Name,
    Version,
    Release,
    Architecture,
    SourceLayerHash,
    FilePath,
}

const PACKAGE_FIELDS: [(&str, PackageField); 6] = [
    ("name", PackageField::Name),
    ("version", PackageField::Version),
    ("release", PackageField::Release),
    ("architecture", PackageField::Architecture),
    ("sourceLayerHash", PackageField::SourceLayerHash),
    ("filePath", PackageField::FilePath),
];

fn invalid(path: &str, constraint: impl std::fmt::Display) -> Error {
    Error::invalid_parameter(&format!("filterCriteria.{path}"), constraint)
}

impl Criteria {
    /// Reads a document of the shape `FilterCriteria`.
    ///
    /// # Errors
    /// `InvalidParameter` for what findings of container images do not have, by its name, and for
    /// conditions that are not of the shape.
    pub fn parse(document: Map<String, Value>) -> Result<Self> {
        let mut conditions = Vec::new();
        let mut kept = Map::new();
        for (name, value) in document {
            if value.is_null() {
                continue;
            }
            conditions.push(condition(&name, &value)?);
            kept.insert(name, value);
        }
        Ok(Self { document: kept, conditions })
    }

    /// From its stored form.
    pub(crate) fn from_stored(text: &str) -> Result<Self> {
        Self::parse(serde_json::from_str(text).map_err(Error::internal)?).map_err(Error::internal)
    }

    /// The document.
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// Whether all findings are meant.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// The only flaws that can be meant, where the criteria name some.
    pub(crate) fn flaws(&self) -> Option<Vec<&str>> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Text(TextField::VulnerabilityId, filters) => filters
                .iter()
                .map(|filter| {
                    (filter.comparison == Comparison::Equals).then_some(filter.value.as_str())
                })
                .collect(),
            _ => None,
        })
    }

    /// Whether findings of an image can be meant, by what is known without them.
    pub(crate) fn may_mean(&self, image: &ScannedImage) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Text(field, filters) => image_texts(*field, image)
                .is_none_or(|texts| holds(filters, &texts.iter().map(AsRef::as_ref))),
            Condition::Time(field, ranges) => match field {
                TimeField::EcrImagePushed => in_any(ranges, Some(image.pushed_at.epoch_seconds())),
                TimeField::EcrImageLastInUse => {
                    let time = image.last_pulled_at.map(|time| time.epoch_seconds());
                    in_any(ranges, time)
                }
                _ => true,
            },
            Condition::Number(..) | Condition::Package(_) => true,
        })
    }

    /// Whether a finding is meant.
    pub(crate) fn mean(&self, subject: &Subject<'_>) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Text(field, filters) => {
                let texts = texts(*field, subject);
                holds(filters, &texts.iter().map(AsRef::as_ref))
            }
            Condition::Time(field, ranges) => in_any(ranges, time(*field, subject)),
            Condition::Number(field, ranges) => in_any(ranges, number(*field, subject)),
            Condition::Package(filters) => {
                let packages = &subject.found.finding.packages;
                filters.iter().any(|filter| packages.iter().any(|package| filter.is(package)))
            }
        })
    }
}

fn condition(name: &str, value: &Value) -> Result<Condition> {
    let find = |(known, _): &&(&str, _)| *known == name;
    if let Some((_, field)) = TEXT_FIELDS.iter().find(find) {
        return Ok(Condition::Text(*field, list(name, value, text_filter)?));
    }
    if let Some((_, field)) = TIME_FIELDS.iter().find(|(known, _)| *known == name) {
        let read = |path: &str, value: &Value| range(path, value, "startInclusive", "endInclusive");
        return Ok(Condition::Time(*field, list(name, value, read)?));
    }
    if let Some((_, field)) = NUMBER_FIELDS.iter().find(|(known, _)| *known == name) {
        let read =
            |path: &str, value: &Value| range(path, value, "lowerInclusive", "upperInclusive");
        return Ok(Condition::Number(*field, list(name, value, read)?));
    }
    if name == "vulnerablePackages" {
        return Ok(Condition::Package(list(name, value, package_filter)?));
    }
    Err(invalid(
        name,
        "Tonnage does not have this criterion: its findings are of packages in container images",
    ))
}

fn list<T>(path: &str, value: &Value, read: impl Fn(&str, &Value) -> Result<T>) -> Result<Vec<T>> {
    let items = value.as_array().ok_or_else(|| invalid(path, "Member must be a list"))?;
    if items.is_empty() || items.len() > CONDITIONS_MAX {
        return Err(invalid(path, "Member must have 1 to 10 elements"));
    }
    items.iter().map(|item| read(path, item)).collect()
}

fn object<'v>(path: &str, value: &'v Value) -> Result<&'v Map<String, Value>> {
    value.as_object().ok_or_else(|| invalid(path, "Member must be a structure"))
}

fn text_filter(path: &str, value: &Value) -> Result<TextFilter> {
    let members = object(path, value)?;
    let comparison = match members.get("comparison").and_then(Value::as_str) {
        Some("EQUALS") => Comparison::Equals,
        Some("PREFIX") => Comparison::Prefix,
        Some("NOT_EQUALS") => Comparison::NotEquals,
        _ => {
            let constraint = "Member must satisfy enum value set: [EQUALS, PREFIX, NOT_EQUALS]";
            return Err(invalid(&format!("{path}.comparison"), constraint));
        }
    };
    let value = members.get("value").and_then(Value::as_str).unwrap_or_default();
    if value.is_empty() || value.chars().count() > TEXT_CHARS_MAX {
        return Err(invalid(&format!("{path}.value"), "Member must have 1 to 1024 characters"));
    }
    Ok(TextFilter { comparison, value: value.to_owned() })
}

fn range(path: &str, value: &Value, lower: &str, upper: &str) -> Result<Range> {
    let members = object(path, value)?;
    let end = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(number) => Ok(Some(number)),
            None => Err(invalid(&format!("{path}.{name}"), "Member must be a number")),
        },
    };
    Ok(Range { lower: end(lower)?, upper: end(upper)? })
}

fn package_filter(path: &str, value: &Value) -> Result<PackageFilter> {
    let mut filter = PackageFilter::default();
    for (name, value) in object(path, value)? {
        let path = format!("{path}.{name}");
        if value.is_null() {
            continue;
        }
        if let Some((_, field)) = PACKAGE_FIELDS.iter().find(|(known, _)| known == name) {
            filter.texts.push((*field, text_filter(&path, value)?));
        } else if name == "epoch" {
            filter.epoch = Some(range(&path, value, "lowerInclusive", "upperInclusive")?);
        } else {
            return Err(invalid(&path, "Tonnage does not have this criterion of packages"));
        }
    }
    Ok(filter)
}

impl TextFilter {
    fn is(&self, text: &str) -> bool {
        match self.comparison {
            Comparison::Equals => text == self.value,
            Comparison::Prefix => text.starts_with(&self.value),
            Comparison::NotEquals => text != self.value,
        }
    }
}

impl Range {
    fn has(&self, value: f64) -> bool {
        self.lower.is_none_or(|lower| lower <= value)
            && self.upper.is_none_or(|upper| value <= upper)
    }
}

impl PackageFilter {
    fn is(&self, package: &VulnerablePackage) -> bool {
        let version = package.split_version();
        self.texts.iter().all(|(field, filter)| {
            let text = match field {
                PackageField::Name => Some(package.name.as_str()),
                PackageField::Version => Some(version.version),
                PackageField::Release => version.release,
                PackageField::Architecture => package.architecture.as_deref(),
                PackageField::SourceLayerHash => package.layer_digest.as_deref(),
                PackageField::FilePath => Some(package.path.as_str()),
            };
            match (field, text) {
                // Architectures are told in capital letters.
                (PackageField::Architecture, Some(text)) => {
                    filter.is(text) || filter.is(&text.to_uppercase())
                }
                (_, Some(text)) => filter.is(text),
                (_, None) => filter.comparison == Comparison::NotEquals,
            }
        }) && self
            .epoch
            .is_none_or(|range| version.epoch.is_some_and(|epoch| range.has(f64::from(epoch))))
    }
}

/// Whether texts are as one of the conditions says, and none of them what must not be.
fn holds<'t>(filters: &[TextFilter], texts: &(impl Iterator<Item = &'t str> + Clone)) -> bool {
    let (not, any): (Vec<&TextFilter>, Vec<&TextFilter>) =
        filters.iter().partition(|filter| filter.comparison == Comparison::NotEquals);
    not.iter().all(|filter| texts.clone().all(|text| filter.is(text)))
        && (any.is_empty() || any.iter().any(|filter| texts.clone().any(|text| filter.is(text))))
}

fn in_any(ranges: &[Range], value: Option<f64>) -> bool {
    value.is_some_and(|value| ranges.iter().any(|range| range.has(value)))
}

/// What an image has in a field; none where it takes a finding to tell.
fn image_texts(field: TextField, image: &ScannedImage) -> Option<Vec<Cow<'_, str>>> {
    Some(match field {
        TextField::AwsAccountId | TextField::EcrImageRegistry => {
            vec![image.repository.account.as_str().into()]
        }
        TextField::FindingType => vec!["PACKAGE_VULNERABILITY".into()],
        TextField::ResourceType => vec!["AWS_ECR_CONTAINER_IMAGE".into()],
        TextField::ResourceId => vec![image.arn().into()],
        TextField::EcrImageRepositoryName => vec![image.repository.name.as_str().into()],
        TextField::EcrImageArchitecture if image.architecture.is_empty() => Vec::new(),
        TextField::EcrImageArchitecture => vec![image.architecture.as_str().into()],
        TextField::EcrImageTags => image.tags.iter().map(|tag| tag.as_str().into()).collect(),
        TextField::EcrImageHash => vec![image.digest.as_str().into()],
        _ => return None,
    })
}

fn texts<'s>(field: TextField, subject: &Subject<'s>) -> Vec<Cow<'s, str>> {
    let (image, found) = (subject.image, subject.found);
    let finding = &found.finding;
    if let Some(texts) = image_texts(field, image) {
        return texts;
    }
    match field {
        TextField::FindingArn => {
            vec![scanning::finding_arn(&image.repository, &image.digest, finding).into()]
        }
        TextField::Severity => vec![finding.severity.enhanced().into()],
        TextField::FindingStatus => vec![found.status.as_str().into()],
        TextField::Title => vec![scanning::title(finding).into()],
        TextField::VulnerabilityId => vec![finding.name.as_str().into()],
        TextField::VulnerabilitySource => {
            vec![scanning::source(finding, subject.platform).into()]
        }
        TextField::VendorSeverity => {
            finding.vendor_severity.map(Severity::as_str).map(Cow::from).into_iter().collect()
        }
        TextField::RelatedVulnerabilities => {
            scanning::related(finding).into_iter().map(Cow::from).collect()
        }
        TextField::FixAvailable => vec![finding.fix_available().into()],
        TextField::ExploitAvailable => vec![finding.exploit_available().into()],
        _ => Vec::new(),
    }
}

fn time(field: TimeField, subject: &Subject<'_>) -> Option<f64> {
    let found = subject.found;
    let time = match field {
        TimeField::FirstObserved => Some(found.first_observed_at),
        TimeField::LastObserved => Some(found.last_observed_at),
        TimeField::Updated => Some(found.updated_at),
        TimeField::EcrImagePushed => Some(subject.image.pushed_at),
        TimeField::EcrImageLastInUse => subject.image.last_pulled_at,
    };
    time.map(|time| time.epoch_seconds())
}

fn number(field: NumberField, subject: &Subject<'_>) -> Option<f64> {
    let finding = &subject.found.finding;
    match field {
        NumberField::InspectorScore => finding.score(),
        NumberField::EpssScore => finding.epss_score(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_that_are_refused() {
        let equals = json!([{"comparison": "EQUALS", "value": "x"}]);
        for (document, expected) in [
            (json!({"severity": equals}), None),
            (json!({"severity": null}), None),
            (json!({"portRange": [{"beginInclusive": 1}]}), Some("portRange")),
            (json!({"ec2InstanceVpcId": equals}), Some("ec2InstanceVpcId")),
            (json!({"severity": []}), Some("1 to 10 elements")),
            (json!({"severity": vec![&equals[0]; 11]}), Some("1 to 10 elements")),
            (json!({"severity": "HIGH"}), Some("must be a list")),
            (json!({"severity": [{"comparison": "LIKE", "value": "x"}]}), Some("enum value set")),
            (json!({"severity": [{"comparison": "EQUALS"}]}), Some("severity.value")),
            (json!({"epssScore": [{"lowerInclusive": "x"}]}), Some("epssScore.lowerInclusive")),
            (json!({"vulnerablePackages": [{"name": equals[0]}]}), None),
            (
                json!({"vulnerablePackages": [{"sourceLambdaLayerArn": equals[0]}]}),
                Some("vulnerablePackages.sourceLambdaLayerArn"),
            ),
        ] {
            let Value::Object(members) = document.clone() else { panic!("an object") };
            match (Criteria::parse(members), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(expected)) => {
                    assert!(error.message().contains(expected), "{document}: {error}");
                }
                (found, _) => panic!("{document}: {found:?}"),
            }
        }
    }

    #[test]
    fn several_conditions_of_one_name() {
        let filter = |comparison, value: &str| TextFilter { comparison, value: value.to_owned() };
        use Comparison::{Equals, NotEquals, Prefix};
        for (filters, texts, expected) in [
            (vec![filter(Equals, "a"), filter(Equals, "b")], vec!["b"], true),
            (vec![filter(Equals, "a"), filter(Equals, "b")], vec!["c"], false),
            (vec![filter(NotEquals, "a"), filter(NotEquals, "b")], vec!["b"], false),
            (vec![filter(NotEquals, "a"), filter(NotEquals, "b")], vec!["c"], true),
            (vec![filter(NotEquals, "a")], vec!["a", "c"], false),
            (vec![filter(NotEquals, "a")], vec![], true),
            (vec![filter(Equals, "a")], vec![], false),
            (vec![filter(Prefix, "re"), filter(NotEquals, "rest")], vec!["release"], true),
            (vec![filter(Prefix, "re"), filter(NotEquals, "rest")], vec!["rest"], false),
        ] {
            assert_eq!(holds(&filters, &texts.iter().copied()), expected, "{filters:?} {texts:?}");
        }
    }
}
