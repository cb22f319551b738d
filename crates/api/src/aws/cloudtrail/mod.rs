//! AWS CloudTrail, version 2013-11-01, over AWS JSON 1.1: `LookupEvents`, which tells what was done
//! in an account.

mod event;

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use tonnage_domain::app::App;
use tonnage_domain::audit::lookup_events::{Attribute, Criteria, LookupEvents, PAGE_MAX};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::execute::not_served;
use tonnage_domain::identities::page_token;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::uploads::BodyStream;

use super::error::{Failure, Refusal, Result};
use super::{BODY_BYTES_MAX, Call, authenticated, json, scope};
use crate::Arrival;

const SIGNING_NAME: &str = "cloudtrail";
/// What stands before the operation in `X-Amz-Target`: botocore's way, and that of the SDKs that are
/// made from the Smithy model.
const TARGETS: [&str; 2] =
    ["com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "CloudTrail_20131101"];

pub(super) fn is_target(prefix: &str) -> bool {
    TARGETS.contains(&prefix)
}

pub(super) async fn handle(
    app: &Arc<App>,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
    operation: &str,
) -> Result<Bytes> {
    let operation = scope::printable(operation).unwrap_or_default();
    if parts.method != Method::POST || operation.is_empty() {
        let text = format!("{SIGNING_NAME} has no operation `{operation}` for {}.", parts.method);
        return Err(Refusal::UnknownOperation(text).into());
    }
    let (body, context) =
        authenticated(app, parts, body, arrival, SIGNING_NAME, BODY_BYTES_MAX).await?;
    let call = Call { app, context, arrival };
    match operation.as_str() {
        "LookupEvents" => json::output(&Box::pin(lookup_events(&call, &body)).await?),
        other => Err(not_served(SIGNING_NAME, other).into()),
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    lookup_attributes: Option<Vec<LookupAttribute>>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    event_category: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LookupAttribute {
    attribute_key: Option<String>,
    attribute_value: Option<String>,
}

fn refused(code: &'static str, message: impl Into<String>) -> Failure {
    Refusal::Constraint(code, Some(message.into())).into()
}

fn time(seconds: Option<f64>) -> Result<Option<Millis>> {
    let Some(seconds) = seconds else { return Ok(None) };
    json::time(seconds).map(Some).ok_or_else(|| {
        let message = "A time is in seconds since 1970, and before the year 10000.";
        refused("InvalidTimeRangeException", message)
    })
}

fn attributes(given: Vec<LookupAttribute>) -> Result<Vec<(Attribute, String)>> {
    let code = "InvalidLookupAttributesException";
    if given.len() > 1 {
        return Err(refused(code, "You can look up events by one attribute at a time."));
    }
    let read = |given: LookupAttribute| {
        let key = given.attribute_key.unwrap_or_default();
        let found = Attribute::ALL.into_iter().find(|(name, _)| *name == key);
        let Some((_, attribute)) = found else {
            let names: Vec<&str> = Attribute::ALL.into_iter().map(|(name, _)| name).collect();
            let text = format!("The attribute key must be one of {}.", names.join(", "));
            return Err(refused(code, text));
        };
        let value = given.attribute_value.filter(|value| (1..=2000).contains(&value.len()));
        let value =
            value.ok_or_else(|| refused(code, "An attribute value has 1 to 2000 characters."))?;
        // As CloudTrail documents it, names of services and of true and false are in lower case.
        Ok((attribute, value))
    };
    given.into_iter().map(read).collect()
}

async fn lookup_events(call: &Call<'_>, body: &[u8]) -> Result<Value> {
    let document: Value = match body.is_empty() {
        true => json!({}),
        false => serde_json::from_slice(body).map_err(|_| Refusal::Serialization(None))?,
    };
    let input: Input = json::input(document.clone())?;
    let limit = match input.max_results {
        None => PAGE_MAX,
        Some(limit) => u32::try_from(limit)
            .ok()
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| {
                refused("InvalidMaxResultsException", "Maximum results must be between 1 and 50.")
            })?,
    };
    let criteria = Criteria {
        from: time(input.start_time)?,
        until: time(input.end_time)?,
        attributes: attributes(input.lookup_attributes.unwrap_or_default())?,
        denied: None,
    };
    if criteria.from.zip(criteria.until).is_some_and(|(from, until)| from > until) {
        return Err(refused("InvalidTimeRangeException", "The start time is after the end time."));
    }
    let is_insight = match input.event_category.as_deref() {
        None => false,
        Some("insight") => true,
        Some(_) => {
            return Err(refused(
                "InvalidEventCategoryException",
                "The event category must be insight.",
            ));
        }
    };
    // A token is good for the same question only.
    let mut question = document;
    if let Some(members) = question.as_object_mut() {
        members.retain(|name, _| name != "NextToken" && name != "MaxResults");
    }
    let context = &call.context;
    let listing =
        format!("cloudtrail:LookupEvents {} {} {question}", context.account, context.region);
    let after =
        match input.next_token {
            None => None,
            Some(token) => Some(page_token::open(call.app, &listing, &token).await.map_err(
                |error| match error.kind() {
                    ErrorKind::InvalidParameter => refused(
                        "InvalidNextTokenException",
                        "The token is none of this request: send the parameters that it came from.",
                    ),
                    _ => error.into(),
                },
            )?),
        };
    let page = PageRequest { after, limit };
    let page = call.execute(LookupEvents { criteria, page }).await?;
    if is_insight {
        // Nothing is unusual to whoever looks for nothing unusual.
        return Ok(json!({ "Events": [] }));
    }
    let events: Vec<Value> = page.items.iter().map(event::shown).collect();
    let mut document = json!({ "Events": events });
    if let Some(next) = page.next {
        document["NextToken"] = page_token::seal(call.app, &listing, &next).await?.into();
    }
    Ok(document)
}
