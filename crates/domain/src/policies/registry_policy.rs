//! `PutRegistryPolicy`, `GetRegistryPolicy`, `DeleteRegistryPolicy`.
//!
//! These three are decided without the registry's policy, so that no policy can lock a registry
//! for good.

use super::{Stored, Subject, check};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::names::{AccountId, Region};
use crate::registries::account_settings::registry_policy_scope;
use crate::{params, registries, versions};

/// What a registry's policy governs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryPolicyScope {
    /// Only [`RegistryPolicyScope::ACTIONS_OF_V1`], and it may name no other.
    V1,
    /// Every action of ECR on the registry and its repositories.
    V2,
}

impl RegistryPolicyScope {
    /// The actions under [`RegistryPolicyScope::V1`].
    pub const ACTIONS_OF_V1: [&'static str; 3] =
        ["ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];

    /// Whether the registry's policy has a say in `action`.
    pub(crate) fn governs(self, action: &str) -> bool {
        match self {
            Self::V1 => Self::lists(action),
            Self::V2 => true,
        }
    }

    fn lists(action: &str) -> bool {
        Self::ACTIONS_OF_V1.iter().any(|known| known.eq_ignore_ascii_case(action))
    }
}

/// Sets the policy of the addressed registry; what stood there before is gone. Binds every request
/// that arrives after it was acknowledged.
#[derive(Clone, Debug)]
pub struct PutRegistryPolicy {
    /// The policy, at most 10,240 characters.
    pub text: String,
}

/// A registry's policy as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryPolicy {
    /// The registry's account.
    pub account: AccountId,
    /// The text, byte for byte as it was set.
    pub text: String,
}

impl Operation for PutRegistryPolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "PutRegistryPolicy" };
    type Output = RegistryPolicy;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:PutRegistryPolicy", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryPolicy> {
        let (account, region) = (call.context.account, &call.context.region);
        let mut tx = call.write().await?;
        let checked = check(&mut tx, Subject::Registry, &self.text).await?;
        if registry_policy_scope(&mut tx, &account, region).await? == RegistryPolicyScope::V1 {
            let mut actions =
                checked.policy().statements().iter().flat_map(|statement| statement.actions());
            if let Some(action) = actions.find(|action| !RegistryPolicyScope::lists(action)) {
                return Err(Subject::Registry.refuse(format_args!(
                    "{action} needs the account setting REGISTRY_POLICY_SCOPE to be V2"
                )));
            }
        }
        let registry_id = registries::ensure(&mut tx, &call, &account, region).await?;
        tx.execute(
            "INSERT INTO registry_policies (registry_id, document, principals, updated_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (registry_id) DO UPDATE SET \
             document = excluded.document, principals = excluded.principals, \
             updated_at = excluded.updated_at",
            params![registry_id, &self.text, checked.stored_principals()?, call.now()],
        )
        .await?;
        versions::bump(&mut tx, &versions::registry_policy(&account, region)).await?;
        call.commit(tx).await?;
        Ok(RegistryPolicy { account, text: self.text })
    }
}

async fn stored(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Stored> {
    let row = tx
        .optional(
            "SELECT registry_policies.document, registry_policies.principals \
             FROM registry_policies \
             JOIN registries ON registries.id = registry_policies.registry_id \
             WHERE registries.kind = 'private' AND registries.account_id = $1 \
             AND registries.region = $2",
            params![account.as_str(), region.as_str()],
        )
        .await?;
    match row {
        Some(row) => Stored::from_row(&row),
        None => Err(Error::new(
            ErrorKind::RegistryPolicyNotFound,
            format!("Registry policy does not exist in the registry with id '{account}'"),
        )),
    }
}

/// Reads the policy of the addressed registry.
#[derive(Clone, Copy, Debug)]
pub struct GetRegistryPolicy;

impl Operation for GetRegistryPolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetRegistryPolicy" };
    type Output = RegistryPolicy;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:GetRegistryPolicy", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryPolicy> {
        let (account, region) = (call.context.account, &call.context.region);
        let mut tx = call.read().await?;
        let text = stored(&mut tx, &account, region).await?.shown(&mut tx).await?;
        Ok(RegistryPolicy { account, text })
    }
}

/// Removes the policy of the addressed registry, and gives it back.
#[derive(Clone, Copy, Debug)]
pub struct DeleteRegistryPolicy;

impl Operation for DeleteRegistryPolicy {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "DeleteRegistryPolicy" };
    type Output = RegistryPolicy;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:DeleteRegistryPolicy", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryPolicy> {
        let (account, region) = (call.context.account, &call.context.region);
        let mut tx = call.write().await?;
        let stored = match stored(&mut tx, &account, region).await {
            Err(absent) if absent.kind() == ErrorKind::RegistryPolicyNotFound => {
                return call.refuse(tx, absent).await;
            }
            stored => stored?,
        };
        let text = stored.shown(&mut tx).await?;
        tx.execute(
            "DELETE FROM registry_policies WHERE registry_id IN (SELECT id FROM registries \
             WHERE kind = 'private' AND account_id = $1 AND region = $2)",
            params![account.as_str(), region.as_str()],
        )
        .await?;
        versions::bump(&mut tx, &versions::registry_policy(&account, region)).await?;
        call.commit(tx).await?;
        Ok(RegistryPolicy { account, text })
    }
}
