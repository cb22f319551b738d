//! Lifecycle policies: which images of a repository go by themselves, and when.
//!
//! [`policy`] is the language, [`validate`] reads it, [`evaluate`] decides; none of them does
//! input or output. [`expire`] and [`preview`] are jobs around them, and [`turns`] gives every
//! repository its daily turn. `docs/lifecycle.md` says what is decided where ECR leaves it open.

pub mod delete_lifecycle_policy;
pub mod effects;
pub mod evaluate;
pub mod expire;
mod facts;
pub mod get_lifecycle_policy;
pub mod policy;
pub mod preview;
pub mod preview_operations;
pub mod put_lifecycle_policy;
pub mod turns;
pub mod validate;

use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::lifecycle::expire::ExpireImagesOfRepository;
use crate::lifecycle::policy::LifecyclePolicy;
use crate::repositories::{Repository, RepositoryAddress};
use crate::{jobs, params};

/// A policy as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyOfRepository {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The policy as ECR gives it back: without white space, rules by priority.
    pub text: String,
    /// When it was last carried out, to the end.
    pub last_evaluated_at: Option<Millis>,
}

/// A policy as stored.
struct StoredPolicy {
    version: i64,
    text: String,
    last_evaluated_at: Option<Millis>,
}

impl StoredPolicy {
    fn parse(&self) -> Result<LifecyclePolicy> {
        // It was valid when it was stored.
        validate::parse(&self.text).map_err(Error::internal)
    }

    fn shown(self, repository: RepositoryAddress) -> Result<PolicyOfRepository> {
        let text = self.parse()?.minified().map_err(Error::internal)?;
        Ok(PolicyOfRepository { repository, text, last_evaluated_at: self.last_evaluated_at })
    }
}

async fn find(tx: &mut Tx, repository_id: i64) -> Result<Option<StoredPolicy>> {
    let row = tx
        .optional(
            "SELECT version, policy_text, last_evaluated_at FROM lifecycle_policies \
             WHERE repository_id = $1",
            params![repository_id],
        )
        .await?;
    row.map(|row| {
        Ok(StoredPolicy { version: row.get(0)?, text: row.get(1)?, last_evaluated_at: row.get(2)? })
    })
    .transpose()
}

/// The text of a repository's policy, as it was set.
pub(crate) async fn text_of(tx: &mut Tx, repository_id: i64) -> Result<Option<String>> {
    Ok(find(tx, repository_id).await?.map(|stored| stored.text))
}

/// Takes a repository's policy away.
pub(crate) async fn remove(tx: &mut Tx, repository_id: i64) -> Result<()> {
    tx.execute("DELETE FROM lifecycle_policies WHERE repository_id = $1", params![repository_id])
        .await?;
    Ok(())
}

/// The error for a repository without a policy, in ECR's words.
fn not_found(address: &RepositoryAddress) -> Error {
    Error::new(
        ErrorKind::LifecyclePolicyNotFound,
        format!(
            "Lifecycle policy does not exist for the repository with name '{}' in the registry \
             with id '{}'",
            address.name, address.account
        ),
    )
}

/// Gives a repository a policy that [`validate::parse`] takes, and has it carried out soon and every day.
pub(crate) async fn put(
    tx: &mut Tx,
    call: &Call<'_>,
    repository: &Repository,
    text: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO lifecycle_policies (repository_id, version, policy_text, updated_at, \
         next_run_at, last_evaluated_at) VALUES ($1, $2, $3, $4, $5, NULL) \
         ON CONFLICT (repository_id) DO UPDATE SET version = excluded.version, \
         policy_text = excluded.policy_text, updated_at = excluded.updated_at, \
         next_run_at = excluded.next_run_at, last_evaluated_at = NULL",
        params![
            repository.id,
            call.next_id(),
            text,
            call.now(),
            turns::after(repository.id, call.now()),
        ],
    )
    .await?;
    let job = ExpireImagesOfRepository::new(repository.address.account, repository.id);
    jobs::enqueue(tx, call.app, &job, call.now()).await
}
