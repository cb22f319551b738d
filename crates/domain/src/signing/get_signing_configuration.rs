//! `GetSigningConfiguration`.

use super::configuration::SigningConfiguration;
use super::not_found;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::registries::{self, Document as _};

/// Shows the signing rules of the addressed registry.
///
/// # Errors
/// [`crate::error::ErrorKind::SigningConfigurationNotFound`].
#[derive(Clone, Debug)]
pub struct GetSigningConfiguration;

impl Operation for GetSigningConfiguration {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetSigningConfiguration" };
    type Output = SigningConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:GetSigningConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<SigningConfiguration> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        SigningConfiguration::find(&mut tx, registry_id)
            .await?
            .ok_or_else(|| not_found(&call.context.account))
    }
}
