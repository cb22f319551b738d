//! What happened in the registry: pushes, scans, copies, deletions.

use maud::{Markup, html};
use serde_json::Value;
use tonnage_domain::error::Error;
use tonnage_domain::events::search_events::{FoundEvent, KINDS, SearchEvents};
use tonnage_domain::names::RepositoryName;
use tonnage_domain::pages::Page as Items;

use super::super::asked::{Asked, Part};
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use super::{TITLE, tabs, time, time_fields};
use crate::format;

const PAGE: u32 = 50;
const PATH: &str = "activity/events";

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let (from, until) = match (time(asked, "from"), time(asked, "until")) {
        (Ok(from), Ok(until)) => (from, until),
        (Err(error), _) | (_, Err(error)) => {
            let nothing = Ok(Items { items: Vec::new(), next: None });
            let page = page(asked, &nothing, Some(&error));
            return Ok(page.with_status(parts::status_of(&error)).into());
        }
    };
    let search = SearchEvents {
        from,
        until,
        kind: asked.query.optional("kind").map(str::to_owned),
        repository: asked.query.optional("repository").map(str::to_owned),
        page: asked.page(PAGE),
    };
    let events = asked.part(search).await?;
    Ok(page(asked, &events, None).into())
}

pub(crate) fn page(
    asked: &Asked<'_>,
    events: &Part<Items<FoundEvent>>,
    refused: Option<&Error>,
) -> Page {
    let names = ["from", "until", "kind", "repository"];
    let query: Vec<(&str, &str)> = names.map(|name| (name, asked.query.text(name))).to_vec();
    let is_narrow = query.iter().any(|(_, value)| !value.trim().is_empty());
    let content = html! {
        (tabs(asked, PATH))
        (parts::refusal(refused))
        @match events {
            Err(error) => (parts::denied("What happened", error)),
            Ok(events) => {
                (search_form(asked, is_narrow))
                @if refused.is_none() {
                    @if events.items.is_empty() { (nothing(asked, is_narrow, events.next.is_some())) }
                    @else {
                        (parts::table("What happened", &["Time (UTC)", "What", "Repository", "Image", "More"], &html! {
                            @for event in &events.items { (row(asked, event)) }
                        }))
                    }
                    (parts::pages(asked, PATH, &query, events.next.as_deref()))
                }
            }
        }
        (parts::same_with_aws(&[command(asked)]))
    };
    Page::new(TITLE, content)
}

/// The command that finds the same.
fn command(asked: &Asked<'_>) -> String {
    let mut text = format!("tonnage events list --in-region {}", asked.context.region);
    for (name, option) in
        [("kind", "kind"), ("repository", "repository"), ("from", "from"), ("until", "until")]
    {
        let value = asked.query.text(name).trim();
        // Commands have the zone, which a field of a browser has not.
        let zone = if matches!(name, "from" | "until") { "Z" } else { "" };
        if !value.is_empty() {
            text.push_str(&format!(" --{option} {}", parts::shell(&format!("{value}{zone}"))));
        }
    }
    text
}

fn search_form(asked: &Asked<'_>, is_narrow: bool) -> Markup {
    let options: Vec<(&str, &str)> = std::iter::once(("", "Everything")).chain(KINDS).collect();
    html! {
        form.filters action=(asked.path(PATH)) method="get" {
            (parts::select("kind", "What", asked.query.text("kind"), &options))
            (Field { name: "repository", label: "Repository", value: asked.query.text("repository"), ..Field::default() }.render())
            (time_fields(asked))
            button.plain type="submit" { "Search" }
            @if is_narrow { a href=(asked.path(PATH)) { "Show all" } }
        }
    }
}

fn nothing(asked: &Asked<'_>, is_narrow: bool, has_more: bool) -> Markup {
    parts::empty(
        if is_narrow || has_more { "Nothing fits" } else { "Nothing happened yet" },
        &html! {
            @if has_more {
                p { "Among the newest twenty thousand events none fits. The next page looks at those before them." }
            } @else if is_narrow {
                p { "The name of a repository has to be written whole." }
            } @else {
                p { "A push, a scan, a copy to another region, a deletion: each leaves an event. The first push makes one:" }
                (parts::copy(&format!("docker push {}/app:v1", asked.registry())))
            }
        },
    )
}

fn row(asked: &Asked<'_>, event: &FoundEvent) -> Markup {
    let title = KINDS
        .iter()
        .find(|(name, _)| *name == event.kind)
        .map_or(event.kind.as_str(), |(_, title)| title);
    let name = event.text("repository-name").and_then(|name| RepositoryName::parse(name).ok());
    html! {
        tr {
            th scope="row" { (format::moment(event.occurred_at)) }
            td { (title) }
            td {
                @match &name {
                    Some(name) => a href=(asked.repository_path(name, "")) { (name) },
                    None => span.quiet { "–" },
                }
            }
            td { (image(asked, event, name.as_ref())) }
            td {
                details {
                    summary { "Detail" }
                    pre.document tabindex="0" role="group" aria-label="Detail" {
                        (serde_json::to_string_pretty(&Value::Object(event.detail.clone())).unwrap_or_default())
                    }
                }
            }
        }
    }
}

fn image(asked: &Asked<'_>, event: &FoundEvent, name: Option<&RepositoryName>) -> Markup {
    let Some(digest) = event.text("image-digest") else {
        return html! { @match event.text("image-tag") { Some(tag) => (tag), None => span.quiet { "–" } } };
    };
    html! {
        @if let Some(tag) = event.text("image-tag") { (tag) " " }
        @match name {
            Some(name) => a href=(asked.repository_path(name, &format!("images/{digest}"))) { code { (format::short(digest)) } },
            None => code { (format::short(digest)) },
        }
    }
}
