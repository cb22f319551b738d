//! What is known of flaws beside the advisories: how likely they are exploited (EPSS), which of
//! them are (CISA's catalogue), and what the CVE list itself says of them.

use std::io::{self, BufRead, Read};

use serde::Deserialize;

use super::cvss::Cvss;
use super::osv::{self, Refused, at_most};
use crate::text::{self, lenient, list};

/// Longest line of the list of EPSS scores, in bytes.
const LINE_BYTES_MAX: u64 = 1_024;
/// Most scores that are read; in 2026 there were about 300,000.
const SCORES_MAX: usize = 4_000_000;
/// Longest catalogue of exploited flaws that is read, in bytes; in 2026 it had about 2 MB.
pub const KEV_BYTES_MAX: usize = 64 << 20;
/// Most flaws of the catalogue.
pub const KEV_MAX: usize = 100_000;

/// The score of one flaw (FIRST, "EPSS").
#[derive(Clone, Debug, PartialEq)]
pub struct Epss {
    /// The flaw's identifier in the CVE list.
    pub cve: String,
    /// The probability that it is exploited within 30 days, from 0 to 1.
    pub score: f64,
    /// The part of all flaws that have this score or less, from 0 to 1.
    pub percentile: f64,
}

/// What a list of scores says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpssList {
    /// The version of the model.
    pub model: Option<String>,
    /// When the scores were made, in milliseconds since 1970 UTC.
    pub date: Option<i64>,
    /// How many scores were read.
    pub scores: usize,
    /// How many lines were passed over because they are no scores.
    pub skipped: usize,
}

/// Why a feed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Reading failed.
    #[error("the feed cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error("this is no {0}")]
    Format(&'static str),
    /// It has more than is read.
    #[error("the feed has more than {max} {what}")]
    TooMany {
        /// What it has too many of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

/// Reads a list of EPSS scores: a comment with model and date, a line of column names, and one line
/// for each flaw. `each` gets the scores as they come; lines which are none are counted and passed
/// over.
pub fn epss(reader: impl BufRead, mut each: impl FnMut(Epss)) -> Result<EpssList, FeedError> {
    let mut reader = reader;
    let mut found = EpssList::default();
    let mut has_header = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).unwrap_or_default().trim();
        if let Some(comment) = text.strip_prefix('#') {
            for pair in comment.split(',') {
                match pair.split_once(':') {
                    Some(("model_version", model)) => found.model = Some(text::line(model, 64)),
                    Some(("score_date", date)) => found.date = score_date(date),
                    _ => {}
                }
            }
        } else if !has_header {
            if text != "cve,epss,percentile" {
                return Err(FeedError::Format("list of EPSS scores"));
            }
            has_header = true;
        } else if let Some(score) = score(text) {
            if found.scores == SCORES_MAX {
                return Err(FeedError::TooMany { what: "scores", max: SCORES_MAX });
            }
            found.scores += 1;
            each(score);
        } else if !text.is_empty() {
            found.skipped += 1;
        }
    }
    has_header.then_some(found).ok_or(FeedError::Format("list of EPSS scores"))
}

/// The list writes its zone as `+0000`.
fn score_date(text: &str) -> Option<i64> {
    let text = text.trim();
    text::millis(text).or_else(|| text::millis(&format!("{}Z", text.strip_suffix("+0000")?)))
}

fn score(line: &str) -> Option<Epss> {
    let mut columns = line.split(',');
    let cve = text::cve(columns.next()?)?;
    let mut part = || columns.next()?.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    Some(Epss { cve, score: part()?, percentile: part()? })
}

/// A flaw that is known to be exploited (CISA, "Known Exploited Vulnerabilities Catalog").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exploited {
    /// The flaw's identifier in the CVE list.
    pub cve: String,
    /// The catalogue's name for it.
    pub name: String,
    /// When it was added, in milliseconds since 1970 UTC.
    pub added: Option<i64>,
    /// Until when agencies have to act, in milliseconds since 1970 UTC.
    pub due: Option<i64>,
    /// What they have to do.
    pub action: String,
    /// Whether campaigns for ransom are known to use it.
    pub ransomware: bool,
}

/// A catalogue of exploited flaws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// When it was released, in milliseconds since 1970 UTC.
    pub released: Option<i64>,
    /// The flaws, in the catalogue's order.
    pub exploited: Vec<Exploited>,
    /// How many were passed over for want of an identifier.
    pub skipped: usize,
}

/// Reads CISA's catalogue in JSON.
pub fn kev(bytes: &[u8]) -> Result<Catalogue, Refused> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        #[serde(default, deserialize_with = "lenient")]
        date_released: Option<String>,
        vulnerabilities: Vec<Flaw>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Flaw {
        #[serde(default, rename = "cveID")]
        cve: String,
        #[serde(default, deserialize_with = "lenient")]
        vulnerability_name: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        date_added: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        due_date: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        required_action: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        known_ransomware_campaign_use: Option<String>,
    }
    if bytes.len() > KEV_BYTES_MAX {
        return Err(Refused::TooLong { bytes: bytes.len(), max: KEV_BYTES_MAX });
    }
    let raw: Raw = serde_json::from_slice(bytes)?;
    at_most(&raw.vulnerabilities, "flaws", KEV_MAX)?;
    let count = raw.vulnerabilities.len();
    let line = |text: Option<String>| text::line(text.as_deref().unwrap_or_default(), 1_024);
    let exploited: Vec<Exploited> = raw
        .vulnerabilities
        .into_iter()
        .filter_map(|flaw| {
            let ransomware = flaw.known_ransomware_campaign_use.as_deref() == Some("Known");
            Some(Exploited {
                cve: text::cve(&flaw.cve)?,
                name: line(flaw.vulnerability_name),
                added: flaw.date_added.as_deref().and_then(text::millis),
                due: flaw.due_date.as_deref().and_then(text::millis),
                action: line(flaw.required_action),
                ransomware,
            })
        })
        .collect();
    Ok(Catalogue {
        released: raw.date_released.as_deref().and_then(text::millis),
        skipped: count - exploited.len(),
        exploited,
    })
}

/// What the CVE list says of a flaw (CVE record format 5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CveRecord {
    /// Its identifier.
    pub cve: String,
    /// Whether the list has taken it back.
    pub rejected: bool,
    /// One line; may be empty.
    pub title: String,
    /// In English; may be empty.
    pub description: String,
    /// When it was published, in milliseconds since 1970 UTC.
    pub published: Option<i64>,
    /// When it was last changed, in milliseconds since 1970 UTC.
    pub modified: Option<i64>,
    /// Vectors, at most one of each version. What the record's own authority says comes before what
    /// others (CISA) added.
    pub cvss: Vec<Cvss>,
    /// Kinds of weakness (`CWE-79`), each once.
    pub cwes: Vec<String>,
    /// Addresses, http or https, each once.
    pub references: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCve {
    #[serde(default, deserialize_with = "lenient")]
    data_type: Option<String>,
    cve_metadata: Metadata,
    #[serde(default)]
    containers: Containers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    #[serde(default, deserialize_with = "lenient")]
    state: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    date_published: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    date_updated: Option<String>,
}

#[derive(Default, Deserialize)]
struct Containers {
    #[serde(default)]
    cna: Container,
    #[serde(default, deserialize_with = "list")]
    adp: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "list")]
    descriptions: Vec<Description>,
    #[serde(default, deserialize_with = "list")]
    metrics: Vec<Metric>,
    #[serde(default, deserialize_with = "list")]
    problem_types: Vec<ProblemType>,
    #[serde(default, deserialize_with = "list")]
    references: Vec<Link>,
}

#[derive(Deserialize)]
struct Description {
    #[serde(default, deserialize_with = "lenient")]
    lang: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    value: Option<String>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(default, rename = "cvssV4_0")]
    v4_0: Option<Scored>,
    #[serde(default, rename = "cvssV3_1")]
    v3_1: Option<Scored>,
    #[serde(default, rename = "cvssV3_0")]
    v3_0: Option<Scored>,
    #[serde(default, rename = "cvssV2_0")]
    v2_0: Option<Scored>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scored {
    #[serde(default, deserialize_with = "lenient")]
    vector_string: Option<String>,
}

#[derive(Deserialize)]
struct ProblemType {
    #[serde(default, deserialize_with = "list")]
    descriptions: Vec<Weakness>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Weakness {
    #[serde(default, deserialize_with = "lenient")]
    cwe_id: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
}

/// Reads a record of the CVE list, format 5.
pub fn cve(bytes: &[u8]) -> Result<CveRecord, Refused> {
    if bytes.len() > osv::RECORD_BYTES_MAX {
        return Err(Refused::TooLong { bytes: bytes.len(), max: osv::RECORD_BYTES_MAX });
    }
    let raw: RawCve = serde_json::from_slice(bytes)?;
    let is_record = raw.data_type.as_deref() == Some("CVE_RECORD");
    let id = text::cve(&raw.cve_metadata.cve_id).filter(|_| is_record).ok_or(Refused::NoId)?;

    let Containers { cna, adp } = raw.containers;
    let english = |description: &&Description| {
        description.lang.as_deref().is_some_and(|lang| lang.to_ascii_lowercase().starts_with("en"))
    };
    let description = cna.descriptions.iter().find(english).or(cna.descriptions.first());
    let description = description.and_then(|description| description.value.as_deref());
    let containers = || std::iter::once(&cna).chain(&adp);
    let vectors = containers()
        .flat_map(|container| &container.metrics)
        .flat_map(|metric| [&metric.v4_0, &metric.v3_1, &metric.v3_0, &metric.v2_0])
        .flatten()
        .filter_map(|scored| Cvss::parse(scored.vector_string.as_deref()?));
    let cvss = Cvss::one_of_each(vectors);
    let mut cwes: Vec<String> = containers()
        .flat_map(|container| &container.problem_types)
        .flat_map(|problem| &problem.descriptions)
        .filter_map(|weakness| weakness.cwe_id.clone())
        .filter(|cwe| cwe.strip_prefix("CWE-").is_some_and(|n| !n.is_empty() && n.len() < 8))
        .filter(|cwe| text::is_id(cwe))
        .collect();
    cwes.sort();
    cwes.dedup();
    cwes.truncate(64);
    Ok(CveRecord {
        cve: id,
        rejected: raw.cve_metadata.state.as_deref() == Some("REJECTED"),
        title: text::line(cna.title.as_deref().unwrap_or_default(), osv::SUMMARY_BYTES_MAX),
        description: text::bounded(description.unwrap_or_default(), osv::DETAILS_BYTES_MAX),
        published: raw.cve_metadata.date_published.as_deref().and_then(text::millis),
        modified: raw.cve_metadata.date_updated.as_deref().and_then(text::millis),
        cvss,
        cwes,
        references: osv::links(
            cna.references
                .into_iter()
                .chain(adp.into_iter().flat_map(|other| other.references))
                .filter_map(|link| link.url),
        ),
    })
}

#[cfg(test)]
mod tests;
