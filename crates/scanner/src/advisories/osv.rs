//! Records in the format of the OSV schema (versions 1.0 to 1.7), as osv.dev and the publishers
//! behind it distribute them.
//!
//! Lenient where it can be: unknown fields, fields of publishers with a wrong type, ranges of
//! commits, vectors that cannot be scored and ecosystems that no image has are passed over. What is
//! refused is a record of which nothing can be made: no JSON, no identifier, or more of anything
//! than is kept.

use serde::Deserialize;

use super::cvss::Cvss;
use super::ecosystem::Ecosystem;
use super::record::{Advisory, Affected, Event, Range};
use super::severity::Severity;
use crate::PackageType;
use crate::text::{self, lenient, list, object};

/// Longest record that is read, in bytes.
pub const RECORD_BYTES_MAX: usize = 32 << 20;
/// Identifiers of one kind (aliases, upstream, related).
pub const IDS_MAX: usize = 8_192;
/// Affected packages.
pub const AFFECTED_MAX: usize = 50_000;
/// Ranges of one affected package.
pub const RANGES_MAX: usize = 512;
/// Events of one range.
pub const EVENTS_MAX: usize = 2_048;
/// Versions that one affected package lists.
pub const VERSIONS_MAX: usize = 50_000;
/// References that are kept; further ones are dropped.
pub const REFERENCES_MAX: usize = 100;
/// The summary is cut to this many bytes.
pub const SUMMARY_BYTES_MAX: usize = 1_024;
/// The details are cut to this many bytes.
pub const DETAILS_BYTES_MAX: usize = 16 << 10;

/// Why nothing can be made of an advisory.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is longer than is read.
    #[error("the record has {bytes} bytes; at most {max} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It is not the JSON of the format.
    #[error("the record is not of the expected format: {0}")]
    Json(#[from] serde_json::Error),
    /// Its identifier is missing, or is none.
    #[error("the record has no usable identifier")]
    NoId,
    /// It has more of something than is kept.
    #[error("the record has {count} {what}; at most {max} are kept")]
    TooMany {
        /// What it has too many of.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
}

/// Refuses what there is too much of.
pub(crate) fn at_most<T>(items: &[T], what: &'static str, max: usize) -> Result<(), Refused> {
    match items.len() {
        count if count > max => Err(Refused::TooMany { what, count, max }),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    id: String,
    #[serde(default, deserialize_with = "list")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    upstream: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    related: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    withdrawn: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    published: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    modified: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    summary: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    details: Option<String>,
    #[serde(default, deserialize_with = "list")]
    severity: Vec<Score>,
    #[serde(default, deserialize_with = "list")]
    affected: Vec<RawAffected>,
    #[serde(default, deserialize_with = "list")]
    references: Vec<Reference>,
    #[serde(default, deserialize_with = "object")]
    database_specific: Specific,
}

#[derive(Deserialize)]
struct Score {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    score: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
}

#[derive(Deserialize)]
struct RawAffected {
    package: Option<RawPackage>,
    #[serde(default, deserialize_with = "list")]
    ranges: Vec<RawRange>,
    #[serde(default, deserialize_with = "list")]
    versions: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    severity: Vec<Score>,
    #[serde(default, deserialize_with = "object")]
    ecosystem_specific: Specific,
    #[serde(default, deserialize_with = "object")]
    database_specific: Specific,
}

#[derive(Deserialize)]
struct RawPackage {
    #[serde(default)]
    ecosystem: String,
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    purl: Option<String>,
}

#[derive(Deserialize)]
struct RawRange {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "list")]
    events: Vec<RawEvent>,
}

#[derive(Deserialize)]
struct RawEvent {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

/// What publishers put into fields of their own, as far as it is understood: GitHub's `severity`,
/// Debian's `urgency`, Ubuntu's priority, RustSec's `informational`.
#[derive(Default, Deserialize)]
struct Specific {
    #[serde(default, deserialize_with = "lenient")]
    severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    urgency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    ubuntu_priority: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    informational: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_known_affected_version_range: Option<String>,
}

impl Specific {
    fn words(&self) -> impl Iterator<Item = &str> {
        [&self.urgency, &self.ubuntu_priority, &self.severity].into_iter().flatten().map(|w| &**w)
    }

    fn severity(&self) -> Option<Severity> {
        self.words().find_map(Severity::of_word)
    }
}

/// Reads one record. Nothing of it is trusted: identifiers, names and addresses have been looked
/// at, texts are bounded and free of control characters.
pub fn parse(bytes: &[u8]) -> Result<Advisory, Refused> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Refused::TooLong { bytes: bytes.len(), max: RECORD_BYTES_MAX });
    }
    let record: Record = serde_json::from_slice(bytes)?;
    if !text::is_id(&record.id) {
        return Err(Refused::NoId);
    }
    at_most(&record.affected, "affected packages", AFFECTED_MAX)?;

    let summary = text::line(record.summary.as_deref().unwrap_or_default(), SUMMARY_BYTES_MAX);
    let severity = record.database_specific.severity().or_else(|| word_of(&record.severity));
    // AlmaLinux and others who follow Red Hat begin the summary with their word.
    let severity = severity.or_else(|| {
        let (word, _) = summary.split_once(':')?;
        is_rpm_update(&record.id).then(|| Severity::of_word(word))?
    });
    let module = module_of(&record.id, &summary);

    let mut affected = Vec::new();
    let mut vectors = vectors(&record.severity);
    let mut informational = false;
    for raw in record.affected {
        vectors.extend(self::vectors(&raw.severity));
        informational |= raw.database_specific.informational.is_some();
        affected.extend(self::affected(raw, module.as_deref(), &record.id)?);
    }
    let cvss = Cvss::one_of_each(vectors);
    // RustSec's notices (unmaintained, unsound) are no flaws unless it has scored them.
    let severity =
        severity.or((informational && cvss.is_empty()).then_some(Severity::Informational));

    Ok(Advisory {
        aliases: ids(record.aliases, &record.id, "aliases")?,
        upstream: ids(record.upstream, &record.id, "upstream identifiers")?,
        related: ids(record.related, &record.id, "related identifiers")?,
        id: record.id,
        summary,
        details: text::bounded(record.details.as_deref().unwrap_or_default(), DETAILS_BYTES_MAX),
        published: record.published.as_deref().and_then(text::millis),
        modified: record.modified.as_deref().and_then(text::millis),
        // A time that cannot be read still says that it was withdrawn.
        withdrawn: record.withdrawn.map(|time| text::millis(&time).unwrap_or(0)),
        severity,
        cvss,
        affected,
        references: links(record.references.into_iter().filter_map(|reference| reference.url)),
    })
}

/// Identifiers, each once, other than the advisory's own.
fn ids(ids: Vec<String>, own: &str, what: &'static str) -> Result<Vec<String>, Refused> {
    at_most(&ids, what, IDS_MAX)?;
    let mut seen = std::collections::HashSet::new();
    Ok(ids
        .into_iter()
        .filter(|id| id != own && text::is_id(id) && seen.insert(id.clone()))
        .collect())
}

/// Addresses that may be shown, each once, up to [`REFERENCES_MAX`].
pub(crate) fn links(urls: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for url in urls {
        if links.len() < REFERENCES_MAX && text::is_link(&url) && !links.contains(&url) {
            links.push(url);
        }
    }
    links
}

fn vectors(scores: &[Score]) -> Vec<Cvss> {
    scores.iter().filter_map(|score| Cvss::parse(score.score.as_deref()?)).collect()
}

/// Ubuntu publishes its word as a score of its own kind.
fn word_of(scores: &[Score]) -> Option<Severity> {
    let own = scores.iter().filter(|score| score.kind.as_deref() == Some("Ubuntu"));
    own.filter_map(|score| score.score.as_deref()).find_map(Severity::of_word)
}

fn is_rpm_update(id: &str) -> bool {
    ["ALSA-", "ALBA-", "ALEA-", "RLSA-", "RXSA-", "RHSA-", "RHBA-", "RHEA-"]
        .iter()
        .any(|prefix| id.starts_with(prefix))
}

/// The module stream in a summary like `Moderate: nodejs:14 security update`.
fn module_of(id: &str, summary: &str) -> Option<String> {
    let (_, rest) = summary.split_once(": ").filter(|_| is_rpm_update(id))?;
    let word = rest.split(' ').next()?;
    let (name, stream) = word.split_once(':')?;
    let allowed = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
    };
    (allowed(name) && allowed(stream)).then(|| word.to_owned())
}

/// What a package URL says of the module stream: `rpmmod=nodejs:18`, encoded or not.
fn module_of_purl(purl: &str) -> Option<String> {
    let (_, qualifiers) = purl.split_once('?')?;
    let value = qualifiers.split(['&', '#']).find_map(|pair| pair.strip_prefix("rpmmod="))?;
    let module = value.replace("%3A", ":").replace("%3a", ":");
    let mut parts = module.split(':');
    let (name, stream) = (parts.next()?, parts.next()?);
    (text::is_name(name) && text::is_name(stream)).then(|| format!("{name}:{stream}"))
}

fn affected(
    raw: RawAffected,
    module: Option<&str>,
    advisory: &str,
) -> Result<Option<Affected>, Refused> {
    at_most(&raw.ranges, "ranges of a package", RANGES_MAX)?;
    at_most(&raw.versions, "versions of a package", VERSIONS_MAX)?;
    let Some(package) = raw.package else { return Ok(None) };
    let Some(ecosystem) = Ecosystem::of_advisory(&package.ecosystem) else { return Ok(None) };
    if !text::is_name(&package.name) {
        return Ok(None);
    }
    let mut ranges = Vec::new();
    for range in raw.ranges {
        at_most(&range.events, "events of a range", EVENTS_MAX)?;
        if range.kind == "GIT" {
            continue;
        }
        let mut events: Vec<Event> = range.events.into_iter().flat_map(events).collect();
        // GitHub names the last version that it knows of where there is no fix, and means it: later
        // ones are not flagged by itself either.
        let last = raw.database_specific.last_known_affected_version_range.as_deref();
        if advisory.starts_with("GHSA-")
            && events.iter().all(|event| matches!(event, Event::Introduced(_)))
            && let Some(last) = last
        {
            events.extend(last_known(last));
        }
        ranges.push(Range { events });
    }
    let words: Vec<&str> =
        raw.ecosystem_specific.words().chain(raw.database_specific.words()).collect();
    let is_rpm = ecosystem.package_type() == PackageType::Rpm;
    let module = package.purl.as_deref().and_then(module_of_purl).or(module.map(str::to_owned));
    Ok(Some(Affected {
        severity: words.iter().find_map(|word| Severity::of_word(word)),
        end_of_life: words.contains(&"end-of-life"),
        module: module.filter(|_| is_rpm),
        ecosystem: package.ecosystem,
        name: package.name,
        ranges,
        versions: raw.versions,
        architectures: Vec::new(),
    }))
}

fn events(raw: RawEvent) -> impl Iterator<Item = Event> {
    [
        raw.introduced.map(Event::Introduced),
        raw.fixed.map(Event::Fixed),
        raw.last_affected.map(Event::LastAffected),
        raw.limit.map(Event::Limit),
    ]
    .into_iter()
    .flatten()
}

fn last_known(range: &str) -> Option<Event> {
    let range = range.trim();
    if let Some(version) = range.strip_prefix("<=") {
        return Some(Event::LastAffected(version.trim().to_owned()));
    }
    Some(Event::Limit(range.strip_prefix('<')?.trim().to_owned()))
}

#[cfg(test)]
mod tests;
