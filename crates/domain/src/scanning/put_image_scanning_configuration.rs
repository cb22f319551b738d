//! `PutImageScanningConfiguration`.

use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::{AccountId, RepositoryName};
use crate::params;
use crate::repositories::{self, Repository, RepositoryAddress};

/// Sets whether a push to the repository starts a scan. Idempotent.
#[derive(Clone, Debug)]
pub struct PutImageScanningConfiguration {
    /// The account, if not the one addressed.
    pub registry_id: Option<AccountId>,
    /// The repository.
    pub name: RepositoryName,
    /// Whether a push starts a scan.
    pub scan_on_push: bool,
}

impl Operation for PutImageScanningConfiguration {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutImageScanningConfiguration" };
    type Output = Repository;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let address = RepositoryAddress::new(context, self.registry_id, self.name.clone());
        vec![Demand::new("ecr:PutImageScanningConfiguration", address.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Repository> {
        let address = RepositoryAddress::new(call.context, self.registry_id, self.name);
        let mut tx = call.write().await?;
        let mut repository = repositories::get(&mut tx, &address).await?;
        tx.execute(
            "UPDATE repositories SET scan_on_push = $2 WHERE id = $1",
            params![repository.id, self.scan_on_push],
        )
        .await?;
        repository.scan_on_push = self.scan_on_push;
        call.commit(tx).await?;
        Ok(repository)
    }
}
