//! `DescribeGarbageCollection` and `RunGarbageCollection`, for the operator.

use super::{Plan, Status, Swept, plan, status, sweep_at_most};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::AccountId;

/// Transactions of one `RunGarbageCollection`.
const RUN_BATCHES: u64 = 50;

/// Says how garbage collection stands, and what a sweep would remove now.
#[derive(Clone, Debug)]
pub struct DescribeGarbageCollection {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
}

impl Operation for DescribeGarbageCollection {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeGarbageCollection" };
    type Output = (Status, Plan);

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:DescribeGarbageCollection", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<(Status, Plan)> {
        Ok((status(call.app).await?, plan(call.app).await?))
    }
}

/// Removes garbage now, beside whatever the server does by itself; the grace period holds all the
/// same. One call does a bounded part of the work. Idempotent.
#[derive(Clone, Debug)]
pub struct RunGarbageCollection {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
}

/// What one call removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunGarbageCollectionOutput {
    /// What it removed.
    pub swept: Swept,
    /// Whether there may be more to remove.
    pub more: bool,
}

impl Operation for RunGarbageCollection {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "RunGarbageCollection" };
    type Output = RunGarbageCollectionOutput;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:RunGarbageCollection", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<RunGarbageCollectionOutput> {
        // The record first: what follows is many transactions, and some may be done when one fails.
        let tx = call.write().await?;
        call.commit(tx).await?;
        let (swept, more) = sweep_at_most(call.app, RUN_BATCHES).await?;
        Ok(RunGarbageCollectionOutput { swept, more })
    }
}
