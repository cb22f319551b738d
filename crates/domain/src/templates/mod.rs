//! Repository creation templates: what a repository gets that ECR makes by itself, for a push, a
//! pull through the cache or a replication. A template never touches what `CreateRepository` makes
//! or what exists.
//!
//! Source: Amazon ECR user guide, "Templates to control repositories created during a pull through
//! cache, create on push, or replication action"; botocore `ecr`, shape
//! `RepositoryCreationTemplate`.

pub mod create;
pub mod delete;
pub mod describe;
mod rows;
pub mod update;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};
use crate::lifecycle;
use crate::names::AccountId;
use crate::repositories::create::NewRepository;
use crate::repositories::{self, Repository, RepositoryAddress, TagMutabilityRule};
use crate::resource_tags::{self, ResourceTag};
use crate::{policies, registries};

/// The prefix of the template that serves what no other does.
const ROOT: &str = "ROOT";

/// Who makes repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppliedFor {
    /// Replication, in the destination.
    Replication,
    /// The pull-through cache.
    PullThroughCache,
    /// A push to a repository that does not exist.
    CreateOnPush,
}

impl AppliedFor {
    const ALL: [Self; 3] = [Self::Replication, Self::PullThroughCache, Self::CreateOnPush];

    /// As AWS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replication => "REPLICATION",
            Self::PullThroughCache => "PULL_THROUGH_CACHE",
            Self::CreateOnPush => "CREATE_ON_PUSH",
        }
    }

    /// From AWS's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.as_str() == text)
    }
}

/// Which repositories a template is for: those below a prefix, or those no other template serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplatePrefix(String);

impl TemplatePrefix {
    /// A prefix as the shape allows it. One `/` at the end means nothing: it is always implied.
    pub fn new(text: &str) -> Self {
        Self(text.strip_suffix('/').unwrap_or(text).to_owned())
    }

    /// Without the implied `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a repository gets. Every member is stored as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSettings {
    /// At most 256 characters.
    pub description: Option<String>,
    /// Resource tags.
    pub resource_tags: Vec<ResourceTag>,
    /// Whether tags may move.
    pub tag_mutability: TagMutabilityRule,
    /// The repository policy, if any.
    pub repository_policy: Option<String>,
    /// The lifecycle policy, if any.
    pub lifecycle_policy: Option<String>,
    /// For whom; at least one.
    pub applied_for: Vec<AppliedFor>,
    /// The role that ECR would take to make the repository.
    pub custom_role_arn: Option<String>,
}

/// A stored template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its prefix.
    pub prefix: TemplatePrefix,
    /// What it gives.
    pub settings: TemplateSettings,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last updated.
    pub updated_at: Millis,
}

impl TemplateSettings {
    /// Checks what the shapes do not say.
    ///
    /// # Errors
    /// `InvalidParameter`, and those of resource tags and of lifecycle policies.
    fn validate(&self) -> Result<()> {
        if self.applied_for.is_empty() {
            return Err(Error::invalid_parameter("appliedFor", "Member must not be empty"));
        }
        if let Some(text) = self.lifecycle_policy.as_deref().filter(|text| !text.is_empty()) {
            lifecycle::validate::parse(text)?;
        }
        resource_tags::validate(&self.resource_tags)
    }
}

/// The template for a repository that `scenario` is about to make: of those that apply to the
/// scenario, the one with the longest prefix of whole path components, else the one called `ROOT`.
pub(crate) async fn applies(
    tx: &mut Tx,
    address: &RepositoryAddress,
    scenario: AppliedFor,
) -> Result<Option<Template>> {
    let registry = registries::find(tx, &address.account, &address.region).await?;
    let Some(registry_id) = registry else { return Ok(None) };
    for prefix in parents(address.name.as_str()).into_iter().chain([ROOT]) {
        let found = rows::find(tx, registry_id, prefix).await?;
        if let Some(template) =
            found.filter(|template| template.settings.applied_for.contains(&scenario))
        {
            return Ok(Some(template));
        }
    }
    Ok(None)
}

/// The proper prefixes of a name that end before a `/`, longest first.
fn parents(name: &str) -> Vec<&str> {
    name.rmatch_indices('/').filter_map(|(at, _)| name.get(..at)).collect()
}

/// Makes a repository as its template says.
///
/// # Errors
/// When the settings of the template cannot be given to the repository.
pub(crate) async fn create_repository(
    tx: &mut Tx,
    call: &Call<'_>,
    address: &RepositoryAddress,
    template: Template,
) -> Result<Repository> {
    let settings = template.settings;
    let new = NewRepository { tag_mutability: settings.tag_mutability, scan_on_push: false };
    let repository = repositories::create::insert(tx, call, address, new).await?;
    resource_tags::put(tx, repository.id, &settings.resource_tags).await?;
    if let Some(text) = settings.lifecycle_policy.as_deref().filter(|text| !text.is_empty()) {
        lifecycle::put(tx, call, &repository, text).await?;
    }
    if let Some(text) = settings.repository_policy.filter(|text| !text.is_empty()) {
        let checked = policies::check(tx, policies::Subject::Repository, &text).await?;
        let policy = policies::repository_policy::put;
        policy(tx, &repository, &text, &checked, call.now()).await?;
    }
    Ok(repository)
}

fn registry_demand(action: &'static str) -> Demand {
    Demand::new(action, Resource::Any)
}

/// What whoever writes a template must be allowed: it makes repositories and sets their policies
/// (Amazon ECR user guide, "Required IAM permissions for creating repository creation templates").
fn demands(action: &'static str, settings: &TemplateSettings) -> Vec<Demand> {
    let mut demands =
        vec![registry_demand(action), Demand::new("ecr:CreateRepository", Resource::Any)];
    demands.extend(policy_demands(
        settings.repository_policy.as_deref(),
        settings.lifecycle_policy.as_deref(),
    ));
    demands
}

fn policy_demands(
    repository_policy: Option<&str>,
    lifecycle_policy: Option<&str>,
) -> impl Iterator<Item = Demand> {
    let given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    [
        ("ecr:SetRepositoryPolicy", given(repository_policy)),
        ("ecr:PutLifecyclePolicy", given(lifecycle_policy)),
    ]
    .into_iter()
    .filter(|(_, is_given)| *is_given)
    .map(|(action, _)| Demand::new(action, Resource::Any))
}

fn not_found(prefix: &TemplatePrefix, account: &AccountId) -> Error {
    Error::new(
        ErrorKind::TemplateNotFound,
        format!(
            "The Repository Creation Template with prefix '{}' does not exist in the registry with \
             id '{account}'",
            prefix.as_str()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_at_a_slash() {
        for (name, expected) in
            [("app", vec![]), ("prod/app", vec!["prod"]), ("a/b/c", vec!["a/b", "a"])]
        {
            assert_eq!(parents(name), expected, "{name}");
        }
        for (text, expected) in [("prod/", "prod"), ("prod", "prod"), ("ROOT", "ROOT")] {
            assert_eq!(TemplatePrefix::new(text).as_str(), expected);
        }
    }
}
