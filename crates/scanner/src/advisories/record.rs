//! An advisory, whichever format it came in.

use serde::{Deserialize, Serialize};

use super::cvss::Cvss;
use super::severity::Severity;
use crate::text;

/// One advisory: what somebody has published about one flaw, or about one update.
///
/// All texts are bounded and free of control characters; see [`super::osv`] for the bounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Advisory {
    /// Its publisher's identifier.
    pub id: String,
    /// Other identifiers of the same flaw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Flaws that this is a distribution's account of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<String>,
    /// Identifiers that have to do with it; for a distribution's update, the flaws that it repairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<String>,
    /// One line; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Markdown, to be shown as text; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// When it was published, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<i64>,
    /// When it was last changed, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<i64>,
    /// When it was taken back, in milliseconds since 1970 UTC. Such an advisory matches nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<i64>,
    /// What its publisher calls the severity, in our words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// CVSS vectors that could be scored, at most one of each version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cvss: Vec<Cvss>,
    /// What is affected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub affected: Vec<Affected>,
    /// Addresses, http or https, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
}

/// A package that an advisory speaks of, in one ecosystem.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Affected {
    /// The ecosystem as the advisory spells it.
    pub ecosystem: String,
    /// The package's name as the advisory spells it.
    pub name: String,
    /// Ranges of versions that are affected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// Versions that are affected, whatever the ranges say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// The module stream that it is about (`nodejs:18`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Architectures that it is about; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// The publisher's word for this package, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The release or package is no longer supported: there will be no fix.
    #[serde(default, skip_serializing_if = "is_false")]
    pub end_of_life: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A list of events on the line of versions, in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// What happens, and at which version.
    pub events: Vec<Event>,
}

/// What happens at a version (OSV schema, "affected[].ranges[].events").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// From here on versions are affected; `0` is before all versions.
    Introduced(String),
    /// From here on they are not.
    Fixed(String),
    /// After this they are not.
    LastAffected(String),
    /// Nothing is said of this and later versions.
    Limit(String),
}

/// Publishers whose `related` names other flaws, and not those that an update repairs.
const NOT_UPDATES: [&str; 8] =
    ["GHSA-", "PYSEC-", "GO-", "RUSTSEC-", "MAL-", "OSV-", "CVE-", "BIT-"];

impl Advisory {
    /// The flaws of the CVE list that this is about, in order, each once: its own identifier, its
    /// aliases and what it is the account of; and where these name none, those that an update of a
    /// distribution repairs.
    pub fn cves(&self) -> Vec<String> {
        let own = std::iter::once(&self.id).chain(&self.aliases).chain(&self.upstream);
        let mut cves: Vec<String> = own.filter_map(|id| text::cve(id)).collect();
        let is_update = !NOT_UPDATES.iter().any(|prefix| self.id.starts_with(prefix));
        if cves.is_empty() && is_update {
            cves = self.related.iter().filter_map(|id| text::cve(id)).collect();
        }
        cves.sort();
        cves.dedup();
        cves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cves() {
        let ids = |ids: &str| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (id, aliases, upstream, related, expected) in [
            ("CVE-2021-44228", "GHSA-jfh8-c2jp-5v3q", "", "", "CVE-2021-44228"),
            (
                "GHSA-a",
                "CVE-2021-0002 CVE-2021-0001",
                "",
                "CVE-2021-0003",
                "CVE-2021-0001 CVE-2021-0002",
            ),
            ("GHSA-a", "", "", "CVE-2021-0003", ""),
            ("DEBIAN-CVE-2021-0001", "", "CVE-2021-0001", "", "CVE-2021-0001"),
            ("UBUNTU-CVE-2021-0001", "", "CVE-2021-0001", "USN-1-1", "CVE-2021-0001"),
            ("ALSA-2024:1", "", "", "CVE-2021-0003 CVE-2021-0003", "CVE-2021-0003"),
            ("RHSA-2024:1", "", "CVE-2021-0001", "CVE-2021-0003", "CVE-2021-0001"),
            ("RUSTSEC-2020-0001", "", "", "CVE-2021-0003", ""),
        ] {
            let advisory = Advisory {
                id: id.to_owned(),
                aliases: ids(aliases),
                upstream: ids(upstream),
                related: ids(related),
                ..Advisory::default()
            };
            assert_eq!(advisory.cves(), ids(expected), "{id}");
        }
    }
}
