//! STS `GetFederationToken`.

use super::policies::limit;
use super::{
    Credentials, DEFAULT_SECONDS, LONGEST_SECONDS, Session, SessionKind, check_duration,
    refuse_sessions,
};
use crate::context::{PrincipalKind, RequestContext};
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::identities::entities::tags;
use crate::names::Partition;
use crate::resource_tags::{self, ResourceTag};

const ROOT_SECONDS_MAX: i64 = 3600;

/// Makes temporary credentials under a name that the calling user gives: allowed what the user's
/// policies and the session's policies both allow, and nothing without session policies.
#[derive(Clone, Debug)]
pub struct GetFederationToken {
    /// 2 to 32 characters.
    pub name: String,
    /// How long they last, in seconds; 12 hours when absent.
    pub duration_seconds: Option<i64>,
    /// What they are limited to.
    pub policy: Option<String>,
    /// Managed policies that they are limited to.
    pub policy_arns: Vec<String>,
    /// Their tags.
    pub tags: Vec<ResourceTag>,
}

/// A federated user's credentials.
#[derive(Clone, Debug)]
pub struct FederatedUser {
    /// The credentials.
    pub credentials: Credentials,
    /// The ARN of the session.
    pub arn: String,
    /// The unique id of the session.
    pub unique_id: String,
    /// How much of what a session may carry it carries, in percent.
    pub packed_percent: Option<u32>,
}

impl Operation for GetFederationToken {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "GetFederationToken" };
    type Output = FederatedUser;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let account = context.principal.account;
        let partition = Partition::of(&context.region);
        let resource = Resource::Arn {
            arn: format!("arn:{partition}:sts::{account}:federated-user/{}", self.name),
            account,
        };
        let keys = resource_tags::condition_keys(&self.tags);
        let mut actions = vec!["sts:GetFederationToken"];
        if !self.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        super::assume_role::demands(&actions, &resource, &keys)
    }

    async fn run(self, call: Call<'_>) -> Result<FederatedUser> {
        refuse_sessions(&call, "GetFederationToken")?;
        tags::validate(&self.tags)?;
        let caller = &call.context.principal;
        let asked = self.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        let mut seconds = check_duration(asked, LONGEST_SECONDS)?;
        if caller.kind == PrincipalKind::Root {
            seconds = seconds.min(ROOT_SECONDS_MAX);
        }
        let mut tx = call.read().await?;
        let mut session =
            Session::new(SessionKind::Federated, caller.id, self.name, &call, seconds);
        session.tags = self.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        let account = caller.account.to_string();
        let packed_percent =
            limit(&mut tx, &mut session, &account, self.policy, self.policy_arns).await?;
        let principal = session.clone().principal(&mut tx, None).await?;
        drop(tx);
        Ok(FederatedUser {
            credentials: session.issue(call.app).await?,
            arn: principal.arn,
            unique_id: principal.unique_id,
            packed_percent,
        })
    }
}
