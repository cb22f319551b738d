//! Managed policies: the account's own, with their versions, and AWS's.

pub(crate) mod document;
pub mod versions;

use tonnage_policy::PolicyKind;

use super::IamOperation;
use super::entities::{self, Entity, EntityKind, New, folded, tags};
use super::managed_policies::{AWS_POLICIES, AwsPolicy};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};
use crate::names::Partition;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::resource_tags::{self, ResourceTag};

/// Characters of a managed policy, white space not counted; AWS's quota.
pub(crate) const MANAGED_CHARS_MAX: usize = 6144;
/// When AWS's policies say they were made.
const AWS_CREATED_AT: Millis = Millis(1_423_000_000_000);

/// A managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id.
    pub unique_id: String,
    /// At most 1,000 characters.
    pub description: String,
    /// The number of the version in force.
    pub default_version: i64,
    /// How many users, groups and roles of the account it is attached to.
    pub attachments: i64,
    /// How many users and roles of the account it is the boundary of.
    pub boundaries: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When a version was last added or made the default.
    pub updated_at: Millis,
    /// Its tags.
    pub tags: Vec<ResourceTag>,
}

/// A version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// 1 or more; written `v1`.
    pub version: i64,
    /// The document as it was given.
    pub document: String,
    /// Whether it is in force.
    pub is_default: bool,
    /// When it was made.
    pub created_at: Millis,
}

/// A policy that an ARN names.
pub(crate) enum Found {
    Aws(&'static AwsPolicy),
    Own(Entity),
}

/// The policy of an ARN, if the caller's account can attach it.
///
/// # Errors
/// [`ErrorKind::NoSuchEntity`].
pub(crate) async fn find(tx: &mut Tx, call: &Call<'_>, arn: &str) -> Result<Found> {
    if let Some(policy) = AwsPolicy::find(arn) {
        return Ok(Found::Aws(policy));
    }
    tags::named(tx, call, EntityKind::Policy, arn).await.map(Found::Own).map_err(
        |error| match error.kind() {
            ErrorKind::NoSuchEntity => EntityKind::Policy.not_found(arn),
            _ => error,
        },
    )
}

/// An own policy; AWS's cannot be changed.
pub(crate) async fn find_own(tx: &mut Tx, call: &Call<'_>, arn: &str) -> Result<Entity> {
    match find(tx, call, arn).await? {
        Found::Own(entity) => Ok(entity),
        Found::Aws(_) => Err(Error::new(
            ErrorKind::AccessDenied,
            format!("Cannot perform the operation on the protected policy {arn}."),
        )),
    }
}

pub(crate) fn by_arn(action: &'static str, arn: &str, context: &RequestContext) -> Demand {
    let account = context.principal.account;
    Demand::new(action, Resource::Arn { arn: arn.to_owned(), account })
}

async fn usage(tx: &mut Tx, call: &Call<'_>, arn: &str) -> Result<(i64, i64)> {
    let row = tx
        .optional(
            "SELECT (SELECT COUNT(*) FROM iam_attachments JOIN iam_entities \
             ON iam_entities.id = iam_attachments.entity_id \
             WHERE policy_arn = $1 AND account_id = $2), \
             (SELECT COUNT(*) FROM iam_boundaries JOIN iam_entities \
             ON iam_entities.id = iam_boundaries.entity_id \
             WHERE policy_arn = $1 AND account_id = $2)",
            params![arn, call.context.principal.account.as_str()],
        )
        .await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(crate) async fn describe(tx: &mut Tx, call: &Call<'_>, found: &Found) -> Result<ManagedPolicy> {
    let own = match found {
        Found::Aws(policy) => {
            let arn = policy.arn(Partition::of(&call.context.region).as_str());
            let (attachments, boundaries) = usage(tx, call, &arn).await?;
            return Ok(ManagedPolicy {
                arn,
                name: policy.name.to_owned(),
                path: policy.path.to_owned(),
                unique_id: policy.unique_id(),
                description: String::new(),
                default_version: policy.version,
                attachments,
                boundaries,
                created_at: AWS_CREATED_AT,
                updated_at: AWS_CREATED_AT,
                tags: Vec::new(),
            });
        }
        Found::Own(entity) => entity,
    };
    let (attachments, boundaries) = usage(tx, call, &own.arn).await?;
    let default = versions::default_of(tx, own.id).await?;
    Ok(ManagedPolicy {
        arn: own.arn.clone(),
        name: own.name.clone(),
        path: own.path.clone(),
        unique_id: own.unique_id.clone(),
        description: own.description.clone(),
        default_version: default.version,
        attachments,
        boundaries,
        created_at: own.created_at,
        updated_at: own.updated_at,
        tags: tags::list(tx, own.id).await?,
    })
}

/// Creates a managed policy; its document becomes version 1.
#[derive(Clone, Debug)]
pub struct CreatePolicy {
    /// 1 to 128 characters.
    pub name: String,
    /// `/` when absent.
    pub path: Option<String>,
    /// The document.
    pub document: String,
    /// At most 1,000 characters.
    pub description: String,
    /// At most 50.
    pub tags: Vec<ResourceTag>,
}

impl IamOperation for CreatePolicy {
    const ACTION: &'static str = "iam:CreatePolicy";
    type Output = ManagedPolicy;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let path = self.path.as_deref().unwrap_or("/");
        let resource = EntityKind::Policy.resource_at(context, Some(path), &self.name);
        creation(Self::ACTION, "iam:TagPolicy", resource, &self.tags)
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<ManagedPolicy> {
        let whose = format!("policy {}", self.name);
        document::check(&self.document, PolicyKind::Identity, MANAGED_CHARS_MAX, &whose)?;
        let new = New {
            kind: EntityKind::Policy,
            path: self.path.as_deref().unwrap_or("/"),
            name: &self.name,
            description: &self.description,
        };
        let entity = entities::insert(tx, call, new).await?;
        tags::put(tx, entity.id, &self.tags).await?;
        let first = versions::next_number(tx, entity.id).await?;
        versions::insert(tx, call, entity.id, first, &self.document, true).await?;
        describe(tx, call, &Found::Own(entity)).await
    }
}

/// What making something demands: the action itself, and tagging if there are tags.
pub(crate) fn creation(
    action: &'static str,
    tag: &'static str,
    resource: Resource,
    tags: &[ResourceTag],
) -> Vec<Demand> {
    let keys = resource_tags::condition_keys(tags);
    let mut demands = vec![Demand { keys: keys.clone(), ..Demand::new(action, resource.clone()) }];
    if !tags.is_empty() {
        demands.push(Demand { keys, ..Demand::new(tag, resource) });
    }
    demands
}

/// Describes a managed policy.
#[derive(Clone, Debug)]
pub struct GetPolicy {
    /// Its ARN.
    pub arn: String,
}

impl IamOperation for GetPolicy {
    const ACTION: &'static str = "iam:GetPolicy";
    const CHANGES: bool = false;
    type Output = ManagedPolicy;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<ManagedPolicy> {
        let found = find(tx, call, &self.arn).await?;
        describe(tx, call, &found).await
    }
}

/// Deletes a managed policy that is attached to nothing and has only its default version.
#[derive(Clone, Debug)]
pub struct DeletePolicy {
    /// Its ARN.
    pub arn: String,
}

impl IamOperation for DeletePolicy {
    const ACTION: &'static str = "iam:DeletePolicy";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = find_own(tx, call, &self.arn).await?;
        let conflict = |text: &str| Err(Error::new(ErrorKind::DeleteConflict, text));
        if usage(tx, call, &entity.arn).await? != (0, 0) {
            return conflict("Cannot delete a policy attached to entities.");
        }
        if versions::list(tx, entity.id).await?.len() > 1 {
            return conflict(
                "This policy has more than one version. Before you delete a policy, you must \
                 delete the policy's versions. The default version is deleted with the policy.",
            );
        }
        tx.execute("DELETE FROM iam_policy_versions WHERE policy_id = $1", params![entity.id])
            .await?;
        tx.execute("DELETE FROM iam_policies WHERE policy_id = $1", params![entity.id]).await?;
        entities::delete(tx, &entity).await
    }
}

/// Whose policies a listing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyScope {
    /// All.
    All,
    /// AWS's.
    Aws,
    /// The account's own.
    Local,
}

/// Lists managed policies: the account's own by name, then AWS's.
#[derive(Clone, Debug)]
pub struct ListPolicies {
    /// Whose.
    pub scope: PolicyScope,
    /// Only those that are attached to something.
    pub only_attached: bool,
    /// Only those whose path begins so.
    pub path_prefix: String,
    /// Which page.
    pub page: PageRequest,
}

/// Sort keys of AWS's policies begin so, after every name.
const AWS_KEY: &str = "~";

impl IamOperation for ListPolicies {
    const ACTION: &'static str = "iam:ListPolicies";
    const CHANGES: bool = false;
    type Output = Page<ManagedPolicy>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![all_of(Self::ACTION, EntityKind::Policy, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<ManagedPolicy>> {
        let key = |policy: &ManagedPolicy| {
            let is_own = policy.arn.contains(call.context.principal.account.as_str());
            if is_own { folded(&policy.name) } else { format!("{AWS_KEY}{}", policy.name) }
        };
        let mut found = Vec::new();
        let is_past_own = self.page.after.as_deref().is_some_and(|it| it.starts_with(AWS_KEY));
        if self.scope != PolicyScope::Aws && !is_past_own {
            // One more than the page holds, so that it is seen that there is more.
            let limit = if self.only_attached { 2000 } else { self.page.limit.saturating_add(1) };
            let all = PageRequest { after: self.page.after.clone(), limit };
            let account = call.context.principal.account;
            let own = entities::list(tx, &account, EntityKind::Policy, &self.path_prefix, &all);
            found.extend(own.await?.items.into_iter().map(Found::Own));
        }
        if self.scope != PolicyScope::Local {
            let aws = AWS_POLICIES.iter().filter(|it| it.path.starts_with(&self.path_prefix));
            found.extend(aws.map(Found::Aws));
        }
        let mut policies = Vec::with_capacity(found.len());
        for policy in &found {
            let policy = describe(tx, call, policy).await?;
            if !self.only_attached || policy.attachments > 0 {
                policies.push(policy);
            }
        }
        Ok(self.page.cut_all(policies, key))
    }
}

/// All entities of a kind in the caller's account, as a listing shows them. IAM's listings are
/// actions without a resource type, except that they can be limited by ARN here.
pub(crate) fn all_of(action: &'static str, kind: EntityKind, context: &RequestContext) -> Demand {
    Demand::new(action, kind.resource_at(context, Some("/"), "*"))
}
