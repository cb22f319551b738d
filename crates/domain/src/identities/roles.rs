//! Roles and their trust policies.

use std::collections::BTreeMap;

use tonnage_policy::{PolicyKind, Statement};

use super::entities::{self, Entity, EntityKind, New, tags};
use super::policies::{all_of, creation, document};
use super::users::refuse_policies;
use super::{IamOperation, Lookup, attachments};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Tx};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::policies::{Stored, stored};
use crate::resource_tags::ResourceTag;

const KIND: EntityKind = EntityKind::Role;
/// Characters of a trust policy, white space not counted; AWS's quota.
const TRUST_CHARS_MAX: usize = 2048;
/// Sessions of a role that says nothing, in seconds.
pub const SESSION_SECONDS: i64 = 3600;

/// A role with what answers show of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role.
    pub entity: Entity,
    /// Who may assume it, as it was given.
    pub trust_policy: String,
    /// How long its sessions may last, in seconds: 3,600 to 43,200.
    pub session_seconds_max: i64,
    /// When and where it was last used.
    pub last_used: Option<(Millis, String)>,
    /// The ARN of its boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<ResourceTag>,
}

pub(crate) async fn describe(tx: &mut Tx, entity: Entity) -> Result<Role> {
    let row = tx
        .optional(
            "SELECT trust_policy, trust_principals, session_seconds_max, last_used_at, \
             last_used_region \
             FROM iam_roles WHERE role_id = $1",
            params![entity.id],
        )
        .await?
        .ok_or_else(|| Error::internal("a role without its trust policy"))?;
    let last_used_at: Option<Millis> = row.get(3)?;
    let last_used_region: Option<String> = row.get(4)?;
    Ok(Role {
        trust_policy: Stored::from_row(&row)?.shown(tx).await?,
        session_seconds_max: row.get(2)?,
        last_used: last_used_at.map(|at| (at, last_used_region.unwrap_or_default())),
        boundary: attachments::boundary(tx, entity.id).await?,
        tags: tags::list(tx, entity.id).await?,
        entity,
    })
}

/// Checks a trust policy; the users and roles it names, as stored: one made later under the name of
/// one that is gone is not trusted.
async fn check_trust(tx: &mut Tx, text: &str) -> Result<String> {
    let checked = document::check(text, PolicyKind::Trust, TRUST_CHARS_MAX, "the trust policy");
    let policy = checked.map_err(|error| match error.kind() {
        ErrorKind::LimitExceeded => Error::new(
            ErrorKind::LimitExceeded,
            format!("Cannot exceed quota for ACLSizePerRole: {TRUST_CHARS_MAX}"),
        ),
        _ => error,
    })?;
    let mut bound = BTreeMap::new();
    for principal in policy.statements().iter().flat_map(Statement::principals) {
        match super::lookup(tx, principal).await? {
            Lookup::Absent(named) => {
                return Err(Error::new(
                    ErrorKind::MalformedPolicyDocument,
                    format!("Invalid principal in policy: \"AWS\":\"{named}\""),
                ));
            }
            Lookup::Known(None) => {}
            Lookup::Known(Some((arn, unique_id))) => {
                bound.insert(arn, unique_id);
            }
        }
    }
    stored(&bound)
}

/// Creates a role.
#[derive(Clone, Debug)]
pub struct CreateRole {
    /// 1 to 64 characters.
    pub name: String,
    /// `/` when absent.
    pub path: Option<String>,
    /// Who may assume it.
    pub trust_policy: String,
    /// At most 1,000 characters.
    pub description: String,
    /// How long its sessions may last, in seconds.
    pub session_seconds_max: i64,
    /// The ARN of a managed policy.
    pub boundary: Option<String>,
    /// At most 50.
    pub tags: Vec<ResourceTag>,
}

impl IamOperation for CreateRole {
    const ACTION: &'static str = "iam:CreateRole";
    type Output = Role;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let path = self.path.as_deref().unwrap_or("/");
        let resource = KIND.resource_at(context, Some(path), &self.name);
        let mut demands = creation(Self::ACTION, "iam:TagRole", resource, &self.tags);
        for demand in &mut demands {
            let boundary = self.boundary.iter().cloned().collect::<Vec<_>>();
            demand.keys.push(("iam:PermissionsBoundary".to_owned(), boundary));
        }
        demands
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Role> {
        let principals = check_trust(tx, &self.trust_policy).await?;
        let path = self.path.as_deref().unwrap_or("/");
        let new = New { kind: KIND, path, name: &self.name, description: &self.description };
        if let Some(arn) = &self.boundary {
            super::policies::find(tx, call, arn).await?;
        }
        let entity = entities::insert(tx, call, new).await?;
        tx.execute(
            "INSERT INTO iam_roles (role_id, trust_policy, trust_principals, session_seconds_max) \
             VALUES ($1, $2, $3, $4)",
            params![entity.id, &self.trust_policy, principals, self.session_seconds_max],
        )
        .await?;
        tags::put(tx, entity.id, &self.tags).await?;
        if let Some(arn) = &self.boundary {
            attachments::set_boundary(tx, call, &entity, arn).await?;
        }
        describe(tx, entity).await
    }
}

/// Describes a role.
#[derive(Clone, Debug)]
pub struct GetRole {
    /// Its name.
    pub name: String,
}

impl IamOperation for GetRole {
    const ACTION: &'static str = "iam:GetRole";
    const CHANGES: bool = false;
    type Output = Role;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Role> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        describe(tx, entity).await
    }
}

/// Changes what a role says of itself, and how long its sessions may last.
#[derive(Clone, Debug)]
pub struct UpdateRole {
    /// Its name.
    pub name: String,
    /// Its new description.
    pub description: Option<String>,
    /// Its new limit, in seconds.
    pub session_seconds_max: Option<i64>,
}

impl IamOperation for UpdateRole {
    const ACTION: &'static str = "iam:UpdateRole";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        if let Some(description) = &self.description {
            set_description(tx, &entity, description).await?;
        }
        if let Some(seconds) = self.session_seconds_max {
            tx.execute(
                "UPDATE iam_roles SET session_seconds_max = $2 WHERE role_id = $1",
                params![entity.id, seconds],
            )
            .await?;
        }
        entities::touch(tx, call, &entity).await
    }
}

async fn set_description(tx: &mut Tx, entity: &Entity, description: &str) -> Result<()> {
    tx.execute(
        "UPDATE iam_entities SET description = $2 WHERE id = $1",
        params![entity.id, description],
    )
    .await?;
    Ok(())
}

/// Changes what a role says of itself; older than [`UpdateRole`].
#[derive(Clone, Debug)]
pub struct UpdateRoleDescription {
    /// Its name.
    pub name: String,
    /// Its new description.
    pub description: String,
}

impl IamOperation for UpdateRoleDescription {
    const ACTION: &'static str = "iam:UpdateRoleDescription";
    type Output = Role;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Role> {
        let mut entity = entities::get(tx, call, KIND, &self.name).await?;
        set_description(tx, &entity, &self.description).await?;
        entity.description = self.description;
        describe(tx, entity).await
    }
}

/// Changes who may assume a role. Sessions that exist stay.
#[derive(Clone, Debug)]
pub struct UpdateAssumeRolePolicy {
    /// Its name.
    pub name: String,
    /// Who may assume it.
    pub trust_policy: String,
}

impl IamOperation for UpdateAssumeRolePolicy {
    const ACTION: &'static str = "iam:UpdateAssumeRolePolicy";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        let principals = check_trust(tx, &self.trust_policy).await?;
        tx.execute(
            "UPDATE iam_roles SET trust_policy = $2, trust_principals = $3 WHERE role_id = $1",
            params![entity.id, &self.trust_policy, principals],
        )
        .await?;
        entities::touch(tx, call, &entity).await
    }
}

/// Deletes a role without policies that is in no instance profile. Its sessions end at once.
#[derive(Clone, Debug)]
pub struct DeleteRole {
    /// Its name.
    pub name: String,
}

impl IamOperation for DeleteRole {
    const ACTION: &'static str = "iam:DeleteRole";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let role = entities::get(tx, call, KIND, &self.name).await?;
        let profile = tx
            .optional(
                "SELECT 1 FROM iam_instance_profile_roles WHERE role_id = $1 LIMIT 1",
                params![role.id],
            )
            .await?;
        if profile.is_some() {
            return Err(entities::in_use("must remove roles from instance profile first."));
        }
        refuse_policies(tx, role.id).await?;
        tx.execute("DELETE FROM iam_roles WHERE role_id = $1", params![role.id]).await?;
        entities::delete(tx, &role).await
    }
}

/// Lists roles by name.
#[derive(Clone, Debug)]
pub struct ListRoles {
    /// Only whose path begins so.
    pub path_prefix: String,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListRoles {
    const ACTION: &'static str = "iam:ListRoles";
    const CHANGES: bool = false;
    type Output = Page<Role>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![all_of(Self::ACTION, KIND, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<Role>> {
        let account = call.context.principal.account;
        let page = entities::list(tx, &account, KIND, &self.path_prefix, &self.page).await?;
        let mut roles = Vec::with_capacity(page.items.len());
        for entity in page.items {
            roles.push(describe(tx, entity).await?);
        }
        Ok(Page { items: roles, next: page.next })
    }
}
