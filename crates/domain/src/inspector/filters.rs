//! Rules over findings: `CreateFilter`, `UpdateFilter`, `DeleteFilter`, `ListFilters`, and their tags.
//!
//! A rule that suppresses may come to an end, which Inspector's have not: the tag
//! `tonnage:expires-at` says when, as a date or a time.
//!
//! Source: botocore `inspector2`, shape `Filter`; service authorization reference, "Amazon Inspector2".

use std::collections::BTreeMap;

use super::criteria::Criteria;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::metadata::Row;
use crate::names::{AccountId, Arn, Partition, Region};
use crate::pages::{Page, PageRequest};
use crate::resource_tags::{self, ResourceTag};
use crate::scanning::review_findings::ReviewFindings;
use crate::{params, registries};

/// Rules of a registry.
pub const FILTERS_MAX: usize = 500;
/// The tag that says when a rule ends.
const EXPIRES_AT: &str = "tonnage:expires-at";
/// Tags of a rule.
const TAGS_MAX: usize = 50;

/// What a rule does (botocore `inspector2`, shape `FilterAction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterAction {
    /// It is only kept.
    None,
    /// Findings that it means do not count.
    Suppress,
}

impl FilterAction {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Suppress => "SUPPRESS",
        }
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Suppress].into_iter().find(|action| action.as_str() == text)
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// 16 hexadecimal digits.
    pub id: String,
    /// Its name, once in the registry.
    pub name: String,
    /// What it does.
    pub action: FilterAction,
    /// What it is for.
    pub description: Option<String>,
    /// Why it is.
    pub reason: Option<String>,
    /// Which findings it means.
    pub criteria: Criteria,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

impl Filter {
    /// Its ARN.
    pub fn arn(&self, account: &AccountId, region: &Region) -> String {
        arn_of(account, region, &self.id)
    }
}

fn arn_of(account: &AccountId, region: &Region, id: &str) -> String {
    let partition = Partition::of(region).as_str();
    format!("arn:{partition}:inspector2:{region}:{account}:owner/{account}/filter/{id}")
}

fn resource(arn: String, account: AccountId) -> Resource {
    Resource::Arn { arn, account }
}

/// The rule that an ARN names, for what is demanded: that of the caller's account and region.
fn named(context: &RequestContext, arn: &str) -> Resource {
    let parsed = Arn::parse(arn).ok();
    let account = parsed.and_then(|arn| AccountId::parse(arn.account()).ok());
    resource(arn.to_owned(), account.unwrap_or(context.account))
}

fn from_row(row: &Row) -> Result<Filter> {
    let action: String = row.get(2)?;
    Ok(Filter {
        id: row.get(0)?,
        name: row.get(1)?,
        action: FilterAction::parse(&action)
            .ok_or_else(|| Error::internal(format!("stored filter action {action}")))?,
        description: row.get(3)?,
        reason: row.get(4)?,
        criteria: Criteria::from_stored(&row.get::<String>(5)?)?,
        tags: serde_json::from_str(&row.get::<String>(6)?).map_err(Error::internal)?,
        created_at: row.get(7)?,
        updated_at: row.get(8)?,
    })
}

/// The rules of a registry that suppress now, by name.
pub(crate) async fn suppressing(tx: &mut Tx, registry_id: i64, now: Millis) -> Result<Vec<Filter>> {
    let rows = tx
        .all(
            "SELECT id, name, action, description, reason, criteria, tags, created_at, updated_at \
             FROM finding_filters WHERE registry_id = $1 AND action = 'SUPPRESS' \
             AND (expires_at IS NULL OR expires_at > $2) ORDER BY name LIMIT $3",
            params![registry_id, now, FILTERS_MAX],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

/// A rule of the caller's registry, by its ARN.
async fn find(tx: &mut Tx, call: &Call<'_>, arn: &str) -> Result<(i64, Filter)> {
    let found = match registries::find_addressed(tx, call).await? {
        Some(registry_id) => {
            let id = arn.rsplit('/').next().unwrap_or_default();
            let row = tx
                .optional(
                    "SELECT id, name, action, description, reason, criteria, tags, created_at, \
                     updated_at FROM finding_filters WHERE registry_id = $1 AND id = $2",
                    params![registry_id, id],
                )
                .await?;
            row.map(|row| from_row(&row)).transpose()?.map(|filter| (registry_id, filter))
        }
        None => None,
    };
    let (account, region) = (&call.context.account, &call.context.region);
    found
        .filter(|(_, filter)| filter.arn(account, region) == arn)
        .ok_or_else(|| Error::new(ErrorKind::NoSuchEntity, format!("There is no filter {arn}.")))
}

fn name_taken(name: &str) -> Error {
    Error::new(
        ErrorKind::EntityAlreadyExists,
        format!("There is a filter named {name} already. Choose another name, or update that one."),
    )
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(Error::invalid_parameter("tags", "Member must have at most 50 entries"));
    }
    resource_tags::validate(&listed(tags))
        .map_err(|error| Error::new(ErrorKind::InvalidParameter, error.message().to_owned()))?;
    expiry(tags).map(|_| ())
}

fn listed(tags: &BTreeMap<String, String>) -> Vec<ResourceTag> {
    tags.iter().map(|(key, value)| ResourceTag { key: key.clone(), value: value.clone() }).collect()
}

/// When a rule ends.
fn expiry(tags: &BTreeMap<String, String>) -> Result<Option<Millis>> {
    let Some(text) = tags.get(EXPIRES_AT) else { return Ok(None) };
    let time = text.parse::<jiff::Timestamp>().or_else(|_| {
        let date = text.parse::<jiff::civil::Date>()?;
        date.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
    });
    time.map(|time| Some(Millis(time.as_millisecond()))).map_err(|_| {
        Error::invalid_parameter(
            "tags",
            format_args!(
                "The tag {EXPIRES_AT} must be a date such as 2026-12-31, which ends as it begins \
                 in UTC, or a time such as 2026-12-31T18:00:00Z"
            ),
        )
    })
}

/// Writes a rule down, and has what was found judged by it.
async fn store(tx: &mut Tx, call: &Call<'_>, registry_id: i64, filter: &Filter) -> Result<()> {
    let expires_at = expiry(&filter.tags)?;
    tx.execute(
        "INSERT INTO finding_filters (id, registry_id, name, action, description, reason, \
             criteria, tags, expires_at, has_expired, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, action = excluded.action, \
             description = excluded.description, reason = excluded.reason, \
             criteria = excluded.criteria, tags = excluded.tags, \
             expires_at = excluded.expires_at, has_expired = 0, updated_at = excluded.updated_at",
        params![
            &filter.id,
            registry_id,
            &filter.name,
            filter.action.as_str(),
            filter.description.as_deref(),
            filter.reason.as_deref(),
            serde_json::to_string(filter.criteria.document()).map_err(Error::internal)?,
            serde_json::to_string(&filter.tags).map_err(Error::internal)?,
            expires_at,
            filter.created_at,
            filter.updated_at,
        ],
    )
    .await?;
    ReviewFindings::enqueue(tx, call.app, call.context.account, registry_id).await
}

async fn is_taken(tx: &mut Tx, registry_id: i64, name: &str, id: &str) -> Result<bool> {
    let row = tx
        .optional(
            "SELECT 1 FROM finding_filters WHERE registry_id = $1 AND name = $2 AND id <> $3",
            params![registry_id, name, id],
        )
        .await?;
    Ok(row.is_some())
}

/// Makes a rule; its ARN. Not idempotent, as in Inspector.
///
/// # Errors
/// [`ErrorKind::EntityAlreadyExists`]; [`ErrorKind::LimitExceeded`]; `InvalidParameter` for tags.
#[derive(Clone, Debug)]
pub struct CreateFilter {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: FilterAction,
    /// What it is for.
    pub description: Option<String>,
    /// Why it is.
    pub reason: Option<String>,
    /// Which findings it means.
    pub criteria: Criteria,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Operation for CreateFilter {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "CreateFilter" };
    type Output = String;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        // Which one it will be nobody knows yet.
        let arn = arn_of(&context.account, &context.region, "*");
        let mut demand = Demand::new("inspector2:CreateFilter", resource(arn, context.account));
        demand.keys.extend(resource_tags::condition_keys(&listed(&self.tags)));
        vec![demand]
    }

    async fn run(self, call: Call<'_>) -> Result<String> {
        check_tags(&self.tags)?;
        let id = hex::encode(random::<8>()?);
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        if is_taken(&mut tx, registry_id, &self.name, &id).await? {
            return call.refuse(tx, name_taken(&self.name)).await;
        }
        let count = tx
            .optional(
                "SELECT COUNT(*) FROM finding_filters WHERE registry_id = $1",
                params![registry_id],
            )
            .await?;
        let count: i64 = count.map_or(Ok(0), |row| row.get(0))?;
        if usize::try_from(count).unwrap_or(usize::MAX) >= FILTERS_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("A registry can have at most {FILTERS_MAX} filters. Delete some first."),
            ));
        }
        let filter = Filter {
            id,
            name: self.name,
            action: self.action,
            description: self.description,
            reason: self.reason,
            criteria: self.criteria,
            tags: self.tags,
            created_at: call.now(),
            updated_at: call.now(),
        };
        store(&mut tx, &call, registry_id, &filter).await?;
        call.commit(tx).await?;
        Ok(filter.arn(&call.context.account, &call.context.region))
    }
}

/// Changes what is given of a rule; its ARN.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`]; [`ErrorKind::EntityAlreadyExists`] when another has the new name.
#[derive(Clone, Debug)]
pub struct UpdateFilter {
    /// Which one.
    pub arn: String,
    /// Its name from now on.
    pub name: Option<String>,
    /// What it does from now on.
    pub action: Option<FilterAction>,
    /// What it is for.
    pub description: Option<String>,
    /// Why it is.
    pub reason: Option<String>,
    /// Which findings it means from now on.
    pub criteria: Option<Criteria>,
}

impl Operation for UpdateFilter {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "UpdateFilter" };
    type Output = String;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:UpdateFilter", named(context, &self.arn))]
    }

    async fn run(self, call: Call<'_>) -> Result<String> {
        let mut tx = call.write().await?;
        let (registry_id, mut filter) = find(&mut tx, &call, &self.arn).await?;
        if let Some(name) = self.name {
            if is_taken(&mut tx, registry_id, &name, &filter.id).await? {
                return call.refuse(tx, name_taken(&name)).await;
            }
            filter.name = name;
        }
        filter.action = self.action.unwrap_or(filter.action);
        filter.description = self.description.or(filter.description);
        filter.reason = self.reason.or(filter.reason);
        filter.criteria = self.criteria.unwrap_or(filter.criteria);
        filter.updated_at = call.now();
        store(&mut tx, &call, registry_id, &filter).await?;
        call.commit(tx).await?;
        Ok(self.arn)
    }
}

/// Deletes a rule; what it suppressed counts again. Its ARN.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct DeleteFilter {
    /// Which one.
    pub arn: String,
}

impl Operation for DeleteFilter {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "DeleteFilter" };
    type Output = String;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:DeleteFilter", named(context, &self.arn))]
    }

    async fn run(self, call: Call<'_>) -> Result<String> {
        let mut tx = call.write().await?;
        let (registry_id, filter) = find(&mut tx, &call, &self.arn).await?;
        tx.execute("DELETE FROM finding_filters WHERE id = $1", params![&filter.id]).await?;
        ReviewFindings::enqueue(&mut tx, call.app, call.context.account, registry_id).await?;
        call.commit(tx).await?;
        Ok(self.arn)
    }
}

/// Lists the rules of the registry by name.
#[derive(Clone, Debug)]
pub struct ListFilters {
    /// Only these; all where none is named.
    pub arns: Vec<String>,
    /// Only those that do this.
    pub action: Option<FilterAction>,
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListFilters {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "ListFilters" };
    type Output = Page<Filter>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:ListFilters", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Filter>> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let rows = tx
            .all(
                "SELECT id, name, action, description, reason, criteria, tags, created_at, \
                 updated_at FROM finding_filters WHERE registry_id = $1 ORDER BY name LIMIT $2",
                params![registry_id, FILTERS_MAX],
            )
            .await?;
        let (account, region) = (&call.context.account, &call.context.region);
        let filters = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        let wanted = filters
            .into_iter()
            .filter(|filter| self.action.is_none_or(|action| action == filter.action))
            .filter(|filter| {
                self.arns.is_empty() || self.arns.contains(&filter.arn(account, region))
            })
            .collect();
        Ok(self.page.cut_all(wanted, |filter| filter.name.clone()))
    }
}

/// Adds tags to a rule.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`]; `InvalidParameter` for tags that AWS refuses.
#[derive(Clone, Debug)]
pub struct TagFilter {
    /// Which one.
    pub arn: String,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

impl Operation for TagFilter {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "TagResource" };
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let mut demand = Demand::new("inspector2:TagResource", named(context, &self.arn));
        demand.keys.extend(resource_tags::condition_keys(&listed(&self.tags)));
        vec![demand]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let (registry_id, mut filter) = find(&mut tx, &call, &self.arn).await?;
        filter.tags.extend(self.tags);
        check_tags(&filter.tags)?;
        store(&mut tx, &call, registry_id, &filter).await?;
        call.commit(tx).await
    }
}

/// Takes tags from a rule. Idempotent.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct UntagFilter {
    /// Which one.
    pub arn: String,
    /// Keys of the tags.
    pub keys: Vec<String>,
}

impl Operation for UntagFilter {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "UntagResource" };
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let demand = Demand::new("inspector2:UntagResource", named(context, &self.arn));
        vec![demand.with_key("aws:TagKeys", self.keys.clone())]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let (registry_id, mut filter) = find(&mut tx, &call, &self.arn).await?;
        filter.tags.retain(|key, _| !self.keys.contains(key));
        store(&mut tx, &call, registry_id, &filter).await?;
        call.commit(tx).await
    }
}

/// The tags of a rule.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct ListFilterTags {
    /// Which one.
    pub arn: String,
}

impl Operation for ListFilterTags {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "ListTagsForResource" };
    type Output = BTreeMap<String, String>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:ListTagsForResource", named(context, &self.arn))]
    }

    async fn run(self, call: Call<'_>) -> Result<BTreeMap<String, String>> {
        let mut tx = call.read().await?;
        Ok(find(&mut tx, &call, &self.arn).await?.1.tags)
    }
}
