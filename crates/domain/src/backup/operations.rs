//! `CreateBackup`, for the operator.

use std::sync::Arc;

use super::{Created, Progress, Vault, create};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::AccountId;

/// Copies the registry into a directory of backups while it is being served. Takes as long as the
/// copy does.
pub struct CreateBackup {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Where to.
    pub vault: Arc<dyn Vault>,
    /// How many snapshots stay; all of them when absent.
    pub keep: Option<usize>,
    /// Tells others how far it is.
    pub progress: Arc<Progress>,
}

impl Operation for CreateBackup {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "CreateBackup" };
    type Output = Created;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:CreateBackup", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Created> {
        // The record first: the copy is no transaction, and shall hold it.
        let tx = call.write().await?;
        call.commit(tx).await?;
        Ok(create(call.app, self.vault.as_ref(), self.keep, &self.progress).await?)
    }
}
