//! What the socket answers about events.

use form_urlencoded::parse;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::error::Error;
use tonnage_domain::events::search_events::SearchEvents;
use tonnage_domain::execute::execute;
use tonnage_domain::pages::PageRequest;

use super::server::{Admin, Answer, json, malformed};

/// Events of one answer.
const PAGE: u32 = 100;

/// What `GET /events` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Events {
    /// Newest first.
    pub(crate) events: Vec<Event>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

/// What happened.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    /// When.
    pub(crate) occurred_at: String,
    /// What.
    pub(crate) kind: String,
    /// The detail, as a text of JSON.
    pub(crate) detail: String,
}

impl Admin {
    pub(super) async fn list_events(&self, query: &str) -> Result<Answer, Error> {
        let value = |key: &str| {
            let mut pairs = parse(query.as_bytes());
            pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
        };
        let time = |key: &str| {
            let read = |text: String| {
                let time = text
                    .parse::<Timestamp>()
                    .map_err(|error| malformed("times as 2026-01-31T18:00:00Z").caused_by(error))?;
                Ok::<_, Error>(Millis(time.as_millisecond()))
            };
            value(key).map(read).transpose()
        };
        let limit = match value("limit") {
            Some(text) => text.parse::<u32>().map_err(|_| malformed("a number of events"))?,
            None => PAGE,
        };
        let (account, region) = (value("account"), value("region"));
        let context = self.context_in(account.as_deref(), region.as_deref()).await?;
        let operation = SearchEvents {
            from: time("from")?,
            until: time("until")?,
            kind: value("kind"),
            repository: value("repository"),
            page: PageRequest { after: value("after"), limit: limit.clamp(1, PAGE) },
        };
        let page = execute(&self.app, &context, operation).await?;
        let events = page.items.into_iter().map(|event| Event {
            occurred_at: event.occurred_at.timestamp().to_string(),
            kind: event.kind,
            detail: serde_json::Value::Object(event.detail).to_string(),
        });
        Ok(json(StatusCode::OK, &Events { events: events.collect(), next: page.next }))
    }
}
