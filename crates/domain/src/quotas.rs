//! Quotas that an operator may change; the fixed ones are beside what they limit.
//!
//! They are checked in the transaction that adds something. Transactions that write run one after
//! the other, so two requests cannot both take the last place. No count is stored: the check walks
//! an index up to the quota and no further, and for images remembers how much room it saw, so that
//! a push does not pay for it again. One process at a time writes to a database, so nobody else can
//! take that room.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::params;
use crate::repositories::{Repository, RepositoryAddress};

/// How much a registry may hold. What is there already stays when a quota is lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Repositories in one private registry.
    pub repositories_per_registry: u32,
    /// Repositories in one public registry.
    pub repositories_per_public_registry: u32,
    /// Images in one repository, with and without tags, also the children of indexes.
    pub images_per_repository: u32,
    /// Pull through cache rules of one registry.
    pub pull_through_cache_rules: u32,
}

impl Quotas {
    /// What ECR begins with ("Amazon ECR service quotas" in its user guide, and the same of
    /// ECR Public).
    pub const ECR: Self = Self {
        repositories_per_registry: 100_000,
        repositories_per_public_registry: 10_000,
        images_per_repository: 100_000,
        pull_through_cache_rules: 50,
    };
}

impl Default for Quotas {
    fn default() -> Self {
        Self::ECR
    }
}

/// How many more images a repository surely has room for, by its row. What is deleted makes more
/// room than is known here, and so does a transaction that takes a place and then fails.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<HashMap<i64, u64>>);

/// Repositories that are remembered at a time.
const REMEMBERED_MAX: usize = 10_000;

impl Room {
    /// Takes a place; whether one was known to be free.
    fn take(&self, repository_id: i64) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(&repository_id) {
            Some(room) if *room > 0 => {
                *room -= 1;
                true
            }
            _ => false,
        }
    }

    fn put(&self, repository_id: i64, room: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(repository_id, room);
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
    let quotas = call.app.settings.quotas;
    let quota = match address.region.is_global() {
        true => quotas.repositories_per_public_registry,
        false => quotas.repositories_per_registry,
    };
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

/// Whether the registry has room for another pull through cache rule.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`].
pub(crate) async fn check_pull_through_cache_rules(
    tx: &mut Tx,
    call: &Call<'_>,
    registry_id: i64,
) -> Result<()> {
    let quota = call.app.settings.quotas.pull_through_cache_rules;
    let full = tx
        .optional(
            "SELECT 1 FROM pull_through_cache_rules WHERE registry_id = $1 ORDER BY prefix \
             LIMIT 1 OFFSET $2",
            params![registry_id, i64::from(quota) - 1],
        )
        .await?;
    if full.is_none() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!(
            "The registry with id '{}' already has the maximum allowed number of pull through \
             cache rules which is '{quota}'",
            call.context.account
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
    if call.app.room.take(repository.id) {
        return Ok(());
    }
    let row = tx
        .optional(
            "SELECT COUNT(*) FROM (SELECT 1 FROM images WHERE repository_id = $1 LIMIT $2) AS held",
            params![repository.id, i64::from(quota)],
        )
        .await?;
    let held: u64 = row.map_or(Ok(0), |row| row.get(0))?;
    if let Some(room) = u64::from(quota).checked_sub(held + 1) {
        call.app.room.put(repository.id, room);
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
