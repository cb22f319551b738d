//! `BatchGetAccountStatus`.

use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::registries::{self, Document as _};
use crate::scanning::{RegistryScanningConfiguration, ScanType};

/// Tells whether the caller's registry scans in the enhanced way.
#[derive(Clone, Copy, Debug)]
pub struct BatchGetAccountStatus;

impl Operation for BatchGetAccountStatus {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "BatchGetAccountStatus" };
    type Output = bool;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:BatchGetAccountStatus", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<bool> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let configuration = RegistryScanningConfiguration::load(&mut tx, registry_id).await?;
        Ok(configuration.scan_type == ScanType::Enhanced)
    }
}
