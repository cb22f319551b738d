//! Pull-through cache: repositories whose images come from other registries when they are asked for.
//!
//! A rule says which repositories of a registry are caches, and of which upstream registry. `rules`
//! has them and what they match, `registries` the upstream registries that ECR knows, `origin` where
//! those really are and how to enter them.
//!
//! Sources: Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private registry";
//! botocore `ecr`, shape `PullThroughCacheRule`.

pub(crate) mod arrivals;
mod arriving;
pub mod complete;
pub mod create;
mod credentials;
pub mod delete;
pub mod describe;
pub mod find_mirror;
pub mod import_image;
pub mod import_layer;
pub mod import_referrers;
pub(crate) mod imports;
pub mod namespace;
mod origin;
pub mod pull;
mod refusals;
pub mod registries;
pub mod rules;
pub mod settings;
pub(crate) mod transfer_lease;
pub mod update;
pub mod upstream;
pub mod validate;

use crate::authorize::refusal;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Demand, Resource};
use crate::names::{AccountId, Arn};

/// What brings images from an upstream into a repository (Amazon ECR user guide, "IAM permissions
/// required to sync an upstream registry with an Amazon ECR private registry").
const IMPORT: &str = "ecr:BatchImportUpstreamImage";
/// What an import needs too where there is no repository yet.
const CREATE: &str = "ecr:CreateRepository";

/// The service that a role for a rule must trust.
const SERVICE: &str = crate::services::PULL_THROUGH_CACHE.name;

fn registry_demand(action: &'static str) -> Demand {
    Demand::new(action, Resource::Any)
}

/// Whoever gives a role to a rule lets the service act with it.
fn pass_role(context: &RequestContext, role_arn: &str) -> Demand {
    let resource = Resource::Arn { arn: role_arn.to_owned(), account: context.account };
    Demand::new("iam:PassRole", resource).with_key("iam:passedtoservice", vec![SERVICE.to_owned()])
}

/// Rules are decided by identity policies alone, which reach no other account's registry.
fn refuse_foreign(
    context: &RequestContext,
    registry_id: Option<&AccountId>,
    action: &str,
) -> Result<()> {
    if registry_id.is_none_or(|account| *account == context.account) {
        return Ok(());
    }
    let told = format!("because no resource-based policy allows the {action} action");
    Err(refusal(context, action, "*", &told))
}

/// Whether a role of this account is meant.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`].
fn check_role(context: &RequestContext, role_arn: &str) -> Result<()> {
    let refused = |constraint| Err(Error::invalid_parameter("customRoleArn", constraint));
    match Arn::parse(role_arn) {
        Ok(arn) if arn.service() == "iam" && arn.resource().starts_with("role/") => {
            match arn.account() == context.account.as_str() {
                true => Ok(()),
                false => refused("The role must be in the account of the registry"),
            }
        }
        _ => refused("Invalid ARN"),
    }
}

fn not_found(context: &RequestContext, prefix: &str) -> Error {
    Error::new(
        ErrorKind::PullThroughCacheRuleNotFound,
        format!(
            "The pull through cache rule with the prefix '{prefix}' does not exist in the registry \
             with id '{}'. Specify a valid pull through cache rule and try again.",
            context.account
        ),
    )
}
