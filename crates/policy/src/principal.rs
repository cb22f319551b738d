//! Who a statement names, and who asks.
//!
//! Source: IAM guide, "AWS JSON policy elements: Principal" and "…: NotPrincipal".

use crate::error::Shown;

/// What kind of principal asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The root user of an account.
    Root,
    /// An IAM user.
    User,
    /// A session of an IAM role.
    RoleSession,
    /// A federated user session (`arn:…:sts::…:federated-user/…`).
    FederatedUser,
    /// A token of an identity provider that no role has been assumed with yet.
    FederatedProvider,
    /// A service, by its own authority.
    Service,
    /// Nobody in particular: no credentials.
    Anonymous,
}

/// The principal of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal<'a> {
    /// The kind of principal; it says how the other fields are read.
    pub kind: PrincipalKind,
    /// The ARN. For a service its name (`lambda.amazonaws.com`), for a federated provider the
    /// provider's name or ARN, for anonymous requests the empty string.
    pub arn: &'a str,
    /// The account's twelve digits; `None` for services, providers and anonymous requests.
    pub account: Option<&'a str>,
    /// For a role session the ARN of the role, with its path.
    pub role_arn: Option<&'a str>,
    /// The stable unique id (`AIDA…`, for a role session the role's `AROA…`) and the canonical
    /// user id, as far as they exist. Statements name a deleted principal by its unique id.
    pub ids: &'a [&'a str],
}

impl Principal<'_> {
    /// A request without credentials.
    #[must_use]
    pub fn anonymous() -> Principal<'static> {
        Principal {
            kind: PrincipalKind::Anonymous,
            arn: "",
            account: None,
            role_arn: None,
            ids: &[],
        }
    }
}

/// One entry of a `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalPattern {
    /// `*`: everyone, anonymous requests and services too.
    Everyone,
    /// An account, written as twelve digits or as the ARN of its root user.
    Account(String),
    /// The ARN of a user, role, role session or federated user session. Never a pattern.
    Arn(String),
    /// The unique id of a user or role.
    UniqueId(String),
    /// A service's name.
    Service(String),
    /// A provider's name or ARN. Compared as a whole, so that `accounts.example` does not cover
    /// `accounts.example.evil.test`.
    Federated(String),
    /// A canonical user id.
    CanonicalUser(String),
}

/// How directly a statement names the principal it matched. Ordered from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Through the account, which leaves the choice to the account's identity policies.
    Account,
    /// Through the role behind a session, so boundary and session policies still limit.
    Role,
    /// The principal itself, or nobody less than everyone.
    Direct,
}

impl PrincipalPattern {
    /// Reads an entry of the `AWS` list.
    pub(crate) fn parse_aws(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if is_account(text) {
            return Ok(Self::Account(text.to_owned()));
        }
        if is_unique_id(text) {
            return Ok(Self::UniqueId(text.to_owned()));
        }
        let refuse = || Err(format!("{} does not name a principal", Shown(text)));
        let mut fields = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(service), Some(""), Some(account), Some(resource)) = (
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
        ) else {
            return refuse();
        };
        if text.contains(['*', '?', '$']) || partition.is_empty() || !is_account(account) {
            return refuse();
        }
        if (service, resource) == ("iam", "root") {
            return Ok(Self::Account(account.to_owned()));
        }
        let Some((kind, name)) = resource.split_once('/') else { return refuse() };
        let known = match (service, kind) {
            ("iam", "user" | "role") | ("sts", "federated-user") => true,
            ("sts", "assumed-role") => name.split('/').count() == 2,
            _ => false,
        };
        if !known || name.split('/').any(str::is_empty) {
            return refuse();
        }
        Ok(Self::Arn(text.to_owned()))
    }

    /// Reads an entry of the `Service`, `Federated` or `CanonicalUser` list. These name exactly.
    pub(crate) fn parse_named(kind: &str, text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '?' | '$');
        if text.is_empty() || !text.chars().all(plain) {
            return Err(format!("{} does not name a principal", Shown(text)));
        }
        let text = text.to_owned();
        match kind {
            "Service" => Ok(Self::Service(text)),
            "Federated" => Ok(Self::Federated(text)),
            "CanonicalUser" => Ok(Self::CanonicalUser(text)),
            other => Err(format!("{} is not a kind of principal", Shown(other))),
        }
    }

    /// How the entry covers the principal, if it does.
    pub(crate) fn covers(&self, principal: &Principal<'_>) -> Option<Grant> {
        let session =
            matches!(principal.kind, PrincipalKind::RoleSession | PrincipalKind::FederatedUser);
        match self {
            Self::Everyone if session => Some(Grant::Role),
            Self::Everyone => Some(Grant::Direct),
            Self::Account(account) if principal.account != Some(account.as_str()) => None,
            Self::Account(_) if principal.kind == PrincipalKind::Root => Some(Grant::Direct),
            Self::Account(_) => Some(Grant::Account),
            Self::Arn(_)
            | Self::UniqueId(_)
            | Self::Service(_)
            | Self::Federated(_)
            | Self::CanonicalUser(_) => self.names(principal),
        }
    }

    /// Whether a `NotPrincipal` entry leaves the principal out of a `Deny`.
    ///
    /// Unlike in `Principal`, an account stands for its root user alone: the guide's example
    /// lists a user together with the account's root and leaves out only that user.
    pub(crate) fn exempts(&self, principal: &Principal<'_>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Account(_) => self.covers(principal) == Some(Grant::Direct),
            Self::Arn(_)
            | Self::UniqueId(_)
            | Self::Service(_)
            | Self::Federated(_)
            | Self::CanonicalUser(_) => self.names(principal).is_some(),
        }
    }

    fn names(&self, principal: &Principal<'_>) -> Option<Grant> {
        let kind = principal.kind;
        let has_account = principal.account.is_some();
        match self {
            Self::Arn(arn) if has_account && arn == principal.arn => Some(Grant::Direct),
            Self::Arn(arn) if principal.role_arn == Some(arn.as_str()) => Some(Grant::Role),
            Self::UniqueId(id) if principal.ids.contains(&id.as_str()) => {
                let session = kind == PrincipalKind::RoleSession;
                Some(if session { Grant::Role } else { Grant::Direct })
            }
            Self::CanonicalUser(id) if principal.ids.contains(&id.as_str()) => Some(Grant::Direct),
            Self::Service(name) if kind == PrincipalKind::Service && name == principal.arn => {
                Some(Grant::Direct)
            }
            Self::Federated(name)
                if kind == PrincipalKind::FederatedProvider && name == principal.arn =>
            {
                Some(Grant::Direct)
            }
            _ => None,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// IAM guide, "IAM identifiers", unique identifiers.
fn is_unique_id(text: &str) -> bool {
    (16..=128).contains(&text.len())
        && (text.starts_with("AIDA") || text.starts_with("AROA"))
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
