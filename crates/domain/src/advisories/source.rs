//! Where advisories come from: what the operator names, and how it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tonnage_scanner::PackageType;
use tonnage_scanner::advisories::bundle::{self, Limits};
use tonnage_scanner::advisories::{Advisory, Ecosystem, feeds, osv, updateinfo};

use super::{CveRecord, Epss, KnownExploited, changes_list};
use crate::names::{Reference, RepositoryName};
use crate::pull_through::registries::is_host;

/// Longest name of a source, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Longest value of another field, in bytes.
const FIELD_BYTES_MAX: usize = 2_048;
/// Most bytes of a list, uncompressed.
const LIST_BYTES_MAX: u64 = 2 << 30;

const FIELDS: [&str; 7] =
    ["name", "kind", "location", "ecosystem", "sha256", "licence", "credential_file"];

/// A source of advisories, or of what is known of flaws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called.
    pub name: String,
    /// What it has.
    pub kind: SourceKind,
    /// Where it is.
    pub location: Location,
    /// The checksum that its file has to have, in lower case hex.
    pub sha256: Option<String>,
    /// The licence of its data, to be shown with them.
    pub licence: Option<String>,
}

/// What a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Records of the OSV schema: a directory, a zip file or a tar archive.
    Osv,
    /// `updateinfo.xml`, plain or compressed with gzip, for this ecosystem.
    Updateinfo(String),
    /// Records of the CVE list, format 5: a directory, a zip file or a tar archive.
    Cve,
    /// EPSS scores: a CSV file, plain or compressed with gzip.
    Epss,
    /// CISA's catalogue of exploited flaws: a JSON file.
    Kev,
}

impl SourceKind {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Osv => "osv",
            Self::Updateinfo(_) => "updateinfo",
            Self::Cve => "cve",
            Self::Epss => "epss",
            Self::Kev => "kev",
        }
    }

    /// Whether it has advisories, and not what is known beside them.
    pub fn has_advisories(&self) -> bool {
        matches!(self, Self::Osv | Self::Updateinfo(_))
    }
}

/// Where a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file or directory of the server's machine.
    Path(PathBuf),
    /// A file that is fetched.
    Url(String),
    /// An artifact of a registry, whose only layer is the file.
    Artifact(Artifact),
}

/// An artifact of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Scheme, host and perhaps a port of the registry.
    pub url: String,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag or the digest.
    pub reference: Reference,
    /// A file with `USER:PASSWORD`; an anonymous request otherwise.
    pub credential_file: Option<PathBuf>,
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(formatter),
            Self::Url(url) => formatter.write_str(url),
            Self::Artifact(Artifact { url, repository, reference, .. }) => {
                let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host);
                let separator = if reference.digest().is_some() { '@' } else { ':' };
                write!(formatter, "oci://{host}/{repository}{separator}{reference}")
            }
        }
    }
}

/// Why a text names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(String);

impl Source {
    /// Reads `name=debian,kind=osv,location=https://…`, with `ecosystem`, `sha256` and `licence`
    /// where they are wanted.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let wrong = |reason: String| SourceError(reason);
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        for field in text.split(',') {
            let (key, value) = field.split_once('=').ok_or_else(|| {
                wrong(format!("{field:?} is not `KEY=VALUE`; values have no commas"))
            })?;
            let (key, value) = (key.trim(), value.trim());
            if !FIELDS.contains(&key) {
                return Err(wrong(format!("{key:?} is none of {}", FIELDS.join(", "))));
            }
            if value.is_empty() || value.len() > FIELD_BYTES_MAX {
                return Err(wrong(format!(
                    "{key} is empty, or longer than {FIELD_BYTES_MAX} bytes"
                )));
            }
            if fields.insert(key, value).is_some() {
                return Err(wrong(format!("{key} is there twice")));
            }
        }
        let wanted = |key: &str| fields.get(key).copied();
        let needed = |key: &str| wanted(key).ok_or_else(|| wrong(format!("{key} is missing")));

        let name = needed("name")?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
            return Err(wrong(format!(
                "the name {name:?} is not 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -"
            )));
        }
        let ecosystem = wanted("ecosystem");
        let kind = match needed("kind")? {
            "osv" => SourceKind::Osv,
            "cve" => SourceKind::Cve,
            "epss" => SourceKind::Epss,
            "kev" => SourceKind::Kev,
            "updateinfo" => {
                let ecosystem = needed("ecosystem")?;
                Ecosystem::of_advisory(ecosystem)
                    .filter(|ecosystem| ecosystem.package_type() == PackageType::Rpm)
                    .ok_or_else(|| {
                        wrong(format!(
                            "{ecosystem:?} is not the ecosystem of a system with RPMs, such as \
                             `Amazon Linux:2023`"
                        ))
                    })?;
                SourceKind::Updateinfo(ecosystem.to_owned())
            }
            other => {
                return Err(wrong(format!(
                    "the kind {other:?} is none of osv, updateinfo, cve, epss, kev"
                )));
            }
        };
        if ecosystem.is_some() && !matches!(kind, SourceKind::Updateinfo(_)) {
            return Err(wrong("only updateinfo takes an ecosystem".to_owned()));
        }
        let location = needed("location")?;
        let location = match location.split_once("://") {
            Some(("https" | "http", _)) => Location::Url(location.to_owned()),
            Some(("oci", rest)) => {
                let credential_file = wanted("credential_file").map(PathBuf::from);
                Location::Artifact(artifact(rest, credential_file).map_err(wrong)?)
            }
            Some((scheme, _)) => {
                return Err(wrong(format!("the location has the scheme {scheme:?}, not https")));
            }
            None => Location::Path(PathBuf::from(location)),
        };
        if wanted("credential_file").is_some() && !matches!(location, Location::Artifact(_)) {
            return Err(wrong("only a location of the form oci:// takes a credential".to_owned()));
        }
        let is_list = match &location {
            Location::Url(url) => changes_list::is_list(url),
            Location::Path(path) => changes_list::is_list_path(path),
            Location::Artifact(_) => false,
        };
        let can_list = matches!(location, Location::Url(_)) && kind == SourceKind::Osv;
        if is_list && (!can_list || wanted("sha256").is_some()) {
            return Err(wrong(
                "a list of changes (modified_id.csv) is an https URL of the kind osv, and has no \
                 checksum"
                    .to_owned(),
            ));
        }
        let sha256 = wanted("sha256").map(str::to_ascii_lowercase);
        if let Some(sha256) = &sha256
            && (sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(wrong(format!("{sha256:?} is not 64 hexadecimal digits")));
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            location,
            sha256,
            licence: wanted("licence").map(str::to_owned),
        })
    }
}

/// Reads `HOST/REPOSITORY:TAG` or `HOST/REPOSITORY@DIGEST`. This machine is asked without TLS.
fn artifact(text: &str, credential_file: Option<PathBuf>) -> Result<Artifact, String> {
    let wrong =
        || format!("the location \"oci://{text}\" is not oci://HOST/REPOSITORY:TAG or …@DIGEST");
    let (host, rest) = text.split_once('/').ok_or_else(wrong)?;
    let (repository, reference) =
        rest.split_once('@').or_else(|| rest.rsplit_once(':')).ok_or_else(wrong)?;
    let port = host.strip_prefix("[::1]");
    let is_port = |port: &str| {
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
    };
    let is_host = port.map_or_else(|| is_host(host), is_port);
    let name = host.split(':').next().unwrap_or_default();
    let is_here = port.is_some() || name == "localhost" || name.starts_with("127.");
    if !is_host {
        return Err(wrong());
    }
    Ok(Artifact {
        url: format!("{}://{host}", if is_here { "http" } else { "https" }),
        repository: RepositoryName::parse(repository).map_err(|_| wrong())?,
        reference: Reference::parse(reference).map_err(|_| wrong())?,
        credential_file,
    })
}

/// What is known of a file that was fetched before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its entity tag.
    pub etag: Option<String>,
    /// When it was last changed, as its server writes it.
    pub last_modified: Option<String>,
}

/// What came of fetching.
pub enum Fetched {
    /// It is the one that is known.
    Unchanged,
    /// Another one.
    File {
        /// Where it is; gone when this is dropped.
        file: tempfile::TempPath,
        /// What to ask with the next time.
        known: Known,
    },
}

/// How files of advisories are fetched.
pub trait Downloads: Send + Sync {
    /// The file at `url` of at most `bytes_max` bytes, unless it is the one that is known; an error is
    /// a sentence for the operator.
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        known: &'a Known,
        bytes_max: u64,
    ) -> BoxFuture<'a, Result<Fetched, String>>;
}

/// Reaches nobody.
pub(crate) struct NoDownloads;

impl Downloads for NoDownloads {
    fn fetch<'a>(
        &'a self,
        _url: &'a str,
        _known: &'a Known,
        _bytes_max: u64,
    ) -> BoxFuture<'a, Result<Fetched, String>> {
        Box::pin(async { Err("fetching advisories is not set up".to_owned()) })
    }
}

/// One record of a source.
#[derive(Debug)]
pub(super) struct Record {
    /// The identifier of the advisory, or that of the flaw.
    pub(super) key: String,
    /// Of everything that it says.
    pub(super) hash: String,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Advisory(Box<Advisory>),
    /// What is known of a flaw.
    Known(String),
}

/// What a source said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Records of which nothing can be made.
    pub(super) skipped: usize,
    /// When it was made, in milliseconds since 1970 UTC.
    pub(super) released: Option<i64>,
}

fn hash(content: &impl Serialize) -> Option<String> {
    let text = serde_json::to_vec(content).ok()?;
    let digest = Sha256::digest(text);
    Some(hex::encode(digest.get(..16)?))
}

fn advisory(advisory: Advisory) -> Option<Record> {
    let hash = hash(&advisory)?;
    let key = advisory.id.clone();
    Some(Record { key, hash, content: Content::Advisory(Box::new(advisory)) })
}

fn known(cve: String, document: &impl Serialize) -> Option<Record> {
    let content = Content::Known(serde_json::to_string(document).ok()?);
    Some(Record { key: cve, hash: hash(document)?, content })
}

/// Reads a source to its end, or until `each` says `false`. Blocks.
pub(super) fn read(
    kind: &SourceKind,
    path: &Path,
    mut each: impl FnMut(Record) -> bool,
) -> Result<Summary, String> {
    let mut summary = Summary::default();
    let open = || File::open(path).map(BufReader::new).map_err(|error| at(path, &error));
    match kind {
        SourceKind::Osv => {
            bundle::read(path, Limits::default(), |file| {
                let parsed = file.bytes.ok().and_then(|bytes| osv::parse(&bytes).ok());
                let Some(parsed) = parsed else {
                    summary.skipped += 1;
                    return true;
                };
                summary.released = summary.released.max(parsed.modified);
                advisory(parsed).is_none_or(&mut each)
            })
            .map_err(|error| error.to_string())?;
        }
        SourceKind::Cve => {
            bundle::read(path, Limits::default(), |file| {
                let parsed = file.bytes.ok().and_then(|bytes| feeds::cve(&bytes).ok());
                let Some(parsed) = parsed else {
                    summary.skipped += 1;
                    return true;
                };
                summary.released = summary.released.max(parsed.modified);
                if parsed.rejected {
                    return true;
                }
                let record = CveRecord {
                    title: parsed.title,
                    description: parsed.description,
                    published: parsed.published,
                    modified: parsed.modified,
                    cvss: parsed.cvss,
                    cwes: parsed.cwes,
                    references: parsed.references,
                };
                known(parsed.cve, &record).is_none_or(&mut each)
            })
            .map_err(|error| error.to_string())?;
        }
        SourceKind::Updateinfo(ecosystem) => {
            let list = bundle::decompressed(open()?, LIST_BYTES_MAX);
            let list = list.map_err(|error| error.to_string())?;
            let mut going = true;
            let found = updateinfo::read(list, ecosystem, |parsed| {
                summary.released = summary.released.max(parsed.modified.or(parsed.published));
                if going {
                    going = advisory(parsed).is_none_or(&mut each);
                }
            })
            .map_err(|error| error.to_string())?;
            summary.skipped = found.skipped;
        }
        SourceKind::Epss => {
            let list = bundle::decompressed(open()?, LIST_BYTES_MAX);
            let list = list.map_err(|error| error.to_string())?;
            let mut going = true;
            let found = feeds::epss(list, |score| {
                let document = Epss { score: score.score, percentile: score.percentile };
                if going {
                    going = known(score.cve, &document).is_none_or(&mut each);
                }
            })
            .map_err(|error| error.to_string())?;
            summary = Summary { skipped: found.skipped, released: found.date };
        }
        SourceKind::Kev => {
            let mut bytes = Vec::new();
            let limit = feeds::KEV_BYTES_MAX as u64 + 1;
            open()?.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            let catalogue = feeds::kev(&bytes).map_err(|error| error.to_string())?;
            summary = Summary { skipped: catalogue.skipped, released: catalogue.released };
            for flaw in catalogue.exploited {
                let document = KnownExploited {
                    name: flaw.name,
                    added: flaw.added,
                    due: flaw.due,
                    action: flaw.action,
                    ransomware: flaw.ransomware,
                };
                if !known(flaw.cve, &document).is_none_or(&mut each) {
                    break;
                }
            }
        }
    }
    Ok(summary)
}

/// The checksum of a file; none of a directory. Blocks.
pub(super) fn checksum(path: &Path) -> Result<Option<String>, String> {
    let checksum = || {
        if std::fs::metadata(path)?.is_dir() {
            return Ok(None);
        }
        bundle::sha256(BufReader::new(File::open(path)?)).map(Some)
    };
    checksum().map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_say_what_is_wrong_with_them() {
        let sha = "0123456789abcdef".repeat(4);
        for (text, wrong) in [
            ("name=debian,kind=osv,location=https://example.com/all.zip".to_owned(), None),
            ("name=a,kind=osv,location=/srv/osv, licence=CC-BY-4.0".to_owned(), None),
            (format!("name=a,kind=kev,location=kev.json,sha256={sha}"), None),
            (
                "name=al,kind=updateinfo,ecosystem=Amazon Linux:2023,location=u.xml.gz".to_owned(),
                None,
            ),
            ("debian".to_owned(), Some("is not `KEY=VALUE`")),
            ("name=A,kind=osv,location=x".to_owned(), Some("of a-z, 0-9 and -")),
            ("kind=osv,location=x".to_owned(), Some("name is missing")),
            ("name=a,location=x".to_owned(), Some("kind is missing")),
            ("name=a,kind=osv".to_owned(), Some("location is missing")),
            ("name=a,kind=nvd,location=x".to_owned(), Some("none of osv,")),
            ("name=a,kind=osv,kind=osv,location=x".to_owned(), Some("twice")),
            ("name=a,kind=osv,location=".to_owned(), Some("empty")),
            ("name=a,kind=osv,location=ftp://x".to_owned(), Some("not https")),
            ("name=a,kind=osv,location=x,color=red".to_owned(), Some("none of name,")),
            ("name=a,kind=osv,location=x,sha256=12".to_owned(), Some("64 hexadecimal")),
            ("name=a,kind=updateinfo,location=x".to_owned(), Some("ecosystem is missing")),
            (
                "name=a,kind=updateinfo,ecosystem=npm,location=x".to_owned(),
                Some("a system with RPMs"),
            ),
            ("name=a,kind=osv,ecosystem=npm,location=x".to_owned(), Some("only updateinfo")),
            ("name=a,kind=osv,location=oci://a.example/osv/debian:latest".to_owned(), None),
            (format!("name=a,kind=osv,location=oci://[::1]:5000/osv@sha256:{sha}"), None),
            ("name=a,kind=osv,location=oci://a.example/osv".to_owned(), Some("is not oci://")),
            ("name=a,kind=osv,location=oci://a.example".to_owned(), Some("is not oci://")),
            ("name=a,kind=osv,location=oci://u@a.example/b:c".to_owned(), Some("is not oci://")),
            ("name=a,kind=osv,location=oci://a.example/B:c".to_owned(), Some("is not oci://")),
            ("name=a,kind=osv,location=x,credential_file=/c".to_owned(), Some("form oci://")),
            ("name=a,kind=osv,location=https://a/npm/modified_id.csv".to_owned(), None),
            ("name=a,kind=cve,location=https://a/modified_id.csv".to_owned(), Some("kind osv")),
            ("name=a,kind=osv,location=/a/modified_id.csv".to_owned(), Some("kind osv")),
            (
                format!("name=a,kind=osv,location=https://a/modified_id.csv,sha256={sha}"),
                Some("no checksum"),
            ),
        ] {
            match (Source::parse(&text), wrong) {
                (Ok(_), None) => {}
                (Err(error), Some(wrong)) => {
                    assert!(error.to_string().contains(wrong), "{text}: {error}");
                }
                (parsed, _) => panic!("{text}: {parsed:?}"),
            }
        }
    }
}
