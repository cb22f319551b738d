//! STS `GetCallerIdentity`.

use crate::context::{Principal, RequestContext};
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};

/// Says who asks. AWS answers everybody, even where a policy denies it.
#[derive(Clone, Copy, Debug)]
pub struct GetCallerIdentity;

impl Operation for GetCallerIdentity {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "GetCallerIdentity" };
    type Output = Principal;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("sts:GetCallerIdentity", Resource::Caller)]
    }

    async fn run(self, call: Call<'_>) -> Result<Principal> {
        Ok(call.context.principal.clone())
    }
}
