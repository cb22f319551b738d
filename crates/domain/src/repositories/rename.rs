//! Another name for a repository. ECR has no such operation, so it is beside its API.

use super::{Repository, RepositoryAddress};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Event};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::gallery;
use crate::names::RepositoryName;
use crate::pull_through::rules;
use crate::{params, replication, versions};

/// Gives a repository another name in its registry, in one transaction. It stays the same
/// repository: images, tags and their history, policies, settings, resource tags and unfinished
/// uploads stay with it, and jobs go on. What is bound to the old name ends: addresses of uploads and
/// download links that clients hold, and what identity policies say of it. Not idempotent: a second
/// call does not find the old name.
///
/// # Errors
/// [`ErrorKind::RepositoryNotFound`]; [`ErrorKind::RepositoryAlreadyExists`] where the new name is
/// taken, by the repository itself too; [`ErrorKind::RepositoryIsCache`] where one of the names is
/// that of a cache.
#[derive(Clone, Debug)]
pub struct RenameRepository {
    /// The repository.
    pub repository: RepositoryAddress,
    /// Its new name.
    pub new_name: RepositoryName,
}

impl RenameRepository {
    fn target(&self) -> RepositoryAddress {
        RepositoryAddress { name: self.new_name.clone(), ..self.repository.clone() }
    }
}

impl Operation for RenameRepository {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "RenameRepository" };
    type Output = Repository;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new("tonnage:RenameRepository", self.repository.resource()),
            Demand::new("ecr:CreateRepository", self.target().resource()),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<Repository> {
        let target = self.target();
        let mut tx = call.write().await?;
        let Some(mut repository) = super::find(&mut tx, &self.repository).await? else {
            return call.refuse(tx, super::not_found(&self.repository)).await;
        };
        // Where the images of a cache come from follows from its name.
        let caches = [(&self.repository, Some(&repository)), (&target, None)];
        for (name, existing) in caches {
            if let Err(refusal) = rules::refuse_push(&mut tx, name, existing).await {
                return call.refuse(tx, refusal).await;
            }
        }
        if super::find(&mut tx, &target).await?.is_some() {
            let refusal = Error::new(
                ErrorKind::RepositoryAlreadyExists,
                format!(
                    "The repository with name '{}' already exists in the registry with id '{}'",
                    target.name, target.account
                ),
            );
            return call.refuse(tx, refusal).await;
        }
        tx.execute(
            "UPDATE repositories SET name = $2 WHERE id = $1",
            params![repository.id, target.name.as_str()],
        )
        .await?;
        forget_decisions(&mut tx, repository.id, [&self.repository, &target]).await?;
        replication::settings::forget_carried(&mut tx, repository.id).await?;
        gallery::note(&mut tx, &call, &repository).await?;
        let event = Event::RepositoryRenamed {
            repository_name: target.name.to_string(),
            previous_repository_name: self.repository.name.to_string(),
        };
        events::publish(&mut tx, &call, repository.registry_id, &event).await?;
        call.commit(tx).await?;
        repository.address = target;
        Ok(repository)
    }
}

/// Makes what was decided under both names worthless: the policy of the repository governs the new
/// name now and the old one no more.
async fn forget_decisions(
    tx: &mut Tx,
    repository_id: i64,
    names: [&RepositoryAddress; 2],
) -> Result<()> {
    let has_policy = tx
        .optional(
            "SELECT 1 FROM repository_policies WHERE repository_id = $1",
            params![repository_id],
        )
        .await?;
    if has_policy.is_some() {
        for name in names {
            versions::bump(tx, &versions::repository_policy(name)).await?;
        }
    }
    Ok(())
}
