//! STS `GetAccessKeyInfo`.

use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::AccountId;
use crate::params;

/// Says which account a long-term access key belongs to. The ids of temporary keys say nothing
/// here, because nothing is stored of them.
#[derive(Clone, Debug)]
pub struct GetAccessKeyInfo {
    /// The key.
    pub access_key_id: String,
}

impl Operation for GetAccessKeyInfo {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "GetAccessKeyInfo" };
    type Output = AccountId;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("sts:GetAccessKeyInfo", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<AccountId> {
        let mut tx = call.read().await?;
        let row = tx
            .optional(
                "SELECT principals.account_id FROM access_keys \
                 JOIN principals ON principals.id = access_keys.principal_id \
                 WHERE access_keys.id = $1",
                params![&self.access_key_id],
            )
            .await?
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidParameter,
                    "The specified access key is not a long-term key of this deployment.",
                )
            })?;
        AccountId::parse(&row.get::<String>(0)?).map_err(Error::internal)
    }
}
