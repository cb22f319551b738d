//! The authorizer: every demand of every operation is decided here, by the policy engine, from
//! policies that are stored. There is no shortcut for anybody; the root of an account is allowed
//! because an allow-all identity policy is stored for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tonnage_policy::{Context, Policy, PolicyKind, PolicySet, Request};

use crate::app::App;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Demand, Resource, Tx};
use crate::metadata::Mode;
use crate::resource_tags::ResourceTag;
use crate::{params, repositories, resource_tags, services, versions};

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
    /// The version name of the principal's account, and its version.
    identities: (String, i64),
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
            Some(Versions { identities: (name, version), .. }) => {
                Ok(versions::get(tx, name).await? == *version)
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
    let account = &context.principal.account;
    let name = versions::identities(account);
    let version = versions::get(tx, &name).await?;
    refuse_inactive(tx, context).await?;
    let policies = match context.principal.kind {
        PrincipalKind::Root => app.policies.get(tx, context.principal.id, &name, version).await?,
        PrincipalKind::Service => {
            let document = services::policy_of(&context.principal.arn)?;
            Arc::new(IdentityPolicies::built_in(&name, version, document)?)
        }
    };
    let identity: Vec<_> =
        policies.documents.iter().map(|(name, policy)| (name.as_str(), policy)).collect();
    let set = PolicySet { identity: &identity, ..PolicySet::default() };

    let mut granted = Vec::with_capacity(demands.len());
    for demand in demands {
        let arn = demand.resource.arn();
        let tags = if policies.mention_resource_tags {
            tags_of(tx, &demand.resource).await?
        } else {
            Vec::new()
        };
        let resource_account =
            demand.resource.account().unwrap_or(&context.account).as_str().to_owned();
        let keys = condition_keys(context, demand, &tags);
        let decision = tonnage_policy::evaluate(
            &Request {
                action: demand.action,
                resource: &arn,
                resource_account: &resource_account,
                principal: tonnage_policy::Principal {
                    kind: match context.principal.kind {
                        PrincipalKind::Root => tonnage_policy::PrincipalKind::Root,
                        PrincipalKind::Service => tonnage_policy::PrincipalKind::Service,
                    },
                    arn: &context.principal.arn,
                    account: Some(account.as_str()),
                    role_arn: None,
                    ids: &[&context.principal.unique_id],
                },
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
    let basis = Versions {
        identities: (name, version),
        read_resource_tags: policies.mention_resource_tags,
    };
    Ok(Permit { granted, demands: demands.to_vec(), basis: Some(basis) })
}

/// A suspended account, or a key that was switched off after it signed, may do nothing.
async fn refuse_inactive(tx: &mut Tx, context: &RequestContext) -> Result<()> {
    let principal = &context.principal;
    if principal.kind == PrincipalKind::Service {
        // Whoever is suspended has nothing done for them either.
        let active = tx
            .optional(
                "SELECT 1 FROM accounts WHERE id = $1 AND state = 'ACTIVE'",
                params![principal.account.as_str()],
            )
            .await?;
        return active.map(|_| ()).ok_or_else(inactive);
    }
    let active = tx
        .optional(
            "SELECT 1 FROM principals JOIN accounts ON accounts.id = principals.account_id \
             WHERE principals.id = $1 AND accounts.state = 'ACTIVE'",
            params![principal.id],
        )
        .await?
        .is_some();
    let key_active = match &principal.access_key_id {
        None => true,
        Some(key) => tx
            .optional(
                "SELECT 1 FROM access_keys \
                 WHERE id = $1 AND principal_id = $2 AND state = 'ACTIVE'",
                params![key, principal.id],
            )
            .await?
            .is_some(),
    };
    if active && key_active { Ok(()) } else { Err(inactive()) }
}

fn inactive() -> Error {
    Error::new(ErrorKind::Unauthenticated, "The security token included in the request is invalid.")
}

fn denied(context: &RequestContext, action: &str, arn: &str, reason: &str) -> Error {
    let who = &context.principal.arn;
    Error::new(
        ErrorKind::AccessDenied,
        format!("User: {who} is not authorized to perform: {action} on resource: {arn} {reason}"),
    )
}

async fn tags_of(tx: &mut Tx, resource: &Resource) -> Result<Vec<ResourceTag>> {
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
    tags: &'a [ResourceTag],
) -> Context<'a> {
    let principal = &context.principal;
    let mut keys = Context::new();
    keys.set("aws:principalarn", principal.arn.as_str());
    keys.set("aws:principalaccount", principal.account.as_str());
    let principal_type = match principal.kind {
        PrincipalKind::Root => "Account",
        PrincipalKind::Service => "AWSService",
    };
    keys.set("aws:principaltype", principal_type);
    keys.set("aws:userid", principal.unique_id.as_str());
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
        keys.add(format!("ecr:resourcetag/{}", tag.key), tag.value.as_str());
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

/// Compiled identity policies, each used only under the version it was read at.
#[derive(Default)]
pub(crate) struct PolicyCache(Mutex<HashMap<i64, Arc<IdentityPolicies>>>);

pub(crate) struct IdentityPolicies {
    basis: (String, i64),
    documents: Vec<(String, Policy)>,
    mention_resource_tags: bool,
}

impl IdentityPolicies {
    /// The one policy of a service.
    fn built_in(name: &str, version: i64, document: &str) -> Result<Self> {
        let policy = Policy::parse(document, PolicyKind::Identity)
            .map_err(|error| Error::internal(format!("built-in policy: {error}")))?;
        Ok(Self {
            basis: (name.to_owned(), version),
            documents: vec![("service".to_owned(), policy)],
            mention_resource_tags: false,
        })
    }
}

impl PolicyCache {
    async fn get(
        &self,
        tx: &mut Tx,
        principal_id: i64,
        name: &str,
        version: i64,
    ) -> Result<Arc<IdentityPolicies>> {
        let cached = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&principal_id)
            .filter(|policies| policies.basis.1 == version && policies.basis.0 == name)
            .cloned();
        if let Some(policies) = cached {
            return Ok(policies);
        }
        let rows = tx
            .all(
                "SELECT name, document FROM principal_policies WHERE principal_id = $1 \
                 ORDER BY name LIMIT 1000",
                params![principal_id],
            )
            .await?;
        let mut documents = Vec::with_capacity(rows.len());
        let mut mention_resource_tags = false;
        for row in rows {
            let text: String = row.get(1)?;
            mention_resource_tags |= text.to_ascii_lowercase().contains("resourcetag/");
            let policy = Policy::parse(&text, PolicyKind::Identity)
                .map_err(|error| Error::internal(format!("stored policy: {error}")))?;
            documents.push((row.get(0)?, policy));
        }
        let policies = Arc::new(IdentityPolicies {
            basis: (name.to_owned(), version),
            documents,
            mention_resource_tags,
        });
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_PRINCIPALS_MAX {
            cache.clear();
        }
        cache.insert(principal_id, Arc::clone(&policies));
        Ok(policies)
    }
}
