//! Search. A word finds every repository that has a word beginning with it; several words find what
//! all of them find.
//!
//! Where one of the words or filters is rare, the repositories that it finds are all compared;
//! where none is, repositories are looked at in the order of the result until the page is full,
//! which comes soon because most of them fit. Neither way reads a row for each repository there is.

use super::listings::{Listing, load_all};
use super::{Architecture, OperatingSystem, browse, words};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::metadata::Value;
use crate::params;

/// Words of a query that are looked for; the first ones.
pub const WORDS_MAX: usize = 5;
/// Repositories of a page at most.
pub const PAGE_MAX: u32 = 1000;
/// How far a result can be turned over.
pub const OFFSET_MAX: u32 = 10_000;
/// What is found by no more than so many repositories is rare.
const RARE_MAX: i64 = 1000;

/// In which order repositories are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// What the words say most of first; where that cannot be told, or is equal, by pulls.
    #[default]
    Relevance,
    /// What was pulled most first.
    Pulls,
    /// What changed last first.
    Updated,
}

/// Finds public repositories that have a tag.
#[derive(Clone, Debug, Default)]
pub struct SearchGallery {
    /// The words; all repositories when there are none.
    pub text: String,
    /// Only those for it.
    pub operating_system: Option<OperatingSystem>,
    /// Only those for it.
    pub architecture: Option<Architecture>,
    /// Only those of publishers that the operator knows.
    pub verified: bool,
    /// In which order.
    pub sort: Sort,
    /// How many to leave out at the beginning, at most [`OFFSET_MAX`].
    pub offset: u32,
    /// At most so many, at most [`PAGE_MAX`].
    pub limit: u32,
}

/// A page of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The repositories.
    pub items: Vec<Listing>,
    /// How many there are; unknown when there are many.
    pub total: Option<u64>,
    /// Whether there are more than this page has.
    pub more: bool,
}

impl Operation for SearchGallery {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SearchGallery" };
    type Output = Found;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![browse(context.account)]
    }

    async fn run(self, call: Call<'_>) -> Result<Found> {
        if self.offset > OFFSET_MAX || self.limit > PAGE_MAX {
            return Err(Error::invalid_parameter(
                "offset",
                format!("A result is shown up to {OFFSET_MAX}, {PAGE_MAX} at a time"),
            ));
        }
        let slots = self.slots();
        let mut tx = call.read().await?;
        let mut found = Found::default();
        let ids = match slots.rarest(&mut tx).await? {
            Some(slot) => {
                let mut all = compare(&mut tx, &slots, &slot).await?;
                match self.sort {
                    Sort::Relevance => {
                        all.sort_by_key(|one| std::cmp::Reverse((one.score, one.pulls, one.id)));
                    }
                    Sort::Pulls => all.sort_by_key(|one| std::cmp::Reverse((one.pulls, one.id))),
                    Sort::Updated => {
                        all.sort_by_key(|one| std::cmp::Reverse((one.updated_at, one.id)));
                    }
                }
                found.total = Some(all.len() as u64);
                all.iter().skip(self.offset as usize).map(|one| one.id).collect()
            }
            None => walk(&mut tx, &slots, self.sort, self.limit + 1, self.offset).await?,
        };
        let limit = self.limit as usize;
        found.more = ids.len() > limit;
        let ids: Vec<i64> = ids.into_iter().take(limit).collect();
        found.items = load_all(&mut tx, &ids).await?;
        Ok(found)
    }
}

/// From where to where words stand that fit.
#[derive(Clone, Debug, Default)]
struct Slot {
    low: String,
    high: String,
}

impl Slot {
    fn beginning_with(word: &str) -> Self {
        Self { low: word.to_owned(), high: format!("{word}{}", char::MAX) }
    }

    fn exactly(word: &str) -> Self {
        Self { low: word.to_owned(), high: format!("{word}\u{1}") }
    }
}

const SLOTS: usize = WORDS_MAX + 3;

/// What must all fit: words first, then filters. An empty one fits everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots([Slot; SLOTS]);

impl SearchGallery {
    fn slots(&self) -> Slots {
        let mut slots = Slots::default();
        let words = words::split(&self.text).take(WORDS_MAX);
        for (slot, word) in slots.0.iter_mut().zip(words) {
            *slot = Slot::beginning_with(&word);
        }
        let system = self.operating_system.map(|system| words::of_operating_system(system.name()));
        let architecture = self.architecture.map(|name| words::of_architecture(name.name()));
        let verified = self.verified.then(|| words::VERIFIED.to_owned());
        let filters = [system, architecture, verified];
        for (slot, filter) in slots.0.iter_mut().skip(WORDS_MAX).zip(filters) {
            *slot = filter.as_deref().map(Slot::exactly).unwrap_or_default();
        }
        slots
    }
}

impl Slots {
    fn params(&self) -> Vec<Value> {
        self.0
            .iter()
            .flat_map(|slot| [Value::from(slot.low.as_str()), Value::from(slot.high.as_str())])
            .collect()
    }

    /// What the fewest repositories fit, if few do.
    async fn rarest(&self, tx: &mut Tx) -> Result<Option<Slot>> {
        let mut rarest: Option<(i64, &Slot)> = None;
        for slot in self.0.iter().filter(|slot| !slot.low.is_empty()) {
            let row = tx
                .optional(
                    "SELECT COUNT(*) FROM (SELECT 1 FROM gallery_words \
                     WHERE word >= $1 AND word < $2 LIMIT $3) AS fitting",
                    params![slot.low.as_str(), slot.high.as_str(), RARE_MAX + 1],
                )
                .await?;
            let count = row.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(0);
            if count <= RARE_MAX && rarest.is_none_or(|(fewest, _)| count < fewest) {
                rarest = Some((count, slot));
            }
        }
        Ok(rarest.map(|(_, slot)| slot.clone()))
    }
}

macro_rules! fits {
    ($($low:literal $high:literal)*) => { concat!($(
        "AND (", $low, " = '' OR EXISTS (SELECT 1 FROM gallery_words \
         WHERE gallery_words.repository_id = gallery_repositories.repository_id \
         AND gallery_words.word >= ", $low, " AND gallery_words.word < ", $high, ")) ",
    )*) };
}
macro_rules! score {
    ($($low:literal $high:literal)*) => { concat!($(
        "+ CASE WHEN ", $low, " = '' THEN 0 ELSE COALESCE(( \
         SELECT MAX(CASE WHEN gallery_words.word = ", $low, " \
         THEN gallery_words.weight * 2 ELSE gallery_words.weight END) FROM gallery_words \
         WHERE gallery_words.repository_id = gallery_repositories.repository_id \
         AND gallery_words.word >= ", $low, " AND gallery_words.word < ", $high, "), 0) END ",
    )*) };
}
macro_rules! shown {
    (all, $rest:expr) => {
        concat!(
            "FROM gallery_repositories WHERE tag_count > 0 AND registry_id NOT IN \
             (SELECT registries.id FROM registries \
             JOIN accounts ON accounts.id = registries.account_id WHERE accounts.state <> 'ACTIVE') ",
            $rest
        )
    };
    ($rest:expr) => {
        shown!(
            all,
            concat!(
                fits!("$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" "$10" "$11" "$12" "$13" "$14"
                    "$15" "$16"),
                $rest
            )
        )
    };
}

struct Compared {
    id: i64,
    pulls: i64,
    updated_at: Millis,
    score: i64,
}

/// All that fit, of those that `rare` finds.
async fn compare(tx: &mut Tx, slots: &Slots, rare: &Slot) -> Result<Vec<Compared>> {
    let mut params = slots.params();
    params.extend([Value::from(rare.low.as_str()), Value::from(rare.high.as_str())]);
    let rows = tx
        .all(
            concat!(
                "SELECT repository_id, pulls, updated_at, CAST(0 AS BIGINT) ",
                score!("$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" "$10"),
                shown!(
                    "AND repository_id IN (SELECT repository_id FROM gallery_words \
                     WHERE word >= $17 AND word < $18)"
                )
            ),
            &params,
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Compared {
                id: row.get(0)?,
                pulls: row.get(1)?,
                updated_at: row.get(2)?,
                score: row.get(3)?,
            })
        })
        .collect()
}

/// A page of those that fit, looked for in the order of the result.
pub(super) async fn walk(
    tx: &mut Tx,
    slots: &Slots,
    sort: Sort,
    limit: u32,
    offset: u32,
) -> Result<Vec<i64>> {
    // Where everything fits, a page far from the first is found without looking at any row before
    // it: the conditions of words, even of none, would be tried on each.
    let is_all = slots.0.iter().all(|slot| slot.low.is_empty());
    let mut params = if is_all { Vec::new() } else { slots.params() };
    params.extend([Value::from(limit), Value::from(offset)]);
    let sql = match (sort, is_all) {
        (Sort::Relevance | Sort::Pulls, true) => concat!(
            "SELECT repository_id ",
            shown!(all, "ORDER BY pulls DESC, repository_id DESC LIMIT $1 OFFSET $2")
        ),
        (Sort::Updated, true) => concat!(
            "SELECT repository_id ",
            shown!(all, "ORDER BY updated_at DESC, repository_id DESC LIMIT $1 OFFSET $2")
        ),
        (Sort::Relevance | Sort::Pulls, false) => concat!(
            "SELECT repository_id ",
            shown!("ORDER BY pulls DESC, repository_id DESC LIMIT $17 OFFSET $18")
        ),
        (Sort::Updated, false) => concat!(
            "SELECT repository_id ",
            shown!("ORDER BY updated_at DESC, repository_id DESC LIMIT $17 OFFSET $18")
        ),
    };
    let rows = tx.all(sql, &params).await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}
