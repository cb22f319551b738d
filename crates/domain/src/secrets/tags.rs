//! `TagResource` and `UntagResource`.

use super::{SecretId, demand, live, rows};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::resource_tags::{self, ResourceTag};

/// Tags of a secret ("AWS Secrets Manager quotas" in its user guide).
const TAGS_MAX: usize = 50;

/// Refuses what AWS refuses.
///
/// # Errors
/// [`ErrorKind::InvalidTagParameter`], [`ErrorKind::TooManyTags`].
pub(super) fn validate(tags: &[ResourceTag]) -> Result<()> {
    check_count(tags.len())?;
    resource_tags::validate(tags)
}

fn check_count(count: usize) -> Result<()> {
    if count <= TAGS_MAX {
        return Ok(());
    }
    let message = format!("A secret can have at most {TAGS_MAX} tags.");
    Err(Error::new(ErrorKind::TooManyTags, message))
}

/// Adds tags to a secret; an existing key gets the new value. Idempotent.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`], [`ErrorKind::InvalidState`], and those of tags.
#[derive(Clone, Debug)]
pub struct TagSecret {
    /// Which secret.
    pub id: SecretId,
    /// The tags.
    pub tags: Vec<ResourceTag>,
}

impl Operation for TagSecret {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "TagResource" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let mut demand = demand("secretsmanager:TagResource", &self.id);
        demand.keys.extend(resource_tags::condition_keys(&self.tags));
        vec![demand]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        validate(&self.tags)?;
        let mut tx = call.write().await?;
        let mut secret = match live(&mut tx, &call, &self.id).await? {
            Ok(secret) => secret,
            Err(refusal) => return call.refuse(tx, refusal).await,
        };
        secret.tags.extend(self.tags.into_iter().map(|tag| (tag.key, tag.value)));
        check_count(secret.tags.len())?;
        secret.changed_at = call.now();
        rows::update(&mut tx, &secret).await?;
        call.commit(tx).await
    }
}

/// Removes tags from a secret; keys it does not have are ignored. Idempotent.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`], [`ErrorKind::InvalidState`].
#[derive(Clone, Debug)]
pub struct UntagSecret {
    /// Which secret.
    pub id: SecretId,
    /// The keys.
    pub keys: Vec<String>,
}

impl Operation for UntagSecret {
    const ENTRY: Entry = Entry { service: Service::SecretsManager, name: "UntagResource" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            demand("secretsmanager:UntagResource", &self.id)
                .with_key("aws:TagKeys", self.keys.clone()),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let mut secret = match live(&mut tx, &call, &self.id).await? {
            Ok(secret) => secret,
            Err(refusal) => return call.refuse(tx, refusal).await,
        };
        secret.tags.retain(|key, _| !self.keys.contains(key));
        secret.changed_at = call.now();
        rows::update(&mut tx, &secret).await?;
        call.commit(tx).await
    }
}
