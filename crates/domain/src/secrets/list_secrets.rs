//! `ListSecrets`.

use std::collections::BTreeMap;

use super::filter::Filter;
use super::rows::{secret_from, select_secrets};
use super::{Secret, StagedSecret};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::metadata::Value;
use crate::pages::{Page, PageRequest};
use crate::params;

/// Secrets read at a time.
const BATCH: usize = 200;
/// Secrets looked at for one page; a page may hold fewer than asked for, even none, and go on.
const LOOKED_AT_MAX: usize = 2_000;

/// The order of a listing; secrets that are equal in it are in the order they were made in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When they were made.
    #[default]
    Created,
    /// The day on which they were last read.
    Accessed,
    /// When they changed last.
    Changed,
    /// Their names.
    Name,
}

impl SortBy {
    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created-date",
            Self::Accessed => "last-accessed-date",
            Self::Changed => "last-changed-date",
            Self::Name => "name",
        }
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Created, Self::Accessed, Self::Changed, Self::Name];
        all.into_iter().find(|sort| sort.as_str() == text)
    }
}

/// Lists the secrets of the caller's account and region, without their values.
///
/// # Errors
/// `InvalidParameter` for a place to go on from that this order has not.
#[derive(Clone, Debug)]
pub struct ListSecrets {
    /// Also those whose deletion is scheduled.
    pub include_deleted: bool,
    /// Every filter that they must pass.
    pub filters: Vec<Filter>,
    /// The order.
    pub sort_by: SortBy,
    /// The greatest first.
    pub descending: bool,
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListSecrets {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "ListSecrets" };
    type Output = Page<StagedSecret>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("secretsmanager:ListSecrets", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<StagedSecret>> {
        let limit = usize::try_from(self.page.limit).unwrap_or(usize::MAX);
        let mut place = match &self.page.after {
            Some(text) => Place::parse(text, self.sort_by).ok_or_else(|| {
                Error::new(ErrorKind::InvalidParameter, "The page is not one of this order.")
            })?,
            None => Place::first(self.sort_by, self.descending),
        };
        let mut tx = call.read().await?;
        let (mut items, mut looked_at) = (Vec::new(), 0);
        let next = 'pages: loop {
            let batch = self.batch(&mut tx, &call, &place).await?;
            let is_last = batch.len() < BATCH;
            for secret in batch {
                let next = Place::of(&secret, self.sort_by);
                looked_at += 1;
                if self.filters.iter().all(|filter| filter.fits(&secret, &call.context.region)) {
                    if items.len() == limit {
                        break 'pages Some(place.print());
                    }
                    items.push(secret);
                }
                place = next;
            }
            if is_last {
                break None;
            }
            if looked_at >= LOOKED_AT_MAX {
                break Some(place.print());
            }
        };
        Ok(Page { items: with_stages(&mut tx, items).await?, next })
    }
}

macro_rules! batch {
    ($column:literal, $than:literal, $order:literal) => {
        select_secrets!(
            "WHERE account_id = $1 AND region = $2 AND (purge_at IS NULL OR purge_at > $3) AND (",
            $column,
            $than,
            "$4 OR (",
            $column,
            " = $4 AND id",
            $than,
            "$5)) ORDER BY ",
            $column,
            $order,
            ", id",
            $order,
            " LIMIT $6"
        )
    };
}

impl ListSecrets {
    async fn batch(&self, tx: &mut Tx, call: &Call<'_>, place: &Place) -> Result<Vec<Secret>> {
        let sql = match (self.sort_by, self.descending) {
            (SortBy::Created, false) => batch!("created_at", " > ", " ASC"),
            (SortBy::Created, true) => batch!("created_at", " < ", " DESC"),
            (SortBy::Accessed, false) => batch!("accessed_at", " > ", " ASC"),
            (SortBy::Accessed, true) => batch!("accessed_at", " < ", " DESC"),
            (SortBy::Changed, false) => batch!("changed_at", " > ", " ASC"),
            (SortBy::Changed, true) => batch!("changed_at", " < ", " DESC"),
            (SortBy::Name, false) => batch!("name", " > ", " ASC"),
            (SortBy::Name, true) => batch!("name", " < ", " DESC"),
        };
        let deleted_after = if self.include_deleted { call.now().0 } else { i64::MAX };
        let rows = tx
            .all(
                sql,
                params![
                    call.context.account.as_str(),
                    call.context.region.as_str(),
                    deleted_after,
                    place.key.clone(),
                    place.id,
                    BATCH,
                ],
            )
            .await?;
        rows.iter().map(secret_from).collect()
    }
}

/// Where a listing goes on: after this secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    key: Value,
    id: i64,
}

impl Place {
    /// Before every secret. `~` follows every character that a name may have.
    fn first(sort_by: SortBy, descending: bool) -> Self {
        let id = if descending { i64::MAX } else { i64::MIN };
        let key = match (sort_by, descending) {
            (SortBy::Name, false) => Value::from(""),
            (SortBy::Name, true) => Value::from("~"),
            _ => Value::Int(id),
        };
        Self { key, id }
    }

    fn of(secret: &Secret, sort_by: SortBy) -> Self {
        let key = match sort_by {
            SortBy::Created => Value::from(secret.created_at),
            SortBy::Accessed => Value::Int(secret.accessed_at.map_or(0, |at| at.0)),
            SortBy::Changed => Value::from(secret.changed_at),
            SortBy::Name => Value::from(&secret.name),
        };
        Self { key, id: secret.id }
    }

    fn print(&self) -> String {
        match &self.key {
            Value::Text(name) => format!("{} {name}", self.id),
            Value::Int(number) => format!("{} {number}", self.id),
            Value::Null | Value::Bytes(_) | Value::List(_) => self.id.to_string(),
        }
    }

    fn parse(text: &str, sort_by: SortBy) -> Option<Self> {
        let (id, key) = text.split_once(' ')?;
        let key = match sort_by {
            SortBy::Name => Value::from(key),
            _ => Value::Int(key.parse().ok()?),
        };
        Some(Self { key, id: id.parse().ok()? })
    }
}

async fn with_stages(tx: &mut Tx, secrets: Vec<Secret>) -> Result<Vec<StagedSecret>> {
    let arns = secrets.iter().map(|secret| secret.arn.as_str());
    let rows = tx
        .all(
            "SELECT secret_stages.secret_id, secret_stages.version_id, secret_stages.stage \
             FROM secrets JOIN secret_stages ON secret_stages.secret_id = secrets.id \
             WHERE secrets.arn IN_LIST($1) ORDER BY secret_stages.secret_id, secret_stages.stage",
            &[Value::list(arns)],
        )
        .await?;
    let mut stages: BTreeMap<i64, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for row in &rows {
        let of = stages.entry(row.get(0)?).or_default();
        of.entry(row.get(1)?).or_default().push(row.get(2)?);
    }
    let staged = secrets.into_iter().map(|secret| {
        let stages = stages.remove(&secret.id).unwrap_or_default();
        StagedSecret { secret, stages }
    });
    Ok(staged.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_read_as_they_are_printed(name in "[A-Za-z0-9/_+=.@-]{1,40}", id: i64, at: i64) {
            for (sort_by, key) in
                [(SortBy::Name, Value::from(name.as_str())), (SortBy::Created, Value::Int(at))]
            {
                let place = Place { key, id };
                prop_assert_eq!(Place::parse(&place.print(), sort_by), Some(place));
            }
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = Place::parse(&text, SortBy::Name);
            let _ = Place::parse(&text, SortBy::Changed);
        }
    }
}
