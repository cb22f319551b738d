//! `LookupEvents`: what was done in an account, and what was not allowed, newest first.

use super::record::{AccessRecord, columns, name_in};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::names::Region;
use crate::pages::{Page, PageRequest};
use crate::params;

/// Rows that are read together.
const ROWS: usize = 500;
/// Rows that one request looks at; the next page goes on from there.
const EXAMINED_MAX: usize = 20_000;
/// A page has at most so many records.
pub const PAGE_MAX: u32 = 50;
/// Where global services are, and so what is done in them.
const GLOBAL_REGION: &str = "us-east-1";

/// What of a record must be equal to a text (botocore `cloudtrail`, shape `LookupAttributeKey`, and
/// one of ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `EventId`
    EventId,
    /// `EventName`, also with its service: `ecr:PutImage`.
    EventName,
    /// `ReadOnly`: `true` or `false`.
    ReadOnly,
    /// `Username`
    UserName,
    /// `ResourceType`
    ResourceType,
    /// `ResourceName`: an ARN, or the name in one.
    ResourceName,
    /// `EventSource`
    EventSource,
    /// `AccessKeyId`
    AccessKeyId,
    /// Somebody by user name, access key id or ARN; CloudTrail has no such attribute.
    Principal,
}

impl Attribute {
    /// By CloudTrail's names.
    pub const ALL: [(&'static str, Self); 8] = [
        ("EventId", Self::EventId),
        ("EventName", Self::EventName),
        ("ReadOnly", Self::ReadOnly),
        ("Username", Self::UserName),
        ("ResourceType", Self::ResourceType),
        ("ResourceName", Self::ResourceName),
        ("EventSource", Self::EventSource),
        ("AccessKeyId", Self::AccessKeyId),
    ];

    fn is(self, record: &AccessRecord, text: &str) -> bool {
        let has_key = record.access_key_id.as_deref() == Some(text);
        match self {
            Self::EventId => AccessRecord::id_of(text) == Some(record.id),
            Self::EventName => match text.split_once(':') {
                Some((service, name)) => record.service == service && record.operation == name,
                None => record.operation == text,
            },
            Self::ReadOnly => text == if record.is_read_only() { "true" } else { "false" },
            Self::UserName => record.user_name() == text,
            Self::ResourceType => record.named_resources().any(|(kind, _)| kind == text),
            Self::ResourceName => {
                record.resources.iter().any(|arn| arn == text || name_in(arn) == text)
            }
            Self::EventSource => record.source() == text,
            Self::AccessKeyId => has_key,
            Self::Principal => {
                has_key || record.user_name() == text || record.principal_arn == text
            }
        }
    }
}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Not before.
    pub from: Option<Millis>,
    /// Not after.
    pub until: Option<Millis>,
    /// What must be equal, all of it.
    pub attributes: Vec<(Attribute, String)>,
    /// Only what was denied, or only what was done.
    pub denied: Option<bool>,
}

impl Criteria {
    fn mean(&self, record: &AccessRecord) -> bool {
        self.denied.is_none_or(|denied| denied == record.denial.is_some())
            && self.attributes.iter().all(|(attribute, text)| attribute.is(record, text))
    }
}

/// Finds records of the account and region that a request addresses. A page may have fewer than were
/// asked for, or none, and still have one after it: each request looks at so many records at most.
///
/// # Errors
/// [`crate::error::ErrorKind::InvalidParameter`] for a token that is none.
#[derive(Clone, Debug)]
pub struct LookupEvents {
    /// Which ones.
    pub criteria: Criteria,
    /// Which page; at most [`PAGE_MAX`].
    pub page: PageRequest,
}

impl Operation for LookupEvents {
    const ENTRY: Entry = Entry { service: Service::CloudTrail, name: "LookupEvents" };
    type Output = Page<AccessRecord>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("cloudtrail:LookupEvents", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<AccessRecord>> {
        let limit = usize::try_from(self.page.limit.clamp(1, PAGE_MAX)).unwrap_or(1);
        let region = call.context.region.as_str();
        let global = Region::global();
        let is_there = |record: &AccessRecord| {
            record.region == region || (region == GLOBAL_REGION && record.region == global.as_str())
        };
        let mut before = match self.page.after.as_deref() {
            Some(after) => Before::parse(after)?,
            None => {
                Before { at: self.criteria.until.map_or(i64::MAX, |until| until.0), id: i64::MAX }
            }
        };
        let mut tx = call.read().await?;
        let (mut items, mut examined) = (Vec::new(), 0);
        loop {
            let rows = read(&mut tx, &call, &self.criteria, before).await?;
            let is_last = rows.len() < ROWS;
            for record in rows {
                examined += 1;
                before = Before { at: record.occurred_at.0, id: record.id };
                if is_there(&record) && self.criteria.mean(&record) {
                    items.push(record);
                    if items.len() == limit {
                        return Ok(Page { items, next: Some(before.text()) });
                    }
                }
            }
            if is_last {
                return Ok(Page { items, next: None });
            }
            if examined >= EXAMINED_MAX {
                return Ok(Page { items, next: Some(before.text()) });
            }
        }
    }
}

/// Where a page begins: the record after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Before {
    at: i64,
    id: i64,
}

impl Before {
    fn parse(text: &str) -> Result<Self> {
        let parts =
            text.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
        let (at, id) = parts.ok_or_else(|| Error::invalid_parameter("after", "Invalid token"))?;
        Ok(Self { at, id })
    }

    fn text(self) -> String {
        format!("{}.{}", self.at, self.id)
    }
}

async fn read(
    tx: &mut Tx,
    call: &Call<'_>,
    criteria: &Criteria,
    before: Before,
) -> Result<Vec<AccessRecord>> {
    // One event is asked for by its key.
    let one = criteria.attributes.iter().find(|(attribute, _)| *attribute == Attribute::EventId);
    let rows = match one {
        Some((_, event_id)) => {
            tx.all(
                columns!(
                    "WHERE id = $1 AND account_id = $2 AND occurred_at >= $3 \
                     AND (occurred_at < $4 OR (occurred_at = $4 AND id < $5))"
                ),
                params![
                    AccessRecord::id_of(event_id).unwrap_or(-1),
                    call.context.account.as_str(),
                    criteria.from.map_or(0, |from| from.0),
                    before.at,
                    before.id
                ],
            )
            .await?
        }
        None => {
            tx.all(
                columns!(
                    "WHERE account_id = $1 AND occurred_at >= $2 AND occurred_at <= $3 \
                     AND (occurred_at < $3 OR id < $4) \
                     ORDER BY occurred_at DESC, id DESC LIMIT $5"
                ),
                params![
                    call.context.account.as_str(),
                    criteria.from.map_or(0, |from| from.0),
                    before.at,
                    before.id,
                    i64::try_from(ROWS).unwrap_or(i64::MAX)
                ],
            )
            .await?
        }
    };
    rows.iter().map(AccessRecord::from_row).collect()
}
