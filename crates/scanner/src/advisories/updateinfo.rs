//! `updateinfo.xml`, in which RPM repositories list their updates. Amazon Linux and Oracle Linux
//! publish their advisories in it alone.
//!
//! The file is read as a stream: memory is one update, however long the list. An update becomes an
//! [`Advisory`] by which all older versions of its packages are affected.

use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event as Xml};

use super::ecosystem::Ecosystem;
use super::osv::{self, at_most};
use super::record::{Advisory, Affected, Event, Range};
use super::severity::Severity;
use crate::PackageType;
use crate::text;

/// Longest list that is read, in bytes, uncompressed. Amazon Linux 2's has about 100 MB.
pub const LIST_BYTES_MAX: u64 = 2 << 30;
/// Longest piece of markup or text, in bytes.
const PIECE_BYTES_MAX: u64 = 4 << 20;
/// Deepest element; real ones are seven deep.
const DEPTH_MAX: usize = 32;
/// Most packages of one update, over all architectures.
const PACKAGES_MAX: usize = 100_000;
/// Most addresses of one update that are looked at.
const LINKS_MAX: usize = 10_000;
/// Most architectures of one package; those beyond are dropped.
const ARCHITECTURES_MAX: usize = 64;
/// Longest text that is collected, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Why a list of updates cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UpdateinfoError {
    /// The ecosystem that its updates are for has no RPMs.
    #[error("{0} is not the ecosystem of a system with RPMs")]
    Ecosystem(String),
    /// Reading failed, or a limit was hit.
    #[error("the list of updates cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is no XML.
    #[error("the list of updates is not well-formed: {0}")]
    Xml(#[from] quick_xml::Error),
    /// It is something else, or ends too early.
    #[error("this is no list of updates")]
    Format,
}

/// What a list had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Updates {
    /// Security updates that were handed over.
    pub advisories: usize,
    /// Other updates.
    pub others: usize,
    /// Security updates that nothing can be made of.
    pub skipped: usize,
}

/// Reads a list of updates for an ecosystem (`Amazon Linux:2023`) and hands over those for security.
pub fn read(
    reader: impl BufRead,
    ecosystem: &str,
    mut each: impl FnMut(Advisory),
) -> Result<Updates, UpdateinfoError> {
    Ecosystem::of_advisory(ecosystem)
        .filter(|ecosystem| ecosystem.package_type() == PackageType::Rpm)
        .ok_or_else(|| UpdateinfoError::Ecosystem(ecosystem.to_owned()))?;
    let mut xml = Reader::from_reader(Bounded {
        inner: reader,
        piece: PIECE_BYTES_MAX,
        total: LIST_BYTES_MAX,
    });
    let mut found = Updates::default();
    let mut buffer = Vec::new();
    let mut path = Path::default();
    let mut update = Update::default();
    let mut text = String::new();
    let mut seen_root = false;
    loop {
        buffer.clear();
        xml.get_mut().piece = PIECE_BYTES_MAX;
        match xml.read_event_into(&mut buffer)? {
            Xml::Start(element) => {
                if path.ends.len() == DEPTH_MAX {
                    return Err(UpdateinfoError::Format);
                }
                path.push(element.name().0);
                seen_root |= path.text == "/updates";
                update.open(&path, &element);
                text.clear();
            }
            Xml::Empty(element) => {
                path.push(element.name().0);
                update.open(&path, &element);
                path.pop();
            }
            Xml::End(_) => {
                update.close(&path, text.trim());
                text.clear();
                if path.text == "/updates/update" {
                    let update = std::mem::take(&mut update);
                    match (update.is_security, update.advisory(ecosystem)) {
                        (false, _) => found.others += 1,
                        (true, None) => found.skipped += 1,
                        (true, Some(advisory)) => {
                            found.advisories += 1;
                            each(advisory);
                        }
                    }
                }
                path.pop();
            }
            Xml::Text(piece) if text.len() < TEXT_BYTES_MAX => {
                text.push_str(&piece);
            }
            Xml::CData(piece) if text.len() < TEXT_BYTES_MAX => {
                text.push_str(&piece);
            }
            Xml::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok().flatten();
                match (character, resolve_predefined_entity(&reference)) {
                    (Some(character), _) => text.push(character),
                    // No other entity is expanded: none needs to be, and none can grow.
                    (None, known) => text.push_str(known.unwrap_or_default()),
                }
            }
            Xml::Eof if path.ends.is_empty() && seen_root => return Ok(found),
            Xml::Eof => return Err(UpdateinfoError::Format),
            _ => {}
        }
    }
}

/// Where an element stands: the names of those around it and its own, each after a slash.
#[derive(Default)]
struct Path {
    text: String,
    ends: Vec<usize>,
}

impl Path {
    fn push(&mut self, name: &str) {
        self.ends.push(self.text.len());
        self.text.push('/');
        self.text.push_str(name);
    }

    fn pop(&mut self) {
        self.text.truncate(self.ends.pop().unwrap_or_default());
    }
}

/// An update as it is read.
#[derive(Default)]
struct Update {
    is_security: bool,
    id: String,
    title: String,
    severity: String,
    description: String,
    issued: Option<String>,
    updated: Option<String>,
    cves: Vec<String>,
    links: Vec<String>,
    module: Option<String>,
    packages: Vec<Built>,
}

/// A package that an update has, for one architecture.
struct Built {
    name: String,
    version: String,
    architecture: String,
    module: Option<String>,
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok().flatten()?;
    let value = quick_xml::escape::unescape(&attribute.value).ok()?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

impl Update {
    fn open(&mut self, path: &Path, element: &BytesStart<'_>) {
        match path.text.as_str() {
            "/updates/update" => {
                *self = Self::default();
                self.is_security = attribute(element, "type").as_deref() == Some("security");
            }
            "/updates/update/issued" => self.issued = attribute(element, "date"),
            "/updates/update/updated" => self.updated = attribute(element, "date"),
            "/updates/update/references/reference" => {
                let id = attribute(element, "id");
                let title = attribute(element, "title");
                let kind = attribute(element, "type");
                if kind.as_deref() == Some("cve") && self.cves.len() <= osv::IDS_MAX {
                    self.cves.extend([id, title].into_iter().flatten().find_map(|t| text::cve(&t)));
                }
                if self.links.len() < LINKS_MAX {
                    self.links.extend(attribute(element, "href"));
                }
            }
            "/updates/update/pkglist/collection" => self.module = None,
            "/updates/update/pkglist/collection/module" => {
                let name = attribute(element, "name");
                let stream = attribute(element, "stream");
                self.module = name.zip(stream).map(|(name, stream)| format!("{name}:{stream}"));
            }
            // One more than is kept makes the update unusable.
            "/updates/update/pkglist/collection/package" if self.packages.len() <= PACKAGES_MAX => {
                let part = |name| attribute(element, name).unwrap_or_default();
                let (epoch, version, release) = (part("epoch"), part("version"), part("release"));
                let epoch = match epoch.as_str() {
                    "" | "0" => String::new(),
                    other => format!("{other}:"),
                };
                let release = match release.as_str() {
                    "" => String::new(),
                    other => format!("-{other}"),
                };
                self.packages.push(Built {
                    name: part("name"),
                    version: format!("{epoch}{version}{release}"),
                    architecture: part("arch"),
                    module: self.module.clone(),
                });
            }
            _ => {}
        }
    }

    fn close(&mut self, path: &Path, text: &str) {
        let field = match path.text.as_str() {
            "/updates/update/id" => &mut self.id,
            "/updates/update/title" => &mut self.title,
            "/updates/update/severity" => &mut self.severity,
            "/updates/update/description" => &mut self.description,
            "/updates/update/issued" if self.issued.is_none() => {
                self.issued = Some(text.to_owned());
                return;
            }
            "/updates/update/updated" if self.updated.is_none() => {
                self.updated = Some(text.to_owned());
                return;
            }
            _ => return,
        };
        if field.is_empty() {
            text.clone_into(field);
        }
    }

    fn advisory(self, ecosystem: &str) -> Option<Advisory> {
        let usable = text::is_id(&self.id)
            && at_most(&self.packages, "packages", PACKAGES_MAX).is_ok()
            && at_most(&self.cves, "flaws", osv::IDS_MAX).is_ok();
        if !usable {
            return None;
        }
        // The same build is listed for every architecture and in every collection.
        let mut affected: Vec<Affected> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for built in self.packages {
            if built.architecture == "src" || !text::is_name(&built.name) {
                continue;
            }
            let key = (built.name.clone(), built.version.clone(), built.module.clone());
            let place = *places.entry(key).or_insert_with(|| {
                let events =
                    vec![Event::Introduced("0".to_owned()), Event::Fixed(built.version.clone())];
                affected.push(Affected {
                    ecosystem: ecosystem.to_owned(),
                    name: built.name.clone(),
                    ranges: vec![Range { events }],
                    module: built.module.clone(),
                    ..Affected::default()
                });
                affected.len() - 1
            });
            if let Some(affected) = affected.get_mut(place)
                && text::is_name(&built.architecture)
                && affected.architectures.len() < ARCHITECTURES_MAX
                && !affected.architectures.contains(&built.architecture)
            {
                affected.architectures.push(built.architecture);
            }
        }
        for affected in &mut affected {
            affected.architectures.sort();
        }
        let mut cves = self.cves;
        cves.sort();
        cves.dedup();
        let time = |text: Option<String>| text.as_deref().and_then(update_time);
        Some(Advisory {
            id: self.id,
            upstream: cves,
            summary: text::line(&self.title, osv::SUMMARY_BYTES_MAX),
            details: text::bounded(&self.description, osv::DETAILS_BYTES_MAX),
            published: time(self.issued.clone()),
            modified: time(self.updated).or(time(self.issued)),
            severity: Severity::of_word(&self.severity),
            affected,
            references: osv::links(self.links),
            ..Advisory::default()
        })
    }
}

/// Amazon Linux writes `2023-03-22 22:00`, and a `Z` after the seconds or not; others write seconds
/// since 1970.
fn update_time(text: &str) -> Option<i64> {
    let text = text.trim();
    text::millis(text)
        .or_else(|| text::millis(text.trim_end_matches('Z')))
        .or_else(|| text.parse::<i64>().ok()?.checked_mul(1_000))
}

/// A reader that gives so much for one piece of markup, and so much altogether.
struct Bounded<R> {
    inner: R,
    piece: u64,
    total: u64,
}

impl<R> Bounded<R> {
    fn left(&self) -> io::Result<usize> {
        let left = self.piece.min(self.total);
        if left == 0 {
            let what = if self.total == 0 { "the list" } else { "a piece of markup or text" };
            return Err(io::Error::other(format!("{what} is longer than is read")));
        }
        Ok(usize::try_from(left).unwrap_or(usize::MAX))
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..length), available.get(..length)) {
            into.copy_from_slice(from);
        }
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.inner.fill_buf()?.is_empty() {
            return Ok(&[]);
        }
        let left = self.left()?;
        let available = self.inner.fill_buf()?;
        Ok(available.get(..available.len().min(left)).unwrap_or_default())
    }

    fn consume(&mut self, length: usize) {
        self.piece = self.piece.saturating_sub(length as u64);
        self.total = self.total.saturating_sub(length as u64);
        self.inner.consume(length);
    }
}

#[cfg(test)]
mod tests;
