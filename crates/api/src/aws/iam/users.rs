//! Users.

use serde_json::{Value, json};
use tonnage_domain::identities::users::{
    CreateUser, CredentialKind, DeleteUser, GetUser, ListCredentials, ListUsers, UpdateUser,
};

use super::input::Input;
use super::kinds::Kind;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) async fn create_user(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreateUser {
        name: input.text("UserName")?,
        path: input.optional("Path"),
        boundary: input.optional("PermissionsBoundary"),
        tags: input.tags(),
    };
    let user = call.execute(operation).await?;
    Ok(json!({"User": output::user(&user)}))
}

pub(super) async fn get_user(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let user = call.execute(GetUser { name: input.optional("UserName") }).await?;
    Ok(json!({"User": output::user(&user)}))
}

pub(super) async fn update_user(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateUser {
        name: input.text("UserName")?,
        new_name: input.optional("NewUserName"),
        new_path: input.optional("NewPath"),
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn delete_user(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeleteUser { name: input.text("UserName")? }).await?;
    Ok(output::nothing())
}

pub(super) async fn list_users(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let path_prefix = input.optional("PathPrefix").unwrap_or_else(|| "/".to_owned());
    let users = call.execute(ListUsers { path_prefix, page }).await?;
    let items = users.items.iter().map(|user| Value::Object(output::entity(user))).collect();
    listing.answer(call, "Users", items, users.next).await
}

pub(super) async fn list_credentials<K: CredentialKind + Kind>(
    call: &Call<'_>,
    mut input: Input,
) -> Result<Value> {
    let name = match K::ACTION {
        "iam:ListMFADevices" => "MFADevices",
        "iam:ListVirtualMFADevices" => "VirtualMFADevices",
        "iam:ListSSHPublicKeys" => "SSHPublicKeys",
        "iam:ListServiceSpecificCredentials" => "ServiceSpecificCredentials",
        _ => "Certificates",
    };
    call.execute(ListCredentials { name: input.optional("UserName"), kind: K::NEW }).await?;
    let mut answer = json!({name: []});
    // The only one of these lists that older models do not page.
    if K::ACTION != "iam:ListServiceSpecificCredentials"
        && let Some(members) = answer.as_object_mut()
    {
        members.insert("IsTruncated".to_owned(), false.into());
    }
    Ok(answer)
}
