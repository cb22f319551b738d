//! Instance profiles: a role as virtual machines are given it. Nothing here runs machines; the
//! objects are kept for the tools that make them.

use super::IamOperation;
use super::entities::{self, Entity, EntityKind, New, folded, from_row, tags};
use super::policies::{all_of, creation};
use super::roles::{self, Role};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Tx};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::resource_tags::ResourceTag;

const KIND: EntityKind = EntityKind::InstanceProfile;

/// An instance profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceProfile {
    /// The profile.
    pub entity: Entity,
    /// Its role, if it has one.
    pub role: Option<Role>,
    /// Its tags.
    pub tags: Vec<ResourceTag>,
}

async fn describe(tx: &mut Tx, entity: Entity) -> Result<InstanceProfile> {
    let row = tx
        .optional(
            entities::select!(
                "JOIN iam_instance_profile_roles ON role_id = id WHERE instance_profile_id = $1"
            ),
            params![entity.id],
        )
        .await?;
    let role = match row {
        Some(row) => Some(roles::describe(tx, from_row(&row)?).await?),
        None => None,
    };
    Ok(InstanceProfile { role, tags: tags::list(tx, entity.id).await?, entity })
}

/// Creates an instance profile without a role.
#[derive(Clone, Debug)]
pub struct CreateInstanceProfile {
    /// 1 to 128 characters.
    pub name: String,
    /// `/` when absent.
    pub path: Option<String>,
    /// At most 50.
    pub tags: Vec<ResourceTag>,
}

impl IamOperation for CreateInstanceProfile {
    const ACTION: &'static str = "iam:CreateInstanceProfile";
    type Output = InstanceProfile;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let path = self.path.as_deref().unwrap_or("/");
        let resource = KIND.resource_at(context, Some(path), &self.name);
        creation(Self::ACTION, "iam:TagInstanceProfile", resource, &self.tags)
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<InstanceProfile> {
        let path = self.path.as_deref().unwrap_or("/");
        let new = New { kind: KIND, path, name: &self.name, description: "" };
        let entity = entities::insert(tx, call, new).await?;
        tags::put(tx, entity.id, &self.tags).await?;
        describe(tx, entity).await
    }
}

/// Describes an instance profile.
#[derive(Clone, Debug)]
pub struct GetInstanceProfile {
    /// Its name.
    pub name: String,
}

impl IamOperation for GetInstanceProfile {
    const ACTION: &'static str = "iam:GetInstanceProfile";
    const CHANGES: bool = false;
    type Output = InstanceProfile;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<InstanceProfile> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        describe(tx, entity).await
    }
}

/// Deletes an instance profile without a role.
#[derive(Clone, Debug)]
pub struct DeleteInstanceProfile {
    /// Its name.
    pub name: String,
}

impl IamOperation for DeleteInstanceProfile {
    const ACTION: &'static str = "iam:DeleteInstanceProfile";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        if describe(tx, entity.clone()).await?.role.is_some() {
            return Err(entities::in_use("must remove roles from instance profile first."));
        }
        entities::delete(tx, &entity).await
    }
}

/// Lists instance profiles by name.
#[derive(Clone, Debug)]
pub struct ListInstanceProfiles {
    /// Only whose path begins so.
    pub path_prefix: String,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListInstanceProfiles {
    const ACTION: &'static str = "iam:ListInstanceProfiles";
    const CHANGES: bool = false;
    type Output = Page<InstanceProfile>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![all_of(Self::ACTION, KIND, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<InstanceProfile>> {
        let account = call.context.principal.account;
        let page = entities::list(tx, &account, KIND, &self.path_prefix, &self.page).await?;
        let mut profiles = Vec::with_capacity(page.items.len());
        for entity in page.items {
            profiles.push(describe(tx, entity).await?);
        }
        Ok(Page { items: profiles, next: page.next })
    }
}

pub(crate) async fn of_role(tx: &mut Tx, role_id: i64) -> Result<Vec<InstanceProfile>> {
    let rows = tx
        .all(
            entities::select!(
                "JOIN iam_instance_profile_roles ON instance_profile_id = id WHERE role_id = $1 \
                 ORDER BY folded_name LIMIT 1000"
            ),
            params![role_id],
        )
        .await?;
    let mut profiles = Vec::with_capacity(rows.len());
    for row in &rows {
        profiles.push(describe(tx, from_row(row)?).await?);
    }
    Ok(profiles)
}

/// Lists the instance profiles that a role is in, by name.
#[derive(Clone, Debug)]
pub struct ListInstanceProfilesForRole {
    /// The role.
    pub role_name: String,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListInstanceProfilesForRole {
    const ACTION: &'static str = "iam:ListInstanceProfilesForRole";
    const CHANGES: bool = false;
    type Output = Page<InstanceProfile>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, EntityKind::Role.resource(context, &self.role_name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<InstanceProfile>> {
        let role = entities::get(tx, call, EntityKind::Role, &self.role_name).await?;
        let profiles = of_role(tx, role.id).await?;
        Ok(self.page.cut_all(profiles, |profile| folded(&profile.entity.name)))
    }
}

/// Puts a role into an instance profile, which holds one.
#[derive(Clone, Debug)]
pub struct AddRoleToInstanceProfile {
    /// The profile.
    pub name: String,
    /// The role.
    pub role_name: String,
}

impl IamOperation for AddRoleToInstanceProfile {
    const ACTION: &'static str = "iam:AddRoleToInstanceProfile";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new(Self::ACTION, KIND.resource(context, &self.name)),
            Demand::new("iam:PassRole", EntityKind::Role.resource(context, &self.role_name)),
        ]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        let role = entities::get(tx, call, EntityKind::Role, &self.role_name).await?;
        if describe(tx, entity.clone()).await?.role.is_some() {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
            ));
        }
        tx.execute(
            "INSERT INTO iam_instance_profile_roles (instance_profile_id, role_id) VALUES ($1, $2)",
            params![entity.id, role.id],
        )
        .await?;
        Ok(())
    }
}

/// Takes a role out of an instance profile.
#[derive(Clone, Debug)]
pub struct RemoveRoleFromInstanceProfile {
    /// The profile.
    pub name: String,
    /// The role.
    pub role_name: String,
}

impl IamOperation for RemoveRoleFromInstanceProfile {
    const ACTION: &'static str = "iam:RemoveRoleFromInstanceProfile";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        let role = entities::get(tx, call, EntityKind::Role, &self.role_name).await?;
        let removed = tx
            .execute(
                "DELETE FROM iam_instance_profile_roles \
                 WHERE instance_profile_id = $1 AND role_id = $2",
                params![entity.id, role.id],
            )
            .await?;
        if removed == 0 { Err(EntityKind::Role.not_found(&self.role_name)) } else { Ok(()) }
    }
}
