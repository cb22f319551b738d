//! STS `GetCallerIdentity`.

use crate::context::{Principal, RequestContext};
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};

/// Says who asks. AWS lets everybody ask, even where a policy denies it; here it is a demand like
/// any other, which every principal is allowed unless a policy of its own says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct GetCallerIdentity;

impl Operation for GetCallerIdentity {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "GetCallerIdentity" };
    type Output = Principal;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("sts:GetCallerIdentity", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Principal> {
        Ok(call.context.principal.clone())
    }
}
