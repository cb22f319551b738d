//! `tonnage events`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::events::Events;
use crate::cli::EventsCommands;

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: EventsCommands) -> Result<ExitCode> {
    let EventsCommands::List { place, registry, kind, repository, from, until, limit } = command;
    let layout = Place::find(&place)?.layout;
    let asked = [
        ("account", registry.account),
        ("region", registry.in_region),
        ("kind", kind),
        ("repository", repository),
        ("from", from),
        ("until", until),
    ];
    let (mut left, mut after) = (limit, None::<String>);
    while left > 0 {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &asked {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(after) = &after {
            query.append_pair("after", after);
        }
        query.append_pair("limit", &left.to_string());
        let path = format!("/events?{}", query.finish());
        let page: Events = call(&layout, Method::GET, &path, None::<&()>).await?;
        for event in &page.events {
            say!("{}  {:<27}  {}", event.occurred_at, event.kind, event.detail);
        }
        left = left.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
