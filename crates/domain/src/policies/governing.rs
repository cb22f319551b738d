//! Which stored policies have a say in a demand beside the principal's own: compiled once for each
//! version, found again without a parse or a read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tonnage_policy::{NamedPolicy, Policy, PolicyKind};

use super::registry_policy::RegistryPolicyScope;
use super::{Stored, account_limit};
use crate::app::App;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, Result};
use crate::execute::{Resource, Tx};
use crate::names::{AccountId, Region};
use crate::public::reading;
use crate::registries::account_settings::registry_policy_scope;
use crate::repositories::RepositoryAddress;
use crate::scanning::gate;
use crate::{params, versions};

/// How many compiled policies are kept, absent ones included.
const CACHED_MAX: usize = 20_000;

/// What decisions call these policies.
pub(crate) const REPOSITORY_POLICY: &str = "repository policy";
/// As [`REPOSITORY_POLICY`].
pub(crate) const REGISTRY_POLICY: &str = "registry policy";
/// As [`REPOSITORY_POLICY`].
pub(crate) const ACCOUNT_LIMIT: &str = "account limit";

/// Whether what was read may be remembered. A transaction that writes may show what is never
/// committed, under a version number that is given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remember {
    /// Read from a snapshot.
    Yes,
    /// Read from a transaction that writes.
    No,
}

/// The resource policies that govern one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Governed {
    registry: Option<OfRegistry>,
    repository: Option<OfRepository>,
    /// The version of which secrets there are, where one is acted upon.
    secrets: Option<String>,
}

/// A registry whose policy governs, and the name of the policy's version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OfRegistry {
    account: AccountId,
    region: Region,
    version: String,
}

impl OfRegistry {
    fn new(account: AccountId, region: Region) -> Self {
        let version = versions::registry_policy(&account, &region);
        Self { account, region, version }
    }
}

/// A repository whose policy governs, and the name of the policy's version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OfRepository {
    address: RepositoryAddress,
    version: String,
}

impl Governed {
    /// What governs the resource of a demand.
    pub(crate) fn by(context: &RequestContext, action: &str, resource: &Resource) -> Self {
        // What the registry does by itself is not for its users to forbid, as in AWS: neither
        // resource policies nor account limits bind a service-linked role's own work.
        let principal = &context.principal;
        let is_own = match principal.kind {
            PrincipalKind::Service => true,
            PrincipalKind::ServiceLinkedRole => resource.account() == Some(&principal.account),
            _ => false,
        };
        let nothing = Self { registry: None, repository: None, secrets: None };
        if is_own {
            return nothing;
        }
        let of_ecr = action.len() > 4
            && action.get(..4).is_some_and(|service| service.eq_ignore_ascii_case("ecr:"));
        match resource {
            // What everybody may do no policy of a repository takes from them, and nothing gives
            // those more who show no credentials.
            Resource::Repository { region, .. }
                if region.is_global()
                    && (reading::is_read(action) || principal.kind == PrincipalKind::Anonymous) =>
            {
                nothing
            }
            Resource::Repository { account, region, name } => {
                let address = RepositoryAddress {
                    account: *account,
                    region: region.clone(),
                    name: name.clone(),
                };
                let version = versions::repository_policy(&address);
                // Public registries have no policy.
                let registry =
                    (!region.is_global()).then(|| OfRegistry::new(*account, region.clone()));
                Self { registry, repository: Some(OfRepository { address, version }), ..nothing }
            }
            Resource::Repositories { region, .. } if region.is_global() => nothing,
            Resource::Repositories { account, region } => {
                Self { registry: Some(OfRegistry::new(*account, region.clone())), ..nothing }
            }
            Resource::Secret { id, .. } => {
                Self { secrets: Some(versions::secrets(id.account(), id.region())), ..nothing }
            }
            Resource::Any if of_ecr && !decided_by_identity(action) => Self {
                registry: Some(OfRegistry::new(context.account, context.region.clone())),
                ..nothing
            },
            Resource::Any
            | Resource::Entity { .. }
            | Resource::Arn { .. }
            | Resource::Caller
            | Resource::Deployment { .. } => nothing,
        }
    }

    /// The names of the versions that the policies have, and what else names the resource.
    pub(crate) fn versions(&self) -> impl Iterator<Item = String> {
        let registry = self.registry.iter().map(|of| of.version.clone());
        let repository = self.repository.iter().map(|of| of.version.clone());
        registry.chain(repository).chain(self.secrets.clone())
    }

    /// The policies, under the versions that were read.
    pub(crate) async fn policies(
        &self,
        app: &App,
        tx: &mut Tx,
        basis: &Basis,
        remember: Remember,
    ) -> Result<ResourcePolicies> {
        let cache = &app.resource_policies;
        let registry = match &self.registry {
            None => None,
            Some(OfRegistry { account, region, version: name }) => {
                let version = basis.version(name)?;
                Some(match cache.find(name, version) {
                    Some(found) => found,
                    None => {
                        let compiled = read_registry(tx, account, region).await?;
                        cache.keep(name.clone(), version, compiled, remember)
                    }
                })
            }
        };
        let repository = match &self.repository {
            None => None,
            Some(OfRepository { address, version: name }) => {
                let version = basis.version(name)?;
                Some(match cache.find(name, version) {
                    Some(found) => found,
                    None => {
                        let compiled = read_repository(tx, address).await?;
                        cache.keep(name.clone(), version, compiled, remember)
                    }
                })
            }
        };
        Ok(ResourcePolicies { registry, repository })
    }
}

/// Actions that ECR decides without the policy of the registry (Amazon ECR user guide, "Private
/// registry permissions"), and those that could lock the registry.
fn decided_by_identity(action: &str) -> bool {
    const NAMES: [&str; 13] = [
        "getauthorizationtoken",
        "getregistrypolicy",
        "putregistrypolicy",
        "deleteregistrypolicy",
        "createpullthroughcacherule",
        "deletepullthroughcacherule",
        "describepullthroughcacherules",
        "updatepullthroughcacherule",
        "validatepullthroughcacherule",
        "createrepositorycreationtemplate",
        "deleterepositorycreationtemplate",
        "describerepositorycreationtemplates",
        "updaterepositorycreationtemplate",
    ];
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The versions that a decision is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    names: Vec<String>,
    versions: Vec<i64>,
}

impl Basis {
    /// Reads the versions of these names, once each.
    pub(crate) async fn read(tx: &mut Tx, mut names: Vec<String>) -> Result<Self> {
        names.sort_unstable();
        names.dedup();
        let versions = versions::get_all(tx, &names).await?;
        Ok(Self { names, versions })
    }

    /// The version that was read.
    pub(crate) fn version(&self, name: &str) -> Result<i64> {
        self.names
            .binary_search_by(|known| known.as_str().cmp(name))
            .ok()
            .and_then(|index| self.versions.get(index).copied())
            .ok_or_else(|| Error::internal(format!("the version of {name} was not read")))
    }

    /// Whether nothing changed since.
    pub(crate) async fn still_holds(&self, tx: &mut Tx) -> Result<bool> {
        Ok(versions::get_all(tx, &self.names).await? == self.versions)
    }
}

/// A stored policy as decisions need it.
#[derive(Debug)]
pub(crate) struct Compiled {
    policy: Option<Policy>,
    needs: Needs,
    scope: RegistryPolicyScope,
}

impl Compiled {
    fn new(policy: Option<Policy>, scope: RegistryPolicyScope) -> Self {
        let needs = policy.as_ref().map(Needs::of).unwrap_or_default();
        Self { policy, needs, scope }
    }

    /// What has to be known of a request for it.
    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }

    /// The policy by the name that decisions call it.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> Option<NamedPolicy<'a>> {
        self.policy.as_ref().map(|policy| (name, policy))
    }
}

/// What has to be known of a request before a policy can decide it. Most policies have no
/// condition, and what costs something to find is found for those only that have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Condition keys.
    pub(crate) keys: bool,
    /// Among them, the tags of the resource.
    pub(crate) resource_tags: bool,
    /// Among them, what the scan of an image found.
    pub(crate) scans: bool,
}

impl Needs {
    /// What a policy needs.
    pub(crate) fn of(policy: &Policy) -> Self {
        let is_tag = |key: &str| {
            let services = ["aws", "ecr", "ecr-public", "iam", "secretsmanager"];
            let service = key.split_once(":resourcetag/").map(|(service, _)| service);
            service.is_some_and(|service| services.contains(&service))
        };
        Self {
            keys: policy.reads_key(|_| true),
            resource_tags: policy.reads_key(is_tag),
            scans: policy.reads_key(gate::is_key),
        }
    }
}

impl std::ops::BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            keys: self.keys || other.keys,
            resource_tags: self.resource_tags || other.resource_tags,
            scans: self.scans || other.scans,
        }
    }
}

/// The policies of one resource.
pub(crate) struct ResourcePolicies {
    registry: Option<Arc<Compiled>>,
    repository: Option<Arc<Compiled>>,
}

impl ResourcePolicies {
    /// Those that have a say in `action`.
    pub(crate) fn named(&self, action: &str) -> Vec<NamedPolicy<'_>> {
        let registry = self.registry.as_ref().filter(|registry| registry.scope.governs(action));
        let repository = self.repository.as_ref().and_then(|found| found.named(REPOSITORY_POLICY));
        let registry = registry.and_then(|found| found.named(REGISTRY_POLICY));
        repository.into_iter().chain(registry).collect()
    }

    /// What has to be known of a request for them.
    pub(crate) fn needs(&self) -> Needs {
        let found = self.registry.iter().chain(&self.repository);
        found.fold(Needs::default(), |needs, found| needs | found.needs())
    }
}

async fn read_registry(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Compiled> {
    let row = tx
        .optional(
            "SELECT registry_policies.document, registry_policies.principals \
             FROM registry_policies \
             JOIN registries ON registries.id = registry_policies.registry_id \
             WHERE registries.kind = 'private' AND registries.account_id = $1 \
             AND registries.region = $2",
            params![account.as_str(), region.as_str()],
        )
        .await?;
    let policy =
        row.map(|row| Stored::from_row(&row)?.compile(PolicyKind::Resource)).transpose()?;
    Ok(Compiled::new(policy, registry_policy_scope(tx, account, region).await?))
}

async fn read_repository(tx: &mut Tx, address: &RepositoryAddress) -> Result<Compiled> {
    let row = tx
        .optional(
            "SELECT repository_policies.document, repository_policies.principals \
             FROM repository_policies \
             JOIN repositories ON repositories.id = repository_policies.repository_id \
             JOIN registries ON registries.id = repositories.registry_id \
             WHERE registries.account_id = $1 AND registries.region = $2 \
             AND repositories.name = $3",
            params![address.account.as_str(), address.region.as_str(), address.name.as_str()],
        )
        .await?;
    let policy =
        row.map(|row| Stored::from_row(&row)?.compile(PolicyKind::Resource)).transpose()?;
    Ok(Compiled::new(policy, RegistryPolicyScope::V2))
}

/// The limit of an account, under the version of its identities. The management account has none.
pub(crate) async fn limit(
    app: &App,
    tx: &mut Tx,
    account: &AccountId,
    basis: &Basis,
    remember: Remember,
) -> Result<Option<Arc<Compiled>>> {
    if *account == app.management_account {
        return Ok(None);
    }
    let version = basis.version(&versions::identities(account))?;
    let name = format!("account-limit:{account}");
    if let Some(found) = app.resource_policies.find(&name, version) {
        return Ok(Some(found));
    }
    let policy = account_limit::find(tx, account)
        .await?
        .map(|text| Policy::parse(&text, PolicyKind::Identity))
        .transpose()
        .map_err(|error| Error::internal(format!("stored policy: {error}")))?;
    let compiled = Compiled::new(policy, RegistryPolicyScope::V2);
    Ok(Some(app.resource_policies.keep(name, version, compiled, remember)))
}

/// Compiled policies, each used only under the version it was read at.
#[derive(Default)]
pub(crate) struct ResourcePolicyCache(Mutex<HashMap<String, (i64, Arc<Compiled>)>>);

impl ResourcePolicyCache {
    fn find(&self, name: &str, version: i64) -> Option<Arc<Compiled>> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache
            .get(name)
            .filter(|(kept_at, _)| *kept_at == version)
            .map(|(_, compiled)| Arc::clone(compiled))
    }

    fn keep(
        &self,
        name: String,
        version: i64,
        compiled: Compiled,
        remember: Remember,
    ) -> Arc<Compiled> {
        let compiled = Arc::new(compiled);
        if remember == Remember::Yes {
            let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if cache.len() >= CACHED_MAX {
                cache.clear();
            }
            cache.insert(name, (version, Arc::clone(&compiled)));
        }
        compiled
    }
}
