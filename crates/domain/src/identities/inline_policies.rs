//! Policies that belong to one user, group or role.

use tonnage_policy::PolicyKind;

use super::IamOperation;
use super::entities::{self, EntityKind, folded};
use super::policies::document;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Tx};
use crate::pages::{Page, PageRequest};
use crate::params;

/// A policy of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlinePolicy {
    /// 1 to 128 characters.
    pub name: String,
    /// The document as it was given.
    pub document: String,
}

/// A kind of identity that policies can belong to or be attached to, and what the operations on
/// them are called.
pub trait Identity: Send + 'static {
    /// The kind.
    const KIND: EntityKind;
    /// Characters of all its inline policies, white space not counted; AWS's quota.
    const CHARS_MAX: usize;
    /// The actions on inline policies: put, get, delete, list.
    const INLINE: [&'static str; 4];
    /// The actions on attachments: attach, detach, list.
    const ATTACHED: [&'static str; 3];
}

macro_rules! identity {
    ($($(#[$doc:meta])* $kind:ident $chars:literal [$($inline:literal),*] [$($attached:literal),*];)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $kind;

            impl Identity for $kind {
                const KIND: EntityKind = EntityKind::$kind;
                const CHARS_MAX: usize = $chars;
                const INLINE: [&'static str; 4] = [$($inline),*];
                const ATTACHED: [&'static str; 3] = [$($attached),*];
            }
        )*
    };
}

identity! {
    /// Policies of users.
    User 2048
        ["iam:PutUserPolicy", "iam:GetUserPolicy", "iam:DeleteUserPolicy", "iam:ListUserPolicies"]
        ["iam:AttachUserPolicy", "iam:DetachUserPolicy", "iam:ListAttachedUserPolicies"];
    /// Policies of groups.
    Group 5120
        ["iam:PutGroupPolicy", "iam:GetGroupPolicy", "iam:DeleteGroupPolicy",
            "iam:ListGroupPolicies"]
        ["iam:AttachGroupPolicy", "iam:DetachGroupPolicy", "iam:ListAttachedGroupPolicies"];
    /// Policies of roles.
    Role 10240
        ["iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy", "iam:ListRolePolicies"]
        ["iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies"];
}

/// Inline policies of an identity, by name.
pub(crate) async fn list(tx: &mut Tx, entity_id: i64) -> Result<Vec<InlinePolicy>> {
    let rows = tx
        .all(
            "SELECT name, document FROM iam_inline_policies WHERE entity_id = $1 \
             ORDER BY folded_name LIMIT 1000",
            params![entity_id],
        )
        .await?;
    rows.iter().map(|row| Ok(InlinePolicy { name: row.get(0)?, document: row.get(1)? })).collect()
}

fn no_such(kind: EntityKind, name: &str) -> Error {
    Error::new(
        ErrorKind::NoSuchEntity,
        format!("The {} policy with name {name} cannot be found.", kind.as_str()),
    )
}

/// Stores an inline policy; one of the same name is replaced.
#[derive(Clone, Debug)]
pub struct PutPolicy<K> {
    /// Whose.
    pub name: String,
    /// The policy.
    pub policy: InlinePolicy,
    /// What the identity is.
    pub kind: K,
}

impl<K: Identity> IamOperation for PutPolicy<K> {
    const ACTION: &'static str = K::INLINE[0];
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, K::KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let whose = format!("{} {}", K::KIND.as_str(), entity.name);
        let InlinePolicy { name, document } = self.policy;
        document::check(&document, PolicyKind::Identity, K::CHARS_MAX, &whose)?;
        let others = list(tx, entity.id).await?;
        let others = others.iter().filter(|other| folded(&other.name) != folded(&name));
        let size: usize = others.map(|other| document::size(&other.document)).sum();
        if size + document::size(&document) > K::CHARS_MAX {
            return Err(document::too_large(K::CHARS_MAX, &whose));
        }
        tx.execute(
            "INSERT INTO iam_inline_policies (entity_id, folded_name, name, document) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (entity_id, folded_name) \
             DO UPDATE SET name = excluded.name, document = excluded.document",
            params![entity.id, folded(&name), &name, &document],
        )
        .await?;
        Ok(())
    }
}

/// One inline policy.
#[derive(Clone, Debug)]
pub struct GetPolicy<K> {
    /// Whose.
    pub name: String,
    /// The policy's name.
    pub policy_name: String,
    /// What the identity is.
    pub kind: K,
}

impl<K: Identity> IamOperation for GetPolicy<K> {
    const ACTION: &'static str = K::INLINE[1];
    const CHANGES: bool = false;
    type Output = InlinePolicy;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, K::KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<InlinePolicy> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let wanted = folded(&self.policy_name);
        let all = list(tx, entity.id).await?;
        all.into_iter()
            .find(|policy| folded(&policy.name) == wanted)
            .ok_or_else(|| no_such(K::KIND, &self.policy_name))
    }
}

/// Deletes an inline policy.
#[derive(Clone, Debug)]
pub struct DeletePolicy<K> {
    /// Whose.
    pub name: String,
    /// The policy's name.
    pub policy_name: String,
    /// What the identity is.
    pub kind: K,
}

impl<K: Identity> IamOperation for DeletePolicy<K> {
    const ACTION: &'static str = K::INLINE[2];
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, K::KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let deleted = tx
            .execute(
                "DELETE FROM iam_inline_policies WHERE entity_id = $1 AND folded_name = $2",
                params![entity.id, folded(&self.policy_name)],
            )
            .await?;
        if deleted == 0 { Err(no_such(K::KIND, &self.policy_name)) } else { Ok(()) }
    }
}

/// The names of an identity's inline policies.
#[derive(Clone, Debug)]
pub struct ListPolicies<K> {
    /// Whose.
    pub name: String,
    /// Which page.
    pub page: PageRequest,
    /// What the identity is.
    pub kind: K,
}

impl<K: Identity> IamOperation for ListPolicies<K> {
    const ACTION: &'static str = K::INLINE[3];
    const CHANGES: bool = false;
    type Output = Page<String>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, K::KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<String>> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let names = list(tx, entity.id).await?.into_iter().map(|policy| policy.name);
        Ok(self.page.cut_all(names.collect(), |name| folded(name)))
    }
}
