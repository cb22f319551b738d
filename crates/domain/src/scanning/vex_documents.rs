//! VEX documents of a registry, which hold for all its images: `PutVexDocument`, `ListVexDocuments`,
//! `GetVexDocument` and `DeleteVexDocument`, beside ECR's operations.

use tonnage_scanner::vex::{self, Document};

use super::review_findings::ReviewFindings;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::metadata::Row;
use crate::names::{AccountId, Digest, Partition, Region};
use crate::pages::{Page, PageRequest};
use crate::{params, registries};

/// Documents of a registry, and the bytes of one and of all of them: every scan reads them.
const DOCUMENTS_MAX: i64 = 100;
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
const BYTES_MAX: i64 = 16 << 20;
/// Characters of a name.
const NAME_MAX: usize = 128;

/// What is known of a document without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexDocument {
    /// Its name in the registry.
    pub name: String,
    /// The digest of its text.
    pub digest: Digest,
    /// How many statements of it are understood.
    pub statements: u64,
    /// When it was put.
    pub updated_at: Millis,
}

fn from_row(row: &Row) -> Result<VexDocument> {
    Ok(VexDocument {
        name: row.get(0)?,
        digest: Digest::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        statements: row.get(2)?,
        updated_at: row.get(3)?,
    })
}

/// The ARN by which findings name a document.
pub(super) fn arn(account: &AccountId, region: &Region, name: &str) -> String {
    let partition = Partition::of(region).as_str();
    format!("arn:{partition}:tonnage:{region}:{account}:vex-document/{name}")
}

/// Name and digest of each document of a registry, by name.
pub(super) async fn names(tx: &mut Tx, registry_id: i64) -> Result<Vec<(String, String)>> {
    let rows = tx
        .all(
            "SELECT name, digest FROM vex_documents WHERE registry_id = $1 ORDER BY name",
            params![registry_id],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The texts of a registry's documents, by name.
pub(super) async fn texts(tx: &mut Tx, registry_id: i64) -> Result<Vec<String>> {
    let rows = tx
        .all(
            "SELECT document FROM vex_documents WHERE registry_id = $1 ORDER BY name",
            params![registry_id],
        )
        .await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

fn not_found(name: &str) -> Error {
    Error::new(ErrorKind::NoSuchEntity, format!("There is no VEX document {name}."))
}

/// Puts a document of OpenVEX or CSAF in the place of one of the same name; all findings of the
/// registry are judged anew. Idempotent.
///
/// # Errors
/// `InvalidParameter` for a name that is none, and for a document that cannot be read, is longer
/// than 1 MiB or says nothing; [`ErrorKind::LimitExceeded`] when there are too many.
#[derive(Clone, Debug)]
pub struct PutVexDocument {
    /// Its name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The document: JSON.
    pub document: String,
}

impl PutVexDocument {
    fn parsed(&self) -> Result<Document> {
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=NAME_MAX).contains(&self.name.len()) || !self.name.bytes().all(may_stand) {
            let constraint =
                format!("1 to {NAME_MAX} letters, digits, dots, underscores and hyphens");
            return Err(Error::invalid_parameter("name", constraint));
        }
        let refuse = |constraint: String| Err(Error::invalid_parameter("document", constraint));
        if self.document.len() > DOCUMENT_BYTES_MAX {
            return refuse(format!("A document has at most {DOCUMENT_BYTES_MAX} bytes"));
        }
        match vex::parse(self.document.as_bytes()) {
            Ok(document) if document.statements.is_empty() => {
                refuse("No statement names a flaw, a product and a status of OpenVEX".to_owned())
            }
            Ok(document) => Ok(document),
            Err(refused) => refuse(format!("Neither OpenVEX nor CSAF: {refused}")),
        }
    }
}

impl Operation for PutVexDocument {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "PutVexDocument" };
    type Output = VexDocument;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:PutVexDocument", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<VexDocument> {
        let document = self.parsed()?;
        let digest = Digest::of_sha256(self.document.as_bytes());
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        let put = VexDocument {
            name: self.name,
            digest,
            statements: document.statements.len() as u64,
            updated_at: call.now(),
        };
        tx.execute(
            "INSERT INTO vex_documents (registry_id, name, digest, document, statements, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (registry_id, name) \
             DO UPDATE SET digest = excluded.digest, document = excluded.document, \
             statements = excluded.statements, updated_at = excluded.updated_at",
            params![
                registry_id,
                &put.name,
                put.digest.as_str(),
                &self.document,
                put.statements,
                put.updated_at
            ],
        )
        .await?;
        let row = tx
            .optional(
                "SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(document)), 0) AS BIGINT) \
                 FROM vex_documents WHERE registry_id = $1",
                params![registry_id],
            )
            .await?;
        let (count, length): (i64, i64) = match row {
            Some(row) => (row.get(0)?, row.get(1)?),
            None => (0, 0),
        };
        if count > DOCUMENTS_MAX || length > BYTES_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "A registry can have at most {DOCUMENTS_MAX} VEX documents, of {BYTES_MAX} \
                     characters together. Delete some first."
                ),
            ));
        }
        ReviewFindings::enqueue(&mut tx, call.app, call.context.account, registry_id).await?;
        call.commit(tx).await?;
        Ok(put)
    }
}

/// Lists the documents of the registry by name.
#[derive(Clone, Debug)]
pub struct ListVexDocuments {
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListVexDocuments {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListVexDocuments" };
    type Output = Page<VexDocument>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:ListVexDocuments", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<VexDocument>> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let rows = tx
            .all(
                "SELECT name, digest, statements, updated_at FROM vex_documents \
                 WHERE registry_id = $1 AND name > $2 ORDER BY name LIMIT $3",
                params![
                    registry_id.unwrap_or(0),
                    self.page.after.as_deref().unwrap_or_default(),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let items = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(items, |document| document.name.clone()))
    }
}

/// Reads a document, as it was put.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct GetVexDocument {
    /// Its name.
    pub name: String,
}

impl Operation for GetVexDocument {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetVexDocument" };
    type Output = (VexDocument, String);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:GetVexDocument", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Self::Output> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        // No name has it, and no database takes it.
        let name = self.name.replace('\0', "");
        let row = tx
            .optional(
                "SELECT name, digest, statements, updated_at, document FROM vex_documents \
                 WHERE registry_id = $1 AND name = $2",
                params![registry_id.unwrap_or(0), &name],
            )
            .await?;
        let row = row.ok_or_else(|| not_found(&name))?;
        Ok((from_row(&row)?, row.get(4)?))
    }
}

/// Removes a document; what it suppressed counts again.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct DeleteVexDocument {
    /// Its name.
    pub name: String,
}

impl Operation for DeleteVexDocument {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DeleteVexDocument" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:DeleteVexDocument", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let name = self.name.replace('\0', "");
        let removed = tx
            .execute(
                "DELETE FROM vex_documents WHERE registry_id = $1 AND name = $2",
                params![registry_id.unwrap_or(0), &name],
            )
            .await?;
        let Some(registry_id) = registry_id.filter(|_| removed == 1) else {
            return call.refuse(tx, not_found(&name)).await;
        };
        ReviewFindings::enqueue(&mut tx, call.app, call.context.account, registry_id).await?;
        call.commit(tx).await
    }
}
