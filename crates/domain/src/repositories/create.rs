//! `CreateRepository`.

use super::{Repository, RepositoryAddress, TagMutabilityRule};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::names::{AccountId, RepositoryName};
use crate::resource_tags::{self, ResourceTag};
use crate::templates::{self, AppliedFor};
use crate::{params, quotas, registries, replication};

/// Creates a repository. Not idempotent, as in ECR: a second call fails. One that another deployment
/// makes for its copies takes the registry's template for replication.
#[derive(Clone, Debug)]
pub struct CreateRepository {
    /// The account, if not the one addressed.
    pub registry_id: Option<AccountId>,
    /// The name.
    pub name: RepositoryName,
    /// Resource tags, stored together with the repository or not at all.
    pub tags: Vec<ResourceTag>,
    /// Whether tags may move.
    pub tag_mutability: TagMutabilityRule,
    /// Whether a push starts a scan.
    pub scan_on_push: bool,
}

impl Operation for CreateRepository {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "CreateRepository" };
    type Output = Repository;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let resource =
            RepositoryAddress::new(context, self.registry_id, self.name.clone()).resource();
        let keys = resource_tags::condition_keys(&self.tags);
        let mut create = Demand::new("ecr:CreateRepository", resource.clone());
        create.keys.clone_from(&keys);
        let mut demands = vec![create];
        if !self.tags.is_empty() {
            demands.push(Demand { keys, ..Demand::new("ecr:TagResource", resource) });
        }
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<Repository> {
        resource_tags::validate(&self.tags)?;
        let address = RepositoryAddress::new(call.context, self.registry_id, self.name.clone());
        let new =
            NewRepository { tag_mutability: self.tag_mutability, scan_on_push: self.scan_on_push };
        // A deployment that copies here asks for no more than a name; this registry's template says
        // what the copies are kept in.
        let is_for_copies = self.tags.is_empty()
            && new == NewRepository::default()
            && replication::is_copier(&call.context.principal);
        let mut tx = call.write().await?;
        let template = match is_for_copies {
            true => templates::applies(&mut tx, &address, AppliedFor::Replication).await?,
            false => None,
        };
        let made = match template {
            Some(template) => {
                templates::create_repository(&mut tx, &call, &address, template).await
            }
            None => insert(&mut tx, &call, &address, new).await,
        };
        let repository = match made {
            Err(exists) if exists.kind() == ErrorKind::RepositoryAlreadyExists => {
                return call.refuse(tx, exists).await;
            }
            inserted => inserted?,
        };
        resource_tags::put(&mut tx, repository.id, &self.tags).await?;
        call.commit(tx).await?;
        Ok(repository)
    }
}

/// What a new repository is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NewRepository {
    /// Whether tags may move.
    pub(crate) tag_mutability: TagMutabilityRule,
    /// Whether a push starts a scan.
    pub(crate) scan_on_push: bool,
}

/// Makes the repository inside a transaction, for this operation and for a push that creates.
///
/// # Errors
/// [`ErrorKind::RepositoryAlreadyExists`], [`ErrorKind::LimitExceeded`].
pub(crate) async fn insert(
    tx: &mut Tx,
    call: &Call<'_>,
    address: &RepositoryAddress,
    new: NewRepository,
) -> Result<Repository> {
    if super::find(tx, address).await?.is_some() {
        return Err(Error::new(
            ErrorKind::RepositoryAlreadyExists,
            format!(
                "The repository with name '{}' already exists in the registry with id '{}'",
                address.name, address.account
            ),
        ));
    }
    let registry_id = registries::ensure(tx, call, &address.account, &address.region).await?;
    quotas::check_repositories(tx, call, registry_id, address).await?;
    let repository = Repository {
        id: call.next_id(),
        registry_id,
        address: address.clone(),
        tag_mutability: new.tag_mutability,
        scan_on_push: new.scan_on_push,
        sparse_manifests: None,
        is_cache: false,
        created_at: call.now(),
    };
    tx.execute(
        "INSERT INTO repositories (id, registry_id, name, tag_mutability, \
         tag_mutability_exclusions, scan_on_push, encryption_type, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 'AES256', $7)",
        params![
            repository.id,
            registry_id,
            address.name.as_str(),
            repository.tag_mutability.setting().as_str(),
            repository.tag_mutability.stored_filters()?,
            repository.scan_on_push,
            repository.created_at,
        ],
    )
    .await?;
    let event = Event::RepositoryCreated { repository_name: address.name.to_string() };
    events::publish(tx, call, registry_id, &event).await?;
    Ok(repository)
}
