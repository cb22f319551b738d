//! Why a principal may or may not do something: the decision of the authorizer, with everything it
//! was made from.

use tonnage_policy::{Context, Outcome, Reason};

use super::governing::{Basis, Governed, Remember};
use crate::authorize::{
    OwnPolicies, Question, condition_keys, principals, resolved, tags_of, told_of,
};
use crate::context::{Principal, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::{AccountId, Arn, Region};
use crate::public::reading;
use crate::secrets::SecretId;
use crate::{identities, params};

/// Condition keys that say how a request came; the asker's own are not the principal's.
const KEYS_OF_THE_ASKER: [&str; 8] = [
    "aws:SourceIp",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
    "aws:SecureTransport",
    "aws:UserAgent",
    "aws:Referer",
    "aws:ViaAWSService",
];

/// Decides as the authorizer would, changes nothing, and says what decided.
#[derive(Clone, Debug)]
pub struct ExplainPolicy {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Whose request it would be: the ARN of a stored principal.
    pub principal: String,
    /// The action, `service:Action`.
    pub action: String,
    /// The ARN of a repository, of all repositories of a registry (`…:repository/*`), of a secret,
    /// of the deployment, or `*`.
    pub resource: String,
    /// Condition keys, beside those of principal and resource; a key given here is the only one.
    pub keys: Vec<(String, Vec<String>)>,
}

/// What decides, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the request would be allowed.
    pub allowed: bool,
    /// Why, for the operator: every statement that allowed, the one that denied, or the kind of
    /// policy that does not allow.
    pub because: Vec<String>,
    /// The end of the message that the principal gets, which tells nothing of what is kept from it;
    /// empty when allowed.
    pub told: String,
    /// Every policy that has a say: its kind and its name.
    pub considered: Vec<(String, String)>,
    /// Statements that would allow but could not be evaluated.
    pub passed_over: Vec<String>,
    /// Condition keys the decision had, with their values.
    pub keys: Vec<(String, Vec<String>)>,
}

impl Operation for ExplainPolicy {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ExplainPolicy" };
    type Output = Explanation;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:ExplainPolicy", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Explanation> {
        let named = self.action.split_once(':');
        if !named.is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
            return Err(Error::invalid_parameter("action", "The form is service:Action"));
        }
        let (resource, region) = resource_of(&self.resource, &call)?;
        let mut tx = call.read().await?;
        let resource = resolved(&mut tx, &resource).await?;
        let principal = principal_of(&mut tx, &self.principal).await?;
        let context = RequestContext {
            account: *resource.account().unwrap_or(&principal.account),
            principal,
            region,
            ..call.context.clone()
        };
        let governed = Governed::by(&context, &self.action, &resource);
        let names = governed.versions().chain(principals::version_names(&context.principal));
        let basis = Basis::read(&mut tx, names.collect()).await?;
        let remember = Remember::No;
        let own =
            OwnPolicies::read(call.app, &mut tx, &context.principal, &basis, remember).await?;
        let policies = governed.policies(call.app, &mut tx, &basis, remember).await?;
        let tags = tags_of(&mut tx, &resource).await?;
        // The action is not one of the table's, and the keys of a demand do not depend on it.
        let demand = Demand::new("tonnage:ExplainPolicy", resource.clone());
        let put_given = |keys: &mut Context<'_>| {
            for key in KEYS_OF_THE_ASKER {
                keys.remove(key);
            }
            for (key, values) in &self.keys {
                keys.set_all(key.clone(), values.iter().cloned());
            }
        };
        let question = Question {
            principal: &context.principal,
            action: &self.action,
            arn: resource.arn(),
            account: *resource.account().unwrap_or(&context.account),
        };
        let resource_policies = policies.named(&self.action);
        let mut keys = condition_keys(&context, &demand, &resource, &tags, &own);
        put_given(&mut keys);
        let mut keys_if_absent = condition_keys(&context, &demand, &resource, &[], &own);
        put_given(&mut keys_if_absent);
        let decision = match resource {
            ref open if reading::is_open(&self.action, open) => question.decide_for_readers(),
            _ => question.decide(&own, &resource_policies, &keys),
        };
        let absent = question.decide(&own, &[], &keys_if_absent);
        let mut considered = own.names();
        considered.extend(
            resource_policies
                .iter()
                .map(|(name, _)| ("resource-based policy".to_owned(), (*name).to_owned())),
        );
        let because = match &decision.reason {
            Reason::AllowedBy(statements) => {
                statements.iter().map(|statement| format!("allowed by {statement}")).collect()
            }
            Reason::DeniedBy(statement) => vec![format!("denied by {statement}")],
            Reason::NotAllowedBy(source) => vec![format!("no {source} allows it")],
        };
        Ok(Explanation {
            allowed: decision.outcome == Outcome::Allow,
            because,
            told: told_of(&decision, &absent, &self.action),
            considered,
            passed_over: decision.unevaluated.iter().map(ToString::to_string).collect(),
            keys: keys
                .iter()
                .map(|(key, values)| {
                    (key.to_owned(), values.iter().map(ToString::to_string).collect())
                })
                .collect(),
        })
    }
}

/// What an ARN names, and in which region the request would be.
fn resource_of(text: &str, call: &Call<'_>) -> Result<(Resource, Region)> {
    let invalid = || {
        Error::invalid_parameter(
            "resource",
            "The ARN of a repository, private or public, \
             arn:aws:ecr:{region}:{account}:repository/*, \
             arn:aws:secretsmanager:{region}:{account}:secret:{name}-{6 characters}, \
             arn:aws:tonnage::{account}:deployment, or *",
        )
    };
    if text == "*" {
        return Ok((Resource::Any, call.context.region.clone()));
    }
    let arn = Arn::parse(text).map_err(|_| invalid())?;
    let account = AccountId::parse(arn.account()).map_err(|_| invalid())?;
    if arn.service() == "tonnage" && arn.resource() == "deployment" {
        return Ok((Resource::Deployment { account }, call.context.region.clone()));
    }
    let region = Region::parse_stored(arn.region()).map_err(|_| invalid())?;
    if arn.service() == "secretsmanager" {
        let id = SecretId::parse_arn(text).map_err(|_| invalid())?;
        return Ok((Resource::Secret { id, arn: None }, region));
    }
    let of_registry = matches!(arn.service(), "ecr" | "ecr-public");
    let resource = match arn.repository_name() {
        Some(name) if of_registry => Resource::Repository { account, region: region.clone(), name },
        None if of_registry && arn.resource() == "repository/*" => {
            Resource::Repositories { account, region: region.clone() }
        }
        _ => return Err(invalid()),
    };
    if resource.arn() == text { Ok((resource, region)) } else { Err(invalid()) }
}

async fn principal_of(tx: &mut crate::execute::Tx, arn: &str) -> Result<Principal> {
    let row = tx
        .optional(
            "SELECT id, kind, account_id, arn, unique_id FROM principals WHERE arn = $1",
            params![arn],
        )
        .await?
        .ok_or_else(|| {
            Error::new(ErrorKind::InvalidParameter, format!("There is no principal {arn}."))
        })?;
    identities::principal_from(&row, None)
}
