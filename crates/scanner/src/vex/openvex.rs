//! OpenVEX documents (specification 0.2.0; its first version, which named products and flaws by
//! plain texts, is read too).

use serde::Deserialize;

use super::{
    DOCUMENT_BYTES_MAX, Document, NOTE_BYTES_MAX, PRODUCTS_MAX, Product, STATEMENTS_MAX, Statement,
    Thing, VexStatus,
};
use crate::Purl;
use crate::advisories::Refused;
use crate::text::{self, lenient, list};

#[derive(Deserialize)]
struct Raw {
    #[serde(default, rename = "@id", deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    author: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_updated: Option<String>,
    statements: Vec<RawStatement>,
}

#[derive(Deserialize)]
struct RawStatement {
    vulnerability: Option<Flaw>,
    #[serde(default, deserialize_with = "list")]
    products: Vec<RawProduct>,
    #[serde(default, deserialize_with = "list")]
    subcomponents: Vec<RawProduct>,
    status: String,
    #[serde(default, deserialize_with = "lenient")]
    justification: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    impact_statement: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    action_statement: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_updated: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Flaw {
    Name(String),
    Object {
        #[serde(default, rename = "@id", deserialize_with = "lenient")]
        id: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        name: Option<String>,
        #[serde(default, deserialize_with = "list")]
        aliases: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawProduct {
    Id(String),
    Object {
        #[serde(default, rename = "@id", deserialize_with = "lenient")]
        id: Option<String>,
        #[serde(default)]
        identifiers: Option<Identifiers>,
        #[serde(default)]
        hashes: Option<serde_json::Map<String, serde_json::Value>>,
        #[serde(default, deserialize_with = "list")]
        subcomponents: Vec<RawProduct>,
    },
}

#[derive(Deserialize)]
struct Identifiers {
    #[serde(default, deserialize_with = "lenient")]
    purl: Option<String>,
}

/// Reads a document. Statements without a flaw, without products, or with a status that the
/// specification does not have are passed over; so are products that name nothing we know.
pub fn parse(bytes: &[u8]) -> Result<Document, Refused> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(Refused::TooLong { bytes: bytes.len(), max: DOCUMENT_BYTES_MAX });
    }
    let raw: Raw = serde_json::from_slice(bytes)?;
    if raw.statements.len() > STATEMENTS_MAX {
        let count = raw.statements.len();
        return Err(Refused::TooMany { what: "statements", count, max: STATEMENTS_MAX });
    }
    let mut named = 0;
    let mut statements = Vec::new();
    for raw in raw.statements {
        let statement = statement(raw, &mut named);
        if named > PRODUCTS_MAX {
            return Err(Refused::TooMany { what: "products", count: named, max: PRODUCTS_MAX });
        }
        statements.extend(statement);
    }
    let line = |text: Option<String>| text::line(text.as_deref().unwrap_or_default(), 1_024);
    let time = raw.last_updated.as_deref().and_then(text::millis);
    Ok(Document {
        id: line(raw.id),
        author: line(raw.author),
        issued: time.or_else(|| text::millis(raw.timestamp.as_deref()?)),
        statements,
    })
}

fn statement(raw: RawStatement, named: &mut usize) -> Option<Statement> {
    let status = VexStatus::parse(&raw.status)?;
    let flaws: Vec<String> = match raw.vulnerability? {
        Flaw::Name(name) => vec![name],
        Flaw::Object { id, name, aliases } => {
            [id, name].into_iter().flatten().chain(aliases).collect()
        }
    };
    // A flaw may be named by an address that ends in its name.
    let last = |name: String| name.rsplit('/').next().unwrap_or_default().to_owned();
    let flaws: Vec<String> = flaws.into_iter().map(last).filter(|name| text::is_id(name)).collect();
    let common: Vec<Thing> = raw.subcomponents.into_iter().map(|part| thing(&part)).collect();
    let mut products = Vec::new();
    for product in raw.products {
        let whole = thing(&product);
        let mut parts = match product {
            RawProduct::Object { subcomponents, .. } => subcomponents.iter().map(thing).collect(),
            RawProduct::Id(_) => Vec::new(),
        };
        parts.extend(common.iter().cloned());
        *named += 1 + parts.len();
        if *named > PRODUCTS_MAX {
            return None;
        }
        products.push(Product { whole, parts });
    }
    if flaws.is_empty() || products.is_empty() {
        return None;
    }
    let note = raw.impact_statement.or(raw.action_statement);
    let time = raw.last_updated.as_deref().and_then(text::millis);
    Some(Statement {
        flaws,
        products,
        status,
        justification: raw.justification.filter(|word| text::is_id(word)),
        note: text::bounded(note.as_deref().unwrap_or_default(), NOTE_BYTES_MAX),
        issued: time.or_else(|| text::millis(raw.timestamp.as_deref()?)),
    })
}

fn thing(product: &RawProduct) -> Thing {
    let (id, purl, hashes) = match product {
        RawProduct::Id(id) => (Some(id), None, None),
        RawProduct::Object { id, identifiers, hashes, .. } => {
            let purl = identifiers.as_ref().and_then(|identifiers| identifiers.purl.as_ref());
            (id.as_ref(), purl, hashes.as_ref())
        }
    };
    let mut thing = Thing::default();
    for text in [id, purl].into_iter().flatten() {
        if let Some(purl) = Purl::parse(text).filter(|purl| !thing.purls.contains(purl)) {
            thing.purls.push(purl);
        } else if let Some(digest) = digest_of(text) {
            thing.digests.push(digest);
        }
    }
    let digests = hashes.into_iter().flatten().filter_map(|(algorithm, value)| {
        let algorithm = algorithm.to_ascii_lowercase().replace('-', "");
        digest_of(&format!("{algorithm}:{}", value.as_str()?))
    });
    thing.digests.extend(digests);
    thing
}

/// An image may be named as `registry.example.org/app@sha256:…`, or by the digest alone.
pub(super) fn digest_of(text: &str) -> Option<String> {
    let digest = text.rsplit('@').next()?;
    let (algorithm, hash) = digest.split_once(':')?;
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return None,
    };
    let is_hash = hash.len() == length && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| format!("{algorithm}:{}", hash.to_ascii_lowercase()))
}
