//! `GetAccountSetting` and `PutAccountSetting`: three named settings of a registry.
//!
//! Source: botocore `ecr`, shapes `AccountSettingName` and `AccountSettingValue`; Amazon ECR API
//! reference, "PutAccountSetting". AWS does not document how a wrong name or value is refused.

use serde::{Deserialize, Serialize};

use super::Document;
use crate::app::App;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::names::{AccountId, Region};
use crate::policies::registry_policy::RegistryPolicyScope;
use crate::versions;

/// A setting that ECR knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSetting {
    /// Which scanner basic scanning uses.
    BasicScanTypeVersion,
    /// Which actions a registry policy may name.
    RegistryPolicyScope,
    /// Whether a push may mount blobs of other repositories of the registry.
    BlobMounting,
}

/// What a setting is for and what it may be. The first value is ECR's default.
struct Rule {
    setting: AccountSetting,
    name: &'static str,
    values: &'static [&'static str],
}

const ENABLED: &str = "ENABLED";
const DISABLED: &str = "DISABLED";
const SCOPE_V1: &str = "V1";
const SCOPE_V2: &str = "V2";

const RULES: [Rule; 3] = [
    Rule {
        setting: AccountSetting::BasicScanTypeVersion,
        name: "BASIC_SCAN_TYPE_VERSION",
        values: &["AWS_NATIVE"],
    },
    Rule {
        setting: AccountSetting::RegistryPolicyScope,
        name: "REGISTRY_POLICY_SCOPE",
        values: &[SCOPE_V2, SCOPE_V1],
    },
    Rule {
        setting: AccountSetting::BlobMounting,
        name: "BLOB_MOUNTING",
        values: &[DISABLED, ENABLED],
    },
];

fn rule(name: &str) -> Result<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name).ok_or_else(|| {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        Error::invalid_parameter(
            "name",
            format!("Member must satisfy enum value set: [{}]", names.join(", ")),
        )
    })
}

/// What a registry has set; the values are of the rules.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basic_scan_type_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry_policy_scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob_mounting: Option<String>,
}

impl Document for Stored {
    const NAME: &'static str = "account-settings";
}

impl Stored {
    fn place(&mut self, setting: AccountSetting) -> &mut Option<String> {
        match setting {
            AccountSetting::BasicScanTypeVersion => &mut self.basic_scan_type_version,
            AccountSetting::RegistryPolicyScope => &mut self.registry_policy_scope,
            AccountSetting::BlobMounting => &mut self.blob_mounting,
        }
    }

    fn value(mut self, app: &App, rule: &Rule) -> String {
        let default = match rule.setting {
            AccountSetting::BlobMounting if app.settings.blob_mounting => ENABLED,
            _ => rule.values.first().copied().unwrap_or_default(),
        };
        self.place(rule.setting).take().unwrap_or_else(|| default.to_owned())
    }
}

/// A setting and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettingValue {
    /// As AWS spells it.
    pub name: String,
    /// As AWS spells it.
    pub value: String,
}

/// Reads one setting of the registry that was addressed.
///
/// # Errors
/// [`crate::error::ErrorKind::InvalidParameter`] for a name that ECR does not know.
#[derive(Clone, Debug)]
pub struct GetAccountSetting {
    /// Which.
    pub name: String,
}

impl Operation for GetAccountSetting {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetAccountSetting" };
    type Output = AccountSettingValue;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:GetAccountSetting", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<AccountSettingValue> {
        let rule = rule(&self.name)?;
        let mut tx = call.read().await?;
        let registry_id = super::find_addressed(&mut tx, &call).await?;
        let value = Stored::load(&mut tx, registry_id).await?.value(call.app, rule);
        Ok(AccountSettingValue { name: self.name, value })
    }
}

/// Changes one setting of the registry that was addressed. Idempotent.
///
/// # Errors
/// [`crate::error::ErrorKind::InvalidParameter`] for a name or a value that ECR does not know.
#[derive(Clone, Debug)]
pub struct PutAccountSetting {
    /// Which, and what it shall be.
    pub setting: AccountSettingValue,
}

impl Operation for PutAccountSetting {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutAccountSetting" };
    type Output = AccountSettingValue;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:PutAccountSetting", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<AccountSettingValue> {
        let rule = rule(&self.setting.name)?;
        if !rule.values.contains(&self.setting.value.as_str()) {
            return Err(Error::invalid_parameter(
                "value",
                format!("Member must satisfy enum value set: [{}]", rule.values.join(", ")),
            ));
        }
        let mut tx = call.write().await?;
        let registry_id = super::ensure_addressed(&mut tx, &call).await?;
        let mut stored = Stored::load(&mut tx, Some(registry_id)).await?;
        *stored.place(rule.setting) = Some(self.setting.value.clone());
        stored.store(&mut tx, registry_id).await?;
        if rule.setting == AccountSetting::RegistryPolicyScope {
            let (account, region) = (&call.context.account, &call.context.region);
            versions::bump(&mut tx, &versions::registry_policy(account, region)).await?;
        }
        call.commit(tx).await?;
        Ok(self.setting)
    }
}

/// Whether pushes to a registry may mount blobs of its other repositories.
pub(crate) async fn blob_mounting(tx: &mut Tx, app: &App, registry_id: i64) -> Result<bool> {
    let rule = rule("BLOB_MOUNTING")?;
    Ok(Stored::load(tx, Some(registry_id)).await?.value(app, rule) == ENABLED)
}

/// What the policy of a registry governs.
pub(crate) async fn registry_policy_scope(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
) -> Result<RegistryPolicyScope> {
    let registry_id = super::find(tx, account, region).await?;
    let mut stored = Stored::load(tx, registry_id).await?;
    Ok(match stored.place(AccountSetting::RegistryPolicyScope).as_deref() {
        Some(SCOPE_V1) => RegistryPolicyScope::V1,
        _ => RegistryPolicyScope::V2,
    })
}
