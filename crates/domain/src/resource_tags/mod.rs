//! Resource tags of repositories: `TagResource`, `UntagResource`, `ListTagsForResource`.

use std::collections::BTreeSet;

use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx, registry_action};
use crate::names::{Arn, Partition, RepositoryName};
use crate::params;
use crate::replication::{self, settings::ReplicatedSetting};
use crate::repositories::{self, RepositoryAddress};

/// Tags per repository; AWS's quota.
const TAGS_MAX: usize = 50;

/// A key and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceTag {
    /// 1 to 128 characters, not beginning with `aws:`.
    pub key: String,
    /// At most 256 characters.
    pub value: String,
}

/// Refuses what AWS refuses: reserved prefixes, characters, lengths, repeated keys, too many.
///
/// # Errors
/// [`ErrorKind::InvalidTagParameter`], [`ErrorKind::TooManyTags`].
pub(crate) fn validate(tags: &[ResourceTag]) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(too_many());
    }
    let mut keys = BTreeSet::new();
    for tag in tags {
        let length = tag.key.chars().count();
        let problem = if length == 0 || length > 128 {
            "a key has 1 to 128 characters"
        } else if tag.key.to_lowercase().starts_with("aws:") {
            "keys that begin with aws: are reserved"
        } else if tag.value.chars().count() > 256 {
            "a value has at most 256 characters"
        } else if !tag.key.chars().chain(tag.value.chars()).all(allowed) {
            "keys and values have letters, digits, spaces and _ . : / = + - @"
        } else if !keys.insert(tag.key.as_str()) {
            "every key appears once"
        } else {
            continue;
        };
        return Err(Error::new(
            ErrorKind::InvalidTagParameter,
            format!("Invalid tag with key '{}': {problem}.", tag.key),
        ));
    }
    Ok(())
}

fn allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

fn too_many() -> Error {
    Error::new(ErrorKind::TooManyTags, format!("A repository can have at most {TAGS_MAX} tags."))
}

/// `aws:RequestTag/*` and `aws:TagKeys` of a request that sets these tags.
pub(crate) fn condition_keys(tags: &[ResourceTag]) -> Vec<(String, Vec<String>)> {
    let mut keys: Vec<_> = tags
        .iter()
        .map(|tag| (format!("aws:RequestTag/{}", tag.key), vec![tag.value.clone()]))
        .collect();
    if !tags.is_empty() {
        keys.push(("aws:TagKeys".to_owned(), tags.iter().map(|tag| tag.key.clone()).collect()));
    }
    keys
}

/// Adds tags; an existing key gets the new value.
///
/// # Errors
/// [`ErrorKind::TooManyTags`] when the repository would have more than 50.
pub(crate) async fn put(tx: &mut Tx, repository_id: i64, tags: &[ResourceTag]) -> Result<()> {
    for tag in tags {
        tx.execute(
            "INSERT INTO resource_tags (repository_id, tag_key, tag_value) VALUES ($1, $2, $3) \
             ON CONFLICT (repository_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
            params![repository_id, &tag.key, &tag.value],
        )
        .await?;
    }
    if !tags.is_empty() && list(tx, repository_id).await?.len() > TAGS_MAX {
        return Err(too_many());
    }
    Ok(())
}

/// Removes a tag, if there is one of this key.
pub(crate) async fn remove(tx: &mut Tx, repository_id: i64, key: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM resource_tags WHERE repository_id = $1 AND tag_key = $2",
        params![repository_id, key],
    )
    .await?;
    Ok(())
}

/// The tags of a repository, by key.
pub(crate) async fn list(tx: &mut Tx, repository_id: i64) -> Result<Vec<ResourceTag>> {
    let rows = tx
        .all(
            "SELECT tag_key, tag_value FROM resource_tags WHERE repository_id = $1 \
             ORDER BY tag_key LIMIT 1000",
            params![repository_id],
        )
        .await?;
    rows.iter().map(|row| Ok(ResourceTag { key: row.get(0)?, value: row.get(1)? })).collect()
}

/// The repository that an ARN names; the region of the ARN must be the one addressed.
///
/// # Errors
/// `InvalidParameter` for every other ARN, in ECR's words.
pub fn parse_resource_arn(context: &RequestContext, text: &str) -> Result<RepositoryAddress> {
    let invalid = || Error::invalid_parameter("resourceArn", "Invalid ARN");
    let arn = Arn::parse(text).map_err(|_| invalid())?;
    let name = arn.resource().strip_prefix("repository/").ok_or_else(invalid)?;
    let is_public = context.region.is_global();
    let name = match is_public {
        true => RepositoryName::parse_public(name),
        false => RepositoryName::parse(name),
    };
    let name = name.map_err(|_| invalid())?;
    let here = arn.service() == if is_public { "ecr-public" } else { "ecr" }
        && arn.region() == context.region.as_str()
        && arn.partition() == Partition::of(&context.region).as_str();
    let account = crate::names::AccountId::parse(arn.account()).map_err(|_| invalid())?;
    if !here {
        return Err(invalid());
    }
    Ok(RepositoryAddress { account, region: context.region.clone(), name })
}

/// Adds tags to a repository. Idempotent.
#[derive(Clone, Debug)]
pub struct TagResource {
    /// The repository.
    pub resource: RepositoryAddress,
    /// The tags.
    pub tags: Vec<ResourceTag>,
}

impl Operation for TagResource {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "TagResource" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand {
            keys: condition_keys(&self.tags),
            ..self.resource.demand(registry_action!("TagResource"))
        }]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        validate(&self.tags)?;
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.resource).await?;
        put(&mut tx, repository.id, &self.tags).await?;
        let setting = ReplicatedSetting::ResourceTags;
        replication::settings::note(&mut tx, &call, &repository, setting).await?;
        call.commit(tx).await
    }
}

/// Removes tags from a repository; keys it does not have are ignored. Idempotent.
#[derive(Clone, Debug)]
pub struct UntagResource {
    /// The repository.
    pub resource: RepositoryAddress,
    /// The keys.
    pub keys: Vec<String>,
}

impl Operation for UntagResource {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "UntagResource" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            self.resource
                .demand(registry_action!("UntagResource"))
                .with_key("aws:TagKeys", self.keys.clone()),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.resource).await?;
        for key in &self.keys {
            remove(&mut tx, repository.id, key).await?;
        }
        let setting = ReplicatedSetting::ResourceTags;
        replication::settings::note(&mut tx, &call, &repository, setting).await?;
        call.commit(tx).await
    }
}

/// Lists the tags of a repository.
#[derive(Clone, Debug)]
pub struct ListTagsForResource {
    /// The repository.
    pub resource: RepositoryAddress,
}

impl Operation for ListTagsForResource {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "ListTagsForResource" };
    type Output = Vec<ResourceTag>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.resource.demand(registry_action!("ListTagsForResource"))]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<ResourceTag>> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.resource).await?;
        list(&mut tx, repository.id).await
    }
}
