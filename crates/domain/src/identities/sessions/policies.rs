//! Session policies: what a session is limited to, whatever its role or user may do.

use std::sync::LazyLock;

use tonnage_policy::{Policy, PolicyKind};

use super::{Session, SessionKind};
use crate::context::Principal;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::identities::effective::managed_document;
use crate::identities::policies::document;
use crate::policies::governing::Needs;

/// Characters of an inline session policy; AWS's quota.
const CHARS_MAX: usize = 2048;
/// Managed policies of one session; AWS's quota.
const ARNS_MAX: usize = 10;

const DENY_ALL: &str = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

/// What temporary credentials of a user or a federated user may never do, as a policy like any
/// other. Source: AWS STS API reference, `GetSessionToken` and `GetFederationToken`.
const TEMPORARY: [(SessionKind, &str); 2] = [
    (
        SessionKind::Caller,
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Resource":"*","Action":[
            "iam:*","sts:AssumeRoot","sts:Decode*","sts:GetAccessKeyInfo","sts:Get*Token"]}}"#,
    ),
    (
        SessionKind::Federated,
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Resource":"*","Action":[
            "iam:*","sts:AssumeRo*","sts:Decode*","sts:GetAccessKeyInfo","sts:Get*Token"]}}"#,
    ),
];

static TEMPORARY_POLICIES: LazyLock<Vec<(SessionKind, Policy)>> = LazyLock::new(|| {
    TEMPORARY
        .iter()
        .filter_map(|(kind, text)| {
            Policy::parse(text, PolicyKind::Identity).ok().map(|policy| (*kind, policy))
        })
        .collect()
});

/// The compiled session policies of a principal.
#[derive(Default)]
pub(crate) struct SessionPolicies {
    /// What the session was given; empty when it was made without any.
    pub(crate) documents: Vec<(String, Policy)>,
    /// What sessions of its kind may never do.
    pub(crate) kind: Option<&'static Policy>,
    /// Whether it has no permissions but those the session policies of others give it: a federated
    /// user without a session policy.
    pub(crate) powerless: bool,
    /// What has to be known of a request for them.
    pub(crate) needs: Needs,
}

pub(crate) async fn load(tx: &mut Tx, principal: &Principal) -> Result<SessionPolicies> {
    let mut policies = SessionPolicies::default();
    let Some(session) = principal.session.as_deref().map(|principal| &principal.session) else {
        return Ok(policies);
    };
    let mut add = |name: &str, text: &str| -> Result<()> {
        let policy = Policy::parse(text, PolicyKind::Identity)
            .map_err(|error| Error::internal(format!("session policy: {error}")))?;
        policies.needs = policies.needs | Needs::of(&policy);
        policies.documents.push((name.to_owned(), policy));
        Ok(())
    };
    if let Some(text) = &session.policy {
        add("session", text)?;
    }
    for arn in &session.policy_arns {
        // One that was deleted since allows nothing.
        let text = managed_document(tx, arn).await?;
        add(arn, text.as_deref().unwrap_or(DENY_ALL))?;
    }
    policies.powerless = session.kind == SessionKind::Federated && policies.documents.is_empty();
    policies.kind =
        TEMPORARY_POLICIES.iter().find(|(kind, _)| *kind == session.kind).map(|(_, it)| it);
    policies.needs = policies.needs | policies.kind.map(Needs::of).unwrap_or_default();
    Ok(policies)
}

/// Checks what a session is to be limited to, and notes it in the session.
///
/// # Errors
/// [`ErrorKind::MalformedPolicyDocument`], [`ErrorKind::PackedPolicyTooLarge`], and
/// `InvalidParameter` for managed policies of another account or that are not there.
pub(crate) async fn limit(
    tx: &mut Tx,
    session: &mut Session,
    account: &str,
    policy: Option<String>,
    policy_arns: Vec<String>,
) -> Result<Option<u32>> {
    if let Some(text) = &policy {
        document::check(text, PolicyKind::Identity, CHARS_MAX, "the session policy").map_err(
            |error| match error.kind() {
                ErrorKind::LimitExceeded => {
                    Error::new(ErrorKind::PackedPolicyTooLarge, error.message())
                }
                _ => error,
            },
        )?;
    }
    if policy_arns.len() > ARNS_MAX {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("A session has at most {ARNS_MAX} managed policies."),
        ));
    }
    for arn in &policy_arns {
        let owner = arn.split(':').nth(4).unwrap_or_default();
        let known = matches!(owner, "aws") || owner == account;
        if !known || managed_document(tx, arn).await?.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!("PolicyArns: the policy {arn} does not exist or cannot be used here."),
            ));
        }
    }
    session.policy = policy;
    session.policy_arns = policy_arns;
    session.packed_percent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_of_temporary_credentials_are_policies() {
        assert_eq!(TEMPORARY_POLICIES.len(), TEMPORARY.len());
    }
}
