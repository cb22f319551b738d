//! STS `AssumeRoleWithWebIdentity`.

use super::assume_role::{self, AssumedRole, demands, get_role, role_duration, role_resource};
use super::policies::limit;
use super::{Session, SessionKind};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::identities::entities::tags;
use crate::identities::web_identity::WebIdentity;
use crate::resource_tags;

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// Makes temporary credentials of a role for the subject of a token, which the trust policy of the
/// role must allow.
#[derive(Clone, Debug)]
pub struct AssumeRoleWithWebIdentity {
    /// The role.
    pub role_arn: String,
    /// What the session is called.
    pub session_name: String,
    /// Who the token is about.
    pub identity: WebIdentity,
    /// How long it lasts, in seconds; an hour when absent.
    pub duration_seconds: Option<i64>,
    /// What limits it.
    pub policy: Option<String>,
    /// Managed policies that limit it.
    pub policy_arns: Vec<String>,
}

impl Operation for AssumeRoleWithWebIdentity {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "AssumeRoleWithWebIdentity" };
    type Output = AssumedRole;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let identity = &self.identity;
        let mut keys = resource_tags::condition_keys(&identity.tags);
        let mut add = |key: String, values: Vec<String>| {
            if !values.is_empty() {
                keys.push((key, values));
            }
        };
        let provider = &identity.provider;
        add("sts:RoleSessionName".to_owned(), vec![self.session_name.clone()]);
        add("aws:FederatedProvider".to_owned(), vec![identity.provider_arn.clone()]);
        add(format!("{provider}:sub"), vec![identity.subject.clone()]);
        add(format!("{provider}:aud"), vec![identity.audience.clone()]);
        add(format!("{provider}:oaud"), identity.original_audience.clone());
        add(format!("{provider}:amr"), identity.methods.clone());
        add("sts:TransitiveTagKeys".to_owned(), identity.transitive_tag_keys.clone());
        let mut actions = vec![ACTION];
        if !identity.tags.is_empty() || !identity.transitive_tag_keys.is_empty() {
            actions.push("sts:TagSession");
        }
        if let Some(source) = &identity.source_identity {
            add("sts:SourceIdentity".to_owned(), vec![source.clone()]);
            actions.push("sts:SetSourceIdentity");
        }
        demands(&actions, &role_resource(&self.role_arn, context), &keys)
    }

    async fn run(self, call: Call<'_>) -> Result<AssumedRole> {
        tags::validate(&self.identity.tags)?;
        let mut tx = call.read().await?;
        let role = get_role(&mut tx, &call, ACTION, &self.role_arn).await?;
        let seconds = role_duration(&role, self.duration_seconds, false)?;
        let (id, name) = (role.entity.id, self.session_name);
        let mut session = Session::new(SessionKind::Role, id, name, &call, seconds);
        let given = self.identity.tags.into_iter().map(|tag| (tag.key, tag.value));
        session.tags.extend(given);
        session.transitive = self.identity.transitive_tag_keys;
        session.source_identity = self.identity.source_identity;
        session.provider = Some(self.identity.provider_arn);
        let account = role.entity.account.to_string();
        let packed = limit(&mut tx, &mut session, &account, self.policy, self.policy_arns).await?;
        assume_role::finish(call, tx, session, packed).await
    }
}
