//! CSAF documents (version 2.0), profile VEX and those that contain it.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::openvex::digest_of;
use super::{
    DOCUMENT_BYTES_MAX, Document, NOTE_BYTES_MAX, PRODUCTS_MAX, Product, STATEMENTS_MAX, Statement,
    Thing, VexStatus,
};
use crate::Purl;
use crate::advisories::Refused;
use crate::text::{self, lenient, list};

/// Why a product is not affected (CSAF 2.0, "flags": the labels, which are OpenVEX's words too).
const LABELS: [&str; 5] = [
    "component_not_present",
    "inline_mitigations_already_exist",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_not_present",
];

#[derive(Deserialize)]
struct Raw {
    document: Head,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default, deserialize_with = "list")]
    vulnerabilities: Vec<Flaw>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    publisher: Publisher,
    tracking: Tracking,
}

#[derive(Default, Deserialize)]
struct Publisher {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Tracking {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    current_release_date: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
}

#[derive(Default, Deserialize)]
struct Tree {
    #[serde(default, deserialize_with = "list")]
    branches: Vec<Branch>,
    #[serde(default, deserialize_with = "list")]
    full_product_names: Vec<Name>,
    #[serde(default, deserialize_with = "list")]
    relationships: Vec<Relationship>,
    #[serde(default, deserialize_with = "list")]
    product_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Branch {
    product: Option<Name>,
    #[serde(default, deserialize_with = "list")]
    branches: Vec<Branch>,
}

#[derive(Deserialize)]
struct Name {
    product_id: String,
    product_identification_helper: Option<Helper>,
}

#[derive(Deserialize)]
struct Helper {
    #[serde(default, deserialize_with = "lenient")]
    purl: Option<String>,
    #[serde(default, deserialize_with = "list")]
    hashes: Vec<Hashes>,
}

#[derive(Deserialize)]
struct Hashes {
    #[serde(default, deserialize_with = "list")]
    file_hashes: Vec<FileHash>,
}

#[derive(Deserialize)]
struct FileHash {
    #[serde(default)]
    algorithm: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Relationship {
    full_product_name: Name,
    product_reference: String,
    relates_to_product_reference: String,
}

#[derive(Deserialize)]
struct Group {
    group_id: String,
    #[serde(default, deserialize_with = "list")]
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Flaw {
    #[serde(default, deserialize_with = "lenient")]
    cve: Option<String>,
    #[serde(default, deserialize_with = "list")]
    ids: Vec<Id>,
    #[serde(default)]
    product_status: States,
    #[serde(default, deserialize_with = "list")]
    flags: Vec<Flag>,
    #[serde(default, deserialize_with = "list")]
    threats: Vec<Remark>,
    #[serde(default, deserialize_with = "list")]
    remediations: Vec<Remark>,
}

#[derive(Deserialize)]
struct Id {
    #[serde(default, deserialize_with = "lenient")]
    text: Option<String>,
}

#[derive(Default, Deserialize)]
struct States {
    #[serde(default, deserialize_with = "list")]
    known_not_affected: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    fixed: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    first_fixed: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    known_affected: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    first_affected: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    last_affected: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    under_investigation: Vec<String>,
}

#[derive(Deserialize)]
struct Flag {
    #[serde(default)]
    label: String,
    #[serde(default, deserialize_with = "list")]
    product_ids: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    group_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Remark {
    #[serde(default)]
    category: String,
    #[serde(default)]
    details: String,
    #[serde(default, deserialize_with = "list")]
    product_ids: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    group_ids: Vec<String>,
}

/// Reads a document. Drafts say nothing; products that can be told neither by package URL nor by
/// digest are passed over.
pub fn parse(bytes: &[u8]) -> Result<Document, Refused> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(Refused::TooLong { bytes: bytes.len(), max: DOCUMENT_BYTES_MAX });
    }
    let raw: Raw = serde_json::from_slice(bytes)?;
    if !text::is_id(&raw.document.tracking.id) {
        return Err(Refused::NoId);
    }
    let products = Products::new(&raw.product_tree);
    let mut statements = Vec::new();
    let mut named = 0;
    let is_draft = raw.document.tracking.status.as_deref() == Some("draft");
    for flaw in raw.vulnerabilities.iter().filter(|_| !is_draft) {
        products.statements(flaw, &mut named, &mut statements)?;
    }
    Ok(Document {
        id: raw.document.tracking.id,
        author: text::line(raw.document.publisher.name.as_deref().unwrap_or_default(), 1_024),
        issued: raw.document.tracking.current_release_date.as_deref().and_then(text::millis),
        statements,
    })
}

/// The products of a document by their ids.
struct Products<'a> {
    things: HashMap<&'a str, Thing>,
    relationships: HashMap<&'a str, &'a Relationship>,
    groups: HashMap<&'a str, HashSet<&'a str>>,
}

impl<'a> Products<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut things = HashMap::new();
        let mut add = |name: &'a Name| {
            things.insert(name.product_id.as_str(), thing(name));
        };
        let mut waiting: Vec<&Branch> = tree.branches.iter().collect();
        while let Some(branch) = waiting.pop() {
            branch.product.iter().for_each(&mut add);
            waiting.extend(&branch.branches);
        }
        tree.full_product_names.iter().for_each(&mut add);
        tree.relationships.iter().for_each(|related| add(&related.full_product_name));
        let relationships = tree.relationships.iter();
        let relationships = relationships
            .map(|related| (&*related.full_product_name.product_id, related))
            .collect();
        let groups = tree.product_groups.iter();
        let groups = groups.map(|group| {
            (&*group.group_id, group.product_ids.iter().map(String::as_str).collect())
        });
        let groups = groups.collect();
        Self { things, relationships, groups }
    }

    fn known(&self, id: &str) -> Option<&Thing> {
        let thing = self.things.get(id)?;
        (!thing.purls.is_empty() || !thing.digests.is_empty()).then_some(thing)
    }

    /// What a statement about an id is about. One that relates a component to a product means the
    /// component within it.
    fn product(&self, id: &str) -> Option<Product> {
        if let Some(own) = self.known(id) {
            return Some(Product { whole: own.clone(), parts: Vec::new() });
        }
        let related = self.relationships.get(id)?;
        let component = self.known(&related.product_reference)?;
        if let Some(whole) = self.known(&related.relates_to_product_reference) {
            return Some(Product { whole: whole.clone(), parts: vec![component.clone()] });
        }
        // The product is one that cannot be recognised, such as a release of an operating system. A
        // component with its full version is that product's all the same; one without could be
        // another's.
        let versioned = |purl: &Purl| purl.version.is_some();
        let whole = Thing {
            purls: component.purls.iter().filter(|purl| versioned(purl)).cloned().collect(),
            digests: component.digests.clone(),
        };
        let is_known = !whole.purls.is_empty() || !whole.digests.is_empty();
        is_known.then_some(Product { whole, parts: Vec::new() })
    }

    fn covers(&self, products: &[String], groups: &[String], id: &str) -> bool {
        products.iter().any(|product| product == id)
            || groups
                .iter()
                .filter_map(|group| self.groups.get(group.as_str()))
                .any(|members| members.contains(id))
    }

    /// The first label of each product.
    fn labels<'b>(&'b self, flags: &'b [Flag]) -> Result<HashMap<&'b str, &'b str>, Refused> {
        let mut labels = HashMap::new();
        let mut named = 0;
        for flag in flags.iter().filter(|flag| LABELS.contains(&&*flag.label)) {
            let members = flag.group_ids.iter().filter_map(|group| self.groups.get(group.as_str()));
            let members = members.flat_map(|members| members.iter().copied());
            for id in flag.product_ids.iter().map(String::as_str).chain(members) {
                named += 1;
                if named > PRODUCTS_MAX {
                    let what = "labelled products";
                    return Err(Refused::TooMany { what, count: named, max: PRODUCTS_MAX });
                }
                labels.entry(id).or_insert(&*flag.label);
            }
        }
        Ok(labels)
    }

    fn statements(
        &self,
        flaw: &Flaw,
        named: &mut usize,
        statements: &mut Vec<Statement>,
    ) -> Result<(), Refused> {
        let ids = flaw.ids.iter().filter_map(|id| id.text.clone());
        let names: Vec<String> =
            flaw.cve.iter().cloned().chain(ids).filter(|name| text::is_id(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let labels = self.labels(&flaw.flags)?;
        let state = &flaw.product_status;
        for (status, ids) in [
            (VexStatus::NotAffected, &state.known_not_affected),
            (VexStatus::Fixed, &state.fixed),
            (VexStatus::Fixed, &state.first_fixed),
            (VexStatus::Affected, &state.known_affected),
            (VexStatus::Affected, &state.first_affected),
            (VexStatus::Affected, &state.last_affected),
            (VexStatus::UnderInvestigation, &state.under_investigation),
        ] {
            let mut by_label: Vec<(Option<&str>, Vec<Product>, &str)> = Vec::new();
            for id in ids {
                *named += 1;
                if *named > PRODUCTS_MAX {
                    let count = *named;
                    return Err(Refused::TooMany { what: "products", count, max: PRODUCTS_MAX });
                }
                let Some(product) = self.product(id) else { continue };
                let label = labels.get(id.as_str()).copied();
                match by_label.iter_mut().find(|(other, ..)| *other == label) {
                    Some((_, products, _)) => products.push(product),
                    None => by_label.push((label, vec![product], id)),
                }
            }
            for (label, products, first) in by_label {
                if statements.len() == STATEMENTS_MAX {
                    let count = STATEMENTS_MAX + 1;
                    return Err(Refused::TooMany {
                        what: "statements",
                        count,
                        max: STATEMENTS_MAX,
                    });
                }
                statements.push(Statement {
                    flaws: names.clone(),
                    products,
                    status,
                    justification: label.map(str::to_owned),
                    note: text::bounded(self.remark(flaw, status, first), NOTE_BYTES_MAX),
                    issued: None,
                });
            }
        }
        Ok(())
    }

    /// Why a product is not affected, or what to do if it is.
    fn remark<'b>(&self, flaw: &'b Flaw, status: VexStatus, id: &str) -> &'b str {
        let remarks = match status {
            VexStatus::NotAffected => &flaw.threats,
            _ => &flaw.remediations,
        };
        let suits = |remark: &&Remark| {
            let everything = remark.product_ids.is_empty() && remark.group_ids.is_empty();
            (status != VexStatus::NotAffected || remark.category == "impact")
                && (everything || self.covers(&remark.product_ids, &remark.group_ids, id))
        };
        remarks.iter().find(suits).map_or("", |remark| &remark.details)
    }
}

fn thing(name: &Name) -> Thing {
    let Some(helper) = &name.product_identification_helper else { return Thing::default() };
    let hashes = helper.hashes.iter().flat_map(|hashes| &hashes.file_hashes);
    Thing {
        purls: helper.purl.as_deref().and_then(Purl::parse).into_iter().collect(),
        digests: hashes
            .filter_map(|hash| {
                let algorithm = hash.algorithm.to_ascii_lowercase().replace('-', "");
                digest_of(&format!("{algorithm}:{}", hash.value))
            })
            .collect(),
    }
}
