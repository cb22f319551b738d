//! `ValidatePullThroughCacheRule`.

use super::namespace::Namespace;
use super::rules::{self, Rule};
use super::upstream::UpstreamError;
use super::{not_found, refuse_foreign, registry_demand};
use crate::app::App;
use crate::context::RequestContext;
use crate::error::{Result, chain};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::AccountId;

/// Asks the upstream of a rule whether it answers and takes the credentials.
#[derive(Clone, Debug)]
pub struct ValidatePullThroughCacheRule {
    /// The account of the registry; the addressed one when absent.
    pub registry_id: Option<AccountId>,
    /// Which one.
    pub prefix: String,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Validation {
    /// The rule.
    pub rule: Rule,
    /// What is wrong, if anything is.
    pub failure: Option<String>,
}

const ACTION: &str = "ecr:ValidatePullThroughCacheRule";

impl Operation for ValidatePullThroughCacheRule {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "ValidatePullThroughCacheRule" };
    type Output = Validation;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![registry_demand(ACTION)]
    }

    async fn run(self, call: Call<'_>) -> Result<Validation> {
        let context = call.context;
        refuse_foreign(context, self.registry_id.as_ref(), ACTION)?;
        let prefix = Namespace::new(&self.prefix);
        let mut tx = call.read().await?;
        let found = rules::find(&mut tx, context.account, &context.region, &prefix).await?;
        let rule = found.ok_or_else(|| not_found(context, &self.prefix))?;
        // Others take as long as they like; nothing stays open for them.
        drop(tx);
        let failure = failure(call.app, &rule).await?;
        Ok(Validation { rule, failure })
    }
}

/// Why images cannot be had by a rule.
///
/// # Errors
/// When the server itself fails; what is wrong with the rule is no error.
async fn failure(app: &App, rule: &Rule) -> Result<Option<String>> {
    let origin = match rule.origin(app).await {
        Ok(origin) => origin,
        Err(error) if error.is_fault() => return Err(error),
        Err(error) => return Ok(Some(error.message().to_owned())),
    };
    let Err(error) = app.upstreams.check(&origin).await else { return Ok(None) };
    tracing::info!(
        prefix = rule.given_prefix,
        upstream = rule.upstream_url,
        error = chain(&error),
        "a pull through cache rule is not valid"
    );
    Ok(Some(match error {
        // In ECR's words.
        UpstreamError::Denied(_) if origin.credentials.is_some() => {
            "The authentication to the upstream registry failed. Verify that the credentials in the \
             secret are correct and try again."
                .to_owned()
        }
        UpstreamError::Denied(_) => format!(
            "The upstream registry {} wants credentials. Update the rule with the ARN of a secret.",
            rule.upstream_host
        ),
        error => error.to_string(),
    }))
}
