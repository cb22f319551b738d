//! Services that act by their own authority: who does what no request asked for, such as expiring
//! images. What a service may do is a policy like any other, and `execute` decides by it.

use std::net::{IpAddr, Ipv4Addr};

use crate::app::App;
use crate::context::{Principal, PrincipalKind, RequestContext};
use crate::error::{Error, Result};
use crate::names::{AccountId, Region};

/// A service with the policy that is built in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// As policies, tag histories and access records name it.
    pub name: &'static str,
    policy: &'static str,
}

/// ECR itself, which carries out lifecycle policies. AWS has no service-linked role for this.
pub const ECR: ServicePrincipal = ServicePrincipal {
    name: "ecr.amazonaws.com",
    policy: r#"{"Version":"2012-10-17","Statement":[{"Sid":"LifecyclePolicies","Effect":"Allow","Action":"ecr:BatchDeleteImage","Resource":"arn:*:ecr:*:*:repository/*"}]}"#,
};

const SERVICES: [ServicePrincipal; 1] = [ECR];

/// What the service of this name may do.
pub(crate) fn policy_of(name: &str) -> Result<&'static str> {
    SERVICES
        .iter()
        .find(|service| service.name == name)
        .map(|service| service.policy)
        .ok_or_else(|| Error::internal(format!("{name} is no service")))
}

impl ServicePrincipal {
    /// A request of this service on behalf of an account; `request_id` says which job makes it.
    pub(crate) fn context(
        self,
        app: &App,
        account: AccountId,
        region: Region,
        request_id: String,
    ) -> RequestContext {
        RequestContext {
            principal: Principal {
                id: 0,
                kind: PrincipalKind::Service,
                account,
                arn: self.name.to_owned(),
                unique_id: self.name.to_owned(),
                access_key_id: None,
                session: None,
            },
            account,
            region,
            source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            // It does not leave the process.
            secure_transport: true,
            user_agent: self.name.to_owned(),
            endpoint: None,
            referer: String::new(),
            request_id,
            now: app.clock.now(),
        }
    }
}
