//! STS `AssumeRole`.

use super::policies::limit;
use super::{Credentials, Session, SessionKind, check_duration};
use crate::authorize::refusal;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::identities::entities::{self, EntityKind, tags};
use crate::identities::roles::{self, Role};
use crate::names::{AccountId, Arn};
use crate::resource_tags::{self, ResourceTag};

/// Sessions made by sessions of roles, in seconds; AWS's limit on chains.
pub(in crate::identities) const CHAINED_SECONDS_MAX: i64 = 3600;

/// Makes temporary credentials of a role, which its trust policy must allow.
#[derive(Clone, Debug)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// What the session is called.
    pub session_name: String,
    /// How long it lasts, in seconds; an hour when absent.
    pub duration_seconds: Option<i64>,
    /// What limits it.
    pub policy: Option<String>,
    /// Managed policies that limit it.
    pub policy_arns: Vec<String>,
    /// Its tags.
    pub tags: Vec<ResourceTag>,
    /// The keys of tags that sessions made by it inherit.
    pub transitive_tag_keys: Vec<String>,
    /// What a trust policy may ask of strangers.
    pub external_id: Option<String>,
    /// Who is behind it; stays along a chain.
    pub source_identity: Option<String>,
}

/// A role's session with its credentials.
#[derive(Clone, Debug)]
pub struct AssumedRole {
    /// The credentials.
    pub credentials: Credentials,
    /// The ARN of the session.
    pub arn: String,
    /// The unique id of the session.
    pub unique_id: String,
    /// How much of what a session may carry it carries, in percent.
    pub packed_percent: Option<u32>,
    /// Who is behind it.
    pub source_identity: Option<String>,
}

/// The account of a role's ARN; the caller's when it is none.
pub(super) fn role_resource(role_arn: &str, context: &RequestContext) -> Resource {
    let account = role_account(role_arn).unwrap_or(context.principal.account);
    Resource::Arn { arn: role_arn.to_owned(), account }
}

pub(in crate::identities) fn role_account(role_arn: &str) -> Option<AccountId> {
    let arn = Arn::parse(role_arn).ok()?;
    let is_role = arn.service() == "iam" && arn.resource().starts_with("role/");
    is_role.then(|| AccountId::parse(arn.account()).ok()).flatten()
}

/// Demands of the same keys on the same role.
pub(super) fn demands(
    actions: &[&'static str],
    resource: &Resource,
    keys: &[(String, Vec<String>)],
) -> Vec<Demand> {
    actions
        .iter()
        .map(|action| Demand { keys: keys.to_vec(), ..Demand::new(action, resource.clone()) })
        .collect()
}

impl Operation for AssumeRole {
    const ENTRY: Entry = Entry { service: Service::Sts, name: "AssumeRole" };
    type Output = AssumedRole;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let mut keys = resource_tags::condition_keys(&self.tags);
        keys.push(("sts:RoleSessionName".to_owned(), vec![self.session_name.clone()]));
        if let Some(id) = &self.external_id {
            keys.push(("sts:ExternalId".to_owned(), vec![id.clone()]));
        }
        if !self.transitive_tag_keys.is_empty() {
            keys.push(("sts:TransitiveTagKeys".to_owned(), self.transitive_tag_keys.clone()));
        }
        let mut actions = vec!["sts:AssumeRole"];
        if !self.tags.is_empty() || !self.transitive_tag_keys.is_empty() {
            actions.push("sts:TagSession");
        }
        if let Some(identity) = &self.source_identity {
            keys.push(("sts:SourceIdentity".to_owned(), vec![identity.clone()]));
            actions.push("sts:SetSourceIdentity");
        }
        demands(&actions, &role_resource(&self.role_arn, context), &keys)
    }

    async fn run(self, call: Call<'_>) -> Result<AssumedRole> {
        let caller = &call.context.principal;
        if caller.kind == PrincipalKind::Root {
            return Err(Error::new(
                ErrorKind::AccessDenied,
                "Roles may not be assumed by root accounts.",
            ));
        }
        tags::validate(&self.tags)?;
        let mut tx = call.read().await?;
        let role = get_role(&mut tx, &call, "sts:AssumeRole", &self.role_arn).await?;
        let is_chained = caller.kind == PrincipalKind::AssumedRole;
        let seconds = role_duration(&role, self.duration_seconds, is_chained)?;
        let mut session =
            Session::new(SessionKind::Role, role.entity.id, self.session_name, &call, seconds);
        if let Some(by) = caller.session.as_deref() {
            inherit(&mut session, &by.session, &self.tags)?;
        }
        let own = self.tags.into_iter().map(|tag| (tag.key, tag.value));
        session.tags.extend(own);
        session.transitive.extend(self.transitive_tag_keys);
        session.source_identity = match (session.source_identity.take(), self.source_identity) {
            (Some(inherited), Some(given)) if inherited != given => {
                return Err(refusal(
                    call.context,
                    "sts:SetSourceIdentity",
                    &self.role_arn,
                    "because the session has another source identity",
                ));
            }
            (inherited, given) => inherited.or(given),
        };
        let account = role.entity.account.to_string();
        let packed = limit(&mut tx, &mut session, &account, self.policy, self.policy_arns).await?;
        finish(call, tx, session, packed).await
    }
}

/// The credentials of a role's session that has been made.
pub(super) async fn finish(
    call: Call<'_>,
    mut tx: Tx,
    session: Session,
    packed_percent: Option<u32>,
) -> Result<AssumedRole> {
    let source_identity = session.source_identity.clone();
    let principal = session.clone().principal(&mut tx, None).await?;
    drop(tx);
    Ok(AssumedRole {
        credentials: session.issue(call.app).await?,
        arn: principal.arn,
        unique_id: principal.unique_id,
        packed_percent,
        source_identity,
    })
}

/// The role of an ARN; one that is not there is refused as one that trusts nobody.
pub(super) async fn get_role(
    tx: &mut Tx,
    call: &Call<'_>,
    action: &'static str,
    role_arn: &str,
) -> Result<Role> {
    match entities::find_by_arn(tx, role_arn).await? {
        Some(entity) if entity.kind == EntityKind::Role => roles::describe(tx, entity).await,
        _ => {
            let reason = format!("because no role trust policy allows the {action} action");
            Err(refusal(call.context, action, role_arn, &reason))
        }
    }
}

/// How long a session of a role may last.
///
/// # Errors
/// `InvalidParameter` in AWS's words.
pub(super) fn role_duration(role: &Role, asked: Option<i64>, is_chained: bool) -> Result<i64> {
    let seconds = check_duration(asked.unwrap_or(roles::SESSION_SECONDS), 43_200)?;
    let refused = |text: &str| Err(Error::new(ErrorKind::InvalidParameter, text));
    if is_chained && seconds > CHAINED_SECONDS_MAX {
        return refused(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining",
        );
    }
    if seconds > role.session_seconds_max {
        return refused(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        );
    }
    Ok(seconds)
}

/// What a session takes over from the one that made it: transitive tags and the source identity.
fn inherit(session: &mut Session, by: &Session, given: &[ResourceTag]) -> Result<()> {
    session.source_identity.clone_from(&by.source_identity);
    for key in &by.transitive {
        if given.iter().any(|tag| tag.key.eq_ignore_ascii_case(key)) {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "One of the specified transitive tag keys can't be set because it conflicts with a \
                 transitive tag key from the calling session.",
            ));
        }
        let inherited = by.tags.iter().filter(|(own, _)| own.eq_ignore_ascii_case(key));
        session.tags.extend(inherited.cloned());
        session.transitive.push(key.clone());
    }
    Ok(())
}
