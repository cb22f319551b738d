//! Who asks, where, when and from where: built once per request by the front end.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::audit::parameters::RequestInput;
use crate::clock::Millis;
use crate::identities::sessions::SessionPrincipal;
use crate::image_shares::Grant;
use crate::names::{AccountId, Region};

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The root of an account.
    Root,
    /// A service that acts by its own authority, with the policy that is built in for it.
    Service,
    /// A service that acts in other accounts by the role of an account that is linked to it.
    ServiceLinkedRole,
    /// A user, with a key of its own or with temporary credentials.
    User,
    /// A session of a role. Stored principals of this kind are the roles themselves.
    AssumedRole,
    /// A session by the name that a user gave it.
    FederatedUser,
    /// The subject of an identity provider's token, before it has a session: the provider's ARN.
    WebIdentity,
    /// Whoever shows no credentials, at a public registry.
    Anonymous,
}

impl PrincipalKind {
    /// Whether it is a service of ours, by itself or by the role that an account gave it.
    pub(crate) fn is_service(self) -> bool {
        matches!(self, Self::Service | Self::ServiceLinkedRole)
    }

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Service => "service",
            Self::ServiceLinkedRole => "service-linked-role",
            Self::User => "user",
            Self::AssumedRole => "role",
            Self::FederatedUser => "federated-user",
            Self::WebIdentity => "web-identity",
            Self::Anonymous => "anonymous",
        }
    }

    /// Reads back what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "root" => Some(Self::Root),
            "user" => Some(Self::User),
            "role" => Some(Self::AssumedRole),
            _ => None,
        }
    }

    /// The value of `aws:PrincipalType` (IAM user guide, "AWS global condition context keys").
    pub fn condition_value(self) -> &'static str {
        match self {
            Self::Root => "Account",
            Self::User => "User",
            Self::AssumedRole | Self::ServiceLinkedRole => "AssumedRole",
            Self::FederatedUser => "FederatedUser",
            Self::Service => "AWSService",
            Self::WebIdentity => "WebIdentityUser",
            Self::Anonymous => "Anonymous",
        }
    }
}

/// An authenticated identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its row: of a role for its sessions, of the user for a federated user.
    pub id: i64,
    /// What it is.
    pub kind: PrincipalKind,
    /// The account it belongs to.
    pub account: AccountId,
    /// Its ARN.
    pub arn: String,
    /// Its unique id, which a principal made again under the same name does not share.
    pub unique_id: String,
    /// The access key it signed with, or whose authorization token it presented.
    pub access_key_id: Option<String>,
    /// What it is a session of, when it signed with temporary credentials.
    pub session: Option<Arc<SessionPrincipal>>,
    /// What it is limited to, when somebody acts for it with a share that it made.
    pub share: Option<Arc<Grant>>,
}

impl Principal {
    /// Whoever shows no credentials, at the public registry of an account. It belongs to no account;
    /// the one that it carries is the registry's.
    pub fn anonymous(registry: AccountId) -> Self {
        Self {
            id: 0,
            kind: PrincipalKind::Anonymous,
            account: registry,
            arn: "anonymous".to_owned(),
            unique_id: "anonymous".to_owned(),
            access_key_id: None,
            session: None,
            share: None,
        }
    }

    /// How logs and access records name it: of a share, the share.
    pub(crate) fn recorded_arn(&self) -> Cow<'_, str> {
        match &self.share {
            Some(share) => Cow::Owned(share.arn()),
            None => Cow::Borrowed(&self.arn),
        }
    }
}

/// A listener with a name of its own, which policies know as a VPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `aws:SourceVpce`, for instance `vpce-build`.
    pub name: String,
    /// `aws:SourceVpc`, for instance `vpc-office`.
    pub network: Option<String>,
}

/// Everything about a request that is not its input.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Who asks.
    pub principal: Principal,
    /// The account whose registry was addressed; operations may name another in their input.
    pub account: AccountId,
    /// The region that was addressed; the global one for public registries.
    pub region: Region,
    /// Where the request came from, behind trusted proxies.
    pub source_address: IpAddr,
    /// Whether it came over TLS.
    pub secure_transport: bool,
    /// The endpoint it came through, where the listener is one.
    pub endpoint: Option<Endpoint>,
    /// The client's `User-Agent`, at most 512 bytes of it.
    pub user_agent: String,
    /// The client's `Referer`, at most 512 bytes of it; empty when it sent none.
    pub referer: String,
    /// What it asks for, as access records keep it; nothing where that is not known.
    pub input: Option<Arc<RequestInput>>,
    /// The id that the answer, the log and the access record carry.
    pub request_id: String,
    /// When the request arrived.
    pub now: Millis,
}
