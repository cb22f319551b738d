//! The authorizer: every demand of every operation is decided here, by the policy engine, from
//! policies that are stored. There is no shortcut for anybody; the root of an account is allowed
//! because an allow-all identity policy is stored for it.

pub(crate) mod principals;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tonnage_policy::{Context, NamedPolicy, Policy, PolicySet, Request};

use crate::app::App;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Demand, Resource, Tx};
use crate::identities::effective::{self, Effective};
use crate::identities::sessions::policies::SessionPolicies;
use crate::identities::{entities, sessions};
use crate::metadata::Mode;
use crate::resource_tags::ResourceTag;
use crate::{repositories, resource_tags, versions};

/// What was allowed, and under which versions of the stored policies. Whoever holds a permit may
/// open transactions; it can only be had from the authorizer, and not copied.
pub struct Permit {
    granted: Vec<Decided>,
    /// The demands, to decide them again if the versions moved.
    demands: Vec<Demand>,
    basis: Basis,
}

struct Decided {
    action: &'static str,
    arn: String,
    denial: Option<String>,
}

/// What the decision was made from; absent for maintenance.
type Basis = Option<Versions>;

struct Versions {
    /// Names of versions, and what they were.
    read: Vec<(String, i64)>,
    /// Whether the tags of resources mattered; they have no version.
    read_resource_tags: bool,
}

impl Permit {
    /// For work that no principal asked for: collecting garbage, the first start, migrations.
    pub(crate) fn maintenance() -> Self {
        Self { granted: Vec::new(), demands: Vec::new(), basis: None }
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
            Some(Decided { denial: Some(reason), .. }) => {
                Err(denied(context, action, &arn, reason))
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
        match &self.basis {
            None => Ok(true),
            Some(Versions { read_resource_tags: true, .. }) => Ok(false),
            Some(Versions { read, .. }) => {
                for (name, version) in read {
                    if versions::get(tx, name).await? != *version {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
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
    demands: &[Demand],
) -> Result<Permit> {
    // The only transaction that is opened without a decision: it reads what decisions need.
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Read, &Permit::maintenance()).await?;
    decide(app, context, demands, &mut tx).await
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
    let now = decide(app, context, &permit.demands, tx).await?;
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

async fn decide(
    app: &App,
    context: &RequestContext,
    demands: &[Demand],
    tx: &mut Tx,
) -> Result<Permit> {
    let principal = &context.principal;
    let mut read = Vec::new();
    for name in principals::version_names(principal) {
        let version = versions::get(tx, &name).await?;
        read.push((name, version));
    }
    principals::refuse_inactive(tx, context).await?;
    let policies = app.policies.get(tx, principal.id, &read).await?;
    let session = sessions::policies::load(tx, principal).await?;
    let owned = Owned::of(&policies, &session);
    let mention_resource_tags = policies.mention_resource_tags || session.mention_resource_tags;

    let mut basis = read;
    let mut granted = Vec::with_capacity(demands.len());
    for demand in demands {
        let resource = resolved(tx, &demand.resource).await?;
        let arn = resource.arn();
        let trust = principals::trust_policy(tx, demand.action, &arn).await?;
        if let (Some(_), Some(account)) = (&trust, resource.account()) {
            let name = versions::identities(account);
            basis.push((name.clone(), versions::get(tx, &name).await?));
        }
        let tags = if mention_resource_tags || trust.is_some() {
            tags_of(tx, &resource).await?
        } else {
            Vec::new()
        };
        let resource_account = resource.account().unwrap_or(&context.account).as_str().to_owned();
        let mut keys = condition_keys(context, demand, &resource, &tags);
        principals::add_condition_keys(&mut keys, principal, &policies.tags);
        let trusting: Vec<_> = trust.iter().map(|policy| ("trust", policy)).collect();
        let set = if matches!(resource, Resource::Caller) {
            PolicySet { identity: &[("everybody", &principals::EVERYBODY)], ..Default::default() }
        } else {
            PolicySet { resource: &trusting, ..owned.set() }
        };
        let decision = tonnage_policy::evaluate(
            &Request {
                action: demand.action,
                resource: &arn,
                resource_account: &resource_account,
                principal: principals::for_policies(principal, &principals::ids(principal)),
                context: &keys,
            },
            &set,
        );
        let denial = if decision.is_allowed() {
            None
        } else {
            Some(decision.denial(demand.action).unwrap_or_default())
        };
        if let (true, Some(reason)) = (demand.required, &denial) {
            return Err(denied(context, demand.action, &arn, reason));
        }
        granted.push(Decided { action: demand.action, arn, denial });
    }
    let basis = Versions { read: basis, read_resource_tags: mention_resource_tags };
    Ok(Permit { granted, demands: demands.to_vec(), basis: Some(basis) })
}

/// The policies of a principal, in the form that [`PolicySet`] borrows.
struct Owned<'a> {
    identity: Vec<NamedPolicy<'a>>,
    boundary: Option<NamedPolicy<'a>>,
    session: Vec<NamedPolicy<'a>>,
}

impl<'a> Owned<'a> {
    fn of(policies: &'a Effective, session: &'a SessionPolicies) -> Self {
        fn named((name, policy): &(String, Policy)) -> NamedPolicy<'_> {
            (name.as_str(), policy)
        }
        let own = policies.documents.iter().filter(|_| !session.powerless);
        let kind = session.kind.map(|policy| ("temporary credentials", policy));
        Self {
            identity: own.map(named).chain(kind).collect(),
            boundary: policies.boundary.as_ref().map(named),
            session: session.documents.iter().map(named).collect(),
        }
    }

    fn set(&self) -> PolicySet<'_> {
        PolicySet {
            identity: &self.identity,
            boundary: self.boundary,
            session: &self.session,
            ..PolicySet::default()
        }
    }
}

/// What IAM names has a path that only the stored entity knows.
async fn resolved(tx: &mut Tx, resource: &Resource) -> Result<Resource> {
    let Resource::Entity { account, kind, path: None, name, .. } = resource else {
        return Ok(resource.clone());
    };
    Ok(match entities::find(tx, account, *kind, name).await? {
        Some(entity) => Resource::Arn { arn: entity.arn, account: *account },
        None => resource.clone(),
    })
}

pub(crate) fn denied(context: &RequestContext, action: &str, arn: &str, reason: &str) -> Error {
    let who = &context.principal.arn;
    Error::new(
        ErrorKind::AccessDenied,
        format!("User: {who} is not authorized to perform: {action} on resource: {arn} {reason}"),
    )
}

async fn tags_of(tx: &mut Tx, resource: &Resource) -> Result<Vec<ResourceTag>> {
    if let Resource::Arn { arn, .. } = resource {
        return match entities::find_by_arn(tx, arn).await? {
            Some(entity) => entities::tags::list(tx, entity.id).await,
            None => Ok(Vec::new()),
        };
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
fn condition_keys<'a>(
    context: &'a RequestContext,
    demand: &'a Demand,
    resource: &Resource,
    tags: &'a [ResourceTag],
) -> Context<'a> {
    let mut keys = Context::new();
    keys.set("aws:sourceip", context.source_address.to_string());
    keys.set("aws:securetransport", if context.secure_transport { "true" } else { "false" });
    keys.set("aws:currenttime", context.now.timestamp().to_string());
    keys.set("aws:epochtime", (context.now.0 / 1000).to_string());
    keys.set("aws:requestedregion", context.region.as_str());
    keys.set("aws:viaawsservice", "false");
    if !context.user_agent.is_empty() {
        keys.set("aws:useragent", context.user_agent.as_str());
    }
    for tag in tags {
        keys.add(format!("aws:resourcetag/{}", tag.key), tag.value.as_str());
        let service = if matches!(resource, Resource::Arn { .. }) { "iam" } else { "ecr" };
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
    basis: Vec<(String, i64)>,
    policies: Arc<Effective>,
}

impl PolicyCache {
    async fn get(
        &self,
        tx: &mut Tx,
        principal_id: i64,
        basis: &[(String, i64)],
    ) -> Result<Arc<Effective>> {
        let cached = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&principal_id)
            .filter(|cached| cached.basis == basis)
            .map(|cached| Arc::clone(&cached.policies));
        if let Some(policies) = cached {
            return Ok(policies);
        }
        let policies = Arc::new(effective::load(tx, principal_id).await?);
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_PRINCIPALS_MAX {
            cache.clear();
        }
        let cached = Cached { basis: basis.to_vec(), policies: Arc::clone(&policies) };
        cache.insert(principal_id, cached);
        Ok(policies)
    }
}
