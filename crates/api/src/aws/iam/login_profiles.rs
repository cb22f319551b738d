//! Console passwords.

use secrecy::SecretString;
use serde_json::{Value, json};
use tonnage_domain::identities::login_profiles::{
    ChangePassword, CreateLoginProfile, DeleteLoginProfile, GetLoginProfile, LoginProfile,
    UpdateLoginProfile,
};

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

fn answer(profile: &LoginProfile) -> Value {
    json!({"LoginProfile": {
        "UserName": profile.user_name,
        "CreateDate": output::time(profile.created_at),
        "PasswordResetRequired": profile.reset_required,
    }})
}

pub(super) async fn create_login_profile(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreateLoginProfile {
        user_name: input.optional("UserName"),
        password: SecretString::from(input.text("Password")?),
        reset_required: input.flag("PasswordResetRequired").unwrap_or(false),
    };
    Ok(answer(&call.execute(operation).await?))
}

pub(super) async fn get_login_profile(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = GetLoginProfile { user_name: input.optional("UserName") };
    Ok(answer(&call.execute(operation).await?))
}

pub(super) async fn update_login_profile(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = UpdateLoginProfile {
        user_name: input.text("UserName")?,
        password: input.optional("Password").map(SecretString::from),
        reset_required: input.flag("PasswordResetRequired"),
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}

pub(super) async fn delete_login_profile(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeleteLoginProfile { user_name: input.optional("UserName") }).await?;
    Ok(output::nothing())
}

pub(super) async fn change_password(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = ChangePassword {
        old: SecretString::from(input.text("OldPassword")?),
        new: SecretString::from(input.text("NewPassword")?),
    };
    call.execute(operation).await?;
    Ok(output::nothing())
}
