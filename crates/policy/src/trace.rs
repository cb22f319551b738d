//! What a decision says about itself.

use std::fmt;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request is allowed.
    pub outcome: Outcome,
    /// What decided.
    pub reason: Reason,
    /// `Allow` statements that could not be evaluated and therefore did not allow.
    pub unevaluated: Vec<StatementReference>,
}

/// Whether a request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every kind of policy that has a say allows, and none denies.
    Allow,
    /// A statement denies.
    ExplicitDeny,
    /// Nothing denies, but a kind of policy that has a say does not allow.
    ImplicitDeny,
}

/// What decided a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// These statements allowed together: the first match of each kind of policy that was asked.
    AllowedBy(Vec<StatementReference>),
    /// This statement denied.
    DeniedBy(StatementReference),
    /// No policy of this kind allowed.
    NotAllowedBy(PolicySource),
}

/// The role a policy played in an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySource {
    /// A limit on a whole account.
    AccountLimit,
    /// A policy of the endpoint through which the request came.
    Endpoint,
    /// A policy of the resource.
    Resource,
    /// A role's trust policy.
    Trust,
    /// A policy of the principal.
    Identity,
    /// The principal's permissions boundary.
    Boundary,
    /// A policy given when the session was made.
    Session,
}

/// One statement, found again by its policy's name and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementReference {
    /// The role its policy played.
    pub source: PolicySource,
    /// The policy's name, as the caller gave it.
    pub policy: String,
    /// The statement's `Sid`.
    pub sid: Option<String>,
    /// The statement's place in the document, from 0.
    pub index: usize,
    /// Why the statement could not be evaluated, if so.
    pub unevaluable: Option<&'static str>,
}

impl Decision {
    /// Whether the request is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }

    /// The end of AWS's access-denied message, without a leading space; `None` when allowed.
    /// Source: IAM guide, "Troubleshoot access denied error messages".
    #[must_use]
    pub fn denial(&self, action: &str) -> Option<String> {
        match &self.reason {
            Reason::AllowedBy(_) => None,
            Reason::DeniedBy(statement) => {
                let source = statement.source;
                let article = match source {
                    PolicySource::Trust => "the",
                    PolicySource::Identity => "an",
                    _ => "a",
                };
                Some(format!("with an explicit deny in {article} {source}"))
            }
            Reason::NotAllowedBy(source) => {
                Some(format!("because no {source} allows the {action} action"))
            }
        }
    }
}

impl fmt::Display for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccountLimit => "service control policy",
            Self::Endpoint => "VPC endpoint policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        })
    }
}

impl fmt::Display for StatementReference {
    /// `identity-based policy "name", statement 0 ("Sid")`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}, statement {}", self.source, self.policy, self.index)?;
        if let Some(sid) = &self.sid {
            write!(f, " ({sid:?})")?;
        }
        match self.unevaluable {
            Some(why) => write!(f, ", not evaluable: {why}"),
            None => Ok(()),
        }
    }
}
