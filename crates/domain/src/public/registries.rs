//! `DescribeRegistries`, `GetRegistryCatalogData`, `PutRegistryCatalogData`.

use serde::{Deserialize, Serialize};

use super::aliases::{self, Alias};
use super::domains;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::gallery;
use crate::names::{AccountId, Region};
use crate::registries::{self, Document};

/// The ARN of the public registry of an account.
pub fn arn(account: &AccountId) -> String {
    format!("arn:aws:ecr-public::{account}:registry/{account}")
}

pub(super) fn resource(account: AccountId) -> Resource {
    Resource::Arn { arn: arn(&account), account }
}

/// What is shown of a registry beside its repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryCatalogData {
    /// The name that people know the owner by, at most 100 characters.
    pub display_name: Option<String>,
}

impl Document for RegistryCatalogData {
    const NAME: &'static str = "public-catalog-data";
}

/// Whether the operator knows the owner of a registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verification {
    pub(crate) verified: bool,
}

impl Document for Verification {
    const NAME: &'static str = "public-verification";
}

/// A public registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRegistry {
    /// Its account.
    pub account: AccountId,
    /// Whether the operator knows its owner.
    pub verified: bool,
    /// Its aliases, the primary one first.
    pub aliases: Vec<Alias>,
}

/// Describes the public registry of the caller's account, the only one it has.
#[derive(Clone, Copy, Debug)]
pub struct DescribeRegistries;

impl Operation for DescribeRegistries {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "DescribeRegistries" };
    type Output = PublicRegistry;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr-public:DescribeRegistries", resource(context.account))]
    }

    async fn run(self, call: Call<'_>) -> Result<PublicRegistry> {
        let account = call.context.account;
        let mut tx = call.read().await?;
        let registry_id = registries::find(&mut tx, &account, &Region::global()).await?;
        Ok(PublicRegistry {
            account,
            verified: domains::known(&mut tx, registry_id).await?.verified,
            aliases: aliases::of_account(&mut tx, &account).await?,
        })
    }
}

/// Reads what is shown of the caller's public registry.
#[derive(Clone, Copy, Debug)]
pub struct GetRegistryCatalogData;

impl Operation for GetRegistryCatalogData {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "GetRegistryCatalogData" };
    type Output = RegistryCatalogData;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr-public:GetRegistryCatalogData", resource(context.account))]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryCatalogData> {
        let mut tx = call.read().await?;
        let account = call.context.account;
        let registry_id = registries::find(&mut tx, &account, &Region::global()).await?;
        RegistryCatalogData::load(&mut tx, registry_id).await
    }
}

/// Sets what is shown of the caller's public registry; what is left out stays. Idempotent.
#[derive(Clone, Debug)]
pub struct PutRegistryCatalogData {
    /// The name that people know the owner by, at most 100 characters; an empty one removes it.
    pub display_name: Option<String>,
}

impl Operation for PutRegistryCatalogData {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "PutRegistryCatalogData" };
    type Output = RegistryCatalogData;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr-public:PutRegistryCatalogData", resource(context.account))]
    }

    async fn run(self, call: Call<'_>) -> Result<RegistryCatalogData> {
        let account = call.context.account;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure(&mut tx, &call, &account, &Region::global()).await?;
        let mut data = RegistryCatalogData::load(&mut tx, Some(registry_id)).await?;
        if let Some(display_name) = self.display_name {
            data.display_name = Some(display_name).filter(|name| !name.is_empty());
        }
        data.store(&mut tx, registry_id).await?;
        gallery::note_registry(&mut tx, &call, registry_id).await?;
        call.commit(tx).await?;
        Ok(data)
    }
}
