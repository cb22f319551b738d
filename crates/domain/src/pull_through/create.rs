//! `CreatePullThroughCacheRule`.

use super::namespace::Namespace;
use super::registries::{UpstreamRegistry, UpstreamUrl, ecr_host};
use super::rules::{self, Rule};
use super::{check_role, credentials, origin, pass_role, refuse_foreign, registry_demand};
use crate::app::App;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::AccountId;
use crate::{quotas, registries};

/// Creates a rule. Not idempotent, as in ECR; URL and prefixes never change.
#[derive(Clone, Debug)]
pub struct CreatePullThroughCacheRule {
    /// The account of the registry; the addressed one when absent.
    pub registry_id: Option<AccountId>,
    /// Which repositories are caches, as the shape allows it.
    pub prefix: String,
    /// Which registry they are caches of: a host without a scheme, perhaps with a path.
    pub upstream_url: String,
    /// Which registry that is, if the caller says it.
    pub upstream_registry: Option<UpstreamRegistry>,
    /// Which repositories upstream.
    pub upstream_prefix: Option<String>,
    /// The secret with the credentials for the upstream.
    pub credential_arn: Option<String>,
    /// The role that asks another registry of ECR.
    pub custom_role_arn: Option<String>,
}

const ACTION: &str = "ecr:CreatePullThroughCacheRule";

impl Operation for CreatePullThroughCacheRule {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "CreatePullThroughCacheRule" };
    type Output = Rule;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let role = self.custom_role_arn.as_deref();
        let role = role.map(|role_arn| pass_role(context, role_arn));
        [registry_demand(ACTION)].into_iter().chain(role).collect()
    }

    async fn run(self, call: Call<'_>) -> Result<Rule> {
        refuse_foreign(call.context, self.registry_id.as_ref(), ACTION)?;
        let rule = self.rule(call.app, call.context)?;
        if let Some(arn) = &rule.credential_arn {
            credentials::check(call.app, (rule.account, &rule.region), arn).await?;
        }
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        let found = rules::find(&mut tx, rule.account, &rule.region, &rule.prefix).await?;
        if found.is_some() {
            let exists = Error::new(
                ErrorKind::PullThroughCacheRuleAlreadyExists,
                format!(
                    "The pull through cache rule with the prefix '{}' already exists in the \
                     registry with id '{}'",
                    rule.prefix, rule.account
                ),
            );
            return call.refuse(tx, exists).await;
        }
        quotas::check_pull_through_cache_rules(&mut tx, &call, registry_id).await?;
        rules::insert(&mut tx, registry_id, &rule).await?;
        call.commit(tx).await?;
        Ok(rule)
    }
}

impl CreatePullThroughCacheRule {
    /// The rule, if it can be one.
    fn rule(self, app: &App, context: &RequestContext) -> Result<Rule> {
        let url = UpstreamUrl::parse(&self.upstream_url);
        let url = url.ok_or_else(|| invalid_url(&self.upstream_url))?;
        let registry = UpstreamRegistry::of(&url.host, &app.settings.upstreams);
        let registry = registry.ok_or_else(|| invalid_url(&self.upstream_url))?;
        if self.upstream_registry.is_some_and(|given| given != registry) {
            return Err(Error::invalid_parameter(
                "upstreamRegistry",
                format_args!(
                    "Member must be the registry of upstreamRegistryUrl, which is {}",
                    registry.as_str().unwrap_or("none that Amazon ECR knows")
                ),
            ));
        }
        let prefix = Namespace::new(&self.prefix);
        let upstream_prefix = match (&self.upstream_prefix, url.path) {
            (None, path) => path,
            (Some(given), Namespace::Root) => Namespace::new(given),
            (Some(_), Namespace::Below(path)) => {
                return Err(Error::invalid_parameter(
                    "upstreamRepositoryPrefix",
                    format_args!(
                        "Member must not be set together with a path in upstreamRegistryUrl, which \
                         is {path}"
                    ),
                ));
            }
        };
        if prefix == Namespace::Root && upstream_prefix != Namespace::Root {
            return Err(Error::invalid_parameter(
                "upstreamRepositoryPrefix",
                "Member must be ROOT when ecrRepositoryPrefix is ROOT",
            ));
        }
        let upstream = (registry, url.host.as_str());
        let (secret, role) = (self.credential_arn.as_ref(), self.custom_role_arn.as_ref());
        check_entry(context, upstream, secret, role)?;
        if app.settings.upstreams.url(registry, &url.host).is_none() {
            return Err(origin::no_location(&url.host));
        }
        Ok(Rule {
            account: context.account,
            region: context.region.clone(),
            prefix,
            given_prefix: self.prefix,
            upstream_registry: registry,
            upstream_url: self.upstream_url,
            upstream_host: url.host,
            upstream_prefix,
            given_upstream_prefix: self.upstream_prefix,
            credential_arn: self.credential_arn,
            custom_role_arn: self.custom_role_arn,
            created_at: context.now,
            updated_at: context.now,
        })
    }
}

/// Whether a rule says what its upstream is entered with, in the one way that fits it.
pub(super) fn check_entry(
    context: &RequestContext,
    (registry, host): (UpstreamRegistry, &str),
    credential_arn: Option<&String>,
    custom_role_arn: Option<&String>,
) -> Result<()> {
    if let Some(role_arn) = custom_role_arn {
        if registry != UpstreamRegistry::Ecr {
            return Err(Error::invalid_parameter(
                "customRoleArn",
                "Member is for upstream registries of Amazon ECR only",
            ));
        }
        if credential_arn.is_some() {
            return Err(Error::invalid_parameter(
                "customRoleArn",
                "Member must not be set together with credentialArn",
            ));
        }
        let of = ecr_host(host).map(|(account, region, _)| (account, region));
        if of.is_some_and(|it| it == (context.account, context.region.clone())) {
            // A role asks registries of this deployment, and this one would ask itself without end.
            return Err(Error::invalid_parameter(
                "upstreamRegistryUrl",
                "The upstream registry must be another one than that of the rule",
            ));
        }
        return check_role(context, role_arn);
    }
    let missing = match registry {
        _ if credential_arn.is_some() => return Ok(()),
        UpstreamRegistry::Ecr => {
            "The specified upstream registry requires authentication. Specify a valid role ARN to \
             authenticate with."
        }
        registry if registry.wants_secret() => {
            "The specified upstream registry requires authentication. Specify a valid Secrets \
             Manager ARN containing the upstream registry credentials."
        }
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::UnsupportedUpstreamRegistry, missing))
}

/// In ECR's words.
fn invalid_url(url: &str) -> Error {
    Error::new(
        ErrorKind::UnsupportedUpstreamRegistry,
        format!(
            "The upstream registry URL {url} is invalid. Specify a valid upstream registry URL and \
             try again"
        ),
    )
}
