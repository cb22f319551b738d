//! Instance profiles.

use serde_json::{Value, json};
use tonnage_domain::identities::instance_profiles::{
    AddRoleToInstanceProfile, CreateInstanceProfile, DeleteInstanceProfile, GetInstanceProfile,
    InstanceProfile, ListInstanceProfiles, ListInstanceProfilesForRole,
    RemoveRoleFromInstanceProfile,
};

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) async fn create_instance_profile(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreateInstanceProfile {
        name: input.text("InstanceProfileName")?,
        path: input.optional("Path"),
        tags: input.tags(),
    };
    let profile = call.execute(operation).await?;
    Ok(json!({"InstanceProfile": output::instance_profile(&profile)}))
}

pub(super) async fn get_instance_profile(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let name = input.text("InstanceProfileName")?;
    let profile = call.execute(GetInstanceProfile { name }).await?;
    Ok(json!({"InstanceProfile": output::instance_profile(&profile)}))
}

pub(super) async fn delete_instance_profile(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeleteInstanceProfile { name: input.text("InstanceProfileName")? }).await?;
    Ok(output::nothing())
}

/// Listings leave tags out.
fn listed(profile: &InstanceProfile) -> Value {
    let mut members = output::instance_profile(profile);
    members.remove("Tags");
    Value::Object(members)
}

pub(super) async fn list_instance_profiles(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let path_prefix = input.optional("PathPrefix").unwrap_or_else(|| "/".to_owned());
    let profiles = call.execute(ListInstanceProfiles { path_prefix, page }).await?;
    let items = profiles.items.iter().map(listed).collect();
    listing.answer(call, "InstanceProfiles", items, profiles.next).await
}

pub(super) async fn list_instance_profiles_for_role(
    call: &Call<'_>,
    mut input: Input,
) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let role_name = input.text("RoleName")?;
    let profiles = call.execute(ListInstanceProfilesForRole { role_name, page }).await?;
    let items = profiles.items.iter().map(listed).collect();
    listing.answer(call, "InstanceProfiles", items, profiles.next).await
}

pub(super) async fn add_role_to_instance_profile(
    call: &Call<'_>,
    mut input: Input,
) -> Result<Value> {
    let operation = AddRoleToInstanceProfile {
        name: input.text("InstanceProfileName")?,
        role_name: input.text("RoleName")?,
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn remove_role_from_instance_profile(
    call: &Call<'_>,
    mut input: Input,
) -> Result<Value> {
    let operation = RemoveRoleFromInstanceProfile {
        name: input.text("InstanceProfileName")?,
        role_name: input.text("RoleName")?,
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}
