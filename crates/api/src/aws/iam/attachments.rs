//! Managed policies attached to users, groups and roles, and boundaries.

use serde_json::{Map, Value, json};
use tonnage_domain::identities::attachments::{
    AttachPolicy, Bounded, DeletePermissionsBoundary, DetachPolicy, ListAttachedPolicies,
    ListEntitiesForPolicy, PolicyUsage, PutPermissionsBoundary,
};
use tonnage_domain::identities::entities::EntityKind;
use tonnage_domain::identities::inline_policies::Identity;

use super::inline_policies::parameter;
use super::input::Input;
use super::kinds::Kind;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) async fn attach<K: Identity + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let name = input.text(parameter::<K>())?;
    let policy_arn = input.text("PolicyArn")?;
    call.execute(AttachPolicy { name, policy_arn, kind: K::NEW }).await?;
    Ok(output::nothing())
}

pub(super) async fn detach<K: Identity + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let name = input.text(parameter::<K>())?;
    let policy_arn = input.text("PolicyArn")?;
    call.execute(DetachPolicy { name, policy_arn, kind: K::NEW }).await?;
    Ok(output::nothing())
}

pub(super) async fn list<K: Identity + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let name = input.text(parameter::<K>())?;
    let path_prefix = input.optional("PathPrefix").unwrap_or_else(|| "/".to_owned());
    let attached =
        call.execute(ListAttachedPolicies { name, path_prefix, page, kind: K::NEW }).await?;
    let mut members = Map::new();
    members.insert("AttachedPolicies".to_owned(), output::attached(&attached.items));
    listing.end(call, members, attached.next).await
}

pub(super) async fn list_entities(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let filter = input.optional("EntityFilter");
    let kind = match filter.as_deref() {
        Some("User") => Some(EntityKind::User),
        Some("Group") => Some(EntityKind::Group),
        Some("Role") => Some(EntityKind::Role),
        // Managed policies are attached to nothing but these three.
        Some("LocalManagedPolicy" | "AWSManagedPolicy") => Some(EntityKind::Policy),
        _ => None,
    };
    let usage = match input.optional("PolicyUsageFilter").as_deref() {
        Some("PermissionsPolicy") => Some(PolicyUsage::Permissions),
        Some("PermissionsBoundary") => Some(PolicyUsage::Boundary),
        _ => None,
    };
    let operation = ListEntitiesForPolicy {
        policy_arn: input.text("PolicyArn")?,
        kind,
        usage,
        path_prefix: input.optional("PathPrefix").unwrap_or_else(|| "/".to_owned()),
        page,
    };
    let found = call.execute(operation).await?;
    let of = |kind: EntityKind, name: &str, id: &str| -> Value {
        let entities = found.items.iter().filter(|entity| entity.kind == kind);
        entities.map(|entity| json!({name: entity.name, id: entity.unique_id})).collect()
    };
    let lists = [
        ("PolicyGroups".to_owned(), of(EntityKind::Group, "GroupName", "GroupId")),
        ("PolicyUsers".to_owned(), of(EntityKind::User, "UserName", "UserId")),
        ("PolicyRoles".to_owned(), of(EntityKind::Role, "RoleName", "RoleId")),
    ];
    listing.end(call, lists.into_iter().collect(), found.next).await
}

pub(super) async fn put_boundary<K: Bounded + Kind>(
    call: &Call<'_>,
    mut input: Input,
) -> Result<Value> {
    let name = input.text(parameter::<K>())?;
    let policy_arn = input.text("PermissionsBoundary")?;
    call.execute(PutPermissionsBoundary { name, policy_arn, kind: K::NEW }).await?;
    Ok(output::nothing())
}

pub(super) async fn delete_boundary<K: Bounded + Kind>(
    call: &Call<'_>,
    mut input: Input,
) -> Result<Value> {
    let name = input.text(parameter::<K>())?;
    call.execute(DeletePermissionsBoundary { name, kind: K::NEW }).await?;
    Ok(output::nothing())
}
