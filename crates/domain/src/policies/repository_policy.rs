//! `SetRepositoryPolicy`, `GetRepositoryPolicy`, `DeleteRepositoryPolicy`.

use super::{Checked, Stored, Subject, check};
use crate::authorize;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{
    Call, Demand, Entry, Operation, RegistryAction, Service, Tx, registry_action,
};
use crate::replication::{self, settings::ReplicatedSetting};
use crate::repositories::{self, Repository, RepositoryAddress};
use crate::{params, versions};

const SET: RegistryAction = registry_action!("SetRepositoryPolicy");

/// Sets the policy of a repository; what stood there before is gone. Binds every request that
/// arrives after it was acknowledged.
#[derive(Clone, Debug)]
pub struct SetRepositoryPolicy {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The policy, at most 10,240 characters.
    pub text: String,
    /// Whether the caller may lose the right to set the policy again by it.
    pub force: bool,
}

/// A repository's policy as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryPolicy {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The text, byte for byte as it was set.
    pub text: String,
}

impl Operation for SetRepositoryPolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "SetRepositoryPolicy" };
    type Output = RepositoryPolicy;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(SET)]
    }

    async fn run(self, call: Call<'_>) -> Result<RepositoryPolicy> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let subject = match self.repository.region.is_global() {
            true => Subject::PublicRepository,
            false => Subject::Repository,
        };
        let checked = check(&mut tx, subject, &self.text).await?;
        put(&mut tx, &repository, &self.text, &checked, call.now()).await?;
        let setting = ReplicatedSetting::RepositoryPolicy;
        replication::settings::note(&mut tx, &call, &repository, setting).await?;
        if !self.force {
            refuse_lockout(&call, &self.repository, &mut tx).await?;
        }
        call.commit(tx).await?;
        Ok(RepositoryPolicy { repository: self.repository, text: self.text })
    }
}

/// Stores a checked policy.
pub(crate) async fn put(
    tx: &mut Tx,
    repository: &Repository,
    text: &str,
    checked: &Checked,
    now: Millis,
) -> Result<()> {
    tx.execute(
        "INSERT INTO repository_policies (repository_id, document, principals, updated_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (repository_id) DO UPDATE SET \
         document = excluded.document, principals = excluded.principals, \
         updated_at = excluded.updated_at",
        params![repository.id, text, checked.stored_principals()?, now],
    )
    .await?;
    versions::bump(tx, &versions::repository_policy(&repository.address)).await
}

/// Removes a repository's policy; whether there was one.
pub(crate) async fn remove(tx: &mut Tx, repository: &Repository) -> Result<bool> {
    let removed = tx
        .execute("DELETE FROM repository_policies WHERE repository_id = $1", params![repository.id])
        .await?;
    if removed > 0 {
        // A repository made again under the name has none, whatever was cached for this one.
        versions::bump(tx, &versions::repository_policy(&repository.address)).await?;
    }
    Ok(removed > 0)
}

/// ECR's guard: whoever sets a policy must be able to set it again.
async fn refuse_lockout(
    call: &Call<'_>,
    repository: &RepositoryAddress,
    tx: &mut Tx,
) -> Result<()> {
    let again = repository.demand(SET);
    match authorize::require_now(call.app, call.context, again, tx).await {
        Err(error) if error.kind() == ErrorKind::AccessDenied => Err(Error::invalid_parameter(
            "PolicyText",
            "The policy would deny you a later SetRepositoryPolicy. Allow it, or set force to \
             store the policy all the same",
        )),
        other => other,
    }
}

async fn stored(tx: &mut Tx, repository: &Repository) -> Result<Stored> {
    let row = tx
        .optional(
            "SELECT document, principals FROM repository_policies WHERE repository_id = $1",
            params![repository.id],
        )
        .await?;
    match row {
        Some(row) => Stored::from_row(&row),
        None => {
            let RepositoryAddress { account, name, .. } = &repository.address;
            Err(Error::new(
                ErrorKind::RepositoryPolicyNotFound,
                format!(
                    "Repository policy does not exist for the repository with name '{name}' in \
                     the registry with id '{account}'"
                ),
            ))
        }
    }
}

/// The text of a repository's policy as clients see it, if it has one.
pub(crate) async fn text_of(tx: &mut Tx, repository: &Repository) -> Result<Option<String>> {
    match stored(tx, repository).await {
        Ok(stored) => stored.shown(tx).await.map(Some),
        Err(absent) if absent.kind() == ErrorKind::RepositoryPolicyNotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the policy of a repository.
#[derive(Clone, Debug)]
pub struct GetRepositoryPolicy {
    /// The repository.
    pub repository: RepositoryAddress,
}

impl Operation for GetRepositoryPolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetRepositoryPolicy" };
    type Output = RepositoryPolicy;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("GetRepositoryPolicy"))]
    }

    async fn run(self, call: Call<'_>) -> Result<RepositoryPolicy> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let text = stored(&mut tx, &repository).await?.shown(&mut tx).await?;
        Ok(RepositoryPolicy { repository: self.repository, text })
    }
}

/// Removes the policy of a repository, and gives it back.
#[derive(Clone, Debug)]
pub struct DeleteRepositoryPolicy {
    /// The repository.
    pub repository: RepositoryAddress,
}

impl Operation for DeleteRepositoryPolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeleteRepositoryPolicy" };
    type Output = RepositoryPolicy;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("DeleteRepositoryPolicy"))]
    }

    async fn run(self, call: Call<'_>) -> Result<RepositoryPolicy> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let stored = match stored(&mut tx, &repository).await {
            Err(absent) if absent.kind() == ErrorKind::RepositoryPolicyNotFound => {
                return call.refuse(tx, absent).await;
            }
            stored => stored?,
        };
        let text = stored.shown(&mut tx).await?;
        remove(&mut tx, &repository).await?;
        let setting = ReplicatedSetting::RepositoryPolicy;
        replication::settings::note(&mut tx, &call, &repository, setting).await?;
        call.commit(tx).await?;
        Ok(RepositoryPolicy { repository: self.repository, text })
    }
}
