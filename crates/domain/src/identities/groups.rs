//! Groups of users.

use super::IamOperation;
use super::entities::{self, Entity, EntityKind, New, folded, from_row};
use super::policies::all_of;
use super::users::{refuse_policies, renaming};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Tx};
use crate::pages::{Page, PageRequest};
use crate::params;

const KIND: EntityKind = EntityKind::Group;
/// Groups that one user is in; AWS's quota.
const GROUPS_PER_USER_MAX: usize = 10;

/// The groups of a user, by name.
pub(crate) async fn of_user(tx: &mut Tx, user_id: i64) -> Result<Vec<Entity>> {
    let rows = tx
        .all(
            entities::select!(
                "JOIN iam_memberships ON group_id = id WHERE user_id = $1 \
                 ORDER BY folded_name LIMIT 100"
            ),
            params![user_id],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

async fn has_users(tx: &mut Tx, group_id: i64) -> Result<bool> {
    let row = tx
        .optional("SELECT 1 FROM iam_memberships WHERE group_id = $1 LIMIT 1", params![group_id])
        .await?;
    Ok(row.is_some())
}

/// Creates a group.
#[derive(Clone, Debug)]
pub struct CreateGroup {
    /// 1 to 128 characters.
    pub name: String,
    /// `/` when absent.
    pub path: Option<String>,
}

impl IamOperation for CreateGroup {
    const ACTION: &'static str = "iam:CreateGroup";
    type Output = Entity;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let path = self.path.as_deref().unwrap_or("/");
        vec![Demand::new(Self::ACTION, KIND.resource_at(context, Some(path), &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Entity> {
        let path = self.path.as_deref().unwrap_or("/");
        let new = New { kind: KIND, path, name: &self.name, description: "" };
        entities::insert(tx, call, new).await
    }
}

/// A group with its users, by name.
#[derive(Clone, Debug)]
pub struct GetGroup {
    /// Its name.
    pub name: String,
    /// Which page of users.
    pub page: PageRequest,
}

impl IamOperation for GetGroup {
    const ACTION: &'static str = "iam:GetGroup";
    const CHANGES: bool = false;
    type Output = (Entity, Page<Entity>);

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<(Entity, Page<Entity>)> {
        let group = entities::get(tx, call, KIND, &self.name).await?;
        let rows = tx
            .all(
                entities::select!(
                    "JOIN iam_memberships ON user_id = id \
                     WHERE group_id = $1 AND folded_name > $2 ORDER BY folded_name LIMIT $3"
                ),
                params![
                    group.id,
                    self.page.after.as_deref().unwrap_or_default(),
                    self.page.limit_and_one()
                ],
            )
            .await?;
        let users = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok((group, self.page.cut(users, |user| folded(&user.name))))
    }
}

/// Gives a group another name or path.
#[derive(Clone, Debug)]
pub struct UpdateGroup {
    /// Its name.
    pub name: String,
    /// Its new name.
    pub new_name: Option<String>,
    /// Its new path.
    pub new_path: Option<String>,
}

impl IamOperation for UpdateGroup {
    const ACTION: &'static str = "iam:UpdateGroup";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        renaming(Self::ACTION, KIND, &self.name, &self.new_name, &self.new_path, context)
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        entities::rename(tx, call, entity, self.new_name, self.new_path).await?;
        Ok(())
    }
}

/// Deletes a group without users and policies.
#[derive(Clone, Debug)]
pub struct DeleteGroup {
    /// Its name.
    pub name: String,
}

impl IamOperation for DeleteGroup {
    const ACTION: &'static str = "iam:DeleteGroup";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let group = entities::get(tx, call, KIND, &self.name).await?;
        if has_users(tx, group.id).await? {
            return Err(entities::in_use("must remove users from group first."));
        }
        refuse_policies(tx, group.id).await?;
        entities::delete(tx, &group).await
    }
}

/// Lists groups by name.
#[derive(Clone, Debug)]
pub struct ListGroups {
    /// Only whose path begins so.
    pub path_prefix: String,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListGroups {
    const ACTION: &'static str = "iam:ListGroups";
    const CHANGES: bool = false;
    type Output = Page<Entity>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![all_of(Self::ACTION, KIND, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<Entity>> {
        entities::list(tx, &call.context.principal.account, KIND, &self.path_prefix, &self.page)
            .await
    }
}

/// Lists the groups of a user, by name.
#[derive(Clone, Debug)]
pub struct ListGroupsForUser {
    /// The user.
    pub user_name: String,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListGroupsForUser {
    const ACTION: &'static str = "iam:ListGroupsForUser";
    const CHANGES: bool = false;
    type Output = Page<Entity>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, EntityKind::User.resource(context, &self.user_name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<Entity>> {
        let user = entities::get(tx, call, EntityKind::User, &self.user_name).await?;
        let groups = of_user(tx, user.id).await?;
        Ok(self.page.cut_all(groups, |group| folded(&group.name)))
    }
}

/// Adds a user to a group. Idempotent.
#[derive(Clone, Debug)]
pub struct AddUserToGroup {
    /// The group.
    pub group_name: String,
    /// The user.
    pub user_name: String,
}

impl IamOperation for AddUserToGroup {
    const ACTION: &'static str = "iam:AddUserToGroup";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.group_name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let group = entities::get(tx, call, KIND, &self.group_name).await?;
        let user = entities::get(tx, call, EntityKind::User, &self.user_name).await?;
        let groups = of_user(tx, user.id).await?;
        if groups.iter().any(|other| other.id == group.id) {
            return Ok(());
        }
        if groups.len() >= GROUPS_PER_USER_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER_MAX}"),
            ));
        }
        tx.execute(
            "INSERT INTO iam_memberships (group_id, user_id) VALUES ($1, $2)",
            params![group.id, user.id],
        )
        .await?;
        Ok(())
    }
}

/// Removes a user from a group. A user that is not in it changes nothing.
#[derive(Clone, Debug)]
pub struct RemoveUserFromGroup {
    /// The group.
    pub group_name: String,
    /// The user.
    pub user_name: String,
}

impl IamOperation for RemoveUserFromGroup {
    const ACTION: &'static str = "iam:RemoveUserFromGroup";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.group_name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let group = entities::get(tx, call, KIND, &self.group_name).await?;
        let user = entities::get(tx, call, EntityKind::User, &self.user_name).await?;
        tx.execute(
            "DELETE FROM iam_memberships WHERE group_id = $1 AND user_id = $2",
            params![group.id, user.id],
        )
        .await?;
        Ok(())
    }
}
