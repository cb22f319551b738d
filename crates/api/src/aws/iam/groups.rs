//! Groups of users.

use serde_json::{Map, Value, json};
use tonnage_domain::identities::groups::{
    AddUserToGroup, CreateGroup, DeleteGroup, GetGroup, ListGroups, ListGroupsForUser,
    RemoveUserFromGroup, UpdateGroup,
};

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) async fn create_group(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreateGroup { name: input.text("GroupName")?, path: input.optional("Path") };
    let group = call.execute(operation).await?;
    Ok(json!({"Group": output::entity(&group)}))
}

pub(super) async fn get_group(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let (group, users) = call.execute(GetGroup { name: input.text("GroupName")?, page }).await?;
    let items = users.items.iter().map(|user| Value::Object(output::entity(user))).collect();
    let mut members = Map::new();
    members.insert("Group".to_owned(), Value::Object(output::entity(&group)));
    members.insert("Users".to_owned(), Value::Array(items));
    listing.end(call, members, users.next).await
}

pub(super) async fn update_group(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateGroup {
        name: input.text("GroupName")?,
        new_name: input.optional("NewGroupName"),
        new_path: input.optional("NewPath"),
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn delete_group(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeleteGroup { name: input.text("GroupName")? }).await?;
    Ok(output::nothing())
}

pub(super) async fn list_groups(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let path_prefix = input.optional("PathPrefix").unwrap_or_else(|| "/".to_owned());
    let groups = call.execute(ListGroups { path_prefix, page }).await?;
    let items = groups.items.iter().map(|group| Value::Object(output::entity(group))).collect();
    listing.answer(call, "Groups", items, groups.next).await
}

pub(super) async fn list_groups_for_user(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let user_name = input.text("UserName")?;
    let groups = call.execute(ListGroupsForUser { user_name, page }).await?;
    let items = groups.items.iter().map(|group| Value::Object(output::entity(group))).collect();
    listing.answer(call, "Groups", items, groups.next).await
}

pub(super) async fn add_user_to_group(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (group_name, user_name) = (input.text("GroupName")?, input.text("UserName")?);
    call.execute(AddUserToGroup { group_name, user_name }).await?;
    Ok(output::nothing())
}

pub(super) async fn remove_user_from_group(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (group_name, user_name) = (input.text("GroupName")?, input.text("UserName")?);
    call.execute(RemoveUserFromGroup { group_name, user_name }).await?;
    Ok(output::nothing())
}
