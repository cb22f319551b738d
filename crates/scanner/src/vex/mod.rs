//! Statements of those who build software about flaws in it (VEX): whether an image, or a package
//! within it, is affected by a flaw that matching has found.
//!
//! Documents in two formats are read, [`openvex`] and [`csaf`], and become [`Statement`]s;
//! [`decide`] finds the one that speaks of a finding. Whose documents are believed is for the
//! caller to say: anybody can write one.

pub mod csaf;
pub mod openvex;

use crate::advisories::Refused;
use crate::{OsRelease, Package, Purl};

/// Longest document that is read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// Statements of one document.
pub const STATEMENTS_MAX: usize = 100_000;
/// Products and parts that the statements of one document name, each time they are named.
pub const PRODUCTS_MAX: usize = 1_000_000;
/// Longest note, in bytes.
const NOTE_BYTES_MAX: usize = 4 << 10;

/// What a statement says (the four states of VEX's minimum requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VexStatus {
    /// The flaw does not touch the product.
    NotAffected,
    /// The product contains a remedy.
    Fixed,
    /// The product is affected.
    Affected,
    /// Nobody knows yet.
    UnderInvestigation,
}

impl VexStatus {
    /// The word of OpenVEX.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Fixed => "fixed",
            Self::Affected => "affected",
            Self::UnderInvestigation => "under_investigation",
        }
    }

    /// The state that a word of OpenVEX stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::NotAffected, Self::Fixed, Self::Affected, Self::UnderInvestigation]
            .into_iter()
            .find(|status| status.as_str() == word)
    }

    /// Whether a finding need not be shown: the product is not affected, or no longer.
    pub fn suppresses(self) -> bool {
        matches!(self, Self::NotAffected | Self::Fixed)
    }
}

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its identifier.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// When it was last changed, in milliseconds since 1970 UTC.
    pub issued: Option<i64>,
    /// What it says, in its order.
    pub statements: Vec<Statement>,
}

/// What a document says of a flaw and some products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Names of the flaw.
    pub flaws: Vec<String>,
    /// The products.
    pub products: Vec<Product>,
    /// What it says.
    pub status: VexStatus,
    /// Why a product is not affected, in a word of OpenVEX (`vulnerable_code_not_present`).
    pub justification: Option<String>,
    /// Anything else, in words; may be empty.
    pub note: String,
    /// When it was said, in milliseconds since 1970 UTC; none for the time of the document.
    pub issued: Option<i64>,
}

/// What a statement is about: a product as a whole, or parts of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// The product.
    pub whole: Thing,
    /// The parts of it that are meant; none for all of it.
    pub parts: Vec<Thing>,
}

/// Something that statements can be about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    /// Its package URLs.
    pub purls: Vec<Purl>,
    /// Its digests: `sha256:…`.
    pub digests: Vec<String>,
}

/// Where an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A repository with its host: `registry.example.org/team/app`.
    At(&'a str),
    /// A repository of a registry that is reached by any host: `team/app`. A statement that names no
    /// host is about the repositories of its name, whatever stands before the last slash.
    Named(&'a str),
}

/// A finding's place: a package in an image.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// Digests by which the image may be named: its own, and those of the indexes it is in.
    pub digests: &'a [&'a str],
    /// The image's repository. None if no statement about an unnamed digest of a repository should
    /// count.
    pub repository: Option<Place<'a>>,
    /// Package URLs of the package, and of the source package that it was built from.
    pub package: Vec<Purl>,
}

/// What VEX says of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The statement that decides.
    pub statement: &'a Statement,
    /// The document that it is from.
    pub document: &'a Document,
}

impl<'a> Target<'a> {
    /// The place of a package in an image.
    pub fn new(
        digests: &'a [&'a str],
        repository: Option<Place<'a>>,
        package: &Package,
        os: Option<&OsRelease>,
    ) -> Self {
        let package = package.purls(os);
        let package = package.iter().filter_map(|purl| Purl::parse(purl)).collect();
        Self { digests, repository, package }
    }

    fn is_package(&self, thing: &Thing) -> bool {
        let named = |purl: &Purl| self.package.iter().any(|package| purl.covers(package));
        thing.purls.iter().any(named)
    }

    fn is_image(&self, thing: &Thing) -> bool {
        thing.digests.iter().any(|digest| self.digests.contains(&&**digest))
            || thing.purls.iter().any(|purl| self.is_image_purl(purl))
    }

    /// `pkg:oci/app@sha256:…?repository_url=registry.example.org/team/app` (purl specification,
    /// "oci"): a digest names the image; without one it is the repository that is named.
    fn is_image_purl(&self, purl: &Purl) -> bool {
        if purl.kind != "oci" {
            return false;
        }
        if let Some(version) = &purl.version {
            return self.digests.contains(&&**version);
        }
        let Some(place) = self.repository else { return false };
        let (Place::At(repository) | Place::Named(repository)) = place;
        let last = repository.rsplit('/').next().unwrap_or_default();
        let url = purl.qualifiers.get("repository_url").map(|url| {
            url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/')
        });
        // A tag moves; what was said of one is not known to be about this image.
        if purl.qualifiers.contains_key("tag") || !purl.name.eq_ignore_ascii_case(last) {
            return false;
        }
        match (place, url) {
            (Place::At(_), None) => false,
            (Place::Named(_), None) => true,
            (Place::At(_), Some(url)) => url.eq_ignore_ascii_case(repository),
            (Place::Named(_), Some(url)) => {
                let path = url.split_once('/').map_or("", |(_, path)| path);
                url.eq_ignore_ascii_case(repository) || path.eq_ignore_ascii_case(repository)
            }
        }
    }

    /// Whether a statement about a product is about this: it names the image, and the package among
    /// its parts if it names any; or it names the package as a product of its own.
    fn is(&self, product: &Product) -> bool {
        if self.is_image(&product.whole) {
            return product.parts.is_empty() || product.parts.iter().any(|p| self.is_package(p));
        }
        product.parts.is_empty() && self.is_package(&product.whole)
    }
}

/// What the newest statement says of a flaw, by any of its names, in a place. Of statements of the
/// same time the last one counts, documents being in the order of the slice; one without a time is
/// older than all others.
pub fn decide<'a>(
    documents: &'a [Document],
    flaw: &[&str],
    target: &Target<'_>,
) -> Option<Decision<'a>> {
    let named = |statement: &Statement| {
        statement.flaws.iter().any(|name| flaw.iter().any(|other| name.eq_ignore_ascii_case(other)))
    };
    documents
        .iter()
        .flat_map(|document| {
            document.statements.iter().map(move |s| Decision { statement: s, document })
        })
        .filter(|decision| named(decision.statement))
        .filter(|decision| decision.statement.products.iter().any(|product| target.is(product)))
        .max_by_key(|decision| decision.statement.issued.or(decision.document.issued))
}

/// Reads a document of either format.
pub fn parse(bytes: &[u8]) -> Result<Document, Refused> {
    #[derive(serde::Deserialize)]
    struct Probe {
        document: Option<serde::de::IgnoredAny>,
    }
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(Refused::TooLong { bytes: bytes.len(), max: DOCUMENT_BYTES_MAX });
    }
    let probe: Probe = serde_json::from_slice(bytes)?;
    if probe.document.is_some() { csaf::parse(bytes) } else { openvex::parse(bytes) }
}

#[cfg(test)]
mod tests;
