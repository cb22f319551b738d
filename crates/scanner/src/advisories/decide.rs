//! Whether a package is affected.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::ecosystem::Ecosystem;
use super::entry::{self, End, Entry, Interval, Rule, Rules};
use super::join::combine;
use super::record::Advisory;
use super::severity::Severity;
use super::versions::Scheme;
use crate::{OsRelease, Package};

/// What advisories may know a package by, and what else of it matters to them. A package has one of
/// these, or two, or none when no ecosystem speaks of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject<'a> {
    /// The ecosystem, of which candidates are looked up under [`Ecosystem::as_str`].
    pub ecosystem: Ecosystem,
    /// The name under which they are looked up.
    pub name: Cow<'a, str>,
    /// The version that is compared: the source package's where advisories speak of these.
    pub version: Cow<'a, str>,
    /// The module stream of an RPM.
    pub module: Option<Cow<'a, str>>,
    /// The architecture.
    pub architecture: Option<Cow<'a, str>>,
}

/// What a fix for a match is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// There is a version that is not affected.
    Fixed,
    /// None is known of.
    NotFixed,
    /// There will be none.
    EndOfLife,
}

impl Status {
    /// The word by which a database keeps it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::NotFixed => "not-fixed",
            Self::EndOfLife => "end-of-life",
        }
    }
}

/// How an entry affects a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The versions that are affected, as people write it: `>= 1.2, < 1.4`.
    pub range: String,
    /// The first later version that is not affected.
    pub fixed_version: Option<String>,
    /// What is known of a fix.
    pub status: Status,
    /// The publisher's word for this package.
    pub severity: Option<Severity>,
}

/// An advisory that affects a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The advisory's identifier.
    pub advisory: String,
    /// How it affects the package.
    pub verdict: Verdict,
}

/// What advisories may know a package by. `os` is the system that the image has.
pub fn subjects<'a>(package: &'a Package, os: Option<&OsRelease>) -> Vec<Subject<'a>> {
    let Some(ecosystem) = Ecosystem::of_package(package.package_type, os) else {
        return Vec::new();
    };
    let names = ecosystem.names(package).into_iter();
    names
        .map(|(name, version)| Subject {
            ecosystem: ecosystem.clone(),
            name,
            version: Cow::Borrowed(version),
            module: package.module.as_deref().map(Cow::Borrowed),
            architecture: package.architecture.as_deref().map(Cow::Borrowed),
        })
        .collect()
}

/// Whether an advisory affects a package. For many at once make entries and look subjects up among
/// them; this does both for one.
pub fn decide(advisory: &Advisory, package: &Package, os: Option<&OsRelease>) -> Option<Match> {
    let entries = entry::entries(advisory).entries;
    let subjects = subjects(package, os);
    let verdict = subjects
        .iter()
        .flat_map(|subject| entries.iter().map(move |entry| (entry, subject)))
        .find_map(|(entry, subject)| decide_entry(entry, subject))?;
    Some(Match { advisory: advisory.id.clone(), verdict })
}

/// Whether an entry affects a subject. An entry of another name or ecosystem does not.
pub fn decide_entry(entry: &Entry, subject: &Subject<'_>) -> Option<Verdict> {
    let same = entry.name == subject.name && entry.ecosystem == subject.ecosystem;
    same.then(|| decide_rules(&entry.rules, subject))?
}

/// Whether rules that were found under a subject's ecosystem and name affect it. Pure: the same
/// rules and subject have the same verdict, at any time and on any machine.
pub fn decide_rules(rules: &Rules<'_>, subject: &Subject<'_>) -> Option<Verdict> {
    let scheme = subject.ecosystem.scheme();
    let version = scheme.parse(&subject.version);
    let rules = rules.rules.iter().filter(|rule| applies(rule, subject));
    let verdicts = rules.filter_map(|rule| {
        let interval = version
            .as_ref()
            .and_then(|version| rule.intervals.iter().find(|i| i.contains(scheme, version)));
        match interval {
            Some(interval) => Some(verdict(rule, Some(interval), subject, scheme)),
            None if lists(rule, subject, scheme) => Some(verdict(rule, None, subject, scheme)),
            None => None,
        }
    });
    // Where several rules apply, all of them have to be satisfied.
    verdicts.reduce(|kept, next| combine(scheme, kept, next))
}

/// Whether a rule speaks of packages like this one.
fn applies(rule: &Rule<'_>, subject: &Subject<'_>) -> bool {
    if let Some(architecture) = subject.architecture.as_deref() {
        let listed = rule.architectures.iter().any(|other| &**other == architecture);
        if !rule.architectures.is_empty() && !listed {
            return false;
        }
    }
    // A stream of a module has versions of its own, which say nothing of other streams or of
    // packages outside modules.
    let subject_is_modular =
        subject.module.as_deref().is_some_and(|m| !m.is_empty()) || is_modular(&subject.version);
    match (&rule.module, subject.module.as_deref()) {
        (Some(stream), Some(module)) => {
            module.strip_prefix(&**stream).is_some_and(|r| r.is_empty() || r.starts_with(':'))
        }
        (Some(_), None) => subject_is_modular,
        (None, _) => {
            let rule_is_modular = rule.intervals.iter().any(|interval| match &interval.end {
                End::Fixed(end) | End::Last(end) | End::Before(end) => is_modular(end),
                End::Open => subject_is_modular,
            });
            rule_is_modular == subject_is_modular
        }
    }
}

/// Whether an RPM's version is one of a module: its release carries the module's context
/// (`….module_el8.7.0+3373+a4c18c43`, `….module+el8.9.0+1234+abcdef`).
fn is_modular(version: &str) -> bool {
    version.contains(".module_") || version.contains(".module+")
}

/// Whether a rule lists a version, in this or another spelling of it.
fn lists(rule: &Rule<'_>, subject: &Subject<'_>, scheme: Scheme) -> bool {
    let version = &*subject.version;
    rule.versions.iter().any(|listed| {
        &**listed == version || scheme.compare(listed, version) == Some(Ordering::Equal)
    })
}

fn verdict(
    rule: &Rule<'_>,
    interval: Option<&Interval<'_>>,
    subject: &Subject<'_>,
    scheme: Scheme,
) -> Verdict {
    let fixed_version = match interval {
        Some(Interval { end: End::Fixed(fixed), .. }) => Some(fixed.to_string()),
        Some(_) => None,
        // Only listed: the next fix that the intervals name is the one for it.
        None => rule
            .intervals
            .iter()
            .filter_map(|interval| match &interval.end {
                End::Fixed(fixed) => Some(fixed),
                _ => None,
            })
            .filter(|fixed| scheme.compare(fixed, &subject.version) == Some(Ordering::Greater))
            .min_by(|left, right| scheme.compare_all(left, right))
            .map(|fixed| fixed.to_string()),
    };
    Verdict {
        range: interval
            .map_or_else(|| format!("= {}", subject.version), |interval| interval.describe()),
        status: match (&fixed_version, rule.end_of_life) {
            (Some(_), _) => Status::Fixed,
            (None, true) => Status::EndOfLife,
            (None, false) => Status::NotFixed,
        },
        fixed_version,
        severity: rule.severity,
    }
}

#[cfg(test)]
mod tests;
