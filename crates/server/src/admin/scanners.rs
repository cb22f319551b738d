//! What the socket answers about other scanners.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::scanning::external::operations::{ListScanners, TestScanner};

use super::server::{Admin, Answer, json};

/// A scanner that the server is configured with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ListedScanner {
    /// What it is called.
    pub(crate) name: String,
    /// Where its adapter is.
    pub(crate) url: String,
    /// By which URL that reaches the registry.
    pub(crate) registry: String,
    /// How long a scan may take, in seconds.
    pub(crate) timeout_seconds: i64,
    /// How long after a scan an image that is scanned continuously is scanned again, in seconds.
    pub(crate) rescan_seconds: i64,
}

/// What `GET /scanners` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Scanners {
    /// By name.
    pub(crate) scanners: Vec<ListedScanner>,
}

/// What a scanner says that it makes of what.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ScannerCapability {
    /// The kind of reports.
    pub(crate) kind: String,
    /// The types of manifests that it takes.
    pub(crate) consumes: Vec<String>,
    /// The types of reports that it makes.
    pub(crate) produces: Vec<String>,
}

/// What `POST /scanners/{name}/test` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TestedScanner {
    /// The scanner's own name.
    pub(crate) name: String,
    /// Who makes it.
    pub(crate) vendor: String,
    /// Its version.
    pub(crate) version: String,
    /// What it can do.
    pub(crate) capabilities: Vec<ScannerCapability>,
    /// What else it says.
    pub(crate) properties: BTreeMap<String, String>,
}

impl Admin {
    pub(super) async fn list_scanners(&self) -> Result<Answer, Error> {
        let operation = ListScanners { management_account: self.app.management_account };
        let adapters = execute(&self.app, &self.context().await?, operation).await?;
        let scanners = adapters.into_iter().map(|adapter| ListedScanner {
            name: adapter.name,
            url: adapter.url,
            registry: adapter.registry,
            timeout_seconds: adapter.timeout_seconds,
            rescan_seconds: adapter.rescan_seconds,
        });
        Ok(json(StatusCode::OK, &Scanners { scanners: scanners.collect() }))
    }

    pub(super) async fn test_scanner(&self, name: &str) -> Result<Answer, Error> {
        let management_account = self.app.management_account;
        let operation = TestScanner { management_account, name: name.to_owned() };
        let metadata = execute(&self.app, &self.context().await?, operation).await?;
        let capabilities = metadata.capabilities.into_iter().map(|able| ScannerCapability {
            kind: able.kind.unwrap_or_else(|| "vulnerability".to_owned()),
            consumes: able.consumes_mime_types,
            produces: able.produces_mime_types,
        });
        let tested = TestedScanner {
            name: metadata.scanner.name,
            vendor: metadata.scanner.vendor,
            version: metadata.scanner.version,
            capabilities: capabilities.collect(),
            properties: metadata.properties,
        };
        Ok(json(StatusCode::OK, &tested))
    }
}
