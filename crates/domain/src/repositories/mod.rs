//! Repositories: create, describe, delete, rename, tag mutability.

pub mod create;
pub mod delete;
pub mod describe;
pub mod list_catalog;
pub mod put_image_tag_mutability;
pub mod put_sparse_manifests;
pub mod rename;
pub mod tag_mutability;

use crate::app::App;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Demand, RegistryAction, Resource, Tx};
use crate::metadata::Row;
use crate::names::{AccountId, Arn, Partition, Region, RepositoryName};
use crate::params;

pub use tag_mutability::{TagMutability, TagMutabilityRule};

/// Where a repository is, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryAddress {
    /// The registry's account.
    pub account: AccountId,
    /// The registry's region; the global one for a public registry.
    pub region: Region,
    /// The name.
    pub name: RepositoryName,
}

impl RepositoryAddress {
    /// A repository of the registry that the request addressed, or of `registry_id` in its region.
    pub fn new(
        context: &RequestContext,
        registry_id: Option<AccountId>,
        name: RepositoryName,
    ) -> Self {
        Self {
            account: registry_id.unwrap_or(context.account),
            region: context.region.clone(),
            name,
        }
    }

    /// As a resource of a demand.
    pub fn resource(&self) -> Resource {
        Resource::Repository {
            account: self.account,
            region: self.region.clone(),
            name: self.name.clone(),
        }
    }

    /// A demand of an action on it.
    pub(crate) fn demand(&self, action: RegistryAction) -> Demand {
        Demand::new(action.at(&self.region), self.resource())
    }

    /// The repository's ARN.
    pub fn arn(&self) -> String {
        Arn::repository(Partition::of(&self.region), &self.region, &self.account, &self.name)
            .to_string()
    }
}

/// A repository as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its row; a name deleted and made again is another row.
    pub id: i64,
    /// The registry's row.
    pub registry_id: i64,
    /// Where it is.
    pub address: RepositoryAddress,
    /// Whether tags may move.
    pub tag_mutability: TagMutabilityRule,
    /// Whether a push starts a scan.
    pub scan_on_push: bool,
    /// Whether manifests may refer to what it does not hold; nothing: as the server says.
    pub sparse_manifests: Option<bool>,
    /// Whether it has images of an upstream registry.
    pub is_cache: bool,
    /// When it was created.
    pub created_at: Millis,
}

macro_rules! select_repositories {
    ($rest:literal) => {
        concat!(
            "SELECT repositories.id, repositories.registry_id, repositories.name, \
             repositories.tag_mutability, repositories.tag_mutability_exclusions, \
             repositories.scan_on_push, repositories.created_at, \
             repositories.sparse_manifests, repositories.is_cache \
             FROM repositories JOIN registries ON registries.id = repositories.registry_id \
             WHERE registries.account_id = $1 AND registries.region = $2 ",
            $rest
        )
    };
}
pub(crate) use select_repositories;

fn from_row(account: &AccountId, region: &Region, row: &Row) -> Result<Repository> {
    let name: String = row.get(2)?;
    let name = RepositoryName::parse(&name).map_err(Error::internal)?;
    let mutability: String = row.get(3)?;
    let exclusions: String = row.get(4)?;
    Ok(Repository {
        id: row.get(0)?,
        registry_id: row.get(1)?,
        address: RepositoryAddress { account: *account, region: region.clone(), name },
        tag_mutability: TagMutabilityRule::from_stored(&mutability, &exclusions)?,
        scan_on_push: row.get(5)?,
        created_at: row.get(6)?,
        sparse_manifests: row.get(7)?,
        is_cache: row.get(8)?,
    })
}

impl Repository {
    /// Whether manifests may refer to layers and images that the repository does not hold.
    pub(crate) fn may_be_sparse(&self, app: &App) -> bool {
        self.sparse_manifests.unwrap_or(app.settings.sparse_manifests)
    }
}

/// The repository at an address, if it exists.
pub(crate) async fn find(tx: &mut Tx, address: &RepositoryAddress) -> Result<Option<Repository>> {
    let row = tx
        .optional(
            select_repositories!("AND repositories.name = $3"),
            params![address.account.as_str(), address.region.as_str(), address.name.as_str()],
        )
        .await?;
    row.map(|row| from_row(&address.account, &address.region, &row)).transpose()
}

/// The repository at an address.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`].
pub(crate) async fn get(tx: &mut Tx, address: &RepositoryAddress) -> Result<Repository> {
    find(tx, address).await?.ok_or_else(|| not_found(address))
}

/// Where the repository of this row is, if there still is one.
pub(crate) async fn address_of(
    tx: &mut Tx,
    repository_id: i64,
) -> Result<Option<RepositoryAddress>> {
    let row = tx
        .optional(
            "SELECT registries.account_id, registries.region, repositories.name \
             FROM repositories JOIN registries ON registries.id = repositories.registry_id \
             WHERE repositories.id = $1",
            params![repository_id],
        )
        .await?;
    row.map(|row| {
        Ok(RepositoryAddress {
            account: AccountId::parse(&row.get::<String>(0)?).map_err(Error::internal)?,
            region: Region::parse_stored(&row.get::<String>(1)?).map_err(Error::internal)?,
            name: RepositoryName::parse(&row.get::<String>(2)?).map_err(Error::internal)?,
        })
    })
    .transpose()
}

/// The repository of this row, whatever its name is now.
pub(crate) async fn by_id(tx: &mut Tx, repository_id: i64) -> Result<Option<Repository>> {
    match address_of(tx, repository_id).await? {
        Some(address) => find(tx, &address).await,
        None => Ok(None),
    }
}

/// The repository of this row at the address where a job found it; nothing if it is gone.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when it has got another name meanwhile: what was decided was decided
/// for the old one, so the job begins again.
pub(crate) async fn still_at(
    tx: &mut Tx,
    repository_id: i64,
    address: &RepositoryAddress,
) -> Result<Option<Repository>> {
    let found = by_id(tx, repository_id).await?;
    if found.as_ref().is_some_and(|found| found.address != *address) {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "The repository got another name while a job worked on it; the job begins again.",
        ));
    }
    Ok(found)
}

/// The error for a repository that does not exist, in ECR's words.
pub fn not_found(address: &RepositoryAddress) -> Error {
    Error::new(
        ErrorKind::RepositoryNotFound,
        format!(
            "The repository with name '{}' does not exist in the registry with id '{}'",
            address.name, address.account
        ),
    )
}
