//! The compact form of an advisory: one [`Entry`] for each package that it speaks of, keyed by
//! ecosystem and name, with everything that deciding needs and nothing else.
//!
//! A database keeps entries beside their keys and finds candidates by these; [`super::decide`]
//! decides. New images against all advisories and a new advisory against all known packages are
//! the same question, put to the same function.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use super::ecosystem::Ecosystem;
use super::record::{Advisory, Affected, Event, Range};
use super::severity::Severity;
use super::versions::Scheme;

/// The version of the stored form. A stored entry of another version is refused, and has to be made
/// again from its advisory.
pub const FORM: u8 = 1;

/// Most comparisons that leaving out listed versions may cost; with more they all stay.
const COMPARISONS_MAX: usize = 1 << 20;

/// How many of an entry's rules a new one is compared with.
const RECENT_RULES: usize = 64;

/// What an advisory says of one package in one ecosystem.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The ecosystem, normalised.
    pub ecosystem: Ecosystem,
    /// The package's name, in the ecosystem's normal spelling.
    pub name: String,
    /// Under which conditions which versions are affected.
    pub rules: Rules<'static>,
}

/// The part of an entry that is stored as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules<'a> {
    #[serde(rename = "v")]
    form: u8,
    /// The rules; any of them suffices.
    #[serde(rename = "r", borrow)]
    pub rules: Vec<Rule<'a>>,
}

/// Versions that are affected, under conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule<'a> {
    /// Intervals of versions.
    #[serde(rename = "i", borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Interval<'a>>,
    /// Versions outside of the intervals that are affected too, in the order of their bytes.
    #[serde(rename = "x", borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Text<'a>>,
    /// Only packages of this module stream.
    #[serde(rename = "m", borrow, default, skip_serializing_if = "Option::is_none")]
    pub module: Option<Text<'a>>,
    /// Only packages of these architectures; none for all.
    #[serde(rename = "a", borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<Text<'a>>,
    /// The publisher's word for this package.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// There will be no fix.
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    pub end_of_life: bool,
}

/// An interval of versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored<'a>", into = "Stored<'a>", bound(deserialize = "'de: 'a"))]
pub struct Interval<'a> {
    /// The first version; none for the very beginning.
    pub from: Option<Text<'a>>,
    /// Where it ends.
    pub end: End<'a>,
}

/// The end of an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// Before this version, which is the fix.
    Fixed(Text<'a>),
    /// After this version.
    Last(Text<'a>),
    /// Before this version, of which nothing is said.
    Before(Text<'a>),
    /// Nowhere: all later versions are affected.
    Open,
}

/// The stored form of an interval: `[from, kind, end]`, an empty text for none.
#[derive(Serialize, Deserialize)]
struct Stored<'a>(#[serde(borrow)] Text<'a>, #[serde(borrow)] Text<'a>, #[serde(borrow)] Text<'a>);

impl<'a> TryFrom<Stored<'a>> for Interval<'a> {
    type Error = &'static str;

    fn try_from(Stored(from, kind, end): Stored<'a>) -> Result<Self, Self::Error> {
        let end = match &*kind {
            "f" => End::Fixed(end),
            "l" => End::Last(end),
            "b" => End::Before(end),
            "o" => End::Open,
            _ => return Err("an interval ends in an unknown way"),
        };
        Ok(Self { from: (!from.is_empty()).then_some(from), end })
    }
}

impl<'a> From<Interval<'a>> for Stored<'a> {
    fn from(interval: Interval<'a>) -> Self {
        let (kind, end) = match interval.end {
            End::Fixed(end) => ("f", end),
            End::Last(end) => ("l", end),
            End::Before(end) => ("b", end),
            End::Open => ("o", Text::default()),
        };
        Self(interval.from.unwrap_or_default(), Text(Cow::Borrowed(kind)), end)
    }
}

/// Text of a stored entry, not copied out of it unless it has escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Text<'a>(Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl From<&str> for Text<'static> {
    fn from(text: &str) -> Self {
        Self(Cow::Owned(text.to_owned()))
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsText;
        impl<'de> Visitor<'de> for AsText {
            type Value = Cow<'de, str>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(AsText).map(Self)
    }
}

/// Entries of an advisory.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// The entries, by ecosystem and name, each of these once.
    pub entries: Vec<Entry>,
    /// Ranges that were left out, because a version in them is none in its ecosystem.
    pub unusable_ranges: usize,
}

/// Why a stored entry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// It is of another version of the form.
    #[error("the entry is stored in form {0}, which is not form {FORM}: import its advisory again")]
    Form(u8),
    /// It is damaged.
    #[error("the stored entry cannot be read: {0}; import its advisory again")]
    Damaged(#[from] serde_json::Error),
}

impl<'a> Rules<'a> {
    /// Reads the stored form.
    pub fn decode(text: &'a str) -> Result<Self, EntryError> {
        #[derive(Deserialize)]
        struct Form {
            #[serde(rename = "v")]
            form: u8,
        }
        match serde_json::from_str::<Self>(text) {
            Ok(rules) if rules.form == FORM => Ok(rules),
            Ok(rules) => Err(EntryError::Form(rules.form)),
            Err(error) => match serde_json::from_str::<Form>(text) {
                Ok(Form { form }) if form != FORM => Err(EntryError::Form(form)),
                _ => Err(EntryError::Damaged(error)),
            },
        }
    }

    /// The stored form: JSON of one line, which starts with its version.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Rules in the current form.
    pub fn new(rules: Vec<Rule<'a>>) -> Self {
        Self { form: FORM, rules }
    }
}

/// The entries of an advisory. A withdrawn one has none, and so matches nothing.
pub fn entries(advisory: &Advisory) -> Entries {
    let mut unusable_ranges = 0;
    let mut by_key: BTreeMap<(Ecosystem, String), Vec<Rule<'static>>> = BTreeMap::new();
    if advisory.withdrawn.is_some() {
        return Entries::default();
    }
    for affected in &advisory.affected {
        let Some(ecosystem) = Ecosystem::of_advisory(&affected.ecosystem) else { continue };
        let (rule, unusable) = rule(affected, ecosystem.scheme());
        unusable_ranges += unusable;
        let Some(rule) = rule else { continue };
        let name = ecosystem.normalise(&affected.name).into_owned();
        let rules = by_key.entry((ecosystem, name)).or_default();
        // Records often say the same of one package for each of its repositories.
        if !rules.iter().rev().take(RECENT_RULES).any(|other| *other == rule) {
            rules.push(rule);
        }
    }
    let entries = by_key.into_iter();
    let entries = entries
        .map(|((ecosystem, name), rules)| Entry { ecosystem, name, rules: Rules::new(rules) })
        .collect();
    Entries { entries, unusable_ranges }
}

fn rule(affected: &Affected, scheme: Scheme) -> (Option<Rule<'static>>, usize) {
    let mut unusable = 0;
    let mut intervals = Vec::new();
    for range in &affected.ranges {
        match self::intervals(range, scheme) {
            Some(more) => intervals.extend(more),
            None => unusable += 1,
        }
    }
    // Neither ranges nor versions: the record is about commits, or about nothing.
    if intervals.is_empty() && affected.versions.is_empty() {
        return (None, unusable);
    }
    let is_small = intervals.len().saturating_mul(affected.versions.len()) <= COMPARISONS_MAX;
    let implied = |version: &str| {
        if !is_small {
            return false;
        }
        let parsed = scheme.parse(version);
        parsed.is_some_and(|parsed| intervals.iter().any(|i| i.contains(scheme, &parsed)))
    };
    let mut versions: Vec<Text<'static>> = Vec::new();
    for version in &affected.versions {
        if !implied(version) {
            versions.push(version.clone().into());
        }
    }
    versions.sort();
    versions.dedup();
    let rule = Rule {
        intervals,
        versions,
        module: affected.module.clone().map(Text::from),
        architectures: affected.architectures.iter().cloned().map(Text::from).collect(),
        severity: affected.severity,
        end_of_life: affected.end_of_life,
    };
    (Some(rule), unusable)
}

/// The intervals that a range's events make, in the order of versions (OSV schema, "Evaluation").
/// None when a version in it is none.
fn intervals(range: &Range, scheme: Scheme) -> Option<Vec<Interval<'static>>> {
    /// At the same version, what ends comes before what begins.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum What {
        Fixed,
        Last,
        Introduced,
    }
    let mut events: Vec<(Option<&str>, What)> = Vec::new();
    let mut limit: Option<&str> = None;
    for event in &range.events {
        let (version, what) = match event {
            Event::Introduced(version) if version == "0" => {
                events.push((None, What::Introduced));
                continue;
            }
            Event::Introduced(version) => (version, What::Introduced),
            Event::Fixed(version) => (version, What::Fixed),
            Event::LastAffected(version) => (version, What::Last),
            Event::Limit(version) if version == "*" => continue,
            Event::Limit(version) => {
                scheme.parse(version)?;
                // A version is spoken of if it is before any limit, so the greatest counts.
                if limit
                    .is_none_or(|other| scheme.compare(version, other) == Some(Ordering::Greater))
                {
                    limit = Some(version);
                }
                continue;
            }
        };
        scheme.parse(version)?;
        events.push((Some(version), what));
    }
    events.sort_by(|(left, left_what), (right, right_what)| {
        let ordering = match (left, right) {
            (Some(left), Some(right)) => scheme.compare_all(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        };
        ordering.then(left_what.cmp(right_what))
    });

    let owned = |version: &str| Text::from(version);
    let mut intervals = Vec::new();
    let mut open: Option<Option<&str>> = None;
    for (version, what) in events {
        match (what, open, version) {
            (What::Introduced, None, version) => open = Some(version),
            (What::Fixed, Some(from), Some(version)) => {
                let end = End::Fixed(owned(version));
                intervals.push(Interval { from: from.map(owned), end });
                open = None;
            }
            (What::Last, Some(from), Some(version)) => {
                let end = End::Last(owned(version));
                intervals.push(Interval { from: from.map(owned), end });
                open = None;
            }
            _ => {}
        }
    }
    if let Some(from) = open {
        intervals.push(Interval { from: from.map(owned), end: End::Open });
    }
    if let Some(limit) = limit {
        intervals = intervals.into_iter().filter_map(|i| i.limited(scheme, limit)).collect();
    }
    Some(intervals)
}

impl Interval<'_> {
    /// Whether a version lies in the interval. An end that is no version bounds nothing, and such an
    /// interval contains no version.
    pub fn contains(&self, scheme: Scheme, version: &super::versions::Version<'_>) -> bool {
        let compare = |bound: &str| version.compare(&scheme.parse(bound)?);
        let from = self.from.as_deref();
        if from.is_some_and(|from| compare(from).is_none_or(Ordering::is_lt)) {
            return false;
        }
        match &self.end {
            End::Fixed(end) | End::Before(end) => compare(end).is_some_and(Ordering::is_lt),
            End::Last(end) => compare(end).is_some_and(Ordering::is_le),
            End::Open => true,
        }
    }

    /// The part before a limit.
    fn limited(self, scheme: Scheme, limit: &str) -> Option<Self> {
        let before = |version: &str| scheme.compare(version, limit).is_some_and(Ordering::is_lt);
        if self.from.as_deref().is_some_and(|from| !before(from)) {
            return None;
        }
        let keeps = match &self.end {
            End::Fixed(end) | End::Before(end) => {
                scheme.compare(end, limit).is_some_and(Ordering::is_le)
            }
            End::Last(end) => before(end),
            End::Open => false,
        };
        let end = if keeps { self.end } else { End::Before(limit.into()) };
        Some(Self { from: self.from, end })
    }

    /// The interval as people write it: `>= 1.2, < 1.4`, `<= 2.0`, `all versions`.
    pub fn describe(&self) -> String {
        let from = self.from.as_deref().map(|from| format!(">= {from}"));
        let end = match &self.end {
            End::Fixed(end) | End::Before(end) => Some(format!("< {end}")),
            End::Last(end) => Some(format!("<= {end}")),
            End::Open => None,
        };
        match (from, end) {
            (None, None) => "all versions".to_owned(),
            (Some(from), Some(end)) => format!("{from}, {end}"),
            (Some(only), None) | (None, Some(only)) => only,
        }
    }
}

#[cfg(test)]
mod tests;
