//! Rules over findings, and their tags.

use serde_json::{Map, Value, json};
use tonnage_domain::error::Error;
use tonnage_domain::inspector::criteria::Criteria;
use tonnage_domain::inspector::filters::{
    CreateFilter, DeleteFilter, Filter, FilterAction, ListFilterTags, ListFilters, TagFilter,
    UntagFilter, UpdateFilter,
};

use super::input::Input;
use super::{Call, Listing, Result};

/// Characters of a name, and of an ARN (botocore `inspector2`, shapes `FilterName`, `FilterArn`).
const NAME_CHARS_MAX: usize = 128;
/// Characters of a description, and of a reason.
const TEXT_CHARS_MAX: usize = 512;

fn criteria(input: &Input) -> Result<Option<Criteria>> {
    let document = input.structure("filterCriteria")?;
    Ok(document.map(|document| Criteria::parse(document.members().clone())).transpose()?)
}

fn required<T>(member: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| Error::invalid_parameter(member, "Member must not be null"))
}

pub(super) async fn create_filter(call: &Call<'_>, input: &Input) -> Result<Value> {
    let operation = CreateFilter {
        name: input.required("name", NAME_CHARS_MAX)?,
        action: required("action", input.word("action", FilterAction::parse)?)?,
        description: input.text("description", TEXT_CHARS_MAX)?,
        reason: input.text("reason", TEXT_CHARS_MAX)?,
        criteria: required("filterCriteria", criteria(input)?)?,
        tags: input.tags()?,
    };
    let arn = call.execute(operation).await?;
    Ok(json!({ "arn": arn }))
}

pub(super) async fn update_filter(call: &Call<'_>, input: &Input) -> Result<Value> {
    let operation = UpdateFilter {
        arn: input.required("filterArn", NAME_CHARS_MAX)?,
        name: input.text("name", NAME_CHARS_MAX)?,
        action: input.word("action", FilterAction::parse)?,
        description: input.text("description", TEXT_CHARS_MAX)?,
        reason: input.text("reason", TEXT_CHARS_MAX)?,
        criteria: criteria(input)?,
    };
    let arn = call.execute(operation).await?;
    Ok(json!({ "arn": arn }))
}

pub(super) async fn delete_filter(call: &Call<'_>, input: &Input) -> Result<Value> {
    let arn = call.execute(DeleteFilter { arn: input.required("arn", NAME_CHARS_MAX)? }).await?;
    Ok(json!({ "arn": arn }))
}

pub(super) async fn list_filters(call: &Call<'_>, input: &Input) -> Result<Value> {
    let listing = Listing::new(call, "ListFilters", input, (100, 100)).await?;
    let operation = ListFilters {
        arns: input.texts("arns", 500)?,
        action: input.word("action", FilterAction::parse)?,
        page: listing.page.clone(),
    };
    let page = call.execute(operation).await?;
    let filters: Vec<Value> = page.items.iter().map(|filter| shown(call, filter)).collect();
    listing.answer(call, json!({ "filters": filters }), page.next).await
}

fn shown(call: &Call<'_>, filter: &Filter) -> Value {
    let context = &call.context;
    let mut document = json!({
        "arn": filter.arn(&context.account, &context.region),
        "ownerId": context.account.to_string(),
        "name": filter.name,
        "criteria": filter.criteria.document(),
        "action": filter.action.as_str(),
        "createdAt": filter.created_at.epoch_seconds(),
        "updatedAt": filter.updated_at.epoch_seconds(),
        "tags": filter.tags,
    });
    for (name, text) in [("description", &filter.description), ("reason", &filter.reason)] {
        if let Some(text) = text {
            document[name] = text.as_str().into();
        }
    }
    document
}

pub(super) async fn list_tags(call: &Call<'_>, arn: String) -> Result<Value> {
    let tags = call.execute(ListFilterTags { arn }).await?;
    Ok(json!({ "tags": tags }))
}

pub(super) async fn tag(call: &Call<'_>, arn: String, input: Input) -> Result<Value> {
    let tags = input.tags()?;
    if tags.is_empty() {
        return Err(Error::invalid_parameter("tags", "Member must not be null").into());
    }
    call.execute(TagFilter { arn, tags }).await?;
    Ok(Value::Object(Map::new()))
}

pub(super) async fn untag(call: &Call<'_>, arn: String, query: Option<&str>) -> Result<Value> {
    let keys: Vec<String> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(name, _)| name == "tagKeys")
        .map(|(_, value)| value.into_owned())
        .collect();
    if keys.is_empty() || keys.len() > 50 {
        return Err(Error::invalid_parameter("tagKeys", "Member must have 1 to 50 elements").into());
    }
    call.execute(UntagFilter { arn, keys }).await?;
    Ok(Value::Object(Map::new()))
}
