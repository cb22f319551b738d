//! What the socket answers about VEX documents.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::scanning::vex_documents::{
    DeleteVexDocument, GetVexDocument, ListVexDocuments, PutVexDocument, VexDocument,
};

use super::server::{Admin, Answer, json};

/// Documents of one answer: as many as a registry has.
const PAGE: u32 = 100;

/// What `POST /vex/VERB` takes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedVex {
    /// The account of the registry; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// The document's name; to list, none.
    #[serde(default)]
    pub(crate) name: String,
    /// Its text, to put it.
    #[serde(default)]
    pub(crate) document: String,
}

/// A document.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Vex {
    /// Its name.
    pub(crate) name: String,
    /// The digest of its text.
    pub(crate) digest: String,
    /// How many statements of it are understood.
    pub(crate) statements: u64,
    /// When it was put, in RFC 3339.
    pub(crate) updated_at: String,
    /// Its text, where it was asked for.
    pub(crate) document: Option<String>,
}

/// What `POST /vex/list` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VexDocuments {
    /// By name.
    pub(crate) documents: Vec<Vex>,
}

impl Admin {
    pub(super) async fn vex(&self, verb: &str, given: WantedVex) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let WantedVex { name, document, .. } = given;
        match verb {
            "put" => {
                let operation = PutVexDocument { name, document };
                let put = execute(&self.app, &context, operation).await?;
                Ok(json(StatusCode::OK, &shown(put, None)))
            }
            "get" => {
                let operation = GetVexDocument { name };
                let (found, document) = execute(&self.app, &context, operation).await?;
                Ok(json(StatusCode::OK, &shown(found, Some(document))))
            }
            "delete" => {
                execute(&self.app, &context, DeleteVexDocument { name }).await?;
                Ok(json(StatusCode::OK, &serde_json::json!({})))
            }
            _ => {
                let page = PageRequest { after: None, limit: PAGE };
                let found = execute(&self.app, &context, ListVexDocuments { page }).await?;
                let documents = found.items.into_iter().map(|found| shown(found, None));
                Ok(json(StatusCode::OK, &VexDocuments { documents: documents.collect() }))
            }
        }
    }
}

fn shown(found: VexDocument, document: Option<String>) -> Vex {
    Vex {
        name: found.name,
        digest: found.digest.to_string(),
        statements: found.statements,
        updated_at: found.updated_at.timestamp().to_string(),
        document,
    }
}
