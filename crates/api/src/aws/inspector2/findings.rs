//! Findings: listed, counted, and in detail.

use serde_json::{Map, Value, json};
use tonnage_domain::error::Error;
use tonnage_domain::inspector::Found;
use tonnage_domain::inspector::aggregations::{
    Aggregation, AggregationType, ListFindingAggregations,
};
use tonnage_domain::inspector::criteria::Criteria;
use tonnage_domain::inspector::finding_details::BatchGetFindingDetails;
use tonnage_domain::inspector::list_findings::{ListFindings, SortField};
use tonnage_domain::names::Partition;
use tonnage_domain::scanning::Severity;

use super::super::ecr::scan_findings::EnhancedFinding;
use super::input::Input;
use super::{Call, Listing, Result};

/// Findings on a page where no number is asked for (botocore `inspector2`, shape `FindingList`).
const FINDINGS_DEFAULT: u32 = 25;
const FINDINGS_MAX: u32 = 100;
/// Characters of a description (botocore `inspector2`, shape `FindingDescription`).
const DESCRIPTION_CHARS_MAX: usize = 1_024;

fn criteria(input: &Input) -> Result<Criteria> {
    let document = input.structure("filterCriteria")?;
    let document = document.map(|document| document.members().clone()).unwrap_or_default();
    Ok(Criteria::parse(document)?)
}

/// Whether the end comes first.
fn is_descending(word: &str) -> Option<bool> {
    match word {
        "ASC" => Some(false),
        "DESC" => Some(true),
        _ => None,
    }
}

pub(super) async fn list_findings(call: &Call<'_>, input: &Input) -> Result<Value> {
    let limits = (FINDINGS_DEFAULT, FINDINGS_MAX);
    let listing = Listing::new(call, "ListFindings", input, limits).await?;
    let sort = match input.structure("sortCriteria")? {
        None => None,
        Some(sort) => {
            let field = sort.word("field", SortField::parse)?;
            let order = sort.word("sortOrder", is_descending)?;
            let missing = |member| Error::invalid_parameter(member, "Member must not be null");
            let field = field.ok_or_else(|| missing("sortCriteria.field"))?;
            Some((field, order.ok_or_else(|| missing("sortCriteria.sortOrder"))?))
        }
    };
    let operation = ListFindings { criteria: criteria(input)?, sort, page: listing.page.clone() };
    let page = call.execute(operation).await?;
    let findings = page.items.iter().map(shown).collect::<Result<Vec<Value>>>()?;
    listing.answer(call, json!({ "findings": findings }), page.next).await
}

/// A finding as Inspector tells it: as ECR does, but for some names.
fn shown(found: &Found) -> Result<Value> {
    let stored = &found.stored;
    let enhanced = EnhancedFinding::new(&found.image, &found.platform, stored);
    let mut document = serde_json::to_value(enhanced).map_err(Error::internal)?;
    let vector = stored.finding.vector();
    let Some(members) = document.as_object_mut() else { return Ok(document) };
    if let Some(score) = members.remove("score") {
        members.insert("inspectorScore".to_owned(), score);
    }
    members.remove("scoreDetails");
    if let Some(vector) = vector {
        let details = json!({ "adjustedCvss": {
            "adjustments": [],
            "cvssSource": vector.source,
            "score": vector.score(),
            "scoreSource": vector.source,
            "scoringVector": vector.vector,
            "version": vector.version,
        } });
        members.insert("inspectorScoreDetails".to_owned(), details);
    }
    if let Some(score) = stored.finding.epss_score() {
        members.insert("epss".to_owned(), json!({ "score": score }));
    }
    let text = members.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = if text.is_empty() { "No description is available." } else { text };
    let text: String = text.chars().take(DESCRIPTION_CHARS_MAX).collect();
    members.insert("description".to_owned(), text.into());
    let region = &found.image.repository.region;
    if let Some(resource) = members.get_mut("resources").and_then(|list| list.get_mut(0)) {
        resource["partition"] = Partition::of(region).as_str().into();
        resource["region"] = region.as_str().into();
    }
    Ok(document)
}

pub(super) async fn batch_get_finding_details(call: &Call<'_>, input: &Input) -> Result<Value> {
    let arns = input.texts("findingArns", 10)?;
    if arns.is_empty() {
        let constraint = "Member must have 1 to 10 elements";
        return Err(Error::invalid_parameter("findingArns", constraint).into());
    }
    let found = call.execute(BatchGetFindingDetails { arns: arns.clone() }).await?;
    let (mut details, mut errors) = (Vec::new(), Vec::new());
    for arn in arns {
        let Some(found) = found.get(&arn) else {
            errors.push(json!({
                "findingArn": arn,
                "errorCode": "FINDING_DETAILS_NOT_FOUND",
                "errorMessage": "There is no such finding in the registry.",
            }));
            continue;
        };
        let finding = &found.stored.finding;
        let mut detail = json!({ "findingArn": arn, "referenceUrls": finding.references });
        if let Some(score) = finding.epss_score() {
            detail["epssScore"] = score.into();
        }
        if let Some(score) = finding.score() {
            // 0 to 100.
            detail["riskScore"] = json!((score * 10.0).round() as i64);
        }
        details.push(detail);
    }
    Ok(json!({ "findingDetails": details, "errors": errors }))
}

/// The member of a request, and of an answer, for a kind of counting.
fn member(kind: AggregationType) -> &'static str {
    match kind {
        AggregationType::Account => "accountAggregation",
        AggregationType::FindingType => "findingTypeAggregation",
        AggregationType::Repository => "repositoryAggregation",
        AggregationType::Image => "awsEcrContainerAggregation",
        AggregationType::Layer => "imageLayerAggregation",
        AggregationType::Package => "packageAggregation",
        AggregationType::Title => "titleAggregation",
    }
}

/// Conditions of a counting, as criteria of findings.
const CONDITIONS: [(&str, &str); 8] = [
    ("repositories", "ecrImageRepositoryName"),
    ("resourceIds", "resourceId"),
    ("imageShas", "ecrImageHash"),
    ("imageTags", "ecrImageTags"),
    ("titles", "title"),
    ("vulnerabilityIds", "vulnerabilityId"),
    ("lastInUseAt", "ecrImageLastInUseAt"),
    ("accountIds", "awsAccountId"),
];

pub(super) async fn list_finding_aggregations(call: &Call<'_>, input: &Input) -> Result<Value> {
    let listing = Listing::new(call, "ListFindingAggregations", input, (100, 100)).await?;
    let word = input.required("aggregationType", 128)?;
    let kind = AggregationType::parse(&word).ok_or_else(|| {
        let constraint = format!("Tonnage does not count by {word}: its findings are of images");
        Error::invalid_parameter("aggregationType", constraint)
    })?;
    let mut document = Map::new();
    // What is suppressed or gone does not count.
    let active = json!([{ "comparison": "EQUALS", "value": "ACTIVE" }]);
    document.insert("findingStatus".to_owned(), active);
    if let Some(accounts) = input.members().get("accountIds") {
        document.insert("awsAccountId".to_owned(), accounts.clone());
    }
    let (mut by, mut is_ascending) = (None, false);
    if let Some(request) = input.structure("aggregationRequest")? {
        for name in request.members().keys() {
            if name != member(kind) {
                let constraint = format!("Member must be {} for {word}", member(kind));
                return Err(Error::invalid_parameter("aggregationRequest", constraint).into());
            }
        }
        if let Some(request) = request.structure(member(kind))? {
            for (name, value) in request.members() {
                match name.as_str() {
                    "sortOrder" => {
                        is_ascending = request.word(name, is_descending)? == Some(false);
                    }
                    "sortBy" => {
                        by = request
                            .word(name, |word| match word {
                                "CRITICAL" => Some(Some(Severity::Critical)),
                                "HIGH" => Some(Some(Severity::High)),
                                "ALL" => Some(None),
                                _ => None,
                            })?
                            .flatten();
                    }
                    "findingType" | "resourceType" => {
                        let equals = json!([{ "comparison": "EQUALS", "value": value }]);
                        document.insert(name.clone(), equals);
                    }
                    "packageNames" | "layerHashes" => {
                        let field = if name == "packageNames" { "name" } else { "sourceLayerHash" };
                        let items = value.as_array().into_iter().flatten();
                        let packages = items.map(|item| json!({ field: item })).collect();
                        document.insert("vulnerablePackages".to_owned(), packages);
                    }
                    other => {
                        let criterion = CONDITIONS.iter().find(|(known, _)| *known == other);
                        let Some((_, criterion)) = criterion else {
                            let path = format!("aggregationRequest.{}.{other}", member(kind));
                            let constraint = "Tonnage does not have this condition";
                            return Err(Error::invalid_parameter(&path, constraint).into());
                        };
                        document.insert((*criterion).to_owned(), value.clone());
                    }
                }
            }
        }
    }
    let criteria = Criteria::parse(document)?;
    let page = listing.page.clone();
    let operation = ListFindingAggregations { kind, criteria, by, is_ascending, page };
    let found = call.execute(operation).await?;
    let responses: Vec<Value> =
        found.items.iter().map(|item| json!({ member(kind): counted(kind, item) })).collect();
    let document = json!({ "aggregationType": word, "responses": responses });
    listing.answer(call, document, found.next).await
}

fn counted(kind: AggregationType, item: &Aggregation) -> Value {
    let image = &item.example.image;
    let mut counts = Map::new();
    let all: u64 = item.counts.values().sum();
    counts.insert("all".to_owned(), all.into());
    for (severity, count) in &item.counts {
        counts.insert(severity.enhanced().to_lowercase(), (*count).into());
    }
    let account = image.repository.account.as_str();
    let mut document = json!({ "accountId": account, "severityCounts": counts });
    let repository = image.repository.name.as_str();
    let mut add = |name: &str, value: Value| document[name] = value;
    match kind {
        AggregationType::Account | AggregationType::FindingType => {
            add("exploitAvailableCount", item.exploited.into());
            add("fixAvailableCount", item.fixable.into());
        }
        AggregationType::Repository => {
            add("repository", repository.into());
            add("affectedImages", item.images.into());
        }
        AggregationType::Image => {
            add("resourceId", image.arn().into());
            add("imageSha", image.digest.as_str().into());
            add("repository", repository.into());
            let tags: Vec<String> = image.tags.iter().map(ToString::to_string).collect();
            add("imageTags", tags.into());
            if let Some(time) = image.last_pulled_at {
                add("lastInUseAt", time.epoch_seconds().into());
            }
        }
        AggregationType::Layer => {
            let layer = item.group.rsplit(' ').next().unwrap_or_default();
            add("repository", repository.into());
            add("resourceId", image.arn().into());
            add("layerHash", layer.into());
        }
        AggregationType::Package => add("packageName", item.group.as_str().into()),
        AggregationType::Title => {
            add("title", item.group.as_str().into());
            add("vulnerabilityId", item.example.stored.finding.name.as_str().into());
        }
    }
    document
}
