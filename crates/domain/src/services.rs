//! Services that act by their own authority: who does what no request asked for, such as expiring
//! images. What a service may do is a policy like any other, and `execute` decides by it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::app::App;
use crate::context::{Principal, PrincipalKind, RequestContext};
use crate::error::{Error, Result};
use crate::identities::sessions::{Session, SessionPrincipal};
use crate::names::{AccountId, Partition, Region};

/// A service with the policy that is built in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// As policies, tag histories and access records name it.
    pub name: &'static str,
    /// The name of the role by which it acts in other accounts, if it does.
    linked_role: Option<&'static str>,
    policy: &'static str,
}

/// ECR itself, which carries out lifecycle policies, restores archived images, signs, scans and
/// attaches bills of materials. AWS has no
/// service-linked role for this.
pub const ECR: ServicePrincipal = ServicePrincipal {
    name: "ecr.amazonaws.com",
    linked_role: None,
    policy: r#"{"Version":"2012-10-17","Statement":[{"Sid":"LifecyclePolicies","Effect":"Allow","Action":["ecr:BatchDeleteImage","ecr:UpdateImageStorageClass","ecr:PutImage","ecr:BatchGetImage","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","tonnage:AttachImageSbom"],"Resource":"arn:*:ecr:*:*:repository/*"}]}"#,
};

/// What copies images to other registries. Source: Amazon ECR user guide, "Amazon ECR
/// service-linked role for replication"; deletions are carried too, and settings on
/// request, so theirs are in the policy, and so are the secrets of its own account that hold the
/// keys for other deployments.
pub const REPLICATION: ServicePrincipal = ServicePrincipal {
    name: "replication.ecr.amazonaws.com",
    linked_role: Some("AWSServiceRoleForECRReplication"),
    policy: r#"{"Version":"2012-10-17","Statement":[{"Sid":"Replication","Effect":"Allow","Action":["ecr:CreateRepository","ecr:ReplicateImage","ecr:BatchDeleteImage","ecr:PutLifecyclePolicy","ecr:DeleteLifecyclePolicy","ecr:SetRepositoryPolicy","ecr:DeleteRepositoryPolicy","ecr:TagResource","ecr:UntagResource","ecr:PutImageTagMutability"],"Resource":"*"},{"Sid":"SecretsManager","Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:*:secretsmanager:*:*:secret:ecr-replication/*","Condition":{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}}]}"#,
};

/// What fetches images from upstream registries. Source: Amazon ECR user guide, "Amazon ECR
/// service-linked role for pull through cache", with the secrets limited to those of the role's own
/// account.
pub const PULL_THROUGH_CACHE: ServicePrincipal = ServicePrincipal {
    name: "pullthroughcache.ecr.amazonaws.com",
    linked_role: Some("AWSServiceRoleForECRPullThroughCache"),
    policy: r#"{"Version":"2012-10-17","Statement":[{"Sid":"ECR","Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload","ecr:PutImage","ecr:BatchGetImage","ecr:BatchImportUpstreamImage","ecr:GetDownloadUrlForLayer","ecr:GetImageCopyStatus"],"Resource":"*"},{"Sid":"SecretsManager","Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:*:secretsmanager:*:*:secret:ecr-pullthroughcache/*","Condition":{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}}]}"#,
};

const SERVICES: [ServicePrincipal; 3] = [ECR, REPLICATION, PULL_THROUGH_CACHE];

/// What a service may do, by itself or by its role.
pub(crate) fn policy_of(principal: &Principal) -> Result<&'static str> {
    let acts_as = |service: &&ServicePrincipal| match principal.kind {
        PrincipalKind::ServiceLinkedRole => {
            let mut parts = principal.arn.rsplit('/');
            parts.next() == service.linked_role && parts.next() == Some(service.name)
        }
        _ => service.name == principal.arn,
    };
    SERVICES
        .iter()
        .find(acts_as)
        .map(|service| service.policy)
        .ok_or_else(|| Error::internal(format!("{} is no service", principal.arn)))
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
        let principal = self.principal(PrincipalKind::Service, account, self.name.to_owned());
        self.request(app, principal, account, region, request_id)
    }

    /// A request of this service in the registry of `account`, by the role that `of` has for it.
    pub(crate) fn linked_context(
        self,
        app: &App,
        of: AccountId,
        (account, region): (AccountId, Region),
        request_id: String,
    ) -> RequestContext {
        let arn = format!(
            "arn:{}:iam::{of}:role/aws-service-role/{}/{}",
            Partition::of(&region).as_str(),
            self.name,
            self.linked_role.unwrap_or_default(),
        );
        let principal = self.principal(PrincipalKind::ServiceLinkedRole, of, arn);
        self.request(app, principal, account, region, request_id)
    }

    /// This service as far as a session of it may go.
    pub(crate) fn session(self, account: AccountId, session: Session) -> Principal {
        let mut principal = self.principal(PrincipalKind::Service, account, self.name.to_owned());
        let base_arn = principal.arn.clone();
        let base_unique_id = principal.unique_id.clone();
        principal.session = Some(Arc::new(SessionPrincipal { session, base_arn, base_unique_id }));
        principal
    }

    fn principal(self, kind: PrincipalKind, account: AccountId, arn: String) -> Principal {
        Principal {
            id: 0,
            kind,
            account,
            arn,
            unique_id: self.name.to_owned(),
            access_key_id: None,
            session: None,
            share: None,
        }
    }

    fn request(
        self,
        app: &App,
        principal: Principal,
        account: AccountId,
        region: Region,
        request_id: String,
    ) -> RequestContext {
        RequestContext {
            principal,
            account,
            region,
            source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            // It does not leave the process.
            secure_transport: true,
            user_agent: self.name.to_owned(),
            endpoint: None,
            referer: String::new(),
            input: None,
            request_id,
            now: app.clock.now(),
        }
    }
}
