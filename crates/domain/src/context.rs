//! Who asks, where, when and from where: built once per request by the front end.

use std::net::IpAddr;

use crate::clock::Millis;
use crate::names::{AccountId, Region};

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The root of an account.
    Root,
    /// A service that acts by its own authority, with the policy that is built in for it.
    Service,
}

impl PrincipalKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Service => "service",
        }
    }

    /// Reads back what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "root" => Some(Self::Root),
            _ => None,
        }
    }
}

/// An authenticated identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its row.
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
    /// The region that was addressed.
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
    /// The id that the answer, the log and the access record carry.
    pub request_id: String,
    /// When the request arrived.
    pub now: Millis,
}
