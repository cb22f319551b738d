//! `SearchEvents`: what happened in a registry, newest first.

use serde_json::{Map, Value};

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::registries;

/// Rows that are read together.
const ROWS: usize = 500;
/// Rows that one request looks at; the next page goes on from there.
const EXAMINED_MAX: usize = 20_000;
/// A page has at most so many events.
const PAGE_MAX: u32 = 100;

/// Every kind of event, by name, and what people call it.
pub const KINDS: [(&str, &str); 11] = [
    ("enhanced-scan-completed", "Enhanced scan completed"),
    ("finding-changed", "Finding changed"),
    ("image-deleted", "Image deleted"),
    ("image-pushed", "Image pushed"),
    ("image-replicated", "Image replicated"),
    ("image-scanned", "Image scanned"),
    ("image-storage-class-updated", "Storage class updated"),
    ("pulled-through", "Pulled through the cache"),
    ("repository-created", "Repository created"),
    ("repository-deleted", "Repository deleted"),
    ("repository-renamed", "Repository renamed"),
];

/// Finds events of the registry that a request addresses. A page may have fewer than were asked for,
/// or none, and still have one after it: each request looks at so many events at most.
///
/// # Errors
/// [`crate::error::ErrorKind::InvalidParameter`] for a token that is none.
#[derive(Clone, Debug)]
pub struct SearchEvents {
    /// Not before.
    pub from: Option<Millis>,
    /// Not after.
    pub until: Option<Millis>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only of this repository.
    pub repository: Option<String>,
    /// Which page; at most 100.
    pub page: PageRequest,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundEvent {
    /// Its row.
    pub id: i64,
    /// When.
    pub occurred_at: Millis,
    /// What, by its name in [`KINDS`].
    pub kind: String,
    /// The `detail` that ECR's EventBridge events have.
    pub detail: Map<String, Value>,
}

impl FoundEvent {
    /// A text of the detail.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.detail.get(name).and_then(Value::as_str)
    }
}

impl Operation for SearchEvents {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SearchEvents" };
    type Output = Page<FoundEvent>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:SearchEvents", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<FoundEvent>> {
        let limit = usize::try_from(self.page.limit.clamp(1, PAGE_MAX)).unwrap_or(1);
        let (mut at, mut id) = match self.page.after.as_deref() {
            Some(after) => begin(after)?,
            None => (self.until.map_or(i64::MAX, |until| until.0), i64::MAX),
        };
        let mut tx = call.read().await?;
        let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let (mut items, mut examined) = (Vec::new(), 0);
        loop {
            let rows = tx
                .all(
                    "SELECT id, occurred_at, kind, payload FROM outbox WHERE registry_id = $1 \
                     AND occurred_at >= $2 AND occurred_at <= $3 \
                     AND (occurred_at < $3 OR id < $4) \
                     ORDER BY occurred_at DESC, id DESC LIMIT $5",
                    params![
                        registry_id,
                        self.from.map_or(0, |from| from.0),
                        at,
                        id,
                        i64::try_from(ROWS).unwrap_or(i64::MAX)
                    ],
                )
                .await?;
            for row in &rows {
                examined += 1;
                (id, at) = (row.get(0)?, row.get(1)?);
                let kind: String = row.get(2)?;
                if self.kind.as_ref().is_some_and(|wanted| *wanted != kind) {
                    continue;
                }
                let mut detail: Map<String, Value> =
                    serde_json::from_str(&row.get::<String>(3)?).map_err(Error::internal)?;
                detail.remove("kind");
                let event = FoundEvent { id, occurred_at: Millis(at), kind, detail };
                let is_of = |wanted: &str| {
                    event.text("repository-name") == Some(wanted)
                        || event.text("previous-repository-name") == Some(wanted)
                };
                if !self.repository.as_deref().is_none_or(is_of) {
                    continue;
                }
                items.push(event);
                if items.len() == limit {
                    return Ok(Page { items, next: Some(format!("{at}.{id}")) });
                }
            }
            if rows.len() < ROWS {
                return Ok(Page { items, next: None });
            }
            if examined >= EXAMINED_MAX {
                return Ok(Page { items, next: Some(format!("{at}.{id}")) });
            }
        }
    }
}

/// Where a page begins: the event after this one.
fn begin(after: &str) -> Result<(i64, i64)> {
    let parts =
        after.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| Error::invalid_parameter("after", "Invalid token"))
}
