//! What was done in the account and what was denied, and what happened in the registry.

pub(crate) mod events;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde_json::Value;
use tonnage_domain::audit::lookup_events::{Attribute, Criteria, LookupEvents};
use tonnage_domain::audit::record::{AccessRecord, HIDDEN};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::pages::{Page as Items, PageRequest};

use super::asked::{Asked, Part};
use super::parts::{self, Field};
use super::reply::{Page, Reply};
use crate::format;

const PAGE: u32 = 50;
const OUTCOMES: [(&str, &str); 3] =
    [("", "Done or denied"), ("done", "Done"), ("denied", "Denied")];
const TITLE: &str = "Events and audit";

/// The names of fields, and what of a record they are equal to.
const FIELDS: [(&str, Attribute); 3] = [
    ("who", Attribute::Principal),
    ("action", Attribute::EventName),
    ("resource", Attribute::ResourceName),
];

/// A time as a browser's field has it, in UTC; nothing for nothing.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when it is none.
fn time(asked: &Asked<'_>, name: &str) -> Result<Option<Millis>, Error> {
    let Some(text) = asked.query.optional(name) else { return Ok(None) };
    let zoned = text.parse::<DateTime>().ok().and_then(|it| it.to_zoned(TimeZone::UTC).ok());
    let zoned = zoned.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidParameter,
            format!("{text} is no time. Write one as 2026-01-31T18:00, in UTC."),
        )
    })?;
    Ok(Some(Millis(zoned.timestamp().as_millisecond())))
}

/// The fields of a span of time.
fn time_fields(asked: &Asked<'_>) -> Markup {
    html! {
        (Field { name: "from", label: "From (UTC)", value: asked.query.text("from"), kind: "datetime-local", ..Field::default() }.render())
        (Field { name: "until", label: "Until (UTC)", value: asked.query.text("until"), kind: "datetime-local", ..Field::default() }.render())
    }
}

fn tabs(asked: &Asked<'_>, current: &str) -> Markup {
    html! {
        nav.tabs aria-label="Kind of record" {
            @for (path, title) in [("activity", "Who did what"), ("activity/events", "What happened")] {
                @if path == current { a href=(asked.path(path)) aria-current="page" { (title) } }
                @else { a href=(asked.path(path)) { (title) } }
            }
        }
    }
}

fn criteria(asked: &Asked<'_>) -> Result<Criteria, Error> {
    let attributes = FIELDS
        .into_iter()
        .filter_map(|(name, attribute)| Some((attribute, asked.query.optional(name)?.to_owned())));
    Ok(Criteria {
        from: time(asked, "from")?,
        until: time(asked, "until")?,
        attributes: attributes.collect(),
        denied: match asked.query.text("outcome") {
            "denied" => Some(true),
            "done" => Some(false),
            _ => None,
        },
    })
}

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let criteria = match criteria(asked) {
        Ok(criteria) => criteria,
        Err(error) => {
            let nothing = Ok(Items { items: Vec::new(), next: None });
            let page = list_page(asked, &nothing, Some(&error));
            return Ok(page.with_status(parts::status_of(&error)).into());
        }
    };
    let records = asked.part(LookupEvents { criteria, page: asked.page(PAGE) }).await?;
    Ok(list_page(asked, &records, None).into())
}

pub(crate) fn list_page(
    asked: &Asked<'_>,
    records: &Part<Items<AccessRecord>>,
    refused: Option<&Error>,
) -> Page {
    let names = ["from", "until", "who", "action", "resource", "outcome"];
    let query: Vec<(&str, &str)> = names.map(|name| (name, asked.query.text(name))).to_vec();
    let is_narrow = query.iter().any(|(_, value)| !value.trim().is_empty());
    let content = html! {
        (tabs(asked, "activity"))
        (parts::refusal(refused))
        @match records {
            Err(error) => (parts::denied("What was done", error)),
            Ok(records) => {
                (search_form(asked, is_narrow))
                @if refused.is_none() {
                    @if records.items.is_empty() { (nothing(asked, is_narrow, records.next.is_some())) }
                    @else {
                        (parts::table("What was done", &["Time (UTC)", "Who", "Action", "On", "From", "Outcome"], &html! {
                            @for record in &records.items { (row(asked, record)) }
                        }))
                    }
                    (parts::pages(asked, "activity", &query, records.next.as_deref()))
                }
            }
        }
        (parts::same_with_aws(&[command(asked)]))
    };
    Page::new(TITLE, content)
}

fn search_form(asked: &Asked<'_>, is_narrow: bool) -> Markup {
    let field = |name, label| {
        Field { name, label, value: asked.query.text(name), ..Field::default() }.render()
    };
    html! {
        form.filters action=(asked.path("activity")) method="get" {
            (field("who", "Who: a user, key or ARN"))
            (field("action", "Action, as PutImage"))
            (field("resource", "Repository or ARN"))
            (time_fields(asked))
            (parts::select("outcome", "Outcome", asked.query.text("outcome"), &OUTCOMES))
            button.plain type="submit" { "Search" }
            @if is_narrow { a href=(asked.path("activity")) { "Show all" } }
        }
    }
}

fn nothing(asked: &Asked<'_>, is_narrow: bool, has_more: bool) -> Markup {
    parts::empty(
        if is_narrow { "Nothing fits" } else { "Nothing was done yet" },
        &html! {
            @if has_more {
                p { "Among the newest twenty thousand records none fits. The next page looks at those before them." }
            } @else if is_narrow {
                p { "A name has to be written as it is: the whole name of a user, an action or a repository." }
            } @else {
                p { "Every change in " (asked.context.region) " is here for 90 days, with who made it, from where and with which key. So is what somebody was not allowed to do. Reading leaves no record." }
            }
        },
    )
}

fn row(asked: &Asked<'_>, record: &AccessRecord) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(asked.path(&format!("activity/{}", record.event_id()))) { (format::moment(record.occurred_at)) } }
            td.who-did {
                @let who = record.user_name();
                @let who = if who == HIDDEN { "a name that nobody has" } else { who };
                a href=(asked.path_with("activity", &[("who", &record.principal_arn)])) title=(record.principal_arn) { (who) }
            }
            td { code { (record.service) ":" (record.operation) } }
            td.wrap { (resources(asked, record)) }
            td { (record.source_address) }
            td { (outcome(record)) }
        }
    }
}

/// What CloudTrail calls `signin.amazonaws.com`: what is not done there failed, and no policy said so.
const SIGN_IN: &str = "signin";

fn outcome(record: &AccessRecord) -> Markup {
    match record.denial {
        Some(_) if record.service == SIGN_IN => parts::badge("bad", "failed"),
        Some(_) => parts::badge("bad", "denied"),
        None => parts::badge("good", "done"),
    }
}

/// What is acted upon: its name where it has one.
fn resources(asked: &Asked<'_>, record: &AccessRecord) -> Markup {
    let named: Vec<(&str, &str)> = record.named_resources().collect();
    html! {
        @match named.as_slice() {
            [] => span.quiet { "–" },
            [(_, arn), rest @ ..] => {
                @let name = arn.splitn(6, ':').nth(5).unwrap_or(arn);
                a href=(asked.path_with("activity", &[("resource", arn)])) title=(arn) { (name) }
                @if !rest.is_empty() { " " span.quiet { "and " (rest.len()) " more" } }
            }
        }
    }
}

/// A command that finds the same; CloudTrail knows one attribute at a time.
fn command(asked: &Asked<'_>) -> String {
    let text = |name: &str| asked.query.text(name).trim();
    let attribute = |key: &str, value: &str| format!("AttributeKey={key},AttributeValue={value}");
    let looks_like_key = text("who").starts_with("AKIA") || text("who").starts_with("ASIA");
    let action = text("action");
    let action = action.split_once(':').map_or(action, |(_, name)| name);
    let found = match (text("who"), action, text("resource")) {
        ("", "", "") => attribute("EventName", "PutImage"),
        ("", "", resource) => attribute("ResourceName", resource),
        ("", action, _) => attribute("EventName", action),
        (who, ..) if looks_like_key => attribute("AccessKeyId", who),
        (who, ..) => attribute("Username", who.rsplit('/').next().unwrap_or(who)),
    };
    let mut arguments = vec![("lookup-attributes", found.as_str())];
    for (name, option) in [("from", "start-time"), ("until", "end-time")] {
        if !text(name).is_empty() {
            arguments.push((option, text(name)));
        }
    }
    parts::aws(asked, "cloudtrail lookup-events", &arguments)
}

/// A part of a record as JSON.
fn document(id: &str, title: &str, part: Option<&Value>) -> Markup {
    html! {
        @if let Some(part) = part {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) }
                pre.document tabindex="0" role="group" aria-label=(title) { (format!("{part:#}")) }
            }
        }
    }
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let event_id = asked.parameter("id").to_owned();
    let attributes = vec![(Attribute::EventId, event_id)];
    let criteria = Criteria { attributes, ..Criteria::default() };
    let page = PageRequest { after: None, limit: 1 };
    let found = asked.run(LookupEvents { criteria, page }).await?;
    Ok(found.items.first().map_or(Reply::Missing, |record| page_of(asked, record).into()))
}

pub(crate) fn page_of(asked: &Asked<'_>, record: &AccessRecord) -> Page {
    let event_id = record.event_id();
    let found = format!("AttributeKey=EventId,AttributeValue={event_id}");
    let key = record.access_key_id.as_deref();
    let content = html! {
        (parts::facts(&[
            ("Outcome", outcome(record)),
            ("Time", html! { (format::moment(record.occurred_at)) " UTC" }),
            ("Who", html! { code { (record.principal_arn) } }),
            ("Access key", html! {
                @match key {
                    Some(key) => { code { (key) } " " a href=(asked.path_with("activity", &[("who", key)])) { "What else it did" } },
                    None => span.quiet { "none" },
                }
            }),
            ("On", html! {
                @if record.resources.iter().all(|arn| arn == "*") { span.quiet { "the account" } }
                @for arn in record.resources.iter().filter(|arn| *arn != "*") { div { code { (arn) } } }
            }),
            ("From", html! { (record.source_address) }),
            ("Client", html! { @if record.user_agent.is_empty() { span.quiet { "did not say" } } @else { (record.user_agent) } }),
            ("Request", html! { code { (record.request_id) } }),
            ("Event", html! { code { (event_id) } }),
        ]))
        @if let Some(denial) = &record.denial {
            section aria-labelledby="why" {
                @let why = if record.service == SIGN_IN { "Why it failed" } else { "Why it was denied" };
                h2 #why { (why) }
                pre.document tabindex="0" role="group" aria-label=(why) { (denial) }
                @if record.service != SIGN_IN {
                    p.quiet { "The " a href=(asked.path("simulator")) { "simulator" } " says which policy would decide, and whoever administers the account can allow it." }
                }
            }
        }
        @let details = &record.details;
        (document("parameters", "What was asked for", details.request_parameters.as_ref()))
        (document("response", "What came of it", details.response_elements.as_ref()))
        (document("additional", "And more", details.additional_event_data.as_ref()))
        (parts::same_with_aws(&[parts::aws(asked, "cloudtrail lookup-events", &[("lookup-attributes", &found)])]))
    };
    Page::new(format!("{}:{}", record.service, record.operation), content)
        .under(TITLE, asked.path("activity"))
}
