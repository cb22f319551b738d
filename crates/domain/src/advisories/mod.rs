//! What is known of weaknesses: advisories, and what the CVE list, EPSS and CISA's catalogue of
//! exploited flaws say beside them.
//!
//! Advisories come from [`source::Source`]s that the operator names; [`sync::SyncSource`] reads them.
//! Scanning asks for [`candidates`] by ecosystem and name, keeps which advisories
//! affect which package, and [`describe`]s them when somebody asks for findings. [`changes`] says
//! which packages have to be matched again.

mod artifact;
mod changes_list;
mod import;
pub mod operations;
pub mod settings;
pub mod source;
pub mod sync;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use tonnage_scanner::advisories::{Advisory, Cvss, Opinion, Rating, rate};

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::{FromColumn, Value};
use crate::params;

/// Most candidates of one question. Debian's kernel, of which the most is known, has some 10,000.
const CANDIDATES_MAX: usize = 200_000;
/// How many names or identifiers one statement asks for.
const CHUNK: usize = 200;
/// How many rows one statement describes; 0 is the row of none.
const TOGETHER: usize = 16;

/// An advisory's row. One that is imported again keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvisoryId(pub i64);

impl From<AdvisoryId> for Value {
    fn from(id: AdvisoryId) -> Self {
        Self::Int(id.0)
    }
}

impl FromColumn for AdvisoryId {
    fn from_column(value: &Value) -> Option<Self> {
        i64::from_column(value).map(Self)
    }
}

/// What an advisory says of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which advisory.
    pub advisory: AdvisoryId,
    /// The advisory's identifier, as its publisher has it.
    pub identifier: String,
    /// The package's name in the ecosystem's normal spelling: one of those asked for.
    pub name: String,
    /// [`tonnage_scanner::advisories::Rules`], encoded.
    pub rules: String,
}

/// What advisories say of the packages of these names, in the order of names and advisories. The
/// names are in the ecosystem's normal spelling.
///
/// # Errors
/// When there are more than can be looked at; ask for fewer names at a time.
pub async fn candidates(tx: &mut Tx, ecosystem: &str, names: &[&str]) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    let names: BTreeSet<&str> = names.iter().copied().collect();
    let names: Vec<&str> = names.into_iter().collect();
    for chunk in names.chunks(CHUNK) {
        let left = CANDIDATES_MAX.saturating_sub(candidates.len());
        let rows = tx
            .all(
                "SELECT e.advisory_id, a.identifier, e.name, e.rules FROM advisory_entries e \
                 JOIN advisories a ON a.id = e.advisory_id \
                 WHERE e.ecosystem = $1 AND e.name IN_LIST($2) \
                 ORDER BY e.name, e.advisory_id LIMIT $3",
                params![ecosystem, Value::list(chunk), left + 1],
            )
            .await?;
        if rows.len() > left {
            return Err(Error::internal(format!(
                "more than {CANDIDATES_MAX} advisories speak of {} packages of {ecosystem}",
                names.len()
            )));
        }
        for row in &rows {
            candidates.push(Candidate {
                advisory: row.get(0)?,
                identifier: row.get(1)?,
                name: row.get(2)?,
                rules: row.get(3)?,
            });
        }
    }
    Ok(candidates)
}

/// An advisory with what else is known of its flaws.
#[derive(Clone, Debug, PartialEq)]
pub struct AdvisoryRecord {
    /// Its row.
    pub id: AdvisoryId,
    /// The name of the source that it came from.
    pub source: String,
    /// The licence of the source, as the operator wrote it.
    pub licence: Option<String>,
    /// What it says; `affected` is empty.
    pub advisory: Advisory,
    /// The flaws of the CVE list that it is about, in order.
    pub flaws: Vec<Flaw>,
}

/// What is known of a flaw beside advisories.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flaw {
    /// Its identifier in the CVE list.
    pub cve: String,
    /// Its record in that list.
    pub record: Option<CveRecord>,
    /// How likely it is exploited.
    pub epss: Option<Epss>,
    /// Set when it is known to be exploited.
    pub exploited: Option<KnownExploited>,
}

/// What the CVE list says of a flaw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CveRecord {
    /// One line; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When it was published, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<i64>,
    /// When it was last changed, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<i64>,
    /// Vectors, at most one of each version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cvss: Vec<Cvss>,
    /// Kinds of weakness (`CWE-79`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwes: Vec<String>,
    /// Addresses, http or https.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
}

/// A score of EPSS.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epss {
    /// The probability that the flaw is exploited within 30 days, from 0 to 1.
    pub score: f64,
    /// The part of all flaws that have this score or less, from 0 to 1.
    pub percentile: f64,
}

/// An entry of CISA's catalogue of exploited flaws.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownExploited {
    /// The catalogue's name for the flaw.
    pub name: String,
    /// When it was added, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<i64>,
    /// Until when agencies have to act, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
    /// What they have to do.
    pub action: String,
    /// Whether it is known to be used for ransom.
    pub ransomware: bool,
}

impl AdvisoryRecord {
    /// The flaws of the CVE list that it is about.
    pub fn cves(&self) -> impl Iterator<Item = &str> {
        self.flaws.iter().map(|flaw| flaw.cve.as_str())
    }

    /// What it and the CVE list say of the severity, to be weighed by
    /// [`rate`]: its own word first.
    pub fn opinions(&self) -> impl Iterator<Item = Opinion<'_>> {
        let own = Opinion {
            source: &self.advisory.id,
            word: self.advisory.severity,
            cvss: &self.advisory.cvss,
        };
        let others = self.flaws.iter().filter_map(|flaw| {
            Some(Opinion { source: &flaw.cve, word: None, cvss: &flaw.record.as_ref()?.cvss })
        });
        std::iter::once(own).chain(others)
    }

    /// How bad it is, all opinions taken together.
    pub fn rating(&self) -> Rating {
        rate(self.opinions())
    }

    /// A text that says what it is about: its own, or else that of the CVE list. May be empty.
    pub fn description(&self) -> &str {
        let records = || self.flaws.iter().filter_map(|flaw| flaw.record.as_ref());
        [&*self.advisory.details, &*self.advisory.summary]
            .into_iter()
            .chain(records().map(|record| &*record.description))
            .chain(records().map(|record| &*record.title))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    }
}

/// Describes advisories, in the order of their rows, each once. One that is there no more is left out.
///
/// # Errors
/// When the database fails.
pub async fn describe(tx: &mut Tx, ids: &[AdvisoryId]) -> Result<Vec<AdvisoryRecord>> {
    let ids: BTreeSet<AdvisoryId> = ids.iter().copied().collect();
    let ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
    let mut records = Vec::new();
    for chunk in ids.chunks(TOGETHER) {
        let mut together = [0; TOGETHER];
        for (place, id) in together.iter_mut().zip(chunk) {
            *place = *id;
        }
        let rows = tx
            .all(
                "SELECT a.id, a.source, s.licence, a.document FROM advisories a \
                 JOIN advisory_sources s ON s.name = a.source \
                 WHERE a.id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
                 $16) ORDER BY a.id",
                &together.map(Value::Int),
            )
            .await?;
        for row in &rows {
            let advisory: Advisory = stored(&row.get::<String>(3)?)?;
            let cves = advisory.cves();
            records.push(AdvisoryRecord {
                id: row.get(0)?,
                source: row.get(1)?,
                licence: row.get(2)?,
                advisory,
                flaws: cves.into_iter().map(|cve| Flaw { cve, ..Flaw::default() }).collect(),
            });
        }
    }
    let cves: BTreeSet<&str> = records.iter().flat_map(AdvisoryRecord::cves).collect();
    let cves: Vec<&str> = cves.into_iter().collect();
    let known = flaws(tx, &cves).await?;
    for flaw in records.iter_mut().flat_map(|record| &mut record.flaws) {
        if let Some(known) = known.get(&flaw.cve) {
            *flaw = known.clone();
        }
    }
    Ok(records)
}

/// What is known of flaws beside advisories, by their identifiers in the CVE list.
///
/// # Errors
/// When the database fails.
pub async fn flaws(tx: &mut Tx, cves: &[&str]) -> Result<HashMap<String, Flaw>> {
    let mut known: HashMap<String, Flaw> = HashMap::new();
    for chunk in cves.chunks(CHUNK) {
        let rows = tx
            .all(
                "SELECT f.cve, s.kind, f.document FROM flaw_records f \
                 JOIN advisory_sources s ON s.name = f.source \
                 WHERE f.cve IN_LIST($1) ORDER BY f.cve, f.source",
                params![Value::list(chunk)],
            )
            .await?;
        for row in &rows {
            let cve: String = row.get(0)?;
            let document: String = row.get(2)?;
            let flaw = known.entry(cve.clone()).or_insert_with(|| Flaw { cve, ..Flaw::default() });
            match row.get::<String>(1)?.as_str() {
                "cve" => flaw.record = Some(stored(&document)?),
                "epss" => flaw.epss = Some(stored(&document)?),
                "kev" => flaw.exploited = Some(stored(&document)?),
                other => return Err(Error::internal(format!("stored kind of a source {other}"))),
            }
        }
    }
    Ok(known)
}

fn stored<T: serde::de::DeserializeOwned>(document: &str) -> Result<T> {
    serde_json::from_str(document).map_err(Error::internal)
}

/// A place in the order of changes. 0 is before all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub i64);

impl From<Sequence> for Value {
    fn from(sequence: Sequence) -> Self {
        Self::Int(sequence.0)
    }
}

impl FromColumn for Sequence {
    fn from_column(value: &Value) -> Option<Self> {
        i64::from_column(value).map(Self)
    }
}

/// Packages that something else has been said of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Names by ecosystem, both in their normal spelling.
    pub packages: BTreeMap<String, BTreeSet<String>>,
    /// Where to go on: after the last change in this answer.
    pub next: Sequence,
    /// Whether there are more.
    pub more: bool,
}

/// Which packages have to be matched again: those of which advisories said something else since
/// `after`, or of whose flaws the CVE list rates one differently. At most `limit`, and none that
/// changed after `until`; a package that changed several times is there once.
///
/// # Errors
/// When the database fails.
pub async fn changes(
    tx: &mut Tx,
    (after, until): (Sequence, Sequence),
    limit: usize,
) -> Result<Changes> {
    let rows = tx
        .all(
            "SELECT ecosystem, name, sequence FROM advisory_changes \
             WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3",
            params![after, until, limit.saturating_add(1)],
        )
        .await?;
    let more = rows.len() > limit;
    let mut changes = Changes { packages: BTreeMap::new(), next: after, more };
    for row in rows.iter().take(limit) {
        let names = changes.packages.entry(row.get(0)?).or_default();
        names.insert(row.get(1)?);
        changes.next = row.get(2)?;
    }
    Ok(changes)
}

/// The packages that advisories about these flaws speak of: ecosystem and name. A flaw is named by
/// the CVE list, else by one of the advisories.
///
/// # Errors
/// When the database fails.
pub async fn packages_with(
    tx: &mut Tx,
    flaws: &BTreeSet<String>,
) -> Result<BTreeSet<(String, String)>> {
    let mut packages = BTreeSet::new();
    let flaws: Vec<&String> = flaws.iter().collect();
    for chunk in flaws.chunks(CHUNK) {
        let rows = tx
            .all(
                "SELECT ecosystem, name FROM advisory_entries WHERE advisory_id IN \
                 (SELECT advisory_id FROM advisory_cves WHERE cve IN_LIST($1) UNION ALL \
                 SELECT id FROM advisories WHERE source IN (SELECT name FROM advisory_sources) \
                 AND identifier IN_LIST($1))",
                params![Value::list(chunk)],
            )
            .await?;
        for row in &rows {
            packages.insert((row.get(0)?, row.get(1)?));
        }
    }
    Ok(packages)
}

/// The sequence of the newest change: what is matched in the same snapshot needs no earlier one.
///
/// # Errors
/// When the database fails.
pub async fn newest(tx: &mut Tx) -> Result<Sequence> {
    let row = tx.optional("SELECT sequence FROM advisory_sequence WHERE id = 1", &[]).await?;
    row.map_or(Ok(Sequence::default()), |row| Ok(row.get(0)?))
}

/// As of when what is known is: when the newest advisories were published or fetched. None while
/// there are none.
///
/// # Errors
/// When the database fails.
pub async fn updated_at(tx: &mut Tx) -> Result<Option<Millis>> {
    let row = tx
        .optional(
            "SELECT MAX(COALESCE(released_at, imported_at)) FROM advisory_sources \
             WHERE imported_at IS NOT NULL AND kind IN ('osv', 'updateinfo')",
            &[],
        )
        .await?;
    row.map_or(Ok(None), |row| Ok(row.get(0)?))
}
