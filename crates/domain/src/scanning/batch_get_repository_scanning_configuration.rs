//! `BatchGetRepositoryScanningConfiguration`.

use super::{EffectiveScanning, RegistryScanningConfiguration};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::RepositoryName;
use crate::registries::{self, Document};
use crate::repositories::{self, RepositoryAddress};

/// What holds for each of up to 25 repositories, in the order they were named.
#[derive(Clone, Debug)]
pub struct BatchGetRepositoryScanningConfiguration {
    /// The repositories.
    pub names: Vec<RepositoryName>,
}

/// One repository of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryScanning {
    /// The repository.
    pub repository: RepositoryAddress,
    /// What holds, or nothing when there is no such repository.
    pub scanning: Option<EffectiveScanning>,
}

impl Operation for BatchGetRepositoryScanningConfiguration {
    const ENTRY: Entry =
        Entry { service: Service::Ecr, name: "BatchGetRepositoryScanningConfiguration" };
    type Output = Vec<RepositoryScanning>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        self.names
            .iter()
            .map(|name| {
                let address = RepositoryAddress::new(context, None, name.clone());
                Demand::new("ecr:BatchGetRepositoryScanningConfiguration", address.resource())
            })
            .collect()
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<RepositoryScanning>> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let configuration = RegistryScanningConfiguration::load(&mut tx, registry_id).await?;
        let mut answers = Vec::with_capacity(self.names.len());
        for name in self.names {
            let address = RepositoryAddress::new(call.context, None, name);
            let scanning = repositories::find(&mut tx, &address).await?.map(|repository| {
                configuration.effective(address.name.as_str(), repository.scan_on_push)
            });
            answers.push(RepositoryScanning { repository: address, scanning });
        }
        Ok(answers)
    }
}
