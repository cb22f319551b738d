//! Managed policies attached to users, groups and roles, and boundaries of users and roles.

use super::IamOperation;
use super::entities::{self, Entity, EntityKind, from_row};
use super::inline_policies::Identity;
use super::policies::{self, Found};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Tx};
use crate::names::Partition;
use crate::pages::{Page, PageRequest};
use crate::params;

/// Managed policies attached to one identity; AWS's quota.
const ATTACHED_MAX: usize = 10;

/// A policy as a listing of attachments shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// The policy's name.
    pub name: String,
    /// The policy's ARN.
    pub arn: String,
}

/// The ARN under which attachments of this policy are stored.
fn stored_arn(call: &Call<'_>, found: &Found) -> String {
    match found {
        Found::Aws(policy) => policy.arn(Partition::of(&call.context.region).as_str()),
        Found::Own(entity) => entity.arn.clone(),
    }
}

pub(crate) async fn attached(tx: &mut Tx, entity_id: i64) -> Result<Vec<AttachedPolicy>> {
    let rows = tx
        .all(
            "SELECT policy_arn FROM iam_attachments WHERE entity_id = $1 \
             ORDER BY policy_arn LIMIT 100",
            params![entity_id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let arn: String = row.get(0)?;
            let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
            Ok(AttachedPolicy { name, arn })
        })
        .collect()
}

pub(crate) async fn boundary(tx: &mut Tx, entity_id: i64) -> Result<Option<String>> {
    let row = tx
        .optional("SELECT policy_arn FROM iam_boundaries WHERE entity_id = $1", params![entity_id])
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Sets a boundary; the policy must exist.
pub(crate) async fn set_boundary(
    tx: &mut Tx,
    call: &Call<'_>,
    entity: &Entity,
    arn: &str,
) -> Result<()> {
    let found = policies::find(tx, call, arn).await?;
    tx.execute(
        "INSERT INTO iam_boundaries (entity_id, policy_arn) VALUES ($1, $2) \
         ON CONFLICT (entity_id) DO UPDATE SET policy_arn = excluded.policy_arn",
        params![entity.id, stored_arn(call, &found)],
    )
    .await?;
    Ok(())
}

/// There is none, in the words that AWS has where one is attached.
fn not_attachable(arn: &str) -> Error {
    let text = format!("Policy {arn} does not exist or is not attachable.");
    Error::new(ErrorKind::NoSuchEntity, text)
}

/// Attaches a managed policy. Idempotent.
#[derive(Clone, Debug)]
pub struct AttachPolicy<K> {
    /// To whom.
    pub name: String,
    /// The policy.
    pub policy_arn: String,
    /// What the identity is.
    pub kind: K,
}

fn demand<K: Identity>(
    action: &'static str,
    name: &str,
    policy_arn: &str,
    context: &RequestContext,
) -> Vec<Demand> {
    let resource = K::KIND.resource(context, name);
    vec![Demand::new(action, resource).with_key("iam:PolicyARN", vec![policy_arn.to_owned()])]
}

impl<K: Identity> IamOperation for AttachPolicy<K> {
    const ACTION: &'static str = K::ATTACHED[0];
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        demand::<K>(Self::ACTION, &self.name, &self.policy_arn, context)
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let found = policies::find(tx, call, &self.policy_arn).await.map_err(|error| {
            match error.kind() == ErrorKind::NoSuchEntity {
                true => not_attachable(&self.policy_arn),
                false => error,
            }
        })?;
        let arn = stored_arn(call, &found);
        let attached = attached(tx, entity.id).await?;
        if attached.iter().any(|policy| policy.arn == arn) {
            return Ok(());
        }
        if attached.len() >= ATTACHED_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("Cannot exceed quota for PoliciesPerIdentity: {ATTACHED_MAX}"),
            ));
        }
        tx.execute(
            "INSERT INTO iam_attachments (entity_id, policy_arn, attached_at) VALUES ($1, $2, $3)",
            params![entity.id, arn, call.now()],
        )
        .await?;
        Ok(())
    }
}

/// Detaches a managed policy.
#[derive(Clone, Debug)]
pub struct DetachPolicy<K> {
    /// From whom.
    pub name: String,
    /// The policy.
    pub policy_arn: String,
    /// What the identity is.
    pub kind: K,
}

impl<K: Identity> IamOperation for DetachPolicy<K> {
    const ACTION: &'static str = K::ATTACHED[1];
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        demand::<K>(Self::ACTION, &self.name, &self.policy_arn, context)
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let detached = tx
            .execute(
                "DELETE FROM iam_attachments WHERE entity_id = $1 AND policy_arn = $2",
                params![entity.id, &self.policy_arn],
            )
            .await?;
        if detached == 0 {
            return Err(EntityKind::Policy.not_found(&self.policy_arn));
        }
        Ok(())
    }
}

/// The managed policies attached to an identity.
#[derive(Clone, Debug)]
pub struct ListAttachedPolicies<K> {
    /// To whom.
    pub name: String,
    /// Only policies whose path begins so.
    pub path_prefix: String,
    /// Which page.
    pub page: PageRequest,
    /// What the identity is.
    pub kind: K,
}

impl<K: Identity> IamOperation for ListAttachedPolicies<K> {
    const ACTION: &'static str = K::ATTACHED[2];
    const CHANGES: bool = false;
    type Output = Page<AttachedPolicy>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, K::KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<AttachedPolicy>> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let mut attached = attached(tx, entity.id).await?;
        let prefix = format!(":policy{}", self.path_prefix);
        attached.retain(|policy| policy.arn.contains(&prefix));
        Ok(self.page.cut_all(attached, |policy| policy.arn.clone()))
    }
}

/// What a managed policy does for an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyUsage {
    /// It is attached.
    Permissions,
    /// It is the boundary.
    Boundary,
}

/// The identities that a managed policy is attached to, or is the boundary of.
#[derive(Clone, Debug)]
pub struct ListEntitiesForPolicy {
    /// The policy.
    pub policy_arn: String,
    /// Only of this kind.
    pub kind: Option<EntityKind>,
    /// Only for this purpose.
    pub usage: Option<PolicyUsage>,
    /// Only whose path begins so.
    pub path_prefix: String,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListEntitiesForPolicy {
    const ACTION: &'static str = "iam:ListEntitiesForPolicy";
    const CHANGES: bool = false;
    type Output = Page<Entity>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![policies::by_arn(Self::ACTION, &self.policy_arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<Entity>> {
        let found = policies::find(tx, call, &self.policy_arn).await?;
        let arn = stored_arn(call, &found);
        let account = call.context.principal.account;
        let mut entities = Vec::new();
        if self.usage != Some(PolicyUsage::Boundary) {
            let rows = tx
                .all(
                    entities::select!(
                        "JOIN iam_attachments ON entity_id = id \
                         WHERE policy_arn = $1 AND account_id = $2 LIMIT 10000"
                    ),
                    params![&arn, account.as_str()],
                )
                .await?;
            entities.extend(rows.iter().map(from_row).collect::<Result<Vec<_>>>()?);
        }
        if self.usage != Some(PolicyUsage::Permissions) {
            let rows = tx
                .all(
                    entities::select!(
                        "JOIN iam_boundaries ON entity_id = id \
                         WHERE policy_arn = $1 AND account_id = $2 LIMIT 10000"
                    ),
                    params![&arn, account.as_str()],
                )
                .await?;
            entities.extend(rows.iter().map(from_row).collect::<Result<Vec<_>>>()?);
        }
        entities.retain(|entity| {
            self.kind.is_none_or(|kind| entity.kind == kind)
                && entity.path.starts_with(&self.path_prefix)
        });
        entities.sort_by(|a, b| a.arn.cmp(&b.arn));
        entities.dedup_by(|a, b| a.id == b.id);
        Ok(self.page.cut_all(entities, |entity| entity.arn.clone()))
    }
}

/// A kind of identity that can have a boundary.
pub trait Bounded: Identity {
    /// The action that sets it.
    const PUT: &'static str;
    /// The action that removes it.
    const DELETE: &'static str;
}

impl Bounded for super::inline_policies::User {
    const PUT: &'static str = "iam:PutUserPermissionsBoundary";
    const DELETE: &'static str = "iam:DeleteUserPermissionsBoundary";
}

impl Bounded for super::inline_policies::Role {
    const PUT: &'static str = "iam:PutRolePermissionsBoundary";
    const DELETE: &'static str = "iam:DeleteRolePermissionsBoundary";
}

/// Sets the boundary of a user or role. Idempotent.
#[derive(Clone, Debug)]
pub struct PutPermissionsBoundary<K> {
    /// Whose.
    pub name: String,
    /// The policy.
    pub policy_arn: String,
    /// What the identity is.
    pub kind: K,
}

impl<K: Bounded> IamOperation for PutPermissionsBoundary<K> {
    const ACTION: &'static str = K::PUT;
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let resource = K::KIND.resource(context, &self.name);
        vec![
            Demand::new(Self::ACTION, resource)
                .with_key("iam:PermissionsBoundary", vec![self.policy_arn.clone()]),
        ]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        set_boundary(tx, call, &entity, &self.policy_arn).await
    }
}

/// Removes the boundary of a user or role.
#[derive(Clone, Debug)]
pub struct DeletePermissionsBoundary<K> {
    /// Whose.
    pub name: String,
    /// What the identity is.
    pub kind: K,
}

impl<K: Bounded> IamOperation for DeletePermissionsBoundary<K> {
    const ACTION: &'static str = K::DELETE;
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, K::KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, K::KIND, &self.name).await?;
        let deleted = tx
            .execute("DELETE FROM iam_boundaries WHERE entity_id = $1", params![entity.id])
            .await?;
        if deleted == 0 {
            return Err(Error::new(
                ErrorKind::NoSuchEntity,
                format!("{} does not have a permissions boundary.", entity.arn),
            ));
        }
        Ok(())
    }
}
