//! STS `GetSessionToken`.

use super::{
    Credentials, DEFAULT_SECONDS, LONGEST_SECONDS, Session, SessionKind, check_duration,
    refuse_sessions,
};
use crate::context::{PrincipalKind, RequestContext};
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};

/// Sessions of the root of an account, in seconds.
const ROOT_SECONDS_MAX: i64 = 3600;

/// Makes temporary credentials of the caller itself, which cannot call IAM, and of STS only
/// `AssumeRole` and `GetCallerIdentity`.
#[derive(Clone, Copy, Debug)]
pub struct GetSessionToken {
    /// How long they last, in seconds; 12 hours when absent. An hour at most for the root.
    pub duration_seconds: Option<i64>,
}

impl Operation for GetSessionToken {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "GetSessionToken" };
    type Output = Credentials;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("sts:GetSessionToken", Resource::Caller)]
    }

    async fn run(self, call: Call<'_>) -> Result<Credentials> {
        refuse_sessions(&call, "GetSessionToken")?;
        let caller = &call.context.principal;
        let asked = self.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        let mut seconds = check_duration(asked, LONGEST_SECONDS)?;
        if caller.kind == PrincipalKind::Root {
            seconds = seconds.min(ROOT_SECONDS_MAX);
        }
        Session::new(SessionKind::Caller, caller.id, String::new(), &call, seconds)
            .issue(call.app)
            .await
    }
}
