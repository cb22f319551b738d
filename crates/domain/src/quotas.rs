//! Quotas that an operator may change; the fixed ones are beside what they limit.
//!
//! They are checked in the transaction that adds something. Transactions that write run one after
//! the other, so two requests cannot both take the last place. No count is kept: the check walks an
//! index up to the quota and no further.

use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::params;
use crate::repositories::{Repository, RepositoryAddress};

/// How much a registry may hold. What is there already stays when a quota is lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Repositories in one registry.
    pub repositories_per_registry: u32,
    /// Images in one repository, with and without tags, also the children of indexes.
    pub images_per_repository: u32,
}

impl Quotas {
    /// What ECR begins with ("Amazon ECR service quotas" in its user guide).
    pub const ECR: Self =
        Self { repositories_per_registry: 100_000, images_per_repository: 100_000 };
}

impl Default for Quotas {
    fn default() -> Self {
        Self::ECR
    }
}

/// Whether the registry has room for another repository.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`].
pub(crate) async fn check_repositories(
    tx: &mut Tx,
    call: &Call<'_>,
    registry_id: i64,
    address: &RepositoryAddress,
) -> Result<()> {
    let quota = call.app.settings.quotas.repositories_per_registry;
    let full = tx
        .optional(
            "SELECT 1 FROM repositories WHERE registry_id = $1 ORDER BY name LIMIT 1 OFFSET $2",
            params![registry_id, i64::from(quota) - 1],
        )
        .await?;
    if full.is_none() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!(
            "The registry with id '{}' already has the maximum allowed number of repositories \
             which is '{quota}'",
            address.account
        ),
    ))
}

/// Whether the repository has room for another image.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`].
pub(crate) async fn check_images(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
) -> Result<()> {
    let quota = call.app.settings.quotas.images_per_repository;
    let full = tx
        .optional(
            "SELECT 1 FROM images WHERE repository_id = $1 ORDER BY id LIMIT 1 OFFSET $2",
            params![repository.id, i64::from(quota) - 1],
        )
        .await?;
    if full.is_none() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!(
            "The repository with name '{}' in registry with id '{}' already has the maximum \
             allowed number of images which is '{quota}'",
            repository.address.name, repository.address.account
        ),
    ))
}
