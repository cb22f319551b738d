//! Roles.

use serde_json::{Value, json};
use tonnage_domain::identities::roles::{
    CreateRole, DeleteRole, GetRole, ListRoles, SESSION_SECONDS, UpdateAssumeRolePolicy,
    UpdateRole, UpdateRoleDescription,
};

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) async fn create_role(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreateRole {
        name: input.text("RoleName")?,
        path: input.optional("Path"),
        trust_policy: input.text("AssumeRolePolicyDocument")?,
        description: input.optional("Description").unwrap_or_default(),
        session_seconds_max: input.number("MaxSessionDuration").unwrap_or(SESSION_SECONDS),
        boundary: input.optional("PermissionsBoundary"),
        tags: input.tags(),
    };
    let role = call.execute(operation).await?;
    Ok(json!({"Role": output::role(&role)}))
}

pub(super) async fn get_role(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let role = call.execute(GetRole { name: input.text("RoleName")? }).await?;
    Ok(json!({"Role": output::role(&role)}))
}

pub(super) async fn update_role(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateRole {
        name: input.text("RoleName")?,
        description: input.optional("Description"),
        session_seconds_max: input.number("MaxSessionDuration"),
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn update_role_description(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateRoleDescription {
        name: input.text("RoleName")?,
        description: input.text("Description")?,
    };
    let role = call.execute(operation).await?;
    Ok(json!({"Role": output::role(&role)}))
}

pub(super) async fn update_assume_role_policy(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateAssumeRolePolicy {
        name: input.text("RoleName")?,
        trust_policy: input.text("PolicyDocument")?,
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn delete_role(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeleteRole { name: input.text("RoleName")? }).await?;
    Ok(output::nothing())
}

pub(super) async fn list_roles(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let path_prefix = input.optional("PathPrefix").unwrap_or_else(|| "/".to_owned());
    let roles = call.execute(ListRoles { path_prefix, page }).await?;
    let items = roles.items.iter().map(|role| Value::Object(output::plain_role(role))).collect();
    listing.answer(call, "Roles", items, roles.next).await
}
