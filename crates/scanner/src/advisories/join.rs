//! One finding for each flaw: the same flaw is described by several advisories, and one advisory of
//! a distribution describes several flaws.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Status, Verdict};
use super::record::Advisory;
use super::severity::Severity;
use super::versions::Scheme;

/// An advisory that affects a package, with the names of the flaws it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The advisory's identifier.
    pub advisory: String,
    /// Flaws of the CVE list that it is about ([`Advisory::cves`]).
    pub cves: Vec<String>,
    /// Its other names.
    pub aliases: Vec<String>,
    /// How it affects the package.
    pub verdict: Verdict,
}

impl Hit {
    /// The hit of an advisory that has a verdict.
    pub fn new(advisory: &Advisory, verdict: Verdict) -> Self {
        Self {
            advisory: advisory.id.clone(),
            cves: advisory.cves(),
            aliases: advisory.aliases.clone(),
            verdict,
        }
    }
}

/// A flaw of a package, as findings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its name: that of the CVE list, else GitHub's, else that of an advisory.
    pub name: String,
    /// The advisories that say so, in order.
    pub advisories: Vec<String>,
    /// Its other names, in order: the advisories and their aliases, and no other CVE.
    pub aliases: Vec<String>,
    /// How it affects the package, all advisories taken together: the fix is the one after which
    /// none of them applies any more.
    pub verdict: Verdict,
}

/// Joins the hits of one package to flaws, in the order of their names. Each flaw of the CVE list is
/// there once; advisories that name none are joined by their aliases.
pub fn join(scheme: Scheme, hits: &[Hit]) -> Vec<Flaw> {
    // What other names of a flaw lead to its CVE: an advisory that lacks it may name one that has it.
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for hit in hits.iter().filter(|hit| !hit.cves.is_empty()) {
        for name in names(hit) {
            known.entry(name).or_default().extend(hit.cves.iter().map(String::as_str));
        }
    }
    let mut flaws: BTreeMap<&str, Vec<&Hit>> = BTreeMap::new();
    let mut nameless = Vec::new();
    for hit in hits {
        let cves: BTreeSet<&str> = match hit.cves.is_empty() {
            false => hit.cves.iter().map(String::as_str).collect(),
            true => names(hit).filter_map(|name| known.get(name)).flatten().copied().collect(),
        };
        if cves.is_empty() {
            nameless.push(hit);
        }
        for cve in cves {
            flaws.entry(cve).or_default().push(hit);
        }
    }
    for group in groups(&nameless) {
        let name = group.iter().map(|hit| hit.advisory.as_str()).min_by_key(|id| rank(id));
        flaws.entry(name.unwrap_or_default()).or_default().extend(group);
    }
    flaws.into_iter().filter_map(|(name, hits)| flaw(scheme, name, &hits)).collect()
}

/// All names of a hit but those of the CVE list.
fn names(hit: &Hit) -> impl Iterator<Item = &str> {
    let aliases = hit.aliases.iter().map(String::as_str);
    std::iter::once(hit.advisory.as_str()).chain(aliases.filter(|alias| !alias.starts_with("CVE-")))
}

/// GitHub's names are the best known of those beside the CVE list.
fn rank(id: &str) -> (bool, &str) {
    (!id.starts_with("GHSA-"), id)
}

/// Hits that share a name, directly or through others.
fn groups<'a>(hits: &[&'a Hit]) -> Vec<Vec<&'a Hit>> {
    let mut groups: Vec<(BTreeSet<&str>, Vec<&Hit>)> = Vec::new();
    for hit in hits {
        let mut all_names: BTreeSet<&str> = names(hit).collect();
        let mut members = vec![*hit];
        let (joined, apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(names, _)| !names.is_disjoint(&all_names));
        for (names, hits) in joined {
            all_names.extend(names);
            members.extend(hits);
        }
        groups = apart;
        groups.push((all_names, members));
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn flaw(scheme: Scheme, name: &str, hits: &[&Hit]) -> Option<Flaw> {
    let mut hits = hits.to_vec();
    hits.sort_by(|left, right| left.advisory.cmp(&right.advisory));
    let verdict = hits.iter().map(|hit| hit.verdict.clone());
    let verdict = verdict.reduce(|kept, next| combine(scheme, kept, next))?;
    let mut advisories: Vec<String> = hits.iter().map(|hit| hit.advisory.clone()).collect();
    advisories.sort();
    advisories.dedup();
    let mut aliases: Vec<String> = hits
        .iter()
        .flat_map(|hit| names(hit))
        .filter(|alias| *alias != name)
        .map(str::to_owned)
        .collect();
    aliases.sort();
    aliases.dedup();
    Some(Flaw { name: name.to_owned(), advisories, aliases, verdict })
}

/// Two verdicts about the same flaw and package. An advisory without a fix is often only older than
/// one with it, so any fix is better than none, and of two the greater counts.
pub(super) fn combine(scheme: Scheme, kept: Verdict, next: Verdict) -> Verdict {
    let kept_counts = match (&kept.fixed_version, &next.fixed_version) {
        (Some(kept), Some(next)) => scheme.compare_all(kept, next).is_ge(),
        (kept, next) => kept.is_some() >= next.is_some(),
    };
    let severity: Option<Severity> = kept.severity.max(next.severity);
    let not_fixed = [kept.status, next.status].contains(&Status::NotFixed);
    let counts = if kept_counts { kept } else { next };
    let status = match counts.status {
        Status::EndOfLife if not_fixed => Status::NotFixed,
        status => status,
    };
    Verdict { severity, status, ..counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(advisory: &str, cves: &str, aliases: &str, fixed: Option<&str>) -> Hit {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Hit {
            advisory: advisory.to_owned(),
            cves: words(cves),
            aliases: words(aliases),
            verdict: Verdict {
                range: fixed.map_or("all versions".to_owned(), |fixed| format!("< {fixed}")),
                fixed_version: fixed.map(str::to_owned),
                status: if fixed.is_some() { Status::Fixed } else { Status::NotFixed },
                severity: None,
            },
        }
    }

    #[test]
    fn flaws() {
        for (hits, expected) in [
            (vec![], vec![]),
            // An update of a distribution repairs several flaws.
            (
                vec![
                    hit("ALSA-1", "CVE-1 CVE-2", "", Some("1.9-1")),
                    hit("ALSA-2", "CVE-2", "", Some("1.10-1")),
                ],
                vec![
                    ("CVE-1", "ALSA-1", Some("1.9-1")),
                    ("CVE-2", "ALSA-1 ALSA-2", Some("1.10-1")),
                ],
            ),
            // The same flaw in several databases, one of which knows no fix.
            (
                vec![
                    hit("GHSA-1", "CVE-1", "CVE-1 PYSEC-1", Some("1.2")),
                    hit("PYSEC-1", "CVE-1", "CVE-1 GHSA-1", None),
                ],
                vec![("CVE-1", "GHSA-1 PYSEC-1", Some("1.2"))],
            ),
            // One of them does not name the CVE.
            (
                vec![
                    hit("PYSEC-1", "", "GHSA-1", None),
                    hit("GHSA-1", "CVE-1", "CVE-1", Some("1.2")),
                ],
                vec![("CVE-1", "GHSA-1 PYSEC-1", Some("1.2"))],
            ),
            // No CVE at all.
            (
                vec![
                    hit("RUSTSEC-1", "", "GHSA-2", None),
                    hit("OTHER-1", "", "GHSA-2", Some("2")),
                    hit("RUSTSEC-3", "", "", None),
                    hit("GHSA-9", "", "OTHER-1", None),
                ],
                vec![
                    ("GHSA-9", "GHSA-9 OTHER-1 RUSTSEC-1", Some("2")),
                    ("RUSTSEC-3", "RUSTSEC-3", None),
                ],
            ),
        ] {
            let flaws = join(Scheme::Rpm, &hits);
            let flaws: Vec<(&str, String, Option<&str>)> = flaws
                .iter()
                .map(|flaw| {
                    let fixed = flaw.verdict.fixed_version.as_deref();
                    (&*flaw.name, flaw.advisories.join(" "), fixed)
                })
                .collect();
            let flaws: Vec<(&str, &str, Option<&str>)> = flaws
                .iter()
                .map(|(name, advisories, fixed)| (*name, &**advisories, *fixed))
                .collect();
            assert_eq!(flaws, expected);
        }
    }

    #[test]
    fn the_order_of_hits_does_not_matter() {
        let hits = [
            hit("A", "", "B", None),
            hit("C", "", "D", Some("1")),
            hit("E", "", "B D", Some("2")),
            hit("F", "CVE-1", "CVE-1 G", Some("3")),
            hit("G", "", "", None),
        ];
        let expected = join(Scheme::Rpm, &hits);
        assert_eq!(expected.len(), 2);
        for start in 0..hits.len() {
            let mut turned = hits.to_vec();
            turned.rotate_left(start);
            assert_eq!(join(Scheme::Rpm, &turned), expected);
            turned.reverse();
            assert_eq!(join(Scheme::Rpm, &turned), expected);
        }
    }

    #[test]
    fn other_names() {
        let flaws = join(Scheme::Rpm, &[hit("GHSA-1", "CVE-1 CVE-2", "CVE-1 CVE-2 GO-1", None)]);
        for flaw in flaws {
            assert_eq!(flaw.aliases, ["GHSA-1", "GO-1"], "{}", flaw.name);
        }
    }
}
