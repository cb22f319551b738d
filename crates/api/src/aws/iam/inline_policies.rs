//! Policies that belong to one user, group or role.

use serde_json::{Value, json};
use tonnage_domain::identities::entities::EntityKind;
use tonnage_domain::identities::inline_policies::{
    DeletePolicy, GetPolicy, Identity, InlinePolicy, ListPolicies, PutPolicy,
};

use super::input::Input;
use super::kinds::Kind;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

/// The parameter that names an identity of a kind.
pub(super) fn parameter<K: Identity>() -> &'static str {
    match K::KIND {
        EntityKind::Group => "GroupName",
        EntityKind::Role => "RoleName",
        _ => "UserName",
    }
}

pub(super) async fn put<K: Identity + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let policy =
        InlinePolicy { name: input.text("PolicyName")?, document: input.text("PolicyDocument")? };
    let name = input.text(parameter::<K>())?;
    call.execute(PutPolicy { name, policy, kind: K::NEW }).await?;
    Ok(output::nothing())
}

pub(super) async fn get<K: Identity + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let name = input.text(parameter::<K>())?;
    let policy_name = input.text("PolicyName")?;
    let policy = call.execute(GetPolicy { name: name.clone(), policy_name, kind: K::NEW }).await?;
    Ok(json!({
        parameter::<K>(): name,
        "PolicyName": policy.name,
        "PolicyDocument": output::document(&policy.document),
    }))
}

pub(super) async fn delete<K: Identity + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let name = input.text(parameter::<K>())?;
    let policy_name = input.text("PolicyName")?;
    call.execute(DeletePolicy { name, policy_name, kind: K::NEW }).await?;
    Ok(output::nothing())
}

pub(super) async fn list<K: Identity + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let name = input.text(parameter::<K>())?;
    let names = call.execute(ListPolicies { name, page, kind: K::NEW }).await?;
    let items = names.items.into_iter().map(Value::from).collect();
    listing.answer(call, "PolicyNames", items, names.next).await
}
