//! `SimulateCustomPolicy` and `SimulatePrincipalPolicy`: what the engine would decide.

use tonnage_policy::{
    Context, Decision, NamedPolicy, Outcome, Policy, PolicyKind, PolicySet, Principal,
    PrincipalKind, Reason, Request, evaluate,
};

use super::IamOperation;
use super::effective::{self, Effective};
use super::entities::{self, Entity, EntityKind};
use super::policies::document::malformed;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};

/// Decisions of one call.
const RESULTS_MAX: usize = 10_000;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Simulation {
    /// Policies beside those that are stored.
    pub policies: Vec<String>,
    /// A boundary, instead of the stored one.
    pub boundary: Option<String>,
    /// A policy of the resource.
    pub resource_policy: Option<String>,
    /// `service:Action`.
    pub actions: Vec<String>,
    /// ARNs; `*` when empty.
    pub resources: Vec<String>,
    /// The account of the resources.
    pub resource_account: Option<String>,
    /// Condition keys.
    pub context: Vec<(String, Vec<String>)>,
    /// Who asks.
    pub caller_arn: Option<String>,
}

/// One decision.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// What was decided.
    pub decision: Decision,
    /// Whether the boundary allows it, if there is one.
    pub allowed_by_boundary: Option<bool>,
}

impl Simulation {
    fn run(self, effective: &Effective, principal: &Principal<'_>) -> Result<Vec<Simulated>> {
        let parse = |text: &String| Policy::parse(text, PolicyKind::Identity).map_err(malformed);
        let given = self.policies.iter().map(parse).collect::<Result<Vec<_>>>()?;
        let boundary = self.boundary.as_ref().map(parse).transpose()?;
        let resource_policy = self
            .resource_policy
            .as_ref()
            .map(|text| Policy::parse(text, PolicyKind::Resource).map_err(malformed))
            .transpose()?;
        let names: Vec<String> =
            (1..=given.len()).map(|number| format!("PolicyInputList.{number}")).collect();
        let identity: Vec<NamedPolicy<'_>> = effective
            .documents
            .iter()
            .map(|(name, policy)| (name.as_str(), policy))
            .chain(names.iter().map(String::as_str).zip(&given))
            .collect();
        let boundary: Option<NamedPolicy<'_>> = match &boundary {
            Some(policy) => Some(("PermissionsBoundaryPolicyInputList.1", policy)),
            None => effective.boundary.as_ref().map(|(name, policy)| (name.as_str(), policy)),
        };
        let resource: Vec<NamedPolicy<'_>> =
            resource_policy.iter().map(|policy| ("ResourcePolicy", policy)).collect();
        let set =
            PolicySet { identity: &identity, boundary, resource: &resource, ..Default::default() };
        let mut context = Context::new();
        for (key, values) in &self.context {
            context.set_all(key.as_str(), values.iter().map(String::as_str));
        }
        let every = ["*".to_owned()];
        let resources = if self.resources.is_empty() { &every[..] } else { &self.resources };
        if self.actions.len() * resources.len() > RESULTS_MAX {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("Actions times resources are more than {RESULTS_MAX}."),
            ));
        }
        let account = self.resource_account.as_deref().or(principal.account).unwrap_or_default();
        let mut results = Vec::with_capacity(self.actions.len() * resources.len());
        for action in &self.actions {
            for resource in resources {
                let request = Request {
                    action,
                    resource,
                    resource_account: account,
                    principal: *principal,
                    context: &context,
                };
                let bounded = boundary.map(|boundary| {
                    let alone = [boundary];
                    let set = PolicySet { identity: &alone, ..Default::default() };
                    evaluate(&request, &set).is_allowed()
                });
                results.push(Simulated {
                    action: action.clone(),
                    resource: resource.clone(),
                    decision: evaluate(&request, &set),
                    allowed_by_boundary: bounded,
                });
            }
        }
        Ok(results)
    }
}

/// What policies that are only given would allow.
#[derive(Clone, Debug)]
pub struct SimulateCustomPolicy {
    /// The question.
    pub simulation: Simulation,
}

impl IamOperation for SimulateCustomPolicy {
    const ACTION: &'static str = "iam:SimulateCustomPolicy";
    const CHANGES: bool = false;
    type Output = Vec<Simulated>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, Resource::Any)]
    }

    async fn apply(self, call: &Call<'_>, _tx: &mut Tx) -> Result<Vec<Simulated>> {
        let caller = &call.context.principal;
        let arn = self.simulation.caller_arn.clone();
        let principal = Principal {
            kind: PrincipalKind::User,
            arn: arn.as_deref().unwrap_or(&caller.arn),
            account: Some(caller.account.as_str()),
            role_arn: None,
            ids: &[],
        };
        self.simulation.run(&Effective::default(), &principal)
    }
}

/// What the policies of a user, group or role would allow, together with those that are given.
#[derive(Clone, Debug)]
pub struct SimulatePrincipalPolicy {
    /// Whose policies.
    pub source_arn: String,
    /// The question.
    pub simulation: Simulation,
}

impl IamOperation for SimulatePrincipalPolicy {
    const ACTION: &'static str = "iam:SimulatePrincipalPolicy";
    const CHANGES: bool = false;
    type Output = Vec<Simulated>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![super::policies::by_arn(Self::ACTION, &self.source_arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Vec<Simulated>> {
        let account = call.context.principal.account;
        let source: Entity = entities::find_by_arn(tx, &self.source_arn)
            .await?
            .filter(|entity| entity.account == account)
            .filter(|entity| {
                matches!(entity.kind, EntityKind::User | EntityKind::Group | EntityKind::Role)
            })
            .ok_or_else(|| {
                let text = format!("The principal {} cannot be found.", self.source_arn);
                Error::new(ErrorKind::NoSuchEntity, text)
            })?;
        let effective = effective::load(tx, source.id).await?;
        let arn = self.simulation.caller_arn.clone();
        let principal = Principal {
            kind: if source.kind == EntityKind::Role {
                PrincipalKind::RoleSession
            } else {
                PrincipalKind::User
            },
            arn: arn.as_deref().unwrap_or(&source.arn),
            account: Some(account.as_str()),
            role_arn: (source.kind == EntityKind::Role).then_some(source.arn.as_str()),
            ids: &[source.unique_id.as_str()],
        };
        self.simulation.run(&effective, &principal)
    }
}

impl Simulated {
    /// What was decided, in the words of botocore `iam`, shape `PolicyEvaluationDecisionType`.
    pub fn words(&self) -> &'static str {
        match self.decision.outcome {
            Outcome::Allow => "allowed",
            Outcome::ExplicitDeny => "explicitDeny",
            Outcome::ImplicitDeny => "implicitDeny",
        }
    }

    /// The names of the policies whose statements decided.
    pub fn policies(&self) -> Vec<&str> {
        match &self.decision.reason {
            Reason::AllowedBy(statements) => {
                statements.iter().map(|it| it.policy.as_str()).collect()
            }
            Reason::DeniedBy(statement) => vec![statement.policy.as_str()],
            Reason::NotAllowedBy(_) => Vec::new(),
        }
    }
}
