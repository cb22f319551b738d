//! Access keys.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tonnage_domain::identities::access_keys::operations::{
    AccessKeyInfo, CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, ListAccessKeys,
    UpdateAccessKey,
};

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

fn info(key: &AccessKeyInfo) -> Map<String, Value> {
    let members = [
        ("UserName", key.user_name.as_str().into()),
        ("AccessKeyId", key.id.as_str().into()),
        ("Status", if key.active { "Active" } else { "Inactive" }.into()),
        ("CreateDate", output::time(key.created_at)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) async fn create_access_key(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let key = call.execute(CreateAccessKey { user_name: input.optional("UserName") }).await?;
    let mut members = info(&key.info);
    members.insert("SecretAccessKey".to_owned(), key.secret.expose_secret().into());
    Ok(json!({"AccessKey": members}))
}

pub(super) async fn update_access_key(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateAccessKey {
        user_name: input.optional("UserName"),
        id: input.text("AccessKeyId")?,
        active: input.text("Status")? == "Active",
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn delete_access_key(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation =
        DeleteAccessKey { user_name: input.optional("UserName"), id: input.text("AccessKeyId")? };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn list_access_keys(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let user_name = input.optional("UserName");
    let keys = call.execute(ListAccessKeys { user_name, page }).await?;
    let items = keys.items.iter().map(|key| Value::Object(info(key))).collect();
    listing.answer(call, "AccessKeyMetadata", items, keys.next).await
}

pub(super) async fn get_access_key_last_used(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let id = input.text("AccessKeyId")?;
    let (user_name, last) = call.execute(GetAccessKeyLastUsed { id }).await?;
    let last = last.map_or_else(
        || json!({"ServiceName": "N/A", "Region": "N/A"}),
        |last| {
            json!({
                "LastUsedDate": output::time(last.at),
                "ServiceName": last.service,
                "Region": last.region,
            })
        },
    );
    Ok(json!({"UserName": user_name, "AccessKeyLastUsed": last}))
}
