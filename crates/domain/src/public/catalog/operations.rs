//! `PutRepositoryCatalogData`, `GetRepositoryCatalogData`, and the logo itself.

use bytes::Bytes;

use super::{CatalogData, CatalogDataInput, check_logo, load, put};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::gallery;
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Replaces what is shown of a public repository. Idempotent but for the name of the logo.
#[derive(Clone, Debug)]
pub struct PutRepositoryCatalogData {
    /// The repository.
    pub repository: RepositoryAddress,
    /// What is shown of it.
    pub data: CatalogDataInput,
}

impl Operation for PutRepositoryCatalogData {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "PutRepositoryCatalogData" };
    type Output = CatalogData;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr-public:PutRepositoryCatalogData", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<CatalogData> {
        let logo = self.data.logo.as_deref().filter(|logo| !logo.is_empty());
        let checked = logo.map_or(Ok(()), check_logo);
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        checked?;
        let data = put(&mut tx, repository.id, &self.data).await?;
        gallery::note(&mut tx, &call, &repository).await?;
        call.commit(tx).await?;
        Ok(data)
    }
}

/// Reads what is shown of a public repository.
#[derive(Clone, Debug)]
pub struct GetRepositoryCatalogData {
    /// The repository.
    pub repository: RepositoryAddress,
}

impl Operation for GetRepositoryCatalogData {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "GetRepositoryCatalogData" };
    type Output = CatalogData;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr-public:GetRepositoryCatalogData", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<CatalogData> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        load(&mut tx, repository.id).await
    }
}

/// Reads the logo of a public repository, as everybody may.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`], also when the logo has another name by now.
#[derive(Clone, Debug)]
pub struct GetRepositoryLogo {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The name of the logo.
    pub logo_id: String,
}

impl Operation for GetRepositoryLogo {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetRepositoryLogo" };
    type Output = Bytes;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr-public:GetRepositoryLogo", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Bytes> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let row = tx
            .optional(
                "SELECT logo FROM public_catalog_data \
                 WHERE repository_id = $1 AND logo_id = $2 AND logo IS NOT NULL",
                params![repository.id, self.logo_id],
            )
            .await?;
        let row = row.ok_or_else(|| {
            Error::new(ErrorKind::RepositoryNotFound, "The repository has no such logo.")
        })?;
        Ok(Bytes::from(row.get::<Vec<u8>>(0)?))
    }
}
