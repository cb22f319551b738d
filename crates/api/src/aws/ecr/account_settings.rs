//! `GetAccountSetting`, `PutAccountSetting`.

use serde::{Deserialize, Serialize};
use tonnage_domain::registries::account_settings::{
    AccountSettingValue, GetAccountSetting, PutAccountSetting,
};

use super::Call;
use crate::aws::error::Result;

#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Setting {
    name: String,
    value: String,
}

impl From<AccountSettingValue> for Setting {
    fn from(AccountSettingValue { name, value }: AccountSettingValue) -> Self {
        Self { name, value }
    }
}

pub(super) async fn get_account_setting(call: &Call<'_>, input: Name) -> Result<Setting> {
    Ok(call.execute(GetAccountSetting { name: input.name }).await?.into())
}

pub(super) async fn put_account_setting(call: &Call<'_>, input: Setting) -> Result<Setting> {
    let setting = AccountSettingValue { name: input.name, value: input.value };
    Ok(call.execute(PutAccountSetting { setting }).await?.into())
}
