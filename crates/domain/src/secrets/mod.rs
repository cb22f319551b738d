//! Secrets: the part of AWS Secrets Manager that clients of a registry need, so that rules of the
//! pull-through cache have their credentials by ARN as in ECR.
//!
//! A secret has versions; each holds one value, sealed with the root key, that never changes.
//! Labels ([`CURRENT`] and others) say which version is meant. A deleted secret can be restored
//! until its recovery window is over; then a job removes it ([`purge`]).
//!
//! Source: AWS Secrets Manager API reference and user guide; botocore `secretsmanager`.
//! `docs/secrets.md` says what is not there.

pub mod create_secret;
pub mod delete_secret;
pub mod describe_secret;
pub mod filter;
pub mod get_secret_value;
mod id;
pub mod list_secret_version_ids;
pub mod list_secrets;
pub mod purge;
pub mod put_secret_value;
pub mod resource_policy;
pub mod restore_secret;
pub(crate) mod rows;
mod staging;
pub mod tags;
pub mod update_secret;
pub mod update_secret_version_stage;
pub mod value;

use std::collections::BTreeMap;

pub use self::id::{SecretId, SecretName};
pub use self::staging::StoredVersion;
pub use self::value::{SecretValue, Value, current_value};
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};

/// The label of the version that is meant when none is named.
pub const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was current before.
pub const PREVIOUS: &str = "AWSPREVIOUS";
/// Secrets in a region of an account ("AWS Secrets Manager quotas" in its user guide).
const SECRETS_MAX: i64 = 500_000;

/// A secret without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub(crate) id: i64,
    /// `arn:aws:secretsmanager:{region}:{account}:secret:{name}-{6 random characters}`.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// At most 2,048 characters.
    pub description: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Millis,
    /// When anything of it changed last.
    pub changed_at: Millis,
    /// The day on which its value was last read.
    pub accessed_at: Option<Millis>,
    /// When its deletion was asked for.
    pub deleted_at: Option<Millis>,
    /// When it will be removed.
    pub(crate) purge_at: Option<Millis>,
}

/// A secret and its labels by version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedSecret {
    /// The secret.
    pub secret: Secret,
    /// The labels of every version that has any.
    pub stages: BTreeMap<String, Vec<String>>,
}

/// A demand for an action on a secret, with the keys that every such action has.
fn demand(action: &'static str, id: &SecretId) -> Demand {
    Demand::new(action, Resource::Secret { id: id.clone(), arn: None })
        .with_key("secretsmanager:SecretId", vec![id.given().to_owned()])
}

/// The secret in the region that was addressed.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
async fn find(tx: &mut Tx, call: &Call<'_>, id: &SecretId) -> Result<Result<Secret, Error>> {
    let found = match *id.region() == call.context.region {
        true => rows::find(tx, id, call.now()).await?,
        false => None,
    };
    Ok(found.ok_or_else(not_found))
}

/// As [`find`], of secrets whose deletion is not scheduled. The inner error is a refusal, to be
/// given with [`Call::refuse`] by whoever writes.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`], [`ErrorKind::InvalidState`].
async fn live(tx: &mut Tx, call: &Call<'_>, id: &SecretId) -> Result<Result<Secret, Error>> {
    let found = find(tx, call, id).await?;
    Ok(found.and_then(|secret| match secret.deleted_at {
        None => Ok(secret),
        Some(_) => Err(Error::new(
            ErrorKind::InvalidState,
            "You can't perform this operation on the secret because it was marked for deletion.",
        )),
    }))
}

fn not_found() -> Error {
    let message = "Secrets Manager can't find the specified secret.";
    Error::new(ErrorKind::NoSuchEntity, message)
}

/// The error for a version that is not there; `what` names it.
fn no_version(what: &str, name: &str) -> Error {
    Error::new(
        ErrorKind::NoSuchEntity,
        format!("Secrets Manager can't find the specified secret value for {what}: {name}"),
    )
}
