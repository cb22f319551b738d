//! `PutRegistryScanningConfiguration` and `GetRegistryScanningConfiguration`.

use super::RegistryScanningConfiguration;
use super::enrol_images::EnrolImages;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::jobs;
use crate::registries::{self, Document};

/// Replaces what the registry wants scanned; under enhanced scanning a job has the images scanned
/// that are there. Idempotent.
#[derive(Clone, Debug)]
pub struct PutRegistryScanningConfiguration {
    /// The new configuration.
    pub configuration: RegistryScanningConfiguration,
}

impl Operation for PutRegistryScanningConfiguration {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutRegistryScanningConfiguration" };
    type Output = RegistryScanningConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:PutRegistryScanningConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryScanningConfiguration> {
        self.configuration.validate()?;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        self.configuration.store(&mut tx, registry_id).await?;
        let job = EnrolImages::new(call.context.account, registry_id);
        jobs::enqueue(&mut tx, call.app, &job, call.app.clock.now()).await?;
        call.commit(tx).await?;
        Ok(self.configuration)
    }
}

/// What the registry wants scanned.
#[derive(Clone, Copy, Debug)]
pub struct GetRegistryScanningConfiguration;

impl Operation for GetRegistryScanningConfiguration {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetRegistryScanningConfiguration" };
    type Output = RegistryScanningConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:GetRegistryScanningConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryScanningConfiguration> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        RegistryScanningConfiguration::load(&mut tx, registry_id).await
    }
}
