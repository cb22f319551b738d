//! `DeleteSigningConfiguration`.

use super::configuration::SigningConfiguration;
use super::not_found;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::registries::{self, Document as _};

/// Removes the signing rules of the addressed registry, and shows what they were. Signatures stay.
///
/// # Errors
/// [`crate::error::ErrorKind::SigningConfigurationNotFound`].
#[derive(Clone, Debug)]
pub struct DeleteSigningConfiguration;

impl Operation for DeleteSigningConfiguration {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeleteSigningConfiguration" };
    type Output = SigningConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:DeleteSigningConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<SigningConfiguration> {
        let mut tx = call.write().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        let Some(found) = SigningConfiguration::find(&mut tx, registry_id).await? else {
            return call.refuse(tx, not_found(&call.context.account)).await;
        };
        SigningConfiguration::remove(&mut tx, registry_id).await?;
        call.commit(tx).await?;
        Ok(found)
    }
}
