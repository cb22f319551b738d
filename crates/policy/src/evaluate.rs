//! From policies and a request to a decision.
//!
//! The order is that of the IAM guide, "Policy evaluation logic": an explicit deny anywhere wins;
//! then account limits and the endpoint must allow; then either side of an account boundary has
//! its say:
//!
//! - Same account: an identity policy or a resource policy must allow; a role's trust policy must
//!   allow in any case. How the resource policy
//!   names the principal decides what still limits it. A user or session named itself is allowed
//!   outright. A session covered through its role is still limited by boundary and session
//!   policies. Naming the account only hands the choice to the account's identity policies, so
//!   that trusting an account does not give its powerless users every role in it.
//! - Another account: both an identity policy and a resource policy must allow, within boundary
//!   and session policies.
//! - Principals without an account (services, identity providers, anonymous): the resource policy
//!   alone.

use crate::condition::Truth;
use crate::context::Context;
use crate::document::{ActionPattern, Effect, Policy, PolicyKind, Statement};
use crate::glob;
use crate::principal::{Grant, Principal};
use crate::trace::{Decision, Outcome, PolicySource, Reason, StatementReference};

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The action, `service:Action`. Not case-sensitive.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for actions without one. Case-sensitive.
    pub resource: &'a str,
    /// The account that owns the resource; for `*` the account the request acts in.
    pub resource_account: &'a str,
    /// Who asks.
    pub principal: Principal<'a>,
    /// What else is known.
    pub context: &'a Context<'a>,
}

/// A policy with the name that a [`Decision`] calls it by.
pub type NamedPolicy<'a> = (&'a str, &'a Policy);

/// The policies that have a say in a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct PolicySet<'a> {
    /// The principal's own policies, inherited ones included. None of them means: no allow.
    pub identity: &'a [NamedPolicy<'a>],
    /// The resource's policies (or a role's trust policy). None of them means: no allow.
    pub resource: &'a [NamedPolicy<'a>],
    /// The principal's permissions boundary, if it has one.
    pub boundary: Option<NamedPolicy<'a>>,
    /// The policies of the session; empty when it was made without any.
    pub session: &'a [NamedPolicy<'a>],
    /// The limits of the principal's account; empty when it has none.
    pub limits: &'a [NamedPolicy<'a>],
    /// The policy of the endpoint, of kind [`PolicyKind::Resource`]; `None` when it has none.
    pub endpoint: Option<NamedPolicy<'a>>,
}

/// Decides a request.
///
/// Pure: equal arguments give equal answers. The cost is at most the product of the sizes of the
/// policies and the request.
#[must_use]
pub fn evaluate(request: &Request<'_>, policies: &PolicySet<'_>) -> Decision {
    let evaluator = Evaluator {
        request,
        action: request.action.to_ascii_lowercase(),
        has_boundary: policies.boundary.is_some(),
    };
    let mut unevaluated = Vec::new();
    let (outcome, reason) = match evaluator.decide(policies, &mut unevaluated) {
        Ok(allowed) => (Outcome::Allow, Reason::AllowedBy(allowed)),
        Err(reason @ Reason::DeniedBy(_)) => (Outcome::ExplicitDeny, reason),
        Err(reason) => (Outcome::ImplicitDeny, reason),
    };
    Decision { outcome, reason, unevaluated }
}

struct Evaluator<'r> {
    request: &'r Request<'r>,
    action: String,
    has_boundary: bool,
}

/// What the policies of one kind say together.
#[derive(Default)]
struct Verdict {
    denied: Option<StatementReference>,
    allowed: Option<(Grant, StatementReference)>,
}

impl Evaluator<'_> {
    fn decide(
        &self,
        policies: &PolicySet<'_>,
        unevaluated: &mut Vec<StatementReference>,
    ) -> Result<Vec<StatementReference>, Reason> {
        let mut ask = |source, policies: &[NamedPolicy<'_>]| {
            let verdict = self.verdict(source, policies, unevaluated);
            match verdict.denied {
                Some(denied) => Err(Reason::DeniedBy(denied)),
                None => Ok(verdict.allowed),
            }
        };
        let resource_source = match policies.resource {
            [(_, first), ..] if first.kind == PolicyKind::Trust => PolicySource::Trust,
            _ => PolicySource::Resource,
        };
        // Every kind is asked before any implicit deny is given: a deny anywhere wins.
        let limits = ask(PolicySource::AccountLimit, policies.limits)?;
        let endpoint = ask(PolicySource::Endpoint, policies.endpoint.as_slice())?;
        let resource = ask(resource_source, policies.resource)?;
        let identity = ask(PolicySource::Identity, policies.identity)?;
        let boundary = ask(PolicySource::Boundary, policies.boundary.as_slice())?;
        let session = ask(PolicySource::Session, policies.session)?;

        let mut allowed = Vec::new();
        let mut require = |source, verdict: Option<(Grant, StatementReference)>| match verdict {
            Some((_, statement)) => {
                allowed.push(statement);
                Ok(())
            }
            None => Err(Reason::NotAllowedBy(source)),
        };
        if !policies.limits.is_empty() {
            require(PolicySource::AccountLimit, limits)?;
        }
        if policies.endpoint.is_some() {
            require(PolicySource::Endpoint, endpoint)?;
        }
        let grant = resource.as_ref().map(|(grant, _)| *grant);
        let limited = match self.request.principal.account {
            None => {
                require(resource_source, resource)?;
                false
            }
            Some(account) if account == self.request.resource_account => match grant {
                Some(Grant::Direct) => {
                    require(resource_source, resource)?;
                    false
                }
                Some(Grant::Role) => {
                    require(resource_source, resource)?;
                    true
                }
                // A role that does not trust is not assumed, whatever the caller's policies say.
                None if resource_source == PolicySource::Trust => {
                    require(resource_source, resource)?;
                    true
                }
                Some(Grant::Account) | None => {
                    require(PolicySource::Identity, identity)?;
                    true
                }
            },
            Some(_) => {
                require(PolicySource::Identity, identity)?;
                require(resource_source, resource)?;
                true
            }
        };
        if limited && policies.boundary.is_some() {
            require(PolicySource::Boundary, boundary)?;
        }
        if limited && !policies.session.is_empty() {
            require(PolicySource::Session, session)?;
        }
        Ok(allowed)
    }

    fn verdict(
        &self,
        source: PolicySource,
        policies: &[NamedPolicy<'_>],
        unevaluated: &mut Vec<StatementReference>,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        for (name, policy) in policies {
            for (index, statement) in policy.statements.iter().enumerate() {
                let refer = |unevaluable| StatementReference {
                    source,
                    policy: (*name).to_owned(),
                    sid: statement.sid.clone(),
                    index,
                    unevaluable,
                };
                let (truth, grant) = self.matches(source, statement);
                match (truth, statement.effect) {
                    (Truth::False, _) => {}
                    (Truth::True, Effect::Deny) => {
                        verdict.denied = Some(refer(None));
                        return verdict;
                    }
                    (Truth::Unknown(why), Effect::Deny) => {
                        verdict.denied = Some(refer(Some(why)));
                        return verdict;
                    }
                    (Truth::Unknown(why), Effect::Allow) => unevaluated.push(refer(Some(why))),
                    (Truth::True, Effect::Allow) => {
                        if verdict.allowed.as_ref().is_none_or(|(best, _)| grant > *best) {
                            verdict.allowed = Some((grant, refer(None)));
                        }
                    }
                }
            }
        }
        verdict
    }

    fn matches(&self, source: PolicySource, statement: &Statement) -> (Truth, Grant) {
        if !self.matches_action(statement) {
            return (Truth::False, Grant::Account);
        }
        let (principal, grant) = self.matches_principal(source, statement);
        if principal == Truth::False {
            return (principal, grant);
        }
        let context = self.request.context;
        let resource = self.matches_resource(statement);
        let conditions = statement.conditions.iter().map(|condition| condition.evaluate(context));
        (Truth::all([principal, resource].into_iter().chain(conditions)), grant)
    }

    fn matches_action(&self, statement: &Statement) -> bool {
        let listed = |pattern: &ActionPattern| glob::matches(&pattern.tokens, &self.action);
        statement.actions.entries.iter().any(listed) != statement.actions.negated
    }

    fn matches_resource(&self, statement: &Statement) -> Truth {
        let Some(resources) = &statement.resources else { return Truth::True };
        let Request { resource, context, .. } = self.request;
        let listed = resources.entries.iter().map(|p| Truth::of(p.matches(resource, context)));
        Truth::any(listed).negate_if(resources.negated)
    }

    /// Whether the statement is about the principal, and how directly it names it. A policy of
    /// the wrong kind for its place cannot be evaluated.
    fn matches_principal(&self, source: PolicySource, statement: &Statement) -> (Truth, Grant) {
        let names_principals =
            matches!(source, PolicySource::Resource | PolicySource::Trust | PolicySource::Endpoint);
        let principal = &self.request.principal;
        match &statement.principals {
            None if !names_principals => (Truth::True, Grant::Direct),
            Some(_) if !names_principals => {
                (Truth::Unknown("the policy names principals"), Grant::Account)
            }
            None => (Truth::Unknown("the policy does not name principals"), Grant::Account),
            Some(selection) if selection.negated => {
                // A Deny with NotPrincipal hits every principal that has a boundary, whatever it
                // lists (IAM guide, "AWS JSON policy elements: NotPrincipal").
                let listed = selection.entries.iter().any(|entry| entry.exempts(principal));
                (Truth::of(Ok(!listed || self.has_boundary)), Grant::Account)
            }
            Some(selection) => {
                let covers = selection.entries.iter().filter_map(|entry| entry.covers(principal));
                match covers.max() {
                    Some(grant) => (Truth::True, grant),
                    None => (Truth::False, Grant::Account),
                }
            }
        }
    }
}
