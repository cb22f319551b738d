//! `DescribeScrub` and `StartScrub`, for the operator.

use super::{Status, status};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::AccountId;
use crate::params;

/// Says what the scrub did and does, and what is damaged.
#[derive(Clone, Debug)]
pub struct DescribeScrub {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
}

impl Operation for DescribeScrub {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeScrub" };
    type Output = Status;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:DescribeScrub", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Status> {
        status(call.app).await
    }
}

/// Lets the next pass begin now, unless one is under way. Idempotent.
#[derive(Clone, Debug)]
pub struct StartScrub {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
}

impl Operation for StartScrub {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "StartScrub" };
    type Output = Status;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:StartScrub", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Status> {
        if call.app.settings.scrub_bytes_per_second == 0 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "The scrub is turned off: `scrub_rate` is 0. Start the server with another rate.",
            ));
        }
        let mut tx = call.write().await?;
        tx.execute(
            "UPDATE scrub SET next_pass_at = $1 WHERE id = 1 AND phase = 'waiting'",
            params![call.now()],
        )
        .await?;
        call.commit(tx).await?;
        call.app.scrub.notify_one();
        status(call.app).await
    }
}
