//! Tags of what IAM names. Keys are unique whatever their case, as in IAM and unlike in ECR.

use std::collections::BTreeSet;

use super::{Entity, EntityKind, folded};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Tx};
use crate::identities::IamOperation;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::resource_tags::{self, ResourceTag};

/// Tags per entity; AWS's quota.
const TAGS_MAX: usize = 50;

/// Refuses what IAM refuses.
pub(crate) fn validate(tags: &[ResourceTag]) -> Result<()> {
    let mut keys = BTreeSet::new();
    if !tags.iter().all(|tag| keys.insert(folded(&tag.key))) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    resource_tags::validate(tags)
        .map_err(|error| Error::new(ErrorKind::InvalidInput, error.message()))
}

pub(crate) async fn list(tx: &mut Tx, entity_id: i64) -> Result<Vec<ResourceTag>> {
    let rows = tx
        .all(
            "SELECT tag_key, tag_value FROM iam_tags WHERE entity_id = $1 \
             ORDER BY folded_key LIMIT 100",
            params![entity_id],
        )
        .await?;
    rows.iter().map(|row| Ok(ResourceTag { key: row.get(0)?, value: row.get(1)? })).collect()
}

/// Adds tags; an existing key gets the new value.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`] when there would be more than 50.
pub(crate) async fn put(tx: &mut Tx, entity_id: i64, tags: &[ResourceTag]) -> Result<()> {
    validate(tags)?;
    for tag in tags {
        tx.execute(
            "INSERT INTO iam_tags (entity_id, folded_key, tag_key, tag_value) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (entity_id, folded_key) \
             DO UPDATE SET tag_key = excluded.tag_key, tag_value = excluded.tag_value",
            params![entity_id, folded(&tag.key), &tag.key, &tag.value],
        )
        .await?;
    }
    if !tags.is_empty() && list(tx, entity_id).await?.len() > TAGS_MAX {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("Cannot exceed quota for TagsPerEntity: {TAGS_MAX}."),
        ));
    }
    Ok(())
}

/// A kind of entity whose tags can be changed, and what the operations on them are called.
pub trait Taggable: Send + 'static {
    /// The kind.
    const KIND: EntityKind;
    /// The action that adds tags.
    const TAG: &'static str;
    /// The action that removes tags.
    const UNTAG: &'static str;
    /// The action that lists tags.
    const LIST: &'static str;
}

macro_rules! taggable {
    ($($(#[$doc:meta])* $kind:ident: $tag:literal, $untag:literal, $list:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $kind;

            impl Taggable for $kind {
                const KIND: EntityKind = EntityKind::$kind;
                const TAG: &'static str = $tag;
                const UNTAG: &'static str = $untag;
                const LIST: &'static str = $list;
            }
        )*
    };
}

taggable! {
    /// Tags of users.
    User: "iam:TagUser", "iam:UntagUser", "iam:ListUserTags";
    /// Tags of roles.
    Role: "iam:TagRole", "iam:UntagRole", "iam:ListRoleTags";
    /// Tags of managed policies.
    Policy: "iam:TagPolicy", "iam:UntagPolicy", "iam:ListPolicyTags";
    /// Tags of instance profiles.
    InstanceProfile:
        "iam:TagInstanceProfile", "iam:UntagInstanceProfile", "iam:ListInstanceProfileTags";
    /// Tags of OIDC providers.
    OidcProvider:
        "iam:TagOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider",
        "iam:ListOpenIDConnectProviderTags";
}

/// The entity that an operation names: policies and OIDC providers by ARN, others by name.
pub(crate) async fn named(
    tx: &mut Tx,
    call: &Call<'_>,
    kind: EntityKind,
    name: &str,
) -> Result<Entity> {
    if !name.starts_with("arn:") {
        return super::get(tx, call, kind, name).await;
    }
    super::find_by_arn(tx, name)
        .await?
        .filter(|entity| entity.kind == kind && entity.account == call.context.principal.account)
        .ok_or_else(|| kind.not_found(name))
}

fn demand(
    action: &'static str,
    kind: EntityKind,
    name: &str,
    context: &RequestContext,
) -> Vec<Demand> {
    let resource = if name.starts_with("arn:") {
        crate::execute::Resource::Arn { arn: name.to_owned(), account: context.principal.account }
    } else {
        kind.resource(context, name)
    };
    vec![Demand::new(action, resource)]
}

/// Adds tags to an entity; an existing key gets the new value. Idempotent.
#[derive(Clone, Debug)]
pub struct Tag<K> {
    /// Its name, or its ARN.
    pub name: String,
    /// At most 50 in all.
    pub tags: Vec<ResourceTag>,
    /// What it is.
    pub kind: K,
}

impl<K: Taggable> IamOperation for Tag<K> {
    const ACTION: &'static str = K::TAG;
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let mut demands = demand(K::TAG, K::KIND, &self.name, context);
        for demand in &mut demands {
            demand.keys = resource_tags::condition_keys(&self.tags);
        }
        demands
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = named(tx, call, K::KIND, &self.name).await?;
        put(tx, entity.id, &self.tags).await
    }
}

/// Removes tags from an entity. Keys that are not there change nothing.
#[derive(Clone, Debug)]
pub struct Untag<K> {
    /// Its name, or its ARN.
    pub name: String,
    /// The keys, in any case.
    pub keys: Vec<String>,
    /// What it is.
    pub kind: K,
}

impl<K: Taggable> IamOperation for Untag<K> {
    const ACTION: &'static str = K::UNTAG;
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let demands = demand(K::UNTAG, K::KIND, &self.name, context);
        demands
            .into_iter()
            .map(|demand| demand.with_key("aws:TagKeys", self.keys.clone()))
            .collect()
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = named(tx, call, K::KIND, &self.name).await?;
        for key in &self.keys {
            tx.execute(
                "DELETE FROM iam_tags WHERE entity_id = $1 AND folded_key = $2",
                params![entity.id, folded(key)],
            )
            .await?;
        }
        Ok(())
    }
}

/// Lists the tags of an entity, by key.
#[derive(Clone, Debug)]
pub struct ListTags<K> {
    /// Its name, or its ARN.
    pub name: String,
    /// Which page.
    pub page: PageRequest,
    /// What it is.
    pub kind: K,
}

impl<K: Taggable> IamOperation for ListTags<K> {
    const ACTION: &'static str = K::LIST;
    const CHANGES: bool = false;
    type Output = Page<ResourceTag>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        demand(K::LIST, K::KIND, &self.name, context)
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<ResourceTag>> {
        let entity = named(tx, call, K::KIND, &self.name).await?;
        let tags = list(tx, entity.id).await?;
        Ok(self.page.cut_all(tags, |tag| folded(&tag.key)))
    }
}
