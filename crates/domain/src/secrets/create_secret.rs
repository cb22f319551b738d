//! `CreateSecret`.

use std::collections::BTreeMap;

use super::staging::{self, NewVersion};
use super::{SECRETS_MAX, Secret, SecretId, SecretName, StoredVersion, Value, id, rows, tags};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::params;
use crate::resource_tags::{self, ResourceTag};

/// Makes a secret in the caller's account and region, with its first version if there is a value.
/// Idempotent by token: the same token with the same value gives back what was made.
///
/// # Errors
/// [`ErrorKind::EntityAlreadyExists`]; [`ErrorKind::InvalidState`] when the deletion of one with
/// this name is scheduled, or for a value without a token; those of tags.
#[derive(Clone, Debug)]
pub struct CreateSecret {
    /// Its name.
    pub name: SecretName,
    /// Its description.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<ResourceTag>,
    /// Its first value.
    pub value: Option<Value>,
    /// The id of the first version, 32 to 64 characters.
    pub token: Option<String>,
}

/// A secret and what was made of the request's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The secret.
    pub secret: Secret,
    /// The version.
    pub version: Option<StoredVersion>,
}

impl Operation for CreateSecret {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "CreateSecret" };
    type Output = Stored;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let id = self.id(context);
        let resource = || Resource::Secret { id: id.clone(), arn: Some(id.pattern()) };
        let keys = || resource_tags::condition_keys(&self.tags);
        let mut create =
            Demand { keys: keys(), ..Demand::new("secretsmanager:CreateSecret", resource()) }
                .with_key("secretsmanager:Name", vec![self.name.as_str().to_owned()]);
        if let Some(description) = &self.description {
            create = create.with_key("secretsmanager:Description", vec![description.clone()]);
        }
        let mut demands = vec![create];
        if !self.tags.is_empty() {
            let tag = Demand::new("secretsmanager:TagResource", resource());
            demands.push(Demand { keys: keys(), ..tag });
        }
        demands
    }

    async fn run(self, call: Call<'_>) -> Result<Stored> {
        tags::validate(&self.tags)?;
        let id = self.id(call.context);
        let new = match self.value {
            None => None,
            Some(value) => {
                value.validate()?;
                let new = NewVersion { token: self.token, value, stages: Vec::new() };
                new.id()?;
                Some(new)
            }
        };
        let mut tx = call.write().await?;
        if let Some(found) = rows::find_whatever(&mut tx, &id).await? {
            if found.purge_at.is_none_or(|at| at > call.now()) {
                return existing(tx, &call, found, new.as_ref()).await;
            }
            // Its recovery window is over, and the job that removes it has not come to it.
            rows::remove(&mut tx, found.id).await?;
        }
        check_room(&mut tx, &id).await?;
        let secret = Secret {
            id: call.next_id(),
            arn: id::new_arn(id.account(), id.region(), &self.name)?,
            name: self.name.as_str().to_owned(),
            description: self.description.filter(|text| !text.is_empty()),
            tags: self.tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<BTreeMap<_, _>>(),
            created_at: call.now(),
            changed_at: call.now(),
            accessed_at: None,
            deleted_at: None,
            purge_at: None,
        };
        rows::insert(&mut tx, &id, &secret).await?;
        let version = match new {
            None => None,
            Some(new) => Some(staging::put(&mut tx, &call, &secret, &new).await??),
        };
        call.commit(tx).await?;
        Ok(Stored { secret, version })
    }
}

impl CreateSecret {
    fn id(&self, context: &RequestContext) -> SecretId {
        SecretId::of_name(context.account, context.region.clone(), self.name.clone())
    }
}

/// What to say of a secret that exists already.
async fn existing(
    mut tx: Tx,
    call: &Call<'_>,
    found: Secret,
    new: Option<&NewVersion>,
) -> Result<Stored> {
    if found.deleted_at.is_some() {
        let scheduled = Error::new(
            ErrorKind::InvalidState,
            "You can't create this secret because a secret with this name is already scheduled for \
             deletion.",
        );
        return call.refuse(tx, scheduled).await;
    }
    if let Some(new) = new
        && let Ok(Some(version)) = staging::repeated(&mut tx, call, &found, new).await?
    {
        call.commit(tx).await?;
        return Ok(Stored { secret: found, version: Some(version) });
    }
    let exists = Error::new(
        ErrorKind::EntityAlreadyExists,
        format!("The operation failed because the secret {} already exists.", found.name),
    );
    call.refuse(tx, exists).await
}

async fn check_room(tx: &mut Tx, id: &SecretId) -> Result<()> {
    let full = tx
        .optional(
            "SELECT 1 FROM secrets WHERE account_id = $1 AND region = $2 \
             ORDER BY name LIMIT 1 OFFSET $3",
            params![id.account().as_str(), id.region().as_str(), SECRETS_MAX - 1],
        )
        .await?;
    if full.is_none() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!("A region of an account can have at most {SECRETS_MAX} secrets."),
    ))
}
