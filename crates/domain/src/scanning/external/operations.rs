//! `ListScanners` and `TestScanner`, for the operator.

use super::Adapter;
use super::protocol::{self, Metadata};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::AccountId;

/// Lists the scanners that the server is configured with, by name.
#[derive(Clone, Debug)]
pub struct ListScanners {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
}

impl Operation for ListScanners {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListScanners" };
    type Output = Vec<Adapter>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:ListScanners", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<Adapter>> {
        let mut adapters = call.app.settings.scanners.adapters.clone();
        adapters.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(adapters)
    }
}

/// Asks a scanner what it is and can do.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when there is none of this name; [`ErrorKind::Unsupported`] when
/// it does not answer as it should, with the reason.
#[derive(Clone, Debug)]
pub struct TestScanner {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// The scanner.
    pub name: String,
}

impl Operation for TestScanner {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "TestScanner" };
    type Output = Metadata;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:TestScanner", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Metadata> {
        let Some(adapter) = call.app.settings.scanners.named(&self.name) else {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!("There is no scanner named {}.", self.name),
            ));
        };
        let answer = call.app.adapters.ask(adapter, protocol::metadata_request()).await;
        let read = match answer {
            Ok(answer) => protocol::read_metadata(&answer),
            Err(failure) => Err(protocol::text(&failure.reason, 400)),
        };
        read.map_err(|reason| {
            let text = format!("The scanner {} does not work: {reason}.", self.name);
            Error::new(ErrorKind::Unsupported, text)
        })
    }
}
