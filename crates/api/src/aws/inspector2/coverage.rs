//! What is scanned.

use serde_json::{Value, json};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;
use tonnage_domain::inspector::coverage::{
    CoverageCriteria, CoverageText, Covered, GroupKey, ListCoverage, ListCoverageStatistics,
    TextCondition, TimeCondition,
};

use super::input::Input;
use super::{Call, Listing, Result};

/// Conditions of one name.
const CONDITIONS_MAX: usize = 10;

fn invalid(name: &str, constraint: &str) -> Error {
    Error::invalid_parameter(&format!("filterCriteria.{name}"), constraint)
}

fn criteria(input: &Input) -> Result<CoverageCriteria> {
    let mut criteria = CoverageCriteria::default();
    let Some(document) = input.structure("filterCriteria")? else { return Ok(criteria) };
    for (name, value) in document.members() {
        if value.is_null() {
            continue;
        }
        let items = value.as_array().filter(|it| (1..=CONDITIONS_MAX).contains(&it.len()));
        let items =
            items.ok_or_else(|| invalid(name, "Member must be a list of 1 to 10 elements"))?;
        if let Some((_, text)) = CoverageText::ALL.iter().find(|(known, _)| known == name) {
            let conditions: Result<Vec<TextCondition>, Error> =
                items.iter().map(|item| text_condition(name, item)).collect();
            criteria.texts.push((*text, conditions?));
            continue;
        }
        let conditions = || items.iter().map(|item| time_condition(name, item)).collect();
        match name.as_str() {
            "lastScannedAt" => {
                let conditions: Result<Vec<TimeCondition>, Error> = conditions();
                criteria.last_scanned_at = conditions?;
            }
            "imagePulledAt" => {
                let conditions: Result<Vec<TimeCondition>, Error> = conditions();
                criteria.image_pulled_at = conditions?;
            }
            _ => {
                let constraint = "Tonnage does not have this criterion: what it scans are images of \
                                  containers";
                return Err(invalid(name, constraint).into());
            }
        }
    }
    Ok(criteria)
}

fn text_condition(name: &str, item: &Value) -> Result<TextCondition, Error> {
    let is_not = match item["comparison"].as_str() {
        Some("EQUALS") => false,
        Some("NOT_EQUALS") => true,
        _ => {
            let constraint = "Member must satisfy enum value set: [EQUALS, NOT_EQUALS]";
            return Err(invalid(&format!("{name}.comparison"), constraint));
        }
    };
    let value = item["value"].as_str().filter(|text| (1..=1_024).contains(&text.chars().count()));
    let value = value.ok_or_else(|| {
        invalid(&format!("{name}.value"), "Member must have 1 to 1024 characters")
    })?;
    Ok(TextCondition { is_not, value: value.to_owned() })
}

fn time_condition(name: &str, item: &Value) -> Result<TimeCondition, Error> {
    let end = |member: &str| match &item[member] {
        Value::Null => Ok(None),
        value => value
            .as_f64()
            .map(Some)
            .ok_or_else(|| invalid(&format!("{name}.{member}"), "Member must be a number")),
    };
    Ok(TimeCondition { start: end("startInclusive")?, end: end("endInclusive")? })
}

pub(super) async fn list_coverage(call: &Call<'_>, input: &Input) -> Result<Value> {
    let listing = Listing::new(call, "ListCoverage", input, (200, 200)).await?;
    let operation = ListCoverage { criteria: criteria(input)?, page: listing.page.clone() };
    let page = call.execute(operation).await?;
    let resources: Vec<Value> = page.items.iter().map(shown).collect();
    listing.answer(call, json!({ "coveredResources": resources }), page.next).await
}

fn shown(covered: &Covered) -> Value {
    let metadata = match &covered.image {
        Some(image) => {
            let tags: Vec<String> = image.tags.iter().map(ToString::to_string).collect();
            let mut metadata = json!({ "tags": tags });
            if let Some(pulled) = image.last_pulled_at {
                metadata["imagePulledAt"] = pulled.epoch_seconds().into();
            }
            json!({ "ecrImage": metadata })
        }
        None => json!({ "ecrRepository": {
            "name": covered.repository.name.as_str(),
            "scanFrequency": covered.frequency.as_str(),
        } }),
    };
    let mut document = json!({
        "resourceType": covered.resource_type(),
        "resourceId": covered.id(),
        "accountId": covered.repository.account.to_string(),
        "scanType": "PACKAGE",
        "scanStatus": { "statusCode": covered.status_code(), "reason": covered.reason },
        "resourceMetadata": metadata,
    });
    if let Some(time) = covered.last_scanned_at.map(Millis::epoch_seconds) {
        document["lastScannedAt"] = time.into();
    }
    document
}

pub(super) async fn list_coverage_statistics(call: &Call<'_>, input: &Input) -> Result<Value> {
    const GROUPS: [(&str, CoverageText); 5] = [
        ("SCAN_STATUS_CODE", CoverageText::StatusCode),
        ("SCAN_STATUS_REASON", CoverageText::StatusReason),
        ("ACCOUNT_ID", CoverageText::Account),
        ("RESOURCE_TYPE", CoverageText::ResourceType),
        ("ECR_REPOSITORY_NAME", CoverageText::Repository),
    ];
    let group = input.word("groupBy", |word| {
        GROUPS.into_iter().find(|(name, _)| *name == word).map(|(_, text)| GroupKey(text))
    })?;
    let operation = ListCoverageStatistics { criteria: criteria(input)?, group };
    let (total, groups) = call.execute(operation).await?;
    let counts: Vec<Value> =
        groups.iter().map(|(group, count)| json!({ "count": count, "groupKey": group })).collect();
    let mut document = json!({ "totalCounts": total });
    if group.is_some() {
        document["countsByGroup"] = counts.into();
    }
    Ok(document)
}
