//! The authorizer: every demand of every operation is decided here, by the policy engine, from
//! policies that are stored. There is no shortcut for anybody; the root of an account is allowed
//! because an allow-all identity policy is stored for it.

mod denied;
pub(crate) mod principals;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tonnage_policy::{
    Context, Decision, NamedPolicy, Policy, PolicySet, PolicySource, Reason, Request,
    StatementReference,
};

pub use self::denied::Denied;
use crate::app::App;
use crate::context::{Principal, PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Demand, Resource, Tx};
use crate::identities::effective::{self, Effective};
use crate::identities::sessions::policies::SessionPolicies;
use crate::identities::{entities, sessions};
use crate::names::AccountId;
use crate::policies::governing::{self, Basis, Compiled, Governed, Needs, Remember};
use crate::resource_tags::ResourceTag;
use crate::{public, repositories, resource_tags, scanning, secrets, services, versions};

/// What was allowed, and under which versions of the stored policies. Whoever holds a permit may
/// open transactions; it can only be had from the authorizer, and not copied.
pub struct Permit {
    granted: Vec<Decided>,
    /// The demands, to decide them again if the versions moved.
    demands: Arc<[Demand]>,
    /// Absent for maintenance.
    from: Option<DecidedFrom>,
}

struct Decided {
    action: &'static str,
    arn: String,
    denial: Option<Denial>,
}

/// Why a demand was denied.
struct Denial {
    /// The end of AWS's message.
    told: String,
    /// All of it, for the operator only.
    known: String,
    /// All of it, for whoever may decode it; of the principal's own account only.
    explained: Option<Box<Denied>>,
}

/// What the decision was made from.
struct DecidedFrom {
    basis: Basis,
    /// Whether the tags of resources mattered, or scans of images; they have no version.
    read_unversioned: bool,
}

impl Permit {
    /// For work that no principal asked for: collecting garbage, the first start, migrations.
    pub(crate) fn maintenance() -> Self {
        Self { granted: Vec::new(), demands: Arc::default(), from: None }
    }

    /// Whether an optional demand was allowed.
    ///
    /// # Errors
    /// [`ErrorKind::AccessDenied`] in AWS's words when it was not, or was never demanded.
    pub(crate) fn require(
        &self,
        context: &RequestContext,
        action: &'static str,
        resource: &Resource,
    ) -> Result<()> {
        let arn = resource.arn();
        let decided =
            self.granted.iter().find(|decided| decided.action == action && decided.arn == arn);
        match decided {
            Some(Decided { denial: None, .. }) => Ok(()),
            Some(Decided { denial: Some(denial), .. }) => {
                Err(denied(context, action, &arn, denial))
            }
            None => Err(Error::internal(format!("{action} on {arn} was never demanded"))),
        }
    }

    /// The ARNs that were demanded, each once.
    pub(crate) fn resources(&self) -> Vec<&str> {
        let mut arns: Vec<&str> = self.granted.iter().map(|decided| decided.arn.as_str()).collect();
        arns.dedup();
        arns
    }

    /// Whether what the decision was made from is still what is stored.
    pub(crate) async fn still_holds(&self, tx: &mut Tx) -> Result<bool> {
        match &self.from {
            None => Ok(true),
            Some(DecidedFrom { read_unversioned: true, .. }) => Ok(false),
            Some(DecidedFrom { basis, .. }) => basis.still_holds(tx).await,
        }
    }
}

/// Decides every demand. A required demand that is not allowed ends the request; whether the
/// resource exists plays no part in it.
///
/// # Errors
/// [`ErrorKind::AccessDenied`] with AWS's message.
pub(crate) async fn authorize(
    app: &App,
    context: &RequestContext,
    demands: &Arc<[Demand]>,
) -> Result<Permit> {
    // The only transaction that is opened without a decision: it reads what decisions need.
    let permit = Permit::maintenance();
    if let Some(mut tx) = Tx::recall(app.metadata.as_ref(), &permit) {
        let decided = decide(app, context, demands, &mut tx, Remember::Yes).await;
        if !tx.missed() {
            return decided;
        }
    }
    let mut tx = Tx::begin_remembered(app.metadata.as_ref(), &permit).await?;
    decide(app, context, demands, &mut tx, Remember::Yes).await
}

/// Decides the demands of a permit once more, inside the transaction that is about to act.
///
/// # Errors
/// As [`authorize`].
pub(crate) async fn decide_again(
    app: &App,
    context: &RequestContext,
    permit: &Permit,
    tx: &mut Tx,
) -> Result<()> {
    let now = decide(app, context, &permit.demands, tx, Remember::No).await?;
    let weaker = permit
        .granted
        .iter()
        .zip(&now.granted)
        .any(|(before, after)| before.denial.is_none() && after.denial.is_some());
    if weaker {
        // An optional demand was allowed then and is not now; the operation may have relied on it.
        return Err(Error::new(
            ErrorKind::Unavailable,
            "Permissions changed while the request ran; try again.",
        ));
    }
    Ok(())
}

/// Decides one more demand from what a transaction shows, its own changes included: for what an
/// operation learns only while it runs.
///
/// # Errors
/// As [`authorize`].
pub(crate) async fn require_now(
    app: &App,
    context: &RequestContext,
    demand: Demand,
    tx: &mut Tx,
) -> Result<()> {
    decide(app, context, &Arc::from([demand]), tx, Remember::No).await.map(|_| ())
}

async fn decide(
    app: &App,
    context: &RequestContext,
    demands: &Arc<[Demand]>,
    tx: &mut Tx,
    remember: Remember,
) -> Result<Permit> {
    let principal = &context.principal;
    let governed: Vec<Governed> = demands
        .iter()
        .map(|demand| Governed::by(context, demand.action, &demand.resource))
        .collect();
    let trusting = demands.iter().filter(|demand| principals::is_decided_by_trust(demand.action));
    let trusting = trusting.filter_map(|demand| demand.resource.account());
    let names = governed.iter().flat_map(Governed::versions);
    let names = names.chain(principals::version_names(principal));
    let names = names.chain(trusting.map(versions::identities)).collect();
    let basis = Basis::read(tx, names).await?;
    principals::refuse_inactive(tx, context).await?;
    let own = OwnPolicies::read(app, tx, principal, &basis, remember).await?;

    let mut granted = Vec::with_capacity(demands.len());
    let mut read_unversioned = false;
    for (demand, governed) in demands.iter().zip(&governed) {
        let resource = resolved(tx, &demand.resource).await?;
        let arn = resource.arn();
        let trust = principals::trust_policy(tx, demand.action, &arn).await?;
        let policies = governed.policies(app, tx, &basis, remember).await?;
        let trust_needs = trust.as_ref().map(Needs::of).unwrap_or_default();
        let needs = own.needs() | policies.needs() | trust_needs;
        let tags = if needs.resource_tags {
            read_unversioned = true;
            tags_of(tx, &resource).await?
        } else {
            Vec::new()
        };
        let scanned;
        let demand = if needs.scans {
            read_unversioned = true;
            scanned = scanning::gate::with_scan(tx, demand).await?;
            &scanned
        } else {
            demand
        };
        let question = Question {
            principal,
            action: demand.action,
            arn,
            account: *resource.account().unwrap_or(&context.account),
        };
        let mut resource_policies = policies.named(demand.action);
        resource_policies.extend(trust.iter().map(|policy| ("trust", policy)));
        let keys = |tags| match needs.keys {
            true => condition_keys(context, demand, &resource, tags, &own),
            false => Context::new(),
        };
        let decision = match resource {
            Resource::Caller => question.decide_for_everybody(),
            ref open if public::reading::is_open(demand.action, open) => {
                question.decide_for_readers()
            }
            _ => question.decide(&own, &resource_policies, &keys(&tags)),
        };
        // The end of a secret's ARN would tell that the secret exists.
        let told_arn = match &demand.resource {
            Resource::Secret { .. } => demand.resource.arn(),
            _ => question.arn.clone(),
        };
        let denial = (!decision.is_allowed()).then(|| {
            let absent = question.decide(&own, &[], &keys(&[]));
            let told = told_of(&decision, &absent, demand.action);
            let is_own =
                question.account == principal.account && principal.kind != PrincipalKind::Anonymous;
            let explained = is_own.then(|| {
                // An optional one may never be told of.
                let keys = match demand.required {
                    true => condition_keys(context, demand, &resource, &tags, &own),
                    false => Context::new(),
                };
                let what = (demand.action, told_arn.as_str());
                Box::new(Denied::new(question.account, principal, what, &decision, &keys))
            });
            Denial { told, known: known_of(&decision), explained }
        });
        if let (true, Some(denial)) = (demand.required, &denial) {
            return Err(denied(context, demand.action, &told_arn, denial));
        }
        granted.push(Decided { action: demand.action, arn: question.arn, denial });
    }
    let from = DecidedFrom { basis, read_unversioned };
    Ok(Permit { granted, demands: Arc::clone(demands), from: Some(from) })
}

/// The policies on the side of the principal.
pub(crate) struct OwnPolicies {
    identity: Arc<Effective>,
    session: SessionPolicies,
    limit: Option<Arc<Compiled>>,
    /// What a share keeps from whoever shows it.
    share: Option<Policy>,
}

impl OwnPolicies {
    /// Reads them under the versions of [`principals::version_names`].
    pub(crate) async fn read(
        app: &App,
        tx: &mut Tx,
        principal: &Principal,
        basis: &Basis,
        remember: Remember,
    ) -> Result<Self> {
        if principal.kind.is_service() {
            let document = services::policy_of(principal)?;
            let identity = Arc::new(Effective::built_in("service", document)?);
            // Whoever acts for a service by a session of it may do less.
            let session = sessions::policies::load(tx, principal).await?;
            return Ok(Self { identity, session, limit: None, share: None });
        }
        if principal.kind == PrincipalKind::Anonymous {
            let session = SessionPolicies::default();
            return Ok(Self { identity: Arc::default(), session, limit: None, share: None });
        }
        let session = sessions::policies::load(tx, principal).await?;
        let limit = governing::limit(app, tx, &principal.account, basis, remember).await?;
        if principal.kind == PrincipalKind::WebIdentity {
            // It has no policies; whoever trusts its provider says what it may.
            return Ok(Self { identity: Arc::default(), session, limit, share: None });
        }
        let versions = principals::version_names(principal)
            .into_iter()
            .map(|name| basis.version(&name).map(|version| (name, version)))
            .collect::<Result<Vec<_>>>()?;
        let identity = app.policies.get(tx, principal.id, versions, remember).await?;
        let share = principal.share.as_ref().map(|share| share.policy()).transpose()?;
        Ok(Self { identity, session, limit, share })
    }

    /// The principal's own policies; a federated user has none but by its session.
    fn identity(&self) -> Vec<NamedPolicy<'_>> {
        let own = self.identity.documents.iter().filter(|_| !self.session.powerless);
        let kind = self.session.kind.map(|policy| ("temporary credentials", policy));
        let share = self.share.iter().map(|policy| ("image share", policy));
        own.map(named).chain(kind).chain(share).collect()
    }

    fn boundary(&self) -> Option<NamedPolicy<'_>> {
        self.identity.boundary.as_ref().map(named)
    }

    fn session(&self) -> Vec<NamedPolicy<'_>> {
        self.session.documents.iter().map(named).collect()
    }

    fn limits(&self) -> Vec<NamedPolicy<'_>> {
        self.limit.iter().filter_map(|limit| limit.named(governing::ACCOUNT_LIMIT)).collect()
    }

    /// The kind and the name of each.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        [
            (PolicySource::Identity, self.identity()),
            (PolicySource::Boundary, self.boundary().into_iter().collect()),
            (PolicySource::Session, self.session()),
            (PolicySource::AccountLimit, self.limits()),
        ]
        .into_iter()
        .flat_map(|(kind, policies)| {
            policies.into_iter().map(move |(name, _)| (kind.to_string(), name.to_owned()))
        })
        .collect()
    }

    /// What has to be known of a request for them.
    pub(crate) fn needs(&self) -> Needs {
        let limit = self.limit.as_ref().map(|limit| limit.needs()).unwrap_or_default();
        self.identity.needs | self.session.needs | limit
    }
}

fn named((name, policy): &(String, Policy)) -> NamedPolicy<'_> {
    (name.as_str(), policy)
}

/// One thing that somebody wants to do.
pub(crate) struct Question<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) action: &'a str,
    /// The resource as policies match it.
    pub(crate) arn: String,
    /// The account that owns the resource.
    pub(crate) account: AccountId,
}

impl Question<'_> {
    /// Asks the policy engine.
    pub(crate) fn decide(
        &self,
        own: &OwnPolicies,
        resource: &[NamedPolicy<'_>],
        keys: &Context<'_>,
    ) -> Decision {
        let set = PolicySet {
            identity: &own.identity(),
            resource,
            boundary: own.boundary(),
            session: &own.session(),
            limits: &own.limits(),
            endpoint: None,
        };
        self.ask(&set, keys)
    }

    /// Asks what AWS lets everybody do, whatever their policies say.
    fn decide_for_everybody(&self) -> Decision {
        let identity = [("everybody", &*principals::EVERYBODY)];
        self.ask(&PolicySet { identity: &identity, ..PolicySet::default() }, &Context::new())
    }

    /// Asks what everybody may do with public repositories: ECR Public has no actions of pulling
    /// that a policy could allow or deny.
    pub(crate) fn decide_for_readers(&self) -> Decision {
        let identity = [("everybody", &*public::reading::EVERYBODY)];
        let resource = [(public::reading::POLICY, &*public::reading::REPOSITORY)];
        let set = PolicySet { identity: &identity, resource: &resource, ..PolicySet::default() };
        self.ask(&set, &Context::new())
    }

    fn ask(&self, policies: &PolicySet<'_>, keys: &Context<'_>) -> Decision {
        tonnage_policy::evaluate(
            &Request {
                action: self.action,
                resource: &self.arn,
                resource_account: self.account.as_str(),
                principal: principals::for_policies(
                    self.principal,
                    &principals::ids(self.principal),
                ),
                context: keys,
            },
            policies,
        )
    }
}

/// What IAM names has a path that only the stored entity knows, and a secret's ARN has an end that
/// only the stored secret knows.
pub(crate) async fn resolved(tx: &mut Tx, resource: &Resource) -> Result<Resource> {
    if let Resource::Secret { id, arn: None } = resource {
        let arn = secrets::rows::arn_of(tx, id).await?;
        return Ok(Resource::Secret { id: id.clone(), arn });
    }
    let Resource::Entity { account, kind, path: None, name, .. } = resource else {
        return Ok(resource.clone());
    };
    Ok(match entities::find(tx, account, *kind, name).await? {
        Some(entity) => Resource::Arn { arn: entity.arn, account: *account },
        None => resource.clone(),
    })
}

/// The end of AWS's message, and which statement it was where one denied; empty when allowed.
///
/// What is told is what would be if there were no such resource: neither its policies nor its tags.
/// Only whoever is allowed on their own side learns of a policy of the resource that denies.
pub(crate) fn told_of(decision: &Decision, absent: &Decision, action: &str) -> String {
    if decision.is_allowed() {
        return String::new();
    }
    let told = if absent.is_allowed() { decision } else { absent };
    let mut text = told.denial(action).unwrap_or_default();
    if let Reason::DeniedBy(StatementReference { sid: Some(sid), .. }) = &told.reason {
        let sid: String = sid.chars().filter(|character| !character.is_control()).collect();
        text.push_str(&format!(" (statement \"{sid}\")"));
    }
    text
}

/// Everything that is known of a denial.
fn known_of(decision: &Decision) -> String {
    match &decision.reason {
        Reason::AllowedBy(_) => String::new(),
        Reason::DeniedBy(statement) => format!("denied by {statement}"),
        Reason::NotAllowedBy(source) => {
            let mut known = format!("no {source} allows it");
            for statement in &decision.unevaluated {
                known.push_str(&format!("; passed over {statement}"));
            }
            known
        }
    }
}

fn denied(context: &RequestContext, action: &str, arn: &str, denial: &Denial) -> Error {
    let refusal = refusal(context, action, arn, &denial.told).caused_by(denial.known.clone());
    match &denial.explained {
        Some(explained) => refusal.with_denied(explained.clone()),
        None => refusal,
    }
}

/// AWS's message; `told` is its end.
pub(crate) fn refusal(context: &RequestContext, action: &str, arn: &str, told: &str) -> Error {
    if context.principal.kind == PrincipalKind::WebIdentity {
        // As in AWS: what a role trusts is not for whoever has some token to learn.
        return Error::new(ErrorKind::AccessDenied, format!("Not authorized to perform {action}"));
    }
    // Whoever has a share learns nothing of its maker.
    let who = context.principal.recorded_arn();
    Error::new(
        ErrorKind::AccessDenied,
        format!("User: {who} is not authorized to perform: {action} on resource: {arn} {told}"),
    )
}

pub(crate) async fn tags_of(tx: &mut Tx, resource: &Resource) -> Result<Vec<ResourceTag>> {
    if let Resource::Arn { arn, .. } = resource {
        return match entities::find_by_arn(tx, arn).await? {
            Some(entity) => entities::tags::list(tx, entity.id).await,
            None => Ok(Vec::new()),
        };
    }
    if let Resource::Secret { arn: Some(arn), .. } = resource {
        return secrets::rows::tags_of(tx, arn).await;
    }
    let Resource::Repository { account, region, name } = resource else { return Ok(Vec::new()) };
    let address = repositories::RepositoryAddress {
        account: *account,
        region: region.clone(),
        name: name.clone(),
    };
    match repositories::find(tx, &address).await? {
        Some(repository) => resource_tags::list(tx, repository.id).await,
        None => Ok(Vec::new()),
    }
}

/// The global condition keys, the resource's tags, and what the demand brought.
/// Source: IAM user guide, "AWS global condition context keys".
pub(crate) fn condition_keys<'a>(
    context: &'a RequestContext,
    demand: &'a Demand,
    resource: &Resource,
    tags: &'a [ResourceTag],
    own: &OwnPolicies,
) -> Context<'a> {
    let mut keys = Context::new();
    principals::add_condition_keys(&mut keys, &context.principal, &own.identity.tags);
    keys.set("aws:sourceip", context.source_address.to_string());
    keys.set("aws:securetransport", if context.secure_transport { "true" } else { "false" });
    keys.set("aws:currenttime", context.now.timestamp().to_string());
    keys.set("aws:epochtime", (context.now.0 / 1000).to_string());
    keys.set(
        "aws:requestedregion",
        match context.region.is_global() {
            true => public::API_REGION,
            false => context.region.as_str(),
        },
    );
    keys.set("aws:viaawsservice", "false");
    if let Some(account) = resource.account() {
        keys.set("aws:resourceaccount", account.to_string());
    }
    if context.principal.kind == PrincipalKind::Service {
        keys.set("aws:sourceaccount", context.principal.account.as_str());
        keys.set("aws:sourcearn", resource.arn());
    }
    if !context.user_agent.is_empty() {
        keys.set("aws:useragent", context.user_agent.as_str());
    }
    if !context.referer.is_empty() {
        keys.set("aws:referer", context.referer.as_str());
    }
    if let Some(endpoint) = &context.endpoint {
        keys.set("aws:sourcevpce", endpoint.name.as_str());
        keys.set("aws:vpcsourceip", context.source_address.to_string());
        if let Some(network) = &endpoint.network {
            keys.set("aws:sourcevpc", network.as_str());
        }
    }
    for tag in tags {
        keys.add(format!("aws:resourcetag/{}", tag.key), tag.value.as_str());
        let service = match resource {
            Resource::Arn { arn, .. } if arn.contains(":inspector2:") => "inspector2",
            Resource::Arn { .. } => "iam",
            Resource::Secret { .. } => "secretsmanager",
            Resource::Repository { region, .. } if region.is_global() => "ecr-public",
            _ => "ecr",
        };
        keys.add(format!("{service}:resourcetag/{}", tag.key), tag.value.as_str());
    }
    for (key, values) in &demand.keys {
        // Tag keys that differ only in case share a condition key.
        for value in values {
            keys.add(key.as_str(), value.as_str());
        }
    }
    keys
}

/// How many principals' policies are kept compiled.
const CACHED_PRINCIPALS_MAX: usize = 10_000;

/// Compiled identity policies, each used only under the versions it was read at.
#[derive(Default)]
pub(crate) struct PolicyCache(Mutex<HashMap<i64, Cached>>);

struct Cached {
    versions: Vec<(String, i64)>,
    policies: Arc<Effective>,
}

impl PolicyCache {
    async fn get(
        &self,
        tx: &mut Tx,
        principal_id: i64,
        versions: Vec<(String, i64)>,
        remember: Remember,
    ) -> Result<Arc<Effective>> {
        let cached = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&principal_id)
            .filter(|cached| cached.versions == versions)
            .map(|cached| Arc::clone(&cached.policies));
        if let Some(policies) = cached {
            return Ok(policies);
        }
        let policies = Arc::new(effective::load(tx, principal_id).await?);
        if remember == Remember::No {
            return Ok(policies);
        }
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_PRINCIPALS_MAX {
            cache.clear();
        }
        cache.insert(principal_id, Cached { versions, policies: Arc::clone(&policies) });
        Ok(policies)
    }
}
