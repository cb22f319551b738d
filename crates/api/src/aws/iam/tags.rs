//! Tags of what IAM names.

use serde_json::{Value, json};
use tonnage_domain::identities::entities::EntityKind;
use tonnage_domain::identities::entities::tags::{ListTags, Tag, Taggable, Untag};

use super::input::Input;
use super::kinds::Kind;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

/// Policies and providers are named by ARN here, everything else by name.
fn name<K: Taggable>(input: &mut Input) -> Result<String> {
    input.text(match K::KIND {
        EntityKind::User => "UserName",
        EntityKind::Group => "GroupName",
        EntityKind::Role => "RoleName",
        EntityKind::Policy => "PolicyArn",
        EntityKind::InstanceProfile => "InstanceProfileName",
        EntityKind::OidcProvider => "OpenIDConnectProviderArn",
    })
}

pub(super) async fn tag<K: Taggable + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let tags = input.tags();
    call.execute(Tag { name: name::<K>(&mut input)?, tags, kind: K::NEW }).await?;
    Ok(output::nothing())
}

pub(super) async fn untag<K: Taggable + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let keys = input.list("TagKeys");
    call.execute(Untag { name: name::<K>(&mut input)?, keys, kind: K::NEW }).await?;
    Ok(output::nothing())
}

pub(super) async fn list<K: Taggable + Kind>(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let name = name::<K>(&mut input)?;
    let tags = call.execute(ListTags { name, page, kind: K::NEW }).await?;
    let items = tags.items.iter().map(|tag| json!({"Key": tag.key, "Value": tag.value}));
    listing.answer(call, "Tags", items.collect(), tags.next).await
}
