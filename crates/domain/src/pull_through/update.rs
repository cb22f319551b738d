//! `UpdatePullThroughCacheRule`.

use super::create::check_entry;
use super::namespace::Namespace;
use super::rules::{self, Rule};
use super::{credentials, not_found, pass_role, refuse_foreign, registry_demand};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::AccountId;
use crate::registries;

/// Changes what the upstream of a rule is entered with: a secret or a role, which takes the place of
/// the other. Nothing else of a rule changes. Idempotent.
#[derive(Clone, Debug)]
pub struct UpdatePullThroughCacheRule {
    /// The account of the registry; the addressed one when absent.
    pub registry_id: Option<AccountId>,
    /// Which one.
    pub prefix: String,
    /// The new secret.
    pub credential_arn: Option<String>,
    /// The new role.
    pub custom_role_arn: Option<String>,
}

const ACTION: &str = "ecr:UpdatePullThroughCacheRule";

impl Operation for UpdatePullThroughCacheRule {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "UpdatePullThroughCacheRule" };
    type Output = Rule;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let role = self.custom_role_arn.as_deref();
        let role = role.map(|role_arn| pass_role(context, role_arn));
        [registry_demand(ACTION)].into_iter().chain(role).collect()
    }

    async fn run(self, call: Call<'_>) -> Result<Rule> {
        let context = call.context;
        refuse_foreign(context, self.registry_id.as_ref(), ACTION)?;
        if self.credential_arn.is_some() == self.custom_role_arn.is_some() {
            // In ECR's words.
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "Invalid input: Please set either credential arn or role arn to update the \
                 credentials",
            ));
        }
        if let Some(arn) = &self.credential_arn {
            credentials::check(call.app, (context.account, &context.region), arn).await?;
        }
        let prefix = Namespace::new(&self.prefix);
        let mut tx = call.write().await?;
        let found = match registries::find_addressed(&mut tx, &call).await? {
            None => None,
            Some(registry_id) => rules::find(&mut tx, context.account, &context.region, &prefix)
                .await?
                .map(|rule| (registry_id, rule)),
        };
        let Some((registry_id, mut rule)) = found else {
            let missing = not_found(context, &self.prefix);
            return call.refuse(tx, missing).await;
        };
        rule.credential_arn = self.credential_arn;
        rule.custom_role_arn = self.custom_role_arn;
        check_entry(
            context,
            (rule.upstream_registry, &rule.upstream_host),
            rule.credential_arn.as_ref(),
            rule.custom_role_arn.as_ref(),
        )?;
        rule.updated_at = call.now();
        rules::update(&mut tx, registry_id, &rule).await?;
        call.commit(tx).await?;
        Ok(rule)
    }
}
