//! `CreateRepository` of ECR Public.

use super::aliases;
use super::catalog::{self, CatalogData, CatalogDataInput, check_logo};
use crate::context::RequestContext;
use crate::error::{ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::gallery;
use crate::names::RepositoryName;
use crate::repositories::create::{NewRepository, insert};
use crate::repositories::{Repository, RepositoryAddress};
use crate::resource_tags::{self, ResourceTag};

/// Creates a public repository in the caller's registry; the first one comes with a default alias
/// of the registry. Not idempotent, as in ECR: a second call fails.
#[derive(Clone, Debug)]
pub struct CreatePublicRepository {
    /// The name.
    pub name: RepositoryName,
    /// What is shown of it, stored together with the repository or not at all.
    pub data: Option<CatalogDataInput>,
    /// Resource tags, as `data`.
    pub tags: Vec<ResourceTag>,
}

impl Operation for CreatePublicRepository {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "CreateRepository" };
    type Output = (Repository, Option<CatalogData>);

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let resource = RepositoryAddress::new(context, None, self.name.clone()).resource();
        let keys = resource_tags::condition_keys(&self.tags);
        let mut create = Demand::new("ecr-public:CreateRepository", resource.clone());
        create.keys.clone_from(&keys);
        let mut demands = vec![create];
        if !self.tags.is_empty() {
            demands.push(Demand { keys, ..Demand::new("ecr-public:TagResource", resource) });
        }
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<(Repository, Option<CatalogData>)> {
        resource_tags::validate(&self.tags)?;
        let logo = self.data.as_ref().and_then(|data| data.logo.as_deref());
        logo.filter(|logo| !logo.is_empty()).map_or(Ok(()), check_logo)?;
        let address = RepositoryAddress::new(call.context, None, self.name);
        let mut tx = call.write().await?;
        let repository = match insert(&mut tx, &call, &address, NewRepository::default()).await {
            Err(exists) if exists.kind() == ErrorKind::RepositoryAlreadyExists => {
                return call.refuse(tx, exists).await;
            }
            inserted => inserted?,
        };
        let (registry, account) = (repository.registry_id, &address.account);
        aliases::ensure_default(&mut tx, &call, registry, account).await?;
        resource_tags::put(&mut tx, repository.id, &self.tags).await?;
        let data = match &self.data {
            Some(data) => Some(catalog::put(&mut tx, repository.id, data).await?),
            None => None,
        };
        gallery::note(&mut tx, &call, &repository).await?;
        call.commit(tx).await?;
        Ok((repository, data))
    }
}
